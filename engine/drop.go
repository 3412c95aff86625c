// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/tree"
)

// maxReaderWait is how long DropOldest waits for snapshots that keep pages from being used again,
// before it ends those of loops. Then it waits as long once more for loops that were reading.
const maxReaderWait = time.Second

// dropUntilFits deletes the values that were stored first until values with the given demand fit, a
// little space is left for the next ones, and the heads can be posted. It waits for snapshots, as
// far as waitCtx allows, rather than drop values whose pages they would keep from being used again,
// and ends those of loops that go on for too long. A file that is too large for MaxSize is
// compacted then.
func (t *turn) dropUntilFits(ctx, waitCtx context.Context, d demand) error {
	if err := t.dropOldest(ctx, waitCtx, d); err != nil {
		return err
	}
	if t.isStuck() || t.db.spaceLeft(d) >= 0 || !t.db.opts.budget().isTooLarge(t.db.sizes()) {
		return nil
	}
	if err := t.compactNow(ctx); err != nil {
		return err
	}
	return t.dropOldest(ctx, waitCtx, d) // large values may take more pages in the copy than before
}

// dropOldest is dropUntilFits for the tree's part of MaxSize.
func (t *turn) dropOldest(ctx, waitCtx context.Context, d demand) error {
	db, patience := t.db, maxReaderWait
	for wanted := 2 * db.opts.MaxSize / minFreePart; ; wanted = 0 {
		if t.fitsInTree(d, wanted) {
			t.endedInVain = false
			return nil
		}
		if t.readersPin(d, wanted) {
			if patience <= 0 && t.endLoops() {
				patience = maxReaderWait
			}
			if patience <= 0 || waitCtx.Err() != nil {
				return nil // the caller refuses the values
			}
			waited, err := t.waitForReaders(waitCtx, patience, d, wanted)
			if patience -= waited; err != nil {
				return err
			}
			continue
		}
		deleted, err := t.dropSome(ctx)
		if deleted == 0 && tree.IsAtMaxBytes(err) && t.db.sizes().pinned == 0 {
			deleted, err = t.dropByCopy(ctx)
		}
		db.stats.addDropped(deleted)
		if deleted == 0 || err != nil {
			return err
		}
		if err := t.postWhatFits(ctx); err != nil {
			return err
		}
		db.opts.Logger.InfoContext(ctx, "daybook: dropped the oldest values because MaxSize was reached",
			"dir", db.dir.path, "deleted", deleted, "max_size", db.opts.MaxSize)
	}
}

// endLoops ends the loops over snapshots that have lasted for maxReaderWait, because a reader must
// not make a Store fail. It reports whether there were any. Queries and backups are not ended:
// while one of these keeps the space from being used, it does not end further loops in vain.
func (t *turn) endLoops() bool {
	if t.endedInVain && t.db.trees.snapshots.Load() > int64(t.db.gate.loops()) {
		return false
	}
	t.endedInVain = true
	ended := t.db.gate.expire(time.Now().Add(-maxReaderWait))
	if ended > 0 {
		t.db.opts.Logger.Warn("daybook: ended loops over Scan or Records, because they held space that new values need",
			"dir", t.db.dir.path, "loops", ended)
	}
	return ended > 0
}

// fitsInTree reports whether the heads are posted, and wanted bytes of the tree's part remain when
// values with the given demand are posted.
func (t *turn) fitsInTree(d demand, wanted int64) bool {
	return !t.isStuck() && t.leftInTree(d) >= wanted
}

func (t *turn) leftInTree(d demand) int64 {
	return t.db.opts.budget().leftInTree(t.db.sizes(), d.plus(t.db.heads.demand()))
}

// readersPin reports whether it is snapshots that keep the values from fitting. To drop others
// would not help then.
func (t *turn) readersPin(d demand, wanted int64) bool {
	now := t.db.sizes()
	if t.isStuck() {
		return now.pinned > now.free
	}
	return now.pinned > 0 && t.leftInTree(d)+now.pinned >= wanted
}

