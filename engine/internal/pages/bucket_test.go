// SPDX-License-Identifier: Apache-2.0

package pages

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// leafElement is an element of a leaf that leafOf makes.
type leafElement struct {
	flags      uint32
	key, value string
}

// leafOf returns the encoding of a leaf.
func leafOf(id uint64, elements ...leafElement) []byte {
	page := make([]byte, headerLen+len(elements)*elementLen)
	order.PutUint64(page, id)
	order.PutUint16(page[8:], leafFlag)
	order.PutUint16(page[10:], uint16(len(elements)))
	for i, e := range elements {
		at := headerLen + i*elementLen
		order.PutUint32(page[at:], e.flags)
		order.PutUint32(page[at+4:], uint32(len(page)-at))
		order.PutUint32(page[at+8:], uint32(len(e.key)))
		order.PutUint32(page[at+12:], uint32(len(e.value)))
		page = append(page, e.key+e.value...)
	}
	return page
}

// imageOf returns an image whose root page has one element, with the name of a bucket.
func imageOf(e leafElement) *Image {
	im := &Image{pageSize: 4096, data: make([]byte, 4*4096), root: 3}
	copy(im.data[3*4096:], leafOf(3, e))
	return im
}

// TestBucketOfBytes opens buckets whose headers or inline pages make no sense. No table has them,
// as when a file is opened.
func TestBucketOfBytes(t *testing.T) {
	header := func(root uint64) string { return string(order.AppendUint64(nil, root)) + strings.Repeat("\x00", 8) }
	inline := func(elements ...leafElement) string { return header(0) + string(leafOf(0, elements...)) }
	branch := []byte(inline(leafElement{key: "k"}))
	order.PutUint16(branch[bucketHeaderLen+8:], branchFlag)
	order.PutUint32(branch[bucketHeaderLen+headerLen:], elementLen) // where the key begins
	order.PutUint32(branch[bucketHeaderLen+headerLen+4:], 1)        // the length of the key
	for _, test := range []struct {
		name    string
		element leafElement
		opens   bool   // Bucket returns no error
		reads   bool   // its keys can be read
		want    string // a part of the error
	}{
		{"empty", leafElement{bucketElement, large, inline()}, true, true, ""},
		{"with values", leafElement{bucketElement, large, inline(leafElement{0, "k", "v"}, leafElement{0, "l", ""})},
			true, true, ""},
		{"of another name", leafElement{bucketElement, "large2", inline()}, false, false, `no bucket "large"`},
		{"a value in its place", leafElement{0, large, inline()}, false, false, `no bucket "large"`},
		{"without a header", leafElement{bucketElement, large, header(0)[:15]}, false, false, "has no header"},
		{"without a page", leafElement{bucketElement, large, header(0)}, true, false, "it has no header"},
		{"with two pages", leafElement{bucketElement, large, header(2) + "x"}, false, false, "17 bytes"},
		{"of a branch", leafElement{bucketElement, large, string(branch)}, true, false, "not a leaf"},
		{"with a bucket in it", leafElement{bucketElement, large, inline(leafElement{1, "k", "v"})}, true, false,
			"want a plain value"},
		{"cut off", leafElement{bucketElement, large, inline(leafElement{0, "k", "value"})[:50]}, true, false,
			"outside the page"},
	} {
		b, err := imageOf(test.element).Bucket(large)
		if test.opens != (err == nil) {
			t.Errorf("%s: got %v; want an error: %v", test.name, err, !test.opens)
		}
		if err == nil {
			keys, readErr := countKeys(b)
			if err = readErr; test.reads && (err != nil || keys != strings.Count(test.element.value, "k")+
				strings.Count(test.element.value, "l")) {
				t.Errorf("%s: got %d keys, %v", test.name, keys, err)
			}
			for c, n := b.Cursor(), 0; n < 2; n++ { // after an error it may be tried again
				if _, _, again := c.First(); fmt.Sprint(again) != fmt.Sprint(err) {
					t.Errorf("%s: First returned %v; want %v", test.name, again, err)
				}
			}
			ignore := func(_, _ []byte) error { return nil }
			if walkErr := b.Walk(ignore, func(err error) error { return err }); fmt.Sprint(walkErr) != fmt.Sprint(err) {
				t.Errorf("%s: Walk returned %v; a cursor %v", test.name, walkErr, err)
			}
			if page := mustDamage(t, b.Damage("as a whole")).Page; page != 3 {
				t.Errorf("%s: a problem of the bucket is at page %d; want that of its header", test.name, page)
			}
		}
		if !test.reads && (!strings.Contains(fmt.Sprint(err), test.want) || mustDamage(t, err).Page != 3) {
			t.Errorf("%s: got %v; want the root page, and %q", test.name, err, test.want)
		}
	}
}

