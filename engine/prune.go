// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"sync"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/head"
	"github.com/daybook-db/daybook/engine/internal/tree"
	"github.com/daybook-db/daybook/index"
)

// Cleanup deletes every value with StoredAt < olderThan (Unix ms), and returns the exact number of
// deleted values. A value that is stored while it runs may be deleted or not.
//
// Stores and queries go on meanwhile. A query that runs beside it may see some of the values that
// are being deleted, and sees all others. On one or two processors Cleanup gives way to stores, and
// takes several times as long then.
//
// Interrupted, it has deleted a part, returns that part's number with the error, and the same call
// finishes the work. It works on a full disk. It passes over damaged records, see
// Options.OnCorruption, and returns daybook.ErrCorrupt when all others are done.
// Errors: daybook.ErrReadOnly, ErrClosed, ErrCorrupt, ErrNoSpace, ErrFailed, or ctx's.
func (db *DB) Cleanup(ctx context.Context, olderThan uint64) (deleted uint64, err error) {
	return db.Prune(ctx, "*", daybook.PruneParams{OlderThan: olderThan})
}

// Prune deletes values of the records that recordPattern matches, as params says, and returns the
// exact number of deleted values. It behaves as Cleanup does. Values that were stored before the
// call are durable afterwards, even if nothing was deleted.
//
// When ctx ends, the next Prune of the same records goes on where this one stopped. The search for
// what MaxBytes deletes goes on meanwhile, and keeps pages in use as a Scan does. So a Prune that
// is called again and again with the same short deadline finishes, unless values are stored all the
// time; then it deletes in each round what it must. Errors: those of Cleanup,
// daybook.ErrInvalidPattern, ErrInvalidParams and a *ForkedError.
func (db *DB) Prune(ctx context.Context, recordPattern string, params daybook.PruneParams) (deleted uint64, err error) {
	if err := db.enterWriting(ctx); err != nil {
		return 0, err
	}
	defer db.gate.leave()
	if err := params.Validate(); err != nil {
		return 0, err
	}
	pattern, err := compileWithExceptions(recordPattern, params)
	if err != nil {
		return 0, err
	}
	err = db.withTurn(ctx, func(t *turn) error {
		t.selection = fmt.Sprintf("%q %v %q", recordPattern, params.Syntax, params.Except)
		defer func() { t.selection = "" }()
		deleted, err = t.pruneAsAsked(ctx, pattern, params)
		t.forgetPlace(ctx, err)
		return err
	})
	db.stats.addDeleted(deleted)
	return deleted, err
}

// pruneAsAsked is Prune with the turn.
func (t *turn) pruneAsAsked(
	ctx context.Context, pattern *index.Pattern, params daybook.PruneParams,
) (deleted uint64, err error) {
	if params.NewerThan > 0 {
		deleted, err = t.prune(ctx, pattern, tree.Rule{NewerThan: params.NewerThan, OlderThan: params.OlderThan})
		params.OlderThan = 0                            // it was only the end of the span
		isDamaged := errors.Is(err, daybook.ErrCorrupt) // of some records; the limits are for the others, too
		if err != nil && !isDamaged || params.MaxPerRecord == 0 && params.MaxBytes == 0 {
			return deleted, err
		}
	}
	older, oldestErr := t.pruneOldest(ctx, pattern, params)
	return deleted + older, cmp.Or(oldestErr, err)
}

// pruneOldest deletes the oldest values by age, by number and by size.
func (t *turn) pruneOldest(
	ctx context.Context, pattern *index.Pattern, params daybook.PruneParams,
) (deleted uint64, err error) {
	through := uint64(0) // no bound
	if params.StoredThrough != nil {
		through, err = t.db.resolve(*params.StoredThrough)
		if err != nil || through == 0 { // nothing was stored up to there
			return 0, err
		}
	}
	rule := tree.Rule{
		StoredThrough: through,
		OlderThan:     params.OlderThan,
		KeepNewest:    uint64(params.KeepNewest),
		MaxPerRecord:  uint64(params.MaxPerRecord),
	}
	// Without any limit it is called too, because Prune makes the values before it durable.
	if rule.OlderThan > 0 || rule.MaxPerRecord > 0 || params.MaxBytes == 0 {
		deleted, err = t.prune(ctx, pattern, rule)
	}
	if err == nil && params.MaxBytes > 0 {
		var oldest uint64
		oldest, err = t.pruneToBytes(ctx, pattern, params.MaxBytes, uint64(params.KeepNewest))
		deleted += oldest
	}
	return deleted, err
}

