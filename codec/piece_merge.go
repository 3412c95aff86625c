// SPDX-License-Identifier: Apache-2.0

package codec

// minMerged is the number of wanted values from which it pays to merge the pieces of a template.
const minMerged = 8

// pieceMerger makes the places of a template for the wanted values alone. A place that has the same
// text in all of them becomes a part of the piece around it. The numbers of a device that stands
// still are like that.
type pieceMerger struct {
	arena  *pieceArena
	places []memberPlace
	start  int // where the next piece starts in the arena
	room   int // for the text of the pieces
}

// newPieceMerger returns a merger that appends to places, and adds up to room bytes to an arena.
func newPieceMerger(arena *pieceArena, places []memberPlace, room int) pieceMerger {
	return pieceMerger{arena: arena, places: places, start: len(arena.bytes), room: room}
}

// addPiece adds a piece of the arena. It returns false if there is no room for it.
func (m *pieceMerger) addPiece(piece pieceRef) bool {
	if m.room -= int(piece.length); m.room < 0 {
		return false
	}
	m.arena.bytes = append(m.arena.bytes, m.arena.text(piece)...)
	return true
}

// addNumber adds the number that a place has in all wanted values. It returns false if there is no
// room for it.
func (m *pieceMerger) addNumber(place *storedPlace) bool {
	var text [maxNumberLen]byte
	length := place.write(text[:], 0)
	m.arena.bytes = append(m.arena.bytes, text[:length]...)
	m.room -= length
	return m.room >= 0
}

// addPlace adds a place that has different texts.
func (m *pieceMerger) addPlace(column uint32) {
	m.places = append(m.places, memberPlace{m.takePiece(), column})
}

// takePiece returns the piece that was added since the last place.
func (m *pieceMerger) takePiece() pieceRef {
	start := m.start
	m.start = len(m.arena.bytes)
	return pieceRef{uint32(start), uint32(m.start - start)}
}

// areEqual reports whether there are elements, and all of them are equal.
func areEqual(elements []uint64) bool {
	for _, v := range elements {
		if v != elements[0] {
			return false
		}
	}
	return len(elements) > 0
}
