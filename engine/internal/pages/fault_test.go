// SPDX-License-Identifier: Apache-2.0

package pages

import (
	"errors"
	"fmt"
	"testing"

	"go.etcd.io/bbolt"
)

// TestFailReads fails the first read of each page. A walk through the bucket must name that page,
// and find it undamaged the next time.
func TestFailReads(t *testing.T) {
	f := newFile(t, t.TempDir())
	defer f.bolt.Close()
	f.update(func(tx *bbolt.Tx) error {
		for i := range 500 {
			if err := tx.Bucket([]byte(large)).Put(fmt.Appendf(nil, "key.%03d", i), make([]byte, 50)); err != nil {
				return err
			}
		}
		return nil
	})
	f.view(f.table, func(im *Image) {
		failed := 0
		for page := range im.pages() {
			read := false
			lift := FailReads(func(id uint64) string {
				if id == page && !read {
					read = true
					return "a fault"
				}
				return ""
			})
			err := walkLarge(im)
			lift()
			var damage *DamagedPage
			if read && (!errors.As(err, &damage) || damage.Page != page || damage.Problem != "a fault") ||
				!read && err != nil {
				t.Errorf("page %d, which was read: %t: got %v", page, read, err)
			}
			if read {
				failed++
			}
			if err := walkLarge(im); err != nil {
				t.Errorf("page %d without the fault: %v", page, err)
			}
		}
		if failed < 10 {
			t.Errorf("only %d pages were read", failed)
		}
		defer FailReads(func(uint64) string { return "a fault" })()
		if _, err := im.Meta(); !errors.Is(err, ErrCorrupt) {
			t.Errorf("Meta: got %v; want ErrCorrupt", err)
		}
	})
}

// walkLarge walks through the pages of the bucket large.
func walkLarge(im *Image) error {
	b, err := im.Bucket(large)
	if err != nil {
		return err
	}
	return b.Walk(func(_, _ []byte) error { return nil }, func(err error) error { return err })
}
