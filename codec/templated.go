// SPDX-License-Identifier: Apache-2.0

package codec

import (
	"slices"
	"sync"
)

// templated is a body encoded by templates, taken apart: all but the values themselves, each of which can be
// written alone.
type templated struct {
	timestamps column
	sequences  column
	of         []uint64 // the template of each value; nil: there is only one
	templates  []written
	memory     []uint64 // of the integers that are read
}

// written is a template as it was read.
type written struct {
	pieces  [][]byte
	styles  []style
	columns []column
	rows    int // how many values have it

	numbers [][]uint64 // of the values that are wanted
	wanted  int        // how many those are
	next    int        // which of them comes next
}

var templateds = sync.Pool{New: func() any { return new(templated) }}

// decodeTemplated decodes the part of a chunk that is wanted. Whatever is not the encoding of something
// returns false.
func (b *Buffer) decodeTemplated(part Part) bool {
	t := templateds.Get().(*templated)
	defer templateds.Put(t)
	defer t.forget()
	if !t.parse(&b.Header) {
		return false
	}
	from, to, ok := t.part(&b.Header, part)
	if !ok {
		return false
	}
	b.grow(to - from)
	return t.times(b, from) && t.sequence(b, from) && t.write(b, from, to)
}

// forget drops what leads to the body, which may be mapped memory.
func (t *templated) forget() {
	t.timestamps, t.sequences, t.of = column{}, column{}, nil
	for i := range t.templates {
		clear(t.templates[i].pieces)
		clear(t.templates[i].columns)
	}
	if t.memory = t.memory[:0]; cap(t.memory) > 8*mostKept {
		t.memory = nil
	}
}

// room is memory for n integers.
func (t *templated) room(n int) []uint64 {
	if cap(t.memory)-len(t.memory) < n {
		t.memory = make([]uint64, 0, max(2*cap(t.memory), n, 1024))
	}
	used := len(t.memory)
	t.memory = t.memory[:used+n]
	return t.memory[used : used+n : used+n]
}

// parse takes a body apart. Each number is at least one byte of a value, which bounds how many there are.
func (t *templated) parse(h *Header) bool {
	in := reader{data: h.body}
	t.timestamps, t.sequences = in.column(h.Count), in.column(h.Count)
	count := in.uvarint()
	if in.failed || count == 0 || count > mostTemplates {
		return false
	}
	t.templates = slices.Grow(t.templates[:0], mostTemplates)[:count]
	if !t.count(&in, h.Count) {
		return false
	}
	left := h.ValueBytes
	for i := range t.templates {
		w := &t.templates[i]
		numbers := in.uvarint()
		if in.failed || numbers > left/uint64(w.rows) || numbers > uint64(len(in.data)) {
			return false
		}
		left -= numbers * uint64(w.rows)
		if !w.parse(&in, int(numbers)) {
			return false
		}
	}
	return len(in.data) == 0
}

// count counts the rows of each template, of which each must have one.
func (t *templated) count(in *reader, values int) bool {
	if len(t.templates) == 1 {
		t.templates[0].rows = values
		return true
	}
	for i := range t.templates {
		t.templates[i].rows = 0
	}
	which := in.column(values)
	if in.failed {
		return false
	}
	t.of = t.room(values)
	which.read(t.of, 0)
	for _, i := range t.of {
		if i >= uint64(len(t.templates)) {
			return false
		}
		t.templates[i].rows++
	}
	return !slices.ContainsFunc(t.templates, func(w written) bool { return w.rows == 0 })
}

func (w *written) parse(in *reader, numbers int) bool {
	w.pieces, w.styles, w.columns = w.pieces[:0], w.styles[:0], w.columns[:0]
	for range numbers + 1 {
		w.pieces = append(w.pieces, in.bytes(in.uvarint()))
	}
	for range numbers {
		s := in.bytes(3)
		if in.failed {
			return false
		}
		w.styles = append(w.styles, style{s[0], s[1], s[2]})
		w.columns = append(w.columns, in.column(w.rows))
	}
	if in.failed || numbers == 0 && len(w.pieces[0]) == 0 { // no value is empty
		return false
	}
	return !slices.ContainsFunc(w.styles, func(s style) bool { return !s.valid() })
}

// part returns which values are wanted: from one to before another. Timestamps are only read where they
// decide.
func (t *templated) part(h *Header, p Part) (from, to int, ok bool) {
	if p.Start <= h.First && p.End >= h.Last {
		from, to = p.of(h.Count, nil)
		return from, to, true
	}
	timestamps := t.room(h.Count)
	t.timestamps.read(timestamps, 0)
	if !ascends(timestamps, h.Last-h.First) {
		return 0, 0, false
	}
	from, to = p.of(h.Count, func(i int) uint64 { return h.First + timestamps[i] })
	return from, to, true
}

// times gives the entries their timestamps.
func (t *templated) times(b *Buffer, from int) bool {
	h, offsets := &b.Header, t.room(len(b.Entries))
	t.timestamps.read(offsets, from)
	last := uint64(0)
	for i, offset := range offsets {
		if offset < last {
			return false
		}
		last = offset
		b.Entries[i].Timestamp = h.First + offset
	}
	if len(offsets) < h.Count {
		return last <= h.Last-h.First
	}
	return offsets[0] == 0 && last == h.Last-h.First
}

// sequence gives the entries their sequence numbers.
func (t *templated) sequence(b *Buffer, from int) bool {
	h, offsets := &b.Header, t.room(len(b.Entries))
	t.sequences.read(offsets, from)
	least, greatest := ^uint64(0), uint64(0)
	for i, offset := range offsets {
		least, greatest = min(least, offset), max(greatest, offset)
		b.Entries[i].Sequence = h.MinSequence + offset
	}
	if len(offsets) < h.Count {
		return greatest <= h.MaxSequence-h.MinSequence
	}
	return least == 0 && greatest == h.MaxSequence-h.MinSequence
}

// write gives the entries their values: those from one to before another.
func (t *templated) write(b *Buffer, from, to int) bool {
	t.read(from, to)
	most := int(b.Header.ValueBytes)
	if cap(b.body) < most {
		b.body = make([]byte, 0, most)
	}
	body := b.body[:0]
	for i := range b.Entries {
		w := &t.templates[0]
		if t.of != nil {
			w = &t.templates[t.of[from+i]]
		}
		start := len(body)
		body = w.appendNext(body)
		if len(body) > most || len(body) == start {
			return false
		}
		b.Entries[i].Value = body[start:len(body):len(body)]
	}
	return len(b.Entries) < b.Header.Count || len(body) == most
}

// read reads the numbers of the values from one to before another.
func (t *templated) read(from, to int) {
	for i := range t.templates {
		w := &t.templates[i]
		first := from
		w.numbers, w.wanted, w.next = w.numbers[:0], to-from, 0
		if t.of != nil {
			first, w.wanted = occurrences(t.of[:from], uint64(i)), occurrences(t.of[from:to], uint64(i))
		}
		for place := range w.columns {
			numbers := t.room(w.wanted)
			w.columns[place].read(numbers, first)
			w.numbers = append(w.numbers, numbers)
		}
	}
}

func occurrences(in []uint64, wanted uint64) (n int) {
	for _, v := range in {
		if v == wanted {
			n++
		}
	}
	return n
}

// appendNext appends the template's next value.
func (w *written) appendNext(dst []byte) []byte {
	for place, s := range w.styles {
		dst = append(dst, w.pieces[place]...)
		dst = s.append(dst, int64(w.numbers[place][w.next]))
	}
	w.next++
	return append(dst, w.pieces[len(w.styles)]...)
}
