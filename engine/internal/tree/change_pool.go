// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"cmp"
	"slices"

	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/arena"
)

// changeBounds bound the memory of a ChangeReader. A pool may exceed them by one chunk.
type changeBounds struct {
	values, bytes      int // number of the values of a batch, and length of their JSON
	places, placeBytes int // number of places, and length of their keys
}

var defaultChangeBounds = changeBounds{values: 256 << 10, bytes: 16 << 20, places: 64 << 10, placeBytes: 8 << 20}

// changePool collects the values of a batch.
type changePool struct {
	max     changeBounds
	changes []Change // in no order
	bytes   int      // of their JSON
	arena   arena.Values
}

func (p *changePool) clear() {
	clear(p.changes)
	p.changes, p.bytes, p.arena = p.changes[:0], 0, arena.Values{}
}

func (p *changePool) isFull() bool { return p.bytes > p.max.bytes || len(p.changes) > p.max.values }

// add adds copies of those of a decoded chunk's values whose numbers are from one number through
// another.
func (p *changePool) add(b *codec.Buffer, record string, from, through uint64) {
	copies := p.copyAll(b)
	for i := range b.Entries {
		e := b.Entries[i]
		n := len(e.Value)
		isWanted := e.Sequence >= from && e.Sequence <= through
		switch {
		case copies != nil:
			e.Value, copies = copies[:n:n], copies[n:]
		case isWanted:
			e.Value = p.arena.Copy(e.Value)
		}
		if isWanted {
			p.changes = append(p.changes, Change{record, e})
			p.bytes += n
		}
	}
}

// copyAll copies the memory of all decoded values at once, if that is worth an allocation of its
// own. Otherwise it returns nil.
func (p *changePool) copyAll(b *codec.Buffer) []byte {
	if len(b.Values) < arena.MinBlock || len(b.Values) > arena.MaxBlock {
		return nil
	}
	return slices.Clone(b.Values)
}

// endAt removes the values whose numbers are greater than last.
func (p *changePool) endAt(last uint64) {
	p.changes = slices.DeleteFunc(p.changes, func(c Change) bool { return c.Sequence > last })
}

// take returns the values in order. They are valid until the pool is used again; their bytes
// belong to the caller.
func (p *changePool) take() []Change {
	if !slices.IsSortedFunc(p.changes, compareSequences) {
		p.sort()
	}
	return p.changes
}

func compareSequences(a, b Change) int { return cmp.Compare(a.Sequence, b.Sequence) }

// sort sorts the values. Where most numbers between the least and the greatest are there, it need
// not compare them.
func (p *changePool) sort() {
	least, greatest := p.changes[0].Sequence, p.changes[0].Sequence
	for i := range p.changes {
		least, greatest = min(least, p.changes[i].Sequence), max(greatest, p.changes[i].Sequence)
	}
	if greatest-least >= 4*uint64(len(p.changes)) {
		slices.SortFunc(p.changes, compareSequences)
		return
	}
	slots := make([]int32, greatest-least+1) // index of the value with that number, plus 1
	for i := range p.changes {
		slots[p.changes[i].Sequence-least] = int32(i) + 1
	}
	ranks, rank := make([]int32, len(p.changes)), int32(0)
	for _, slot := range slots {
		if slot > 0 {
			ranks[slot-1] = rank
			rank++
		}
	}
	for i := range ranks {
		for at := ranks[i]; at != int32(i); at = ranks[i] {
			p.changes[i], p.changes[at] = p.changes[at], p.changes[i]
			ranks[i], ranks[at] = ranks[at], at
		}
	}
}

// shrink keeps about half of what the pool may have, in new memory: the values with the smallest
// numbers. It returns the greatest of these.
func (p *changePool) shrink() (last uint64) {
	p.take()
	all := p.changes
	p.bytes, p.arena = 0, arena.Values{}
	kept := 0
	for kept < len(all) && kept < max(p.max.values/2, 1) {
		c := &all[kept]
		if kept > 0 && p.bytes+len(c.Value) > p.max.bytes/2 {
			break
		}
		p.bytes += len(c.Value)
		c.Value = p.arena.Copy(c.Value)
		last = c.Sequence
		kept++
	}
	clear(all[kept:])
	p.changes = all[:kept]
	return last
}
