// SPDX-License-Identifier: Apache-2.0

package codec

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/klauspost/compress/s2"
)

// compressedBatch is the first byte of a compressed batch. No other begins with a count of 0.
const compressedBatch = 0

// BatchWriter encodes a batch.
type BatchWriter struct {
	encoded   []byte
	timestamp uint64
}

// NewBatchWriter begins a batch of count values at the end of dst.
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

// Bytes returns the encoding.
func (w *BatchWriter) Bytes() []byte { return w.encoded }

const (
	// leastCompressed is how long a batch is that is worth compressing, in bytes. A shorter one is written in as
	// many of the disk's blocks either way.
	leastCompressed = 4 << 10
	// mostShrunk is by how much a batch may be compressed, so that its length bounds what decoding it allocates,
	// and mostBatch how long one is then.
	mostShrunk = 256
	mostBatch  = 256 << 20
)

// AppendCompressed appends the shorter form of a batch, which must not be a part of dst: the compressed one, or
// the batch as it is.
func AppendCompressed(dst, batch []byte) []byte {
	if len(batch) < leastCompressed {
		return append(dst, batch...)
	}
	start := len(dst)
	dst = append(slices.Grow(dst, 1+s2.MaxEncodedLen(len(batch))), compressedBatch)
	block := s2.Encode(dst[len(dst):cap(dst)], batch)
	if n := 1 + len(block); n < len(batch) && uint64(len(batch)) <= min(mostShrunk*uint64(n), mostBatch) {
		return dst[:len(dst)+len(block)]
	}
	return append(dst[:start], batch...)
}

// decompressBatch returns the batch that an encoding holds.
func decompressBatch(encoded []byte) ([]byte, error) {
	if len(encoded) == 0 || encoded[0] != compressedBatch {
		return encoded, nil
	}
	size, err := s2.DecodedLen(encoded[1:])
	if err != nil || uint64(size) > min(mostShrunk*uint64(len(encoded)), mostBatch) {
		return nil, fmt.Errorf("%w: %d bytes cannot be a compressed batch of %d", ErrCorrupt, len(encoded), size)
	}
	batch, err := s2.Decode(nil, encoded[1:])
	if err != nil {
		return nil, fmt.Errorf("%w: a batch does not decompress: %w", ErrCorrupt, err)
	}
	return batch, nil
}

// BatchReader decodes a batch. The slices that Next returns are parts of the encoding, or of what was compressed
// in it.
type BatchReader struct {
	in        reader
	remaining uint64
	timestamp uint64
}

// leastBatchValue is the encoded size of the smallest value: three varints, a name and a value of one
// byte each.
const leastBatchValue = 5

// ReadBatch begins to decode a batch.
func ReadBatch(encoded []byte) (BatchReader, error) {
	encoded, err := decompressBatch(encoded)
	if err != nil {
		return BatchReader{}, err
	}
	r := BatchReader{in: reader{data: encoded}}
	r.remaining = r.in.uvarint()
	if r.in.failed || r.remaining == 0 || r.remaining > uint64(len(encoded)/leastBatchValue) {
		return BatchReader{}, fmt.Errorf("%w: %d bytes cannot be a batch of %d values", ErrCorrupt, len(encoded), r.remaining)
	}
	return r, nil
}

// Remaining is how many values are still to come.
func (r *BatchReader) Remaining() int { return int(r.remaining) }

// Next decodes one value. It must not be called when none remain.
func (r *BatchReader) Next() (record []byte, timestamp uint64, value []byte, err error) {
	record = r.in.bytes(r.in.uvarint())
	r.timestamp += uint64(r.in.varint())
	value = r.in.bytes(r.in.uvarint())
	r.remaining--
	if r.in.failed || r.remaining == 0 && len(r.in.data) > 0 {
		return nil, 0, nil, fmt.Errorf("%w: a batch does not end with its last value", ErrCorrupt)
	}
	if len(record) == 0 || len(value) == 0 {
		return nil, 0, nil, fmt.Errorf("%w: a value of %d bytes for a record whose name has %d", ErrCorrupt, len(value), len(record))
	}
	return record, r.timestamp, value, nil
}

// reader takes fields off the front of data; after a field that is not there, it has failed.
type reader struct {
	data   []byte
	failed bool
}

func (r *reader) uvarint() uint64 {
	if len(r.data) > 0 && r.data[0] < 0x80 { // the usual case
		v := uint64(r.data[0])
		r.data = r.data[1:]
		return v
	}
	v, n := binary.Uvarint(r.data)
	r.skip(n)
	return v
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.data)
	r.skip(n)
	return v
}

func (r *reader) skip(n int) {
	if n <= 0 {
		r.failed, r.data = true, nil
		return
	}
	r.data = r.data[n:]
}

func (r *reader) bytes(n uint64) []byte {
	if n > uint64(len(r.data)) {
		r.failed, r.data = true, nil
		return nil
	}
	taken := r.data[:n:n]
	r.data = r.data[n:]
	return taken
}
