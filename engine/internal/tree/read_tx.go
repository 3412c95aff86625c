// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"go.etcd.io/bbolt"

	"github.com/daybook-db/daybook/engine/internal/pages"
)

// readTx is an open read transaction. While it is open, the pages of its moment are not
// overwritten. All that read the tree begin here, so that none is unknown to the snapshotGate.
type readTx struct {
	tree   *Tree
	tx     *bbolt.Tx // nil: another process writes to the file
	image  *pages.Image
	commit *committedTable // that the image is verified with
}

// beginRead begins a read transaction, and calls prepare within it. After an error of prepare the
// transaction has ended.
func (t *Tree) beginRead(prepare func(r readTx) error) error {
	t.snapshotGate.enter()
	begun := false
	defer func() {
		if !begun { // after an error or a panic
			t.snapshotGate.leave()
		}
	}()
	err := t.mapped.protect(func() error {
		r, err := t.begin(t.beginMapped)
		if err != nil {
			return err
		}
		defer func() {
			if !begun {
				rollback(r.tx)
			}
		}()
		if err := prepare(r); err != nil {
			return err
		}
		t.snapshots.Add(1)
		begun = true
		return nil
	})
	return t.mapped.describe(err)
}

// end ends the transaction.
func (r *readTx) end() {
	rollback(r.tx)
	r.tree.snapshotGate.leave()
	r.tree.snapshots.Done()
}

// rollback ends a read transaction; nil: there is none, because another process writes to the file.
func rollback(tx *bbolt.Tx) {
	if tx != nil {
		_ = tx.Rollback()
	}
}
