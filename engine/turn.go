// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"sync/atomic"

	"github.com/daybook-db/daybook/engine/internal/tree"
)

// turn is the exclusive right to write to the tree. There is one per DB, and one goroutine at a
// time holds it: Open, a checkpoint, a prune, the turns of a compaction, the beginning of a backup
// or of Check, a leader that makes space for a group, or Close. All code that writes to the tree,
// or that needs it unchanged for a while, is a method of turn, so it cannot run without the right.
// The fields are the state that only the holder may use.
type turn struct {
	db *DB

	// The copy that a compaction is making; compact.go has its life.
	copy       *tree.Copy // nil: none
	copyFailed error      // why the copy was given up, for the compaction to return
	copyBehind int64      // bytes that the copy may yet take for values that the tree has
	copyMargin int64      // bytes of the disk that the copy leaves free
	pace       compactionPace

	// What a Prune left undone whose context ended; cutoff.go has both.
	selection string        // the records of the Prune that holds the turn; "": another deletion
	place     prunePlace    // where it stopped
	searching *cutoffSearch // nil: none

	holds []*hold // by name; what the notes of the tree say

	lastSegment  uint64 // the greatest number of a segment that recovery has found
	savedSegment uint64 // the greatest one that the tree knows, as far as the turn knows
	// undroppable is one more than the tree's generation in which dropSome found nothing to drop.
	// What holds spare changes with time, so it does not count while there are any.
	undroppable uint64
	// endedInVain says that dropOldest has ended loops, and values did not fit since.
	endedInVain bool

	// renameUnsynced is set by adoptTree when another file has got the tree's name and the
	// directory could not be synced. syncRename clears it.
	renameUnsynced bool
	// stranded is set by strand: a complete tree whose rename to the tree's name failed in an
	// unknown state. It stays locked until Close.
	stranded *tree.Tree
}

// turns hands out the turn.
type turns struct {
	free    chan *turn   // holds the turn while no goroutine does
	waiting atomic.Int64 // callers of withTurn that wait for it
}

// newTurn returns the turn of a DB, held by the caller.
func newTurn(db *DB) *turn { return &turn{db: db} }

// take waits for the turn. end gives it back.
// Errors: ctx's.
func (ts *turns) take(ctx context.Context) (*turn, error) {
	select {
	case t := <-ts.free:
		return t, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// end gives the turn back.
func (t *turn) end() { t.db.turns.free <- t }

// withTurn calls do with the turn, which do must not keep.
// Errors: ctx's, when it ends before the turn is free, or do's.
func (db *DB) withTurn(ctx context.Context, do func(*turn) error) error {
	db.turns.waiting.Add(1)
	t, err := db.turns.take(ctx)
	db.turns.waiting.Add(-1)
	if err != nil {
		return err
	}
	defer t.end()
	return do(t)
}

// withTurnInBackground is withTurn for work that no caller waits for. It does not count as waiting,
// so a prune beside Stores does not hurry for it.
func (db *DB) withTurnInBackground(do func(*turn) error) error {
	t := <-db.turns.free
	defer t.end()
	return do(t)
}

// tree returns the open tree. Only the holder of the turn replaces it.
func (t *turn) tree() *tree.Tree { return t.db.trees.current }
