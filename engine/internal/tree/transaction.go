// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"errors"
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/pages"
)

// view calls fn in a read transaction.
func (t *Tree) view(fn func(*bbolt.Tx, *pages.Image) error) error {
	return t.mapped.describe(t.mapped.protect(func() error {
		r, err := t.begin(func() (*bbolt.Tx, error) { return t.beginBolt(false) })
		if err != nil {
			return err
		}
		defer rollback(r.tx)
		return fn(r.tx, r.image)
	}))
}

// update calls fn in a write transaction and commits it. After an error the tree has none of its
// changes. The caller must seal the commit. Unless the tree is an incomplete copy, fn may be called
// twice, with another transaction, and must then do the same again.
func (t *Tree) update(fn func(*writeTx) error) error { return t.updateWith(0, fn) }

// updateWith is update for changes that need a number of bytes more than a transaction has
// otherwise.
func (t *Tree) updateWith(growth int64, fn func(*writeTx) error) error {
	growth += maxGrowth * int64(t.opts.TransactionBytes)
	identitySaved := func() {}
	err := t.commit(growth, func(tx *bbolt.Tx) error {
		w, err := t.newWriteTx(tx)
		if err != nil {
			return err
		}
		if err := fn(w); err != nil {
			return err
		}
		// loadTable advances a saved table by one commit. So each commit saves the previous table
		// if the previous commit is not sealed.
		if !t.sealed {
			if err := t.saveTable(tx); err != nil {
				return err
			}
		}
		if identitySaved, err = t.putIdentity(tx); err != nil {
			return err
		}
		w.state.Generation++
		if err := putState(tx, w.state); err != nil {
			return err
		}
		return t.checkGrowth(w)
	})
	if err == nil {
		identitySaved()
		t.generation++
		t.sealed = false
	}
	return err
}

// commit calls fn in a write transaction and commits it. growth is the number of bytes by which the
// file may grow with that. If the commit fails in a way that leaves open what reached the disk, all
// later writes fail.
func (t *Tree) commit(growth int64, fn func(tx *bbolt.Tx) error) error {
	if err := t.Failure(); err != nil {
		return err
	}
	err := t.withMapping(growth, func() error { return t.commitMapped(fn) })
	if isNoSpace(err) && t.pin.giveUp() {
		err = t.withMapping(growth, func() error { return t.commitMapped(fn) })
	}
	return err
}

// commitMapped is commit for a commit that the mapping has room for.
func (t *Tree) commitMapped(fn func(tx *bbolt.Tx) error) error {
	committing, id := false, 0
	var before metaPages
	t.saving = false
	err := t.mapped.protect(func() error {
		t.followPin()
		tx, err := t.beginBolt(true)
		if err != nil {
			return err
		}
		defer func() { _ = tx.Rollback() }() // does nothing after a commit
		if err := t.checkLastCommit(tx); err != nil {
			return err
		}
		if err := fn(tx); err != nil {
			return err
		}
		if err := putKeys(tx); err != nil {
			return err
		}
		committing, id, before = true, tx.ID(), t.readMetaPages()
		t.pending.Store(&pendingTable{id: uint64(id), before: t.committed.Load()})
		return tx.Commit()
	})
	defer t.pending.Store(nil)
	err = t.mapped.describe(err)
	if !committing && err != nil {
		return WrapNoSpace(err)
	}
	return t.endCommit(id, before, err)
}

// endCommit publishes a commit that succeeded or is visible, and otherwise decides what its failure
// means.
func (t *Tree) endCommit(id int, before metaPages, err error) error {
	if errors.Is(err, daybook.ErrCorrupt) {
		// The pages on the disk were verified: bbolt panicked over its own record of them.
		err = errors.New(err.Error())
	}
	if err == nil || t.isVisible(id) {
		if t.saving {
			clear(t.unsaved)
		}
		if err = errors.Join(err, t.publish()); err == nil {
			return nil
		}
	} else if isNoSpace(err) && t.readMetaPages() == before {
		t.lastFull = err
		return WrapNoSpace(err)
	}
	return t.Fail(err)
}

// Fail makes all later writes to the tree fail, and returns their error.
func (t *Tree) Fail(cause error) error {
	err := fmt.Errorf("%w: the tree: %w", daybook.ErrFailed, cause)
	if t.opts.copying { // an incomplete copy may fail without harm
		err = fmt.Errorf("the copy: %w", cause)
	}
	t.failure.Store(&err)
	return err
}

// checkLastCommit verifies what bbolt believes of the last commit when it makes the next one.
func (t *Tree) checkLastCommit(tx *bbolt.Tx) error {
	last := t.committed.Load()
	if uint64(tx.ID()) != last.to+1 {
		return t.lostCommitError()
	}
	if last.others == nil { // a new file
		return nil
	}
	image := pages.NewImage(tx, last.table, last.others)
	if err := last.others.Check(image); err != nil || t.lastFull == nil {
		return err
	}
	used, err := last.table.InUse(image, metaBucket, pagesBucket)
	if err != nil {
		return err
	}
	for _, id := range used {
		if page, err := tx.Page(int(id)); err == nil && page != nil && page.Type == "free" {
			return t.Fail(fmt.Errorf("bbolt takes page %d, which is in use, for free after a commit that failed: %w",
				id, t.lastFull))
		}
	}
	t.lastFull = nil
	return nil
}

// metaPages are the two meta pages of the file.
type metaPages [2][pages.MetaLen]byte

// readMetaPages reads the meta pages. One that cannot be read is zeros, which equal no meta page.
func (t *Tree) readMetaPages() (m metaPages) {
	for id := range m {
		_, _ = t.file.ReadAt(m[id][:], int64(id*t.pageSize))
	}
	return m
}

// isVisible reports whether a transaction is visible although its commit failed. Then its last page
// was written, but could not be made durable. To repeat its work would do the work twice.
func (t *Tree) isVisible(id int) bool {
	visible := true
	err := t.viewBolt(func(tx *bbolt.Tx) error {
		visible = tx.ID() >= id
		return nil
	})
	return visible || err != nil
}
