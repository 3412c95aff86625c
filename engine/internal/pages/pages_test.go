// SPDX-License-Identifier: Apache-2.0

package pages

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/bbolt"
	"pgregory.net/rapid"
)

// The buckets of the test's files. Nobody has checksums of others.
const (
	large  = "large"
	small  = "small"
	others = "others"
)

// file is a bbolt file and the table of its pages.
type file struct {
	t     rapid.TB
	path  string
	bolt  *bbolt.DB
	table *Table
	saved map[uint64][]byte // the table's blocks as somebody would keep them

	copied []byte // the file, to be damaged and mended
}

func newFile(t rapid.TB, dir string) *file {
	t.Helper()
	f := &file{t: t, path: filepath.Join(dir, "pages.bolt"), table: NewTable(large, small), saved: make(map[uint64][]byte)}
	bolt, err := bbolt.Open(f.path, 0o600, &bbolt.Options{NoSync: true, PageSize: 4096})
	if err != nil {
		t.Fatal(err)
	}
	f.bolt = bolt
	f.update(func(tx *bbolt.Tx) error {
		for _, name := range []string{large, small, others} {
			if _, err := tx.CreateBucket([]byte(name)); err != nil {
				return err
			}
		}
		return nil
	})
	return f
}

// update commits a change and advances the table.
func (f *file) update(fn func(tx *bbolt.Tx) error) {
	f.t.Helper()
	if err := f.bolt.Update(fn); err != nil {
		f.t.Fatal(err)
	}
	f.view(nil, func(v *View) {
		next, changed, err := f.table.Advance(v)
		if err != nil {
			f.t.Fatalf("Advance: %v", err)
		}
		for _, index := range changed {
			f.saved[index] = next.Block(index)
		}
		f.table = next
	})
}

func (f *file) view(table *Table, fn func(v *View)) {
	f.t.Helper()
	err := f.bolt.View(func(tx *bbolt.Tx) error {
		fn(NewView(tx, table, nil))
		return nil
	})
	if err != nil {
		f.t.Fatal(err)
	}
}

func mustBucket(t rapid.TB, v *View, name string) *Bucket {
	t.Helper()
	b, err := v.Bucket(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// put fills a bucket with n keys, and values of about size bytes, that depend on the salt.
func put(bucket *bbolt.Bucket, n, size, salt int) error {
	for i := range n {
		value := bytes.Repeat([]byte{byte(i + salt)}, size+i%7)
		if err := bucket.Put(fmt.Appendf(nil, "key.%05d", i), value); err != nil {
			return err
		}
	}
	return nil
}

// grown returns a file whose large bucket has branches of branches, values on overflow pages, and free pages that
// still hold what was replaced.
func grown(t rapid.TB, dir string) *file {
	t.Helper()
	f := newFile(t, dir)
	for salt := range 3 {
		f.update(func(tx *bbolt.Tx) error {
			if err := put(tx.Bucket([]byte(small)), 5, 20, salt); err != nil {
				return err
			}
			if err := tx.Bucket([]byte(large)).Put([]byte("big"), bytes.Repeat([]byte{byte(salt)}, 10_000)); err != nil {
				return err
			}
			return put(tx.Bucket([]byte(large)), 1500, 1500, salt)
		})
	}
	return f
}

// TestCursorIsBolts moves both cursors the same way, on files that change by chance, and finds no difference.
func TestCursorIsBolts(t *testing.T) {
	parent := t.TempDir()
	keys := rapid.OneOf(rapid.StringN(1, 4, 8), rapid.Custom(func(t *rapid.T) string {
		return fmt.Sprintf("key.%03d", rapid.IntRange(0, 400).Draw(t, "number"))
	}))
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp(parent, "")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		f := newFile(t, dir)
		defer f.bolt.Close()
		for range rapid.IntRange(1, 5).Draw(t, "commits") {
			f.update(func(tx *bbolt.Tx) error { return change(t, tx.Bucket([]byte(large)), keys) })
			f.checkTable()
			f.compareMoves(t, keys)
		}
	})
}

// change puts and deletes keys, single ones and ranges.
func change(t *rapid.T, bucket *bbolt.Bucket, keys *rapid.Generator[string]) error {
	for range rapid.IntRange(0, 20).Draw(t, "single keys") {
		key := []byte(keys.Draw(t, "key"))
		if rapid.Bool().Draw(t, "delete") {
			if err := bucket.Delete(key); err != nil {
				return err
			}
		} else if err := bucket.Put(key, make([]byte, rapid.SampledFrom([]int{0, 3, 9, 10, 11, 300, 5000}).Draw(t, "size"))); err != nil {
			return err
		}
	}
	from, to := rapid.IntRange(0, 400).Draw(t, "from"), rapid.IntRange(0, 400).Draw(t, "to")
	deleting := rapid.Bool().Draw(t, "delete the range")
	for i := from; i < to; i++ {
		key := fmt.Appendf(nil, "key.%03d", i)
		if deleting {
			if err := bucket.Delete(key); err != nil {
				return err
			}
		} else if err := bucket.Put(key, make([]byte, i)); err != nil {
			return err
		}
	}
	return nil
}

