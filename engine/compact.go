// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/disk"
	"github.com/daybook-db/daybook/engine/internal/tree"
)

const (
	// After a checkpoint or a prune the engine compacts the tree by itself, if its file has at
	// least minCompactedFile bytes, of which less than one part in mostlyFreePart is in use.
	minCompactedFile = 32 << 20
	mostlyFreePart   = 2
	// After a failure it waits for minCompactWait, and for twice as long after each further
	// failure.
	minCompactWait = time.Minute
	maxCompactWait = 24 * time.Hour
	// A compaction holds the turn for minCopyTurn at a time, later for one part in copyTurnPart of
	// the time that the copy has taken so far. In between, checkpoints can take it. If it always
	// held the turn for the same time, a copy would never end where checkpoints add more than it
	// copies.
	minCopyTurn  = 20 * time.Millisecond
	copyTurnPart = 8
	// maxUnsyncedCopy is the number of bytes of a copy that may be unsynced when its next turn
	// begins.
	maxUnsyncedCopy = 4 << 20
)

// compactionPace says when the engine compacts by itself.
type compactionPace struct {
	// spread is the size of the last copy's file, divided by the bytes in use of it. Values of
	// megabytes leave gaps, which no compaction removes. A file is mostly free compared with that.
	spread float64
	wait   time.Duration // after the last failure
	until  time.Time     // the end of that wait
}

// Compact copies the tree into a new file, with full chunks and without free pages, and puts that
// in the place of the old file, so that the space returns to the file system. The engine does so by
// itself when more than half of a file of 32 MiB or more is free. Stores and queries go on
// meanwhile, and checkpoints between two steps of the copy. Running queries finish on the old file,
// whose space is free when the last of them ends.
//
// Without room for the copy nothing changes, and the error is daybook.ErrNoSpace. A crash at any
// moment leaves the old file or the new one. Compact does not copy damaged values: it returns
// daybook.ErrCorrupt, or with OnCorruptionQuarantine leaves them out and keeps the old file under
// another name.
// Errors: daybook.ErrNoSpace, ErrReadOnly, ErrClosed, ErrCorrupt, ErrFailed,
// ctx's, or the operating system's, after which it can be tried again.
func (db *DB) Compact(ctx context.Context) error {
	if err := db.enterWriting(ctx); err != nil {
		return err
	}
	defer db.gate.leave()
	before := db.trees.get()
	err := db.compact(ctx, compactByCall)
	if !db.quarantines(err) {
		return err
	}
	replaced := false
	err = db.withTurn(ctx, func(t *turn) error {
		if replaced = t.tree() != before; replaced { // another call has salvaged the tree meanwhile
			return nil
		}
		return t.salvage(ctx, err)
	})
	if replaced {
		return db.compact(ctx, compactByCall)
	}
	return err
}

// compactReason is why a compaction begins.
type compactReason int

const (
	compactByCall   compactReason = iota // Compact was called
	compactByItself                      // only if the tree is mostly free, and a head still has room on the disk
)

// compact makes a copy of the tree and puts it in the tree's place. Between its turns others write.
func (db *DB) compact(ctx context.Context, reason compactReason) error {
	select {
	case db.compacting <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-db.compacting }()
	begun := false
	err := db.withTurn(ctx, func(t *turn) (err error) {
		if _, err = t.postFrozen(ctx, nil); err == nil { // beginCopy would not stop at the end of ctx
			begun, err = t.beginCopy(reason)
		}
		return err
	})
	if !begun {
		return tree.WrapNoSpace(err)
	}
	err = tree.WrapNoSpace(db.finishCopy(ctx))
	_ = db.withTurnInBackground(func(t *turn) error {
		t.giveUpCopy(err) // does nothing if the copy was adopted
		t.copyFailed = nil
		return nil
	})
	return err
}

