// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"fmt"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/tree"
)

var _ daybook.ClockMemory = (*DB)(nil)

// clockNote is the name of the tree's note that holds the clock state.
const clockNote = "clock"

// SetClockState replaces what a keeper knows of the time. It is one commit of the tree, and durable
// in every mode of durability. It works on a full disk. Compaction, salvage and backups keep the
// state.
// Errors: daybook.ErrValueTooLarge, ErrReadOnly, ErrClosed, ErrCorrupt, ErrNoSpace, ErrFailed, or
// ctx's.
func (db *DB) SetClockState(ctx context.Context, state []byte) error {
	if err := db.enterWriting(ctx); err != nil {
		return err
	}
	defer db.gate.leave()
	if len(state) > daybook.MaxClockStateLen {
		return fmt.Errorf("%w: got a clock state of %d bytes; want at most %d",
			daybook.ErrValueTooLarge, len(state), daybook.MaxClockStateLen)
	}
	return db.withTurn(ctx, func(t *turn) error { return t.putNotes(tree.Notes{clockNote: state}) })
}

// ClockState returns the state that the last SetClockState was given; nil if there was none.
// Errors: daybook.ErrCorrupt, ErrClosed, or ctx's.
func (db *DB) ClockState(ctx context.Context) (state []byte, err error) {
	if err := db.enter(ctx); err != nil {
		return nil, err
	}
	defer db.gate.leave()
	err = db.withTurn(ctx, func(t *turn) error {
		notes, err := t.tree().Notes()
		state = notes[clockNote]
		return err
	})
	return state, err
}