// compileWithExceptions compiles a record pattern that does not match what params.Except matches.
func compileWithExceptions(recordPattern string, params daybook.PruneParams) (*index.Pattern, error) {
	pattern, err := index.Compile(daybook.Pattern{Text: recordPattern, Syntax: params.Syntax})
	if err != nil {
		return nil, err
	}
	for _, except := range params.Except {
		spared, err := index.Compile(except)
		if err != nil {
			return nil, fmt.Errorf("PruneParams.Except: %w", err)
		}
		pattern = pattern.Without(spared)
	}
	return pattern, nil
}

// prune deletes the values that the rule says. It posts the heads first, without the values that
// the rule deletes by time. Heads without such values stay as they are if the log can be synced
// instead: after a power cut the deletion must not be there without the values that were stored
// before it.
func (t *turn) prune(ctx context.Context, pattern *index.Pattern, rule tree.Rule) (deleted uint64, err error) {
	held, err := t.boundHolds(ctx)
	if err != nil {
		return 0, err
	}
	return t.pruneSparing(ctx, pattern, rule, held)
}

// pruneSparing is prune with what the holds, and others, spare.
func (t *turn) pruneSparing(
	ctx context.Context, pattern *index.Pattern, rule tree.Rule, held tree.Holds,
) (deleted uint64, err error) {
	defer t.takeReserve()
	defer func() {
		if deleted > 0 {
			t.dropSearch()
		}
	}()
	// Held values, and those that count as lost, are deleted from the tree alone.
	leaveOut := doomedBy(ctx, withoutHeld(pattern, held), rule)
	switch found, err := t.headsHold(ctx, pattern, rule); {
	case err != nil:
		return 0, err
	case !found && t.db.log.Sync() == nil:
		return t.pruneTree(ctx, pattern, rule, held)
	}
	leftOut, postErr := t.postAll(ctx, leaveOut)
	if postErr != nil && !errors.Is(postErr, daybook.ErrNoSpace) {
		return leftOut, postErr
	}
	pruned, err := t.pruneTree(ctx, pattern, rule, held)
	if postErr != nil {
		t.place.done = nil // the heads may hold more for the rule
	}
	deleted = leftOut + pruned
	if err != nil || postErr == nil {
		return deleted, err
	}
	// The disk was full, but the tree may have free pages by now. Heads without values that the
	// rule deletes can wait for room.
	if found, err := t.headsHold(ctx, pattern, rule); err != nil || !found {
		return deleted, err
	}
	leftOut, err = t.postAllUsingReserve(ctx, leaveOut)
	deleted += leftOut
	if err != nil {
		return deleted, err
	}
	pruned, err = t.pruneTree(ctx, pattern, rule, held)
	return deleted + pruned, err
}

// withoutHeld returns a pattern that does not match the records of holds.
func withoutHeld(pattern *index.Pattern, held tree.Holds) *index.Pattern {
	for i := range held {
		pattern = pattern.Without(held[i].Pattern)
	}
	return pattern
}

// pruneTree deletes from the tree the values that the rule says and that are not held.
func (t *turn) pruneTree(
	ctx context.Context, pattern *index.Pattern, rule tree.Rule, held tree.Holds,
) (deleted uint64, err error) {
	if err := t.prepareToWrite(); err != nil {
		return 0, err
	}
	with := t.pruningOf(held)
	place, isDone := t.resumed(rule, held)
	if isDone {
		return 0, place.damage
	}
	with.Progress = &place.rest
	t.db.heads.treeShrinks()
	prune := func() error {
		n, err := t.tree().Prune(ctx, pattern, rule, with)
		deleted += n
		return err
	}
	err = t.retrySalvaged(ctx, prune(), prune)
	t.remember(ctx, place, err)
	if deleted > 0 {
		t.db.heads.treeShrank()
	}
	if measured := t.measure(); err == nil {
		err = measured
	}
	if deleted > 0 {
		t.db.sealer.nudge()
	}
	t.compactIfMostlyFree()
	return deleted, err
}

