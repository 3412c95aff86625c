// SPDX-License-Identifier: Apache-2.0

package codec

import (
	"encoding/binary"
	"hash/crc32"
	"math"
	"unsafe"
)

// Buffer holds a decoded chunk. It can be used for one chunk after another, and then reuses its
// memory. The zero Buffer is ready for use.
type Buffer struct {
	Header  Header
	Entries []Entry
	// Values is the values of Entries, one after another, in the memory that the entries share. It
	// is nil if other values lie in that memory too.
	Values []byte

	all  []Entry // memory for Entries
	body []byte  // memory for the values, and for a decompressed body
}

// Size returns how much memory the buffer keeps for reuse, in bytes.
func (b *Buffer) Size() int { return cap(b.body) + cap(b.all)*int(unsafe.Sizeof(Entry{})) }

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
	defer func() { b.Header.body = nil }() // it is a part of chunk
	if err := b.open(key, chunk); err != nil {
		return err
	}
	if b.Header.encoding == encodingTemplates {
		if !b.decodeTemplateBody(wanted) {
			return errTemplates
		}
		return nil
	}
	if err := c.decodeColumns(b); err != nil {
		return err
	}
	from, to := wanted.indexes(len(b.Entries), func(i int) uint64 { return b.Entries[i].Timestamp })
	if b.Values = nil; to-from == len(b.Entries) {
		b.Values = b.body[b.Header.columns:]
	}
	b.Entries = b.Entries[from:to]
	return nil
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
		return later, nil
	}
	if err := c.decodeColumns(b); err != nil {
		return Later{}, err
	}
	span := newSequenceSpan(from, through)
	for i := range b.Entries {
		span.add(i, b.Entries[i].Sequence)
	}
	b.Values = nil
	b.Entries = b.Entries[span.first:span.end]
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

// open reads a chunk's header and verifies both checksums.
func (b *Buffer) open(key, chunk []byte) (err error) {
	if b.Header, err = ReadHeader(key, chunk); err != nil {
		return err
	}
	got, want := crc32.Checksum(b.Header.body, Castagnoli), binary.LittleEndian.Uint32(chunk[bodyChecksumAt:])
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

// resize gives the buffer n entries with arbitrary contents.
func (b *Buffer) resize(n int) {
	if cap(b.all) < n {
		b.all = make([]Entry, n)
	}
	b.Entries = b.all[:n]
}

// readColumns reads the entries from a decompressed body. It returns false if they contradict the
// header.
func (b *Buffer) readColumns() bool {
	h := &b.Header
	in, values := fieldReader{data: b.body[:h.columns]}, b.body[h.columns:]
	b.resize(h.Count)

	timestamp, ordered := h.First, true
	for i := range b.Entries {
		delta := in.uvarint()
		ordered = ordered && timestamp+delta >= timestamp
		timestamp += delta
		b.Entries[i].Timestamp = timestamp
	}
	sequence, lowest, highest := h.MinSequence, uint64(math.MaxUint64), uint64(0)
	for i := range b.Entries {
		sequence += uint64(in.varint())
		lowest, highest = min(lowest, sequence), max(highest, sequence)
		b.Entries[i].Sequence = sequence
	}
	for i := range b.Entries {
		n := in.uvarint()
		if n > uint64(len(values)) {
			return false
		}
		b.Entries[i].Value, values = values[:n:n], values[n:]
	}
	return ordered && !in.failed && len(in.data) == 0 && len(values) == 0 &&
		timestamp == h.Last && lowest == h.MinSequence && highest == h.MaxSequence
}
