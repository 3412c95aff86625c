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
	var offsets, deltas extent // of signed integers
	last := values[0]
	for i, v := range values {
		offsets.add(int64(v-values[0]), i == 0)
		if i > 0 {
			deltas.add(int64(v-last), i == 1)
		}
		last = v
	}
	if len(values) > 2 && deltas.width() < offsets.width() {
		least := uint64(deltas.least)
		dst = append(dst, byte(deltas.width())|deltaFlag)
		dst = binary.AppendVarint(dst, int64(values[0]))
		dst = binary.AppendVarint(dst, int64(least))
		w := bitWriter{dst: dst, width: deltas.width()}
		last = values[0]
		for _, v := range values[1:] {
			w.add(v - last - least)
			last = v
		}
		return w.finish()
	}
	base := values[0] + uint64(offsets.least)
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

// extent is the least and the greatest of some integers.
type extent struct{ least, greatest int64 }

func (e *extent) add(v int64, first bool) {
	if first {
		e.least, e.greatest = v, v
		return
	}
	e.least, e.greatest = min(e.least, v), max(e.greatest, v)
}

// width is how many bits their differences from the least take.
func (e *extent) width() int {
	if width := bits.Len64(uint64(e.greatest - e.least)); width <= mostPacked {
		return width
	}
	return unpacked
}

// bitWriter packs integers of width bits each, the first into the lowest bits of the first byte.
type bitWriter struct {
	dst     []byte
	width   int
	pending uint64
	count   int // of bits pending, less than 8
}

func (w *bitWriter) add(v uint64) {
	if w.width == unpacked {
		w.dst = binary.LittleEndian.AppendUint64(w.dst, v)
		return
	}
	w.pending |= v << w.count
	for w.count += w.width; w.count >= 8; w.count -= 8 {
		w.dst = append(w.dst, byte(w.pending))
		w.pending >>= 8
	}
}

func (w *bitWriter) finish() []byte {
	if w.count > 0 {
		return append(w.dst, byte(w.pending))
	}
	return w.dst
}

// column is what appendColumn appended, of which any part can be read.
type column struct {
	count  int
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
	c.count = n
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

// at is the integer at i.
func (c *column) at(i int) uint64 {
	var v [1]uint64
	c.read(v[:], i)
	return v[0]
}

// appendTail appends the column of all but the first n integers, of which there are more, each minus another.
func (c *column) appendTail(dst []byte, n int, minus uint64) []byte {
	tag, base := byte(c.width), c.base
	if c.deltas {
		tag, base = tag|deltaFlag, c.at(n)
	}
	dst = append(dst, tag)
	dst = binary.AppendVarint(dst, int64(base-minus))
	if c.deltas {
		dst = binary.AppendVarint(dst, int64(c.least))
	}
	// The bits move towards the front, by whole bytes and by what is left of one.
	left := c.count - n
	if c.deltas {
		left--
	}
	offset, shift, end := n*c.width/8, n*c.width%8, len(dst)+(left*c.width+7)/8
	for ; len(dst) < end; offset += 8 {
		moved := word(c.packed, offset)>>shift | word(c.packed, offset+8)<<(64-shift)
		dst = binary.LittleEndian.AppendUint64(dst, moved)
	}
	return dst[:end]
}

// steady reports whether the integers grow by the same from one to the next, and do not pass 2^64.
func (c *column) steady() bool {
	high, _ := bits.Mul64(c.least, uint64(c.count-1))
	return c.deltas && c.width == 0 && high == 0 && c.base <= c.at(c.count-1)
}

// spans reports whether the integers grow steadily from 0 to another.
func (c *column) spans(last uint64) bool {
	return c.steady() && c.base == 0 && c.at(c.count-1) == last
}

// word is the eight bytes of data from offset on, those that are not there as zeros.
func word(data []byte, offset int) uint64 {
	if offset+8 <= len(data) {
		return binary.LittleEndian.Uint64(data[offset:])
	}
	var w uint64
	for i, b := range data[min(offset, len(data)):] {
		w |= uint64(b) << (8 * i)
	}
	return w
}
