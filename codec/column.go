// SPDX-License-Identifier: Apache-2.0

package codec

import (
	"encoding/binary"
	"math/bits"
)

const (
	widthMask  = 0x7f
	deltaFlag  = 0x80
	mostPacked = 56 // bits: with the 7 that may be left of the byte before, they fit in a word
	unpacked   = 64 // bits, of what would not
)

// appendColumn appends integers, of which there must be one at least, as the package documentation draws it:
// as their differences from the least, or as the differences of neighbours from the least difference,
// whichever takes fewer bits. All arithmetic is modulo 2^64, so that any integers will do.
func appendColumn(dst []byte, values []uint64) []byte {
	least, width := frame(values, func(i int) uint64 { return values[i] - values[0] })
	leastDelta, deltaWidth := frame(values[1:], func(i int) uint64 { return values[i+1] - values[i] })
	if len(values) > 2 && deltaWidth < width {
		dst = append(dst, byte(deltaWidth)|deltaFlag)
		dst = binary.AppendVarint(dst, int64(values[0]))
		dst = binary.AppendVarint(dst, leastDelta)
		return appendPacked(dst, len(values)-1, deltaWidth, func(i int) uint64 { return values[i+1] - values[i] - uint64(leastDelta) })
	}
	base := values[0] + uint64(least)
	dst = append(dst, byte(width))
	dst = binary.AppendVarint(dst, int64(base))
	return appendPacked(dst, len(values), width, func(i int) uint64 { return values[i] - base })
}

// frame returns the least of the integers that at gives for values, as signed ones, and how many bits their
// differences from it take.
func frame(values []uint64, at func(i int) uint64) (least int64, width int) {
	if len(values) == 0 {
		return 0, 0
	}
	least = int64(at(0))
	greatest := least
	for i := range values {
		v := int64(at(i))
		least, greatest = min(least, v), max(greatest, v)
	}
	if width = bits.Len64(uint64(greatest - least)); width > mostPacked {
		width = unpacked
	}
	return least, width
}

// appendPacked appends n integers of width bits each, the first in the lowest bits of the first byte.
func appendPacked(dst []byte, n, width int, at func(i int) uint64) []byte {
	if width == unpacked {
		for i := range n {
			dst = binary.LittleEndian.AppendUint64(dst, at(i))
		}
		return dst
	}
	var pending uint64
	var count int
	for i := range n {
		pending |= at(i) << count
		for count += width; count >= 8; count -= 8 {
			dst = append(dst, byte(pending))
			pending >>= 8
		}
	}
	if count > 0 {
		dst = append(dst, byte(pending))
	}
	return dst
}

// column is what appendColumn appended, of which any part can be read.
type column struct {
	deltas bool
	width  int
	base   uint64 // the least; of differences, the first integer
	least  uint64 // of differences
	packed []byte
}

// column takes a column of n integers off the front.
func (r *reader) column(n int) (c column) {
	if n == 0 || len(r.data) == 0 {
		r.failed = true
		return c
	}
	tag := r.data[0]
	r.data = r.data[1:]
	c.deltas, c.width, c.base = tag&deltaFlag != 0, int(tag&widthMask), uint64(r.varint())
	if c.width > mostPacked && c.width != unpacked {
		r.failed = true
		return c
	}
	if c.deltas {
		c.least = uint64(r.varint())
		n--
	}
	c.packed = r.bytes((uint64(n)*uint64(c.width) + 7) / 8)
	return c
}

// read reads as many integers as dst has room for, of which the first is at from. The column has as many.
func (c *column) read(dst []uint64, from int) {
	switch {
	case !c.deltas:
		c.unpack(dst, from, c.base)
	case len(dst) > 0:
		v := c.base
		if c.width == 0 {
			v += uint64(from) * c.least
		} else {
			for i := range from {
				v += c.least + c.bits(i)
			}
		}
		dst[0] = v
		c.unpack(dst[1:], from, c.least)
		for i := 1; i < len(dst); i++ {
			v += dst[i]
			dst[i] = v
		}
	}
}

// unpack reads packed integers from one on, and adds base to them.
func (c *column) unpack(dst []uint64, from int, base uint64) {
	if c.width == 0 {
		for i := range dst {
			dst[i] = base
		}
		return
	}
	mask, bit := ^uint64(0)>>(64-c.width), from*c.width
	for i := range dst {
		dst[i] = base + word(c.packed, bit/8)>>(bit%8)&mask
		bit += c.width
	}
}

func (c *column) bits(i int) uint64 {
	bit := i * c.width
	return word(c.packed, bit/8) >> (bit % 8) & (^uint64(0) >> (64 - c.width))
}

// word is the eight bytes of data from offset on, those that are not there as zeros.
func word(data []byte, offset int) uint64 {
	if offset+8 <= len(data) {
		return binary.LittleEndian.Uint64(data[offset:])
	}
	var w uint64
	for i, b := range data[offset:] {
		w |= uint64(b) << (8 * i)
	}
	return w
}
