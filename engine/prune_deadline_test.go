// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/proof/testenv"
)

// storeInTree stores values of many records, values of each, and posts them.
func storeInTree(t *testing.T, db *DB, prefix string, records, values int) {
	t.Helper()
	batch := make([]daybook.StoredValue, 0, records*values)
	for i := range records * values {
		batch = append(batch, daybook.StoredValue{RecordName: fmt.Sprintf("%s%06d", prefix, i%records),
			Value: json.RawMessage(`"` + digits(98) + `"`), StoredAt: uint64(i)})
	}
	if err := db.StoreBatch(ctx, batch); err != nil {
		t.Fatal(err)
	}
	if err := db.Checkpoint(ctx); err != nil {
		t.Fatal(err)
	}
}

// TestInterruptedPruneGoesOn calls Prune again and again with a context that ends after the same
// short time. It must finish, whatever it looks at first.
func TestInterruptedPruneGoesOn(t *testing.T) {
	spared := []daybook.Pattern{{Text: "a*"}}
	tests := []struct {
		name   string
		params daybook.PruneParams
		stored bool   // values are stored between the calls
		reason string // why the row is here
	}{
		{"except", daybook.PruneParams{OlderThan: 1 << 40, Except: spared}, false,
			"it walks over the spared records first, and has deleted nothing when the context ends"},
		{"number", daybook.PruneParams{MaxPerRecord: 1, Except: spared}, false, "a limit"},
		{"span and number", daybook.PruneParams{NewerThan: 1 << 40, MaxPerRecord: 1, Except: spared}, false,
			"of its two rules, the first must not be searched for again in each call"},
		{"beside stores", daybook.PruneParams{MaxPerRecord: 1, Except: spared}, true,
			"it must delete, though records that it has looked at get new values"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			db := mustOpen(t, testenv.TempDir(t), &Options{Durability: DurabilityOS})
			storeInTree(t, db, "a", 4000, 1)
			storeInTree(t, db, "b", 1000, 2)
			want := 1000
			if test.params.MaxPerRecord == 0 {
				want = 2000
			}
			deleted, calls := 0, 0
			for err := error(context.Canceled); err != nil; calls++ {
				if calls == 2000 {
					t.Fatalf("not finished after %d calls, %d values deleted (%s)", calls, deleted, test.reason)
				}
				var n uint64
				n, err = db.Prune(&endingContext{ctx, 40}, "*", test.params)
				if err != nil && !errors.Is(err, context.Canceled) {
					t.Fatal(err)
				}
				if deleted += int(n); test.stored && deleted < want {
					mustStore(t, db, "a000000", "1", uint64(calls))
				}
			}
			if deleted != want || calls < 3 {
				t.Errorf("deleted %d values in %d calls; want %d in several (%s)", deleted, calls, want, test.reason)
			}
		})
	}
}

// TestHoldReleasedDuringInterruptedPrune releases a hold after a Prune was interrupted that had
// passed over held values. The next Prune must delete them.
func TestHoldReleasedDuringInterruptedPrune(t *testing.T) {
	db := mustOpen(t, testenv.TempDir(t), &Options{Durability: DurabilityOS})
	storeInTree(t, db, "a", 300, 1)
	mustSetHold(t, db, daybook.Hold{Name: "cloud", MaxBytes: 1 << 40})
	all := daybook.PruneParams{OlderThan: 1 << 40}
	passed := false
	for checks := int64(1); !passed; checks++ {
		if _, err := db.Prune(&endingContext{ctx, checks}, "*", all); !errors.Is(err, context.Canceled) {
			t.Fatalf("the %dth look at the context: %v; want an interruption among the records", checks, err)
		}
		taken := mustTakeTurn(t, db)
		passed = taken.place.rest.From > "a000100"
		taken.end()
	}
	if err := db.ReleaseHold(ctx, "cloud"); err != nil {
		t.Fatal(err)
	}
	if deleted, err := db.Prune(ctx, "*", all); deleted != 300 || err != nil {
		t.Errorf("deleted %d, %v; want 300", deleted, err)
	}
}

// TestInterruptedMaxBytesGoesOn is TestInterruptedPruneGoesOn for MaxBytes, which first searches
// all chunks for what it deletes.
func TestInterruptedMaxBytesGoesOn(t *testing.T) {
	t.Parallel()
	const records, values, valueSize, maxBytes = 6000, 2, 100, 300_000
	for _, storing := range []bool{false, true} {
		t.Run(fmt.Sprint("storing ", storing), func(t *testing.T) {
			db := mustOpen(t, testenv.TempDir(t), &Options{Durability: DurabilityOS})
			storeInTree(t, db, "r", records, values)
			stored, deleted, calls := records*values, 0, 0
			for ; ; calls++ {
				if calls == 5000 {
					t.Fatalf("not finished after %d calls, %d values deleted", calls, deleted)
				}
				n, err := db.Prune(&endingContext{ctx, 12}, "r*", daybook.PruneParams{MaxBytes: maxBytes})
				deleted += int(n)
				if err == nil {
					break
				}
				if !errors.Is(err, context.Canceled) {
					t.Fatal(err)
				}
				if storing && deleted < records {
					stored++
					if err := db.Store(ctx, "r", json.RawMessage(`"`+digits(98)+`"`), 1<<40); err != nil {
						t.Fatal(err)
					}
				}
			}
			if left := (stored - deleted) * valueSize; calls < 3 || left > maxBytes || left <= maxBytes-valueSize {
				t.Errorf("%d bytes remain after %d calls; want several, at most %d bytes, and no less than must be",
					left, calls, maxBytes)
			}
		})
	}
}