// TestAdvanceOverAnInlinePage makes tables of buckets with inline pages. An inline page must end
// where its bucket ends, or bbolt would leave bytes out when it writes the page again.
func TestAdvanceOverAnInlinePage(t *testing.T) {
	whole := strings.Repeat("\x00", bucketHeaderLen) + string(leafOf(0, leafElement{0, "k", "v"}))
	for value, want := range map[string]bool{whole: true, whole + "x": false, whole[:len(whole)-1]: false} {
		_, _, err := NewTable(large).advance(imageOf(leafElement{bucketElement, large, value}), nil)
		if want != (err == nil) || !want && mustDamage(t, err).Page != 3 {
			t.Errorf("an inline page of %d bytes in %d: got %v; want an error: %v", len(whole), len(value), err, !want)
		}
	}
}

// TestWalkSkipsDamage damages a leaf. Walk must yield the keys of the others, in order, and end
// when one of its functions returns an error.
func TestWalkSkipsDamage(t *testing.T) {
	f := smallFile(t)
	var all, damaged []string
	var leaf *DamagedPage
	f.view(f.table, func(im *Image) {
		top, err := mustBucket(t, im, large).loadRoot()
		if err != nil || top.leaf || top.count < 3 {
			t.Fatalf("the root is a leaf, or %v", err)
		}
		all = f.keysOf(im, nil)
		page := im.damage(large, top.child(1), top.key(1), "")
		for key := range mustBucket(t, im, large).Suspects(page) {
			damaged = append(damaged, string(key))
		}
		leaf = page
	})
	f.withDamage(leaf.Page, func(page []byte) { page[headerLen] ^= 2 }, func(im *Image) {
		b, stop := mustBucket(t, im, large), errors.New("stop")
		var faults []error
		got := f.keysOf(im, &faults)
		if len(faults) != 1 || mustDamage(t, faults[0]).Page != leaf.Page ||
			string(mustDamage(t, faults[0]).FirstKey) != damaged[0] {
			t.Errorf("got faults %v; want page %d, which begins with %s", faults, leaf.Page, damaged[0])
		}
		at := 0
		for all[at] != damaged[0] {
			at++
		}
		want := append(append([]string{}, all[:at]...), all[at+len(damaged):]...)
		if diff := cmp.Diff(want, got); diff != "" || at == 0 || len(damaged) < 3 {
			t.Errorf("keys (-want +got)\n%s", diff)
		}
		calls := 0
		end := func(_, _ []byte) error {
			if calls++; calls == 3 {
				return stop
			}
			return nil
		}
		if err := b.Walk(end, func(err error) error { return err }); err != stop || calls != 3 {
			t.Errorf("stopped at the third key: got %v after %d keys", err, calls)
		}
		calls = 0
		count := func(_, _ []byte) error { calls++; return nil }
		if err := b.Walk(count, func(error) error { return stop }); err != stop || calls != at {
			t.Errorf("stopped at the damaged page: got %v after %d keys; want %d", err, calls, at)
		}
		for key := range b.Suspects(im.damage(large, b.root, nil, "")) {
			t.Errorf("a branch has suspect %q", key)
		}
		for key := range b.Suspects(leaf) { // it may stop early
			if string(key) != damaged[0] {
				t.Errorf("the first suspect is %s; want %s", key, damaged[0])
			}
			break
		}
	})
	var key int // where the first key begins in its page
	f.view(nil, func(im *Image) {
		p, _, _ := im.parse(leaf.Page)
		from, _, _ := p.extent(0)
		key = int(from)
	})
	f.withDamage(leaf.Page, func(page []byte) { page[key] ^= 1 }, func(im *Image) {
		var faults []error
		f.keysOf(im, &faults)
		if len(faults) != 1 || string(mustDamage(t, faults[0]).FirstKey) != damaged[0] {
			t.Errorf("the first key is damaged: got %v; want one fault, with key %s", faults, damaged[0])
		}
	})
	f.withDamage(leaf.Page, func(page []byte) { page[8] = 0x40 }, func(im *Image) {
		for key := range mustBucket(t, im, large).Suspects(leaf) {
			t.Errorf("a page that is no leaf has suspect %q", key)
		}
	})
}

// keysOf returns the keys that Walk finds in the large bucket.
func (f *testFile) keysOf(im *Image, faults *[]error) (keys []string) {
	f.t.Helper()
	b := mustBucket(f.t, im, large)
	err := b.Walk(func(key, _ []byte) error { keys = append(keys, string(key)); return nil },
		func(err error) error {
			if faults == nil {
				return err
			}
			*faults = append(*faults, err)
			return nil
		})
	if err != nil {
		f.t.Fatal(err)
	}
	return keys
}

