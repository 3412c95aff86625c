// SPDX-License-Identifier: Apache-2.0

package pages

import (
	"bytes"
	"errors"
	"os"
	"slices"
	"testing"

	"go.etcd.io/bbolt"
	"pgregory.net/rapid"
)

func newCopies(t *testing.T, path string) *Copies {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	c, err := NewCopies(file)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// contentOf returns all keys and values of an image's buckets, one after another.
func contentOf(t rapid.TB, im *Image) (content []byte) {
	t.Helper()
	for _, name := range []string{large, small, others} {
		c := mustBucket(t, im, name).Cursor()
		key, value, err := c.First()
		for ; key != nil && err == nil; key, value, err = c.Next() {
			content = append(append(content, key...), value...)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return content
}

// Images of a mapping and of copies show the same, however few pages are kept.
func TestCopiesShowWhatTheMappingShows(t *testing.T) {
	f := grownFile(t, t.TempDir())
	defer f.bolt.Close()
	var want []byte
	var free []uint64
	f.view(f.table, func(im *Image) {
		want = contentOf(t, im)
		free, _ = im.Free()
	})
	for _, maxKept := range []int{defaultMaxKept, 64 << 10, 0} {
		c := newCopies(t, f.path)
		c.maxKept = maxKept
		im := c.Image(f.table, nil)
		for range 2 {
			if got := contentOf(t, im); !bytes.Equal(got, want) {
				t.Fatalf("with %d bytes kept, the copies have other content: %d bytes; want %d",
					maxKept, len(got), len(want))
			}
		}
		for name, pages := range map[string]map[uint64][]byte{"kept": c.kept, "kept from before": c.before} {
			kept := 0
			for _, data := range pages {
				kept += len(data)
			}
			if kept > maxKept {
				t.Errorf("%d bytes are %s; want at most %d", kept, name, maxKept)
			}
		}
		if got, err := im.Free(); err != nil || !slices.Equal(got, free) {
			t.Errorf("the free pages differ: %v", err)
		}
		if err := f.table.CheckAll(im, others); err != nil {
			t.Errorf("CheckAll: %v", err)
		}
		f.view(nil, func(mapped *Image) {
			if im.Tx() != mapped.Tx() || im.Size() != mapped.Size() || im.root != mapped.root {
				t.Errorf("the copies show transaction %d, %d bytes, root %d; want %d, %d, %d",
					im.Tx(), im.Size(), im.root, mapped.Tx(), mapped.Size(), mapped.root)
			}
			metas, err := im.MetaPages()
			if wanted, wantErr := mapped.MetaPages(); err != nil || wantErr != nil || !bytes.Equal(metas, wanted) {
				t.Errorf("the meta pages differ: %v, %v", err, wantErr)
			}
		})
	}
}

// After later commits a page that was overwritten is damage, and no other page's content. Until the
// next commit nothing is.
func TestCopiesNoticeOverwrittenPages(t *testing.T) {
	f := grownFile(t, t.TempDir())
	defer f.bolt.Close()
	c := newCopies(t, f.path)
	c.maxKept = 0
	im, table := c.Image(f.table, nil), f.table
	want := contentOf(t, im)
	for commits := range 4 {
		if got := c.IsNewest(); got != (commits == 0) {
			t.Fatalf("after %d commits, IsNewest is %v", commits, got)
		}
		overwritten := 0
		for id := uint64(2); id < im.pages(); id++ {
			if table.entry(id) <= overflow {
				continue
			}
			p, sum, problem := im.parse(id)
			if problem == "" {
				problem = table.compare(id, sum)
			}
			if problem != "" {
				overwritten++
			} else if !bytes.Contains(want, p.firstKey(nil)) {
				t.Errorf("after %d commits, page %d has another content", commits, id)
			}
		}
		switch {
		case commits <= 1 && overwritten > 0:
			t.Errorf("after %d commits, %d pages are overwritten", commits, overwritten)
		case commits == 3 && overwritten == 0:
			t.Error("after three commits, no page is overwritten: the test is too weak")
		}
		f.update(func(tx *bbolt.Tx) error { return put(tx.Bucket([]byte(large)), 1500, 1500, commits) })
	}
}

// The first bytes of a page may be those of another one. Its length is not believed then.
func TestCopiesOfGarbage(t *testing.T) {
	f := grownFile(t, t.TempDir())
	defer f.bolt.Close()
	data, err := os.ReadFile(f.path)
	if err != nil {
		t.Fatal(err)
	}
	c, err := NewCopies(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	id := f.pagesInUse()[0]
	page := data[id*4096:][:4096]
	order.PutUint64(page, id+1)
	order.PutUint32(page[12:], uint32(c.meta.Pages-id-1))
	if got, problem := c.page(id); problem != "" || len(got) != 4096 {
		t.Errorf("a page with another number has %d bytes, %s", len(got), problem)
	}
	order.PutUint64(page, id)
	order.PutUint32(page[12:], uint32(c.meta.Pages))
	c.kept = map[uint64][]byte{}
	if _, problem := c.page(id); problem != tooLong(c.meta.Pages) {
		t.Errorf("a page that is longer than the file: %q", problem)
	}
	for size := 0; size < int(c.meta.Pages)*4096; size += 5000 {
		cut := data[:size]
		if c, err := NewCopies(bytes.NewReader(cut)); err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Errorf("of %d bytes: %v", size, err)
			}
		} else if _, problem := c.page(c.meta.Pages - 1); problem == "" {
			t.Errorf("of %d bytes, the last page can be read", size)
		}
	}
	for id := range 2 {
		clear(data[id*4096:][:4096])
		c, err := NewCopies(bytes.NewReader(data))
		if (err == nil) != (id == 0) {
			t.Errorf("with %d damaged meta pages: %v", id+1, err)
		} else if err == nil && c.meta.Tx%2 != 1 {
			t.Errorf("with meta page 0 damaged, transaction %d is the newest", c.meta.Tx)
		}
	}
}

// Offset finds the place of a part that was copied.
func TestOffsetInCopies(t *testing.T) {
	f := grownFile(t, t.TempDir())
	defer f.bolt.Close()
	c := newCopies(t, f.path)
	im := c.Image(f.table, nil)
	key, value, err := mustBucket(t, im, large).Cursor().Last()
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range [][]byte{key, value} {
		got := make([]byte, len(part))
		if _, err := c.file.ReadAt(got, im.Offset(part)); err != nil || !bytes.Equal(got, part) {
			t.Errorf("at offset %d are other bytes: %v", im.Offset(part), err)
		}
	}
	if offset := im.Offset([]byte("elsewhere")); offset != 0 {
		t.Errorf("the offset of bytes from elsewhere is %d", offset)
	}
}
