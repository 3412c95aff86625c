// SPDX-License-Identifier: Apache-2.0

package codec

import (
	"runtime"
	"sync"

	"github.com/klauspost/compress/zstd"
)

const (
	// windowSize covers a chunk of the default size. A small window keeps the memory of the zstd
	// encoder and decoder small.
	windowSize = 64 << 10
	// zstd decodes at most 128 KiB from one block, which takes at least 4 bytes (RFC 8878,
	// 3.1.1.2).
	maxZstdBlockOutput = 128 << 10
	minZstdBlock       = 4
)

// Coder encodes and decodes chunks. It is safe for concurrent use. For each processor that uses it
// at the same time it holds one zstd state, created when first needed.
//
// Each store has a Coder of its own. One Coder for the whole program could not be used from several
// testing/synctest bubbles.
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
		zstd.WithEncoderCRC(false)) // a chunk has its own checksum
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

// decompress decodes a zstd frame of at most size bytes. It uses the memory of dst if dst is large
// enough.
func (c *Coder) decompress(dst, frame []byte, size int) ([]byte, error) {
	if cap(dst) < size {
		dst = make([]byte, 0, size)
	}
	return c.decoder.DecodeAll(frame, dst[:0:size])
}

// maxDecompressedLen returns the greatest length that a zstd frame of n bytes can decode to.
func maxDecompressedLen(n int) uint64 {
	return min(uint64(n)/minZstdBlock*maxZstdBlockOutput, maxBody)
}

// bytesPool holds buffers for the bodies of chunks that are being encoded.
var bytesPool = sync.Pool{New: func() any { return new([]byte) }}

// maxPooledBytes is the capacity of the largest buffer that is kept for the next chunk.
const maxPooledBytes = 1 << 20

// getBytes returns an empty buffer, to be given back with putBytes.
func getBytes() []byte { return (*bytesPool.Get().(*[]byte))[:0] }

func putBytes(b []byte) {
	if cap(b) <= maxPooledBytes {
		bytesPool.Put(&b)
	}
}
