// SPDX-License-Identifier: Apache-2.0

package pages

import (
	"bytes"
	"sort"
)

// Cursor walks a bucket in the order of its keys, as a bbolt.Cursor does. Keys and values are mapped memory,
// valid as long as the view. After an error it must be moved with Seek, First or Last.
type Cursor struct {
	bucket *Bucket
	path   []step // from the root to a leaf; empty before the first move
}

// step is an element of a page.
type step struct {
	page page
	at   int
}

// Cursor returns a cursor that stands nowhere yet.
func (b *Bucket) Cursor() *Cursor { return &Cursor{bucket: b} }

// First moves to the least key, and returns it; nil if there is none.
func (c *Cursor) First() (key, value []byte, err error) {
	if err := c.descend(0, func(*page) int { return 0 }); err != nil {
		return nil, nil, err
	}
	return c.orNext()
}

// Last moves to the greatest key, and returns it; nil if there is none.
func (c *Cursor) Last() (key, value []byte, err error) {
	if err := c.descend(0, (*page).last); err != nil {
		return nil, nil, err
	}
	return c.orPrev()
}

// Seek moves to the first key that is not less than wanted, and returns it; nil if there is none.
func (c *Cursor) Seek(wanted []byte) (key, value []byte, err error) {
	if err := c.descend(0, func(p *page) int { return p.search(wanted) }); err != nil {
		return nil, nil, err
	}
	return c.orNext()
}

// Get returns the value of a key; nil if there is none.
func (c *Cursor) Get(key []byte) (value []byte, err error) {
	found, value, err := c.Seek(key)
	if err != nil || !bytes.Equal(found, key) {
		return nil, err
	}
	return value, nil
}

// Next moves to the next key, and returns it; nil at the end, where it stays.
func (c *Cursor) Next() (key, value []byte, err error) {
	if len(c.path) == 0 {
		return nil, nil, nil
	}
	if leaf := c.leaf(); leaf.at < leaf.page.count {
		leaf.at++
	}
	return c.orNext()
}

// Prev moves to the key before, and returns it; nil at the beginning, where it stays.
func (c *Cursor) Prev() (key, value []byte, err error) {
	if len(c.path) == 0 {
		return nil, nil, nil
	}
	if leaf := c.leaf(); leaf.at >= 0 {
		leaf.at--
	}
	return c.orPrev()
}

func (c *Cursor) leaf() *step { return &c.path[len(c.path)-1] }

// orNext returns the element that the cursor stands at; behind the end of a leaf, the first of the next.
func (c *Cursor) orNext() (key, value []byte, err error) {
	for c.leaf().at >= c.leaf().page.count {
		if moved, err := c.neighbour(1, func(*page) int { return 0 }); !moved || err != nil {
			return nil, nil, err
		}
	}
	return c.here()
}

// orPrev is orNext in the other direction.
func (c *Cursor) orPrev() (key, value []byte, err error) {
	for c.leaf().at < 0 {
		if moved, err := c.neighbour(-1, (*page).last); !moved || err != nil {
			return nil, nil, err
		}
	}
	return c.here()
}

func (c *Cursor) here() (key, value []byte, err error) {
	leaf := c.leaf()
	return leaf.page.key(leaf.at), leaf.page.value(leaf.at), nil
}

// neighbour moves to the next leaf in a direction, and reports whether there is one. It moves nothing if
// there is none.
func (c *Cursor) neighbour(direction int, choose func(*page) int) (moved bool, err error) {
	for level := len(c.path) - 2; level >= 0; level-- {
		branch := &c.path[level]
		if at := branch.at + direction; at >= 0 && at < branch.page.count {
			branch.at = at
			return true, c.descend(level+1, choose)
		}
	}
	return false, nil
}

// descend sets the path from a level on, where choose says which element of each page to follow. The page at
// a level is not read again if it stands there already.
func (c *Cursor) descend(level int, choose func(*page) int) error {
	for ; ; level++ {
		if err := c.enter(level); err != nil {
			c.path = c.path[:0]
			return err
		}
		at := &c.path[level]
		at.at = choose(&at.page)
		if at.page.leaf {
			c.path = c.path[:level+1]
			return nil
		}
	}
}

// enter puts the page that the level above leads to at a level.
func (c *Cursor) enter(level int) (err error) {
	if level == 0 {
		if len(c.path) == 0 {
			var root page
			root, err = c.bucket.first()
			c.path = append(c.path, step{page: root})
		}
		return err
	}
	parent := &c.path[level-1]
	id, from := parent.page.child(parent.at), parent.page.key(parent.at)
	if level < len(c.path) && c.path[level].page.id == id {
		return nil
	}
	c.path = c.path[:level]
	if level >= mostDepth {
		return c.bucket.view.fault(c.bucket.name, id, from, "it lies too deep")
	}
	p, err := c.bucket.load(id, from)
	c.path = append(c.path, step{page: p})
	return err
}

// last is a page's last element.
func (p *page) last() int { return p.count - 1 }

// search returns the element of a branch to follow for a key, or of a leaf the first that is not less, which
// may be behind the last.
func (p *page) search(key []byte) int {
	at := sort.Search(p.count, func(i int) bool { return bytes.Compare(p.key(i), key) >= 0 })
	if p.leaf || at < p.count && bytes.Equal(p.key(at), key) {
		return at
	}
	return max(at-1, 0)
}
