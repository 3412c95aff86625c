// SPDX-License-Identifier: Apache-2.0

package codec

import (
	"slices"
	"sync"
)

// templateBody is a parsed body of templates. Any value in it can be written out on its own.
type templateBody struct {
	bodyColumns
	texts     pieceArena
	templates []storedTemplate
}

// bodyColumns is the columns that a body of templates and one of members have in common.
type bodyColumns struct {
	timestamps intColumn // each minus the first
	offsets    []uint64  // the same, read; nil if not all of them are
	sequences  intColumn // each minus the lowest
	templateOf []uint64  // index of each value's template; nil if there is only one template
	memory     []uint64  // for the integers that are read
}

// storedTemplate is a template as the body stores it.
type storedTemplate struct {
	pieces [][]byte   // one more than there are places
	texts  []pieceRef // the same in the arena of the body
	places []storedPlace
	rows   int           // number of the chunk's values that have this template
	wanted int           // number of these values that are wanted
	merged []memberPlace // the places with different texts, and the pieces before them
	last   pieceRef      // the piece after the last of these places
	next   int           // index, among the wanted ones, of the value that is written next
}

var templateBodies = sync.Pool{New: func() any { return new(templateBody) }}

// decodeTemplateBody decodes the wanted values of an opened chunk. It returns false if the body is
// not valid.
func (b *Buffer) decodeTemplateBody(wanted Range) bool {
	t := templateBodies.Get().(*templateBody)
	defer templateBodies.Put(t)
	defer t.forget()
	if !t.parse(&b.Header) {
		return false
	}
	from, to, ok := t.indexes(&b.Header, wanted)
	if !ok {
		return false
	}
	if b.resize(to - from); from == to {
		return true
	}
	return t.readTimesAndNumbers(b, from) && t.writeValues(b, from, to)
}

// decodeTemplateSequences decodes the values of an opened chunk from the first to the last one with
// a sequence number from one number through another, and returns which values have later numbers.
// ok is false if the body is not valid.
func (b *Buffer) decodeTemplateSequences(from, through uint64) (later Later, ok bool) {
	t := templateBodies.Get().(*templateBody)
	defer templateBodies.Put(t)
	defer t.forget()
	if !t.parse(&b.Header) {
		return Later{}, false
	}
	first, end, later := t.sequenceIndexes(&b.Header, from, through)
	if b.resize(end - first); first == end {
		return later, true
	}
	return later, t.readTimesAndNumbers(b, first) && t.writeValues(b, first, end)
}

// sequenceIndexes returns the index of the first and the index after the last value with a sequence
// number from one number through another, and which values have later numbers.
func (t *bodyColumns) sequenceIndexes(h *Header, from, through uint64) (first, end int, later Later) {
	if from <= h.MinSequence && through >= h.MaxSequence {
		return 0, h.Count, Later{}
	}
	offsets, span := t.allocate(h.Count), newSequenceSpan(from, through)
	t.sequences.read(offsets, 0)
	for i := range offsets {
		span.add(i, h.MinSequence+offsets[i])
	}
	return span.first, span.end, span.later
}

// forget drops all references to the body, which may be mapped memory.
func (t *templateBody) forget() {
	t.bodyColumns.forget()
	for i := range t.templates {
		clear(t.templates[i].pieces)
		for place := range t.templates[i].places {
			t.templates[i].places[place].forget()
		}
	}
}

func (t *bodyColumns) forget() {
	t.timestamps, t.sequences, t.templateOf, t.offsets = intColumn{}, intColumn{}, nil, nil
	if t.memory = t.memory[:0]; cap(t.memory) > 8*maxKeptInts {
		t.memory = nil
	}
}

// allocate returns memory for n integers, which is valid until forget is called.
func (t *bodyColumns) allocate(n int) []uint64 {
	if cap(t.memory)-len(t.memory) < n {
		t.memory = make([]uint64, 0, max(2*cap(t.memory), n, 1024))
	}
	used := len(t.memory)
	t.memory = t.memory[:used+n]
	return t.memory[used : used+n : used+n]
}

// release gives back the memory for n integers that were allocated last.
func (t *bodyColumns) release(n int) { t.memory = t.memory[:len(t.memory)-n] }

