// SPDX-License-Identifier: Apache-2.0

package pages

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
)

// TestEveryPageIsVerified flips bits that checksums cover, page by page, and reads everything.
func TestEveryPageIsVerified(t *testing.T) {
	f := grownFile(t, t.TempDir())
	defer f.bolt.Close()
	random := rand.New(rand.NewPCG(1, 2))
	ids := f.pagesInUse()
	var branches int
	for _, id := range ids {
		f.view(f.table, func(im *Image) {
			p, _, _ := im.parse(id)
			if !p.leaf {
				branches++
			}
			for range 4 {
				at := coveredBit(random, &p)
				f.withDamage(id, func(page []byte) { page[at/8] ^= 1 << (at % 8) }, func(im *Image) {
					wantDamage(t, im, id, fmt.Sprintf("bit %d of page %d", at, id))
				})
			}
		})
	}
	if len(ids) < 300 || branches < 3 {
		t.Fatalf("%d pages, %d of them branches: too few for this test", len(ids), branches)
	}
}

// coveredBit returns a random bit of the page among those that its checksum covers.
func coveredBit(random *rand.Rand, p *page) int {
	if at := random.IntN(2); at == 0 || p.count == 0 {
		return random.IntN(8 * (headerLen + p.count*elementLen))
	}
	from, key, value := p.extent(random.IntN(p.count))
	return 8*int(from) + random.IntN(8*int(key+min(value, ValuePrefix)))
}

// wantDamage walks the buckets and wants one error, which names the page.
func wantDamage(t *testing.T, im *Image, id uint64, what string) {
	t.Helper()
	var faults []error
	for _, name := range []string{large, small} {
		b, err := im.Bucket(name)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		ignore := func(_, _ []byte) error { return nil }
		collect := func(err error) error { faults = append(faults, err); return nil }
		if err := b.Walk(ignore, collect); err != nil {
			t.Fatal(err)
		}
	}
	if len(faults) != 1 || !errors.Is(faults[0], ErrCorrupt) {
		t.Errorf("%s: got faults %v; want one", what, faults)
		return
	}
	var damage *DamagedPage
	if !errors.As(faults[0], &damage) || damage.Page != id || damage.Offset != int64(id)*4096 {
		t.Errorf("%s: got %v; want page %d", what, faults[0], id)
	}
}

// TestStalePages makes each branch lead to every free page, which still has undamaged content that
// was replaced later.
func TestStalePages(t *testing.T) {
	f := grownFile(t, t.TempDir())
	defer f.bolt.Close()
	stale := 0
	f.view(f.table, func(im *Image) {
		free, err := im.Free()
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range f.pagesInUse() {
			p, _, _ := im.parse(id)
			if p.leaf {
				continue
			}
			for _, other := range free {
				if old, _, problem := im.parse(other); problem != "" || old.count == 0 {
					continue
				}
				stale++
				redirect := func(page []byte) { binary.NativeEndian.PutUint64(page[headerLen+8:], other) }
				f.withDamage(id, redirect, func(im *Image) {
					wantDamage(t, im, id, fmt.Sprintf("page %d leads to %d", id, other))
				})
			}
		}
	})
	if stale < 100 {
		t.Errorf("only %d cases; want 100 at least", stale)
	}
}

// TestMovedRoot flips every bit of the buckets' headers and inline pages.
func TestMovedRoot(t *testing.T) {
	f := grownFile(t, t.TempDir())
	defer f.bolt.Close()
	for _, name := range []string{large, small} {
		f.view(nil, func(im *Image) {
			root, err := im.rootPage()
			if err != nil {
				t.Fatal(err)
			}
			for i := range root.count {
				if string(root.key(i)) != name {
					continue
				}
				for bit := range 8 * len(root.value(i)) {
					at := int(im.Offset(root.value(i))) - int(im.root)*4096 + bit/8
					if bit >= 64 && bit < 128 { // the sequence, which is not used
						continue
					}
					f.withDamage(im.root, func(page []byte) { page[at] ^= 1 << (bit % 8) }, func(im *Image) {
						b, err := im.Bucket(name)
						inPage := func() int { return int(im.root)*4096 + at - int(im.Offset(b.inline)) }
						if err == nil && !(b.root == 0 && beyondPrefix(b, inPage())) {
							t.Errorf("bucket %q: bit %d of its header or inline page flipped: no error", name, bit)
						}
					})
				}
			}
		})
	}
}

// beyondPrefix reports whether an offset in an inline page is in a value, after the bytes that the
// checksum covers.
func beyondPrefix(b *Bucket, at int) bool {
	p, _, problem := parse(b.inline, 0)
	for i := range p.count {
		from, key, value := p.extent(i)
		if uint64(at) >= from+key+ValuePrefix && uint64(at) < from+key+value {
			return true
		}
	}
	return problem != ""
}

