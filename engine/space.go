// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"sync"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/tree"
)

// space is the account of Options.MaxSize: the sizes of the tree and of a compaction's copy after
// the last write to either. Values that were stored since then are in the heads, and count with
// the space that they can need at most.
type space struct {
	mu   sync.Mutex // guards tree
	tree sizes      // without the log and the reserve
}

// sizes returns the present sizes of the files.
func (db *DB) sizes() sizes {
	db.space.mu.Lock()
	now := db.space.tree
	db.space.mu.Unlock()
	now.spare = int64(db.log.Spare()) // before the size, in which those that come meanwhile count then
	now.log, now.reserve = db.log.Size()+db.session.size(), db.reserve.size()
	return now
}

// measure updates the account after a write to the tree or to the copy.
func (t *turn) measure() error {
	db := t.db
	db.stats.fileChanges.Add(1)
	if db.opts.MaxSize == 0 {
		return nil
	}
	file, free, pinned, err := t.tree().RoomForNext()
	if err != nil {
		return err
	}
	now := sizes{file: file, free: free, pinned: pinned}
	if t.copy != nil {
		now.copy = t.copy.Size() + t.copyBehind
	}
	db.space.mu.Lock()
	defer db.space.mu.Unlock()
	db.space.tree = now
	return nil
}

// limitTree sets the maximum size of the tree's file. Call it after each change of the reserve or
// the tree.
func (t *turn) limitTree() {
	if t.db.opts.MaxSize == 0 {
		return
	}
	now := sizes{reserve: t.db.reserve.size()}
	if file, _, err := t.tree().Size(); err == nil {
		now.file = file
	}
	t.tree().SetMaxBytes(t.db.opts.budget().maxTreeFile(now))
}

// releaseReserve gives the reserve's space to the tree, and reports whether there was a reserve. If
// so, takeReserve must be called. Until then the log's background leaves the space alone.
func (t *turn) releaseReserve() bool {
	if t.db.log != nil {
		t.db.log.LeaveRoom()
	}
	released := t.db.reserve.release()
	if !released {
		t.resumeSegments()
	}
	t.limitTree()
	return released
}

// releaseSpares gives the space of the log's files that are not in use to the tree, and reports
// whether there were any. If so, resumeSegments must be called. Posting needs the space more: it
// releases the files that are in use, and the log can go on in those.
func (t *turn) releaseSpares() bool {
	t.db.log.LeaveRoom()
	released := t.db.log.RemoveSpares()
	if !released {
		t.resumeSegments()
	}
	return released
}

// isDiskFull reports whether err says that the disk is full, and not that MaxSize is reached: the
// log's part of MaxSize is not the tree's.
func isDiskFull(err error) bool { return errors.Is(err, daybook.ErrNoSpace) && !tree.IsAtMaxBytes(err) }

func (t *turn) resumeSegments() {
	if t.db.log != nil {
		t.db.log.ResumeSegments()
	}
}

// takeReserve takes the reserve's space back, unless the tree has grown into it.
func (t *turn) takeReserve() {
	defer t.resumeSegments()
	file, _, err := t.tree().Size()
	switch {
	case t.db.opts.MaxSize > 0 && err != nil:
		return
	case t.db.opts.budget().allowsReserve(sizes{file: file}):
		t.db.reserve.take()
	default:
		t.db.reserve.remove()
	}
	t.limitTree()
}

// makeLogRoom makes room for the log on a full disk when there is nothing to post. The tree gets to
// know the epoch, so that the log can use the files of an earlier process again. A log without any
// file gets a part of the reserve, which Close takes back.
func (t *turn) makeLogRoom() error {
	if t.db.log.KeepsEvidence() {
		state, err := t.tree().State()
		if err == nil {
			err = t.saveIdentity()
		}
		if err != nil {
			return err
		}
		t.releaseEvidence()
		t.db.log.Release(state.Watermark)
	}
	if !t.db.log.IsEmpty() {
		return nil
	}
	if t.db.reserve.size() < reserveSize || !t.releaseReserve() {
		return fmt.Errorf("%w for the first file of the log", daybook.ErrNoSpace)
	}
	defer t.takeReserve()
	return t.db.log.MakeSegment()
}

// spaceLeft returns the number of bytes below MaxSize that remain when values with the given demand
// are stored. It is negative if they do not fit.
func (db *DB) spaceLeft(d demand) int64 {
	if db.opts.MaxSize == 0 {
		return math.MaxInt64
	}
	// The heads are read first: values that are posted meanwhile count twice rather than not at
	// all.
	d = d.plus(db.heads.demand())
	return db.opts.budget().left(db.sizes(), d)
}

