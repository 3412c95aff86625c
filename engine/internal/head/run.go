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

// item is one value. It holds no pointer, so that the garbage collector passes over a full head, and is as small as
// it can be, so that the ends of many records' runs stay in the processor's cache.
type item struct {
	timestamp uint64
	number    uint32 // its sequence number, from the head's lowest on
	value     uint32 // where it is in the arena
}

func (i item) compare(other item) int {
	return cmp.Or(cmp.Compare(i.timestamp, other.timestamp), cmp.Compare(i.number, other.number))
}

const (
	itemSize    = int64(unsafe.Sizeof(item{}))
	mostInBlock = 16
)

// slab hands out memory for blocks of items. Devices report their records in the same order over and over, so the
// blocks that are being filled lie behind one another, where the processor finds them; the ends of long arrays would
// lie on as many pages, at about the same place of each, where its caches hold few.
type slab struct {
	free      []item
	size      int // items to allocate at a time
	allocated int64
}

// take returns an empty block for n items, mostInBlock of them at the most.
func (s *slab) take(n int) []item {
	if len(s.free) < n {
		s.free = make([]item, s.size)
		s.allocated += int64(s.size) * itemSize
	}
	block := s.free[:0:n]
	s.free = s.free[n:]
	return block
}

// run is items in order. It is only ever appended to: a copy of it stays what it was.
type run struct {
	full  [][]item // blocks that take no more, or the one array of a run that was merged
	last  []item   // the block behind them that is being filled; empty only if there is none
	count uint32
	own   uint32 // memory in bytes that is not the slab's
}

func (r *run) append(it item, s *slab) {
	if len(r.last) == cap(r.last) {
		r.extend(s)
	}
	r.last = append(r.last, it)
	r.count++
}

// extend begins a block, twice as large as the one before: a record may never have more than a few values.
func (r *run) extend(s *slab) {
	if n := len(r.last); n > 0 {
		before := cap(r.full)
		r.full = append(r.full, r.last)
		r.own += uint32(cap(r.full)-before) * uint32(unsafe.Sizeof(r.last))
	}
	r.last = s.take(min(max(2*len(r.last), 1), mostInBlock))
}

// mergedRun returns the items of both as one run.
func mergedRun(a, b run, memory *slab) run {
	all, more := a.all(), b.all()
	items := codec.Merge(all.items(), more.items(), item.compare)
	if len(items) <= mostInBlock {
		return run{last: append(memory.take(len(items)), items...), count: uint32(len(items))}
	}
	full := [][]item{items}
	return run{full: full, count: uint32(len(items)), own: uint32(cap(items))*uint32(itemSize) + uint32(unsafe.Sizeof(items))}
}

// blockCount is how many blocks there are.
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

func (r *run) all() span { return span{run: *r, to: position{block: r.blockCount()}} }

// within returns the items with timestamps from start to end.
func (r *run) within(start, end uint64) span {
	if start > end {
		return span{}
	}
	s := r.all()
	s.from = r.search(start)
	if end < math.MaxUint64 {
		s.to = r.search(end + 1)
	}
	return s
}

// search returns the position of the first item with a timestamp that is at least so much.
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

// position is where an item is in a run. Behind the last one it is the beginning of a block that is not there.
type position struct{ block, item int }

// span is the items of a run between two positions.
type span struct {
	run
	from, to position
}

// spanOf returns a span of items that are in order.
func spanOf(items []item) span {
	return span{run: run{last: items, count: uint32(len(items))}, to: position{item: len(items)}}
}

func (s span) empty() bool { return s.from == s.to }

// blocks yields the items block by block.
func (s span) blocks() iter.Seq[[]item] {
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

// items returns all of them as one slice, which may be the run's own.
func (s span) items() (items []item) {
	oneBlock := s.from.block == s.to.block || s.to == position{block: s.from.block + 1}
	for block := range s.blocks() {
		if oneBlock {
			return block
		}
		items = append(items, block...)
	}
	return items
}

// first returns the first n at the most.
func (s span) first(n int) span {
	at := s.from
	for at.block < s.to.block && n >= len(s.block(at.block))-at.item {
		n -= len(s.block(at.block)) - at.item
		at = position{block: at.block + 1}
	}
	if at.block < s.to.block || n < s.to.item-at.item {
		s.to = position{at.block, at.item + n}
	}
	return s
}

// last returns the last n at the most.
func (s span) last(n int) span {
	at := s.to
	for at.block > s.from.block && n > at.item {
		n -= at.item
		at = position{at.block - 1, len(s.block(at.block - 1))}
	}
	if at.item -= n; at.block > s.from.block || at.item > s.from.item {
		s.from = at
	}
	return s
}
