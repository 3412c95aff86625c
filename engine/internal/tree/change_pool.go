// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"cmp"
	"math"
	"slices"

	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/arena"
)

// changeBounds bound the memory of a ChangeReader. A pool may exceed its bounds by one chunk.
type changeBounds struct {
	bytes, values      int // of JSON, and number, of the values in the pool
	eager              int // bytes of JSON that are decoded before all places are known
	places, placeBytes int // number of places, and the length of their keys
}

var defaultChangeBounds = changeBounds{
	bytes: 16 << 20, values: 128 << 10, eager: 1 << 20, places: 64 << 10, placeBytes: 8 << 20,
}

// changePool has values that wait for values with smaller sequence numbers.
type changePool struct {
	max     changeBounds
	changes []pooledChange // in no order
	bytes   int            // of their JSON
	first   uint64         // at most the least of their numbers
	arena   arena.Values
}

// pooledChange is a value and the place that it was read from. The values of a place that are in
// the pool are all those from its from through its through, without what take has returned.
type pooledChange struct {
	Change
	origin *place
}

func (p *changePool) isFull() bool { return p.bytes > p.max.bytes || len(p.changes) > p.max.values }

// add adds copies of a decoded chunk's values, which are those of a place. If the pool has no room
// for all of them, it adds those up to limit, and returns the place of the rest.
func (p *changePool) add(b *codec.Buffer, from place, limit uint64) (rest place, more bool) {
	origin, record := &from, from.record()
	if p.bytes+int(b.Header.ValueBytes) <= p.max.bytes && len(p.changes)+len(b.Entries) <= p.max.values {
		limit = math.MaxUint64
	}
	next, copies := uint64(math.MaxUint64), p.copyAll(b, from, limit)
	for i := range b.Entries {
		e := b.Entries[i]
		n := len(e.Value)
		switch {
		case e.Sequence < from.from || e.Sequence > from.through:
		case e.Sequence > limit:
			next = min(next, e.Sequence)
		default:
			if copies == nil {
				e.Value = p.arena.Copy(e.Value)
			} else {
				e.Value = copies[:n:n]
			}
			p.changes = append(p.changes, pooledChange{Change{record, e}, origin})
			p.bytes += n
			p.first = min(p.first, e.Sequence)
		}
		if copies != nil {
			copies = copies[n:]
		}
	}
	if next > from.through {
		return place{}, false
	}
	rest = from
	rest.from, origin.through = next, next-1
	return rest, true
}

// copyAll copies the memory of all values of a chunk at once, if all of them will be added, and
// they are worth an allocation of their own. Otherwise it returns nil.
func (p *changePool) copyAll(b *codec.Buffer, from place, limit uint64) []byte {
	h := &b.Header
	if b.Values == nil || len(b.Values) < arena.MinBlock || len(b.Values) > arena.MaxBlock ||
		h.MinSequence < from.from || h.MaxSequence > min(from.through, limit) {
		return nil
	}
	return slices.Clone(b.Values)
}

// take removes the values up to a number, and returns them in order.
func (p *changePool) take(limit uint64) (taken []Change) {
	least, greatest, count := uint64(math.MaxUint64), uint64(0), 0
	rest := uint64(math.MaxUint64)
	for i := range p.changes {
		if n := p.changes[i].Sequence; n <= limit {
			least, greatest, count = min(least, n), max(greatest, n), count+1
		} else {
			rest = min(rest, n)
		}
	}
	p.first = rest
	if count == 0 {
		return nil
	}
	taken = p.inOrder(limit, least, greatest, count)
	for i := range taken {
		p.bytes -= len(taken[i].Value)
	}
	p.changes = slices.DeleteFunc(p.changes, func(c pooledChange) bool { return c.Sequence <= limit })
	if len(p.changes) == 0 {
		p.arena = arena.Values{} // the rest of its block may be small beside what the caller keeps
	}
	return taken
}

// inOrder returns the count values with numbers up to limit, from least to greatest.
func (p *changePool) inOrder(limit, least, greatest uint64, count int) []Change {
	ordered := make([]Change, 0, count)
	if span := greatest - least + 1; span-1 < 4*uint64(count) { // the numbers are dense: no need to compare
		slots := make([]int32, span)
		for i := range p.changes {
			if n := p.changes[i].Sequence; n <= limit {
				slots[n-least] = int32(i) + 1
			}
		}
		for _, slot := range slots {
			if slot > 0 {
				ordered = append(ordered, p.changes[slot-1].Change)
			}
		}
		return ordered
	}
	for i := range p.changes {
		if p.changes[i].Sequence <= limit {
			ordered = append(ordered, p.changes[i].Change)
		}
	}
	slices.SortFunc(ordered, func(a, b Change) int { return cmp.Compare(a.Sequence, b.Sequence) })
	return ordered
}

// shrink keeps about half of what the pool may have, in new memory: the values with the smallest
// numbers. It returns the greatest number that it has kept, and the places of the others.
func (p *changePool) shrink() (cut uint64, removed []place) {
	slices.SortFunc(p.changes, func(a, b pooledChange) int { return cmp.Compare(a.Sequence, b.Sequence) })
	kept := 0
	p.bytes, p.arena = 0, arena.Values{}
	for kept < len(p.changes) && kept < p.max.values/2 {
		c := &p.changes[kept]
		if kept > 0 && p.bytes+len(c.Value) > p.max.bytes/2 {
			break
		}
		p.bytes += len(c.Value)
		c.Value = p.arena.Copy(c.Value)
		cut = c.Sequence
		kept++
	}
	seen := make(map[*place]bool)
	for _, c := range p.changes[kept:] {
		if !seen[c.origin] { // its other values have greater numbers
			seen[c.origin] = true
			rest := *c.origin
			rest.from, c.origin.through = c.Sequence, c.Sequence-1
			removed = append(removed, rest)
		}
	}
	clear(p.changes[kept:])
	p.changes = p.changes[:kept]
	return cut, removed
}

func sizeOf(changes []Change) (bytes int) {
	for i := range changes {
		bytes += len(changes[i].Value)
	}
	return bytes
}
