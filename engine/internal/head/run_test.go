// SPDX-License-Identifier: Apache-2.0

package head

import (
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestRunsStayFew checks that no order of timestamps makes more than about log n runs. The time of
// an add and of a read grows with the number of runs.
func TestRunsStayFew(t *testing.T) {
	const n = 100_000
	random := rand.New(rand.NewPCG(1, 2))
	shuffled := random.Perm(n)
	tests := []struct {
		name      string
		timestamp func(i int) uint64
		max       int    // number of runs
		reason    string // why the row is here
	}{
		{"in order", func(i int) uint64 { return uint64(i) }, 1, "the usual case has one run"},
		{"equal", func(int) uint64 { return 7 }, 1, "equal timestamps are in order"},
		{"reversed", func(i int) uint64 { return uint64(n - i) }, bits.Len(n),
			"each value is older than all before it"},
		{"shuffled", func(i int) uint64 { return uint64(shuffled[i]) }, bits.Len(n), "no order at all"},
		{"pages, newest first", func(i int) uint64 { return uint64((n/3-i/3)*3 + i%3) }, bits.Len(n),
			"a backfill in pages of three values, each page in order"},
		{"longer pages", func(i int) uint64 { return uint64((n/100-i/100)*100 + i%100) }, bits.Len(n),
			"a run that has grown must be merged too"},
		{"two streams", func(i int) uint64 { return uint64(i%2*n + i) }, bits.Len(n),
			"live values and a backfill at once"},
		{"saw", func(i int) uint64 { return uint64(i % 317) }, bits.Len(n), "the timestamps start again and again"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s, memory, got := &series{record: "record"}, &slab{shift: 6}, 0
			for i := range n {
				s.add(item{timestamp: test.timestamp(i), number: uint32(i)}, 2, memory)
				got = max(got, s.runCount())
				if got > test.max {
					t.Fatalf("%d runs after %d values; want at most %d (%s)", got, i+1, test.max, test.reason)
				}
			}
			merged := s.viewOf(memory).within(0, math.MaxUint64).items()
			if len(merged) != n || !slices.IsSortedFunc(merged, item.compare) {
				t.Errorf("%d values, sorted: %v; want %d sorted values",
					len(merged), slices.IsSortedFunc(merged, item.compare), n)
			}
		})
	}
}

func (s *series) viewOf(memory *slab) *View {
	h := &Head{slab: *memory}
	v := h.view(s, blocks{}, new(viewRoom))
	return &v
}

func (s *series) runCount() int {
	if s.large == nil {
		return 1
	}
	return len(s.large.list)
}

// TestRunsStayFewInAnyOrder is TestRunsStayFew for random orders.
func TestRunsStayFewInAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, memory := &series{record: "record"}, &slab{shift: 6}
		count := 0
		pages := rapid.SliceOfN(rapid.IntRange(1, 40), 1, 100).Draw(t, "lengths of pages")
		for _, length := range pages {
			start := rapid.Uint64Range(0, 1000).Draw(t, "start")
			for i := range length {
				count++
				s.add(item{timestamp: start + uint64(i), number: uint32(count)}, 2, memory)
			}
			if got, limit := s.runCount(), bits.Len(uint(count)); got > limit {
				t.Fatalf("%d runs after %d values; want at most %d", got, count, limit)
			}
		}
	})
}

// TestSections takes some items after another from the front and from the end of each part of runs
// of several lengths.
func TestSections(t *testing.T) {
	for _, count := range []int{0, 1, 2, 3, 4, 7, 8, 20, 40} {
		var r run
		var all []item
		for i := range count {
			all = append(all, item{timestamp: uint64(10 + i), number: uint32(i)})
			r.append(all[i], &slab{shift: 6})
		}
		for from := range count + 1 {
			for to := from; to <= count; to++ {
				part := section{}
				if from < to {
					part = r.within(uint64(10+from), uint64(9+to))
				}
				for n := 1; n <= to-from+2; n++ {
					front, back := takeFronts(part, n), takeBacks(part, n)
					if !slices.Equal(front, all[from:to]) || !slices.Equal(back, all[from:to]) {
						t.Fatalf("items %d to %d of %d, %d at a time: %v from the front, %v from the end",
							from, to, count, n, front, back)
					}
				}
			}
		}
	}
}

// takeFronts takes all items from the front of a section, at most n at a time.
func takeFronts(s section, n int) (items []item) {
	for !s.empty() {
		taken := s.front()
		taken = taken[:min(len(taken), n)]
		items = append(items, taken...)
		s.dropFront(len(taken))
	}
	return items
}

// takeBacks takes all items from the end of a section, at most n at a time, and returns them in
// order.
func takeBacks(s section, n int) (items []item) {
	for !s.empty() {
		taken := s.back()
		taken = taken[max(0, len(taken)-n):]
		items = append(slices.Clone(taken), items...)
		s.dropBack(len(taken))
	}
	return items
}
