// SPDX-License-Identifier: Apache-2.0

package pages

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"go.etcd.io/bbolt"
)

// withOthers calls fn with the damaged image, which verifies the other pages as they were before.
func (f *testFile) withOthers(id uint64, change func(page []byte), fn func(im *Image, o *OtherPages)) {
	f.t.Helper()
	f.view(nil, func(im *Image) {
		o, err := ReadOtherPages(im, others)
		if err != nil {
			f.t.Fatal(err)
		}
		f.withDamage(id, change, func(im *Image) {
			im.others = o
			fn(im, o)
		})
	})
}

// TestOtherPages flips bits of each page that no saved table covers: the root page, the header of
// the freelist, and those of the bucket of tables. Check must find each.
func TestOtherPages(t *testing.T) {
	f := smallFile(t)
	var root, freelist uint64
	var ids []uint64
	f.view(nil, func(im *Image) {
		meta, err := im.Meta()
		if err != nil {
			t.Fatal(err)
		}
		root, freelist = im.root, meta.Freelist
		if ids, err = mustBucket(t, im, others).pages(nil); err != nil || len(ids) < 5 {
			t.Fatalf("the bucket has pages %d, %v; want several", ids, err)
		}
	})
	f.withOthers(root, func([]byte) {}, func(im *Image, o *OtherPages) {
		if err := errors.Join(o.Check(im), errOf(im.Names()), errOf(im.Bucket(others))); err != nil {
			t.Errorf("undamaged: %v", err)
		}
	})
	random := rand.New(rand.NewPCG(3, 4))
	for _, id := range append(ids, root, freelist) {
		for _, bit := range f.bitsOf(random, id, id == freelist) {
			flip := func(page []byte) { page[bit/8] ^= 1 << (bit % 8) }
			f.withOthers(id, flip, func(im *Image, o *OtherPages) {
				what := fmt.Sprintf("bit %d of page %d", bit, id)
				if page := mustDamage(t, o.Check(im)).Page; page != id {
					t.Errorf("%s: Check names page %d", what, page)
				}
				if _, err := im.Free(); id == freelist && bit < 80 && !errors.Is(err, ErrCorrupt) {
					t.Errorf("%s: Free returns %v; want that the page is no freelist", what, err)
				}
				if id != root {
					return
				}
				want := errOf(im.Names())
				for _, err := range []error{want, errOf(im.Bucket(large)), errOf(im.Bucket(others))} {
					if page := mustDamage(t, err).Page; page != id || err.Error() != want.Error() {
						t.Errorf("%s: got %v; want page %d, and what is wrong with it", what, err, id)
					}
				}
			})
		}
	}
	f.view(nil, func(im *Image) {
		for call, err := range map[string]error{
			"ReadOtherPages": errOf(ReadOtherPages(im, "none")), "CheckFree": f.table.CheckFree(im, "none"),
			"CheckAll": f.table.CheckAll(im, "none"), "InUse": errOf(f.table.InUse(im, "none")),
		} {
			if !errors.Is(err, ErrCorrupt) {
				t.Errorf("%s with a bucket that does not exist: got %v; want ErrCorrupt", call, err)
			}
		}
	})
}

// bitsOf returns the bits of a page's header, and some of the others that its checksum covers.
func (f *testFile) bitsOf(random *rand.Rand, id uint64, headerOnly bool) (bits []int) {
	for bit := range 8 * headerLen {
		bits = append(bits, bit)
	}
	f.view(nil, func(im *Image) {
		for p, _, _ := im.parse(id); !headerOnly && len(bits) < 8*headerLen+40; {
			bits = append(bits, coveredBit(random, &p))
		}
	})
	return bits
}

func errOf[T any](_ T, err error) error { return err }

