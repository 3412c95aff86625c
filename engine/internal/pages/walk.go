// SPDX-License-Identifier: Apache-2.0

package pages

// Walk calls element for every key of the bucket, in order. It calls fault for every damaged page,
// whose keys it skips. It ends when one of the functions returns an error.
func (b *Bucket) Walk(element func(key, value []byte) error, fault func(error) error) error {
	root, err := b.loadRoot()
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
		if err == nil && depth+1 == maxDepth {
			err = b.damage(p.child(i), p.key(i), tooDeep)
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

// pages appends the bucket's pages to dst.
func (b *Bucket) pages(dst []uint64) ([]uint64, error) {
	if b.root == 0 {
		return dst, nil
	}
	root, err := b.loadRoot()
	if err != nil {
		return nil, err
	}
	return b.appendPages(dst, root, 0)
}

// appendPages appends a page and those that it leads to.
func (b *Bucket) appendPages(dst []uint64, p page, depth int) ([]uint64, error) {
	// The second condition is true if a page leads to itself, or several lead to one.
	if depth == maxDepth || uint64(len(dst)) > b.image.pages() {
		return nil, b.damage(p.id, nil, "the pages of the bucket do not make a tree")
	}
	for i := range uint64(len(p.data) / b.image.pageSize) {
		dst = append(dst, p.id+i)
	}
	if p.leaf {
		return dst, nil
	}
	for i := range p.count {
		child, err := b.load(p.child(i), p.key(i))
		if err != nil {
			return nil, err
		}
		if dst, err = b.appendPages(dst, child, depth+1); err != nil {
			return nil, err
		}
	}
	return dst, nil
}
