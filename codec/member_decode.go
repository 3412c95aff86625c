// SPDX-License-Identifier: Apache-2.0

package codec

import (
	"slices"
	"sync"
)

// memberBody is a parsed body of members. Any value in it can be written out on its own.
type memberBody struct {
	bodyColumns
	version   byte
	texts     pieceArena
	pieces    []pieceRef
	templates []storedMembers
	columns   []storedColumn

	// The parts of the body that a tail has, too: from the pieces to the number of templates, and
	// the templates.
	beforeTemplates, templateBytes []byte
}

// storedMembers is a template as a body of members stores it.
type storedMembers struct {
	places []memberPlace
	last   pieceRef // the piece after the last place
	rows   int      // number of the chunk's values that have this template
	wanted int      // number of these values that are wanted

	merged     []memberPlace // the places with different texts, and the pieces before them
	mergedLast pieceRef      // the piece after the last of these places
}

// memberPlace is a place of a template: the piece before it, and the index of its column.
type memberPlace struct {
	piece  pieceRef
	column uint32
}

// storedColumn is the scalars at one path: numbers, or texts.
type storedColumn struct {
	numbers *storedPlace // nil for a column of texts
	texts   textColumn

	count  int // number of scalars
	first  int // index of the first one that is wanted
	wanted int // number of those that are wanted
	next   int // index, among the wanted ones, of the one that is written next
	memory storedPlace

	isConstant bool // all that are wanted are equal
}

var memberBodies = sync.Pool{New: func() any { return new(memberBody) }}

// decodeMemberBody decodes the wanted values of an opened chunk. It returns false if the body is
// not valid.
func (c *Coder) decodeMemberBody(b *Buffer, wanted Range) bool {
	t := memberBodies.Get().(*memberBody)
	defer memberBodies.Put(t)
	defer t.forget()
	if !t.parse(&b.Header) {
		return false
	}
	from, to, ok := t.indexes(&b.Header, wanted)
	return ok && t.decode(c, b, from, to)
}

// decodeMemberSequences is decodeTemplateSequences for a body of members.
func (c *Coder) decodeMemberSequences(b *Buffer, from, through uint64) (later Later, ok bool) {
	t := memberBodies.Get().(*memberBody)
	defer memberBodies.Put(t)
	defer t.forget()
	if !t.parse(&b.Header) {
		return Later{}, false
	}
	first, end, later := t.sequenceIndexes(&b.Header, from, through)
	return later, t.decode(c, b, first, end)
}

// decode decodes the values with an index from `from` to before `to`.
func (t *memberBody) decode(c *Coder, b *Buffer, from, to int) bool {
	if b.resize(to - from); from == to {
		return true
	}
	return t.readTimesAndNumbers(b, from) && t.readColumns(c, from, to) &&
		t.mergePieces(int(b.Header.ValueBytes)) && t.writeValues(b, from)
}

// forget drops all references to the body, which may be mapped memory.
func (t *memberBody) forget() {
	t.bodyColumns.forget()
	t.beforeTemplates, t.templateBytes = nil, nil
	for i := range t.columns {
		if column := &t.columns[i]; column.numbers != nil {
			column.numbers.forget()
		} else {
			column.texts.forget()
		}
	}
}

// parse parses a body. A scalar takes at least one byte of its value, if the quotes of a string are
// counted, and a number in a text another one. So the length of the values bounds the number of
// integers.
func (t *memberBody) parse(h *Header) bool {
	in := fieldReader{data: h.body}
	t.version = h.version
	t.timestamps, t.sequences = in.intColumn(h.Count), in.intColumn(h.Count)
	pieces := in.rest()
	if !t.parsePieces(&in) {
		return false
	}
	columns, templates := in.uvarint(), in.uvarint()
	t.beforeTemplates = pieces[:len(pieces)-in.remaining()]
	if in.failed || columns > maxMemberColumns || templates == 0 || templates > maxMemberTemplates {
		return false
	}
	t.templates = slices.Grow(t.templates[:0], int(templates))[:templates]
	t.columns = slices.Grow(t.columns[:0], int(columns))[:columns]
	for i := range t.columns {
		t.columns[i].count = 0
	}
	var rows [maxMemberTemplates]int
	if !t.readTemplates(&in, h.Count, rows[:templates]) {
		return false
	}
	budget, stored := scalarBudget{scalars: int(h.ValueBytes), texts: int(h.ValueBytes)}, in.rest()
	for i := range t.templates {
		t.templates[i].rows = rows[i]
		if !t.parseTemplate(&in, &t.templates[i], &budget) {
			return false
		}
	}
	t.templateBytes = stored[:len(stored)-in.remaining()]
	for i := range t.columns {
		if !t.columns[i].parse(&in, &budget, t) {
			return false
		}
	}
	t.texts.seal()
	return in.remaining() == 0
}

func (t *memberBody) parsePieces(in *fieldReader) bool {
	n := in.uvarint()
	if n > uint64(in.remaining()) {
		return false
	}
	t.texts.reset()
	t.pieces = t.pieces[:0]
	for range n {
		t.pieces = append(t.pieces, t.texts.add(in.bytes(in.uvarint())))
	}
	return !in.failed
}

// parseTemplate takes a template off the front, and takes its scalars from the budget.
func (t *memberBody) parseTemplate(in *fieldReader, stored *storedMembers, budget *scalarBudget) bool {
	places := in.uvarint()
	if places > uint64(in.remaining()) || places > uint64(budget.scalars/stored.rows) {
		return false
	}
	budget.scalars -= int(places) * stored.rows
	stored.places = stored.places[:0]
	for range places {
		piece, column := in.uvarint(), in.uvarint()
		if piece >= uint64(len(t.pieces)) || column >= uint64(len(t.columns)) {
			return false
		}
		stored.places = append(stored.places, memberPlace{t.pieces[piece], uint32(column)})
		t.columns[column].count += stored.rows
	}
	last := in.uvarint()
	if in.failed || last >= uint64(len(t.pieces)) {
		return false
	}
	stored.last = t.pieces[last]
	return true
}

