// SPDX-License-Identifier: Apache-2.0

package codec

import (
	"encoding/binary"
	"math/bits"
)

// intColumn is an encoded column of integers. Any part of it can be read on its own.
type intColumn struct {
	count    int
	deltas   bool   // packed holds the differences of neighbours
	width    int    // bits of each packed integer
	base     uint64 // the lowest integer; with deltas, the first integer
	minDelta uint64 // with deltas, the lowest of them
	packed   []byte
}

// intColumn takes a column of n integers off the front.
func (r *fieldReader) intColumn(n int) (c intColumn) {
	if n == 0 || len(r.data) == 0 {
		r.failed = true
		return c
	}
	tag := r.data[0]
	r.data = r.data[1:]
	c.count = n
	c.deltas, c.width, c.base = tag&deltaFlag != 0, int(tag&widthMask), uint64(r.varint())
	if c.width > maxPackedWidth && c.width != fullWidth {
		r.failed = true
		return c
	}
	if c.deltas {
		c.minDelta = uint64(r.varint())
		n--
	}
	c.packed = r.bytes((uint64(n)*uint64(c.width) + 7) / 8)
	return c
}

// read fills dst with the integers from the index `from` on. The column must have that many.
func (c *intColumn) read(dst []uint64, from int) {
	switch {
	case !c.deltas:
		c.unpack(dst, from, c.base)
	case len(dst) > 0:
		v := c.base
		if c.width == 0 {
			v += uint64(from) * c.minDelta
		} else {
			for i := range from {
				v += c.minDelta + c.packedAt(i)
			}
		}
		dst[0] = v
		c.unpack(dst[1:], from, c.minDelta)
		for i := 1; i < len(dst); i++ {
			v += dst[i]
			dst[i] = v
		}
	}
}

// unpack fills dst with the packed integers from the index `from` on, and adds base to each.
func (c *intColumn) unpack(dst []uint64, from int, base uint64) {
	if c.width == 0 {
		for i := range dst {
			dst[i] = base
		}
		return
	}
	mask, bit := ^uint64(0)>>(64-c.width), from*c.width
	for i := range dst {
		dst[i] = base + wordAt(c.packed, bit/8)>>(bit%8)&mask
		bit += c.width
	}
}

// packedAt returns the packed integer at an index. The width must not be 0.
func (c *intColumn) packedAt(i int) uint64 {
	bit := i * c.width
	return wordAt(c.packed, bit/8) >> (bit % 8) & (^uint64(0) >> (64 - c.width))
}

// at returns the integer at an index.
func (c *intColumn) at(i int) uint64 {
	var v [1]uint64
	c.read(v[:], i)
	return v[0]
}

// appendTail appends the column of all integers except the first n, each minus another. The column
// must have more than n integers.
func (c *intColumn) appendTail(dst []byte, n int, minus uint64) []byte {
	tag, base := byte(c.width), c.base
	if c.deltas {
		tag, base = tag|deltaFlag, c.at(n)
	}
	dst = append(dst, tag)
	dst = binary.AppendVarint(dst, int64(base-minus))
	if c.deltas {
		dst = binary.AppendVarint(dst, int64(c.minDelta))
	}
	// The packed bits move to the front, by whole bytes and by up to 7 bits more.
	remaining := c.count - n
	if c.deltas {
		remaining--
	}
	offset, shift, end := n*c.width/8, n*c.width%8, len(dst)+(remaining*c.width+7)/8
	for ; len(dst) < end; offset += 8 {
		moved := wordAt(c.packed, offset)>>shift | wordAt(c.packed, offset+8)<<(64-shift)
		dst = binary.LittleEndian.AppendUint64(dst, moved)
	}
	return dst[:end]
}

// growsSteadily reports whether each integer differs from the one before by the same number, not
// below 0, and without overflow. It returns false for a column that is not stored as differences.
func (c *intColumn) growsSteadily() bool {
	high, _ := bits.Mul64(c.minDelta, uint64(c.count-1))
	return c.deltas && c.width == 0 && high == 0 && c.base <= c.at(c.count-1)
}

// growsSteadilyTo reports whether the integers grow steadily from 0 to last.
func (c *intColumn) growsSteadilyTo(last uint64) bool {
	return c.growsSteadily() && c.base == 0 && c.at(c.count-1) == last
}

// wordAt returns the eight bytes of data from offset on. Bytes beyond the end of data are zeros.
func wordAt(data []byte, offset int) uint64 {
	if offset+8 <= len(data) {
		return binary.LittleEndian.Uint64(data[offset:])
	}
	var w uint64
	for i, b := range data[min(offset, len(data)):] {
		w |= uint64(b) << (8 * i)
	}
	return w
}
