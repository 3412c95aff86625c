// SPDX-License-Identifier: Apache-2.0

package head

import (
	"iter"
	"slices"
	"sync/atomic"

	"github.com/daybook-db/daybook/codec"
)

// series is the values of one record, as sorted runs. A value is appended to the first run whose
// last value comes before it. When values come in order, that is always the first and only run. A
// value that comes before the last value of every run starts a new run.
//
// A run is merged with the run before it when it has grown to half that run's length. So each run
// is more than twice as long as the next, n values in any order are at most log n runs, and adding
// a value takes O(log n) time. A run is only appended to or replaced by a new one, because views
// share runs.
type series struct {
	record   string
	follower *series // the series that a value was added to next, the last time
	newest   uint64  // timestamp of the first run's last value
	bytes    uint64  // total length of the values' JSON
	latest   uint32  // item.number of the value that was added last, the greatest one
	merged   uint32  // item.number of the value that was added last when runs were merged
	runs     []run   // uses the memory of first while there is only one run
	first    [1]run  // is part of the series, so that one access brings both into the cache

	// Tag and Mark are what the head's owner knows of the record. The owner guards Tag.
	Tag  any
	Mark atomic.Uint64
}

// Record is a record in a head. It stays the same as long as the head.
type Record = series

// Name returns the record's name.
func (s *series) Name() string { return s.record }

func newSeries(record string) *series {
	s := &series{record: record}
	s.runs = s.first[:0]
	return s
}

// add adds a value of length bytes. It returns by how many bytes the series' memory outside the
// slab has grown.
func (s *series) add(it item, length int, memory *slab) (grown int64) {
	s.latest = it.number
	s.bytes += uint64(length)
	if len(s.runs) == 1 && it.timestamp >= s.newest { // most values come in order
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
		s.merged = it.number
	}
	s.newest = s.runs[0].newest().timestamp
	return s.own() - before
}

// own returns the memory of the runs outside the slab, in bytes.
func (s *series) own() (total int64) {
	for i := range s.runs {
		total += int64(s.runs[i].own)
	}
	return total
}

// View is the values of one record at the moment of its capture. It is immutable.
type View struct {
	Record        string
	runs          []run
	bytes         uint64 // total length of the values' JSON
	latest        uint32 // as in series
	merged        uint32 // as in series
	firstSequence uint64 // of the head
	blocks        blocks
}

func (v *View) entry(it item) codec.Entry {
	return codec.Entry{
		Timestamp: it.timestamp,
		Sequence:  v.firstSequence + uint64(it.number),
		Value:     v.blocks.at(it.value),
	}
}

// cutAfter removes the values with sequence numbers greater than last.
func (v *View) cutAfter(last uint64) {
	if v.Empty() || v.firstSequence+uint64(v.latest) <= last {
		return
	}
	if last < v.firstSequence {
		v.runs, v.bytes = nil, 0
		return
	}
	bound := uint32(last - v.firstSequence)
	removed := func(it item) { v.bytes -= uint64(len(v.blocks.at(it.value))) }
	runs := v.runs[:0]
	for _, r := range v.runs {
		if v.merged <= bound {
			r.dropEnd(bound, removed)
		} else {
			r = r.upTo(bound, removed)
		}
		if r.count > 0 {
			runs = append(runs, r)
		}
	}
	v.runs, v.latest = runs, bound
}

// Empty reports whether the view has no values.
func (v *View) Empty() bool { return len(v.runs) == 0 }

// Entries appends the values within a range to dst, in order. It takes no notice of the limit. The
// bytes of the values belong to the head.
func (v *View) Entries(dst []codec.Entry, wanted codec.Range) []codec.Entry {
	for block := range v.within(wanted.Start, wanted.End).blocks() {
		v.blocks.prefetch(block)
		for _, it := range block {
			dst = append(dst, v.entry(it))
		}
	}
	return dst
}

// within returns the items of all runs with timestamps from start to end, both inclusive.
func (v *View) within(start, end uint64) section {
	var all section
	for i := len(v.runs) - 1; i >= 0; i-- { // the shortest run first
		if s := v.runs[i].within(start, end); all.empty() {
			all = s
		} else if !s.empty() {
			all = sectionOf(codec.Merge(s.items(), all.items(), item.compare))
		}
	}
	return all
}

// Since yields the values with a sequence number greater than sequence, in no particular order. The
// bytes of the values belong to the head.
func (v *View) Since(sequence uint64) iter.Seq[codec.Entry] {
	return func(yield func(codec.Entry) bool) {
		for i := range v.runs {
			for block := range v.runs[i].all().blocks() {
				for _, it := range block {
					if v.firstSequence+uint64(it.number) > sequence && !yield(v.entry(it)) {
						return
					}
				}
			}
		}
	}
}

// Count returns the number of values.
func (v *View) Count() int {
	count := 0
	for i := range v.runs {
		count += int(v.runs[i].count)
	}
	return count
}

// Bytes returns the total length of the values' JSON.
func (v *View) Bytes() uint64 { return v.bytes }

// Bounds returns the smallest and the greatest timestamp. The view must not be empty.
func (v *View) Bounds() (oldest, newest uint64) {
	oldest = v.runs[0].oldest().timestamp
	for i := range v.runs {
		oldest = min(oldest, v.runs[i].oldest().timestamp)
		newest = max(newest, v.runs[i].newest().timestamp)
	}
	return oldest, newest
}
