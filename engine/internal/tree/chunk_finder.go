// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/pages"
)

// chunkFinder finds the chunks of a record that is being changed. Chunks are nil where the record
// has none.
type chunkFinder interface {
	// around returns the last chunk that starts at a timestamp or before, and the chunk after that.
	around(record string, timestamp uint64) (left, right *chunk, err error)
	previous(record string, c *chunk) (*chunk, error)
	next(record string, c *chunk) (*chunk, error)
}

// around finds the chunks as the transaction has changed them.
func (w *writeTx) around(record string, timestamp uint64) (left, right *chunk, err error) {
	if left, err = w.lastStartingBy(record, timestamp); err == nil {
		right, err = w.next(record, left)
	}
	return left, right, err
}

// imageFinder finds chunks in the image before the transaction, which must not have changed the
// record yet. It searches fewer pages than writeTx, and its chunks are valid until the transaction
// ends.
type imageFinder struct {
	*chunkReader
	cursor *pages.Cursor
	bound  []byte
}

func (f *imageFinder) around(record string, timestamp uint64) (left, right *chunk, err error) {
	f.bound = codec.AppendUpperBound(f.bound[:0], record, timestamp)
	right, err = f.readAt(record, func() ([]byte, []byte, error) { return f.cursor.Seek(f.bound) })
	if err != nil {
		return nil, nil, err
	}
	if right != nil && string(right.key) == string(f.bound) {
		left = right
		right, err = f.readAt(record, f.cursor.Next)
		return left, right, err
	}
	left, err = f.readAt(record, f.cursor.Prev)
	return left, right, err
}

func (f *imageFinder) previous(record string, c *chunk) (*chunk, error) {
	if _, _, err := f.cursor.Seek(c.key); err != nil {
		return nil, f.mapped.describe(err)
	}
	return f.readAt(record, f.cursor.Prev)
}

func (f *imageFinder) next(record string, c *chunk) (*chunk, error) {
	if _, _, err := f.cursor.Seek(c.key); err != nil {
		return nil, f.mapped.describe(err)
	}
	return f.readAt(record, f.cursor.Next)
}