// leftForCopy returns the number of bytes below MaxSize that remain when a compaction's copy has
// taken rest bytes more. It is negative if these do not fit.
func (db *DB) leftForCopy(rest int64) int64 {
	if db.opts.MaxSize == 0 {
		return math.MaxInt64
	}
	b, d := db.opts.budget(), db.heads.demand()
	now := db.sizes()
	return min(b.leftInTree(now, d)-rest, b.leftForCopy(now, d, rest))
}

// makeSpaceFor returns nil when values with the given demand may be stored. As far as it must and
// may, it posts the heads, gives up a compaction's copy, and drops the values that were stored
// first. stuck is why the heads could not be posted; nil if they could.
// Errors: daybook.ErrNoSpace, or those of posting and pruning.
func (db *DB) makeSpaceFor(ctx context.Context, d demand, stuck error) error {
	if stuck == nil && db.spaceLeft(d) >= 0 && !db.shouldDropEarly(d) {
		return nil
	}
	return db.withTurn(context.WithoutCancel(ctx), func(t *turn) error { return t.makeSpaceFor(ctx, d) })
}

// shouldDropEarly reports whether DropOldest should drop values although those with the given
// demand fit: little more would fit, and no snapshot keeps pages of the last deletion. The
// snapshots that keep pages of this one can end while the rest of the space is filled.
func (db *DB) shouldDropEarly(d demand) bool {
	if db.opts.WhenFull != WhenFullDropOldest {
		return false
	}
	now := db.sizes()
	left := db.opts.budget().leftInTree(now, d.plus(db.heads.demand()))
	return now.pinned == 0 && left < db.opts.MaxSize/minFreePart
}

func (t *turn) makeSpaceFor(ctx context.Context, d demand) error {
	db, waitCtx := t.db, ctx
	ctx = context.WithoutCancel(ctx)
	if err := t.postWhatFits(ctx); err != nil {
		return err
	}
	if db.spaceLeft(d) < 0 && t.giveUpCopy(daybook.ErrNoSpace) {
		if err := t.measure(); err != nil {
			return err
		}
	}
	if db.opts.WhenFull == WhenFullDropOldest {
		if err := t.dropUntilFits(ctx, waitCtx, d); err != nil {
			return err
		}
	}
	if !t.isStuck() && db.spaceLeft(d) >= 0 {
		return nil
	}
	return db.errMaxSize()
}

// isStuck reports whether the heads could not be posted.
func (t *turn) isStuck() bool { return t.db.heads.failureToPost() != nil }

// postWhatFits posts the heads. When there is no room for all of that below MaxSize,
// heads.failureToPost says so.
// Errors: those of posting. On a full disk that is daybook.ErrNoSpace: then the directory has not
// reached MaxSize, and nothing may be dropped.
func (t *turn) postWhatFits(ctx context.Context) error {
	if _, err := t.postAll(ctx, nil); err != nil && !tree.IsAtMaxBytes(err) {
		return err
	}
	t.releaseLog()
	return t.measure()
}

// errMaxSize says that the directory has reached MaxSize, and what helps.
func (db *DB) errMaxSize() error {
	remedy := "delete values with Cleanup or Prune, compact it if it was larger before, or open it with a greater " +
		"MaxSize"
	if db.trees.snapshots.Load() > 0 {
		remedy = "running queries or backups keep pages from being used again; end them, or " + remedy
	}
	return fmt.Errorf("%w: %s has reached MaxSize, %d bytes: %s", daybook.ErrNoSpace, db.dir.path, db.opts.MaxSize,
		remedy)
}

// warnOfSmallDisk logs that MaxSize can never be reached. A disk that is full before is
// daybook.ErrNoSpace, and WhenFullDropOldest drops nothing then: a recorder would stop.
func (db *DB) warnOfSmallDisk() {
	size, known := db.dir.fs.DiskSize(filepath.Dir(db.dir.tree))
	if !known || db.opts.MaxSize <= size {
		return
	}
	db.opts.Logger.Warn("daybook: MaxSize is larger than the file system, so the disk will be full before MaxSize "+
		"is reached: stores fail then, and WhenFullDropOldest drops nothing; set a smaller MaxSize",
		"dir", db.dir.path, "max_size", db.opts.MaxSize, "file_system", size)
}