// TestFreelistOfOtherBuckets changes where pages of a bucket lead to that the table does not have.
// CheckFree and CheckAll must find that two pages claim one, or that a page in use counts as free.
func TestFreelistOfOtherBuckets(t *testing.T) {
	f := smallFile(t)
	f.view(f.table, func(im *Image) {
		top, err := mustBucket(t, im, others).loadRoot()
		if err != nil || top.leaf {
			t.Fatalf("the root is a leaf, or %v", err)
		}
		free, err := im.Free()
		if err != nil || len(free) < 10 {
			t.Fatalf("%d free pages, %v", len(free), err)
		}
		for _, test := range []struct {
			name string
			to   uint64
		}{
			{"its own sibling", top.child(1)},
			{"a sibling far away", top.child(top.last())},
			{"itself", top.child(0)},
			{"a page of the table", f.pagesInUse()[0]},
			{"a free page", freeLeaf(t, im, free)},
			{"a page after the last", im.pages()},
		} {
			redirect := func(page []byte) { order.PutUint64(page[headerLen+8:], test.to) }
			f.withDamage(top.id, redirect, func(im *Image) {
				whole := test.to == top.child(0)
				calls := map[string]error{
					"CheckFree": f.table.CheckFree(im, others), "CheckAll": f.table.CheckAll(im, others),
				}
				if test.to == im.pages() {
					calls["InUse"] = errOf(f.table.InUse(im, others))
				}
				for call, err := range calls {
					if whole != (err == nil) || !whole && mustDamage(t, err).Page != test.to {
						t.Errorf("%s leads to %s: got %v; want an error: %v", call, test.name, err, !whole)
					}
				}
			})
		}
	})
}

// freeLeaf returns a free page with the content of a leaf.
func freeLeaf(t *testing.T, im *Image, free []uint64) uint64 {
	t.Helper()
	for _, id := range free {
		if p, _, problem := im.parse(id); problem == "" && p.leaf && p.checkFlags() == "" {
			return id
		}
	}
	t.Fatal("no free page has the content of a leaf")
	return 0
}

// TestForgottenPage takes each page out of the freelist in turn. It can never be used again, which
// CheckAll says.
func TestForgottenPage(t *testing.T) {
	f := smallFile(t)
	f.view(f.table, func(im *Image) {
		meta, err := im.Meta()
		if err != nil {
			t.Fatal(err)
		}
		free, err := im.Free()
		if err != nil || len(free) < 10 {
			t.Fatalf("%d free pages, %v", len(free), err)
		}
		for i, id := range free {
			forget := func(page []byte) {
				list := page[headerLen:]
				copy(list[8*i:], list[8*i+8:8*len(free)])
				order.PutUint16(page[10:], uint16(len(free)-1))
			}
			f.withDamage(meta.Freelist, forget, func(im *Image) {
				if page := mustDamage(t, f.table.CheckAll(im, others)).Page; page != id {
					t.Errorf("page %d is forgotten; CheckAll names %d", id, page)
				}
				if err := f.table.CheckFree(im, others); err != nil {
					t.Errorf("page %d is forgotten: CheckFree returns %v; want nil, nothing is overwritten", id, err)
				}
			})
		}
	})
}

// TestAdvanceWithoutChange advances a table to the commit that it shows already.
func TestAdvanceWithoutChange(t *testing.T) {
	f := smallFile(t)
	f.view(nil, func(im *Image) {
		if next, changed, err := f.table.Advance(im); next != f.table || changed != nil || err != nil {
			t.Errorf("got a new table: %v, changed blocks %d, %v", next != f.table, changed, err)
		}
	})
	before := f.table
	f.update(func(tx *bbolt.Tx) error { return tx.Bucket([]byte(small)).Put([]byte("key"), []byte("value")) })
	if f.table.Equal(before) || before.Equal(f.table) {
		t.Error("the table of another inline page is equal to that before it")
	}
}

// TestAdvanceReadsNewPages damages a page that a commit has not changed. Advance does not read it.
// It must find damage to any other page.
func TestAdvanceReadsNewPages(t *testing.T) {
	f := smallFile(t)
	before := f.table
	f.update(func(tx *bbolt.Tx) error { return tx.Bucket([]byte(large)).Put([]byte("key.00001"), []byte("changed")) })
	unchanged, changed := 0, 0
	for _, id := range f.pagesInUse() {
		f.withDamage(id, func(page []byte) { page[8] = 0x40 }, func(im *Image) {
			im.table = nil
			next, _, err := before.Advance(im)
			if before.entry(id) == f.table.entry(id) {
				if unchanged++; err != nil || !next.Equal(f.table) {
					t.Errorf("page %d, which has not changed, is damaged: got %v", id, err)
				}
			} else if changed++; mustDamage(t, err).Page != id {
				t.Errorf("page %d, which is new, is damaged: got %v", id, err)
			}
			if _, _, err := NewTable(large, small).Advance(im); mustDamage(t, err).Page != id {
				t.Errorf("page %d is damaged, and no page is known: got %v", id, err)
			}
		})
	}
	if unchanged < 3 || changed < 2 {
		t.Errorf("%d pages have not changed, and %d have: too few for this test", unchanged, changed)
	}
}
