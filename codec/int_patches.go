// SPDX-License-Identifier: Apache-2.0

package codec

import (
	"math"
	"math/bits"
)

const (
	// minSaving is the part of the bits that another form must save: packed integers are read the
	// fastest.
	minSaving = 32
	// maxPatched is the part of the integers that may be patched.
	maxPatched = 6
	// patchSamples is the number of integers that say whether patches may pay: at least minNear of
	// them are near one another.
	patchSamples = 16
	minNear      = 13
	// patchFieldBits is about how many bits the fields around the indexes and patches take.
	patchFieldBits = 64
)

// patchPlan says how to pack integers of which a few are far from the others. Those from base to
// base+2^width-1 are packed, and the others patched.
type patchPlan struct {
	base  uint64
	width int
	bits  int // about how many bits this takes
}

// noPatches is the plan to patch nothing, because that would not pay.
var noPatches = patchPlan{bits: math.MaxInt}

// planPatches returns the plan that takes the fewest bits, about. The integers minus low are below
// 2^width, and many of them are near middle.
func planPatches(values []uint64, low, middle uint64, width int) patchPlan {
	best := noPatches
	var aboveLow, aroundMiddle [fullWidth + 1]int // number of integers by the bits that they take
	for _, v := range values {
		aboveLow[bits.Len64(v-low)]++
		distance := int64(v - middle)
		aroundMiddle[bits.Len64(uint64(distance<<1^distance>>63))]++
	}
	unpatchedLow, unpatchedMiddle := 0, 0
	for w := range width {
		unpatchedLow += aboveLow[w]
		best.consider(patchPlan{low, w, patchedBits(len(values), unpatchedLow, w, width)})
		unpatchedMiddle += aroundMiddle[w]
		best.consider(patchPlan{middle - 1<<w>>1, w, patchedBits(len(values), unpatchedMiddle, w, width)})
	}
	return best
}

func (p *patchPlan) consider(other patchPlan) {
	if other.bits < p.bits {
		*p = other
	}
}

// patchedBits returns about how many bits integers take of which some are packed in w bits, and the
// others patched by integers of width bits.
func patchedBits(count, unpatched, w, width int) int {
	patched := count - unpatched
	if patched > count/maxPatched {
		return math.MaxInt
	}
	indexWidth := bits.Len(uint(count/max(patched, 1))) + 2
	return count*w + patched*(width+indexWidth) + patchFieldBits
}

// samples are a few integers of a column, or differences of neighbours.
type samples [patchSamples]uint64

func sampleOffsets(values []uint64) (s samples) {
	for i := range s {
		s[i] = values[i*len(values)/patchSamples]
	}
	return s
}

func sampleDeltas(values []uint64) (s samples) {
	for i := range s {
		at := i * (len(values) - 1) / patchSamples
		s[i] = values[at+1] - values[at]
	}
	return s
}

// middle returns the median of the samples, which minus low are below 2^width. It returns false if
// they are so far from one another that patches will not pay.
func (s *samples) middle(low uint64, width int) (middle uint64, ok bool) {
	if width < 2 || width > maxPackedWidth {
		return 0, false
	}
	for i, v := range s { // sorted by insertion
		at := i
		for ; at > 0 && s[at-1]-low > v-low; at-- {
			s[at] = s[at-1]
		}
		s[at] = v
	}
	nearest := uint64(math.MaxUint64)
	for i, v := range s[minNear-1:] {
		nearest = min(nearest, v-s[i])
	}
	return s[patchSamples/2], bits.Len64(nearest) < width
}
