// SPDX-License-Identifier: Apache-2.0

package codec

import (
	"encoding/binary"
	"math"
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

// packedInts are encoded integers of one width. Any of them can be read on its own.
type packedInts struct {
	count    int
	deltas   bool   // packed holds the differences of neighbours
	width    int    // bits of each packed integer
	base     uint64 // the lowest integer; with deltas, the first integer
	minDelta uint64 // with deltas, the lowest of them
	packed   []byte
}

// packedInts takes n packed integers off the front.
func (r *fieldReader) packedInts(p *packedInts, n int) {
	if n <= 0 || r.remaining() == 0 {
		r.failed = true
		return
	}
	tag := r.data[r.at]
	r.at++
	p.count = n
	p.deltas, p.width, p.base = tag&deltaFlag != 0, int(tag&widthMask), uint64(r.varint())
	if p.width > maxPackedWidth && p.width != fullWidth {
		r.failed = true
		return
	}
	if p.deltas {
		p.minDelta = uint64(r.varint())
		n--
	}
	p.packed = r.bytes((uint64(n)*uint64(p.width) + 7) / 8)
}

// maxQuadWidth and maxPairWidth are the largest widths of which four and two integers fit into a
// uint64, together with up to 7 bits of the byte in which they start.
const (
	maxQuadWidth = 14
	maxPairWidth = 28
)

// unpack fills dst with the packed integers from the index `from` on, and adds base to each.
func (p *packedInts) unpack(dst []uint64, from int, base uint64) {
	if p.width == 0 {
		for i := range dst {
			dst[i] = base
		}
		return
	}
	mask, bit, width := ^uint64(0)>>(64-p.width), from*p.width, p.width&63
	if p.width <= maxQuadWidth {
		for ; len(dst) >= 4 && bit/8+8 <= len(p.packed); bit += 4 * width {
			word := binary.LittleEndian.Uint64(p.packed[bit/8:]) >> (bit % 8)
			dst[0] = base + word&mask
			dst[1] = base + word>>width&mask
			dst[2] = base + word>>(2*width&63)&mask
			dst[3] = base + word>>(3*width&63)&mask
			dst = dst[4:]
		}
	} else if p.width <= maxPairWidth {
		for ; len(dst) >= 2 && bit/8+8 <= len(p.packed); bit += 2 * width {
			word := binary.LittleEndian.Uint64(p.packed[bit/8:]) >> (bit % 8)
			dst[0] = base + word&mask
			dst[1] = base + word>>width&mask
			dst = dst[2:]
		}
	}
	if p.width <= maxPairWidth { // the rest ends in the next eight bytes
		word := wordAt(p.packed, bit/8) >> (bit % 8)
		for i := range dst {
			dst[i] = base + word&mask
			word >>= width
		}
		return
	}
	for i := range dst {
		dst[i] = base + wordAt(p.packed, bit/8)>>(bit%8)&mask
		bit += p.width
	}
}

// packedAt returns the packed integer at an index.
func (p *packedInts) packedAt(i int) uint64 {
	bit := i * p.width
	return wordAt(p.packed, bit/8) >> (bit % 8) & (^uint64(0) >> (64 - p.width))
}

// appendTail appends all integers except the first n, with another base. There must be more than n.
func (p *packedInts) appendTail(dst []byte, n int, base uint64) []byte {
	tag := byte(p.width)
	if p.deltas {
		tag |= deltaFlag
	}
	dst = append(dst, tag)
	dst = binary.AppendVarint(dst, int64(base))
	if p.deltas {
		dst = binary.AppendVarint(dst, int64(p.minDelta))
	}
	remaining := p.count - n
	if p.deltas {
		remaining--
	}
	return appendBits(dst, p.packed, n*p.width, remaining*p.width)
}

// appendBits appends n bits that start at a bit of packed. They move by whole bytes and by up to 7
// bits more. Unless packed has more bits, the last byte is filled with zeros.
func appendBits(dst, packed []byte, from, n int) []byte {
	offset, shift, end := from/8, from%8, len(dst)+(n+7)/8
	for ; len(dst) < end; offset += 8 {
		moved := wordAt(packed, offset)>>shift | wordAt(packed, offset+8)<<(64-shift)
		dst = binary.LittleEndian.AppendUint64(dst, moved)
	}
	return dst[:end]
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

// packedReader reads packed integers one after another.
type packedReader struct {
	ints  *packedInts
	next  int        // index of the integer that follows the block
	block [32]uint64 // integers that are unpacked already
	at    int        // index in the block of the integer that is read next
	end   int        // number of integers in the block
}

// read returns the next integer. There must be one.
func (r *packedReader) read() uint64 {
	if r.at == r.end {
		r.fill()
	}
	r.at++
	return r.block[r.at-1]
}

// skip skips the first n integers. None may have been read.
func (r *packedReader) skip(n int) {
	if r.next = n; r.ints.deltas && n > 0 {
		r.block[0] = r.ints.sumBefore(n - 1)
	}
}

// fill unpacks the next block.
func (r *packedReader) fill() {
	p, last := r.ints, r.block[max(r.end-1, 0)]
	r.at, r.end = 0, min(len(r.block), p.count-r.next)
	block := r.block[:r.end]
	switch {
	case !p.deltas:
		p.unpack(block, r.next, p.base)
	case r.next == 0:
		block[0] = p.base
		p.unpack(block[1:], 0, p.minDelta)
		addUp(block[1:], p.base)
	default:
		p.unpack(block, r.next-1, p.minDelta)
		addUp(block, last)
	}
	r.next += r.end
}

// addUp adds to each integer the sum of those before it and of one more.
func addUp(dst []uint64, sum uint64) {
	for i, v := range dst {
		sum += v
		dst[i] = sum
	}
}

// intBounds are what appendPacked needs to know of integers.
type intBounds struct {
	offsets signedBounds // of their differences from the first
	deltas  signedBounds // of the differences of neighbours; arbitrary for one integer
	changes int          // number of integers that differ from the one before
}

// boundsOf returns the bounds of integers, of which there must be at least one. All arithmetic is
// modulo 2^64, so that any integers are possible.
func boundsOf(values []uint64) (b intBounds) {
	first, last := values[0], values[0]
	var lowest, highest int64
	minDelta, maxDelta, changes := int64(math.MaxInt64), int64(math.MinInt64), 0
	for _, v := range values[1:] {
		offset, delta := int64(v-first), int64(v-last)
		lowest, highest = min(lowest, offset), max(highest, offset)
		minDelta, maxDelta = min(minDelta, delta), max(maxDelta, delta)
		if delta != 0 {
			changes++
		}
		last = v
	}
	return intBounds{signedBounds{lowest, highest}, signedBounds{minDelta, maxDelta}, changes}
}

// preferDeltas reports whether the differences of neighbours take fewer bits than those from the
// lowest integer.
func (b *intBounds) preferDeltas(count int) bool {
	return count > 2 && b.deltas.width() < b.offsets.width()
}

// bits returns the number of bits that packed integers take.
func (b *intBounds) bits(count int) int {
	if b.preferDeltas(count) {
		return b.deltas.width() * (count - 1)
	}
	return b.offsets.width() * count
}

// appendPacked appends packed integers. It packs either their differences from the lowest, or the
// differences of neighbours from the lowest such difference, whichever takes fewer bits.
func appendPacked(dst []byte, values []uint64, b *intBounds) []byte {
	if b.preferDeltas(len(values)) {
		return appendDeltas(dst, values, uint64(b.deltas.min), b.deltas.width())
	}
	return appendOffsets(dst, values, values[0]+uint64(b.offsets.min), b.offsets.width())
}

// appendOffsets packs the integers' differences from base.
func appendOffsets(dst []byte, values []uint64, base uint64, width int) []byte {
	dst = append(dst, byte(width))
	dst = binary.AppendVarint(dst, int64(base))
	w := bitWriter{dst: dst, width: width}
	if width > 0 {
		for _, v := range values {
			w.add(v - base)
		}
	}
	return w.finish()
}

// appendDeltas packs the differences of neighbours, each minus minDelta.
func appendDeltas(dst []byte, values []uint64, minDelta uint64, width int) []byte {
	dst = append(dst, byte(width)|deltaFlag)
	dst = binary.AppendVarint(dst, int64(values[0]))
	dst = binary.AppendVarint(dst, int64(minDelta))
	w := bitWriter{dst: dst, width: width}
	if width > 0 {
		last := values[0]
		for _, v := range values[1:] {
			w.add(v - last - minDelta)
			last = v
		}
	}
	return w.finish()
}

// signedBounds is the lowest and the highest of some integers.
type signedBounds struct{ min, max int64 }

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
	pending uint64 // bits that are not in dst yet
	count   int    // number of pending bits, less than 64
}

func (w *bitWriter) add(v uint64) {
	w.pending |= v << w.count
	if w.count += w.width; w.count >= 64 {
		w.flush(v)
	}
}

// flush appends 64 pending bits. The bits of v that did not fit are pending then.
func (w *bitWriter) flush(v uint64) {
	w.dst = binary.LittleEndian.AppendUint64(w.dst, w.pending)
	w.count -= 64
	w.pending = v >> (w.width - w.count)
}

// finish appends the pending bits and returns the result.
func (w *bitWriter) finish() []byte {
	for ; w.count > 0; w.count -= 8 {
		w.dst = append(w.dst, byte(w.pending))
		w.pending >>= 8
	}
	return w.dst
}
