// SPDX-License-Identifier: Apache-2.0

package head

import (
	"iter"
	"slices"

	"github.com/daybook-db/daybook/codec"
)

// series is one record's values, as sorted runs. A value goes to the first run that it does not precede;
// in order, that is always the only one. A value that precedes them all starts a new run. A run that a
// value has made half as long as the one before is merged with it, so that each stays more than twice as
// long as the next: n values in any order are at most log n runs, for O(log n) work each. Runs are only
// ever appended to or replaced by new ones, never changed, since views share them.
type series struct {
	record   string
	follower *series // that was added to after it
	newest   uint64  // the timestamp of the first run's last value
	bytes    uint64  // of JSON
	latest   uint32  // the number of the value that was added last, the greatest
	runs     []run   // in first, as long as there is but one
	first    [1]run  // beside the rest, where the processor has it when it has that
}

func newSeries(record string) *series {
	s := &series{record: record}
	s.runs = s.first[:0]
	return s
}

// add adds a value of so many bytes, and returns by how many the series grew beside the slab.
func (s *series) add(it item, length int, memory *slab) (grown int64) {
	s.latest = it.number
	s.bytes += uint64(length)
	if len(s.runs) == 1 && it.timestamp >= s.newest { // in order, as most are
		run := &s.runs[0]
		before := run.own
		run.append(it, memory)
		s.newest = it.timestamp
		return int64(run.own - before)
	}
	before := s.own()
	at := slices.IndexFunc(s.runs, func(r run) bool { return r.newest().compare(it) < 0 })
	if at < 0 {
		at = len(s.runs)
		s.runs = append(s.runs, run{})
	}
	s.runs[at].append(it, memory)
	for ; at > 0 && s.runs[at-1].count <= 2*s.runs[at].count; at-- {
		s.runs = slices.Replace(s.runs, at-1, at+1, mergedRun(s.runs[at-1], s.runs[at], memory))
	}
	s.newest = s.runs[0].newest().timestamp
	return s.own() - before
}

// own is the memory that is not the slab's, in bytes.
func (s *series) own() (total int64) {
	for i := range s.runs {
		total += int64(s.runs[i].own)
	}
	return total
}

// View is one record's values as they were when it was captured. It is immutable.
type View struct {
	Record string
	runs   []run
	bytes  uint64
	lowest uint64 // sequence number of the head
	blocks blocks
}

func (v *View) entry(it item) codec.Entry {
	return codec.Entry{Timestamp: it.timestamp, Sequence: v.lowest + uint64(it.number), Value: v.blocks.at(it.value)}
}

// Empty reports whether the view holds no value.
func (v *View) Empty() bool { return len(v.runs) == 0 }

// Entries appends the values that are wanted to dst, in order. Their bytes belong to the head.
func (v *View) Entries(dst []codec.Entry, wanted codec.Range) []codec.Entry {
	items := v.within(wanted.Start, wanted.End)
	if wanted.Limit > 0 && wanted.Newest {
		items = items.last(wanted.Limit)
	} else if wanted.Limit > 0 {
		items = items.first(wanted.Limit)
	}
	for block := range items.blocks() {
		v.blocks.fetch(block)
		for _, it := range block {
			dst = append(dst, v.entry(it))
		}
	}
	return dst
}

// within returns the items with timestamps from start to end, of all runs.
func (v *View) within(start, end uint64) span {
	var all span
	for i := len(v.runs) - 1; i >= 0; i-- { // the short ones first
		if s := v.runs[i].within(start, end); all.empty() {
			all = s
		} else if !s.empty() {
			all = spanOf(codec.Merge(s.items(), all.items(), item.compare))
		}
	}
	return all
}

// Since yields the values behind a sequence number, in no particular order. Their bytes belong to the head.
func (v *View) Since(sequence uint64) iter.Seq[codec.Entry] {
	return func(yield func(codec.Entry) bool) {
		for i := range v.runs {
			for block := range v.runs[i].all().blocks() {
				for _, it := range block {
					if v.lowest+uint64(it.number) > sequence && !yield(v.entry(it)) {
						return
					}
				}
			}
		}
	}
}

// Count is the number of values.
func (v *View) Count() int {
	count := 0
	for i := range v.runs {
		count += int(v.runs[i].count)
	}
	return count
}

// Bytes is the total length of the values' JSON.
func (v *View) Bytes() uint64 { return v.bytes }

// Bounds returns the least and the greatest timestamp. The view must not be empty.
func (v *View) Bounds() (oldest, newest uint64) {
	oldest = v.runs[0].oldest().timestamp
	for i := range v.runs {
		oldest = min(oldest, v.runs[i].oldest().timestamp)
		newest = max(newest, v.runs[i].newest().timestamp)
	}
	return oldest, newest
}