// parse parses a body. A number takes at least one byte of its value, so that the length of the
// values bounds the number of numbers.
func (t *templateBody) parse(h *Header) bool {
	in := fieldReader{data: h.body}
	t.timestamps, t.sequences = in.intColumn(h.Count), in.intColumn(h.Count)
	count := in.uvarint()
	if in.failed || count == 0 || count > maxTemplates {
		return false
	}
	t.templates = slices.Grow(t.templates[:0], maxTemplates)[:count]
	t.texts.reset()
	var rows [maxTemplates]int
	if !t.readTemplates(&in, h.Count, rows[:count]) {
		return false
	}
	bytesLeft := h.ValueBytes
	for i := range t.templates {
		stored := &t.templates[i]
		stored.rows = rows[i]
		places := in.uvarint()
		if in.failed || places > bytesLeft/uint64(stored.rows) || places > uint64(in.remaining()) {
			return false
		}
		bytesLeft -= places * uint64(stored.rows)
		if !stored.parse(&in, int(places), h.version) {
			return false
		}
		stored.texts = stored.texts[:0]
		for _, piece := range stored.pieces {
			stored.texts = append(stored.texts, t.texts.add(piece))
		}
	}
	t.texts.seal()
	return in.remaining() == 0
}

// readTemplates takes the template of each value off the front, and counts the values of each
// template, of which there is one for each of rows. It returns false if a template has no values.
func (t *bodyColumns) readTemplates(in *fieldReader, values int, rows []int) bool {
	if len(rows) == 1 {
		rows[0] = values
		return true
	}
	column := in.intColumn(values)
	if in.failed {
		return false
	}
	t.templateOf = t.allocate(values)
	column.read(t.templateOf, 0)
	clear(rows)
	return countEach(rows, t.templateOf) && !slices.Contains(rows, 0)
}

func (s *storedTemplate) parse(in *fieldReader, places int, version byte) bool {
	s.pieces, s.places = s.pieces[:0], s.places[:0]
	for range places + 1 {
		s.pieces = append(s.pieces, in.bytes(in.uvarint()))
	}
	for range places {
		s.places = withOneMore(s.places)
		if in.place(&s.places[len(s.places)-1], s.rows, version); in.failed {
			return false
		}
	}
	return !in.failed && (places > 0 || len(s.pieces[0]) > 0) // no value is empty
}

// withOneMore returns a slice with one more element, which may be one that was dropped from it.
func withOneMore[T any](s []T) []T {
	if len(s) < cap(s) {
		return s[:len(s)+1]
	}
	var zero T
	return append(s, zero)
}

// indexes returns which values are wanted, as Range.indexes does. It reads the timestamps only if
// some of them may lie outside the range.
func (t *bodyColumns) indexes(h *Header, wanted Range) (from, to int, ok bool) {
	if wanted.Start <= h.First && wanted.End >= h.Last {
		from, to = wanted.indexes(h.Count, nil)
		return from, to, true
	}
	if t.timestamps.growsSteadilyTo(h.Last - h.First) {
		from, to = wanted.steadyIndexes(h.Count, h.First, t.timestamps.ints.minDelta)
		return from, to, true
	}
	t.offsets = t.allocate(h.Count)
	t.timestamps.read(t.offsets, 0)
	if !ascendTo(t.offsets, h.Last-h.First) {
		return 0, 0, false
	}
	from, to = wanted.indexes(h.Count, func(i int) uint64 { return h.First + t.offsets[i] })
	return from, to, true
}

// readTimesAndNumbers gives the buffer's rows their timestamps and sequence numbers. from is the
// index in the chunk of the first row. It returns false if these contradict the header.
func (t *bodyColumns) readTimesAndNumbers(b *Buffer, from int) bool {
	return t.readTimestamps(b.Timestamps, &b.Header, from) && t.readSequences(b.Sequences, &b.Header, from)
}

// readTimestamps fills dst with timestamps. from is the index in the chunk of the first of them. It
// returns false if the timestamps are not in order or contradict the header.
func (t *bodyColumns) readTimestamps(dst []uint64, h *Header, from int) bool {
	if t.offsets != nil {
		copy(dst, t.offsets[from:])
	} else {
		t.timestamps.read(dst, from)
	}
	last, first := uint64(0), dst[0]
	for i, offset := range dst {
		if offset < last {
			return false
		}
		last = offset
		dst[i] = h.First + offset
	}
	if len(dst) < h.Count {
		return last <= h.Last-h.First
	}
	return first == 0 && last == h.Last-h.First
}

// readSequences fills dst with sequence numbers. from is the index in the chunk of the first of
// them. It returns false if the sequence numbers contradict the header.
func (t *bodyColumns) readSequences(dst []uint64, h *Header, from int) bool {
	t.sequences.read(dst, from)
	lowest, highest := ^uint64(0), uint64(0)
	for i, offset := range dst {
		lowest, highest = min(lowest, offset), max(highest, offset)
		dst[i] = h.MinSequence + offset
	}
	if len(dst) < h.Count {
		return highest <= h.MaxSequence-h.MinSequence
	}
	return lowest == 0 && highest == h.MaxSequence-h.MinSequence
}

