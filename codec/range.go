// SPDX-License-Identifier: Apache-2.0

package codec

import (
	"math"
	"sort"
)

// Range says which values of a record are wanted: those with a timestamp from Start to End, and of
// these at most Limit. A Range with Start greater than End contains no value.
type Range struct {
	Start, End uint64 // timestamps in Unix ms, both inclusive
	Limit      int    // the largest number of values; 0 is no limit
	Newest     bool   // Limit keeps the newest values; false: the oldest
}

// All is the range of all values.
var All = Range{End: math.MaxUint64}

// Empty reports whether no timestamp is in the range.
func (r Range) Empty() bool { return r.Start > r.End }

// Unbounded reports whether every timestamp is in the range. A limit makes no difference.
func (r Range) Unbounded() bool { return r.Start == 0 && r.End == math.MaxUint64 }

// Contains reports whether a timestamp is in the range.
func (r Range) Contains(timestamp uint64) bool { return r.Start <= timestamp && timestamp <= r.End }

// Overlaps reports whether a timestamp from oldest to newest is in the range. r must not be empty.
func (r Range) Overlaps(oldest, newest uint64) bool { return oldest <= r.End && r.Start <= newest }

// MaxValues returns the largest number of values that are wanted: Limit, or math.MaxInt without a
// limit.
func (r Range) MaxValues() int {
	if r.Limit <= 0 {
		return math.MaxInt
	}
	return r.Limit
}

// indexes returns which of count ordered values are wanted: those with an index from `from` to
// before `to`. timestampAt returns the timestamp of a value; nil means that all are in the range.
func (r Range) indexes(count int, timestampAt func(i int) uint64) (from, to int) {
	if timestampAt == nil {
		return r.limit(0, count)
	}
	from = sort.Search(count, func(i int) bool { return timestampAt(i) >= r.Start })
	to = sort.Search(count, func(i int) bool { return timestampAt(i) > r.End })
	return r.limit(from, max(from, to))
}

// steadyIndexes is indexes for timestamps that grow by step from first on.
func (r Range) steadyIndexes(count int, first, step uint64) (from, to int) {
	if step == 0 {
		return r.indexes(count, func(int) uint64 { return first })
	}
	if r.Start > first {
		from = int(min((r.Start-first-1)/step+1, uint64(count)))
	}
	if r.End >= first {
		to = int(min((r.End-first)/step, uint64(count)-1)) + 1
	}
	return r.limit(from, max(from, to))
}

// limit returns which of the values are wanted with an index from `from` to before `to`, whose
// timestamps are in the range.
func (r Range) limit(from, to int) (limitedFrom, limitedTo int) {
	switch limit := r.MaxValues(); {
	case to-from <= limit:
		return from, to
	case r.Newest:
		return to - limit, to
	default:
		return from, from + limit
	}
}
