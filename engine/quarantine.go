// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/disk"
	"github.com/daybook-db/daybook/engine/internal/identity"
	"github.com/daybook-db/daybook/engine/internal/wal"
)

// This file has what Open does with a damaged directory under OnCorruptionQuarantine. Damage that
// shows later is dealt with in salvage.go.

// quarantines reports whether err is damage that Options.OnCorruption says to set aside.
func (db *DB) quarantines(err error) bool {
	return errors.Is(err, daybook.ErrCorrupt) && db.opts.OnCorruption == OnCorruptionQuarantine && !db.opts.ReadOnly
}

// replaceUnreadableTree sets aside a tree that does not open, and opens a new one in its place.
// found is the tree's file as Open found it; nil if it was missing.
func (t *turn) replaceUnreadableTree(found os.FileInfo, damage error) error {
	if err := t.db.dir.checkTreeNotInUse(found); err != nil {
		return err
	}
	if err := t.db.setAside(TreeFile, damage); err != nil {
		return err
	}
	return t.openNewTree()
}

// openNewTree creates and opens a tree beside a log that may hold values. The tree gets the
// identity of the log. A salvaged tree would take its place, so it removes that.
func (t *turn) openNewTree() error {
	if err := t.db.dir.remove(salvagedName); err != nil {
		return err
	}
	known, err := t.db.dir.identityOfLog()
	if err != nil {
		return err
	}
	return t.openTreeFile(false, known)
}

