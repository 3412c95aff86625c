// SPDX-License-Identifier: Apache-2.0

package codec

import (
	"runtime"
	"sync"

	"github.com/klauspost/compress/zstd"
)

const (
	// windowSize covers a chunk of the default size; a small window keeps the coders' memory small.
	windowSize = 64 << 10
	// zstd decodes at most 128 KiB from one block, which takes at least 4 bytes (RFC 8878, 3.1.1.2).
	mostPerBlock = 128 << 10
	leastBlock   = 4
)

// Coder encodes and decodes chunks. It is safe for concurrent use, and holds one zstd state per processor
// that uses it at once, made when first needed. It belongs to whoever opened what the chunks are in: a
// coder that all shared could not be used from several testing/synctest bubbles.
type Coder struct {
	encoder *zstd.Encoder
	decoder *zstd.Decoder
}

// NewCoder returns a coder.
func NewCoder() *Coder {
	encoder, err := zstd.NewWriter(nil,
		zstd.WithEncoderLevel(zstd.SpeedFastest),
		zstd.WithEncoderConcurrency(runtime.GOMAXPROCS(0)),
		zstd.WithWindowSize(windowSize),
		zstd.WithLowerEncoderMem(true),
		zstd.WithSingleSegment(true),
		zstd.WithEncoderCRC(false)) // the chunk has its own
	if err != nil {
		panic(err) // only for options that contradict each other
	}
	decoder, err := zstd.NewReader(nil,
		zstd.WithDecoderConcurrency(runtime.GOMAXPROCS(0)),
		zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxMemory(maxBody),
		zstd.WithDecodeAllCapLimit(true))
	if err != nil {
		panic(err)
	}
	return &Coder{encoder: encoder, decoder: decoder}
}

// compress appends the zstd frame of body to dst.
func (c *Coder) compress(dst, body []byte) []byte { return c.encoder.EncodeAll(body, dst) }

// decompress decodes a zstd frame into dst's space, which grows to size and never beyond.
func (c *Coder) decompress(dst, frame []byte, size int) ([]byte, error) {
	if cap(dst) < size {
		dst = make([]byte, 0, size)
	}
	return c.decoder.DecodeAll(frame, dst[:0:size])
}

// mostDecompressed is the greatest size that a zstd frame of n bytes can decode to.
func mostDecompressed(n int) uint64 {
	return min(uint64(n)/leastBlock*mostPerBlock, maxBody)
}

var bytesPool = sync.Pool{New: func() any { return new([]byte) }}

// mostPooled is the largest buffer worth keeping for the next chunk.
const mostPooled = 1 << 20

func getBytes() []byte { return (*bytesPool.Get().(*[]byte))[:0] }

func putBytes(b []byte) {
	if cap(b) <= mostPooled {
		bytesPool.Put(&b)
	}
}