// waitForReaders waits until the snapshots that keep the values from fitting have ended, for
// patience at most, or until ctx ends. Then it posts the heads again. It returns how long it took.
func (t *turn) waitForReaders(
	ctx context.Context, patience time.Duration, d demand, wanted int64,
) (waited time.Duration, err error) {
	started := time.Now()
	for wait := time.Millisecond; t.readersPin(d, wanted) && ctx.Err() == nil && time.Since(started) < patience; {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
		wait = min(2*wait, maxReaderWait/16)
		if err := t.measure(); err != nil {
			return time.Since(started), err
		}
	}
	err = t.postWhatFits(context.WithoutCancel(ctx))
	return time.Since(started), err
}

// dropSome deletes the values that were stored first, one part in dropPart of all JSON that may be
// dropped. It passes over damaged values. It does nothing if the last call found that nothing may
// be dropped, and nothing has changed.
func (t *turn) dropSome(ctx context.Context) (deleted uint64, err error) {
	before, err := t.tree().State()
	if err != nil || t.undroppable == before.Generation+1 && len(t.holds) == 0 && t.db.heads.activeEmpty() {
		return 0, err
	}
	// The first part may be of values that cannot be dropped after all, such as damaged ones. Then
	// it is larger by one part each time, not more: a larger one may go on to values that can be.
	droppable := uint64(1)
	for parts := uint64(1); parts <= dropPart && droppable > 0 && deleted == 0; parts++ {
		keep := func(all uint64) uint64 {
			droppable = all
			// Where little may be dropped, a part of it would be too little to make room. But
			// values can be short, and their names long: then that little is all there is.
			least := min(uint64(t.db.opts.MaxSize/minDropPart), all/4) + dropPart
			return all - min(all, all/dropPart*parts+least)
		}
		deleted, err = t.dropTo(ctx, keep)
		if err != nil && !errors.Is(err, daybook.ErrCorrupt) {
			break
		}
	}
	if deleted == 0 {
		if after, stateErr := t.tree().State(); err == nil && stateErr == nil {
			t.undroppable = after.Generation + 1
		}
		return 0, err
	}
	switch {
	case errors.Is(err, daybook.ErrCorrupt):
		t.db.opts.Logger.ErrorContext(ctx, "daybook: damaged values could not be dropped; dropped others",
			"dir", t.db.dir.path, "error", err)
	case err != nil && !errors.Is(err, daybook.ErrNoSpace): // what was deleted may be space enough
		return deleted, err
	}
	return deleted, nil
}

// dropTo deletes the values that were stored first until at most keep bytes of JSON remain. keep is
// given the present number of bytes. What may not be dropped does not count. Values that cannot be
// read do not count either, and are an error at the end.
func (t *turn) dropTo(ctx context.Context, keep func(all uint64) uint64) (deleted uint64, err error) {
	// On a full disk some of the values that count stay in the heads.
	if _, err := t.postAll(ctx, nil); err != nil && !errors.Is(err, daybook.ErrNoSpace) {
		return 0, err
	}
	spared, err := t.sparedFromDrop(ctx)
	if err != nil {
		return 0, err
	}
	rule, unreadable, err := t.dropRule(ctx, keep, spared)
	if err == nil && t.db.quarantines(unreadable) && t.salvage(ctx, unreadable) == nil {
		rule, unreadable, err = t.dropRule(ctx, keep, spared)
	}
	if err != nil {
		return 0, err
	}
	for {
		n, err := t.pruneSparing(ctx, allRecords, rule, spared)
		if deleted += n; n == 0 || !errors.Is(err, daybook.ErrNoSpace) {
			return deleted, cmp.Or(err, unreadable)
		}
		// It has found no room in the middle of the names. Records that follow still have values
		// that were stored before those that were deleted, and the pages of these are free now.
	}
}

