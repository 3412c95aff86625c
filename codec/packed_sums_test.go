// SPDX-License-Identifier: Apache-2.0

package codec

import (
	"math/rand/v2"
	"testing"
)

// TestSumsOfDifferences reads single integers that are packed as differences of each width.
func TestSumsOfDifferences(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for width := range fullWidth + 1 {
		if width > maxPackedWidth && width < fullWidth {
			continue
		}
		for _, count := range []int{1, 2, 9, 70, 300} {
			differences := make([]uint64, count-1)
			for i := range differences {
				differences[i] = random.Uint64() & (1<<width - 1)
			}
			wantSums(t, differences, width, 1)
		}
	}
}

// TestSumsOfGreatestDifferences: as many differences as a chunk has at most are added up in parts
// of a word, which have room for the sums of a part of them.
func TestSumsOfGreatestDifferences(t *testing.T) {
	for width := 1; width <= maxPairWidth+1; width++ {
		differences := make([]uint64, maxTemplateValues-1)
		for i := range differences {
			differences[i] = 1<<width - 1
		}
		wantSums(t, differences, width, 1021)
	}
}

// wantSums packs integers with the given differences, and reads each of them whose index is a
// multiple of step.
func wantSums(t *testing.T, differences []uint64, width, step int) {
	t.Helper()
	const first, minDifference = 5, 3
	values := []uint64{first}
	for i, difference := range differences {
		values = append(values, values[i]+difference+minDifference)
	}
	in := fieldReader{data: appendDeltas(nil, values, minDifference, width)}
	var ints packedInts
	if in.packedInts(&ints, len(values)); in.failed || in.remaining() > 0 {
		t.Fatalf("width %d: failed: %v, %d bytes remain", width, in.failed, in.remaining())
	}
	for i := 0; i < len(values); i += step {
		if got := ints.sumBefore(i); got != values[i] {
			t.Fatalf("width %d: integer %d of %d is %d; want %d", width, i, len(values), got, values[i])
		}
	}
}
