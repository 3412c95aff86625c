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
	pieces [][]byte // one more than there are places
	places []place
	rows   int // how many values have it
	wanted int // how many of those are wanted
	next   int // which of them comes next
}

// place is where a template has a number.
type place struct {
	style   style
	column  column
	numbers []uint64 // of the values that are wanted
	length  int      // of each of those numbers in bytes, where they are all as long
}

var templateds = sync.Pool{New: func() any { return new(templated) }}

// decodeTemplated decodes the values of a chunk that are wanted. Whatever is not the encoding of something
// returns false.
func (b *Buffer) decodeTemplated(wanted Range) bool {
	t := templateds.Get().(*templated)
	defer templateds.Put(t)
	defer t.forget()
	if !t.parse(&b.Header) {
		return false
	}
	from, to, ok := t.indexes(&b.Header, wanted)
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
		clear(t.templates[i].places)
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
	w.pieces, w.places = w.pieces[:0], w.places[:0]
	for range numbers + 1 {
		w.pieces = append(w.pieces, in.bytes(in.uvarint()))
	}
	for range numbers {
		s := in.bytes(3)
		if in.failed {
			return false
		}
		w.places = append(w.places, place{style: style{s[0], s[1], s[2]}, column: in.column(w.rows)})
	}
	if in.failed || numbers == 0 && len(w.pieces[0]) == 0 { // no value is empty
		return false
	}
	return !slices.ContainsFunc(w.places, func(p place) bool { return !p.style.valid() })
}

// indexes returns which values are wanted, as Range.indexes does. It reads the timestamps only if the range cuts
// the chunk.
func (t *templated) indexes(h *Header, wanted Range) (from, to int, ok bool) {
	if wanted.Start <= h.First && wanted.End >= h.Last {
		from, to = wanted.indexes(h.Count, nil)
		return from, to, true
	}
	timestamps := t.room(h.Count)
	t.timestamps.read(timestamps, 0)
	if !ascends(timestamps, h.Last-h.First) {
		return 0, 0, false
	}
	from, to = wanted.indexes(h.Count, func(i int) uint64 { return h.First + timestamps[i] })
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
	if cap(b.body) < most+mostNumber {
		b.body = make([]byte, most+mostNumber)
	}
	if t.of == nil && len(b.Entries) > 0 {
		if length := t.templates[0].uniform(); length > 0 {
			return t.writeUniform(b, length)
		}
	}
	body, end := b.body[:most+mostNumber], 0
	for i := range b.Entries {
		w := &t.templates[0]
		if t.of != nil {
			w = &t.templates[t.of[from+i]]
		}
		start := end
		if end = w.putNext(body, start); end < 0 {
			return false
		}
		b.Entries[i].Value = body[start:end:end]
	}
	b.Values = body[:end]
	return len(b.Entries) < b.Header.Count || end == most
}

// writeUniform gives the entries their values, which are all of one length.
func (t *templated) writeUniform(b *Buffer, length int) bool {
	end, most := len(b.Entries)*length, int(b.Header.ValueBytes)
	if end > most || len(b.Entries) == b.Header.Count && end < most {
		return false
	}
	t.templates[0].putUniform(b.body[:end+mostNumber], length)
	b.Values = b.body[:end]
	for i, at := 0, 0; i < len(b.Entries); i++ {
		b.Entries[i].Value = b.Values[at : at+length : at+length]
		at += length
	}
	return true
}

// read reads the numbers of the values from one to before another.
func (t *templated) read(from, to int) {
	for i := range t.templates {
		w := &t.templates[i]
		first := from
		w.wanted, w.next = to-from, 0
		if t.of != nil {
			first, w.wanted = occurrences(t.of[:from], uint64(i)), occurrences(t.of[from:to], uint64(i))
		}
		for i := range w.places {
			p := &w.places[i]
			p.numbers = t.room(w.wanted)
			p.column.read(p.numbers, first)
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

// putNext writes the template's next value into dst from one place on, and returns where it ends; -1 where that leaves no
// room for a number behind it.
func (w *written) putNext(dst []byte, at int) (end int) {
	next := w.next
	w.next++
	for i := range w.places {
		piece, p := w.pieces[i], &w.places[i]
		if len(dst)-at < len(piece)+mostNumber {
			return -1
		}
		at += copy(dst[at:], piece)
		at += p.style.put(dst[at:], int64(p.numbers[next]))
	}
	piece := w.pieces[len(w.places)]
	if len(dst)-at < len(piece)+mostNumber {
		return -1
	}
	return at + copy(dst[at:], piece)
}
