// SPDX-License-Identifier: Apache-2.0

package head

import (
	"math"
	"math/bits"
	"slices"
)

// small is the values of a record that has few of them, all in order: blocks of 1, 2, 4 and 8 items
// of the slab. In a head with very many records most have no others. It takes no memory outside the
// slab. Like those of a run, its items are only appended.
type small struct {
	blocks [smallBlocks]uint32 // places in the slab
	count  uint32              // number of items
	bytes  uint32              // total length of the values' JSON
}

const (
	smallBlocks = 4
	maxSmall    = 1<<smallBlocks - 1 // number of items
)

// placeOf returns the block that has the i-th item, and its place in the block.
func placeOf(i uint32) (block int, within uint32) {
	block = bits.Len32(i+1) - 1
	return block, i + 1 - 1<<block
}

// add adds an item of length bytes, and reports whether it did: it must come after the others, and
// have room.
func (s *small) add(it item, length int, memory *slab) (added bool) {
	isFull := s.count == maxSmall || uint64(s.bytes)+uint64(length) > math.MaxUint32
	if isFull || s.count > 0 && it.timestamp < s.newest(memory) {
		return false
	}
	block, within := placeOf(s.count)
	if within == 0 {
		s.blocks[block] = memory.take(1 << block)
	}
	*memory.at(s.blocks[block] + within) = it
	s.count++
	s.bytes += uint32(length)
	return true
}

// newest returns the timestamp of the last item. There must be one.
func (s *small) newest(memory *slab) uint64 {
	block, within := placeOf(s.count - 1)
	return memory.at(s.blocks[block] + within).timestamp
}

// fullBlocks returns the number of blocks before the last one. There must be an item.
func (s *small) fullBlocks() int {
	last, _ := placeOf(s.count - 1)
	return last
}

// run returns a run that shares the items. The list of its full blocks is appended to room. There
// must be an item.
func (s *small) run(memory *slab, room [][]item) (run, [][]item) {
	start := len(room)
	last, within := placeOf(s.count - 1)
	for i := range last {
		room = append(room, memory.block(s.blocks[i], 1<<i))
	}
	r := run{last: memory.block(s.blocks[last], 1<<last)[:within+1], count: s.count}
	if last > 0 {
		r.full = slices.Clip(room[start:])
	}
	return r, room
}
