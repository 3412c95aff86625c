// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/daybook-db/daybook"
)

// TestOtherPagesOfAnOpenTree damages pages that no saved table covers, in the file of an open tree:
// the header of the freelist, and the pages of the buckets of the checksums and of the state. bbolt
// believes them when it commits. So the next commit must be refused, and must write nothing.
func TestOtherPagesOfAnOpenTree(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tree")
	tree := mustOpen(t, path)
	mustPost(t, tree, 0)
	mustPost(t, tree, 1)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	places := map[string]int{"the freelist's number of pages": freelistOf(good) + 10}
	for name, root := range bucketRoots(t, tree, metaBucket, pagesBucket) {
		places["the number of elements of the root of "+name] = root*pageSize + 10
		places["the first key of the root of "+name] = firstKeyAt(good, root)
	}
	h, watermark := round(2)
	for name, at := range places {
		damaged := bytes.Clone(good)
		damaged[at] ^= 1
		overwrite(t, path, damaged[at:at+1], at)
		if err := h.post(tree, watermark); !errors.Is(err, daybook.ErrCorrupt) {
			t.Errorf("%s changed: Post: got %v; want ErrCorrupt", name, err)
		}
		if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, damaged) {
			t.Errorf("%s changed: Post wrote to the file (%v)", name, err)
		}
		overwrite(t, path, good[at:at+1], at)
	}
	mustPost(t, tree, 2) // all pages are as they were
	wantRounds(t, tree, 3)
}

// bucketRoots returns the root pages of the buckets that are not inline.
func bucketRoots(t *testing.T, tree *Tree, names ...string) map[string]int {
	t.Helper()
	roots := make(map[string]int)
	err := tree.bolt.View(func(tx *bbolt.Tx) error {
		for _, name := range names {
			if root := tx.Bucket([]byte(name)).Root(); root != 0 {
				roots[name] = int(root)
			}
		}
		return nil
	})
	if err != nil || len(roots) == 0 {
		t.Fatalf("no bucket of %q has pages of its own: %v", names, err)
	}
	return roots
}

// firstKeyAt returns the offset of a page's first key, which follows the elements.
func firstKeyAt(file []byte, page int) int {
	elements := int(file[page*pageSize+10]) | int(file[page*pageSize+11])<<8
	return page*pageSize + 16 + 16*elements
}

// overwrite writes data into a file that may be open. Unlike os.WriteFile it does not cut the file
// off first, which Windows does not do while a part of the file is mapped.
func overwrite(t *testing.T, path string, data []byte, at int) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = file.WriteAt(data, int64(at))
	if err := errors.Join(err, file.Close()); err != nil {
		t.Fatal(err)
	}
}