// checkTreeNotInUse returns daybook.ErrLocked if the tree's file is not the found one, or a process
// has it open. Another process may have set the damaged tree aside at the same time, and use a new
// one.
func (d directory) checkTreeNotInUse(found os.FileInfo) (err error) {
	file, err := d.fs.OpenFile(d.tree, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) && found == nil {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	now, err := file.Stat()
	if err != nil {
		return err
	}
	if found == nil || !os.SameFile(found, now) || !disk.TryLock(file, disk.OfTree) {
		return errInUse(d.tree)
	}
	return disk.Unlock(file, disk.OfTree)
}

func errInUse(path string) error {
	return fmt.Errorf("%w: %s: close the program that has it open", daybook.ErrLocked, path)
}

// setAside gives a damaged tree or log another name. A file system keeps the changes of one name in
// their order, so the new file that gets the old name never survives without the rename. The caller
// syncs the directory once the new file is there.
func (db *DB) setAside(name string, damage error) error {
	if _, err := db.dir.fs.Stat(db.dir.file(name)); errors.Is(err, fs.ErrNotExist) {
		return nil // it was lost, or an earlier Open crashed after this step
	}
	aside, err := db.dir.freePath(name)
	if err != nil {
		return err
	}
	if err := db.dir.fs.Rename(db.dir.file(name), aside); err != nil {
		return err
	}
	db.quarantined.add(aside, damage)
	_ = db.listQuarantined() // Quarantined lists them again, and tells the error
	db.opts.Logger.ErrorContext(context.Background(), "daybook: set aside a damaged file, and go on without it",
		"from", db.dir.file(name), "to", aside, "error", damage)
	return nil
}

// treeDamagedError marks damage that was met when values of the log were posted: it is in the tree,
// not in the log.
type treeDamagedError struct{ err error }

func (e *treeDamagedError) Error() string { return e.err.Error() }
func (e *treeDamagedError) Unwrap() error { return e.err }

// recoverDamaged is recoverLog after damage. It keeps the values of the log before the damage, and
// of a damaged tree what can be read.
func (t *turn) recoverDamaged(damage error) (*wal.Recovery, error) {
	if isOfTree(damage) {
		if err := t.quarantineOpenTree(damage); err != nil {
			return nil, err
		}
	}
	recovery, err := t.quarantineLog(damage)
	if !isOfTree(err) {
		return recovery, err
	}
	// Posting the values before the log's damage met damage in the tree, too. With the tree in
	// order, the log is dealt with once more, from its beginning.
	if err := t.quarantineOpenTree(err); err != nil {
		return nil, err
	}
	return t.quarantineLog(damage)
}

func isOfTree(err error) bool {
	var inTree *treeDamagedError
	return errors.As(err, &inTree)
}

// markOfTree makes damage that a post has met match isOfTree. It returns other errors unchanged.
func markOfTree(err error) error {
	if errors.Is(err, daybook.ErrCorrupt) {
		return &treeDamagedError{err}
	}
	return err
}

// quarantineOpenTree sets aside a tree that opened, and turned out to be damaged. What can be read
// of it takes its place, or otherwise a new tree does.
func (t *turn) quarantineOpenTree(damage error) error {
	if err := t.salvage(context.Background(), damage); !errors.Is(err, daybook.ErrCorrupt) {
		return err
	}
	if err := t.tree().Close(); err != nil {
		return err
	}
	if err := t.db.setAside(TreeFile, damage); err != nil {
		return err
	}
	return t.openNewTree()
}

// quarantineLog makes the best of a log that could not be replayed because of damage.
//
// If the log itself is damaged, it posts the values before the damage, sets the log aside, and goes
// on with an empty log. If the log is undamaged, the damage was in the tree, which is a salvaged or
// a new one by now: the log is replayed again, and a new tree begins where the log begins. After a
// crash on the way the next Open does the same again.
func (t *turn) quarantineLog(damage error) (*wal.Recovery, error) {
	dir := t.db.dir
	if err := t.beginTreeWhereLogBegins(); err != nil {
		return nil, err
	}
	state, err := t.tree().State()
	if err != nil {
		return nil, err
	}
	recovery, logDamage, err := wal.ScanUpToDamage(dir.file(logName), dir.fs, t.knownToLog(state))
	if err != nil {
		return nil, err
	}
	t.db.heads.clear()
	isDamaged := logDamage != nil || recovery.NextSequence() <= state.MaxPosted()
	if recovery.NextSequence() > state.Watermark+1 {
		err := t.replay(recovery, state)
		switch {
		case errors.Is(err, daybook.ErrCorrupt) && !isOfTree(err):
			isDamaged = true
		case err != nil:
			return recovery, err
		case !isDamaged:
			return recovery, nil
		}
	}
	if err := t.postReplayed(); err != nil {
		return nil, err
	}
	// No later value may get a sequence number that the damaged log may have given.
	last := max(state.MaxPosted(), recovery.LastAssigned())
	t.forkAfterLoss(recovery.Identity(), recovery.NextSequence()-1)
	if err := t.markHoldsDamaged(); err != nil {
		return nil, err
	}
	if err := t.tree().SetWatermark(last, recovery.LastSegment()); err != nil {
		return nil, err
	}
	if err := t.db.setAside(logName, damage); err != nil {
		return nil, err
	}
	return t.scanAndReplay()
}

// postReplayed posts all values that were replayed.
func (t *turn) postReplayed() error {
	if !t.db.heads.activeEmpty() {
		t.db.heads.freeze()
	}
	_, err := t.postFrozen(context.Background(), nil)
	return markOfTree(err)
}

// beginTreeWhereLogBegins makes an empty tree expect the log's first value next, whatever its
// number. The values before that were in the tree that was set aside.
func (t *turn) beginTreeWhereLogBegins() error {
	state, err := t.tree().State()
	if err != nil || state.MaxPosted() > 0 {
		return err
	}
	begins, err := wal.FindBeginning(t.db.dir.file(logName), t.db.dir.fs)
	known, _ := t.tree().Identity()
	isForeign := begins.Origin != (identity.Origin{}) && begins.Origin.Store != known.Store
	if begins.Sequence <= 1 || isForeign || err != nil {
		return err
	}
	return t.tree().SetWatermark(begins.Sequence-1, 0)
}
