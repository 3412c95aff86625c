// SPDX-License-Identifier: Apache-2.0

package codec

import (
	"encoding/binary"
	"slices"

	"github.com/klauspost/compress/s2"
)

const (
	// compressedBatch is the first byte of a compressed batch. Other batches start with their
	// count, which is not 0.
	compressedBatch = 0
	// emptyBlock follows compressedBatch at the start of a section. It is the length of an S2 block
	// of no bytes, which no batch is.
	emptyBlock = 0
	// minCompressedBatch is the length in bytes of the shortest batch that is compressed. A shorter
	// one takes as many blocks of the disk either way.
	minCompressedBatch = 4 << 10
	// maxBatchRatio is how many times shorter than the batch its compressed form may be. It makes
	// the length of the encoding bound the memory that decoding allocates.
	maxBatchRatio = 256
	// maxCompressibleBatch is the length in bytes of the longest batch that is compressed.
	maxCompressibleBatch = 256 << 20
	// minBatchValue is the number of bytes that one value takes at least: three varints, a name and
	// a value of one byte each.
	minBatchValue = 5
)

// BatchWriter encodes a batch.
type BatchWriter struct {
	encoded   []byte
	timestamp uint64 // of the last value
}

// NewBatchWriter starts a batch of count values at the end of dst.
func NewBatchWriter(dst []byte, count int) BatchWriter {
	return BatchWriter{encoded: binary.AppendUvarint(dst, uint64(count))}
}

// Add adds one value.
func (w *BatchWriter) Add(record string, timestamp uint64, value []byte) {
	w.encoded = binary.AppendUvarint(w.encoded, uint64(len(record)))
	w.encoded = append(w.encoded, record...)
	w.encoded = binary.AppendVarint(w.encoded, int64(timestamp-w.timestamp))
	w.encoded = binary.AppendUvarint(w.encoded, uint64(len(value)))
	w.encoded = append(w.encoded, value...)
	w.timestamp = timestamp
}

// Bytes returns dst with the encoding appended. All values must have been added.
func (w *BatchWriter) Bytes() []byte { return w.encoded }

// AppendCompressed appends the shorter form of an encoded batch to dst: the compressed form, or the
// batch as it is. batch must not lie in dst's memory.
func AppendCompressed(dst, batch []byte) []byte {
	if len(batch) < minCompressedBatch {
		return append(dst, batch...)
	}
	start := len(dst)
	dst = append(slices.Grow(dst, 1+s2.MaxEncodedLen(len(batch))), compressedBatch)
	block := s2.Encode(dst[len(dst):cap(dst)], batch)
	if n := 1 + len(block); n < len(batch) && uint64(len(batch)) <= maxDecompressedBatch(n) {
		return dst[:len(dst)+len(block)]
	}
	return append(dst[:start], batch...)
}

// AppendSection appends a section to dst: bytes that belong to the batch that follows it. The
// section must not be empty.
func AppendSection(dst, section []byte) []byte {
	dst = append(dst, compressedBatch, emptyBlock)
	dst = binary.AppendUvarint(dst, uint64(len(section)))
	return append(dst, section...)
}

// splitSection returns the section before an encoded batch, and the batch; nil if there is none.
func splitSection(encoded []byte) (section, batch []byte, err error) {
	if len(encoded) < 2 || encoded[0] != compressedBatch || encoded[1] != emptyBlock {
		return nil, encoded, nil
	}
	in := fieldReader{data: encoded[2:]}
	section = in.bytes(in.uvarint())
	if in.failed || len(section) == 0 {
		return nil, nil, corruptf("the section before a batch ends at %d bytes", len(encoded))
	}
	return section, in.rest(), nil
}

// maxDecompressedBatch returns the greatest length of a batch whose compressed form has n bytes.
func maxDecompressedBatch(n int) uint64 { return min(maxBatchRatio*uint64(n), maxCompressibleBatch) }

// decompressBatch returns a batch as it was before AppendCompressed.
func decompressBatch(encoded []byte) ([]byte, error) {
	if len(encoded) == 0 || encoded[0] != compressedBatch {
		return encoded, nil
	}
	size, err := s2.DecodedLen(encoded[1:])
	if err != nil || uint64(size) > maxDecompressedBatch(len(encoded)) {
		return nil, corruptf("%d bytes cannot be a compressed batch of %d", len(encoded), size)
	}
	batch, err := s2.Decode(nil, encoded[1:])
	if err != nil {
		return nil, corruptf("a batch does not decompress: %w", err)
	}
	return batch, nil
}

// BatchReader decodes a batch. The slices that Next returns are parts of the encoding, or of its
// decompressed copy.
type BatchReader struct {
	in        fieldReader
	section   []byte
	remaining uint64
	timestamp uint64 // of the last value
}

// ReadBatch returns a reader of the values of an encoded batch, which may be compressed, and may
// follow a section.
func ReadBatch(encoded []byte) (BatchReader, error) {
	section, encoded, err := splitSection(encoded)
	if err == nil {
		encoded, err = decompressBatch(encoded)
	}
	if err != nil {
		return BatchReader{}, err
	}
	r := BatchReader{in: fieldReader{data: encoded}, section: section}
	r.remaining = r.in.uvarint()
	if r.remaining == 0 || r.remaining > uint64(len(encoded)/minBatchValue) { // 0: also if there is no count
		return BatchReader{}, corruptf("%d bytes cannot be a batch of %d values", len(encoded), r.remaining)
	}
	return r, nil
}

// Section returns the section that the batch follows; nil if there is none. It is part of the
// encoding.
func (r *BatchReader) Section() []byte { return r.section }

// Remaining returns the number of values that Next has not returned yet.
func (r *BatchReader) Remaining() int { return int(r.remaining) }

// Next decodes one value. It must not be called when none remain.
func (r *BatchReader) Next() (record []byte, timestamp uint64, value []byte, err error) {
	record = r.in.bytes(r.in.uvarint())
	r.timestamp += uint64(r.in.varint())
	value = r.in.bytes(r.in.uvarint())
	r.remaining--
	if r.in.failed || r.remaining == 0 && r.in.remaining() > 0 {
		return nil, 0, nil, corruptf("a batch does not end with its last value")
	}
	if len(record) == 0 || len(value) == 0 {
		return nil, 0, nil, corruptf("a value of %d bytes for a record whose name has %d", len(value), len(record))
	}
	return record, r.timestamp, value, nil
}
