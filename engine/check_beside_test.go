// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"encoding/json"
	"runtime"
	"testing"
	"time"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/proof/testenv"
)

// TestStoresBesideCheck stores many heads, deletes and compacts while a Check is at its beginning.
// Nothing of that may wait for the Check, and the Check must find no fault.
func TestStoresBesideCheck(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there a Check holds up a checkpoint as an open scan does: TestStoreWithinAScan")
	}
	db := mustOpen(t, testenv.TempDir(t), &Options{Durability: DurabilityOS, Tuning: Tuning{HeadSize: 64 << 10}})
	soon, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	value := json.RawMessage(`"` + digits(500) + `"`)
	at := uint64(0)
	store := func(count int) {
		t.Helper()
		for range count {
			at++
			if err := db.Store(soon, "record", value, at); err != nil {
				t.Fatalf("Store beside a Check: %v", err)
			}
		}
	}
	store(500)
	if err := db.Checkpoint(soon); err != nil {
		t.Fatal(err)
	}
	checking, err := db.beginCheck(soon)
	if err != nil {
		t.Fatal(err)
	}
	store(2000)
	if _, err := db.Prune(soon, "*", daybook.PruneParams{MaxPerRecord: 100}); err != nil {
		t.Errorf("Prune beside a Check: %v", err)
	}
	if err := db.Compact(soon); err != nil {
		t.Errorf("Compact beside a Check: %v", err)
	}
	store(1000)
	if err := checking.Run(soon); err != nil {
		t.Errorf("the Check: %v", err)
	}
	checking.Close()
	db.trees.snapshotClosed()
}
