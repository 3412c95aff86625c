// SPDX-License-Identifier: Apache-2.0

package pages

import (
	"encoding/binary"
	"errors"
	"fmt"
	"testing"
)

// TestRingOfPages makes branches lead back to themselves or to the root. No table verifies these
// pages, as when a file is opened whose table is being read. Each way of reading the bucket must
// end, with an error that names a page.
func TestRingOfPages(t *testing.T) {
	f := grownFile(t, t.TempDir())
	defer f.bolt.Close()
	var root, branch uint64
	f.view(nil, func(im *Image) {
		b := mustBucket(t, im, large)
		top, err := b.loadRoot()
		if err != nil || top.leaf {
			t.Fatalf("the root is a leaf, or %v", err)
		}
		root, branch = b.root, top.child(0)
	})
	leadsTo := func(i int, id uint64) func(page []byte) {
		return func(page []byte) { binary.NativeEndian.PutUint64(page[headerLen+i*elementLen+8:], id) }
	}
	for _, test := range []struct {
		name, reason string
		page         uint64
		change       func(page []byte)
	}{
		{"the root leads to itself", "the depth grows without bound", root, leadsTo(0, root)},
		{"a branch leads to itself", "below the root too", branch, leadsTo(0, branch)},
		{"a branch leads to the root", "a ring of two pages", branch, leadsTo(1, root)},
	} {
		t.Run(test.name, func(t *testing.T) {
			f.withDamage(test.page, test.change, func(im *Image) {
				im.table = nil
				wantTooDeep(t, mustBucket(t, im, large))
			})
		})
	}
}

// wantTooDeep reads a bucket in each way, and wants an error.
func wantTooDeep(t *testing.T, b *Bucket) {
	t.Helper()
	if _, err := b.pages(nil); !errors.Is(err, ErrCorrupt) {
		t.Errorf("pages: got %v; want ErrCorrupt", err)
	}
	if keys, faults := walkAll(t, b); faults == 0 {
		t.Errorf("Walk: got %d keys and no fault; want at least one", keys)
	}
	if keys, err := countKeys(b); !errors.Is(err, ErrCorrupt) {
		t.Errorf("a cursor: got %v after %d keys; want ErrCorrupt", err, keys)
	}
}

// walkAll returns the numbers of keys and faults that Walk finds.
func walkAll(t *testing.T, b *Bucket) (keys, faults int) {
	t.Helper()
	err := b.Walk(func(_, _ []byte) error {
		if keys++; keys > len(b.image.data) {
			return errors.New("more keys than the file can hold")
		}
		return nil
	}, func(err error) error {
		if !errors.Is(err, ErrCorrupt) {
			t.Errorf("Walk: got fault %v; want ErrCorrupt", err)
		}
		faults++
		return nil
	})
	if err != nil {
		t.Errorf("Walk: %v", err)
	}
	return keys, faults
}

func countKeys(b *Bucket) (keys int, err error) {
	c := b.Cursor()
	key, _, err := c.First()
	for ; key != nil && err == nil && keys < len(b.image.data); keys++ {
		key, _, err = c.Next()
	}
	return keys, err
}

// TestDepth reads chains of pages: branches with one element, and a leaf with one key at the end.
func TestDepth(t *testing.T) {
	for _, pages := range []int{1, 2, 10, maxDepth} {
		t.Run(fmt.Sprint(pages), func(t *testing.T) {
			b := chain(pages, 1)
			found, err := b.pages(nil)
			if err != nil || len(found) != pages {
				t.Errorf("pages: got %d, %v; want %d", len(found), err, pages)
			}
			if keys, faults := walkAll(t, b); keys != 1 || faults != 0 {
				t.Errorf("Walk: got %d keys and %d faults; want one key", keys, faults)
			}
			if keys, err := countKeys(b); keys != 1 || err != nil {
				t.Errorf("a cursor: got %d keys, %v; want one key", keys, err)
			}
		})
	}
	t.Run("too deep", func(t *testing.T) { wantTooDeep(t, chain(maxDepth+1, 1)) })
	t.Run("two elements lead to one page", func(t *testing.T) {
		if found, err := chain(40, 2).pages(nil); !errors.Is(err, ErrCorrupt) {
			t.Errorf("pages: got %d, %v; want ErrCorrupt before there are 2 to the 39", len(found), err)
		}
	})
}

// chain returns a bucket of a number of pages, each of which leads to the next one with all its
// elements. The last one is a leaf.
func chain(pages, elements int) *Bucket {
	const size = 4096
	im := &Image{pageSize: size, data: make([]byte, (2+pages)*size)}
	for i := range pages {
		id := uint64(2 + i)
		page := im.data[id*size:]
		order.PutUint64(page, id)
		order.PutUint16(page[8:], branchFlag)
		order.PutUint16(page[10:], uint16(elements))
		keys := headerLen + elements*elementLen
		for e := range elements {
			at := headerLen + e*elementLen
			order.PutUint32(page[at:], uint32(keys+e-at))
			order.PutUint32(page[at+4:], 1)
			order.PutUint64(page[at+8:], id+1)
			page[keys+e] = 'a' + byte(e)
		}
		if i == pages-1 {
			order.PutUint16(page[8:], leafFlag)
			order.PutUint16(page[10:], 1)
			clear(page[headerLen:][:elementLen])
			order.PutUint32(page[headerLen+4:], elementLen)
			order.PutUint32(page[headerLen+8:], 1)
		}
	}
	return &Bucket{image: im, name: large, root: 2}
}
