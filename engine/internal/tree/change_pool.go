// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"cmp"
	"slices"
	"unsafe"

	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/arena"
)

// changeBounds bound the memory of a ChangeReader. A pool may exceed them by one chunk, and a list
// of places has up to twice as many.
type changeBounds struct {
	values int // in a pool
	memory int // of a pool, in bytes: JSON, names, and what it has for each value and chunk
	places int
}

var defaultChangeBounds = changeBounds{values: 512 << 10, memory: 32 << 20, places: 128 << 10}

// maxTaken is the maximum number of values that a pool returns at once.
const maxTaken = 4 << 10

// changePool collects values, and then returns them in the order of their numbers. It has them in a
// compact form: the more fit, the less often a chunk is decoded.
type changePool struct {
	max     changeBounds
	values  []pooledValue
	sources []changeSource
	json    valueBlocks
	memory  int      // in bytes
	order   []uint32 // indexes of the values in the order of their numbers; nil: they are in order
	taken   int      // number of values that take has returned
	batch   []Change // what take returned last
}

// pooledValue is a value in a pool. It has no pointer, so that the garbage collector need not look
// at it.
type pooledValue struct {
	sequence, timestamp uint64
	json                blockPlace
	length              uint32
	source              uint32 // index of its source
}

// changeSource is where values of a pool come from.
type changeSource struct {
	record string
	place  int // index of the place in a list; noPlace: there is none
}

const noPlace = -1

// The memory of a value and of a source, in bytes, except for its JSON and its name.
const (
	valueSize  = int(unsafe.Sizeof(pooledValue{})) + int(unsafe.Sizeof(uint32(0)))
	sourceSize = int(unsafe.Sizeof(changeSource{}))
)

// clear removes all values. The memory of their JSON belongs to the callers of take.
func (p *changePool) clear() {
	clear(p.sources)
	p.values, p.sources, p.json = p.values[:0], p.sources[:0], valueBlocks{}
	p.memory, p.order, p.taken = 0, p.order[:0], 0
}

// reserve makes room for about as many values, so that the pool grows once.
func (p *changePool) reserve(values int) { p.values = slices.Grow(p.values, values+values/16) }

func (p *changePool) isFull() bool { return p.memory > p.max.memory || len(p.values) > p.max.values }

// isEmpty reports whether take has returned all values.
func (p *changePool) isEmpty() bool { return p.taken == len(p.values) }

// add adds copies of those of a decoded chunk's values whose numbers are from one number through
// another. It returns the length of their JSON.
func (p *changePool) add(b *codec.Buffer, source changeSource, from, through uint64) (length int) {
	before := len(p.values)
	for i := range b.Entries {
		e := &b.Entries[i]
		if e.Sequence >= from && e.Sequence <= through {
			p.values = append(p.values, pooledValue{sequence: e.Sequence, timestamp: e.Timestamp,
				json: p.json.add(e.Value), length: uint32(len(e.Value)), source: uint32(len(p.sources))})
			length += len(e.Value)
		}
	}
	if added := len(p.values) - before; added > 0 {
		p.addSource(source)
		p.memory += added*valueSize + length
	}
	return length
}

// addSource adds a source. It shares the name with the source before, if that has the same.
func (p *changePool) addSource(source changeSource) {
	if last := len(p.sources) - 1; last >= 0 && p.sources[last].record == source.record {
		source.record = p.sources[last].record
	}
	p.sources = append(p.sources, source)
	p.memory += sourceSize + len(source.record)
}

// endAt removes the values whose numbers are greater than last.
func (p *changePool) endAt(last uint64) {
	p.values = slices.DeleteFunc(p.values, func(v pooledValue) bool { return v.sequence > last })
}

// next returns the number of the value that take returns next; noValue if there is none.
func (p *changePool) next() uint64 {
	if p.isEmpty() {
		return noValue
	}
	return p.at(p.taken).sequence
}

// take returns the next values up to a number in order, after sort. They are valid until the pool
// is used again; their bytes belong to the caller.
func (p *changePool) take(through uint64) []Change {
	end := min(len(p.values), p.taken+maxTaken)
	p.batch = p.batch[:0]
	for ; p.taken < end; p.taken++ {
		v := p.at(p.taken)
		if v.sequence > through {
			break
		}
		p.batch = append(p.batch, Change{p.sources[v.source].record,
			codec.Entry{Timestamp: v.timestamp, Sequence: v.sequence, Value: p.json.get(v.json, v.length)}})
	}
	return p.batch
}

