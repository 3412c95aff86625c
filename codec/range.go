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
	from, to = 0, count
	if timestampAt != nil {
		from = sort.Search(count, func(i int) bool { return timestampAt(i) >= r.Start })
		to = max(from, sort.Search(count, func(i int) bool { return timestampAt(i) > r.End }))
	}
	switch limit := r.MaxValues(); {
	case to-from <= limit:
		return from, to
	case r.Newest:
		return to - limit, to
	default:
		return from, from + limit
	}
}
