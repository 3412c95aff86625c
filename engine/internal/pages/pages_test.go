// SPDX-License-Identifier: Apache-2.0

package pages

import (
	"bytes"
	"fmt"
	"path/filepath"
	"slices"

	"go.etcd.io/bbolt"
	"pgregory.net/rapid"
)

// The buckets of the test's files. No table has the pages of others.
const (
	large  = "large"
	small  = "small"
	others = "others"
)

// testFile is a bbolt file and the table of its pages.
type testFile struct {
	t     rapid.TB
	path  string
	bolt  *bbolt.DB
	table *Table
	saved map[uint64][]byte // the table's blocks as the caller stores them

	copied []byte // a copy of the file, which withDamage damages and mends
}

func newFile(t rapid.TB, dir string) *testFile {
	t.Helper()
	f := &testFile{
		t:     t,
		path:  filepath.Join(dir, "pages.bolt"),
		table: NewTable(large, small),
		saved: make(map[uint64][]byte),
	}
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
func (f *testFile) update(fn func(tx *bbolt.Tx) error) {
	f.t.Helper()
	if err := f.bolt.Update(fn); err != nil {
		f.t.Fatal(err)
	}
	f.view(nil, func(im *Image) {
		next, changed, err := f.table.Advance(im)
		if err != nil {
			f.t.Fatalf("Advance: %v", err)
		}
		for _, index := range changed {
			f.saved[index] = next.Block(index)
		}
		f.table = next
	})
}

func (f *testFile) view(table *Table, fn func(im *Image)) {
	f.t.Helper()
	err := f.bolt.View(func(tx *bbolt.Tx) error {
		fn(NewImage(tx, table, nil))
		return nil
	})
	if err != nil {
		f.t.Fatal(err)
	}
}

func mustBucket(t rapid.TB, im *Image, name string) *Bucket {
	t.Helper()
	b, err := im.Bucket(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// put fills a bucket with n keys, and with values of about size bytes that depend on the salt.
func put(bucket *bbolt.Bucket, n, size, salt int) error {
	for i := range n {
		value := bytes.Repeat([]byte{byte(i + salt)}, size+i%7)
		if err := bucket.Put(fmt.Appendf(nil, "key.%05d", i), value); err != nil {
			return err
		}
	}
	return nil
}

// grownFile returns a file whose large bucket has branches of branches and values on overflow
// pages. Its free pages still have the content that was replaced.
func grownFile(t rapid.TB, dir string) *testFile {
	t.Helper()
	f := newFile(t, dir)
	for salt := range 3 {
		f.update(func(tx *bbolt.Tx) error {
			if err := put(tx.Bucket([]byte(small)), 5, 20, salt); err != nil {
				return err
			}
			big := bytes.Repeat([]byte{byte(salt)}, 10_000)
			if err := tx.Bucket([]byte(large)).Put([]byte("big"), big); err != nil {
				return err
			}
			return put(tx.Bucket([]byte(large)), 1500, 1500, salt)
		})
	}
	return f
}

// blocks returns a function that returns the saved blocks one by one.
func (f *testFile) blocks() func() (uint64, []byte, error) {
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

// pagesInUse returns the first page of every group of pages that is in use.
func (f *testFile) pagesInUse() (ids []uint64) {
	for index := range f.saved {
		for i := range uint64(pagesPerBlock) {
			if id := index*pagesPerBlock + i; f.table.entry(id) > overflow {
				ids = append(ids, id)
			}
		}
	}
	slices.Sort(ids)
	return ids
}

// withDamage calls fn with a copy of the file in which change has changed a page.
func (f *testFile) withDamage(id uint64, change func(page []byte), fn func(im *Image)) {
	f.t.Helper()
	f.view(f.table, func(im *Image) {
		if f.copied == nil {
			f.copied = bytes.Clone(im.data)
		}
		whole, problem := im.bytesOf(id)
		if problem != "" {
			f.t.Fatal(problem)
		}
		im.data = f.copied
		page := im.data[int(id)*im.pageSize:][:len(whole)]
		change(page)
		fn(im)
		copy(page, whole)
	})
}
