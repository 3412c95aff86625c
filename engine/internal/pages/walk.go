// SPDX-License-Identifier: Apache-2.0

package pages

// Walk calls element for every key of the bucket, in order, and fault for every page that is damaged, whose keys are
// then left out, until one of them returns an error.
func (b *Bucket) Walk(element func(key, value []byte) error, fault func(error) error) error {
	root, err := b.first()
	if err != nil {
		return fault(err)
	}
	return b.walk(root, 0, element, fault)
}

func (b *Bucket) walk(p page, depth int, element func(key, value []byte) error, fault func(error) error) error {
	for i := range p.count {
		if p.leaf {
			if err := element(p.key(i), p.value(i)); err != nil {
				return err
			}
			continue
		}
		child, err := b.load(p.child(i), p.key(i))
		if err == nil && depth == mostDepth {
			err = b.view.fault(b.name, p.child(i), p.key(i), "it lies too deep")
		}
		if err != nil {
			if err := fault(err); err != nil {
				return err
			}
			continue
		}
		if err := b.walk(child, depth+1, element, fault); err != nil {
			return err
		}
	}
	return nil
}

// pages appends the bucket's pages.
func (b *Bucket) pages(dst []uint64) ([]uint64, error) {
	if b.root == 0 {
		return dst, nil
	}
	root, err := b.first()
	if err != nil {
		return nil, err
	}
	return b.below(dst, root, 0)
}

func (b *Bucket) below(dst []uint64, p page, depth int) ([]uint64, error) {
	if depth == mostDepth || uint64(len(dst)) > b.view.pages() { // a page that is reached twice, or from itself
		return nil, b.view.fault(b.name, p.id, nil, "the pages of the bucket do not make a tree")
	}
	for further := range uint64(len(p.data) / b.view.pageSize) {
		dst = append(dst, p.id+further)
	}
	if p.leaf {
		return dst, nil
	}
	for i := range p.count {
		child, err := b.load(p.child(i), p.key(i))
		if err != nil {
			return nil, err
		}
		if dst, err = b.below(dst, child, depth+1); err != nil {
			return nil, err
		}
	}
	return dst, nil
}

// Guard holds against the table what a write transaction is about to read through bbolt.
type Guard struct {
	cursor *Cursor
	around map[uint64]bool // the leaves whose surroundings have been read
	size   int             // of those leaves, in bytes
	read   map[uint64]bool // the pages that have been read as somebody's surroundings
}

// Guard returns a guard of the bucket as it was when the transaction began.
func (b *Bucket) Guard() *Guard {
	return &Guard{cursor: b.Cursor(), around: make(map[uint64]bool), read: make(map[uint64]bool)}
}

// Around reads the pages on the way to a key, their neighbours under the same parent, which bbolt may merge
// them with, and the leaves before and behind, which a cursor may step to.
func (g *Guard) Around(key []byte) error {
	if _, _, err := g.cursor.Seek(key); err != nil {
		return err
	}
	leaf, size := g.cursor.leaf().page.id, len(g.cursor.leaf().page.data)
	if g.around[leaf] {
		return nil
	}
	atEdge := false // the leaf before or behind has another parent
	for level := range len(g.cursor.path) - 1 {
		branch := &g.cursor.path[level]
		atEdge = branch.at == 0 || branch.at == branch.page.last()
		for at := max(branch.at-1, 0); at <= min(branch.at+1, branch.page.last()); at++ {
			if err := g.readOnce(branch.page.child(at), branch.page.key(at)); err != nil {
				return err
			}
		}
	}
	if atEdge {
		if err := g.leavesAround(key); err != nil {
			return err
		}
	}
	g.around[leaf] = true
	g.size += size
	return nil
}

// Size is how long the leaves are, together, that hold the keys which it has read around, in bytes. If all of those
// are changed, it is about what the transaction writes again.
func (g *Guard) Size() int { return g.size }

func (g *Guard) readOnce(id uint64, from []byte) error {
	if g.read[id] {
		return nil
	}
	_, err := g.cursor.bucket.load(id, from)
	g.read[id] = err == nil
	return err
}

// leavesAround reads the leaves before and behind the one that the cursor stands in.
func (g *Guard) leavesAround(key []byte) error {
	if _, err := g.cursor.neighbour(1, func(*page) int { return 0 }); err != nil {
		return err
	}
	if _, _, err := g.cursor.Seek(key); err != nil {
		return err
	}
	_, err := g.cursor.neighbour(-1, (*page).last)
	return err
}
