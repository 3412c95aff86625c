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

// How long a failed checkpoint is left alone before it is tried again.
const (
	leastRetry = 250 * time.Millisecond
	mostRetry  = time.Minute
)

// makeRoom returns when the head takes another commit. It freezes a full one, and waits only when the one
// before that has not been posted yet. When that cannot be posted, on a full disk, it returns why.
func (db *DB) makeRoom(ctx context.Context) error {
	for {
		db.mu.RLock()
		full := db.active.Size() >= db.opts.Tuning.HeadSize
		db.mu.RUnlock()
		if !full {
			return nil
		}
		attempted := db.freezeFull()
		if attempted == nil {
			continue
		}
		select {
		case <-attempted:
		case <-ctx.Done():
			return ctx.Err()
		}
		if err := db.failureToPost(); err != nil {
			return err
		}
	}
}

// freezeFull freezes the active head if it is full and can be frozen. If it cannot, it returns what is
// closed after the next attempt to post the frozen one.
func (db *DB) freezeFull() (attempted <-chan struct{}) {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.active.Size() < db.opts.Tuning.HeadSize {
		return nil
	}
	if db.frozen != nil {
		db.checkpointer.nudge()
		return db.attempts
	}
	db.freezeLocked()
	db.checkpointer.nudge()
	return nil
}

// freezeLocked puts an empty head in the active one's place. It needs mu held, and no frozen head.
func (db *DB) freezeLocked() {
	db.frozen, db.active = db.active, head.New(db.opts.Tuning.HeadSize)
	db.postFailure = nil
}

// failureToPost returns why the frozen head could not be posted, if it is still there.
func (db *DB) failureToPost() error {
	db.mu.RLock()
	defer db.mu.RUnlock()
	if db.frozen == nil {
		return nil
	}
	return db.postFailure
}

// postWhenFrozen is the background work of checkpoints. One that failed is tried again when a writer waits for
// it, and else after a while. The first failure in a row is logged; writers are told of each.
func (db *DB) postWhenFrozen(stopping <-chan struct{}) {
	retry := time.NewTimer(time.Hour)
	retry.Stop()
	for wait := leastRetry; ; {
		select {
		case <-stopping:
			return
		case <-db.checkpointer.nudged:
		case <-retry.C:
		}
		db.posting <- struct{}{}
		_, err := db.postFrozen(nil)
		<-db.posting
		if err == nil {
			wait = leastRetry
			retry.Stop()
			continue
		}
		if wait == leastRetry {
			db.opts.Logger.ErrorContext(context.Background(), "daybook: a checkpoint failed and will be tried again", "dir", db.dir, "error", err)
		}
		select { // so that writers on a full disk do not keep a processor busy
		case <-stopping:
			return
		case <-time.After(leastRetry):
		}
		retry.Reset(wait)
		wait = min(2*wait, mostRetry)
	}
}

// Checkpoint posts everything stored so far into the tree. It happens by itself whenever a head is full,
// and in Close; call it to bound what the next Open has to replay after a crash.
func (db *DB) Checkpoint(ctx context.Context) error {
	if err := db.enterWriting(ctx); err != nil {
		return err
	}
	defer db.gate.leave()
	return db.checkpoint(ctx)
}

func (db *DB) checkpoint(ctx context.Context) error {
	if err := db.startPosting(ctx); err != nil {
		return err
	}
	defer db.stopPosting()
	_, err := db.postAll(ctx, nil)
	if errors.Is(err, daybook.ErrNoSpace) && db.opts.WhenFull == DropOldest && db.opts.MaxSize > 0 {
		err = cmp.Or(db.dropOldest(ctx, nil), db.failureToPost())
	}
	return err
}

// startPosting takes the semaphore that whoever writes to the tree holds.
func (db *DB) startPosting(ctx context.Context) error {
	db.wantPosting.Add(1)
	defer db.wantPosting.Add(-1)
	select {
	case db.posting <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (db *DB) stopPosting() { <-db.posting }

// postAll posts the heads until everything that was acknowledged when it was called is in the tree. It
// needs posting held. It returns how many doomed values it left out.
func (db *DB) postAll(ctx context.Context, leaveOut doomed) (left uint64, err error) {
	db.mu.RLock()
	target := db.lastSequence
	db.mu.RUnlock()
	for {
		if err := ctx.Err(); err != nil {
			return left, err
		}
		n, err := db.postFrozen(leaveOut)
		left += n
		if err != nil {
			return left, err
		}
		db.mu.Lock()
		done := db.frozen == nil && (db.active.Values() == 0 || db.active.FirstSequence() > target)
		if !done && db.frozen == nil {
			db.freezeLocked()
		}
		db.mu.Unlock()
		if done {
			return left, nil
		}
	}
}

// postFrozen posts the frozen head, if there is one, without the doomed values, and returns how many those
// were. It needs posting held.
func (db *DB) postFrozen(leaveOut doomed) (left uint64, err error) {
	db.mu.RLock()
	frozen := db.frozen
	db.mu.RUnlock()
	if frozen == nil {
		return 0, nil
	}
	if err := db.syncReplaced(); err != nil {
		db.attempted(err, 0)
		return 0, err
	}
	start := time.Now()
	posting := tree.Posting{
		Runs:      func(after string) iter.Seq[tree.Run] { return runsOf(frozen, after, leaveOut) },
		Watermark: frozen.LastSequence(),
		Alone:     func() bool { return db.log == nil || db.gate.isClosed() }, // it is opened or closed
	}
	if db.log != nil { // else it is being replayed
		posting.LastSegment = db.log.LastSegment()
		// A part of the head must not outlive the rest. When the log cannot be synced, the whole still can be posted.
		posting.InParts = db.log.Sync() == nil
	}
	post := func() error {
		n, err := db.tree.Post(posting)
		left += n
		return err
	}
	if err = post(); errors.Is(err, daybook.ErrNoSpace) && db.giveUpCopy(err) {
		err = post()
	}
	if db.log != nil {
		err = db.againIfDamaged(context.Background(), err, post)
	}
	if measured := db.measure(); err == nil {
		err = measured
	}
	db.attempted(err, time.Since(start))
	if err != nil {
		db.giveUpCopy(err) // nobody knows how much of it the tree has
	} else {
		db.tellCopy(func(c *tree.Copy) error { return c.Post(posting) })
	}
	if err == nil && db.log != nil {
		db.log.Release(frozen.LastSequence())
		db.compactIfFree()
	}
	return left, err
}

// runsOf yields a frozen head's values of the records behind a name, without the doomed ones.
func runsOf(frozen *head.Head, after string, leaveOut doomed) iter.Seq[tree.Run] {
	return func(yield func(tree.Run) bool) {
		var values []codec.Entry
		for view := range frozen.ViewsFrom(after) {
			if view.Record == after {
				continue
			}
			from := uint64(0)
			if leaveOut != nil {
				from = leaveOut(view.Record)
			}
			values = view.Entries(values[:0], codec.Range{Start: from, End: math.MaxUint64})
			if !yield(tree.Run{Record: view.Record, Values: values, LeftOut: view.Count() - len(values)}) {
				return
			}
		}
	}
}

// attempted records how an attempt to post the frozen head went, and tells those who wait for it.
func (db *DB) attempted(err error, took time.Duration) {
	db.mu.Lock()
	if err == nil {
		db.frozen = nil
	}
	db.postFailure = err
	close(db.attempts)
	db.attempts = make(chan struct{})
	db.mu.Unlock()
	if err == nil {
		db.statsMu.Lock()
		db.stats.Checkpoints.Add(took)
		db.statsMu.Unlock()
	}
}
