// SPDX-License-Identifier: Apache-2.0

package head

import (
	"cmp"
	"iter"
	"slices"

	"github.com/daybook-db/daybook/codec"
)

// item is one value. It holds no pointer, so that the garbage collector passes over a full head.
type item struct {
	timestamp uint64
	sequence  uint64
	value     place
}

const itemSize = 24

func (i item) compare(other item) int {
	return cmp.Or(cmp.Compare(i.timestamp, other.timestamp), cmp.Compare(i.sequence, other.sequence))
}

// series is one record's values, as sorted runs. A value goes to the first run that it does not precede;
// in order, that is always the only one. A value that precedes them all starts a new run. A run that a
// value has made half as long as the one before is merged with it, so that each stays more than twice as
// long as the next: n values in any order are at most log n runs, for O(log n) work each. Runs are only
// ever appended to or replaced by new ones, never changed, since views share them.
type series struct {
	record   string
	follower *series   // that was added to after it
	newest   uint64    // the timestamp of the first run's last value
	latest   uint64    // the sequence number of the value that was added last, the greatest
	runs     [][]item  // in first, as long as there is but one
	first    [1][]item // beside the rest, where the processor has it when it has that
}

func newSeries(record string) *series {
	s := &series{record: record}
	s.runs = s.first[:0]
	return s
}

// add adds a value and returns by how many bytes the series grew. Usually it gets so many values.
func (s *series) add(it item, usual int) int64 {
	s.latest = it.sequence
	if len(s.runs) == 1 && it.timestamp >= s.newest { // in order, as most are
		run := s.runs[0]
		s.runs[0], s.newest = extended(run, it, usual), it.timestamp
		return int64(cap(s.runs[0])-cap(run)) * itemSize
	}
	before := s.capacity()
	at := slices.IndexFunc(s.runs, func(run []item) bool { return run[len(run)-1].compare(it) < 0 })
	if at < 0 {
		at = len(s.runs)
		s.runs = append(s.runs, nil)
	}
	s.runs[at] = extended(s.runs[at], it, 0)
	for ; at > 0 && len(s.runs[at-1]) <= 2*len(s.runs[at]); at-- {
		s.runs = slices.Replace(s.runs, at-1, at+1, codec.Merge(s.runs[at-1], s.runs[at], item.compare))
	}
	s.newest = s.runs[0][len(s.runs[0])-1].timestamp
	return int64(s.capacity()-before) * itemSize
}

// extended is append, but that a run of some length grows towards its usual one, and beyond that by a quarter only:
// what no value takes up is memory that a head of many records has no other values for.
func extended(run []item, it item, usual int) []item {
	const doubling = 16
	if n := len(run); n == cap(run) && n >= doubling {
		run = append(slices.Grow([]item(nil), max(min(usual, 4*n), n+n/4)), run...)
	}
	return append(run, it)
}

func (s *series) capacity() int {
	total := 0
	for _, run := range s.runs {
		total += cap(run)
	}
	return total
}

// View is one record's values as they were when it was captured. It is immutable.
type View struct {
	Record string
	runs   [][]item
	blocks blocks
}

func (s *series) view(record string, b blocks) View {
	return View{Record: record, runs: slices.Clone(s.runs), blocks: b}
}

// Empty reports whether the view holds no value.
func (v *View) Empty() bool { return len(v.runs) == 0 }

// Range says which values of a view are wanted.
type Range struct {
	Start, End uint64 // timestamps, both inclusive
	Limit      int    // at most so many; 0: all
	Newest     bool   // with a limit, the last ones instead of the first
}

// Entries appends the values in the range to dst, in order. Their bytes belong to the head.
func (v *View) Entries(dst []codec.Entry, r Range) []codec.Entry {
	run := v.merged(r.Start, r.End)
	if excess := len(run) - r.Limit; r.Limit > 0 && excess > 0 {
		if r.Newest {
			run = run[excess:]
		} else {
			run = run[:r.Limit]
		}
	}
	for _, it := range run {
		dst = append(dst, codec.Entry{Timestamp: it.timestamp, Sequence: it.sequence, Value: v.blocks.at(it.value)})
	}
	return dst
}

// Since yields the values behind a sequence number, in no particular order. Their bytes belong to the head.
func (v *View) Since(sequence uint64) iter.Seq[codec.Entry] {
	return func(yield func(codec.Entry) bool) {
		for _, run := range v.runs {
			for _, it := range run {
				if it.sequence > sequence && !yield(codec.Entry{Timestamp: it.timestamp, Sequence: it.sequence, Value: v.blocks.at(it.value)}) {
					return
				}
			}
		}
	}
}

// Count is the number of values.
func (v *View) Count() int {
	count := 0
	for _, run := range v.runs {
		count += len(run)
	}
	return count
}

// Bytes is the total length of the values' JSON.
func (v *View) Bytes() (total uint64) {
	for _, run := range v.runs {
		for _, it := range run {
			total += uint64(it.value.length)
		}
	}
	return total
}

// Bounds returns the least and the greatest timestamp. The view must not be empty.
func (v *View) Bounds() (oldest, newest uint64) {
	oldest = v.runs[0][0].timestamp
	for _, run := range v.runs {
		oldest = min(oldest, run[0].timestamp)
		newest = max(newest, run[len(run)-1].timestamp)
	}
	return oldest, newest
}

// merged returns the items within the range as one run.
func (v *View) merged(start, end uint64) []item {
	var merged []item
	for i := len(v.runs) - 1; i >= 0; i-- { // the short ones first
		if run := within(v.runs[i], start, end); len(merged) == 0 {
			merged = run
		} else if len(run) > 0 {
			merged = codec.Merge(run, merged, item.compare)
		}
	}
	return merged
}

func within(run []item, start, end uint64) []item {
	from, _ := slices.BinarySearchFunc(run, start, func(it item, start uint64) int {
		return cmp.Compare(it.timestamp, start)
	})
	run = run[from:]
	to, _ := slices.BinarySearchFunc(run, end, func(it item, end uint64) int {
		if it.timestamp <= end {
			return -1
		}
		return 1
	})
	return run[:to]
}