// finishCopy copies in turns, and puts the complete copy in the tree's place.
func (db *DB) finishCopy(ctx context.Context) error {
	began, synced := time.Now(), int64(0)
	for {
		done := false
		err := db.withTurn(ctx, func(t *turn) (err error) {
			done, err = t.copyFor(ctx, max(minCopyTurn, time.Since(began)/copyTurnPart))
			if err == nil && done {
				err = t.adoptCopy()
			}
			return err
		})
		if err != nil || done {
			return err
		}
		if synced, err = db.syncCopy(synced); err != nil {
			return err
		}
	}
}

// beginCopy begins a copy, and reports whether it did. A compaction by itself may find that the
// tree has changed and that it is not worth it any more.
func (t *turn) beginCopy(reason compactReason) (begun bool, err error) {
	t.copyMargin = 0
	if reason == compactByItself {
		if !t.mostlyFree() {
			return false, nil
		}
		t.copyMargin = t.db.opts.Tuning.HeadSize
	}
	if err := errors.Join(t.tree().Failure(), t.checkRoomForCopy()); err != nil {
		return false, err
	}
	if err := t.verifyDirectory(); err != nil {
		return false, err
	}
	// The frozen head is posted first: if a part of it is in the tree (see tree.PartialPost), a
	// copy that has some of those records could not say which.
	if _, err := t.postFrozen(context.Background(), nil); err != nil {
		return false, err
	}
	if err := t.db.dir.remove(copyName); err != nil {
		return false, err
	}
	copying, err := t.tree().Copy(t.db.dir.file(copyName))
	if err != nil {
		return false, errors.Join(err, t.db.dir.remove(copyName))
	}
	t.copy, t.copyBehind = copying, 0
	return true, nil
}

// copyFor takes steps of the copy for about the given time, and reports whether the copy is
// complete.
func (t *turn) copyFor(ctx context.Context, duration time.Duration) (done bool, err error) {
	for start := time.Now(); err == nil && !done && time.Since(start) < duration; {
		done, err = t.copyStep(ctx)
	}
	return done, err
}

// copyStep takes one step of the copy, and reports whether the copy is complete.
func (t *turn) copyStep(ctx context.Context) (done bool, err error) {
	if t.copy == nil {
		return false, t.copyFailed
	}
	if err := errors.Join(t.tree().Failure(), t.checkRoomForCopy()); err != nil {
		return false, err
	}
	if done, err = t.copy.Step(ctx); err == nil {
		err = t.measure()
	}
	return done, err
}

// compactNow makes a copy and adopts it within one turn.
func (t *turn) compactNow(ctx context.Context) error {
	_, err := t.beginCopy(compactByCall)
	for done := false; err == nil && !done; {
		done, err = t.copyStep(ctx)
	}
	if err == nil {
		err = t.adoptCopy()
	}
	if err != nil {
		t.giveUpCopy(err)
	}
	return tree.WrapNoSpace(err)
}