// TestSuspectsOfAnInlinePage yields the elements of an inline page with a damaged one.
func TestSuspectsOfAnInlinePage(t *testing.T) {
	page := leafOf(0, leafElement{0, "a", "1"}, leafElement{8, "b", "22"})
	im := imageOf(leafElement{bucketElement, large, strings.Repeat("\x00", bucketHeaderLen) + string(page)})
	b := mustBucket(t, im, large)
	_, err := countKeys(b)
	got := map[string]string{}
	for key, value := range b.Suspects(mustDamage(t, err)) {
		got[string(key)] = string(value)
	}
	if diff := cmp.Diff(map[string]string{"a": "1", "b": "22"}, got); diff != "" {
		t.Errorf("suspects (-want +got)\n%s", diff)
	}
}

// TestGuardCountsPages verifies the pages around keys, and compares the guard's counts with the
// pages of the bucket.
func TestGuardCountsPages(t *testing.T) {
	f := smallFile(t)
	f.view(f.table, func(im *Image) {
		b := mustBucket(t, im, large)
		all, err := b.pages(nil)
		if err != nil {
			t.Fatal(err)
		}
		guard := b.Guard()
		if guard.LeafBytes() != 0 || guard.PageBytes() != 0 {
			t.Errorf("a new guard has verified %d bytes", guard.PageBytes())
		}
		keys, leaves := f.keysOf(im, nil), map[uint64]int{}
		for round := range 2 {
			for _, key := range keys {
				if err := guard.VerifyAround([]byte(key)); err != nil {
					t.Fatal(err)
				}
				c, want := b.Cursor(), 0
				if _, _, err := c.Seek([]byte(key)); err != nil {
					t.Fatal(err)
				}
				leaves[c.leaf().page.id] = len(c.leaf().page.data)
				for _, size := range leaves {
					want += size
				}
				if guard.LeafBytes() != want {
					t.Fatalf("round %d, up to key %s: leaves of %d bytes; want %d", round, key, guard.LeafBytes(), want)
				}
			}
			if want := len(all) * im.pageSize; guard.PageBytes() != want {
				t.Errorf("pages of %d bytes; want %d, those of the bucket", guard.PageBytes(), want)
			}
		}
		one := b.Guard()
		if err := one.VerifyAround([]byte(keys[0])); err != nil || one.PageBytes() != 3*im.pageSize {
			t.Errorf("around the first key: %d bytes, %v; want the root and two leaves", one.PageBytes(), err)
		}
	})
}

// TestStoredSums compares a page's checksum with the table's entry, whatever the checksum is.
func TestStoredSums(t *testing.T) {
	for sum, want := range map[uint32]uint32{0: 2, 1: 3, 2: 2, 3: 3, 4: 4, 1 << 31: 1 << 31} {
		if got := encodeSum(sum); got != want {
			t.Errorf("checksum %d is stored as %d; want %d", sum, got, want)
		}
	}
	for _, sum := range []uint32{0, 1, 2, 3, 4, 1 << 31} {
		b := tableBuilder{next: NewTable(), owned: map[uint64]bool{}}
		b.set(300, encodeSum(sum))
		b.set(301, overflow)
		if problem := b.next.compare(300, sum); problem != "" {
			t.Errorf("checksum %d: %s", sum, problem)
		}
		for id, wrong := range map[uint64]uint32{300: sum + 8, 301: overflow, 299: notInUse, 1 << 40: notInUse} {
			if b.next.compare(id, wrong) == "" {
				t.Errorf("checksum %d: page %d is accepted with checksum %d", sum, id, wrong)
			}
		}
	}
}

