// SPDX-License-Identifier: Apache-2.0

package head

import (
	"slices"
	"unsafe"
)

// runs is the values of one record, as sorted runs. A value is appended to the first run whose last
// value comes before it. When values come in order, that is always the first and only run. A value
// that comes before the last value of every run starts a new run.
//
// A run is merged with the run before it when it has grown to half that run's length. So each run
// is more than twice as long as the next, n values in any order are at most log n runs, and adding
// a value takes O(log n) time. A run is only appended to or replaced by a new one, because views
// share runs.
type runs struct {
	newest uint64 // timestamp of the first run's last value
	bytes  uint64 // total length of the values' JSON
	merged uint32 // item.number of the value that was added last when runs were merged
	list   []run  // uses the memory of first while there is only one run
	first  [1]run // is part of the runs, so that one access brings both into the cache
}

// runsOf returns runs that have the values of a small, and the memory that they take outside the
// slab, in bytes.
func runsOf(s *small, memory *slab) (rs *runs, own int64) {
	rs = &runs{bytes: uint64(s.bytes)}
	rs.list = rs.first[:]
	rs.first[0], _ = s.run(memory, make([][]item, 0, smallBlocks-1))
	rs.first[0].own = uint32(cap(rs.first[0].full)) * uint32(unsafe.Sizeof(rs.first[0].last))
	rs.newest = rs.first[0].newest().timestamp
	return rs, int64(unsafe.Sizeof(*rs)) + rs.own()
}

// add adds an item of length bytes. It returns by how many bytes the memory outside the slab has
// grown.
func (rs *runs) add(it item, length int, memory *slab) (grown int64) {
	rs.bytes += uint64(length)
	if it.timestamp >= rs.newest { // most values come in order, and belong to the first run
		run := &rs.list[0]
		before := run.own
		run.append(it, memory)
		rs.newest = it.timestamp
		return int64(run.own - before)
	}
	before := rs.own()
	at := slices.IndexFunc(rs.list, func(r run) bool { return r.newest().compare(it) < 0 })
	if at < 0 {
		at = len(rs.list)
		rs.list = append(rs.list, run{})
	}
	rs.list[at].append(it, memory)
	for ; at > 0 && rs.list[at-1].count <= 2*rs.list[at].count; at-- {
		rs.list = slices.Replace(rs.list, at-1, at+1, mergedRun(rs.list[at-1], rs.list[at], memory))
		rs.merged = it.number
	}
	rs.newest = rs.list[0].newest().timestamp
	return rs.own() - before
}

// own returns the memory of the runs outside the slab, in bytes.
func (rs *runs) own() (total int64) {
	for i := range rs.list {
		total += int64(rs.list[i].own)
	}
	return total
}
