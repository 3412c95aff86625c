// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strings"

	"go.etcd.io/bbolt"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/pages"
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
			err = path.panicked(cause)
		}
	}()
	return fn()
}

func (path guard) panicked(cause any) error {
	if _, isFault := cause.(interface{ Addr() uintptr }); isFault {
		if info, err := os.Stat(string(path)); err == nil {
			return fmt.Errorf("%w: %s, of %d bytes, has been cut off, or the disk cannot read it", daybook.ErrCorrupt, string(path), info.Size())
		}
	}
	return fmt.Errorf("%w: a page of %s makes no sense: %v", daybook.ErrCorrupt, string(path), cause)
}

// theirs are the sentinels of the packages below, and what they are to our callers.
var theirs = []struct{ theirs, ours error }{
	{codec.ErrVersion, daybook.ErrVersion},
	{codec.ErrCorrupt, daybook.ErrCorrupt},
	{pages.ErrCorrupt, daybook.ErrCorrupt},
}

// fault makes an error of codec or pages match the root package's, and says where in the file it was
// met.
func (path guard) fault(err error, where ...string) error {
	for _, pair := range theirs {
		if !errors.Is(err, pair.theirs) {
			continue
		}
		if errors.Is(err, pair.ours) {
			return err
		}
		text := strings.ReplaceAll(err.Error(), pair.theirs.Error()+": ", "")
		if page := (*pages.DamagedPage)(nil); errors.As(err, &page) {
			where = append(where, placeOf(page)...)
		}
		where = append([]string{string(path)}, where...)
		return fmt.Errorf("%w: %s: %s", pair.ours, strings.Join(where, ": "), text)
	}
	return err
}

// placeOf says what stands on a page that is damaged.
func placeOf(page *pages.DamagedPage) []string {
	switch {
	case page.Bucket == "" || page.FirstKey == nil:
		return nil
	case page.Bucket == recordsBucket:
		return []string{fmt.Sprintf("catalogue entries from record %q on", page.FirstKey)}
	}
	if key, err := codec.DecodeKey(page.FirstKey); err == nil {
		return []string{fmt.Sprintf("chunks from record %q, key %x, on", key.Record, page.FirstKey)}
	}
	return []string{fmt.Sprintf("%s from key %x on", page.Bucket, page.FirstKey)}
}

// view runs fn in a read transaction.
func (t *Tree) view(fn func(*bbolt.Tx, *pages.Image) error) error {
	return t.guard.fault(t.guard.run(func() error {
		tx, v, err := t.begin()
		if err != nil {
			return err
		}
		defer func() { _ = tx.Rollback() }()
		return fn(tx, v)
	}))
}

// update runs fn in a write transaction and commits it. After an error nothing of it is there. The commit is
// to be sealed.
func (t *Tree) update(fn func(*writer) error) error {
	err := t.commit(func(tx *bbolt.Tx) error {
		w, err := t.writer(tx)
		if err != nil {
			return err
		}
		if err := fn(w); err != nil {
			return err
		}
		if !t.sealed { // or the table of the state before would be lost: load advances by one commit
			if err := t.saveTable(tx); err != nil {
				return err
			}
		}
		w.state.Generation++
		return putState(tx, w.state)
	})
	if err == nil {
		t.generation++
		t.sealed = false
	}
	return err
}

// commit runs fn in a write transaction and commits it. When the commit itself fails in a way that leaves open
// what reached the disk, the tree takes no more writes.
func (t *Tree) commit(fn func(tx *bbolt.Tx) error) error {
	if err := t.Failure(); err != nil {
		return err
	}
	committing, id := false, 0
	var before metas
	t.saving = false
	err := t.guard.run(func() error {
		tx, err := t.beginBolt(true)
		if err != nil {
			return err
		}
		defer func() { _ = tx.Rollback() }() // does nothing after a commit
		if err := t.checkLast(tx); err != nil {
			return err
		}
		if err := fn(tx); err != nil {
			return err
		}
		committing, id, before = true, tx.ID(), t.metas()
		t.advance.Store(&advance{id: uint64(id), before: t.committed.Load()})
		return tx.Commit()
	})
	defer t.advance.Store(nil)
	err = t.guard.fault(err)
	if committing && errors.Is(err, daybook.ErrCorrupt) {
		// bbolt panicked over its own account of the pages, not over what is on the disk, which was looked at.
		err = errors.New(err.Error())
	}
	if err != nil && !committing {
		return WrapNoSpace(err)
	}
	if err == nil || t.reached(id) {
		if t.saving {
			clear(t.unsaved)
		}
		if err = errors.Join(err, t.publish()); err == nil {
			return nil
		}
	} else if isNoSpace(err) && t.metas() == before {
		t.lastFull = err
		return WrapNoSpace(err)
	}
	return t.Fail(err)
}

// Fail has the tree take no more writes, and returns what it says to those.
func (t *Tree) Fail(cause error) error {
	err := fmt.Errorf("%w: the tree: %w", daybook.ErrFailed, cause)
	if t.opts.copying { // nobody's writes depend on it
		err = fmt.Errorf("the copy: %w", cause)
	}
	t.failure.Store(&err)
	return err
}

// checkLast holds against the last commit what bbolt believes of it when it makes the next.
func (t *Tree) checkLast(tx *bbolt.Tx) error {
	last := t.committed.Load()
	if uint64(tx.ID()) != last.to+1 {
		return t.lostCommit()
	}
	if last.rest == nil { // a new file
		return nil
	}
	v := pages.NewImage(tx, last.table, last.rest)
	if err := last.rest.Check(v); err != nil || t.lastFull == nil {
		return err
	}
	used, err := last.table.InUse(v, metaBucket, pagesBucket)
	if err != nil {
		return err
	}
	for _, id := range used {
		if page, err := tx.Page(int(id)); err == nil && page != nil && page.Type == "free" {
			return t.Fail(fmt.Errorf("page %d, which is in use, is taken for free after a commit that failed: %w", id, t.lastFull))
		}
	}
	t.lastFull = nil
	return nil
}

// metas are the two meta pages as the file has them.
type metas [2][pages.MetaLen]byte

func (t *Tree) metas() (m metas) {
	for id := range m {
		_, _ = t.file.ReadAt(m[id][:], int64(id*t.pageSize)) // zeros differ from what was there too
	}
	return m
}

// reached reports whether a transaction whose commit failed is visible all the same: its last page was
// written, but could not be made durable. Doing its work again would then do it twice.
func (t *Tree) reached(id int) bool {
	visible := true
	err := t.viewBolt(func(tx *bbolt.Tx) error {
		visible = tx.ID() >= id
		return nil
	})
	return visible || err != nil
}
