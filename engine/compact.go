// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/disk"
	"github.com/daybook-db/daybook/engine/internal/tree"
)

// copyName is the tree's file while it is being compacted.
const copyName = "daybook.new.db"

const (
	// A checkpoint or a prune that leaves a file of leastCompacted bytes or more, of which less than one part in mostlyFree
	// is in use, has it compacted.
	leastCompacted = 32 << 20
	mostlyFree     = 2
	// After an attempt that failed, and each that fails after that, compaction by itself waits for longer.
	leastCompactWait = time.Minute
	mostCompactWait  = 24 * time.Hour
	// copyTime is for how long checkpoints wait for steps of a copy at first; later it is one part in copyPart of how long the
	// copy takes already. Else it would never come to its end where more is stored while checkpoints have their turn.
	copyTime = 20 * time.Millisecond
	copyPart = 8
	// mostUnsynced is how many bytes of a copy are not synced yet while the next are written.
	mostUnsynced = 4 << 20
)

// canReplace says whether a file that is open can be replaced.
const canReplace = runtime.GOOS != "windows"

// compaction is what is known of the copy that is being made, and of those before.
type compaction struct {
	copy     *tree.Copy // nil: there is none
	failure  error      // why it is of no more use
	margin   int64      // bytes of the disk that it leaves
	replaced bool       // the tree, by a file whose name may not be durable yet
	stranded *tree.Tree // whole, and nobody knows whether it was to be this one

	spread float64       // the size of the last one's file over what was in use of it; values of megabytes leave gaps
	wait   time.Duration // after an attempt that failed
	until  time.Time     // when that is over
}

// Compact copies the tree into a new file, with its chunks filled up and without free pages, and puts that in the old
// one's place, so that the space goes back to the file system. It happens by itself when more than half of a file of
// 32 MiB or more is free. Stores, queries and, between two steps of the copy, checkpoints go on meanwhile; queries
// that are running finish on the old file, whose space is free when the last of them ends.
//
// It needs room for the copy: without it everything stays as it was, and the error is daybook.ErrNoSpace. A crash at any
// moment leaves the old file or the new one. It refuses to copy what is damaged, unless Options.OnCorruption is Quarantine:
// then it leaves that out, and keeps the old file under another name. On Windows, where a file that is open cannot be
// replaced, it does nothing, and the error is errors.ErrUnsupported.
// Errors: daybook.ErrNoSpace, ErrReadOnly, ErrClosed, ErrCorrupt, ErrFailed, errors.ErrUnsupported, the operating system's,
// after which it can be tried again, or ctx's.
func (db *DB) Compact(ctx context.Context) error {
	if err := db.enterWriting(ctx); err != nil {
		return err
	}
	defer db.gate.leave()
	if !canReplace {
		return fmt.Errorf("compaction of %s: %w on Windows, where a file that is open cannot be replaced", db.dir, errors.ErrUnsupported)
	}
	db.treeMu.RLock()
	damaged := db.tree
	db.treeMu.RUnlock()
	damage := db.compact(ctx, false)
	if !db.quarantines(damage) {
		return damage
	}
	again := false
	err := db.whilePosting(ctx, func() error {
		if again = db.tree != damaged; again { // somebody else has set it aside
			return nil
		}
		return db.salvage(ctx, damage)
	})
	if again {
		return db.compact(ctx, false)
	}
	return err
}

// compact makes a copy and puts it in the tree's place. By itself, it does so only where that is worth it, and leaves room
// on the disk for a head.
func (db *DB) compact(ctx context.Context, byItself bool) error {
	select {
	case db.compacting <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-db.compacting }()
	begun := false
	err := db.whilePosting(ctx, func() error {
		db.compaction.margin = 0
		if byItself {
			if !db.mostlyFree() { // any more
				return nil
			}
			db.compaction.margin = db.opts.Tuning.HeadSize
		}
		err := db.beginCopy()
		begun = err == nil
		return err
	})
	synced, began := int64(0), time.Now()
	for done := false; begun && err == nil && !done; {
		err = db.whilePosting(ctx, func() (err error) {
			turn := max(copyTime, time.Since(began)/copyPart)
			for start := time.Now(); err == nil && !done && time.Since(start) < turn; {
				done, err = db.copyStep(ctx)
			}
			if err == nil && done {
				err = db.replaceTree()
			}
			return err
		})
		if err == nil && !done {
			synced, err = db.syncCopy(synced)
		}
	}
	err = tree.WrapNoSpace(err)
	if begun {
		db.posting <- struct{}{}
		defer db.stopPosting()
		db.giveUpCopy(err)
		db.compaction.failure = nil
	}
	return err
}

