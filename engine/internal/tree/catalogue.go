// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"bytes"

	"go.etcd.io/bbolt"

	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/arena"
)

// catalogue is the bucket that has the catalogue entry of each record under the record's name. It
// is valid as long as the bucket's transaction.
type catalogue struct {
	bucket *bbolt.Bucket
	added  int // bytes of entries that were put

	// afterAll says that the record whose entry was looked up last is to follow all others.
	afterAll bool
	appended int // bytes of leaves that a post has added for such records
	grown    int // the same for other records, less those of the entries that were replaced

	entries arena.Values // bbolt needs them until the transaction ends
	name    []byte       // of the last entry; bbolt copies it
	scratch []byte
}

// put stores a record's entry. It copies NewestValue.
func (c *catalogue) put(name string, entry *codec.CatalogueEntry) error {
	c.scratch = entry.Append(c.scratch[:0], name)
	c.name = append(c.name[:0], name...)
	c.added += len(name) + len(c.scratch)
	if size := leafElementBytes + len(name) + len(c.scratch); c.afterAll {
		c.appended += size
	} else {
		c.grown += size
	}
	return c.bucket.Put(c.name, c.entries.Copy(c.scratch))
}

// lookedUp notes an entry of the catalogue before the transaction: the first one whose name is not
// less than a record's. A nil name says that there is none.
func (c *catalogue) lookedUp(record, name, data []byte) {
	c.afterAll = name == nil
	if bytes.Equal(record, name) {
		c.grown -= leafElementBytes + len(name) + len(data)
	}
}

// fillAfter returns how full bbolt is to make the leaves after a post, when those that it has
// changed had used bytes. Names that lie between others would halve a leaf that is cut off at its
// end again and again, and names that follow all others need no room in the leaves before them.
func (c *catalogue) fillAfter(used int) float64 {
	if c.appended >= c.grown {
		return recordsFill
	}
	return min(recordsFill, fillAfter(c.grown, used))
}

// delete deletes a record's entry.
func (c *catalogue) delete(name string) error { return c.bucket.Delete([]byte(name)) }
