// SPDX-License-Identifier: Apache-2.0

package peers_test

import (
	"cmp"
	"slices"
	"testing"
	"time"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"

	"github.com/daybook-db/daybook"
)

// limits are heats that are no stores. They show what the hardware or a codec does by itself.
func (r row) limits() []heat {
	return []heat{
		{"limit", r.diskLimit},
		{"memcpy", r.copyLimit},
		{"zstd", func(b *testing.B) figures { return r.codecLimit(b, zstdCodec(b)) }},
		{"s2", func(b *testing.B) figures { return r.codecLimit(b, s2Codec(b)) }},
	}
}

// diskLimit makes the same number of bytes durable, batch by batch, and does nothing else.
func (r row) diskLimit(b *testing.B) figures {
	const maxWrite = 4 << 20 // a larger batch is written in parts
	limit, done := newLimit(b)
	defer done()
	writeBack()
	before, known := deviceWrites(b)
	took, raw, header := time.Duration(0), 0, make([]byte, 20)
	var frame []byte
	for batch := range r.Batches() {
		frame = append(frame[:0], header...)
		for _, v := range batch {
			frame = append(append(frame, v.RecordName...), v.Value...)
			raw += len(v.Value)
		}
		for part := range slices.Chunk(frame, maxWrite) {
			var err error
			took += timed(func() { err = limit.Write(part) })
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	writeBack()
	after, _ := deviceWrites(b)
	measured := figures{"ingest values/s": float64(r.Values()) / took.Seconds()}
	if known && after > before {
		measured["ingest device-B/raw-B"] = float64(after-before) / float64(raw)
	}
	return measured
}

// inScanOrder returns all values as a scan yields them.
func (r row) inScanOrder() []daybook.StoredValue {
	all := make([]daybook.StoredValue, 0, r.Values())
	for batch := range r.Batches() {
		all = append(all, batch...)
	}
	slices.Reverse(all) // equal times: the last inserted first
	slices.SortStableFunc(all, func(a, b daybook.StoredValue) int {
		return cmp.Or(cmp.Compare(a.RecordName, b.RecordName), cmp.Compare(b.StoredAt, a.StoredAt))
	})
	return all
}

// copyLimit copies the values one by one.
func (r row) copyLimit(*testing.B) figures {
	const block = 64 << 10
	from, to := r.inScanOrder(), make([]byte, block)
	took := timed(func() {
		used := 0
		for _, v := range from {
			if used+len(v.Value) > len(to) {
				to, used = make([]byte, block), 0
			}
			used += copy(to[used:], v.Value)
		}
	})
	return figures{"scan values/s": float64(len(from)) / took.Seconds()}
}

// codec is a general compressor.
type codec struct {
	encode, decode func(block []byte) ([]byte, error)
}

func zstdCodec(b *testing.B) codec {
	encoder, err := zstd.NewWriter(nil)
	if err != nil {
		b.Fatal(err)
	}
	decoder, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
	if err != nil {
		b.Fatal(err)
	}
	return codec{
		encode: func(block []byte) ([]byte, error) { return encoder.EncodeAll(block, nil), nil },
		decode: func(block []byte) ([]byte, error) { return decoder.DecodeAll(block, nil) },
	}
}

func s2Codec(*testing.B) codec {
	return codec{
		encode: func(block []byte) ([]byte, error) { return s2.EncodeBetter(nil, block), nil },
		decode: func(block []byte) ([]byte, error) { return s2.Decode(nil, block) },
	}
}

// codecLimit compresses the values in the order of a scan, without names and times, in blocks of 32
// KiB, and then decompresses them.
func (r row) codecLimit(b *testing.B, c codec) figures {
	const size = 32 << 10
	var raw []byte
	for _, v := range r.inScanOrder() {
		raw = append(raw, v.Value...)
	}
	var blocks [][]byte
	compressed := 0
	for part := range slices.Chunk(raw, size) {
		block, err := c.encode(part)
		if err != nil {
			b.Fatal(err)
		}
		blocks, compressed = append(blocks, block), compressed+len(block)
	}
	read := 0
	took := timed(func() {
		for _, block := range blocks {
			part, err := c.decode(block)
			if err != nil {
				b.Fatal(err)
			}
			read += len(part)
		}
	})
	if read != len(raw) {
		b.Fatalf("decompressed %d bytes; want %d", read, len(raw))
	}
	values := float64(r.Values())
	return figures{"scan values/s": values / took.Seconds(), "ingest disk-B/value": float64(compressed) / values}
}
