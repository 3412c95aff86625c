// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/bbolt"

	"github.com/daybook-db/daybook/codec"
)

// withCatalogue calls fn with an empty catalogue in a new file.
func withCatalogue(t *testing.T, fn func(catalogue)) {
	t.Helper()
	db, err := bbolt.Open(filepath.Join(t.TempDir(), "catalogue.bolt"), 0o600, &bbolt.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = db.Update(func(tx *bbolt.Tx) error {
		bucket, err := tx.CreateBucket([]byte("records"))
		if err == nil {
			fn(catalogue{bucket: bucket})
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// get returns a record's entry, and whether there is one.
func (c *catalogue) get(name string) (entry codec.CatalogueEntry, found bool, err error) {
	data := c.bucket.Get([]byte(name))
	if data == nil {
		return codec.CatalogueEntry{}, false, nil
	}
	entry, err = codec.DecodeCatalogueEntry([]byte(name), data)
	return entry, true, err
}

func TestCatalogue(t *testing.T) {
	withCatalogue(t, func(c catalogue) {
		want := codec.CatalogueEntry{
			Count: 3, Bytes: 30, Oldest: 1, Newest: 9, NewestSequence: 12, NewestValue: []byte(`{"a":1}`),
		}
		if err := errors.Join(c.put("a", &want), c.put("b", &codec.CatalogueEntry{Count: 1})); err != nil {
			t.Fatal(err)
		}
		got, found, err := c.get("a")
		if diff := cmp.Diff(want, got); diff != "" || !found || err != nil {
			t.Errorf("get: found %v, %v (-want +got):\n%s", found, err, diff)
		}
		if err := c.delete("a"); err != nil {
			t.Fatal(err)
		}
		if _, found, err := c.get("a"); found || err != nil {
			t.Errorf("after delete: found %v, %v", found, err)
		}
		if _, found, err := c.get("b"); !found || err != nil {
			t.Errorf("deleting one record's entry also deleted another's: %v", err)
		}
		if err := c.bucket.Put([]byte("b"), []byte{1}); err != nil {
			t.Fatal(err)
		}
		if _, _, err := c.get("b"); !errors.Is(err, codec.ErrCorrupt) {
			t.Errorf("a damaged entry: got %v, want ErrCorrupt", err)
		}
	})
}
