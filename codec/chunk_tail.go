// SPDX-License-Identifier: Apache-2.0

package codec

import (
	"fmt"
	"sort"
)

// minTailRatio is how many times shorter than the values the members of a tail must be to be taken
// without trying other encodings. Members of few values may be long, because of their dictionaries.
const minTailRatio = 2

// Opened is a chunk whose checksums match. What it decodes to answer one question, it keeps for the
// next. It can be used for one chunk after another, and then reuses its memory. The zero Opened is
// ready for Open.
type Opened struct {
	coder     *Coder
	key       []byte
	buffer    Buffer
	isDecoded bool // the buffer has all values
	scratch   []byte
}

// keepScratch keeps memory for the next tail, unless it is large.
func (o *Opened) keepScratch(b []byte) {
	if o.scratch = b; cap(b) > maxPooledBytes {
		o.scratch = nil
	}
}

// Open verifies both checksums of a chunk. The chunk and its key must not change while o is used.
func (c *Coder) Open(o *Opened, key, chunk []byte) error {
	o.coder, o.key, o.isDecoded = c, key, false
	return o.buffer.open(key, chunk)
}

// CountBefore returns the number of the chunk's values whose timestamp (Unix ms) is below another.
// Of a body of templates or of members it decodes no more than the timestamps.
func (o *Opened) CountBefore(timestamp uint64) (int, error) {
	h := &o.buffer.Header
	switch {
	case timestamp <= h.First:
		return 0, nil
	case timestamp > h.Last:
		return h.Count, nil
	case h.encoding == encodingTemplates || h.encoding == encodingMembers:
		return h.countBefore(timestamp)
	}
	if err := o.decode(); err != nil {
		return 0, err
	}
	return sort.Search(h.Count, func(i int) bool { return o.buffer.Timestamps[i] >= timestamp }), nil
}

// decode decodes all values, unless they are decoded already.
func (o *Opened) decode() error {
	if o.isDecoded {
		return nil
	}
	if o.buffer.Header.encoding == encodingMembers {
		if !o.coder.decodeMemberBody(&o.buffer, All) {
			return errMembers
		}
	} else if err := o.coder.decodeColumns(&o.buffer); err != nil {
		return err
	}
	o.isDecoded = true
	return nil
}

// Tail returns the chunk of all values of the chunk except the first n, and its key, which is that
// of the same record without an ordinal. The chunk must have more than n values. Of a body of
// templates, and mostly of members, the values are not written out. The tail of another body has
// the same encoding, which was the shortest one for the values before.
func (o *Opened) Tail(n int) (key, tail []byte, err error) {
	record, _, _, _ := SplitKey(o.key) // open has split it, too
	h := &o.buffer.Header
	if n >= h.Count {
		return nil, nil, fmt.Errorf("codec: a chunk of %d values has no tail after %d", h.Count, n)
	}
	if h.encoding == encodingTemplates {
		key, tail, ok := o.templateTail(record, n)
		if !ok {
			return nil, nil, errTemplates
		}
		return key, tail, nil
	}
	if h.encoding == encodingMembers {
		if key, tail, err = o.coder.cutMembers(o, record, n); tail != nil || err != nil {
			return key, tail, err
		}
		key, tail, err = o.coder.memberTail(&o.buffer, string(record), n)
		if tail != nil || err != nil {
			return key, tail, err
		}
	}
	if err := o.decode(); err != nil {
		return nil, nil, err
	}
	o.buffer.makeEntries()
	entries := o.buffer.Entries[n:]
	key = Key{Record: string(record), Timestamp: entries[0].Timestamp}.Append(nil)
	return key, o.coder.appendChunkAs(nil, key, entries, h.encoding), nil
}

// appendChunkAs is AppendChunk with an encoding that suits the values: that of members, or else
// plain or zstd. It does not try the others.
func (c *Coder) appendChunkAs(dst, key []byte, entries []Entry, encoding byte) []byte {
	h := headerOf(entries)
	body := getBytes()
	if encoding == encodingMembers {
		body = c.appendMemberBody(body, entries, &h)
		if !h.takesMembers(body) {
			putBytes(body)
			return c.AppendChunk(dst, key, entries)
		}
	} else {
		body, encoding = c.shortestBody(body, 0, entries, &h)
	}
	defer putBytes(body)
	return appendHeaderAndBody(dst, key, &h, encoding, body)
}

// takesMembers reports whether a tail is encoded as a body of members, which is empty if the values
// are not alike.
func (h *Header) takesMembers(body []byte) bool {
	length := uint64(len(body))
	return length > 0 && length <= h.ValueBytes/minTailRatio
}

// CountBefore opens a chunk and returns its CountBefore.
func (c *Coder) CountBefore(key, chunk []byte, timestamp uint64) (int, error) {
	var o Opened
	if err := c.Open(&o, key, chunk); err != nil {
		return 0, err
	}
	return o.CountBefore(timestamp)
}

// Tail opens a chunk and returns its Tail.
func (c *Coder) Tail(key, chunk []byte, n int) (tailKey, tail []byte, err error) {
	var o Opened
	if err := c.Open(&o, key, chunk); err != nil {
		return nil, nil, err
	}
	return o.Tail(n)
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
