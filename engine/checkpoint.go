// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"math"
	"time"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/head"
	"github.com/daybook-db/daybook/engine/internal/tree"
)

// A failed checkpoint is tried again after minRetry, and after twice as long with each further
// failure.
const (
	minRetry = 250 * time.Millisecond
	maxRetry = time.Minute
)

// Checkpoint posts everything stored so far into the tree. The engine does so by itself whenever a
// head is full, and in Close. Call Checkpoint to bound what the next Open has to replay after a
// crash.
// Errors: daybook.ErrNoSpace, ErrReadOnly, ErrClosed, ErrCorrupt, ErrFailed, or ctx's.
func (db *DB) Checkpoint(ctx context.Context) error {
	if err := db.enterWriting(ctx); err != nil {
		return err
	}
	defer db.gate.leave()
	return db.withTurn(ctx, func(t *turn) error { return t.checkpoint(ctx) })
}

// waitForHead returns when the active head takes another commit. It freezes a full head, and waits
// only while the frozen head before it has not been posted. When that cannot be posted, for example
// because the disk is full, it returns the reason. While open snapshots hold up the checkpoint, it
// lets the active head become larger first.
func (db *DB) waitForHead(ctx context.Context) error {
	for db.heads.full() && !db.heads.mayOverfill() {
		blocked := db.heads.freezeIfFull()
		db.checkpointer.nudge()
		if blocked == nil {
			continue
		}
		select {
		case <-blocked:
		case <-ctx.Done():
			return ctx.Err()
		}
		if err := db.heads.failureToPost(); err != nil && !db.heads.mayOverfill() {
			return err
		}
	}
	return nil
}

// postToReleaseLog has the heads posted, because the log has no room for some commits of a group,
// and can release segments then. It returns a channel that is closed after that; nil if it would
// not help.
func (db *DB) postToReleaseLog(group []*commit) (released <-chan struct{}) {
	smallest := math.MaxInt
	for _, c := range group {
		if mayRetry(c) {
			smallest = min(smallest, len(c.payload))
		}
	}
	if smallest == math.MaxInt {
		return nil
	}
	if db.trees.endedSinceAttempt() {
		db.heads.treeShrank()
	}
	canMakeRoom := db.log.KeepsEvidence() || db.log.IsEmpty() || db.log.Spare() > 0
	if released = db.heads.freezeToPost(db.log.MayRelease(smallest), canMakeRoom); released != nil {
		db.checkpointer.nudge()
	}
	return released
}

// postWhenFrozen is the background work of checkpoints. After a failure it tries again when a
// writer waits for it, and otherwise after a while. It logs the first failure in a row; waiting
// writers learn of each.
func (db *DB) postWhenFrozen(stopping <-chan struct{}) {
	retry := time.NewTimer(time.Hour)
	retry.Stop()
	for wait := minRetry; ; {
		select {
		case <-stopping:
			return
		case <-db.checkpointer.nudged:
		case <-retry.C:
		}
		err := db.withTurnInBackground((*turn).postForLog)
		if err == nil {
			wait = minRetry
			retry.Stop()
			continue
		}
		if wait == minRetry {
			db.opts.Logger.ErrorContext(context.Background(), "daybook: a checkpoint failed and will be tried again",
				"dir", db.dir.path, "error", err)
		}
		select { // so that writers on a full disk do not keep a processor busy
		case <-stopping:
			return
		case <-time.After(minRetry):
		}
		retry.Reset(wait)
		wait = min(2*wait, maxRetry)
	}
}

// postForLog posts the frozen head, if there is one. If a writer wants that, it makes room for the
// log without a post.
func (t *turn) postForLog() error {
	if t.db.heads.logRoomIsWanted() {
		err := t.makeLogRoom()
		t.db.heads.endLogRoom(err)
		if err != nil {
			return err
		}
	}
	_, err := t.postFrozen(context.Background(), nil)
	return err
}

// checkpoint posts both heads. Under DropOldest it makes the space for that.
func (t *turn) checkpoint(ctx context.Context) error {
	_, err := t.postAll(ctx, nil)
	if tree.IsAtMaxBytes(err) && t.db.opts.WhenFull == WhenFullDropOldest {
		err = cmp.Or(t.dropOldest(ctx, ctx, demand{}), t.db.heads.failureToPost())
	}
	return err
}

// postAll posts all values that were acknowledged when it was called. It leaves out doomed values
// and returns their number, with an error too. When ctx ends, the goroutine of the checkpoints
// posts a frozen head.
func (t *turn) postAll(ctx context.Context, leaveOut doomed) (leftOut uint64, err error) {
	last := t.db.heads.last()
	for {
		if err := ctx.Err(); err != nil {
			t.db.checkpointer.nudge()
			return leftOut, err
		}
		n, err := t.postFrozen(ctx, leaveOut)
		leftOut += n
		if err != nil {
			return leftOut, err
		}
		if t.db.heads.freezeThrough(last) {
			return leftOut, nil
		}
	}
}

// postAllUsingReserve is postAll, on a full disk with the space of the reserve. The caller takes
// that back with takeReserve.
func (t *turn) postAllUsingReserve(ctx context.Context, leaveOut doomed) (leftOut uint64, err error) {
	leftOut, err = t.postAll(ctx, leaveOut)
	if errors.Is(err, daybook.ErrNoSpace) && t.releaseReserve() {
		var n uint64
		n, err = t.postAll(ctx, leaveOut)
		leftOut += n
	}
	return leftOut, err
}

