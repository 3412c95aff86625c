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
	column, offsets := in.column(h.Count), make([]uint64, h.Count)
	if in.failed {
		return 0, errTemplates
	}
	column.read(offsets, 0)
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
	b.grow(h.Count - n)
	if !t.parse(h) || !t.times(b, n) || !t.sequence(b, n) {
		return nil, nil, false
	}
	t.read(n, h.Count)
	rest := describe(b.Entries)
	body := getBytes()
	defer func() { putBytes(body) }()
	body = appendTimes(body, b.Entries, &rest)
	if body, rest.ValueBytes = t.appendRead(body, n); rest.ValueBytes > h.ValueBytes {
		return nil, nil, false
	}
	key = Key{Record: record, Timestamp: rest.First}.Append(nil)
	return key, appendEncoded(nil, key, &rest, templates, body), true
}

// appendRead appends the templates of the values from the nth on, whose numbers have been read, and returns how
// long these values are.
func (t *templated) appendRead(dst []byte, n int) (body []byte, valueBytes uint64) {
	number := make([]uint64, len(t.templates)) // of each template among those that are left
	left := 0
	for i := range t.templates {
		number[i] = uint64(left)
		if t.templates[i].wanted > 0 {
			left++
		}
	}
	dst = binary.AppendUvarint(dst, uint64(left))
	if left > 1 {
		of := slices.Clone(t.of[n:])
		for i := range of {
			of[i] = number[of[i]]
		}
		dst = appendColumn(dst, of)
	}
	for i := range t.templates {
		if w := &t.templates[i]; w.wanted > 0 {
			dst = appendTemplate(dst, w.pieces, w.styles, w.numbers)
			valueBytes += w.length()
		}
	}
	return dst, valueBytes
}

// length is how long the values are whose numbers have been read.
func (w *written) length() (total uint64) {
	for _, piece := range w.pieces {
		total += uint64(len(piece) * w.wanted)
	}
	for place, s := range w.styles {
		for _, mantissa := range w.numbers[place] {
			total += uint64(s.length(int64(mantissa)))
		}
	}
	return total
}
