// SPDX-License-Identifier: Apache-2.0

package pages

import (
	"bytes"
	"slices"
)

// Guard verifies the pages that a write transaction is about to read through bbolt.
type Guard struct {
	cursor    *Cursor
	verified  map[uint64]page
	leaves    map[uint64]bool // the leaves whose surroundings are verified
	leafBytes int             // total length of leaves
	leafUsed  int             // total length of their keys and values
	pageBytes int             // total length of verified, and of the root
}

// Guard returns a guard of the bucket as it was when the transaction began.
func (b *Bucket) Guard() *Guard {
	return &Guard{cursor: b.Cursor(), verified: make(map[uint64]page), leaves: make(map[uint64]bool)}
}

// VerifyAround verifies the pages on the way to a key, and beside each of them those with which
// bbolt may merge it, or to which a cursor may move.
func (g *Guard) VerifyAround(key []byte) error {
	if g.isInLastLeaf(key) {
		return nil
	}
	if _, _, err := g.cursor.Seek(key); err != nil {
		return err
	}
	path := g.cursor.path
	if len(g.leaves) == 0 {
		g.pageBytes += len(path[0].page.data)
	}
	leaf := &path[len(path)-1].page
	if g.leaves[leaf.id] {
		return nil
	}
	for level := 1; level < len(path); level++ {
		if _, err := g.child(&path[level-1]); err != nil {
			return err
		}
		for _, direction := range []int{-1, 1} {
			if err := g.verifyBeside(slices.Clone(path[:level]), direction); err != nil {
				return err
			}
		}
	}
	g.leaves[leaf.id] = true
	g.leafBytes += len(leaf.data)
	g.leafUsed += int(leaf.end)
	return nil
}

// isInLastLeaf reports whether a key lies within the leaf to which the last call has led, and that
// leaf's surroundings are verified. Most keys follow one that was near.
func (g *Guard) isInLastLeaf(key []byte) bool {
	path := g.cursor.path
	if len(path) == 0 {
		return false
	}
	leaf := &path[len(path)-1].page
	return leaf.leaf && g.leaves[leaf.id] && leaf.count > 0 &&
		bytes.Compare(leaf.key(0), key) <= 0 && bytes.Compare(key, leaf.key(leaf.count-1)) <= 0
}

// LeafBytes returns the total length of the leaves that have the keys given to VerifyAround, in
// bytes. If all of them are changed, the transaction writes about this many bytes.
func (g *Guard) LeafBytes() int { return g.leafBytes }

// LeafUsed is LeafBytes without the free room in the leaves.
func (g *Guard) LeafUsed() int { return g.leafUsed }

// PageBytes returns the total length of the pages that VerifyAround has verified, in bytes. bbolt
// reads no others to change the keys given to it, and writes no others again.
func (g *Guard) PageBytes() int { return g.pageBytes }

// child returns the page that an element of a branch leads to.
func (g *Guard) child(of *element) (page, error) {
	id, firstKey := of.page.child(of.index), of.page.key(of.index)
	if p, ok := g.verified[id]; ok {
		return p, nil
	}
	p, err := g.cursor.bucket.load(id, firstKey)
	if err != nil {
		return page{}, err
	}
	g.verified[id] = p
	g.pageBytes += len(p.data)
	return p, nil
}

// minMergedKeys: bbolt merges a branch that has fewer keys, or less than half a page.
const minMergedKeys = 3

// verifyBeside verifies the pages on one side of the page to which a path leads, on its level.
// They may have other parents, because those may be merged, too.
//
// Of leaves it is one. bbolt merges a branch whenever it has lost another child, as long as it is
// small. So of branches they are as many as a merged one has at most: when they have enough keys
// together, it is not small any more, whatever else it loses.
func (g *Guard) verifyBeside(path []element, direction int) error {
	keys, size := 0, uint64(0)
	for step(path, direction) {
		last := len(path) - 1
		for level := range last {
			p, err := g.child(&path[level])
			if err != nil {
				return err
			}
			if p.id != path[level+1].page.id {
				path[level+1] = element{page: p, index: p.last()}
				if direction > 0 {
					path[level+1].index = p.first()
				}
			}
		}
		beside, err := g.child(&path[last])
		if err != nil {
			return err
		}
		keys, size = keys+beside.count, size+beside.end
		if beside.leaf || keys >= minMergedKeys && size > uint64(g.cursor.bucket.image.pageSize)/2 {
			return nil
		}
	}
	return nil
}

// step moves a path to the next element in a direction, and reports whether there is one. The pages
// below the branch in which it has moved are those of before.
func step(path []element, direction int) bool {
	for level := len(path) - 1; level >= 0; level-- {
		at := &path[level]
		if index := at.index + direction; index >= 0 && index < at.page.count {
			at.index = index
			return true
		}
	}
	return false
}
