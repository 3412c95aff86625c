// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/disk"
	"github.com/daybook-db/daybook/engine/internal/head"
	"github.com/daybook-db/daybook/engine/internal/tree"
	"github.com/daybook-db/daybook/engine/internal/wal"
)

// salvagedName is what is whole of a damaged tree, while that is being set aside.
const salvagedName = "daybook.salvaged.db"

// quarantines reports whether err is a damage that is to be set aside.
func (db *DB) quarantines(err error) bool {
	return errors.Is(err, daybook.ErrCorrupt) && db.opts.OnCorruption == Quarantine && !db.opts.ReadOnly
}

// openWhole opens the tree, or a fresh one in place of a damaged one.
func (db *DB) openWhole() (tree.State, error) {
	path := filepath.Join(db.dir, treeName)
	before, _ := os.Stat(path)
	state, err := db.openTree(false)
	if !db.quarantines(err) {
		return state, err
	}
	if err := notInUse(path, before); err != nil {
		return state, err
	}
	if err := db.setAside(treeName, err); err != nil {
		return state, err
	}
	return db.openTree(true)
}

// notInUse returns daybook.ErrLocked if the file at path is another one than before, or somebody has it open: another
// process may have set the damaged one aside, too.
func notInUse(path string, before os.FileInfo) (err error) {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) && before == nil {
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
	if before == nil || !os.SameFile(before, now) || !disk.TryLock(file) {
		return fmt.Errorf("%w: %s: close the program that has it open", daybook.ErrLocked, path)
	}
	return disk.Unlock(file)
}

// setAside renames a file of the directory, or the log, durably.
func (db *DB) setAside(name string, damage error) error {
	from := filepath.Join(db.dir, name)
	if _, err := os.Stat(from); errors.Is(err, fs.ErrNotExist) {
		return nil // it was lost, or a crash came between the two steps of an earlier Open
	}
	to, err := db.asideName(name)
	if err != nil {
		return err
	}
	if err := db.fs.Rename(from, to); err != nil {
		return err
	}
	if err := db.fs.SyncDir(db.dir); err != nil {
		return err
	}
	db.mu.Lock()
	db.quarantined = append(db.quarantined, to)
	db.mu.Unlock()
	db.opts.Logger.ErrorContext(context.Background(), "daybook: set aside what is damaged, and go on without it",
		"from", from, "to", to, "error", damage)
	return nil
}

// asideName returns a path that is not in use.
func (db *DB) asideName(name string) (string, error) {
	extension := filepath.Ext(name)
	for n := 1; ; n++ {
		path := filepath.Join(db.dir, fmt.Sprintf("%s.corrupt-%d%s", strings.TrimSuffix(name, extension), n, extension))
		if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
			return path, nil
		} else if err != nil {
			return "", err
		}
	}
}

// recoverWhole replays the log, and sets aside what is in the way of that, if it may: the tree, if nothing can be posted to it,
// or the log.
func (db *DB) recoverWhole(state tree.State) (recovery *wal.Recovery, err error) {
	recovery, err = db.recoverLog(state)
	for range 3 { // the log, the tree because of what is posted of that, and the log again, to begin where it begins
		if !db.quarantines(err) {
			break
		}
		damage := err
		if err = nil; errors.As(damage, new(unpostable)) {
			err = db.quarantineTree(damage)
		}
		if err == nil {
			recovery, err = db.quarantineLog(damage)
		}
	}
	return recovery, err
}

// unpostable is why the tree does not take what was replayed.
type unpostable struct{ error }

func (u unpostable) Unwrap() error { return u.error }

// againIfDamaged does again what has met damage, with what is whole of the tree, if that may be set aside. It needs posting
// held.
func (db *DB) againIfDamaged(ctx context.Context, err error, do func() error) error {
	if !db.quarantines(err) {
		return err
	}
	if err := db.salvage(ctx, err); err != nil {
		return err
	}
	return do()
}

// salvage sets the tree aside, which turned out to be damaged, and goes on with what is whole of it. A crash leaves the one or
// the other. It returns the damage itself where it cannot do that, or does not find it, and else why it failed, in which case
// everything is as before, or the tree takes no more writes. It needs posting held.
func (db *DB) salvage(ctx context.Context, damage error) error {
	if !canReplace {
		return damage
	}
	db.giveUpCopy(damage)
	before, err := db.tree.State()
	if errors.Is(err, daybook.ErrCorrupt) {
		return damage
	}
	_, used, sizeErr := db.tree.Size()
	if err = errors.Join(err, sizeErr, db.tree.Failed(), db.roomOnDisk(used), db.removeCopy()); err == nil {
		if found := db.tree.Check(ctx); !errors.Is(found, daybook.ErrCorrupt) {
			return cmp.Or(ctx.Err(), damage)
		}
		err = db.salvageTree(ctx, damage, before.Values)
	}
	if err != nil {
		return fmt.Errorf("what is whole could not be put in the place of a damaged tree (%v): %w", damage, tree.WrapNoSpace(err))
	}
	return nil
}

