// SPDX-License-Identifier: Apache-2.0

package codec

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestRangeTimes(t *testing.T) {
	type answers struct{ Empty, Unbounded, Contains10, Overlaps10To20 bool }
	for _, test := range []struct {
		reason string
		r      Range
		want   answers
	}{
		{"all values", All, answers{Unbounded: true, Contains10: true, Overlaps10To20: true}},
		{"a limit bounds no timestamps", Range{End: math.MaxUint64, Limit: 1},
			answers{Unbounded: true, Contains10: true, Overlaps10To20: true}},
		{"the start is inclusive", Range{Start: 10, End: 30}, answers{Contains10: true, Overlaps10To20: true}},
		{"the end is inclusive", Range{End: 10}, answers{Contains10: true, Overlaps10To20: true}},
		{"one timestamp", Range{Start: 20, End: 20}, answers{Overlaps10To20: true}},
		{"starts too late", Range{Start: 21, End: math.MaxUint64}, answers{}},
		{"ends too early", Range{End: 9}, answers{}},
		{"the start is after the end", Range{Start: 21, End: 9}, answers{Empty: true}},
	} {
		got := answers{test.r.Empty(), test.r.Unbounded(), test.r.Contains(10), test.r.Overlaps(10, 20)}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s: %+v (-want +got):\n%s", test.reason, test.r, diff)
		}
	}
}

func TestRangeIndexes(t *testing.T) {
	timestamps := []uint64{10, 20, 20, 30}
	for _, test := range []struct {
		reason   string
		r        Range
		from, to int
	}{
		{"all values", All, 0, 4},
		{"equal timestamps belong together", Range{Start: 20, End: 20}, 1, 3},
		{"the limit keeps the oldest", Range{Start: 20, End: 30, Limit: 2}, 1, 3},
		{"the limit keeps the newest", Range{Start: 20, End: 30, Limit: 2, Newest: true}, 2, 4},
		{"the limit is as large as the range", Range{Start: 20, End: 30, Limit: 3, Newest: true}, 1, 4},
		{"a gap between two values", Range{Start: 21, End: 29}, 3, 3},
		{"the start is after the end", Range{Start: 30, End: 10}, 3, 3},
	} {
		from, to := test.r.indexes(len(timestamps), func(i int) uint64 { return timestamps[i] })
		if from != test.from || to != test.to {
			t.Errorf("%+v: got the values from %d to %d; want %d to %d (%s)",
				test.r, from, to, test.from, test.to, test.reason)
		}
	}
}

// TestSteadyIndexes compares the calculation with the search.
func TestSteadyIndexes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		count := rapid.IntRange(1, 9).Draw(t, "count")
		step := rapid.SampledFrom([]uint64{0, 1, 2, 7, 1000, (math.MaxUint64 - 100) / 9}).Draw(t, "step")
		first := rapid.Uint64Range(0, 100).Draw(t, "first")
		bound := func(name string) uint64 {
			near := first + step*rapid.Uint64Range(0, 9).Draw(t, name)
			by := rapid.SampledFrom([]uint64{0, 1, math.MaxUint64, math.MaxUint64 / 2}).Draw(t, name+" moved")
			return near + by
		}
		r := Range{Start: bound("start"), End: bound("end")}
		r.Limit, r.Newest = rapid.IntRange(0, 4).Draw(t, "limit"), rapid.Bool().Draw(t, "newest")
		wantFrom, wantTo := r.indexes(count, func(i int) uint64 { return first + uint64(i)*step })
		if from, to := r.steadyIndexes(count, first, step); from != wantFrom || to != wantTo {
			t.Fatalf("%+v: got the values from %d to %d; want %d to %d", r, from, to, wantFrom, wantTo)
		}
	})
}
