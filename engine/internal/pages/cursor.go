// SPDX-License-Identifier: Apache-2.0

package pages

import (
	"bytes"
	"sort"
)

// Cursor moves through the keys of a bucket in order, as a bbolt.Cursor does. The keys and values
// that it returns are mapped memory, valid as long as the image. After an error, only Seek, First
// and Last may be called.
type Cursor struct {
	bucket *Bucket
	path   []element // from the root to a leaf; empty before the first move
	room   [usualDepth]element
}

// usualDepth is the depth up to which a cursor needs no further memory for its path: that of some
// ten million pages.
const usualDepth = 4

// element is one element of a page.
type element struct {
	page  page
	index int
}

// Cursor returns a cursor that has no position yet.
func (b *Bucket) Cursor() *Cursor {
	c := &Cursor{bucket: b}
	c.path = c.room[:0]
	return c
}

// First moves to the smallest key, and returns it; nil if the bucket is empty.
func (c *Cursor) First() (key, value []byte, err error) {
	if err := c.descend(0, (*page).first); err != nil {
		return nil, nil, err
	}
	return c.settleForward()
}

// Last moves to the greatest key, and returns it; nil if the bucket is empty.
func (c *Cursor) Last() (key, value []byte, err error) {
	if err := c.descend(0, (*page).last); err != nil {
		return nil, nil, err
	}
	return c.settleBackward()
}

// Seek moves to the first key that is not less than wanted, and returns it; nil if there is none.
func (c *Cursor) Seek(wanted []byte) (key, value []byte, err error) {
	if err := c.descend(0, func(p *page) int { return p.search(wanted) }); err != nil {
		return nil, nil, err
	}
	return c.settleForward()
}

// SeekUpTo moves to the last key that is not greater than wanted, and returns it; nil if there is
// none.
func (c *Cursor) SeekUpTo(wanted []byte) (key, value []byte, err error) {
	if err := c.descend(0, func(p *page) int { return p.searchUpTo(wanted) }); err != nil {
		return nil, nil, err
	}
	return c.settleBackward()
}

// Advance does what Seek does, for a key that is not less than the current one. It is faster where
// the wanted key is near.
func (c *Cursor) Advance(wanted []byte) (key, value []byte, err error) {
	if len(c.path) == 0 {
		return c.Seek(wanted)
	}
	leaf := c.leaf()
	p, near := &leaf.page, leaf.index+nearKeys
	if leaf.index < 0 || leaf.index >= p.count || bytes.Compare(p.key(p.count-1), wanted) < 0 {
		return c.Seek(wanted)
	}
	for bytes.Compare(p.key(leaf.index), wanted) < 0 {
		if leaf.index++; leaf.index == near {
			leaf.index = p.search(wanted)
			break
		}
	}
	return c.current()
}

// nearKeys is the number of keys that Advance looks at before it searches.
const nearKeys = 4

// Get returns the value of a key; nil if the bucket does not have the key.
func (c *Cursor) Get(key []byte) (value []byte, err error) {
	found, value, err := c.Seek(key)
	if err != nil || !bytes.Equal(found, key) {
		return nil, err
	}
	return value, nil
}

// Next moves to the next key, and returns it; nil at the end, where the cursor stays.
func (c *Cursor) Next() (key, value []byte, err error) {
	if len(c.path) == 0 {
		return nil, nil, nil
	}
	if leaf := c.leaf(); leaf.index < leaf.page.count {
		leaf.index++
	}
	return c.settleForward()
}

// Prev moves to the previous key, and returns it; nil at the beginning, where the cursor stays.
func (c *Cursor) Prev() (key, value []byte, err error) {
	if len(c.path) == 0 {
		return nil, nil, nil
	}
	if leaf := c.leaf(); leaf.index >= 0 {
		leaf.index--
	}
	return c.settleBackward()
}

func (c *Cursor) leaf() *element { return &c.path[len(c.path)-1] }

// settleForward returns the key and value at the cursor. If the cursor is past the last element of
// its leaf, it first moves to the next leaf that has elements.
func (c *Cursor) settleForward() (key, value []byte, err error) {
	for c.leaf().index >= c.leaf().page.count {
		if moved, err := c.moveToNeighbour(1, (*page).first); !moved || err != nil {
			return nil, nil, err
		}
	}
	return c.current()
}

// settleBackward does what settleForward does, in the other direction.
func (c *Cursor) settleBackward() (key, value []byte, err error) {
	for c.leaf().index < 0 {
		if moved, err := c.moveToNeighbour(-1, (*page).last); !moved || err != nil {
			return nil, nil, err
		}
	}
	return c.current()
}

func (c *Cursor) current() (key, value []byte, err error) {
	leaf := c.leaf()
	return leaf.page.key(leaf.index), leaf.page.value(leaf.index), nil
}

// moveToNeighbour moves to the next leaf in a direction, 1 or -1, and reports whether there is one.
// If there is none, the cursor does not move.
func (c *Cursor) moveToNeighbour(direction int, choose func(*page) int) (moved bool, err error) {
	for level := len(c.path) - 2; level >= 0; level-- {
		branch := &c.path[level]
		if index := branch.index + direction; index >= 0 && index < branch.page.count {
			branch.index = index
			return true, c.descend(level+1, choose)
		}
	}
	return false, nil
}

// descend fills the path from a level down to a leaf. choose returns the index of the element to
// follow in each page. The page at a level is not read again if the path has it already.
func (c *Cursor) descend(level int, choose func(*page) int) error {
	for ; ; level++ {
		if err := c.load(level); err != nil {
			c.path = c.path[:0]
			return err
		}
		at := &c.path[level]
		at.index = choose(&at.page)
		if at.page.leaf {
			return nil
		}
	}
}

// load puts the page that the level above leads to into the path.
func (c *Cursor) load(level int) (err error) {
	if level == 0 {
		if len(c.path) == 0 {
			var root page
			root, err = c.bucket.loadRoot()
			c.path = append(c.path, element{page: root})
		}
		return err
	}
	parent := &c.path[level-1]
	id, firstKey := parent.page.child(parent.index), parent.page.key(parent.index)
	if level < len(c.path) && c.path[level].page.id == id {
		return nil
	}
	c.path = c.path[:level]
	if level >= maxDepth {
		return c.bucket.damage(id, firstKey, tooDeep)
	}
	p, err := c.bucket.load(id, firstKey)
	c.path = append(c.path, element{page: p})
	return err
}

// first returns the index of a page's first element.
func (p *page) first() int { return 0 }

// last returns the index of a page's last element.
func (p *page) last() int { return p.count - 1 }

// search returns the index of a branch's element to follow for a key, or of a leaf's first element
// whose key is not less. For a leaf the index may be past the last element.
func (p *page) search(key []byte) int {
	index := sort.Search(p.count, func(i int) bool { return bytes.Compare(p.key(i), key) >= 0 })
	if p.leaf || index < p.count && bytes.Equal(p.key(index), key) {
		return index
	}
	return max(index-1, 0)
}

// searchUpTo is search for a leaf's last element whose key is not greater; -1 if there is none.
func (p *page) searchUpTo(key []byte) int {
	index := p.search(key)
	if p.leaf && (index == p.count || !bytes.Equal(p.key(index), key)) {
		return index - 1
	}
	return index
}