// at returns a value by its index in the order of the numbers.
func (p *changePool) at(index int) *pooledValue {
	if len(p.order) > 0 {
		index = int(p.order[index])
	}
	return &p.values[index]
}

// sort finds the order of the values. It distributes them to buckets of neighbouring numbers. Where
// most numbers are there, each bucket has one value, and no two values are compared.
func (p *changePool) sort() {
	p.order = p.order[:0]
	compare := func(a, b pooledValue) int { return cmp.Compare(a.sequence, b.sequence) }
	if slices.IsSortedFunc(p.values, compare) {
		return
	}
	least, greatest := uint64(noValue), uint64(0)
	for i := range p.values {
		least, greatest = min(least, p.values[i].sequence), max(greatest, p.values[i].sequence)
	}
	shift := 0
	for (greatest-least)>>shift >= 2*uint64(len(p.values)) {
		shift++
	}
	ends := make([]uint32, (greatest-least)>>shift+2) // of the buckets: at first, of those before
	for i := range p.values {
		ends[(p.values[i].sequence-least)>>shift+1]++
	}
	for i := 1; i < len(ends); i++ {
		ends[i] += ends[i-1]
	}
	p.order = slices.Grow(p.order, len(p.values))[:len(p.values)]
	for i := range p.values {
		end := &ends[(p.values[i].sequence-least)>>shift]
		p.order[*end] = uint32(i)
		*end++
	}
	if shift > 0 {
		p.sortBuckets(ends)
	}
}

// sortBuckets sorts the values of each bucket.
func (p *changePool) sortBuckets(ends []uint32) {
	start := uint32(0)
	for _, end := range ends {
		if end > start+1 {
			slices.SortFunc(p.order[start:end], func(a, b uint32) int {
				return cmp.Compare(p.values[a].sequence, p.values[b].sequence)
			})
		}
		start = end
	}
}

// shrink keeps about half of what the pool may have, in new memory: the values with the smallest
// numbers. It gives the others back to their places, and returns the greatest number that it keeps.
func (p *changePool) shrink(places placeList) (last uint64) {
	p.sort()
	old := *p
	*p = changePool{max: p.max, values: make([]pooledValue, 0, len(old.values)/2+1), batch: p.batch}
	renumbered := make([]uint32, len(old.sources)) // index of each source in p plus 1
	for i := range old.values {
		v := *old.at(i)
		source := old.sources[v.source]
		if isFull := len(p.values) >= p.max.values/2 || p.memory >= p.max.memory/2; isFull && i > 0 {
			if source.place != noPlace {
				places[source.place].giveBack(v.sequence, v.length)
			}
			continue
		}
		if renumbered[v.source] == 0 {
			p.addSource(source)
			renumbered[v.source] = uint32(len(p.sources))
		}
		last, v.source = v.sequence, renumbered[v.source]-1
		v.json = p.json.add(old.json.get(v.json, v.length))
		p.values = append(p.values, v)
		p.memory += valueSize + int(v.length)
	}
	return last
}

// blockPlace is the place of a value in valueBlocks: the index of its block, and 16 bits for where
// it begins in the block.
type blockPlace uint32

// valueBlocks has copies of values, in blocks of memory.
type valueBlocks struct {
	blocks [][]byte
	size   int // of the last block
}

// add adds a copy of a value. A value that is longer than any block has a block of its own.
func (b *valueBlocks) add(value []byte) blockPlace {
	last := len(b.blocks) - 1
	if last < 0 || len(value) > cap(b.blocks[last])-len(b.blocks[last]) {
		b.size = min(max(2*b.size, arena.MinBlock), arena.MaxBlock)
		b.blocks = append(b.blocks, make([]byte, 0, max(b.size, len(value))))
		last++
	}
	block := &b.blocks[last]
	at := blockPlace(last)<<16 | blockPlace(len(*block))
	*block = append(*block, value...)
	return at
}

// get returns the copy of a value.
func (b *valueBlocks) get(at blockPlace, length uint32) []byte {
	block, start := b.blocks[at>>16], uint32(at&0xffff)
	return block[start : start+length : start+length]
}
