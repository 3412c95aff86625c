// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"testing"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/identity"
)

// TestHoldOutlivesItsEpoch sets a hold, lets the directory end uncleanly as often as it remembers
// epochs, with a value in each, and wants the hold to be where its consumer is: it spares nothing
// that was taken, and counts nothing of it as lost.
func TestHoldOutlivesItsEpoch(t *testing.T) {
	dir := t.TempDir()
	db := mustOpen(t, dir, nil)
	for n := range uint64(5) {
		mustStore(t, db, "r", "1", n)
	}
	mustSetHold(t, db, daybook.Hold{Name: "h", At: db.cursorAt(3), MaxBytes: 1 << 20})
	first := db.identity.get().Current().ID
	for range identity.MaxEpochs + identity.MaxEpochs/2 {
		begun, _ := db.identity.get().BeginRandom(db.heads.last(), true)
		db.identity.set(begun)
		if err := db.withTurn(ctx, (*turn).renewHoldEpochs); err != nil {
			t.Fatal(err)
		}
	}
	if db.identity.get().Has(first) {
		t.Fatal("the directory still knows the first epoch")
	}
	if got := mustHold(t, db, "h"); got.Values != 2 || got.At.Sequence != 3 {
		t.Errorf("the hold spares %d values after %v; want the 2 after number 3", got.Values, got.At)
	}
	if deleted, err := db.Prune(ctx, "*", daybook.PruneParams{OlderThan: 100}); deleted != 3 || err != nil {
		t.Errorf("Prune = %d, %v; want the 3 values that were taken", deleted, err)
	}
	if got := mustHold(t, db, "h"); got.Lost != 0 {
		t.Errorf("%d values are lost; want none", got.Lost)
	}
}
