// SPDX-License-Identifier: Apache-2.0

package codec

import (
	"encoding/binary"
	"hash/crc32"
	"math"
	"slices"
	"unsafe"
)

// Buffer holds a decoded chunk. It can be used for one chunk after another, and then reuses its
// memory. The zero Buffer is ready for use.
type Buffer struct {
	Header  Header
	Rows            // the values
	Entries []Entry // the same values; DecodeRows does not set them

	columns Rows   // memory for Rows
	body    []byte // memory for the values, and for a decompressed body
}

// Size returns how much memory the buffer keeps for reuse, in bytes.
func (b *Buffer) Size() int {
	return cap(b.body) + cap(b.Entries)*int(unsafe.Sizeof(Entry{})) + 3*8*cap(b.columns.starts)
}

// Verify verifies both checksums of a chunk.
func Verify(key, chunk []byte) error {
	var b Buffer
	return b.open(key, chunk)
}

// Decode decodes a chunk into b. The entries are valid until b is used again. They share no memory
// with chunk, which may be mapped memory that is unmapped later.
func (c *Coder) Decode(b *Buffer, key, chunk []byte) error { return c.DecodeRange(b, key, chunk, All) }

// DecodeRange decodes the values of a chunk that are wanted, if the chunk has any. The fewer they
// are, the less time it takes.
func (c *Coder) DecodeRange(b *Buffer, key, chunk []byte, wanted Range) error {
	if err := c.DecodeRows(b, key, chunk, wanted); err != nil {
		return err
	}
	b.makeEntries()
	return nil
}

// DecodeRows is DecodeRange without the entries.
func (c *Coder) DecodeRows(b *Buffer, key, chunk []byte, wanted Range) error {
	h, err := ReadHeader(key, chunk)
	if err != nil {
		return err
	}
	return c.DecodeRowsAfter(b, h, chunk, wanted)
}

// DecodeRowsAfter is DecodeRows after ReadHeader, which has returned h for the chunk.
func (c *Coder) DecodeRowsAfter(b *Buffer, h Header, chunk []byte, wanted Range) error {
	b.Header, b.Entries = h, b.Entries[:0]
	defer func() { b.Header.body = nil }() // it is a part of chunk
	if err := h.verifyBody(chunk); err != nil {
		return err
	}
	if b.Header.encoding == encodingTemplates {
		if !b.decodeTemplateBody(wanted) {
			return errTemplates
		}
		return nil
	}
	if b.Header.encoding == encodingMembers {
		if !c.decodeMemberBody(b, wanted) {
			return errMembers
		}
		return nil
	}
	if err := c.decodeColumns(b); err != nil {
		return err
	}
	from, to := wanted.indexes(b.Len(), func(i int) uint64 { return b.Timestamps[i] })
	b.Rows = b.columns.cut(from, to)
	return nil
}

// makeEntries makes entries of the rows.
func (b *Buffer) makeEntries() {
	b.Entries = slices.Grow(b.Entries[:0], b.Len())[:b.Len()]
	for i := range b.Entries {
		b.Entries[i] = b.Entry(i)
	}
}

// Later says which values of a chunk have greater sequence numbers than those that were decoded.
type Later struct {
	Count int    // number of these values
	Next  uint64 // the least of their sequence numbers, if there are any
}

// DecodeSequences decodes the values of a chunk from the first to the last one with a sequence
// number from one number through another, if the chunk has any. The values between these two may
// have other numbers. The fewer they are, the less time it takes. It also returns which values
// follow in the order of the numbers.
func (c *Coder) DecodeSequences(b *Buffer, key, chunk []byte, from, through uint64) (later Later, err error) {
	defer func() { b.Header.body = nil }() // it is a part of chunk
	if err := b.open(key, chunk); err != nil {
		return Later{}, err
	}
	if b.Header.encoding == encodingTemplates {
		later, ok := b.decodeTemplateSequences(from, through)
		if !ok {
			return Later{}, errTemplates
		}
		b.makeEntries()
		return later, nil
	}
	if b.Header.encoding == encodingMembers {
		later, ok := c.decodeMemberSequences(b, from, through)
		if !ok {
			return Later{}, errMembers
		}
		b.makeEntries()
		return later, nil
	}
	if err := c.decodeColumns(b); err != nil {
		return Later{}, err
	}
	span := newSequenceSpan(from, through)
	for i, sequence := range b.Sequences {
		span.add(i, sequence)
	}
	b.Rows = b.columns.cut(span.first, span.end)
	b.makeEntries()
	return span.later, nil
}

