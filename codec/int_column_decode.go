// SPDX-License-Identifier: Apache-2.0

package codec

import (
	"iter"
	"math/bits"
)

// intColumn is an encoded column of integers. Any part of it can be read on its own.
type intColumn struct {
	count   int
	form    byte       // 0, tagRuns or tagPatched
	divisor uint64     // of all integers; 1 if they have no other in common
	ints    packedInts // the integers divided by the divisor; of runs, one for each run
	// lengths are the lengths of the runs except the last, which is as long as the rest; or the
	// indexes of the patched integers.
	lengths packedInts
	patches packedInts // what is added to the integers that are patched
}

// intColumn takes a column of n integers off the front.
func (r *fieldReader) intColumn(n int) (c intColumn) {
	r.readIntColumn(&c, n)
	return c
}

// readIntColumn is intColumn without a copy of the column, which is large. What the column's form
// does not use, keeps its value.
func (r *fieldReader) readIntColumn(c *intColumn, n int) {
	c.count, c.form, c.divisor = n, 0, 1
	if r.startsWith(tagDivided) {
		c.divisor = r.uvarint()
		r.failed = r.failed || c.divisor < minDivisor
	}
	switch {
	case r.startsWith(tagRuns):
		c.form = tagRuns
		runs := r.countUpTo(n)
		r.packedInts(&c.ints, runs)
		r.packedInts(&c.lengths, runs-1)
	case r.startsWith(tagPatched):
		c.form = tagPatched
		r.packedInts(&c.ints, n)
		c.patches.count = 0
		if patched := r.countUpTo(n); patched > 0 {
			r.packedInts(&c.lengths, patched)
			r.packedInts(&c.patches, patched)
		}
	default:
		r.packedInts(&c.ints, n)
	}
}

// forget drops all references to the body.
func (c *intColumn) forget() {
	if c.form != 0 {
		c.lengths.packed, c.patches.packed = nil, nil
	}
	c.ints.packed = nil
}

// startsWith reports whether the next byte is a tag, and takes it if so.
func (r *fieldReader) startsWith(tag byte) bool {
	if r.remaining() == 0 || r.data[r.at] != tag {
		return false
	}
	r.at++
	return true
}

// countUpTo takes a number that is at most another.
func (r *fieldReader) countUpTo(limit int) int {
	count := r.uvarint()
	if count > uint64(limit) {
		r.failed = true
		return 0
	}
	return int(count)
}

// read fills dst with the integers from the index `from` on. The column must have that many.
func (c *intColumn) read(dst []uint64, from int) {
	switch {
	case len(dst) == 0:
		return
	case c.form == tagRuns:
		c.readRuns(dst, from)
	case c.ints.deltas:
		c.readDeltas(dst, from)
	default:
		c.ints.unpack(dst, from, c.ints.base)
		c.patch(dst, from)
	}
	if c.divisor != 1 {
		for i := range dst {
			dst[i] *= c.divisor
		}
	}
}

// readDeltas is read for integers that are packed as differences.
func (c *intColumn) readDeltas(dst []uint64, from int) {
	v, deltas := c.ints.sumBefore(from), dst[1:]
	if c.ints.width == 0 && c.form == 0 {
		for i := range dst {
			dst[i] = v
			v += c.ints.minDelta
		}
		return
	}
	c.ints.unpack(deltas, from, c.ints.minDelta)
	v += c.patch(deltas, from)
	dst[0] = v
	addUp(deltas, v)
}

// runs yields the integer of each run, and the index after the run's last one. Lengths that the
// column has no room for are cut off.
func (c *intColumn) runs() iter.Seq2[uint64, int] {
	return func(yield func(v uint64, end int) bool) {
		values, lengths := packedReader{ints: &c.ints}, packedReader{ints: &c.lengths}
		end := 0
		for range c.lengths.count {
			v := values.read()
			end += int(min(lengths.read(), uint64(c.count-end)))
			if !yield(v, end) {
				return
			}
		}
		yield(values.read(), c.count)
	}
}