// checkTable holds the table against one made at once, and against its blocks read back.
func (f *file) checkTable() {
	f.t.Helper()
	f.view(nil, func(v *View) {
		atOnce, _, err := NewTable(large, small).Advance(v)
		if err != nil {
			f.t.Fatal(err)
		}
		if !f.table.Equal(atOnce) {
			f.t.Fatal("the table that was advanced commit by commit is not the one that is made at once")
		}
		again, err := ReadTable(v, f.table.Summary(), f.blocks())
		if err != nil || !again.Equal(f.table) {
			f.t.Fatalf("the table read from its blocks: %v, equal: %v", err, err == nil && again.Equal(f.table))
		}
	})
}

// blocks returns the saved blocks one by one.
func (f *file) blocks() func() (uint64, []byte, error) {
	var indices []uint64
	for index, encoded := range f.saved {
		if encoded != nil {
			indices = append(indices, index)
		}
	}
	slices.Sort(indices)
	return func() (uint64, []byte, error) {
		if len(indices) == 0 {
			return 0, nil, nil
		}
		index := indices[0]
		indices = indices[1:]
		return index, f.saved[index], nil
	}
}

func (f *file) compareMoves(t *rapid.T, keys *rapid.Generator[string]) {
	t.Helper()
	err := f.bolt.View(func(tx *bbolt.Tx) error {
		theirs, ours := tx.Bucket([]byte(large)).Cursor(), mustBucket(t, NewView(tx, f.table, nil), large).Cursor()
		for range rapid.IntRange(1, 30).Draw(t, "moves") {
			var key, value, wantKey, wantValue []byte
			var err error
			move := rapid.SampledFrom([]string{"seek", "seek", "next", "next", "prev", "first", "last"}).Draw(t, "move")
			switch move {
			case "seek":
				wanted := []byte(keys.Draw(t, "wanted"))
				wantKey, wantValue = theirs.Seek(wanted)
				key, value, err = ours.Seek(wanted)
			case "next":
				wantKey, wantValue = theirs.Next()
				key, value, err = ours.Next()
			case "prev":
				wantKey, wantValue = theirs.Prev()
				key, value, err = ours.Prev()
			case "first":
				wantKey, wantValue = theirs.First()
				key, value, err = ours.First()
			case "last":
				wantKey, wantValue = theirs.Last()
				key, value, err = ours.Last()
			}
			if err != nil || !bytes.Equal(key, wantKey) || !bytes.Equal(value, wantValue) || (key == nil) != (wantKey == nil) {
				t.Fatalf("%s: got %q, %d bytes, %v; want %q, %d bytes", move, key, len(value), err, wantKey, len(wantValue))
			}
			if key == nil { // where bbolt's cursor is then is its own business
				theirs.First()
				if _, _, err := ours.First(); err != nil {
					t.Fatal(err)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// live returns every page that is in use, by walking the buckets.
func (f *file) live() (ids []uint64) {
	for index := range f.saved {
		for i := range uint64(perBlock) {
			if id := index*perBlock + i; f.table.of(id) > belongs {
				ids = append(ids, id)
			}
		}
	}
	slices.Sort(ids)
	return ids
}

// damaged runs fn on a copy of the file in which change has been at a page.
func (f *file) damaged(id uint64, change func(page []byte), fn func(v *View)) {
	f.t.Helper()
	f.view(f.table, func(v *View) {
		if f.copied == nil {
			f.copied = bytes.Clone(v.data)
		}
		whole, what := v.at(id)
		if what != "" {
			f.t.Fatal(what)
		}
		v.data = f.copied
		page := v.data[int(id)*v.pageSize:][:len(whole)]
		change(page)
		fn(v)
		copy(page, whole)
	})
}

// TestNoPageIsBelieved damages what a checksum covers, page by page, and reads everything.
func TestNoPageIsBelieved(t *testing.T) {
	f := grown(t, t.TempDir())
	defer f.bolt.Close()
	random := rand.New(rand.NewPCG(1, 2))
	ids := f.live()
	var branches int
	for _, id := range ids {
		f.view(f.table, func(v *View) {
			p, _, _ := v.parse(id)
			if !p.leaf {
				branches++
			}
			for range 4 {
				at := coveredBit(random, &p)
				f.damaged(id, func(page []byte) { page[at/8] ^= 1 << (at % 8) }, func(v *View) { wantFault(t, v, id, fmt.Sprintf("bit %d of page %d", at, id)) })
			}
		})
	}
	if len(ids) < 300 || branches < 3 {
		t.Fatalf("%d pages, %d of them branches: too few to show anything", len(ids), branches)
	}
}

// coveredBit returns a bit of the page that its checksum covers.
func coveredBit(random *rand.Rand, p *page) int {
	if at := random.IntN(2); at == 0 || p.count == 0 {
		return random.IntN(8 * (headerLen + p.count*elementLen))
	}
	from, key, value := p.extent(random.IntN(p.count))
	return 8*int(from) + random.IntN(8*int(key+min(value, ValuePrefix)))
}

// wantFault walks the bucket and wants one fault, of the page.
func wantFault(t *testing.T, v *View, id uint64, what string) {
	t.Helper()
	var faults []error
	for _, name := range []string{large, small} {
		b, err := v.Bucket(name)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		if err := b.Walk(func(_, _ []byte) error { return nil }, func(err error) error { faults = append(faults, err); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	if len(faults) != 1 || !errors.Is(faults[0], ErrCorrupt) {
		t.Errorf("%s: got faults %v; want one", what, faults)
		return
	}
	var fault *Fault
	if !errors.As(faults[0], &fault) || fault.Page != id || fault.Offset != int64(id)*4096 {
		t.Errorf("%s: got %v; want page %d", what, faults[0], id)
	}
}

// TestStalePages leads each branch's elements to every free page, where what was replaced still stands whole.
func TestStalePages(t *testing.T) {
	f := grown(t, t.TempDir())
	defer f.bolt.Close()
	stale := 0
	f.view(f.table, func(v *View) {
		free, err := v.Free()
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range f.live() {
			p, _, _ := v.parse(id)
			if p.leaf {
				continue
			}
			for _, other := range free {
				if old, _, what := v.parse(other); what != "" || old.count == 0 {
					continue
				}
				stale++
				f.damaged(id, func(page []byte) { binary.NativeEndian.PutUint64(page[headerLen+8:], other) }, func(v *View) {
					wantFault(t, v, id, fmt.Sprintf("page %d leads to %d", id, other))
				})
			}
		}
	})
	if stale < 100 {
		t.Errorf("only %d stale pages were to be had", stale)
	}
}

// TestMovedRoot has the buckets begin elsewhere.
func TestMovedRoot(t *testing.T) {
	f := grown(t, t.TempDir())
	defer f.bolt.Close()
	for _, name := range []string{large, small} {
		f.view(nil, func(v *View) {
			root, err := v.rootPage()
			if err != nil {
				t.Fatal(err)
			}
			for i := range root.count {
				if string(root.key(i)) != name {
					continue
				}
				for bit := range 8 * len(root.value(i)) {
					at := int(v.Offset(root.value(i))) - int(v.root)*4096 + bit/8
					if bit >= 64 && bit < 128 { // the sequence, which nothing uses
						continue
					}
					f.damaged(v.root, func(page []byte) { page[at] ^= 1 << (bit % 8) }, func(v *View) {
						if b, err := v.Bucket(name); err == nil && !(b.root == 0 && beyondPrefix(b, int(v.root)*4096+at-int(v.Offset(b.inline)))) {
							t.Errorf("bucket %q: bit %d of its header or inline page flipped: no error", name, bit)
						}
					})
				}
			}
		})
	}
}

// beyondPrefix reports whether an offset in an inline page is in a value, behind what the checksum covers.
func beyondPrefix(b *Bucket, at int) bool {
	p, _, what := parse(b.inline, 0)
	for i := range p.count {
		from, key, value := p.extent(i)
		if uint64(at) >= from+key+ValuePrefix && uint64(at) < from+key+value {
			return true
		}
	}
	return what != ""
}

// TestFreelist damages the list of free pages: a page in use must not be on it.
func TestFreelist(t *testing.T) {
	f := grown(t, t.TempDir())
	defer f.bolt.Close()
	f.view(f.table, func(v *View) {
		meta, err := v.Meta()
		if err != nil {
			t.Fatal(err)
		}
		free, err := v.Free()
		if err != nil || len(free) < 50 {
			t.Fatalf("%d free pages, %v", len(free), err)
		}
		for i, id := range free {
			for _, inUse := range f.live() {
				if i > 0 && inUse <= free[i-1] || i+1 < len(free) && inUse >= free[i+1] {
					continue // out of order, which Free finds
				}
				f.damaged(meta.Freelist, func(page []byte) { binary.NativeEndian.PutUint64(page[headerLen+8*i:], inUse) }, func(v *View) {
					if err := f.table.CheckFree(v); !errors.Is(err, ErrCorrupt) {
						t.Errorf("free page %d replaced by %d, which is in use: got %v", id, inUse, err)
					}
				})
			}
		}
		f.damaged(meta.Freelist, func(page []byte) { binary.NativeEndian.PutUint16(page[10:], uint16(len(free)+1000)) }, func(v *View) {
			if _, err := v.Free(); !errors.Is(err, ErrCorrupt) {
				t.Errorf("a count that the page has no room for: got %v", err)
			}
		})
	})
}

// TestGuard damages each leaf in turn: whoever changes a key beside it, or in it, is told.
func TestGuard(t *testing.T) {
	f := grown(t, t.TempDir())
	defer f.bolt.Close()
	var leaves []uint64
	var firsts [][]byte
	f.view(f.table, func(v *View) {
		c := mustBucket(t, v, large).Cursor()
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
		f.damaged(id, func(page []byte) { page[10] ^= 1 }, func(v *View) {
			guard := mustBucket(t, v, large).Guard()
			for j := max(i-1, 0); j <= min(i+1, len(leaves)-1); j++ {
				if err := guard.Around(firsts[j]); !errors.Is(err, ErrCorrupt) {
					t.Errorf("leaf %d is damaged; around leaf %d: got %v", i, j, err)
				}
			}
			for _, j := range []int{i - 3, i + 3} { // not at once: a merge needs a neighbour, not all pages
				if j >= 0 && j < len(leaves) {
					if err := guard.Around(firsts[j]); err != nil {
						t.Errorf("leaf %d is damaged; around leaf %d: got %v", i, j, err)
					}
				}
			}
		})
	}
}

// TestReadTable damages the saved blocks.
func TestReadTable(t *testing.T) {
	f := grown(t, t.TempDir())
	defer f.bolt.Close()
	read := func(what string) {
		t.Helper()
		f.view(nil, func(v *View) {
			if _, err := ReadTable(v, f.table.Summary(), f.blocks()); !errors.Is(err, ErrCorrupt) {
				t.Errorf("%s: got %v; want ErrCorrupt", what, err)
			}
		})
	}
	good := f.saved[0]
	f.saved[0] = bytes.Clone(good)
	f.saved[0][17] ^= 4
	read("a flipped bit")
	f.saved[0] = good[:len(good)-1]
	read("a short block")
	f.saved[0] = nil
	read("a lost block")
	f.saved[0] = good
	f.saved[1<<40] = good
	read("a block of pages that are not there")
	delete(f.saved, 1<<40)
	f.checkTable()
}

// TestNewFile compares with a file that bbolt has just created.
func TestNewFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new.bolt")
	bolt, err := bbolt.Open(path, 0o600, nil)
	if err := errors.Join(err, bolt.Close()); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(data, NewFile(os.Getpagesize())) {
		t.Error("bbolt begins a file with something else")
	}
}

// TestParse takes what is no page.
func TestParse(t *testing.T) {
	whole := make([]byte, 64)
	binary.NativeEndian.PutUint16(whole[8:], leafFlag)
	tests := []struct {
		name   string
		change func(data []byte) []byte
		want   string
		reason string // why the row is here
	}{
		{"whole", func(data []byte) []byte { return data }, "", "the others differ from it in one thing"},
		{"nothing", func([]byte) []byte { return nil }, "it has no header", "an inline bucket that has been cut off"},
		{"another id", func(data []byte) []byte { data[0] = 9; return data }, "it says that it is page 9", "a page in the wrong place"},
		{"another kind", func(data []byte) []byte { data[8] = 0x10; return data }, "its flags 0x10 are no branch's or leaf's", "a freelist"},
		{"elements beyond it", func(data []byte) []byte { data[10] = 4; return data }, "it has no room for 4 elements", "64 bytes hold three"},
		{"a key beyond it", func(data []byte) []byte { data[10] = 1; data[20] = 16; data[24] = 64; return data }, "element 0 reaches beyond it", "its length is a lie"},
		{"a key elsewhere", func(data []byte) []byte { data[10] = 1; data[20] = 17; return data }, "element 0 begins at 33; want 32, where the one before it ends", "bbolt leaves no gaps"},
		{"an empty branch", func(data []byte) []byte { data[8] = 1; return data }, "a branch without elements", "there would be nowhere to go"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, _, what := parse(test.change(bytes.Clone(whole)), 0)
			if diff := cmp.Diff(test.want, what); diff != "" {
				t.Errorf("what is wrong with it (-want +got; %s):\n%s", test.reason, diff)
			}
		})
	}
}
