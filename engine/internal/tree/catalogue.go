// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"go.etcd.io/bbolt"

	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/arena"
)

// catalogue is the bucket that has the catalogue entry of each record under the record's name. It
// is valid as long as the bucket's transaction.
type catalogue struct {
	bucket *bbolt.Bucket
	added  int // bytes of entries that were put

	entries arena.Values // bbolt needs them until the transaction ends
	name    []byte       // of the last entry; bbolt copies it
	scratch []byte
}

// put stores a record's entry. It copies NewestValue.
func (c *catalogue) put(name string, entry *codec.CatalogueEntry) error {
	c.scratch = entry.Append(c.scratch[:0], name)
	c.name = append(c.name[:0], name...)
	c.added += len(name) + len(c.scratch)
	return c.bucket.Put(c.name, c.entries.Copy(c.scratch))
}

// delete deletes a record's entry.
func (c *catalogue) delete(name string) error { return c.bucket.Delete([]byte(name)) }
