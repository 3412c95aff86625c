// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"errors"
	"testing"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/identity"
)

// TestForgottenEpochForks lets a directory end uncleanly more often than it remembers epochs, with
// a value in each. A cursor of the first epoch must be a fork for every method that takes one, with
// the beginning as the common place. It must never be taken for the place that its number has now.
func TestForgottenEpochForks(t *testing.T) {
	dir := t.TempDir()
	db := mustOpen(t, dir, nil)
	storeNumbered(t, db, 1, 5)
	mustSetHold(t, db, daybook.Hold{Name: "h", MaxBytes: 1 << 20})
	old := db.cursorAt(5)
	for n := range identity.MaxEpochs + 2 {
		begun, _ := db.identity.get().BeginRandom(db.heads.last(), true)
		db.identity.set(begun)
		if _, err := db.resolve(old); (err == nil) != (n < identity.MaxEpochs-1) {
			t.Fatalf("after %d more epochs: %v", n+1, err)
		}
	}
	db.trees.get().SetIdentity(db.identity.get())
	storeNumbered(t, db, 6, 7)
	for range 2 { // the second time from the disk
		for name, err := range map[string]error{
			"Changes":       second(firstChange(db, old)),
			"SetHold":       db.SetHold(ctx, daybook.Hold{Name: "other", At: old, MaxBytes: 1}),
			"AdvanceHold":   db.AdvanceHold(ctx, "h", old),
			"StoredThrough": second(db.Prune(ctx, "*", daybook.PruneParams{StoredThrough: &old, OlderThan: 1})),
		} {
			var fork *daybook.ForkedError
			if !errors.As(err, &fork) || !fork.Common.IsZero() || fork.Current != db.cursorAt(7) {
				t.Errorf("%s: got %v; want a fork at the beginning", name, err)
			}
		}
		now := db.cursorAt(5)
		if after, err := db.resolve(now); now.Epoch == old.Epoch || after != 5 || err != nil {
			t.Errorf("value 5 has cursor %v: got %d, %v; want 5, in an epoch that is remembered", now, after, err)
		}
		mustClose(t, db)
		db = mustOpen(t, dir, nil)
	}
}

// firstChange returns the first change after a cursor.
func firstChange(db *DB, after daybook.Cursor) (change daybook.Change, err error) {
	for change, err = range db.Changes(ctx, daybook.ChangesParams{After: after}) {
		break
	}
	return change, err
}
