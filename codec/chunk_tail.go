// SPDX-License-Identifier: Apache-2.0

package codec

import (
	"fmt"
	"sort"
)

// CountBefore returns the number of a chunk's values whose timestamp (Unix ms) is below another. Of
// a body of templates it decodes no more than the timestamps.
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
	case h.encoding == encodingTemplates || h.encoding == encodingMembers:
		return h.countBefore(timestamp)
	}
	if err := c.decodeColumns(&b); err != nil {
		return 0, err
	}
	return sort.Search(h.Count, func(i int) bool { return b.Timestamps[i] >= timestamp }), nil
}

// countBefore is CountBefore for a body of templates.
func (h *Header) countBefore(timestamp uint64) (int, error) {
	in := fieldReader{data: h.body}
	column := in.intColumn(h.Count)
	if in.failed {
		return 0, errTemplates
	}
	if column.growsSteadilyTo(h.Last - h.First) {
		return sort.Search(h.Count, func(i int) bool { return column.at(i) >= timestamp-h.First }), nil
	}
	offsets := make([]uint64, h.Count)
	column.read(offsets, 0)
	if !ascendTo(offsets, h.Last-h.First) {
		return 0, errTemplates
	}
	return sort.Search(h.Count, func(i int) bool { return offsets[i] >= timestamp-h.First }), nil
}

// Tail returns the chunk of all values of a chunk except the first n, and its key, which is that of
// the same record without an ordinal. The chunk must have more than n values. Of a body of
// templates, the values are not written out.
func (c *Coder) Tail(key, chunk []byte, n int) (tailKey, tail []byte, err error) {
	var b Buffer
	if err := b.open(key, chunk); err != nil {
		return nil, nil, err
	}
	record, _, _, _ := SplitKey(key) // open has split it, too
	if n >= b.Header.Count {
		return nil, nil, fmt.Errorf("codec: a chunk of %d values has no tail after %d", b.Header.Count, n)
	}
	if b.Header.encoding == encodingTemplates {
		tailKey, tail, ok := b.Header.templateTail(string(record), n)
		if !ok {
			return nil, nil, errTemplates
		}
		return tailKey, tail, nil
	}
	if b.Header.encoding == encodingMembers {
		if !c.decodeMemberBody(&b, All) {
			return nil, nil, errMembers
		}
	} else if err := c.decodeColumns(&b); err != nil {
		return nil, nil, err
	}
	b.makeEntries()
	entries := b.Entries[n:]
	tailKey = Key{Record: string(record), Timestamp: entries[0].Timestamp}.Append(nil)
	return tailKey, c.AppendChunk(nil, tailKey, entries), nil
}
