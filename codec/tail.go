// SPDX-License-Identifier: Apache-2.0

package codec

import (
	"encoding/binary"
	"fmt"
	"slices"
	"sort"
)

// CountBefore returns how many of a chunk's values have a timestamp (Unix ms) below another. Values encoded by
// templates are not written for it.
func (c *Coder) CountBefore(key, chunk []byte, timestamp uint64) (int, error) {
	var b Buffer
	if err := b.open(key, chunk); err != nil {
		return 0, err
	}
	h := &b.Header
	switch {
	case timestamp <= h.First:
		return 0, nil
	case timestamp > h.Last:
		return h.Count, nil
	case h.encoding != templates:
		if err := c.decodeColumns(&b); err != nil {
			return 0, err
		}
		return sort.Search(h.Count, func(i int) bool { return b.Entries[i].Timestamp >= timestamp }), nil
	}
	in := reader{data: h.body}
	column := in.column(h.Count)
	if in.failed {
		return 0, errTemplates
	}
	if column.spans(h.Last - h.First) {
		return sort.Search(h.Count, func(i int) bool { return column.at(i) >= timestamp-h.First }), nil
	}
	offsets := make([]uint64, h.Count)
	column.read(offsets, 0)
	if !ascends(offsets, h.Last-h.First) {
		return 0, errTemplates
	}
	return sort.Search(h.Count, func(i int) bool { return offsets[i] >= timestamp-h.First }), nil
}

// Tail returns the chunk of all but a chunk's first n values, of which there are more, and its key: that of the
// same record without an ordinal. Values encoded by templates are not written for it.
func (c *Coder) Tail(key, chunk []byte, n int) (tailKey, tail []byte, err error) {
	record, _, _, err := SplitKey(key)
	if err != nil {
		return nil, nil, err
	}
	var b Buffer
	if err := b.open(key, chunk); err != nil {
		return nil, nil, err
	}
	if n >= b.Header.Count {
		return nil, nil, fmt.Errorf("codec: without %d values of a chunk of %d there is none", n, b.Header.Count)
	}
	if b.Header.encoding == templates {
		tailKey, tail, ok := b.templatedTail(string(record), n)
		if !ok {
			return nil, nil, errTemplates
		}
		return tailKey, tail, nil
	}
	if err := c.decodeColumns(&b); err != nil {
		return nil, nil, err
	}
	rest := b.Entries[n:]
	tailKey = Key{Record: string(record), Timestamp: rest[0].Timestamp}.Append(nil)
	return tailKey, c.AppendChunk(nil, tailKey, rest), nil
}

func (b *Buffer) templatedTail(record string, n int) (key, tail []byte, ok bool) {
	t := templateds.Get().(*templated)
	defer templateds.Put(t)
	defer t.forget()
	h := &b.Header
	if !t.parse(h) || !t.ordered(h) {
		return nil, nil, false
	}
	rest := Header{Count: h.Count - n, First: h.First + t.timestamps.at(n), Last: h.Last, ValueBytes: h.ValueBytes}
	if least, greatest := t.extentOfSequences(0, h.Count); least != 0 || greatest != h.MaxSequence-h.MinSequence {
		return nil, nil, false
	}
	least, greatest := t.extentOfSequences(n, h.Count)
	rest.MinSequence, rest.MaxSequence = h.MinSequence+least, h.MinSequence+greatest
	body := getBytes()
	defer func() { putBytes(body) }()
	body = t.timestamps.appendTail(body, n, rest.First-h.First)
	body = t.sequences.appendTail(body, n, least)
	body = t.appendTails(body, n)
	gone := t.length(n)
	if rest.ValueBytes -= gone; gone > h.ValueBytes || uint64(rest.Count) > rest.ValueBytes {
		return nil, nil, false
	}
	key = Key{Record: record, Timestamp: rest.First}.Append(nil)
	return key, appendEncoded(nil, key, &rest, templates, body), true
}

// ordered reports whether the timestamps are as the header says, and in order.
func (t *templated) ordered(h *Header) bool {
	if t.timestamps.spans(h.Last - h.First) {
		return true
	}
	offsets := t.room(h.Count)
	t.timestamps.read(offsets, 0)
	return ascends(offsets, h.Last-h.First)
}

// ascends reports whether integers are in order, from 0 to another.
func ascends(offsets []uint64, last uint64) bool {
	return offsets[0] == 0 && offsets[len(offsets)-1] == last && slices.IsSorted(offsets)
}

// extentOfSequences returns the least and the greatest sequence number of the values from one to before another,
// as differences from the chunk's least.
func (t *templated) extentOfSequences(from, to int) (least, greatest uint64) {
	if t.sequences.steady() && t.sequences.base == 0 {
		return t.sequences.at(from), t.sequences.at(to - 1)
	}
	offsets := t.room(to - from)
	t.sequences.read(offsets, from)
	return slices.Min(offsets), slices.Max(offsets)
}

// appendTails appends the templates of the values from the nth on, and their numbers.
func (t *templated) appendTails(dst []byte, n int) []byte {
	renumbered := make([]uint64, 0, mostTemplates)
	left := uint64(0)
	for i := range t.templates {
		renumbered = append(renumbered, left)
		if t.rowsBefore(n, i) < t.templates[i].rows {
			left++
		}
	}
	dst = binary.AppendUvarint(dst, left)
	if left > 1 {
		of := slices.Clone(t.of[n:])
		for i := range of {
			of[i] = renumbered[of[i]]
		}
		dst = appendColumn(dst, of)
	}
	for i := range t.templates {
		w, gone := &t.templates[i], t.rowsBefore(n, i)
		if gone == w.rows {
			continue
		}
		dst = appendPieces(dst, w.pieces)
		for i := range w.places {
			s := w.places[i].style
			dst = append(dst, s.leastDigits, s.mostDecimals, s.leastDecimals)
			dst = w.places[i].column.appendTail(dst, gone, 0)
		}
	}
	return dst
}

// rowsBefore is how many of the first n values have a template.
func (t *templated) rowsBefore(n, template int) (rows int) {
	if t.of == nil {
		return n
	}
	return occurrences(t.of[:n], uint64(template))
}

// length is how long the first n values are together.
func (t *templated) length(n int) (total uint64) {
	t.read(0, n)
	for i := range t.templates {
		w := &t.templates[i]
		for _, piece := range w.pieces {
			total += uint64(len(piece)) * uint64(w.wanted)
		}
		for _, p := range w.places {
			for _, mantissa := range p.numbers {
				total += uint64(p.style.length(int64(mantissa)))
			}
		}
	}
	return total
}