// syncCopy makes durable what has been copied, when that is enough more than before, so that little is left for the end, when
// checkpoints wait for it. It returns how much is.
func (db *DB) syncCopy(before int64) (synced int64, err error) {
	file, err := os.Open(filepath.Join(db.dir, copyName))
	if errors.Is(err, fs.ErrNotExist) { // it was given up, and the next step says why
		return before, nil
	}
	if err != nil {
		return before, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil || info.Size()-before < mostUnsynced {
		return before, err
	}
	return info.Size(), disk.Datasync(file)
}

func (db *DB) whilePosting(ctx context.Context, do func() error) error {
	if err := db.startPosting(ctx); err != nil {
		return err
	}
	defer db.stopPosting()
	return do()
}

// roomForCopy returns daybook.ErrNoSpace if the disk has no room for what is left to copy. It needs posting held.
func (db *DB) roomForCopy() error {
	file, needed, err := db.tree.Size()
	if err != nil {
		return err
	}
	if c := db.compaction.copy; c != nil {
		needed -= min(c.Size(), needed)
	}
	if err := db.measure(); err != nil {
		return err
	}
	// A file that is larger than its part of MaxSize, as of a greater one before, only becomes smaller like this.
	if left := db.left(nil); left < needed && file <= db.opts.maxTree() {
		return fmt.Errorf("%w: compaction takes about %d bytes more, and MaxSize leaves %d; nothing has changed", daybook.ErrNoSpace, needed, left)
	}
	return db.roomOnDisk(needed + db.compaction.margin)
}

func (db *DB) roomOnDisk(needed int64) error {
	if free, known := disk.FreeSpace(db.dir); known && free < needed {
		return fmt.Errorf("%w: compaction takes about %d bytes more, and the disk of %s has %d; nothing has changed", daybook.ErrNoSpace, needed, db.dir, free)
	}
	return nil
}

// beginCopy begins the copy. It needs posting held.
func (db *DB) beginCopy() error {
	if err := errors.Join(db.tree.Failed(), db.roomForCopy()); err != nil {
		return err
	}
	if _, err := db.postFrozen(nil); err != nil { // it may be posted in part, which the copy could not tell
		return err
	}
	if err := db.removeCopy(); err != nil {
		return err
	}
	copying, err := db.tree.Copy(filepath.Join(db.dir, copyName))
	if err != nil {
		return errors.Join(err, db.removeCopy())
	}
	db.compaction.copy = copying
	return nil
}

// copyStep takes a step, and reports whether it was the last. It needs posting held.
func (db *DB) copyStep(ctx context.Context) (done bool, err error) {
	c := &db.compaction
	if c.copy == nil {
		return false, c.failure
	}
	if err := errors.Join(db.tree.Failed(), db.roomForCopy()); err != nil {
		return false, err
	}
	return c.copy.Step(ctx)
}

// tellCopy has the copy do what was done to the tree. It needs posting held.
func (db *DB) tellCopy(do func(*tree.Copy) error) {
	if db.compaction.copy == nil {
		return
	}
	if err := do(db.compaction.copy); err != nil {
		db.giveUpCopy(err)
	}
}

// giveUpCopy closes and removes the copy, if there is one, says why to whoever makes it, and reports whether that freed
// its space. It needs posting held.
func (db *DB) giveUpCopy(why error) bool {
	if db.compaction.copy == nil {
		return false
	}
	_ = db.compaction.copy.Close()
	db.compaction.copy, db.compaction.failure = nil, why
	return db.removeCopy() == nil
}

// removeCopy removes what a crash, or an attempt that failed, left of a copy.
func (db *DB) removeCopy() error { return db.removeIfThere(copyName) }

func (db *DB) removeIfThere(name string) error {
	return removeIfThere(db.fs, filepath.Join(db.dir, name))
}

func removeIfThere(fsys disk.FS, path string) error {
	err := fsys.Remove(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// replaceTree puts the whole copy in the tree's place. It needs posting held.
func (db *DB) replaceTree() error {
	fresh, err := db.compaction.copy.Finish()
	if err != nil {
		return err
	}
	if err := db.rename(copyName, fresh); err != nil {
		return err
	}
	db.compaction.copy = nil
	return db.becomes(fresh)
}

// becomes has a file that has got the tree's name be the tree, whatever else fails: nothing may be written to the old one any
// more. It needs posting held.
func (db *DB) becomes(fresh *tree.Tree) error {
	fresh.Moved(filepath.Join(db.dir, treeName))
	db.treeMu.Lock()
	old := db.tree
	db.tree = fresh
	db.treeMu.Unlock()
	db.draining.Go(func() { _ = old.Retire() })
	db.compaction.wait = 0
	if file, used, err := fresh.Size(); err == nil {
		db.compaction.spread = float64(file) / float64(max(used, 1))
	}
	// Until that is durable, a power cut leaves the old file or the new one, which are alike as long as nothing is written
	// to either.
	err := db.fs.SyncDir(db.dir)
	db.compaction.replaced = err != nil
	return errors.Join(err, db.measure())
}

// syncReplaced makes it durable that the tree was replaced, where that failed before. The directory is changed once more
// for it: after a sync that failed there may be nothing left to write, and another one succeeds without having written.
// It needs posting held.
func (db *DB) syncReplaced() error {
	if !db.compaction.replaced {
		return nil
	}
	file, err := db.fs.Create(filepath.Join(db.dir, copyName))
	if err == nil {
		err = errors.Join(file.Close(), db.removeCopy())
	}
	if err == nil {
		err = db.fs.SyncDir(db.dir)
	}
	db.compaction.replaced = err != nil
	return tree.WrapNoSpace(err)
}

// rename gives a file of what is to be the tree that name. An error may come from a file system that has done it all the
// same, or has done half of it; what counts is where the name leads.
func (db *DB) rename(name string, fresh *tree.Tree) error {
	path := filepath.Join(db.dir, treeName)
	err := db.fs.Rename(filepath.Join(db.dir, name), path)
	if err == nil {
		return nil
	}
	if there, _ := fresh.At(path); there {
		return nil
	}
	if there, _ := db.tree.At(path); there {
		return err
	}
	return db.strand(fresh, err)
}

// strand leaves both files as they are, and locked, until the directory is opened again: either may be the tree, or become
// it.
func (db *DB) strand(fresh *tree.Tree, err error) error {
	db.compaction.stranded, db.compaction.copy = fresh, nil
	return db.tree.Fail(err)
}

// compactWhenFree is the background work of compaction.
func (db *DB) compactWhenFree(stopping <-chan struct{}) {
	for {
		select {
		case <-stopping:
			return
		case <-db.compactor.nudged:
		}
		ctx, cancel := until(stopping)
		if err := db.compact(ctx, true); err != nil && ctx.Err() == nil {
			db.compactLater(err)
		}
		cancel()
	}
}

// until returns a context that ends when stopping is closed, or cancel is called.
func until(stopping <-chan struct{}) (ctx context.Context, cancel context.CancelFunc) {
	ctx, cancel = context.WithCancel(context.Background())
	go func() {
		select {
		case <-stopping:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

// compactIfFree has the tree compacted if most of its file is free. It needs posting held.
func (db *DB) compactIfFree() {
	if db.compactor.nudged != nil && db.compaction.copy == nil && db.mostlyFree() {
		db.compactor.nudge()
	}
}

// mostlyFree reports whether the file is worth a copy, and nothing says that one would fail, or come out as large. It
// needs posting held.
func (db *DB) mostlyFree() bool {
	c := &db.compaction
	file, used, err := db.tree.Size()
	tooLarge := db.opts.MaxSize > 0 && file > db.opts.maxTree()
	return err == nil && (file >= leastCompacted || tooLarge) && float64(file) > mostlyFree*float64(used)*max(c.spread, 1) && !time.Now().Before(c.until)
}

// compactLater has compaction by itself wait after one that failed.
func (db *DB) compactLater(failure error) {
	db.posting <- struct{}{}
	defer db.stopPosting()
	c := &db.compaction
	c.wait = min(max(2*c.wait, leastCompactWait), mostCompactWait)
	c.until = time.Now().Add(c.wait)
	db.opts.Logger.WarnContext(context.Background(), "daybook: the tree could not be compacted, and will be tried again after a while",
		"dir", db.dir, "after", c.wait, "error", failure)
}
