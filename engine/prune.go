// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/head"
	"github.com/daybook-db/daybook/engine/internal/tree"
	"github.com/daybook-db/daybook/index"
)

// Cleanup deletes every value with StoredAt < olderThan (Unix ms), and returns how many it deleted,
// exactly. Values stored while it runs may be deleted or not. Stores and queries go on meanwhile; a query
// that runs beside it may see a part of the doomed values, but each of the others. With one or two processors it
// leaves them to what stores meanwhile, and takes several times as long. Interrupted, it has
// deleted a part, returns that part's count with the error, and the same call finishes the work. It works
// on a full disk. A damaged record stays as it is, see Options.OnCorruption; with daybook.ErrCorrupt for that all others are done.
// Errors: daybook.ErrReadOnly, ErrClosed, ErrCorrupt, ErrNoSpace, or ctx's.
func (db *DB) Cleanup(ctx context.Context, olderThan uint64) (deleted uint64, err error) {
	return db.Prune(ctx, "*", daybook.PruneParams{OlderThan: olderThan})
}

// Prune deletes from the records that recordPattern matches what params says, and returns how many values
// it deleted, exactly. It behaves as Cleanup does. What was stored before is durable then, also when nothing had to go.
// Errors: those of Cleanup, daybook.ErrInvalidPattern and ErrInvalidParams.
func (db *DB) Prune(ctx context.Context, recordPattern string, params daybook.PruneParams) (deleted uint64, err error) {
	if err := db.enterWriting(ctx); err != nil {
		return 0, err
	}
	defer db.gate.leave()
	if err := params.Validate(); err != nil {
		return 0, err
	}
	pattern, err := index.Compile(recordPattern, params.Syntax)
	if err != nil {
		return 0, err
	}
	for _, except := range params.Except {
		spared, err := index.Compile(except.Text, except.Syntax)
		if err != nil {
			return 0, fmt.Errorf("PruneParams.Except: %w", err)
		}
		pattern = pattern.Without(spared)
	}
	if err := db.startPosting(ctx); err != nil {
		return 0, err
	}
	defer db.stopPosting()
	rule := tree.Rule{
		OlderThan:    params.OlderThan,
		KeepNewest:   uint64(params.KeepNewest),
		MaxPerRecord: uint64(params.MaxPerRecord),
	}
	if rule.OlderThan > 0 || rule.MaxPerRecord > 0 || params.MaxBytes == 0 {
		deleted, err = db.prune(ctx, pattern, rule)
	}
	if err == nil && params.MaxBytes > 0 {
		var oldest uint64
		oldest, err = db.pruneTo(ctx, pattern, func(uint64) uint64 { return params.MaxBytes }, uint64(params.KeepNewest))
		deleted += oldest
	}
	return deleted, err
}

// pruneTo deletes the oldest values until at most keep bytes of JSON are left of all that there are. What cannot be read does
// not count, and is an error in the end. It needs posting held.
func (db *DB) pruneTo(ctx context.Context, pattern *index.Pattern, keep func(all uint64) uint64, keepNewest uint64) (deleted uint64, err error) {
	// On a full disk what counts is in the heads, too.
	if _, err := db.postAll(ctx, nil); err != nil && !errors.Is(err, daybook.ErrNoSpace) {
		return 0, err
	}
	rule, unread, err := db.cutoff(ctx, pattern, keep)
	if err == nil && db.quarantines(unread) && db.salvage(ctx, unread) == nil {
		rule, unread, err = db.cutoff(ctx, pattern, keep)
	}
	if err != nil {
		return 0, err
	}
	rule.KeepNewest = keepNewest
	deleted, err = db.prune(ctx, pattern, rule)
	return deleted, cmp.Or(err, unread)
}

// cutoff is the rule for that, and why it does not know of some values. It needs posting held.
func (db *DB) cutoff(ctx context.Context, pattern *index.Pattern, keep func(all uint64) uint64) (rule tree.Rule, unread, err error) {
	heads := db.capture(viewsOf(pattern))
	state, err := db.tree.State()
	if err != nil {
		return rule, nil, err
	}
	_ = heads.leaveOutPosted(&state, pattern) // while posting is held, nothing is posted in between
	return db.tree.Cutoff(ctx, pattern, keep, heads.entries)
}

// prune posts what is in the heads without the values that the rule takes by age, and then deletes from
// the tree. Heads that hold nothing that could go stay as they are, but the log is synced: the deletion must not survive
// a power cut that what was stored before it does not. It needs posting held.
func (db *DB) prune(ctx context.Context, pattern *index.Pattern, rule tree.Rule) (deleted uint64, err error) {
	defer db.takeReserve()
	leaveOut := doomedBy(pattern, rule)
	switch some, err := db.headsHold(pattern, rule); {
	case err != nil:
		return 0, err
	case !some && db.log.Sync() == nil:
		return db.pruneTree(ctx, pattern, rule)
	}
	left, full := db.postAll(ctx, leaveOut)
	if full != nil && !errors.Is(full, daybook.ErrNoSpace) {
		return left, full
	}
	pruned, err := db.pruneTree(ctx, pattern, rule)
	deleted = left + pruned
	if err != nil || full == nil {
		return deleted, err
	}
	// The disk was full, but now there may be free pages. Where nothing in the heads is doomed, they can
	// wait for room like anybody's.
	if some, err := db.headsHold(pattern, rule); err != nil || !some {
		return deleted, err
	}
	left, err = db.postAll(ctx, leaveOut)
	deleted += left
	if errors.Is(err, daybook.ErrNoSpace) && db.releaseReserve() {
		left, err = db.postAll(ctx, leaveOut)
		deleted += left
	}
	if err != nil {
		return deleted, err
	}
	pruned, err = db.pruneTree(ctx, pattern, rule)
	return deleted + pruned, err
}