// readRuns is read for runs. Of the runs that end before the index `from` it reads the lengths
// alone.
func (c *intColumn) readRuns(dst []uint64, from int) {
	values, lengths := packedReader{ints: &c.ints}, packedReader{ints: &c.lengths}
	run, end := 0, c.runLength(&lengths, 0, 0)
	for end <= from {
		run++
		end += c.runLength(&lengths, run, end)
	}
	values.skip(run)
	for {
		same, v := dst[:min(end-from, len(dst))], values.read()
		for i := range same {
			same[i] = v
		}
		if dst, from = dst[len(same):], end; len(dst) == 0 {
			return
		}
		run++
		end += c.runLength(&lengths, run, end)
	}
}

// runLength returns the length of the run that starts at an index. The runs before it must have
// been read from lengths. A length that the column has no room for is cut off.
func (c *intColumn) runLength(lengths *packedReader, run, start int) int {
	rest := c.count - start
	if run >= c.lengths.count {
		return rest
	}
	return int(min(lengths.read(), uint64(rest)))
}

// patch patches packed integers, of which dst has those from the index `from` on. It returns the
// sum of the patches of those before.
func (c *intColumn) patch(dst []uint64, from int) (before uint64) {
	if c.form != tagPatched {
		return 0
	}
	indexes, patches := packedReader{ints: &c.lengths}, packedReader{ints: &c.patches}
	for range c.patches.count {
		index, patch := indexes.read(), patches.read()
		if index < uint64(from) {
			before += patch
		} else if i := index - uint64(from); i < uint64(len(dst)) {
			dst[i] += patch
		}
	}
	return before
}

// constant returns the integer that all integers are, if the column is stored as such.
func (c *intColumn) constant() (v uint64, ok bool) {
	return c.ints.base * c.divisor, c.form == 0 && !c.ints.deltas && c.ints.width == 0
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
	if c.divisor != 1 {
		rest := make([]uint64, c.count-n)
		c.read(rest, n)
		for i := range rest {
			rest[i] -= minus
		}
		return appendIntColumn(dst, rest)
	}
	if c.form == tagRuns {
		return c.appendRunsTail(dst, n, minus)
	}
	base := c.ints.base
	if c.ints.deltas {
		base = c.at(n)
	}
	if c.form != tagPatched {
		return c.ints.appendTail(dst, n, base-minus)
	}
	return c.appendPatchesTail(c.ints.appendTail(append(dst, tagPatched), n, base-minus), n)
}

// appendRunsTail is appendTail for runs.
func (c *intColumn) appendRunsTail(dst []byte, n int, minus uint64) []byte {
	e := intEncoders.Get().(*intEncoder)
	defer e.release()
	e.lengths, e.values = e.lengths[:0], e.values[:0]
	start := n
	for v, end := range c.runs() {
		if end > start {
			e.values, e.lengths = append(e.values, v-minus), append(e.lengths, uint64(end-start))
			start = end
		}
	}
	e.lengths = e.lengths[:len(e.lengths)-1] // the last is as long as the rest
	return e.appendCollectedRuns(dst)
}

// appendPatchesTail appends the patches of all packed integers except the first n.
func (c *intColumn) appendPatchesTail(dst []byte, n int) []byte {
	indexes, patches := packedReader{ints: &c.lengths}, packedReader{ints: &c.patches}
	e := intEncoders.Get().(*intEncoder)
	defer e.release()
	e.lengths, e.values = e.lengths[:0], e.values[:0]
	for range c.patches.count {
		index, patch := indexes.read(), patches.read()
		if index >= uint64(n) {
			e.lengths, e.values = append(e.lengths, index-uint64(n)), append(e.values, patch)
		}
	}
	return e.appendPatches(dst)
}

// growsSteadily reports whether each integer differs from the one before by the same number, not
// below 0, and without overflow. It returns false for a column that is not stored as differences.
func (c *intColumn) growsSteadily() bool {
	if !c.ints.deltas || c.ints.width != 0 || c.form != 0 || c.divisor != 1 {
		return false
	}
	high, _ := bits.Mul64(c.ints.minDelta, uint64(c.count-1))
	return high == 0 && c.ints.base <= c.at(c.count-1)
}

// growsSteadilyFrom0 reports whether the integers grow steadily from 0.
func (c *intColumn) growsSteadilyFrom0() bool { return c.growsSteadily() && c.ints.base == 0 }

// growsSteadilyTo reports whether the integers grow steadily from 0 to last.
func (c *intColumn) growsSteadilyTo(last uint64) bool {
	return c.growsSteadilyFrom0() && c.at(c.count-1) == last
}
