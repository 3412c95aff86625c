// SPDX-License-Identifier: Apache-2.0

package codec

import (
	"encoding/binary"
	"math"
	"math/bits"
	"sync"
)

const (
	// The tags of the forms of a column that are not just packed integers, which have no such
	// widths.
	tagDivided = 57
	tagRuns    = 58
	tagPatched = 59

	minDivisor = 2
	// Other forms are tried if there are at least minFormCount integers, and packed they take at
	// least minFormBits.
	minFormCount = 16
	minFormBits  = 96
	// minRunLen is how long runs must be on average.
	minRunLen = 3
)

// appendIntColumn appends a column of integers, as the package documentation draws it. There must
// be at least one. It chooses the form that takes the fewest bits, about.
func appendIntColumn(dst []byte, values []uint64) []byte {
	bounds := boundsOf(values)
	if len(values) < minFormCount || bounds.bits(len(values)) < minFormBits {
		return appendPacked(dst, values, &bounds)
	}
	e := intEncoders.Get().(*intEncoder)
	defer e.release()
	if divisor := commonDivisor(values); divisor >= minDivisor {
		dst = binary.AppendUvarint(append(dst, tagDivided), divisor)
		values = e.divide(values, divisor)
		bounds = boundsOf(values)
	}
	return e.append(dst, values, &bounds)
}

// commonDivisor returns the greatest number that divides all integers, which are taken as signed;
// 0 if all are 0.
func commonDivisor(values []uint64) (divisor uint64) {
	for _, v := range values {
		if int64(v) < 0 {
			v = -v
		}
		if divisor != 0 && v%divisor == 0 {
			continue
		}
		for v != 0 {
			divisor, v = v, divisor%v
		}
		if divisor == 1 {
			break
		}
	}
	return divisor
}

// intEncoder encodes columns of integers. It is reused for one column after another.
type intEncoder struct {
	divided, deltas []uint64
	lengths, values []uint64 // of runs; or indexes and patches
}

var intEncoders = sync.Pool{New: func() any { return new(intEncoder) }}

// release gives the encoder back, unless a long column has made it large.
func (e *intEncoder) release() {
	if max(cap(e.divided), cap(e.deltas), cap(e.lengths), cap(e.values)) <= maxKeptInts {
		intEncoders.Put(e)
	}
}

// divide returns the integers divided by a number that divides all of them.
func (e *intEncoder) divide(values []uint64, divisor uint64) []uint64 {
	e.divided = e.divided[:0]
	for _, v := range values {
		e.divided = append(e.divided, uint64(int64(v)/int64(divisor)))
	}
	return e.divided
}

// append appends integers in the form that takes the fewest bits.
func (e *intEncoder) append(dst []byte, values []uint64, bounds *intBounds) []byte {
	packedBits, runsBits := bounds.bits(len(values)), bitsOfRuns(len(values), bounds)
	offsets, deltas := e.planPatches(values, bounds)
	start := len(dst)
	switch min(packedBits-packedBits/minSaving, runsBits, offsets.bits, deltas.bits) {
	case runsBits:
		dst = e.appendRuns(dst, values)
	case offsets.bits:
		dst = append(dst, tagPatched, byte(offsets.width))
		dst = binary.AppendVarint(dst, int64(offsets.base))
		dst = e.appendPatched(dst, values, &offsets)
	case deltas.bits:
		dst = append(dst, tagPatched, byte(deltas.width)|deltaFlag)
		dst = binary.AppendVarint(dst, int64(values[0]))
		dst = binary.AppendVarint(dst, int64(deltas.base))
		dst = e.appendPatched(dst, e.deltas, &deltas)
	}
	if len(dst) > start && len(dst)-start < packedBits/8 {
		return dst
	}
	return appendPacked(dst[:start], values, bounds)
}

// planPatches returns the plans to patch integers, and to patch the differences of neighbours.
func (e *intEncoder) planPatches(values []uint64, bounds *intBounds) (offsets, deltas patchPlan) {
	offsets, deltas = noPatches, noPatches
	near := sampleOffsets(values)
	low, width := values[0]+uint64(bounds.offsets.min), bounds.offsets.width()
	if middle, ok := near.middle(low, width); ok {
		offsets = planPatches(values, low, middle, width)
	}
	near = sampleDeltas(values)
	low, width = uint64(bounds.deltas.min), bounds.deltas.width()
	if middle, ok := near.middle(low, width); ok {
		deltas = planPatches(e.differences(values), low, middle, width)
	}
	return offsets, deltas
}

// differences returns the differences of neighbours.
func (e *intEncoder) differences(values []uint64) []uint64 {
	e.deltas = e.deltas[:0]
	last := values[0]
	for _, v := range values[1:] {
		e.deltas = append(e.deltas, v-last)
		last = v
	}
	return e.deltas
}

// bitsOfRuns returns about how many bits integers take as runs.
func bitsOfRuns(count int, bounds *intBounds) int {
	runs := bounds.changes + 1
	if runs > count/minRunLen {
		return math.MaxInt
	}
	return runs * (bounds.offsets.width() + bits.Len(uint(count/runs)) + 2)
}

// appendRuns appends integers as runs.
func (e *intEncoder) appendRuns(dst []byte, values []uint64) []byte {
	e.values, e.lengths = append(e.values[:0], values[0]), e.lengths[:0]
	start := 0
	for i, v := range values {
		if v != e.values[len(e.values)-1] {
			e.values, e.lengths = append(e.values, v), append(e.lengths, uint64(i-start))
			start = i
		}
	}
	return e.appendCollectedRuns(dst)
}

// appendCollectedRuns appends the runs whose integers and lengths, except for the last length, have
// been collected. A single run needs no length.
func (e *intEncoder) appendCollectedRuns(dst []byte) []byte {
	bounds := boundsOf(e.values)
	if len(e.lengths) == 0 {
		return appendPacked(dst, e.values, &bounds)
	}
	dst = binary.AppendUvarint(append(dst, tagRuns), uint64(len(e.values)))
	dst = appendPacked(dst, e.values, &bounds)
	bounds = boundsOf(e.lengths)
	return appendPacked(dst, e.lengths, &bounds)
}

// appendPatched appends integers minus the base of a plan, packed. Then it appends the number of
// those that are patched, their indexes, and their patches.
func (e *intEncoder) appendPatched(dst []byte, values []uint64, plan *patchPlan) []byte {
	e.lengths, e.values = e.lengths[:0], e.values[:0]
	w := bitWriter{dst: dst, width: plan.width}
	for i, v := range values {
		v -= plan.base
		if v>>plan.width != 0 {
			e.lengths, e.values = append(e.lengths, uint64(i)), append(e.values, v)
			v = 0
		}
		w.add(v)
	}
	return e.appendPatches(w.finish())
}

// appendPatches appends the number of the patches, their indexes and the patches.
func (e *intEncoder) appendPatches(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(e.values)))
	if len(e.values) == 0 {
		return dst
	}
	bounds := boundsOf(e.lengths)
	dst = appendPacked(dst, e.lengths, &bounds)
	bounds = boundsOf(e.values)
	return appendPacked(dst, e.values, &bounds)
}
