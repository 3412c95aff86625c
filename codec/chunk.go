// SPDX-License-Identifier: Apache-2.0

package codec

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"unsafe"
)

const (
	chunkVersion  = 2
	oldestVersion = 1 // has no templates

	plain      = 0
	zstdFramed = 1
	templates  = 2

	// muchSmaller is by how much templates must shrink values to be taken before zstd was tried.
	muchSmaller = 8
	// smallBody is the size of a body that is taken as it is. zstd needs microseconds for a frame, however short, and
	// would spare little.
	smallBody = 256

	headerSumAt = 2
	bodySumAt   = 6
	fieldsAt    = 10

	// leastEntry is the size in a body of the smallest value: three varints and one byte of JSON.
	leastEntry = 4
	// maxBody bounds a body; larger ones are not written.
	maxBody = 128 << 20
)

// Entry is one value of a record.
type Entry struct {
	Timestamp uint64 // Unix ms
	Sequence  uint64 // place in the order of all values ever stored, from 1
	Value     []byte // JSON
}

// Compare orders entries by timestamp, and those of equal timestamps by sequence.
func (e Entry) Compare(other Entry) int {
	return cmp.Or(cmp.Compare(e.Timestamp, other.Timestamp), cmp.Compare(e.Sequence, other.Sequence))
}

// Merge returns the elements of two runs that compare orders as one run.
func Merge[T any](a, b []T, compare func(T, T) int) []T {
	merged := make([]T, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		if compare(a[0], b[0]) < 0 {
			merged, a = append(merged, a[0]), a[1:]
		} else {
			merged, b = append(merged, b[0]), b[1:]
		}
	}
	return append(append(merged, a...), b...)
}

// Header is what a chunk tells without being decoded.
type Header struct {
	Count                    int
	First, Last              uint64 // timestamps
	MinSequence, MaxSequence uint64
	ValueBytes               uint64 // total length of the values

	columns  uint64 // length of the columns before the values; 0 with templates
	encoding byte
	body     []byte
}

// AppendChunk appends the encoding of entries, which must not be empty, must be in order, and start at
// the timestamp of the encoded key.
func (c *Coder) AppendChunk(dst, key []byte, entries []Entry) []byte {
	h := describe(entries)
	body, encoding := appendTemplated(getBytes(), entries, &h), byte(templates)
	if len(body) == 0 || uint64(len(body)) > max(h.ValueBytes/muchSmaller, min(smallBody, h.ValueBytes)) {
		body, encoding = c.smallest(body, entries, &h)
	}
	defer putBytes(body)
	return appendEncoded(dst, key, &h, encoding, body)
}

// appendEncoded appends a header and a body.
func appendEncoded(dst, key []byte, h *Header, encoding byte, body []byte) []byte {
	start := len(dst)
	dst = append(dst, chunkVersion, encoding, 0, 0, 0, 0, 0, 0, 0, 0)
	dst = binary.AppendUvarint(dst, uint64(h.Count))
	dst = binary.AppendUvarint(dst, h.Last-h.First)
	dst = binary.AppendUvarint(dst, h.MinSequence)
	dst = binary.AppendUvarint(dst, h.MaxSequence-h.MinSequence)
	dst = binary.AppendUvarint(dst, h.ValueBytes)
	dst = binary.AppendUvarint(dst, h.columns)
	chunk, headerLen := dst[start:], len(dst)-start
	binary.LittleEndian.PutUint32(chunk[bodySumAt:], crc32.Checksum(body, Castagnoli))
	binary.LittleEndian.PutUint32(chunk[headerSumAt:], headerChecksum(key, chunk[:headerLen]))
	return append(dst, body...)
}

// smallest returns the shortest body of a chunk; templated is one already, unless it is empty. It gives back
// the memory of those that are not it.
func (c *Coder) smallest(templated []byte, entries []Entry, h *Header) (body []byte, encoding byte) {
	raw := appendColumns(getBytes(), entries, h.MinSequence)
	columns := uint64(len(raw)) - h.ValueBytes
	body, encoding = raw, plain
	if len(raw) > smallBody {
		if framed := c.compress(getBytes(), raw); len(framed) < len(raw) {
			putBytes(raw)
			body, encoding = framed, zstdFramed
		} else {
			putBytes(framed)
		}
	}
	if len(templated) > 0 && len(templated) < len(body) {
		putBytes(body)
		return templated, templates
	}
	putBytes(templated)
	h.columns = columns
	return body, encoding
}

