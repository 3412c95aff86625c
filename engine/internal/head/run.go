// SPDX-License-Identifier: Apache-2.0

package head

import (
	"cmp"
	"iter"
	"math"
	"slices"
	"sort"
	"unsafe"

	"github.com/daybook-db/daybook/codec"
)

// item is one value. It has no pointer, so the garbage collector does not scan the items of a head.
// It is small, so the ends of many records' runs stay in the processor's cache.
type item struct {
	timestamp uint64
	number    uint32 // the sequence number minus the head's first sequence number
	value     uint32 // the offset of the value in the arena
}

func (i item) compare(other item) int {
	return cmp.Or(cmp.Compare(i.timestamp, other.timestamp), cmp.Compare(i.number, other.number))
}

const (
	itemSize      = int64(unsafe.Sizeof(item{}))
	maxBlockItems = 16
)

// slab allocates memory for blocks of items. Devices report their records in the same order again
// and again. So the blocks that are being filled are neighbours in memory, which the processor
// caches well. If each record had one long array, the ends of these arrays would be on different
// pages, at similar offsets, and a processor's cache holds few addresses with the same offset.
type slab struct {
	chunks    [][]item // of 1<<shift items
	shift     uint
	used      int   // number of items used in the last chunk
	allocated int64 // total size of the chunks, in bytes
}

// take returns the place of an empty block for n items. n is at most maxBlockItems.
func (s *slab) take(n int) (place uint32) {
	if size := 1 << s.shift; len(s.chunks) == 0 || s.used+n > size {
		s.chunks, s.used = append(s.chunks, make([]item, size)), 0
		s.allocated += int64(size) * itemSize
	}
	place = uint32((len(s.chunks)-1)<<s.shift + s.used)
	s.used += n
	return place
}

// at returns the item at a place.
func (s *slab) at(place uint32) *item { return &s.chunks[place>>s.shift][place&(1<<s.shift-1)] }

// block returns the block of n items at a place.
func (s *slab) block(place uint32, n int) []item {
	within := int(place & (1<<s.shift - 1))
	return s.chunks[place>>s.shift][within : within+n : within+n]
}

// run is a sorted list of items. Items are only appended, so a copy of a run never changes.
type run struct {
	full  [][]item // full blocks; in a merged run, one array of any length
	last  []item   // the block after them, which is being filled; empty only if there is none
	count uint32   // number of items
	own   uint32   // bytes of memory that do not come from the slab
}

func (r *run) append(it item, s *slab) {
	if len(r.last) == cap(r.last) {
		r.extend(s)
	}
	r.last = append(r.last, it)
	r.count++
}

// extend begins a new block. It is twice as large as the block before it, because many records
// never have more than a few values.
func (r *run) extend(s *slab) {
	if n := len(r.last); n > 0 {
		before := cap(r.full)
		r.full = append(r.full, r.last)
		r.own += uint32(cap(r.full)-before) * uint32(unsafe.Sizeof(r.last))
	}
	n := min(max(2*len(r.last), 1), maxBlockItems)
	r.last = s.block(s.take(n), n)[:0]
}

// mergedRun returns a run of the items of both runs.
func mergedRun(a, b run, memory *slab) run {
	first, second := a.all(), b.all()
	items := codec.Merge(first.items(), second.items(), item.compare)
	if len(items) <= maxBlockItems {
		block := memory.block(memory.take(len(items)), len(items))
		copy(block, items)
		return run{last: block, count: uint32(len(items))}
	}
	full := [][]item{items}
	own := uint32(cap(items))*uint32(itemSize) + uint32(unsafe.Sizeof(items))
	return run{full: full, count: uint32(len(items)), own: own}
}

// dropEnd removes the items at the end whose numbers are greater than bound. The run must not have
// been merged since the item with that number was added.
func (r *run) dropEnd(bound uint32, removed func(item)) {
	for r.count > 0 && r.newest().number > bound {
		removed(r.newest())
		r.count--
		if len(r.last) == 0 {
			r.last, r.full = r.full[len(r.full)-1], r.full[:len(r.full)-1]
		}
		r.last = r.last[:len(r.last)-1]
	}
}

