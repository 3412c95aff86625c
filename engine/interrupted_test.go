// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/proof/testenv"
)

// TestInterruptedCheckpoint ends the context of a Checkpoint after each of its first transactions.
// The Checkpoint must return the context's error, the goroutine of the checkpoints must post the
// rest, and all values must be there.
func TestInterruptedCheckpoint(t *testing.T) {
	db := mustOpen(t, testenv.TempDir(t),
		&Options{Durability: DurabilityOS, Tuning: Tuning{TransactionSize: MinTransactionSize}})
	stored, interrupted := 0, 0
	for looks := range int64(12) {
		batch := make([]daybook.StoredValue, 100)
		for i := range batch {
			batch[i] = daybook.StoredValue{RecordName: fmt.Sprint("record", i),
				Value: json.RawMessage(`"` + digits(1000) + `"`), StoredAt: uint64(stored + i)}
		}
		if err := db.StoreBatch(ctx, batch); err != nil {
			t.Fatal(err)
		}
		stored += len(batch)
		if err := db.Checkpoint(&endingContext{ctx, looks}); errors.Is(err, context.Canceled) {
			interrupted++
		} else if err != nil {
			t.Fatal(err)
		}
		waitUntilPosted(t, db)
		values, err := db.Query(ctx, "*", daybook.QueryParams{})
		if err != nil || len(values) != stored {
			t.Fatalf("%d values, %v; want %d", len(values), err, stored)
		}
	}
	if interrupted < 3 {
		t.Errorf("%d Checkpoints were interrupted; want several", interrupted)
	}
}

// waitUntilPosted waits until there is no frozen head.
func waitUntilPosted(t *testing.T, db *DB) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); db.heads.frozenHead() != nil; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the frozen head is not posted")
		}
	}
}
