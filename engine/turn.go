// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"sync/atomic"

	"github.com/daybook-db/daybook/engine/internal/tree"
)

// turn is the exclusive right to write to the tree. There is one per DB, and one goroutine at a
// time holds it: Open, a checkpoint, a prune, the turns of a compaction, the beginning of a backup,
// Check, a leader that makes space for a group, or Close. All code that writes to the tree, or that
// needs it unchanged for a while, is a method of turn, so it cannot run without the right. The
// fields are the state that only the holder may use.
type turn struct {
	db *DB

	// The copy that a compaction is making; compact.go has its life.
	copy       *tree.Copy // nil: none
	copyFailed error      // why the copy was given up, for the compaction to return
	copyMargin int64      // bytes of the disk that the copy leaves free
	pace       compactionPace

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
	waiting atomic.Int64 // goroutines that wait for it
}

// newTurn returns the turn of a DB, held by the caller.
func newTurn(db *DB) *turn { return &turn{db: db} }

// takeTurn waits for the turn. The caller must end it.
// Errors: ctx's.
func (db *DB) takeTurn(ctx context.Context) (*turn, error) {
	db.turns.waiting.Add(1)
	defer db.turns.waiting.Add(-1)
	select {
	case t := <-db.turns.free:
		return t, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// end gives the turn back. The caller must not use t afterwards.
func (t *turn) end() { t.db.turns.free <- t }

// withTurn calls do with the turn.
func (db *DB) withTurn(ctx context.Context, do func(*turn) error) error {
	t, err := db.takeTurn(ctx)
	if err != nil {
		return err
	}
	defer t.end()
	return do(t)
}

// tree returns the open tree. Only the holder of the turn replaces it.
func (t *turn) tree() *tree.Tree { return t.db.trees.current }
