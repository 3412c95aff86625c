// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"errors"
	"fmt"
	"runtime/debug"

	"go.etcd.io/bbolt"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/disk"
	"github.com/daybook-db/daybook/index"
)

// guard runs fn, and turns its panic into daybook.ErrCorrupt. bbolt panics over pages that make no sense,
// and a memory-mapped file that was cut off faults where it is read; neither may take down the program. So
// nothing that fn hands out may be a part of the mapping.
func guard(fn func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("%w: reading the tree: %v", daybook.ErrCorrupt, cause)
		}
	}()
	return fn()
}

// fault makes an error of codec or index match the root package's, and says where it was met.
func fault(err error, where string) error {
	switch {
	case errors.Is(err, codec.ErrVersion), errors.Is(err, index.ErrVersion):
		return fmt.Errorf("%w: %s: %w", daybook.ErrVersion, where, err)
	case errors.Is(err, codec.ErrCorrupt), errors.Is(err, index.ErrCorrupt):
		return fmt.Errorf("%w: %s: %w", daybook.ErrCorrupt, where, err)
	}
	return err
}

// view runs fn in a read transaction.
func (t *Tree) view(fn func(tx *bbolt.Tx) error) error {
	return guard(func() error { return t.bolt.View(fn) })
}

// update runs fn in a write transaction and commits it. After an error nothing of it is there. When the
// commit itself fails in a way that leaves open what reached the disk, the tree takes no more writes.
func (t *Tree) update(fn func(tx *bbolt.Tx) error) error {
	if failure := t.failure.Load(); failure != nil {
		return *failure
	}
	committing, id := false, 0
	err := guard(func() error {
		tx, err := t.bolt.Begin(true)
		if err != nil {
			return err
		}
		defer func() { _ = tx.Rollback() }() // does nothing after a commit
		if err := fn(tx); err != nil {
			return err
		}
		committing, id = true, tx.ID()
		return tx.Commit()
	})
	switch {
	case err == nil:
		return nil
	case disk.IsNoSpace(err) && !(committing && t.reached(id)):
		return fmt.Errorf("%w: %w", daybook.ErrNoSpace, err)
	case committing:
		err = fmt.Errorf("daybook: the tree failed and takes no more writes until it is opened again: %w", err)
		t.failure.Store(&err)
	}
	return err
}

// reached reports whether a transaction whose commit failed is visible all the same: its last page was
// written, but could not be made durable. Doing its work again would then do it twice.
func (t *Tree) reached(id int) bool {
	visible := true
	err := t.view(func(tx *bbolt.Tx) error {
		visible = tx.ID() >= id
		return nil
	})
	return visible || err != nil
}