// parse takes a column off the front, which has count scalars.
func (s *storedColumn) parse(in *fieldReader, budget *scalarBudget, t *memberBody) bool {
	if s.numbers = nil; s.count == 0 || in.remaining() == 0 {
		return false
	}
	if !placeKind(in.data[in.at]).isTexts() {
		s.numbers = &s.memory
		in.place(s.numbers, s.count, t.version)
		return !in.failed
	}
	return s.texts.parse(in, s.count, budget, t)
}

// readColumns reads the scalars of the values with an index from `from` to before `to`.
func (t *memberBody) readColumns(c *Coder, from, to int) bool {
	for i := range t.columns {
		column := &t.columns[i]
		column.first, column.wanted, column.next = 0, 0, 0
	}
	t.countScalars(from, to)
	for i := range t.columns {
		if !t.readColumn(c, &t.columns[i]) {
			return false
		}
	}
	return true
}

// countScalars counts the scalars of each column before the wanted values, and of these.
func (t *memberBody) countScalars(from, to int) {
	var counts [maxMemberTemplates]struct{ before, wanted int }
	if counts[0].before, counts[0].wanted = from, to-from; t.templateOf != nil {
		counts[0].before, counts[0].wanted = 0, 0
		for _, template := range t.templateOf[:from] {
			counts[template].before++
		}
		for _, template := range t.templateOf[from:to] {
			counts[template].wanted++
		}
	}
	for i := range t.templates {
		t.templates[i].wanted = counts[i].wanted
		for _, place := range t.templates[i].places {
			t.columns[place.column].first += counts[i].before
			t.columns[place.column].wanted += counts[i].wanted
		}
	}
}

func (t *memberBody) readColumn(c *Coder, column *storedColumn) bool {
	if column.wanted == 0 {
		return true
	}
	if place := column.numbers; place != nil {
		return place.read(&t.bodyColumns, column.first, column.wanted)
	}
	return column.texts.read(c, &t.bodyColumns, column.first, column.wanted)
}

// mergePieces merges the pieces of the wanted values' templates, as that of templateBody does.
func (t *memberBody) mergePieces(room int) bool {
	for i := range t.columns {
		t.columns[i].findConstant()
	}
	for i := range t.templates {
		stored := &t.templates[i]
		if stored.merged = stored.merged[:0]; stored.wanted < minMerged {
			stored.merged = append(stored.merged, stored.places...)
			stored.mergedLast = stored.last
			continue
		}
		m := newPieceMerger(&t.texts, stored.merged, room)
		if !t.mergeTemplate(&m, stored) {
			return false
		}
		stored.merged, stored.mergedLast, room = m.places, m.takePiece(), m.room
	}
	t.texts.seal()
	return true
}

func (t *memberBody) mergeTemplate(m *pieceMerger, stored *storedMembers) bool {
	for _, place := range stored.places {
		if !m.addPiece(place.piece) {
			return false
		}
		column := &t.columns[place.column]
		switch {
		case !column.isConstant:
			m.addPlace(place.column)
		case column.numbers != nil && !m.addNumber(column.numbers),
			column.numbers == nil && !m.addPiece(unpackRef(column.texts.refs[0])):
			return false
		}
	}
	return m.addPiece(stored.last)
}

// findConstant finds out whether all wanted scalars are equal, if that is cheap.
func (s *storedColumn) findConstant() {
	s.isConstant = s.wanted >= minMerged &&
		(s.numbers != nil && areEqual(s.numbers.mantissas) || s.numbers == nil && areEqual(s.texts.refs))
}

// memberSlack is the number of bytes that writing a value may need after it: for a number, or for
// a wide copy.
const memberSlack = maxNumberLen + wideCopy

// writeValues gives the buffer's rows their values, of which the first has the index from in the
// chunk. It returns false if their length contradicts the header.
func (t *memberBody) writeValues(b *Buffer, from int) bool {
	maxLen := int(b.Header.ValueBytes)
	if cap(b.body) < maxLen+memberSlack {
		b.body = make([]byte, maxLen+memberSlack)
	}
	body, start, rows := b.body[:maxLen+memberSlack], 0, b.Len()
	for i := range rows {
		stored := &t.templates[0]
		if t.templateOf != nil {
			stored = &t.templates[t.templateOf[from+i]]
		}
		b.starts[i] = start
		end := t.writeNext(body, start, stored)
		if end <= start {
			return false
		}
		start = end
	}
	b.starts[rows], b.text = start, body
	return rows < b.Header.Count || start == maxLen
}

// writeNext writes the next wanted value to dst from the index start on, and returns the index of
// its end. It returns -1 if dst has not enough room for it and for memberSlack.
func (t *memberBody) writeNext(dst []byte, start int, stored *storedMembers) (end int) {
	end = start
	for i := range stored.merged {
		place := &stored.merged[i]
		if end = t.texts.write(dst, end, place.piece); end < 0 {
			return -1
		}
		column := &t.columns[place.column]
		next := column.next
		column.next++
		if column.numbers != nil {
			end = column.numbers.writeNext(dst, end, next)
		} else if column.texts.refs != nil { // one call less
			if end = t.texts.write(dst, end, unpackRef(column.texts.refs[next])); end < 0 {
				return -1
			}
		} else if end = column.texts.write(dst, end, next, &t.texts); end < 0 {
			return -1
		}
	}
	return t.texts.write(dst, end, stored.mergedLast)
}
