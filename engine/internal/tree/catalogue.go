// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"go.etcd.io/bbolt"

	"github.com/daybook-db/daybook/codec"
)

// catalogue is the bucket that has the catalogue entry of each record under the record's name. It
// is valid as long as the bucket's transaction.
type catalogue struct {
	bucket *bbolt.Bucket
	added  int // bytes of entries that were put
}

// put stores a record's entry. It copies NewestValue.
func (c *catalogue) put(name string, entry *codec.CatalogueEntry) error {
	data := entry.Append(nil, name)
	c.added += len(name) + len(data)
	return c.bucket.Put([]byte(name), data)
}

// delete deletes a record's entry.
func (c *catalogue) delete(name string) error { return c.bucket.Delete([]byte(name)) }
