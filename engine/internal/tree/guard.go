// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"errors"
	"fmt"
	"runtime/debug"
	"strings"

	"go.etcd.io/bbolt"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/disk"
	"github.com/daybook-db/daybook/index"
)

// guard is the path of a file that is read through bbolt.
type guard string

// run runs fn, and turns its panic into daybook.ErrCorrupt. bbolt panics over pages that make no sense, and
// a memory-mapped file that was cut off faults where it is read; neither may take down the program. So
// nothing that fn hands out may be a part of the mapping.
func (path guard) run(fn func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("%w: a page of %s makes no sense: %v", daybook.ErrCorrupt, string(path), cause)
		}
	}()
	return fn()
}

// fault makes an error of codec or index match the root package's, and says where it was met.
func fault(err error, where string) error {
	for _, theirs := range []error{codec.ErrVersion, index.ErrVersion, codec.ErrCorrupt, index.ErrCorrupt} {
		if !errors.Is(err, theirs) {
			continue
		}
		ours := daybook.ErrCorrupt
		if theirs == codec.ErrVersion || theirs == index.ErrVersion {
			ours = daybook.ErrVersion
		}
		return fmt.Errorf("%w: %s: %s", ours, where, strings.ReplaceAll(err.Error(), theirs.Error()+": ", ""))
	}
	return err
}

// view runs fn in a read transaction.
func (t *Tree) view(fn func(tx *bbolt.Tx) error) error {
	return t.guard.run(func() error { return t.bolt.View(fn) })
}

// update runs fn in a write transaction and commits it. After an error nothing of it is there. When the
// commit itself fails in a way that leaves open what reached the disk, the tree takes no more writes.
func (t *Tree) update(fn func(tx *bbolt.Tx) error) error {
	if failure := t.failure.Load(); failure != nil {
		return *failure
	}
	committing, id := false, 0
	err := t.guard.run(func() error {
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
		err = fmt.Errorf("%w: the tree: %w", daybook.ErrFailed, err)
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