// Rekey returns a copy of an encoded chunk that is valid under another key of the same record and
// timestamp. A chunk whose header is damaged gives the error that ReadHeader does; a damaged body stays
// one.
func Rekey(key, chunk, newKey []byte) ([]byte, error) {
	header, err := ReadHeader(key, chunk)
	if err != nil {
		return nil, err
	}
	moved := append([]byte(nil), chunk...)
	headerLen := len(chunk) - len(header.body)
	binary.LittleEndian.PutUint32(moved[headerSumAt:], headerChecksum(newKey, moved[:headerLen]))
	return moved, nil
}

// headerChecksum covers the key and the whole header but for the checksum itself.
func headerChecksum(key, header []byte) uint32 {
	sum := crc32.Update(0, Castagnoli, key)
	sum = crc32.Update(sum, Castagnoli, header[:headerSumAt])
	return crc32.Update(sum, Castagnoli, header[bodySumAt:])
}

func describe(entries []Entry) Header {
	h := Header{
		Count:       len(entries),
		First:       entries[0].Timestamp,
		Last:        entries[len(entries)-1].Timestamp,
		MinSequence: math.MaxUint64,
	}
	for _, e := range entries {
		h.MinSequence = min(h.MinSequence, e.Sequence)
		h.MaxSequence = max(h.MaxSequence, e.Sequence)
		h.ValueBytes += uint64(len(e.Value))
	}
	return h
}

func appendColumns(body []byte, entries []Entry, leastSequence uint64) []byte {
	last := entries[0].Timestamp
	for _, e := range entries {
		body = binary.AppendUvarint(body, e.Timestamp-last)
		last = e.Timestamp
	}
	last = leastSequence
	for _, e := range entries {
		body = binary.AppendVarint(body, int64(e.Sequence-last))
		last = e.Sequence
	}
	for _, e := range entries {
		body = binary.AppendUvarint(body, uint64(len(e.Value)))
	}
	for _, e := range entries {
		body = append(body, e.Value...)
	}
	return body
}

// Verify holds a chunk against its checksums.
func Verify(key, chunk []byte) error {
	var b Buffer
	return b.open(key, chunk)
}

// ReadHeader reads a chunk's header, and compares the header's checksum. Only Verify and what decodes
// compare the body's.
func ReadHeader(key, chunk []byte) (Header, error) {
	_, first, _, err := SplitKey(key)
	if err != nil {
		return Header{}, err
	}
	if len(chunk) < fieldsAt {
		return Header{}, fmt.Errorf("%w: a chunk of %d bytes has no header", ErrCorrupt, len(chunk))
	}
	if version := chunk[0]; version > chunkVersion {
		return Header{}, fmt.Errorf("%w: chunk version %d, this program knows %d", ErrVersion, version, chunkVersion)
	} else if version < oldestVersion || version == oldestVersion && chunk[1] == templates {
		return Header{}, fmt.Errorf("%w: chunk version %d", ErrCorrupt, version)
	}
	in := reader{data: chunk[fieldsAt:]}
	count, span, least, extent := in.uvarint(), in.uvarint(), in.uvarint(), in.uvarint()
	h := Header{
		First: first, Last: first + span,
		MinSequence: least, MaxSequence: least + extent,
		ValueBytes: in.uvarint(), columns: in.uvarint(),
		encoding: chunk[1],
		body:     in.data,
	}
	headerLen := len(chunk) - len(in.data)
	if got, want := headerChecksum(key, chunk[:headerLen]), binary.LittleEndian.Uint32(chunk[headerSumAt:]); got != want {
		return Header{}, fmt.Errorf("%w: the checksum of a chunk's header is %08x; want %08x", ErrCorrupt, got, want)
	}
	if in.failed || h.Last < first || h.MaxSequence < least || !h.plausible(count) {
		return Header{}, fmt.Errorf("%w: a chunk's header contradicts itself", ErrCorrupt)
	}
	h.Count = int(count)
	return h, nil
}