func (db *DB) pruneTree(ctx context.Context, pattern *index.Pattern, rule tree.Rule) (deleted uint64, err error) {
	if err := db.syncReplaced(); err != nil {
		return 0, err
	}
	way := db.giveWay()
	with := tree.Pruning{
		Gone:    func(gone []tree.Gone) { db.tellCopy(func(c *tree.Copy) error { return c.Prune(gone) }) },
		Between: db.postWaiting,
		Yield:   way.yield,
		Release: db.makeSpace,
	}
	prune := func() error {
		n, err := db.tree.Prune(ctx, pattern, rule, with)
		deleted += n
		return err
	}
	err = db.againIfDamaged(ctx, prune(), prune)
	if measured := db.measure(); err == nil {
		err = measured
	}
	db.compactIfFree()
	return deleted, err
}

// entries yields the values that were captured, in no particular order.
func (c *captured) entries(yield func(codec.Entry) bool) {
	for _, views := range [][]head.View{c.frozen, c.active} {
		for i := range views {
			for entry := range views[i].Since(0) {
				if !yield(entry) {
					return
				}
			}
		}
	}
}

const (
	// A prune beside Stores pauses whenever it has worked for so long, unless there are more processors than
	// fewProcessors. They would otherwise wait for one after each sync, half a millisecond and more where there are two,
	// which is several times what the sync takes.
	workBetweenPauses = 250 * time.Microsecond
	pause             = time.Millisecond
	fewProcessors     = 2
)

// giveWay lets a prune leave the processor to those that store. Where none do, or a checkpoint or somebody else waits
// for the tree, it loses no time.
type giveWay struct {
	db      *DB
	never   bool
	working time.Time // since when
	seen    uint64    // the last sequence number at the last look
}

func (db *DB) giveWay() *giveWay {
	db.mu.RLock()
	defer db.mu.RUnlock()
	return &giveWay{db: db, never: runtime.GOMAXPROCS(0) > fewProcessors, working: time.Now(), seen: db.lastSequence}
}

func (g *giveWay) yield() {
	if g.never || time.Since(g.working) < workBetweenPauses {
		return
	}
	g.db.mu.RLock()
	stored := g.db.lastSequence != g.seen
	g.seen = g.db.lastSequence
	waiting := g.db.frozen != nil
	g.db.mu.RUnlock()
	if stored && !waiting && g.db.wantPosting.Load() == 0 && !g.db.gate.isClosed() {
		time.Sleep(pause)
	}
	g.working = time.Now()
}

// makeSpace frees space on a full disk, and reports whether there was any to free. It needs posting held.
func (db *DB) makeSpace() bool { return db.giveUpCopy(daybook.ErrNoSpace) || db.releaseReserve() }

// postWaiting posts a head that writers wait for, unless that has just failed. It needs posting held. A
// failure is theirs to be told.
func (db *DB) postWaiting() {
	if db.failureToPost() == nil {
		_, _ = db.postFrozen(nil)
	}
}

// doomed returns the timestamp below which values of a record are not worth posting, since they are being
// deleted; 0 for none.
type doomed func(record string) uint64

// doomedBy says which values of a head need not be posted: those that go by their age alone.
func doomedBy(pattern *index.Pattern, rule tree.Rule) doomed {
	return func(record string) uint64 {
		if rule.KeepNewest == 0 && pattern.Match(record) {
			return rule.OlderThan
		}
		return 0
	}
}

// headsHold reports whether the heads hold values that the rule may take, and that are not in the tree. It needs
// posting held.
func (db *DB) headsHold(pattern *index.Pattern, rule tree.Rule) (bool, error) {
	if !rule.ByAgeAlone() { // which ones go depends on how many there are
		return true, nil
	}
	db.mu.RLock()
	young := !rule.MayTake(db.active.Oldest()) && (db.frozen == nil || !rule.MayTake(db.frozen.Oldest()))
	db.mu.RUnlock()
	if young {
		return false, nil
	}
	heads := db.capture(viewsOf(pattern))
	state, err := db.tree.State()
	if err != nil {
		return false, err
	}
	_ = heads.leaveOutPosted(&state, pattern) // while posting is held, nothing is posted in between
	isOld := func(view head.View) bool {
		oldest, _ := view.Bounds()
		return rule.MayTake(oldest)
	}
	return slices.ContainsFunc(heads.frozen, isOld) || slices.ContainsFunc(heads.active, isOld), nil
}