// TestFreelist damages the freelist, so that it lists pages that are in use or claims to be longer.
func TestFreelist(t *testing.T) {
	f := grownFile(t, t.TempDir())
	defer f.bolt.Close()
	f.view(f.table, func(im *Image) {
		meta, err := im.Meta()
		if err != nil {
			t.Fatal(err)
		}
		free, err := im.Free()
		if err != nil || len(free) < 50 {
			t.Fatalf("%d free pages, %v", len(free), err)
		}
		for i, id := range free {
			for _, inUse := range f.pagesInUse() {
				if i > 0 && inUse <= free[i-1] || i+1 < len(free) && inUse >= free[i+1] {
					continue // out of order, which Free finds
				}
				replace := func(page []byte) { binary.NativeEndian.PutUint64(page[headerLen+8*i:], inUse) }
				f.withDamage(meta.Freelist, replace, func(im *Image) {
					if err := f.table.CheckFree(im); !errors.Is(err, ErrCorrupt) {
						t.Errorf("free page %d replaced by %d, which is in use: got %v", id, inUse, err)
					}
					if im.table = nil; i > 3 {
						return
					}
					_, _, err := NewTable(large).Advance(im)
					if f.table.entry(inUse) > overflow && !errors.Is(err, ErrCorrupt) {
						t.Errorf("free page %d replaced by %d, which is in use: a new table: %v", id, inUse, err)
					}
				})
			}
		}
		lengthen := func(page []byte) { binary.NativeEndian.PutUint16(page[10:], uint16(len(free)+1000)) }
		f.withDamage(meta.Freelist, lengthen, func(im *Image) {
			if _, err := im.Free(); !errors.Is(err, ErrCorrupt) {
				t.Errorf("a count that the page has no room for: got %v", err)
			}
		})
	})
}

// TestFreelistEntries wants an error for a freelist with a page that cannot be free.
func TestFreelistEntries(t *testing.T) {
	f := grownFile(t, t.TempDir())
	defer f.bolt.Close()
	f.view(f.table, func(im *Image) {
		meta, err := im.Meta()
		if err != nil {
			t.Fatal(err)
		}
		free, err := im.Free()
		if err != nil || len(free) < 3 {
			t.Fatalf("%d free pages, %v", len(free), err)
		}
		last := len(free) - 1
		for _, test := range []struct {
			name, reason string
			entry        int
			page         uint64
		}{
			{"meta page 0", "it would be overwritten", 0, 0},
			{"meta page 1", "it would be overwritten", 0, 1},
			{"the page after the last", "there is no such page", last, im.pages()},
			{"a page far away", "there is no such page", last, 1 << 60},
			{"the same page twice", "two pages would be written there", 1, free[0]},
			{"a page before the previous one", "the list is in order", 1, free[0] - 1},
		} {
			t.Run(test.name, func(t *testing.T) {
				replace := func(page []byte) { order.PutUint64(page[headerLen+8*test.entry:], test.page) }
				f.withDamage(meta.Freelist, replace, func(im *Image) {
					if got, err := im.Free(); !errors.Is(err, ErrCorrupt) {
						t.Errorf("entry %d is page %d (%s): got %d pages, %v; want ErrCorrupt",
							test.entry, test.page, test.reason, len(got), err)
					}
					for _, err := range []error{f.table.CheckFree(im), f.table.CheckAll(im, others)} {
						if !errors.Is(err, ErrCorrupt) {
							t.Errorf("entry %d is page %d: got %v; want ErrCorrupt", test.entry, test.page, err)
						}
					}
				})
			})
		}
	})
}

// TestPageOutsideFile wants a problem for page numbers that lead out of the file, and none for the
// first and the last page that can have content.
func TestPageOutsideFile(t *testing.T) {
	im := chain(3, 1).image // pages 2 to 4
	for _, test := range []struct {
		page uint64
		ok   bool
	}{{0, false}, {1, false}, {2, true}, {4, true}, {5, false}, {1 << 60, false}} {
		if _, problem := im.bytesOf(test.page); (problem == "") != test.ok {
			t.Errorf("page %d: got problem %q; want none: %v", test.page, problem, test.ok)
		}
		if at := im.damage("", test.page, nil, "").Offset; at < 0 || at > im.Size() {
			t.Errorf("the damage of page %d is at offset %d of a file of %d bytes", test.page, at, im.Size())
		}
	}
	for _, test := range []struct {
		overflow uint32
		ok       bool
	}{{1, true}, {2, false}, {1 << 31, false}} {
		order.PutUint32(im.data[3*im.pageSize+12:], test.overflow)
		if data, problem := im.bytesOf(3); (problem == "") != test.ok {
			t.Errorf("page 3 with %d overflow pages: got %d bytes, problem %q; want none: %v",
				test.overflow, len(data), problem, test.ok)
		}
	}
}

// TestGuard damages each leaf in turn. A guard must find the damage around the keys of the leaf and
// of its neighbours.
func TestGuard(t *testing.T) {
	f := grownFile(t, t.TempDir())
	defer f.bolt.Close()
	var leaves []uint64
	var firsts [][]byte
	f.view(f.table, func(im *Image) {
		c := mustBucket(t, im, large).Cursor()
		for key, _, err := c.First(); key != nil; key, _, err = c.Next() {
			if err != nil {
				t.Fatal(err)
			}
			if id := c.leaf().page.id; len(leaves) == 0 || leaves[len(leaves)-1] != id {
				leaves, firsts = append(leaves, id), append(firsts, bytes.Clone(key))
			}
		}
	})
	for i, id := range leaves {
		f.withDamage(id, func(page []byte) { page[10] ^= 1 }, func(im *Image) {
			guard := mustBucket(t, im, large).Guard()
			for j := max(i-1, 0); j <= min(i+1, len(leaves)-1); j++ {
				if err := guard.VerifyAround(firsts[j]); !errors.Is(err, ErrCorrupt) {
					t.Errorf("leaf %d is damaged; around leaf %d: got %v", i, j, err)
				}
			}
			for _, j := range []int{i - 3, i + 3} { // a guard reads the neighbours, not all pages
				if j >= 0 && j < len(leaves) {
					if err := guard.VerifyAround(firsts[j]); err != nil {
						t.Errorf("leaf %d is damaged; around leaf %d: got %v", i, j, err)
					}
				}
			}
		})
	}
}
