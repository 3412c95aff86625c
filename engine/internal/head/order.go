// SPDX-License-Identifier: Apache-2.0

package head

import (
	"slices"
	"sort"
	"unsafe"
)

// order is the numbers of a table's series, sorted by name. It is a tree of two levels: a list of
// leaves that have at most maxLeaf numbers each. A new number moves half a leaf in memory, and a
// new leaf moves half of the list, which is short.
type order struct {
	leaves    []leaf // none is empty
	allocated int64  // bytes
}

// leaf is some numbers that follow one another.
type leaf struct {
	first   string // the name of the first one, so that a search need not look into the leaf
	numbers []uint32
}

const (
	maxLeaf    = 128
	leafSize   = int64(unsafe.Sizeof(leaf{}))
	numberSize = int64(unsafe.Sizeof(uint32(0)))
)

// leafOf returns the index of the last leaf whose first name is at most name, or of the first leaf.
func (o *order) leafOf(name string) int {
	after := sort.Search(len(o.leaves), func(i int) bool { return o.leaves[i].first > name })
	return max(after-1, 0)
}

// search returns the place of the first name in a leaf that is at least name.
func (l *leaf) search(t *table, name string) int {
	return sort.Search(len(l.numbers), func(i int) bool { return t.at(l.numbers[i]).record >= name })
}

// add adds a series of the table.
func (o *order) add(t *table, number uint32) {
	name := t.at(number).record
	if len(o.leaves) == 0 {
		o.insertLeaf(0, leaf{first: name})
	}
	at := o.leafOf(name)
	place := o.leaves[at].search(t, name)
	if len(o.leaves[at].numbers) == maxLeaf {
		at, place = o.split(t, at, place)
	}
	l := &o.leaves[at]
	before := cap(l.numbers)
	l.numbers = slices.Insert(l.numbers, place, number)
	o.allocated += int64(cap(l.numbers)-before) * numberSize
	if place == 0 {
		l.first = name
	}
}

// split makes room in a full leaf for a number at a place. It returns the leaf and the place where
// the number belongs then. Names that come in order fill their leaves.
func (o *order) split(t *table, at, place int) (newAt, newPlace int) {
	half := maxLeaf / 2
	if place == maxLeaf && at == len(o.leaves)-1 {
		half = maxLeaf
	}
	full := o.leaves[at].numbers
	right := leaf{numbers: append(make([]uint32, 0, maxLeaf), full[half:]...)}
	if half < maxLeaf {
		right.first = t.at(right.numbers[0]).record
	}
	o.leaves[at].numbers = full[:half]
	o.insertLeaf(at+1, right)
	if place > half || half == maxLeaf {
		return at + 1, place - half
	}
	return at, place
}

func (o *order) insertLeaf(at int, l leaf) {
	before := cap(o.leaves)
	o.leaves = slices.Insert(o.leaves, at, l)
	o.allocated += int64(cap(o.leaves)-before)*leafSize + int64(cap(l.numbers))*numberSize
}

// ascend yields the series whose names are at least from, sorted by name.
func (o *order) ascend(t *table, from string, yield func(*series) bool) {
	place := 0
	at := o.leafOf(from)
	if at < len(o.leaves) {
		place = o.leaves[at].search(t, from)
	}
	for ; at < len(o.leaves); at, place = at+1, 0 {
		for _, number := range o.leaves[at].numbers[place:] {
			if !yield(t.at(number)) {
				return
			}
		}
	}
}

// at returns the number at a place of the order, from 0.
func (o *order) at(place int) uint32 {
	for i := range o.leaves {
		if n := len(o.leaves[i].numbers); place >= n {
			place -= n
			continue
		}
		return o.leaves[i].numbers[place]
	}
	panic("head: there is no record at this place")
}