// plausible reports whether the body can hold what the header claims, so that a few bytes cannot make
// a reader allocate many.
func (h *Header) plausible(count uint64) bool {
	if count == 0 || count > h.ValueBytes {
		return false
	}
	most := uint64(len(h.body))
	switch h.encoding {
	case templates:
		return h.columns == 0 && count <= mostTemplatedCount && h.ValueBytes <= mostTemplated
	case zstdFramed:
		most = mostDecompressed(len(h.body))
	case plain:
	default:
		return false
	}
	return h.ValueBytes <= most && h.columns <= most && h.bodyLen() <= most && count <= h.columns/(leastEntry-1)
}

func (h *Header) bodyLen() uint64 { return h.ValueBytes + h.columns }

// Buffer holds a decoded chunk, and is reused from one to the next. Its zero value is ready.
type Buffer struct {
	Header  Header
	Entries []Entry
	// Values is all values of Entries, one behind the other, in the memory that those share; nil if it has others too.
	Values []byte

	all  []Entry // memory for Entries
	body []byte
}

// Size is how much memory the buffer holds for reuse, in bytes.
func (b *Buffer) Size() int { return cap(b.body) + cap(b.all)*int(unsafe.Sizeof(Entry{})) }

// Decode decodes a chunk into b. The entries are valid until b is used again; nothing of them is a part of
// chunk, which may be mapped memory that goes away.
func (c *Coder) Decode(b *Buffer, key, chunk []byte) error { return c.DecodeRange(b, key, chunk, All) }

// DecodeRange decodes the values of a chunk that are wanted, if the chunk has any. The fewer they are, the
// less time it takes.
func (c *Coder) DecodeRange(b *Buffer, key, chunk []byte, wanted Range) error {
	defer func() { b.Header.body = nil }() // a part of chunk
	if err := b.open(key, chunk); err != nil {
		return err
	}
	if b.Header.encoding == templates {
		if !b.decodeTemplated(wanted) {
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

var errTemplates = fmt.Errorf("%w: a chunk's templates contradict its header", ErrCorrupt)

// open reads a chunk's header, and holds its body against its checksum.
func (b *Buffer) open(key, chunk []byte) (err error) {
	if b.Header, err = ReadHeader(key, chunk); err != nil {
		return err
	}
	if got, want := crc32.Checksum(b.Header.body, Castagnoli), binary.LittleEndian.Uint32(chunk[bodySumAt:]); got != want {
		return fmt.Errorf("%w: the checksum of a chunk's body is %08x; want %08x", ErrCorrupt, got, want)
	}
	return nil
}

// decodeColumns decodes a plain or compressed chunk that has been opened.
func (c *Coder) decodeColumns(b *Buffer) (err error) {
	h := &b.Header
	if h.encoding == zstdFramed {
		if b.body, err = c.decompress(b.body[:0], h.body, int(h.bodyLen())); err != nil {
			return fmt.Errorf("%w: a chunk does not decompress: %w", ErrCorrupt, err)
		}
	} else {
		b.body = append(b.body[:0], h.body...)
	}
	if uint64(len(b.body)) != h.bodyLen() || !b.readColumns() {
		return fmt.Errorf("%w: a chunk's columns contradict its header", ErrCorrupt)
	}
	return nil
}

// grow gives the buffer n entries, whatever is in them.
func (b *Buffer) grow(n int) {
	if cap(b.all) < n {
		b.all = make([]Entry, n)
	}
	b.Entries = b.all[:n]
}

func (b *Buffer) readColumns() bool {
	h := &b.Header
	in, values := reader{data: b.body[:h.columns]}, b.body[h.columns:]
	b.grow(h.Count)

	timestamp, ordered := h.First, true
	for i := range b.Entries {
		delta := in.uvarint()
		ordered = ordered && timestamp+delta >= timestamp
		timestamp += delta
		b.Entries[i].Timestamp = timestamp
	}
	sequence, least, greatest := h.MinSequence, uint64(math.MaxUint64), uint64(0)
	for i := range b.Entries {
		sequence += uint64(in.varint())
		least, greatest = min(least, sequence), max(greatest, sequence)
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
		timestamp == h.Last && least == h.MinSequence && greatest == h.MaxSequence
}