// writeValues gives the buffer's rows their values, which have the indexes from `from` to before
// `to` in the chunk. It returns false if their length contradicts the header.
func (t *templateBody) writeValues(b *Buffer, from, to int) bool {
	if !t.readNumbers(from, to) || !t.mergePieces(int(b.Header.ValueBytes)) {
		return false
	}
	maxLen := int(b.Header.ValueBytes)
	if cap(b.body) < maxLen+memberSlack {
		b.body = make([]byte, maxLen+memberSlack)
	}
	if t.templateOf == nil {
		if length := t.templates[0].uniformLen(); length > 0 {
			return t.writeUniformValues(b, length)
		}
	}
	body, end := b.body[:maxLen+memberSlack], 0
	for i := range to - from {
		stored := &t.templates[0]
		if t.templateOf != nil {
			stored = &t.templates[t.templateOf[from+i]]
		}
		b.starts[i] = end
		if end = stored.writeNext(body, end, &t.texts); end < 0 {
			return false
		}
	}
	b.starts[to-from], b.text = end, body
	return to-from < b.Header.Count || end == maxLen
}

// mergePieces merges the pieces of the wanted values' templates. It returns false if they are
// longer than room.
func (t *templateBody) mergePieces(room int) bool {
	for i := range t.templates {
		stored := &t.templates[i]
		if stored.merged = stored.merged[:0]; stored.wanted == 0 {
			continue
		}
		if stored.wanted < minMerged {
			stored.keepPieces()
			continue
		}
		m := newPieceMerger(&t.texts, stored.merged, room)
		if !stored.mergePieces(&m) {
			return false
		}
		stored.merged, stored.last, room = m.places, m.takePiece(), m.room
	}
	t.texts.seal()
	return true
}

// keepPieces takes the pieces as they are.
func (s *storedTemplate) keepPieces() {
	for i := range s.places {
		s.merged = append(s.merged, memberPlace{s.texts[i], uint32(i)})
	}
	s.last = s.texts[len(s.places)]
}

func (s *storedTemplate) mergePieces(m *pieceMerger) bool {
	for i := range s.places {
		if !m.addPiece(s.texts[i]) {
			return false
		}
		if !areEqual(s.places[i].mantissas) {
			m.addPlace(uint32(i))
		} else if !m.addNumber(&s.places[i]) {
			return false
		}
	}
	return m.addPiece(s.texts[len(s.places)])
}

// readNumbers reads the numbers of the values with an index from `from` to before `to`. It returns
// false if one of them is not a number.
func (t *templateBody) readNumbers(from, to int) bool {
	before := t.countRows(from, to)
	for i := range t.templates {
		stored := &t.templates[i]
		first := before[i] // index of the first number to read
		if stored.wanted == 0 {
			continue
		}
		for i := range stored.places {
			if !stored.places[i].read(&t.bodyColumns, first, stored.wanted) {
				return false
			}
		}
	}
	return true
}

// countRows counts the values of each template with an index from `from` to before `to`, and
// returns the number of those of each template that precede these.
func (t *templateBody) countRows(from, to int) (before [maxTemplates]int) {
	for i := range t.templates {
		t.templates[i].wanted, t.templates[i].next = 0, 0
	}
	if t.templateOf == nil {
		before[0], t.templates[0].wanted = from, to-from
		return before
	}
	countEach(before[:len(t.templates)], t.templateOf[:from])
	for _, template := range t.templateOf[from:to] {
		t.templates[template].wanted++
	}
	return before
}

// countEqual returns the number of elements that are equal to wanted.
func countEqual(in []uint64, wanted uint64) (n int) {
	for _, v := range in {
		if v == wanted {
			n++
		}
	}
	return n
}

// writeNext writes the template's next wanted value to dst from the index start on, and returns the
// index of its end. It returns -1 if dst has not enough room for it and for memberSlack.
func (s *storedTemplate) writeNext(dst []byte, start int, texts *pieceArena) (end int) {
	next := s.next
	s.next++
	end = start
	for _, place := range s.merged {
		if end = texts.write(dst, end, place.piece); end < 0 {
			return -1
		}
		end = s.places[place.column].writeNext(dst, end, next)
	}
	return texts.write(dst, end, s.last)
}