// syncCopy makes the copied pages durable when maxUnsyncedCopy bytes more than before are copied,
// so that the last turn, during which checkpoints wait, has few to sync. It returns the number of
// durable bytes. It works without the turn, because a sync takes long.
func (db *DB) syncCopy(before int64) (synced int64, err error) {
	// Windows syncs only a file that may be written to.
	file, err := db.dir.fs.OpenFile(db.dir.file(copyName), os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) { // the copy was given up; the next step returns the reason
		return before, nil
	}
	if err != nil {
		return before, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil || info.Size()-before < maxUnsyncedCopy {
		return before, err
	}
	return info.Size(), disk.Datasync(file)
}

// checkRoomForCopy returns daybook.ErrNoSpace if the rest of a copy does not fit below MaxSize or
// on the disk.
func (t *turn) checkRoomForCopy() error {
	db := t.db
	file, needed, err := t.tree().Size()
	if err != nil {
		return err
	}
	if t.copy != nil {
		needed -= min(t.copy.Size(), needed)
	}
	if err := t.measure(); err != nil {
		return err
	}
	// A file that is too large, because MaxSize was greater before, shrinks only by a copy.
	if left := db.leftForCopy(needed); left < 0 && !db.opts.budget().isTooLarge(sizes{file: file}) {
		return fmt.Errorf("%w: compaction takes about %d bytes more, and MaxSize leaves %d; the tree stays as it is",
			daybook.ErrNoSpace, needed, max(needed+left, 0))
	}
	return db.checkRoomOnDisk(needed + t.copyMargin)
}

func (db *DB) checkRoomOnDisk(needed int64) error {
	if free, known := db.dir.fs.FreeSpace(filepath.Dir(db.dir.tree)); known && free < needed {
		return fmt.Errorf("%w: compaction takes about %d bytes more, and the disk of %s has %d; the tree stays",
			daybook.ErrNoSpace, needed, db.dir.tree, free)
	}
	return nil
}

// updateCopy repeats on the copy, if there is one, a write to the tree, and measures it.
func (t *turn) updateCopy(repeat func(*tree.Copy) error) {
	if t.copy == nil {
		return
	}
	err := repeat(t.copy)
	if err == nil {
		t.copyBehind = 0
		err = t.measure()
	}
	if err != nil {
		t.giveUpCopy(err)
	}
}

// giveUpCopy closes and removes the copy, if there is one, and reports whether that freed space.
// The compaction that makes the copy returns the reason.
func (t *turn) giveUpCopy(reason error) (freed bool) {
	if t.copy == nil {
		return false
	}
	isAt, err := t.copy.IsAt(t.db.dir.file(copyName))
	_ = t.copy.Close()
	t.copy, t.copyFailed = nil, reason
	if err == nil && !isAt { // the directory was emptied, and another daybook is in it
		return false
	}
	return t.db.dir.remove(copyName) == nil
}

// adoptCopy makes the complete copy the tree.
func (t *turn) adoptCopy() error {
	complete, err := t.copy.Finish()
	if err == nil {
		err = t.verifyDirectory() // the rename replaces what has the tree's name
	}
	if err != nil {
		return err
	}
	t.db.trees.naming.Lock()
	defer t.db.trees.naming.Unlock()
	retired, err := t.replaceByCopy(complete)
	if err != nil {
		return err
	}
	t.copy = nil
	t.db.stats.compactionEnded(nil)
	return t.adoptTree(complete, retired)
}

// compactWhenFree is the background work of compaction.
func (db *DB) compactWhenFree(stopping <-chan struct{}) {
	for {
		select {
		case <-stopping:
			return
		case <-db.compactor.nudged:
		}
		ctx, cancel := contextUntil(stopping)
		if err := db.compact(ctx, compactByItself); err != nil && ctx.Err() == nil {
			db.compactLater(err)
		}
		cancel()
	}
}

// contextUntil returns a context that ends when stopping is closed, or cancel is called.
func contextUntil(stopping <-chan struct{}) (ctx context.Context, cancel context.CancelFunc) {
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

// compactIfMostlyFree starts a compaction in the background if most of the tree's file is free.
func (t *turn) compactIfMostlyFree() {
	if t.db.compactor.nudged != nil && t.copy == nil && t.mostlyFree() {
		t.db.compactor.nudge()
	}
}

// mostlyFree reports whether a copy of the file would be much smaller. It is false for a while
// after a compaction that failed.
func (t *turn) mostlyFree() bool {
	db := t.db
	file, used, err := t.tree().Size()
	if err != nil || time.Now().Before(t.pace.until) {
		return false
	}
	exceedsPart := db.opts.MaxSize > 0 && file > db.opts.budget().treePart()
	large := file >= minCompactedFile || exceedsPart
	return large && float64(file) > mostlyFreePart*float64(used)*max(t.pace.spread, 1)
}

// compactLater makes the next compaction by itself wait, after one that failed.
func (db *DB) compactLater(failure error) {
	db.stats.compactionEnded(failure)
	_ = db.withTurnInBackground(func(t *turn) error {
		t.pace.wait = min(max(2*t.pace.wait, minCompactWait), maxCompactWait)
		t.pace.until = time.Now().Add(t.pace.wait)
		db.opts.Logger.WarnContext(context.Background(),
			"daybook: the tree could not be compacted, and will be tried again later",
			"dir", db.dir.path, "after", t.pace.wait, "error", failure)
		return nil
	})
}
