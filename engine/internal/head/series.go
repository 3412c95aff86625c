// SPDX-License-Identifier: Apache-2.0

package head

import (
	"iter"
	"sync/atomic"
	"unsafe"

	"github.com/daybook-db/daybook/codec"
)

// series is the values of one record. Heads have up to millions of them.
type series struct {
	record   string
	large    *runs // the values, if there are too many for small, or they are not in order
	notes    atomic.Pointer[Notes]
	small    small
	latest   uint32 // item.number of the value that was added last, the greatest one
	follower uint32 // 1 + the number of the series that a value was added to next, the last time
}

const seriesSize = int64(unsafe.Sizeof(series{}))

// Record is a record in a head. It stays the same as long as the head.
type Record = series

// Name returns the record's name.
func (s *series) Name() string { return s.record }

// Notes are what the head's owner knows of a record. The owner guards Tag. Size does not count
// their memory.
type Notes struct {
	Tag  any
	Mark atomic.Uint64
}

// Notes returns the record's notes, and creates them if there are none. One goroutine at a time may
// call it.
func (s *series) Notes() *Notes {
	if s.notes.Load() == nil {
		s.notes.Store(new(Notes))
	}
	return s.notes.Load()
}

// Mark returns the Mark of the record's notes, 0 if there are none.
func (s *series) Mark() uint64 {
	if notes := s.notes.Load(); notes != nil {
		return notes.Mark.Load()
	}
	return 0
}

// bytes returns the total length of the values' JSON.
func (s *series) bytes() uint64 {
	if s.large != nil {
		return s.large.bytes
	}
	return uint64(s.small.bytes)
}

// add adds a value of length bytes. It returns by how many bytes the series' memory outside the
// slab has grown.
func (s *series) add(it item, length int, memory *slab) (grown int64) {
	s.latest = it.number
	if s.large == nil {
		if s.small.add(it, length, memory) {
			return 0
		}
		s.large, grown = runsOf(&s.small, memory)
	}
	return grown + s.large.add(it, length, memory)
}

// View is the values of one record at the moment of its capture. It is immutable.
type View struct {
	Record        string
	runs          []run
	bytes         uint64 // total length of the values' JSON
	latest        uint32 // as in series
	merged        uint32 // as in runs
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