// sequenceSpan finds the values of a chunk with certain sequence numbers.
type sequenceSpan struct {
	from, through uint64 // the wanted numbers
	first, end    int    // index of the first wanted value, and the index after the last
	later         Later
}

func newSequenceSpan(from, through uint64) sequenceSpan {
	return sequenceSpan{from: from, through: through, later: Later{Next: math.MaxUint64}}
}

// add adds the value with the next index.
func (s *sequenceSpan) add(index int, sequence uint64) {
	switch {
	case sequence > s.through:
		s.later.Count++
		s.later.Next = min(s.later.Next, sequence)
	case sequence >= s.from:
		if s.end == 0 {
			s.first = index
		}
		s.end = index + 1
	}
}

// errTemplates is returned for a body with valid checksums that is not the encoding of anything.
var errTemplates = corruptf("a chunk's templates contradict its header")

// errMembers is errTemplates for a body of members.
var errMembers = corruptf("a chunk's members contradict its header")

// open reads a chunk's header and verifies both checksums.
func (b *Buffer) open(key, chunk []byte) (err error) {
	if b.Header, err = ReadHeader(key, chunk); err != nil {
		return err
	}
	return b.Header.verifyBody(chunk)
}

// verifyBody verifies the checksum of the body of the chunk whose header h is.
func (h *Header) verifyBody(chunk []byte) error {
	got, want := crc32.Checksum(h.body, Castagnoli), binary.LittleEndian.Uint32(chunk[bodyChecksumAt:])
	if got != want {
		return corruptf("the checksum of a chunk's body is %08x; want %08x", got, want)
	}
	return nil
}

// decodeColumns decodes all entries of an opened chunk whose encoding is plain or zstd.
func (c *Coder) decodeColumns(b *Buffer) (err error) {
	h := &b.Header
	if h.encoding == encodingZstd {
		if b.body, err = c.decompress(b.body[:0], h.body, int(h.bodyLen())); err != nil {
			return corruptf("a chunk does not decompress: %w", err)
		}
	} else {
		b.body = append(b.body[:0], h.body...)
	}
	if uint64(len(b.body)) != h.bodyLen() || !b.readColumns() {
		return corruptf("a chunk's columns contradict its header")
	}
	return nil
}

// resize gives the buffer rows for n values, with arbitrary contents.
func (b *Buffer) resize(n int) {
	b.columns.resize(n)
	b.Rows = b.columns
}

// readColumns reads the rows from a decompressed body. It returns false if they contradict the
// header.
func (b *Buffer) readColumns() bool {
	h := &b.Header
	in := fieldReader{data: b.body[:h.columns]}
	b.columns.text = b.body[h.columns:]
	b.resize(h.Count)

	timestamp, ordered := h.First, true
	for i := range b.Timestamps {
		delta := in.uvarint()
		ordered = ordered && timestamp+delta >= timestamp
		timestamp += delta
		b.Timestamps[i] = timestamp
	}
	sequence, lowest, highest := h.MinSequence, uint64(math.MaxUint64), uint64(0)
	for i := range b.Sequences {
		sequence += uint64(in.varint())
		lowest, highest = min(lowest, sequence), max(highest, sequence)
		b.Sequences[i] = sequence
	}
	end := 0
	for i := range h.Count {
		b.starts[i] = end
		n := in.uvarint()
		if n > uint64(len(b.text)-end) {
			return false
		}
		end += int(n)
	}
	b.starts[h.Count] = end
	return ordered && !in.failed && in.remaining() == 0 && end == len(b.text) &&
		timestamp == h.Last && lowest == h.MinSequence && highest == h.MaxSequence
}