// pruningOf returns what the tree calls during a deletion that spares what is held.
func (t *turn) pruningOf(held tree.Holds) tree.Pruning {
	return tree.Pruning{
		Holds:   held,
		NotesOf: t.notesOfLost,
		Lost:    t.addLost,
		Deleted: func(deletions []tree.Deletion) {
			t.updateCopy(func(c *tree.Copy) error { return c.Prune(deletions) })
		},
		BetweenTransactions: func() {
			t.postForWriters()
			t.db.heads.treeShrinks() // in the next transaction
		},
		Pause:     newPauses(t.db).pauseIfDue,
		FreeSpace: t.freeSpace,
	}
}

// pruneToBytes deletes the oldest values of the records that the pattern matches until at most
// maxBytes bytes of their JSON remain. Values that cannot be read do not count, and are an error at
// the end. Held values count as if they were deleted.
func (t *turn) pruneToBytes(
	ctx context.Context, pattern *index.Pattern, maxBytes, keepNewest uint64,
) (deleted uint64, err error) {
	for {
		// On a full disk some of the values that count stay in the heads.
		if _, err := t.postAll(ctx, nil); err != nil && !errors.Is(err, daybook.ErrNoSpace) {
			return deleted, err
		}
		rule, exact, unreadable, err := t.findCutoff(ctx, pattern, maxBytes)
		if err == nil && t.db.quarantines(unreadable) && t.salvage(ctx, unreadable) == nil {
			rule, exact, unreadable, err = t.findCutoff(ctx, pattern, maxBytes)
		}
		if err != nil {
			return deleted, err
		}
		rule.KeepNewest = keepNewest
		n, err := t.prune(ctx, pattern, rule)
		deleted += n
		if err != nil || exact {
			return deleted, cmp.Or(err, unreadable)
		}
	}
}

// captureUnposted captures the values in the heads that are not in the tree. Nothing is posted
// meanwhile, because that needs the turn.
func (t *turn) captureUnposted(pattern *index.Pattern) (capturedHeads, error) {
	views, received := viewsOf(pattern, ""), []received(nil)
	heads := t.db.heads.capture(func(of *head.Head, lock sync.Locker) *head.Reader {
		received = t.db.heads.positions.unposted() // at the same moment
		return views(of, lock)
	})
	heads.received = received
	state, err := t.tree().State()
	if err != nil {
		return capturedHeads{}, err
	}
	_ = heads.leaveOutPosted(&state, pattern) // is consistent, because nothing was posted in between
	return heads, nil
}

// freeSpace frees space on a full disk: that of a compaction's copy, or else the reserve. It
// reports whether there was any to free.
func (t *turn) freeSpace() bool { return t.giveUpCopy(daybook.ErrNoSpace) || t.releaseReserve() }

// postForWriters posts a head that writers wait for, unless the last attempt failed. The writers
// learn whether this one fails.
func (t *turn) postForWriters() {
	if t.db.heads.failureToPost() == nil {
		_, _ = t.postFrozen(context.Background(), nil)
	}
}

// doomed returns the timestamps of which a record's values are being deleted, so that they need not
// be posted. The start is after the end if there are none.
type doomed func(record string) codec.Range

// doomedBy returns the values that the rule deletes by their time alone, however many a record has.
// After the end of ctx there are none: the values can as well be posted, and no name is matched.
func doomedBy(ctx context.Context, pattern *index.Pattern, rule tree.Rule) doomed {
	all, none := rule.Doomed(), codec.Range{Start: 1}
	return func(record string) codec.Range {
		if ctx.Err() == nil && pattern.Match(record) {
			return all
		}
		return none
	}
}

// headsHold reports whether the heads hold values that the rule may take and that are not in the
// tree.
func (t *turn) headsHold(ctx context.Context, pattern *index.Pattern, rule tree.Rule) (bool, error) {
	if !rule.ByTimeAlone() { // which values it deletes depends on their number
		return true, nil
	}
	if rule.StoredThrough > 0 {
		return t.db.heads.first() <= rule.StoredThrough, nil
	}
	if !rule.MayDelete(t.db.heads.oldest(), math.MaxUint64) {
		return false, nil
	}
	heads, err := t.captureUnposted(pattern)
	if err != nil {
		return false, err
	}
	found := false
	err = heads.eachView(ctx, func(view *head.View) bool {
		found = rule.MayDelete(view.Bounds())
		return !found
	})
	return found, err
}
