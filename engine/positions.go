// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"encoding/binary"
	"fmt"
	"maps"
	"strings"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/tree"
)

// stream names a stream of batches.
type stream struct {
	store, epoch [16]byte
	name         string
}

func newStream(store, epoch [16]byte, name string) stream { return stream{store, epoch, name} }

// received is a stream and the position in it.
type received struct {
	stream   stream
	position daybook.Position
}

// A position is encoded as the sequence number (uint64, big-endian) and the digest. In the section
// of a frame, the stream follows: store, epoch, and the name up to the end. The tree has the
// position as a note, which the stream names.
const (
	positionLen   = 8 + 32
	identityLen   = 16 + 16
	positionNotes = "position." // followed by the stream
)

func (r *received) encodePosition() []byte {
	return append(binary.BigEndian.AppendUint64(nil, r.position.Through), r.position.Digest[:]...)
}

func (s *stream) append(dst []byte) []byte {
	return append(append(append(dst, s.store[:]...), s.epoch[:]...), s.name...)
}

// encode returns the section of a frame.
func (r *received) encode() []byte { return r.stream.append(r.encodePosition()) }

// note returns the name of the note.
func (r *received) note() string { return string(r.stream.append([]byte(positionNotes))) }

// decodeReceived decodes the section of a frame.
func decodeReceived(section []byte) (r received, err error) {
	if len(section) < positionLen+identityLen {
		return r, fmt.Errorf("%w: a section of %d bytes is no position", daybook.ErrCorrupt, len(section))
	}
	r.position.Through = binary.BigEndian.Uint64(section)
	section = section[8:]
	section = section[copy(r.position.Digest[:], section):]
	section = section[copy(r.stream.store[:], section):]
	section = section[copy(r.stream.epoch[:], section):]
	r.stream.name = string(section)
	if err := daybook.ValidateStream(r.stream.store, r.stream.epoch, r.stream.name); err != nil {
		return r, fmt.Errorf("%w: a position: %w", daybook.ErrCorrupt, err)
	}
	return r, nil
}

// positionsIn returns the positions in the notes of a tree.
func positionsIn(notes tree.Notes) (map[stream]daybook.Position, error) {
	var posted map[stream]daybook.Position
	for key, note := range notes {
		of, isPosition := strings.CutPrefix(key, positionNotes)
		if !isPosition {
			continue
		}
		if len(note) != positionLen {
			return nil, fmt.Errorf("%w: the note of a position has %d bytes", daybook.ErrCorrupt, len(note))
		}
		r, err := decodeReceived(append(note[:positionLen:positionLen], of...))
		if err != nil {
			return nil, err
		}
		posted = with(posted, r)
	}
	return posted, nil
}

// with adds a position to a map, which may be nil, unless that has a later one.
func with(to map[stream]daybook.Position, r received) map[stream]daybook.Position {
	if to == nil {
		to = map[stream]daybook.Position{}
	}
	if r.position.Through > to[r.stream].Through {
		to[r.stream] = r.position
	}
	return to
}

// positions are the positions of all streams, each beside the values that moved it. A position gets
// into the tree together with its values. It never goes back: a replay may meet frames that are
// older than what the tree has.
type positions struct {
	active, frozen map[stream]daybook.Position // of batches whose values are in the heads
	posted         map[stream]daybook.Position // in the tree
}

func (p *positions) of(s stream) daybook.Position {
	for _, in := range []map[stream]daybook.Position{p.active, p.frozen} {
		if position, ok := in[s]; ok {
			return position
		}
	}
	return p.posted[s]
}

// add adds the position of a batch whose values are in the active head.
func (p *positions) add(r received) {
	if r.position.Through > p.of(r.stream).Through {
		p.active = with(p.active, r)
	}
}

func (p *positions) freeze()   { p.frozen, p.active = p.active, nil }
func (p *positions) unfreeze() { p.active, p.frozen = p.frozen, nil }

// frozenPosted is called when the frozen head is in the tree.
func (p *positions) frozenPosted() {
	for of, position := range p.frozen {
		p.posted = with(p.posted, received{of, position})
	}
	p.frozen = nil
}

// unposted returns the positions that are not in the tree.
func (p *positions) unposted() (all []received) {
	for _, in := range []map[stream]daybook.Position{p.frozen, p.active} { // the later ones last
		for of, position := range in {
			all = append(all, received{of, position})
		}
	}
	return all
}

// position returns the position of a stream.
func (h *heads) position(of stream) daybook.Position {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.positions.of(of)
}

// hasUnposted reports whether the position of a stream is not in the tree yet.
func (h *heads) hasUnposted(of stream) bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	_, active := h.positions.active[of]
	_, frozen := h.positions.frozen[of]
	return active || frozen
}

// frozenPositions returns the positions that the values of the frozen head moved.
func (h *heads) frozenPositions() map[stream]daybook.Position {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return maps.Clone(h.positions.frozen)
}

// setPosted sets the positions that the tree has.
func (h *heads) setPosted(posted map[stream]daybook.Position) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.positions.posted = posted
}

// addPosted adds a position that was written to the tree.
func (h *heads) addPosted(r received) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.positions.posted = with(h.positions.posted, r)
}
