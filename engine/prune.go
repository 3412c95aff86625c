// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"errors"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/tree"
	"github.com/daybook-db/daybook/index"
)

// Cleanup deletes every value with StoredAt < olderThan (Unix ms), and returns how many it deleted,
// exactly. Values stored while it runs may be deleted or not. Stores and queries go on meanwhile; a query
// that runs beside it may see a part of the doomed values, but each of the others. Interrupted, it has
// deleted a part, returns that part's count with the error, and the same call finishes the work. It works
// on a full disk.
// Errors: daybook.ErrReadOnly, ErrClosed, ErrCorrupt, ErrNoSpace, or ctx's.
func (db *DB) Cleanup(ctx context.Context, olderThan uint64) (deleted uint64, err error) {
	return db.Prune(ctx, "*", daybook.PruneParams{OlderThan: olderThan})
}

// Prune deletes from the records that recordPattern matches what params says, and returns how many values
// it deleted, exactly. It behaves as Cleanup does.
// Errors: those of Cleanup, daybook.ErrInvalidPattern and ErrInvalidParams.
func (db *DB) Prune(ctx context.Context, recordPattern string, params daybook.PruneParams) (deleted uint64, err error) {
	if err := db.enterWriting(ctx); err != nil {
		return 0, err
	}
	defer db.gate.leave()
	if err := params.Validate(); err != nil {
		return 0, err
	}
	pattern, err := compile(recordPattern, params.Syntax)
	if err != nil {
		return 0, err
	}
	if err := db.startPosting(ctx); err != nil {
		return 0, err
	}
	defer db.stopPosting()
	return db.prune(ctx, pattern, tree.Rule{
		OlderThan:    params.OlderThan,
		KeepNewest:   uint64(params.KeepNewest),
		MaxPerRecord: uint64(params.MaxPerRecord),
	})
}

// prune posts what is in the heads without the values that the rule takes by age, and then deletes from
// the tree. When the disk is too full to post, the reserve is given up, and the tree is pruned first,
// which frees pages that the heads can go to. It needs posting held.
func (db *DB) prune(ctx context.Context, pattern *index.Pattern, rule tree.Rule) (deleted uint64, err error) {
	defer db.reserve.take()
	post := func() error {
		n, err := db.postAll(ctx, doomedBy(pattern, rule))
		deleted += n
		return err
	}
	pruneTree := func() error {
		n, err := db.tree.Prune(ctx, pattern, rule, db.postWaiting)
		deleted += n
		return err
	}
	err = db.withReserve(post)
	if errors.Is(err, daybook.ErrNoSpace) {
		if err = pruneTree(); err == nil {
			err = post()
		}
	}
	if err != nil {
		return deleted, err
	}
	return deleted, db.withReserve(pruneTree)
}

// withReserve runs work, and once more with the reserve given up if there was no space.
func (db *DB) withReserve(work func() error) error {
	err := work()
	if errors.Is(err, daybook.ErrNoSpace) && db.reserve.release() {
		err = work()
	}
	return err
}

// doomedBy says which values of a head need not be posted: those that go by their age alone.
func doomedBy(pattern *index.Pattern, rule tree.Rule) doomed {
	if rule.KeepNewest > 0 {
		return nil
	}
	return func(record string) uint64 {
		if pattern.Match(record) {
			return rule.OlderThan
		}
		return 0
	}
}

// postWaiting posts a head that writers wait for. It needs posting held. A failure is theirs to be told.
func (db *DB) postWaiting() { _, _ = db.postFrozen(nil) }
