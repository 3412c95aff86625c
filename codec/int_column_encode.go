// SPDX-License-Identifier: Apache-2.0

package codec

import (
	"encoding/binary"
	"math/bits"
)

const (
	widthMask = 0x7f
	deltaFlag = 0x80

	// maxPackedWidth is the largest width in bits of an integer that is packed. Together with up to
	// 7 bits that are left over from the byte before, it fits into a uint64.
	maxPackedWidth = 56
	// fullWidth is the width in bits of integers that are too large to be packed.
	fullWidth = 64
)

// appendIntColumn appends a column of integers, as the package documentation draws it. There must
// be at least one. It packs either their differences from the lowest, or the differences of
// neighbours from the lowest such difference, whichever takes fewer bits. All arithmetic is modulo
// 2^64, so that any integers are possible.
func appendIntColumn(dst []byte, values []uint64) []byte {
	var offsets, deltas signedBounds
	last := values[0]
	for i, v := range values {
		offsets.include(int64(v-values[0]), i == 0)
		if i > 0 {
			deltas.include(int64(v-last), i == 1)
		}
		last = v
	}
	if len(values) > 2 && deltas.width() < offsets.width() {
		return appendDeltas(dst, values, deltas)
	}
	base := values[0] + uint64(offsets.min)
	dst = append(dst, byte(offsets.width()))
	dst = binary.AppendVarint(dst, int64(base))
	w := bitWriter{dst: dst, width: offsets.width()}
	if w.width > 0 {
		for _, v := range values {
			w.add(v - base)
		}
	}
	return w.finish()
}

// appendDeltas is appendIntColumn with the differences of neighbours, whose bounds are deltas.
func appendDeltas(dst []byte, values []uint64, deltas signedBounds) []byte {
	minDelta := uint64(deltas.min)
	dst = append(dst, byte(deltas.width())|deltaFlag)
	dst = binary.AppendVarint(dst, int64(values[0]))
	dst = binary.AppendVarint(dst, int64(minDelta))
	w := bitWriter{dst: dst, width: deltas.width()}
	last := values[0]
	for _, v := range values[1:] {
		w.add(v - last - minDelta)
		last = v
	}
	return w.finish()
}

// signedBounds is the lowest and the highest of some integers.
type signedBounds struct{ min, max int64 }

func (b *signedBounds) include(v int64, first bool) {
	if first {
		b.min, b.max = v, v
		return
	}
	b.min, b.max = min(b.min, v), max(b.max, v)
}

// width returns the number of bits that the integers' differences from the lowest take.
func (b *signedBounds) width() int {
	if width := bits.Len64(uint64(b.max - b.min)); width <= maxPackedWidth {
		return width
	}
	return fullWidth
}

// bitWriter packs integers of width bits each. The first starts at the lowest bit of the first
// byte.
type bitWriter struct {
	dst     []byte
	width   int
	pending uint64 // bits that do not fill a byte
	count   int    // number of pending bits, less than 8
}

func (w *bitWriter) add(v uint64) {
	if w.width == fullWidth {
		w.dst = binary.LittleEndian.AppendUint64(w.dst, v)
		return
	}
	w.pending |= v << w.count
	for w.count += w.width; w.count >= 8; w.count -= 8 {
		w.dst = append(w.dst, byte(w.pending))
		w.pending >>= 8
	}
}

// finish appends the pending bits and returns the result.
func (w *bitWriter) finish() []byte {
	if w.count > 0 {
		return append(w.dst, byte(w.pending))
	}
	return w.dst
}
