// SPDX-License-Identifier: Apache-2.0

package pages

// Guard verifies the pages that a write transaction is about to read through bbolt.
type Guard struct {
	cursor    *Cursor
	verified  map[uint64]bool // pages
	leaves    map[uint64]bool // the leaves whose surroundings are verified
	leafBytes int             // total length of leaves
	pageBytes int             // total length of verified, and of the root
}

// Guard returns a guard of the bucket as it was when the transaction began.
func (b *Bucket) Guard() *Guard {
	return &Guard{cursor: b.Cursor(), verified: make(map[uint64]bool), leaves: make(map[uint64]bool)}
}

// VerifyAround verifies the pages on the way to a key, their neighbours under the same parent, with
// which bbolt may merge them, and the previous and the next leaf, which a cursor may move to.
func (g *Guard) VerifyAround(key []byte) error {
	if _, _, err := g.cursor.Seek(key); err != nil {
		return err
	}
	if len(g.leaves) == 0 {
		g.pageBytes += len(g.cursor.path[0].page.data)
	}
	leaf, size := g.cursor.leaf().page.id, len(g.cursor.leaf().page.data)
	if g.leaves[leaf] {
		return nil
	}
	atEdge := false // the previous or the next leaf has another parent
	for level := range len(g.cursor.path) - 1 {
		branch := &g.cursor.path[level]
		atEdge = branch.index == 0 || branch.index == branch.page.last()
		for i := max(branch.index-1, 0); i <= min(branch.index+1, branch.page.last()); i++ {
			if err := g.verifyOnce(branch.page.child(i), branch.page.key(i)); err != nil {
				return err
			}
		}
	}
	if atEdge {
		if err := g.verifyLeavesAround(key); err != nil {
			return err
		}
	}
	g.leaves[leaf] = true
	g.leafBytes += size
	return nil
}

// LeafBytes returns the total length of the leaves that have the keys given to VerifyAround, in
// bytes. If all of them are changed, the transaction writes about this many bytes.
func (g *Guard) LeafBytes() int { return g.leafBytes }

// PageBytes returns the total length of the pages that VerifyAround has verified, in bytes. bbolt
// reads no others to change the keys given to it, and writes no others again.
func (g *Guard) PageBytes() int { return g.pageBytes }

func (g *Guard) verifyOnce(id uint64, firstKey []byte) error {
	if g.verified[id] {
		return nil
	}
	verified, err := g.cursor.bucket.load(id, firstKey)
	if err != nil {
		return err
	}
	g.verified[id] = true
	g.pageBytes += len(verified.data)
	return nil
}

// verifyLeavesAround verifies the leaves before and after the one with the key, at which the cursor
// is.
func (g *Guard) verifyLeavesAround(key []byte) error {
	if _, err := g.cursor.moveToNeighbour(1, (*page).first); err != nil {
		return err
	}
	if _, _, err := g.cursor.Seek(key); err != nil {
		return err
	}
	_, err := g.cursor.moveToNeighbour(-1, (*page).last)
	return err
}
