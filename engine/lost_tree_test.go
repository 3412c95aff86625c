// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"errors"
	"testing"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/proof/testenv"
)

// TestPositionsAfterLostTree loses a tree as a whole, with the positions and the holds in it. A
// stream of which the log has nothing begins again: its sender is told so, and sends again what was
// lost. A stream of which the log has a batch goes on after that. No value is there twice. The
// consumer of a hold is told that there is none.
func TestPositionsAfterLostTree(t *testing.T) {
	dir := testenv.TempDir(t)
	posted, logged := newSender("posted", 12), newSender("logged", 12)
	first, second := *logged, *logged
	first.batches, second.batches = logged.batches[:6], logged.batches[:10]
	db := mustOpen(t, dir, nil)
	mustSetHold(t, db, daybook.Hold{Name: "cloud", MaxBytes: 1 << 20})
	if err := errors.Join(posted.send(db), first.send(db)); err != nil {
		t.Fatal(err)
	}
	mustClose(t, db)
	db = mustOpen(t, dir, nil)
	if err := errors.Join(second.send(db), db.abandon()); err != nil {
		t.Fatal(err)
	}
	damages[0].do(t, dir) // both meta pages
	db = mustOpen(t, dir, &Options{OnCorruption: OnCorruptionQuarantine, Logger: discard})
	if stats, err := db.Stats(ctx); err != nil || len(stats.Quarantined) != 1 {
		t.Errorf("set aside %v, %v; want the tree", stats.Quarantined, err)
	}
	if err := db.AdvanceHold(ctx, "cloud", db.cursorAt(db.heads.last())); !errors.Is(err, daybook.ErrNoHold) {
		t.Errorf("AdvanceHold of a hold that was lost: got %v; want ErrNoHold", err)
	}

	last := posted.batches[len(posted.batches)-1]
	var outOfStep *daybook.OutOfStepError
	_, err := db.StoreBatchFrom(ctx, last)
	if !errors.As(err, &outOfStep) || outOfStep.Position != (daybook.Position{}) {
		t.Errorf("a stream that was in the tree alone: got %v; want that it begins again", err)
	}
	if at, err := db.StoreBatchFrom(ctx, logged.batches[10]); err != nil || at != logged.batches[10].Position() {
		t.Errorf("a stream that the log has: got %v, %v; want that it goes on", at, err)
	}
	if err := errors.Join(posted.send(db), logged.send(db)); err != nil {
		t.Fatal(err)
	}
	times := map[string]int{}
	for _, change := range mustChange(t, db, daybook.Cursor{}) {
		times[string(change.Value)]++
	}
	for _, v := range posted.values {
		if n := times[string(v.Value)]; n != 1 {
			t.Errorf("%s is there %d times; want once, sent again", v.Value, n)
		}
	}
	lost := 0 // with the first batches, which the position has passed
	for _, batch := range first.batches {
		lost += len(batch.Values)
	}
	for i, v := range logged.values {
		if n := times[string(v.Value)]; n > 1 || n == 0 && i >= lost {
			t.Errorf("%s, value %d of the stream, is there %d times", v.Value, i, n)
		}
	}
}