// postFrozen posts the frozen head, if there is one. It leaves out doomed values and returns their
// number, with an error too. When ctx ends it stops after some transaction, and the goroutine of
// the checkpoints posts the rest, for which writers may wait.
func (t *turn) postFrozen(ctx context.Context, leaveOut doomed) (leftOut uint64, err error) {
	db, frozen := t.db, t.db.heads.frozenHead()
	if frozen == nil {
		return 0, nil
	}
	if err := t.prepareToWrite(); err != nil {
		t.endAttempt(err)
		return 0, err
	}
	db.trees.beginAttempt()
	if inTree, err := t.tree().State(); err == nil {
		db.heads.beginAttempt(inTree)
	}
	if leaveOut != nil {
		db.heads.treeShrinks()
	}
	start := time.Now()
	posting := t.postingOf(frozen, leaveOut)
	posting.Interrupted = func() error {
		if t.copy != nil { // it gets the whole head, or cannot go on
			return nil
		}
		return ctx.Err()
	}
	leftOut, err = t.post(posting)
	if t.copy != nil { // its part of the head counts from the moment when the head's demand does not
		t.copyBehind = posting.Growth
	}
	if measured := t.measure(); err == nil {
		err = measured
	}
	if err != nil && errors.Is(err, ctx.Err()) {
		db.checkpointer.nudge()
		return leftOut, err
	}
	t.endAttempt(err)
	if err != nil {
		t.giveUpCopy(err) // which values the tree has now is unknown
		return leftOut, err
	}
	t.savedSegment = max(t.savedSegment, posting.LastSegment)
	t.holdsSaved()
	db.stats.addCheckpoint(time.Since(start))
	t.updateCopy(func(c *tree.Copy) error { return c.Post(posting) })
	if db.log != nil {
		t.releaseEvidence()
		db.log.Release(frozen.LastSequence())
		db.stats.fileChanges.Add(1)
		t.compactIfMostlyFree()
	}
	db.heads.releasedLog()
	return leftOut, nil
}

// endAttempt notes the outcome of an attempt to post the frozen head.
func (t *turn) endAttempt(err error) {
	t.db.stats.checkpointEnded(err) // before a writer that waits for it can ask
	t.db.heads.endAttempt(err)
}

// postingOf returns the posting of a frozen head without doomed values.
func (t *turn) postingOf(frozen *head.Head, leaveOut doomed) tree.Posting {
	db := t.db
	t.sampleHolds()
	posting := tree.Posting{
		Growth:           demandOfHead(frozen).inTree(),
		Notes:            t.notesOfPosting(),
		Runs:             func(after string) iter.Seq[tree.Run] { return runsOf(frozen, after, leaveOut) },
		Watermark:        frozen.LastSequence(),
		UseAllProcessors: func() bool { return db.log == nil || db.gate.isClosed() }, // during Open and Close
	}
	posting.LastSegment = t.lastSegment
	if db.log != nil {
		posting.LastSegment = db.log.LastSegment()
		// Posting in parts needs the rest of the head in the log, durably: after a power cut a part
		// of the head must not be in the tree while the rest is lost. If the log cannot be synced,
		// the whole head is posted in one transaction.
		posting.AllowParts = db.log.Sync() == nil
	}
	return posting
}

// post posts to the tree. If the disk is full, it gives up a compaction's copy, and then the log's
// files that are not in use. If the tree is damaged, it salvages that. Each time it tries again.
func (t *turn) post(posting tree.Posting) (leftOut uint64, err error) {
	attempt := func() error {
		n, err := t.tree().Post(posting)
		leftOut += n
		return err
	}
	if err = attempt(); errors.Is(err, daybook.ErrNoSpace) && t.giveUpCopy(err) {
		err = attempt()
	}
	if t.db.log != nil {
		if isDiskFull(err) && t.releaseSpares() {
			err = attempt()
			t.resumeSegments()
		}
		err = t.retrySalvaged(context.Background(), err, attempt)
	}
	return leftOut, err
}

// runsOf yields a frozen head's values without the doomed ones, of the records that follow a name.
func runsOf(frozen *head.Head, after string, leaveOut doomed) iter.Seq[tree.Run] {
	return func(yield func(tree.Run) bool) {
		var values []codec.Entry
		for view := range frozen.ViewsFrom(after) {
			if view.Record == after {
				continue
			}
			values = values[:0]
			if leaveOut == nil {
				values = view.Entries(values, codec.All)
			} else {
				values = entriesOutside(values, &view, leaveOut(view.Record))
			}
			if !yield(tree.Run{Record: view.Record, Values: values, LeftOut: view.Count() - len(values)}) {
				return
			}
		}
	}
}

// entriesOutside appends the entries of a view that are not doomed.
func entriesOutside(dst []codec.Entry, view *head.View, doomed codec.Range) []codec.Entry {
	if doomed.Empty() {
		return view.Entries(dst, codec.All)
	}
	if doomed.Start > 0 {
		dst = view.Entries(dst, codec.Range{End: doomed.Start - 1})
	}
	if doomed.End < math.MaxUint64 {
		dst = view.Entries(dst, codec.Range{Start: doomed.End + 1, End: math.MaxUint64})
	}
	return dst
}