// salvageTree copies what is whole, and has it be the tree. values is how many there were.
func (db *DB) salvageTree(ctx context.Context, damage error, values uint64) error {
	whole, err := db.tree.Salvage(ctx, filepath.Join(db.dir, copyName))
	if err != nil {
		return errors.Join(err, db.removeCopy())
	}
	after, err := whole.State()
	if err != nil {
		return errors.Join(err, whole.Close(), db.removeCopy())
	}
	if err := db.putSalvaged(whole, damage); err != nil {
		return err
	}
	db.opts.Logger.ErrorContext(ctx, "daybook: left out what was damaged", "dir", db.dir,
		"values_left", after.Values, "values_lost", values-min(after.Values, values))
	return nil
}

// putSalvaged puts what is whole in the place of the tree. The names say at each step which of them is the tree; whether a
// step that failed was taken all the same, the files say.
func (db *DB) putSalvaged(whole *tree.Tree, damage error) error {
	path, salvaged := filepath.Join(db.dir, treeName), filepath.Join(db.dir, salvagedName)
	err := db.fs.Rename(filepath.Join(db.dir, copyName), salvaged)
	if err == nil {
		err = db.fs.SyncDir(db.dir)
	}
	if err == nil {
		err = db.setAside(treeName, damage)
	}
	if there, _ := db.tree.At(path); there {
		return errors.Join(err, whole.Close(), db.removeCopy(), db.removeIfThere(salvagedName), db.fs.SyncDir(db.dir))
	}
	if err != nil {
		return db.strand(whole, err)
	}
	if err := db.rename(salvagedName, whole); err != nil {
		return err
	}
	_ = db.becomes(whole) // what is not durable of it will be before the next write
	return nil
}

// finishSalvage does what a crash kept putSalvaged from, unless a fresh tree is asked for.
func (db *DB) finishSalvage(fresh bool) error {
	if fresh {
		return db.removeIfThere(salvagedName)
	}
	path, salvaged := filepath.Join(db.dir, treeName), filepath.Join(db.dir, salvagedName)
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	file, err := os.OpenFile(salvaged, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close()
	if !disk.TryLock(file) {
		return fmt.Errorf("%w: %s: close the program that has it open", daybook.ErrLocked, path)
	}
	return db.fs.Rename(salvaged, path)
}

// quarantineTree puts what is whole, or else a fresh tree, in the place of one that was opened, and then turned out to be
// damaged.
func (db *DB) quarantineTree(damage error) error {
	if err := db.salvage(context.Background(), damage); !errors.Is(err, daybook.ErrCorrupt) {
		return err
	}
	if err := db.tree.Close(); err != nil {
		return err
	}
	if err := db.setAside(treeName, damage); err != nil {
		return err
	}
	_, err := db.openTree(true)
	return err
}

// quarantineLog makes the best of a log that cannot be replayed. If that is because the tree is a fresh one, the log begins
// where it begins. Else what stands before the damage is posted, and then the log set aside. A crash in between leaves
// what the next Open does the same with.
func (db *DB) quarantineLog(damage error) (*wal.Recovery, error) {
	dir := filepath.Join(db.dir, logName)
	state, err := db.startFresh(dir)
	if err != nil {
		return nil, err
	}
	recovery, left, err := wal.ScanUpToDamage(dir, db.fs, state.Watermark)
	if err != nil {
		return nil, err
	}
	db.active, db.frozen = head.New(db.opts.Tuning.HeadSize), nil
	highest := state.Highest()
	if left == nil && recovery.NextSequence() <= highest {
		left = damage
	}
	if recovery.NextSequence() > state.Watermark+1 {
		err := db.replayAll(recovery, state)
		damaged := errors.Is(err, daybook.ErrCorrupt) && !errors.As(err, new(unpostable))
		if err != nil && !damaged || err == nil && left == nil {
			return recovery, err
		}
	}
	if db.active.Values() > 0 {
		db.freezeLocked()
	}
	if _, err := db.postFrozen(nil); err != nil {
		return nil, unpostable{err}
	}
	last := max(highest, recovery.LastAssigned())
	if err := db.tree.StartAt(last, recovery.LastSegment()); err != nil {
		return nil, err
	}
	if err := db.setAside(logName, damage); err != nil {
		return nil, err
	}
	if state, err = db.tree.State(); err != nil {
		return nil, err
	}
	return db.recoverLog(state)
}

// startFresh has a tree that nothing was ever written to begin where the log does.
func (db *DB) startFresh(dir string) (tree.State, error) {
	state, err := db.tree.State()
	if err != nil || state.Highest() > 0 {
		return state, err
	}
	first, err := wal.FirstSequence(dir, db.fs)
	if first <= 1 || err != nil {
		return state, err
	}
	if err := db.tree.StartAt(first-1, 0); err != nil {
		return state, err
	}
	return db.tree.State()
}
