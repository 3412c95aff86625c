// SPDX-License-Identifier: Apache-2.0

package codec

import "sort"

// Part is what of a chunk is wanted: values from Start to End (Unix ms), both inclusive, and of those not
// more than Limit, counted from the newest or from the oldest.
type Part struct {
	Start, End uint64
	Limit      int
	Newest     bool
}

// Whole is all of a chunk.
var Whole = Part{End: ^uint64(0), Limit: int(^uint(0) >> 1)}

// of returns which of count values the part has: from one to before another. at tells their timestamps, which
// are in order; nil: they are all within its times.
func (p Part) of(count int, at func(i int) uint64) (from, to int) {
	from, to = 0, count
	if at != nil {
		from = sort.Search(count, func(i int) bool { return at(i) >= p.Start })
		to = max(from, sort.Search(count, func(i int) bool { return at(i) > p.End }))
	}
	switch {
	case to-from <= p.Limit:
		return from, to
	case p.Newest:
		return to - p.Limit, to
	}
	return from, from + p.Limit
}