// TestCursorMeetsDamage damages each leaf in turn. A cursor must find the keys before and after it,
// and an error instead of those in it.
func TestCursorMeetsDamage(t *testing.T) {
	f := smallFile(t)
	type leaf struct {
		id          uint64
		first, last int // index of its keys
	}
	var leaves []leaf
	var keys []string
	f.view(f.table, func(im *Image) {
		keys = f.keysOf(im, nil)
		c := mustBucket(t, im, large).Cursor()
		for i, key := range keys {
			if _, _, err := c.Seek([]byte(key)); err != nil {
				t.Fatal(err)
			}
			if id := c.leaf().page.id; len(leaves) == 0 || leaves[len(leaves)-1].id != id {
				leaves = append(leaves, leaf{id: id, first: i})
			}
			leaves[len(leaves)-1].last = i
		}
	})
	for _, l := range leaves {
		// The flags of an element are not those of a value. That shows without a table, too.
		f.withDamage(l.id, func(page []byte) { page[headerLen] ^= 2 }, func(im *Image) {
			for _, table := range []*Table{f.table, nil} {
				im.table = table
				c := mustBucket(t, im, large).Cursor()
				before, err := moves(c.First, c.Next)
				diff := cmp.Diff(keys[:l.first], before, cmpopts.EquateEmpty())
				if diff != "" || !errors.Is(err, ErrCorrupt) {
					t.Errorf("forward to page %d: %v (-want +got)\n%s", l.id, err, diff)
				}
				after, err := moves(c.Last, c.Prev)
				slices.Reverse(after)
				diff = cmp.Diff(keys[l.last+1:], after, cmpopts.EquateEmpty())
				if diff != "" || !errors.Is(err, ErrCorrupt) {
					t.Errorf("back to page %d: %v (-want +got)\n%s", l.id, err, diff)
				}
				for i, key := range keys {
					value, err := c.Get([]byte(key))
					damaged := l.first <= i && i <= l.last
					if damaged != errors.Is(err, ErrCorrupt) || damaged == (value != nil) {
						t.Errorf("page %d is damaged: Get of %s returns %d bytes, %v", l.id, key, len(value), err)
					}
				}
			}
		})
	}
	f.view(f.table, func(im *Image) {
		c := mustBucket(t, im, large).Cursor()
		for _, key := range []string{"", "key.00001a", "z"} {
			if value, err := c.Get([]byte(key)); value != nil || err != nil {
				t.Errorf("Get of %q, which is not there: %d bytes, %v", key, len(value), err)
			}
		}
	})
}

// moves returns the keys that a cursor finds from a first move on.
func moves(first, next func() (key, value []byte, err error)) (keys []string, err error) {
	key, _, err := first()
	for ; key != nil && err == nil; key, _, err = next() {
		keys = append(keys, string(key))
	}
	return keys, err
}

// TestCursorStaysAtTheEnds moves a cursor beyond the ends several times, and back.
func TestCursorStaysAtTheEnds(t *testing.T) {
	f := smallFile(t)
	f.view(f.table, func(im *Image) {
		c, keys := mustBucket(t, im, large).Cursor(), f.keysOf(im, nil)
		for _, test := range []struct {
			start, out, back func() (key, value []byte, err error)
			want             string
		}{
			{c.Last, c.Next, c.Prev, keys[len(keys)-1]}, {c.First, c.Prev, c.Next, keys[0]},
		} {
			if key, _, err := test.start(); string(key) != test.want || err != nil {
				t.Errorf("got %q, %v; want %q", key, err, test.want)
			}
			for range 3 {
				if key, _, err := test.out(); key != nil || err != nil {
					t.Errorf("beyond %q: got %q, %v; want nothing", test.want, key, err)
				}
			}
			if key, _, err := test.back(); string(key) != test.want || err != nil {
				t.Errorf("back: got %q, %v; want %q", key, err, test.want)
			}
		}
	})
}

// TestPageEnds parses pages that end around the end of their file pages. A page must have as many
// overflow pages as it needs.
func TestPageEnds(t *testing.T) {
	const size = 4096
	for end := size - 2; end <= size+2; end++ {
		for further := range uint32(3) {
			im := &Image{pageSize: size, data: make([]byte, 6*size), root: 2}
			value := strings.Repeat("v", end-headerLen-elementLen-1)
			copy(im.data[2*size:], leafOf(2, leafElement{0, "k", value}))
			order.PutUint32(im.data[2*size+12:], further)
			want := further == uint32(end-1)/size
			if p, _, problem := im.parse(2); want != (problem == "") || want && p.end != uint64(end) {
				t.Errorf("a page of %d bytes with %d overflow pages: %q; want a problem: %v",
					end, further, problem, !want)
			}
			_, _, problem := im.parse(2)
			takes := fmt.Sprintf("takes %d pages", further+1)
			if uint32(end-1)/size < further && !strings.Contains(problem, takes) {
				t.Errorf("a page of %d bytes with %d overflow pages: %q; want %q", end, further, problem, takes)
			}
			// A root page has no overflow pages, and is a leaf.
			if names, err := im.Names(); (want && further == 0) != (err == nil) {
				t.Errorf("a root page of %d bytes with %d overflow pages: got %q, %v", end, further, names, err)
			}
		}
	}
	branch := chain(2, 1).image
	branch.root = 2
	if names, err := branch.Names(); !errors.Is(err, ErrCorrupt) {
		t.Errorf("the root page is a branch: got %q, %v; want ErrCorrupt", names, err)
	}
}