// upTo returns a run of the items whose numbers are not greater than bound.
func (r *run) upTo(bound uint32, removed func(item)) run {
	var items []item
	for block := range r.all().blocks() {
		for _, it := range block {
			if it.number <= bound {
				items = append(items, it)
			} else {
				removed(it)
			}
		}
	}
	return run{last: items, count: uint32(len(items))}
}

// blockCount returns the number of blocks that have items.
func (r *run) blockCount() int {
	if len(r.last) == 0 {
		return len(r.full)
	}
	return len(r.full) + 1
}

func (r *run) block(i int) []item {
	if i < len(r.full) {
		return r.full[i]
	}
	return r.last
}

func (r *run) oldest() item { return r.block(0)[0] }

func (r *run) newest() item {
	last := r.block(r.blockCount() - 1)
	return last[len(last)-1]
}

func (r *run) all() section { return section{run: *r, to: position{block: r.blockCount()}} }

// within returns the items with timestamps from start to end, both inclusive.
func (r *run) within(start, end uint64) section {
	if start > end {
		return section{}
	}
	s := r.all()
	s.from = r.search(start)
	if end < math.MaxUint64 {
		s.to = r.search(end + 1)
	}
	return s
}

// search returns the position of the first item whose timestamp is at least timestamp.
func (r *run) search(timestamp uint64) position {
	n := r.blockCount()
	at := sort.Search(n, func(i int) bool {
		block := r.block(i)
		return block[len(block)-1].timestamp >= timestamp
	})
	if at == n {
		return position{block: n}
	}
	within, _ := slices.BinarySearchFunc(r.block(at), timestamp, func(it item, timestamp uint64) int {
		return cmp.Compare(it.timestamp, timestamp)
	})
	return position{at, within}
}

// position is the place of an item in a run. The position after the last item is the start of a
// block that does not exist.
type position struct{ block, item int }

// section is the items of a run from one position up to another, which is excluded.
type section struct {
	run
	from, to position
}

// sectionOf returns a section of sorted items.
func sectionOf(items []item) section {
	return section{run: run{last: items, count: uint32(len(items))}, to: position{item: len(items)}}
}

func (s section) empty() bool { return s.from == s.to }

// blocks yields the items, one block after another.
func (s section) blocks() iter.Seq[[]item] {
	return func(yield func([]item) bool) {
		from := s.from
		for ; from.block < s.to.block; from = (position{block: from.block + 1}) {
			if !yield(s.block(from.block)[from.item:]) {
				return
			}
		}
		if from.item < s.to.item {
			yield(s.block(from.block)[from.item:s.to.item])
		}
	}
}

// items returns the items as one slice, which may share memory with the run.
func (s section) items() (items []item) {
	oneBlock := s.from.block == s.to.block || s.to == position{block: s.from.block + 1}
	for block := range s.blocks() {
		if oneBlock {
			return block
		}
		items = append(items, block...)
	}
	return items
}

// front returns the items at the front that lie in one block. The section must not be empty.
func (s *section) front() []item {
	block := s.block(s.from.block)
	if s.from.block == s.to.block {
		block = block[:s.to.item]
	}
	return block[s.from.item:]
}

// back returns the items at the end that lie in one block. The section must not be empty.
func (s *section) back() []item {
	if s.to.item == 0 {
		s.to = position{s.to.block - 1, len(s.block(s.to.block - 1))}
	}
	block := s.block(s.to.block)[:s.to.item]
	if s.from.block == s.to.block {
		block = block[s.from.item:]
	}
	return block
}

// dropFront removes n items of those that front returns.
func (s *section) dropFront(n int) {
	s.from.item += n
	if s.from.block < s.to.block && s.from.item == len(s.block(s.from.block)) {
		s.from = position{block: s.from.block + 1}
	}
}

// dropBack removes n items of those that back returns.
func (s *section) dropBack(n int) { s.to.item -= n }