// sparedFromDrop returns what holds and Options.DropExcept spare.
func (t *turn) sparedFromDrop(ctx context.Context) (tree.Holds, error) {
	held, err := t.boundHolds(ctx)
	return append(held, t.db.neverDropped...), err
}

// dropRule returns the rule that deletes the values that were stored first and that keep does not
// keep, and why some values could not be read; nil if all could.
func (t *turn) dropRule(
	ctx context.Context, keep func(all uint64) uint64, spared tree.Holds,
) (rule tree.Rule, unreadable, err error) {
	heads, err := t.captureUnposted(allRecords)
	if err != nil {
		return rule, nil, err
	}
	all := func(string) bool { return true }
	mayDrop := func(record string, sequence uint64) bool { return !spared.Spare(record, sequence) }
	others, newest := heads.entriesWhere(ctx, all, mayDrop), uint64(t.db.opts.DropKeepNewest)
	rule, unreadable, err = t.tree().Cutoff(ctx, allRecords, tree.ByStored, keep, spared, newest, others)
	rule.KeepNewest = newest
	return rule, unreadable, err
}

// copyRoomPart: dropByCopy fills at most one part in copyRoomPart less than the room for the copy.
const copyRoomPart = 4

// copyTries is how often dropByCopy makes a copy of half as much if one does not fit, before the
// last one, of only what may not be dropped. If that does not fit, no copy does.
const copyTries = 4

// dropByCopy drops values by copying all others into a new file that has room beside the old one.
// It helps where the free pages are so scattered that not even a deletion finds those that it
// needs. More values are dropped then, because the old file takes up its space until the copy is
// complete.
func (t *turn) dropByCopy(ctx context.Context) (deleted uint64, err error) {
	t.giveUpCopy(daybook.ErrNoSpace)
	t.db.heads.treeShrinks()
	now := t.db.sizes()
	room := t.db.opts.budget().roomForNewest(now)
	before, err := t.tree().State()
	if err != nil {
		return 0, err
	}
	want := uint64(float64(before.Bytes) * float64(room-room/copyRoomPart) / float64(max(now.file-now.free, 1)))
	err = daybook.ErrNoSpace
	for tries := 0; want > 0 && room > 0 && tries <= copyTries; tries++ {
		err = t.replaceByNewest(ctx, want, room)
		if !errors.Is(err, daybook.ErrNoSpace) {
			break
		}
		if want /= 2; tries == copyTries-1 {
			want = 1
		}
	}
	after, stateErr := t.tree().State()
	return before.Values - after.Values, errors.Join(err, stateErr)
}

// replaceByNewest puts a copy with the values that were stored last, about want bytes of JSON, and
// those that may not be dropped, in the tree's place. Its file has at most room bytes.
func (t *turn) replaceByNewest(ctx context.Context, want uint64, room int64) error {
	dir := t.db.dir
	spared, err := t.sparedFromDrop(ctx)
	if err != nil {
		return err
	}
	rule, unreadable, err := t.dropRule(ctx, func(uint64) uint64 { return want }, spared)
	if err = errors.Join(err, unreadable); err != nil {
		return err
	}
	// After a power cut the deletion must not be there without the values that were stored before.
	if err := errors.Join(t.db.log.Sync(), t.syncRename(), dir.remove(copyName)); err != nil {
		return err
	}
	with := t.pruningOf(spared)
	newest, lost, err := t.tree().CopyStored(ctx, dir.file(copyName), rule, room, with)
	if err != nil {
		return errors.Join(err, dir.remove(copyName))
	}
	t.db.trees.naming.Lock()
	defer t.db.trees.naming.Unlock()
	retired, err := t.replaceByCopy(newest)
	if err != nil && t.stranded != newest {
		err = errors.Join(err, newest.Close(), dir.remove(copyName))
	}
	if err != nil {
		return err
	}
	with.Lost(lost)
	return t.adoptTree(newest, retired)
}
