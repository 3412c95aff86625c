// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/tree"
	"github.com/daybook-db/daybook/proof/testenv"
)

// heldUpOptions make the tree outgrow its mapping with each head, on every system.
func heldUpOptions() *Options {
	return &Options{Tuning: Tuning{HeadSize: 64 << 10, TransactionSize: 16 << 10}, smallMapping: true}
}

// storeKilobytes stores values of a kilobyte, and returns how many it stored and the first error.
func storeKilobytes(db *DB, maxValues int) (stored int, err error) {
	value := json.RawMessage(`"` + strings.Repeat("x", 1000) + `"`)
	for ; stored < maxValues; stored++ {
		if err := db.Store(ctx, fmt.Sprintf("r.%d", stored%10), value, uint64(stored)); err != nil {
			return stored, err
		}
	}
	return stored, nil
}

// TestStoreWithinAScan stores within the loop of a Scan, where the tree's file cannot grow before
// the Scan ends. The stores must succeed up to a bound, and then fail with an error that says what
// to do. Nothing may wait for good: not a query, nor a Checkpoint, nor a Prune.
func TestStoreWithinAScan(t *testing.T) {
	dir := testenv.TempDir(t)
	db := mustOpen(t, dir, heldUpOptions())
	mustStore(t, db, "first", "1", 1)
	if err := db.Checkpoint(ctx); err != nil {
		t.Fatal(err)
	}
	stored, deleted := 0, uint64(0)
	finishes(t, 60*time.Second, func() {
		for _, err := range db.Scan(ctx, "*", daybook.QueryParams{}) {
			if err != nil {
				t.Errorf("Scan: %v", err)
			}
			var failure error
			if stored, failure = storeKilobytes(db, 10_000); !errors.Is(failure, tree.ErrHeldUp) ||
				!errors.Is(failure, daybook.ErrNoSpace) || !strings.Contains(failure.Error(), "end the loops of Scan") {
				t.Errorf("Store after %d values: got %v; want ErrHeldUp", stored, failure)
			}
			if least := 3 * 64; stored < least {
				t.Errorf("%d values were stored; want at least %d before the bound", stored, least)
			}
			if n, err := db.Query(ctx, "r.*", daybook.QueryParams{}); len(n) != stored || err != nil {
				t.Errorf("Query in the loop: %d values, %v; want %d", len(n), err, stored)
			}
			if err := db.Checkpoint(ctx); !errors.Is(err, tree.ErrHeldUp) {
				t.Errorf("Checkpoint in the loop: got %v; want ErrHeldUp", err)
			}
			// A small deletion may fit where a checkpoint does not.
			if deleted, failure = db.Cleanup(ctx, 1); failure != nil && !errors.Is(failure, tree.ErrHeldUp) {
				t.Errorf("Cleanup in the loop: got %v; want nil or ErrHeldUp", failure)
			}
		}
	})
	finishes(t, 60*time.Second, func() {
		if more, err := storeKilobytes(db, 1000); err != nil {
			t.Errorf("Store after the Scan: %v after %d values", err, more)
		}
		if err := db.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	db = mustOpen(t, dir, nil)
	if got, err := db.Query(ctx, "r.*", daybook.QueryParams{}); len(got) != stored+1000-int(deleted) || err != nil {
		t.Errorf("after a reopen: %d values, %v; want %d", len(got), err, stored+1000-int(deleted))
	}
}

// TestStoreBesideShortQueries stores while queries begin and end all the time, so that there is
// hardly a moment without one. Each of them is short, so no store may fail.
func TestStoreBesideShortQueries(t *testing.T) {
	db := mustOpen(t, testenv.TempDir(t), heldUpOptions())
	mustStore(t, db, "first", "1", 1)
	querying, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	for range 3 {
		go func() {
			defer func() { done <- struct{}{} }()
			for querying.Err() == nil {
				for _, err := range db.Scan(querying, "first", daybook.QueryParams{}) {
					if err != nil && querying.Err() == nil {
						t.Errorf("Scan: %v", err)
					}
					time.Sleep(2 * time.Millisecond)
				}
			}
		}()
	}
	finishes(t, 60*time.Second, func() {
		if stored, err := storeKilobytes(db, 1000); err != nil {
			t.Errorf("Store: %v after %d values", err, stored)
		}
	})
	stop()
	for range 3 {
		<-done
	}
}

// finishes ends the program with all stacks if do does not return in time. To fail the test would
// not be enough, because Close would wait too.
func finishes(t *testing.T, within time.Duration, do func()) {
	t.Helper()
	name := t.Name()
	timer := time.AfterFunc(within, func() { panic(name + " waits for good") })
	defer timer.Stop()
	do()
}

// TestCleanupWithinAScan deletes values within the loop of a Scan of a small history. Its commit
// fits into the mapping although a large one would not, so it must not fail.
func TestCleanupWithinAScan(t *testing.T) {
	db := mustOpen(t, testenv.TempDir(t), &Options{smallMapping: true})
	mustStore(t, db, "r", "1", 1)
	for _, err := range db.Scan(ctx, "*", daybook.QueryParams{}) {
		if err != nil {
			t.Fatal(err)
		}
		mustStore(t, db, "r", "2", 2)
		begin := time.Now()
		if n, err := db.Cleanup(ctx, 2); n != 1 || err != nil {
			t.Errorf("Cleanup in the loop: %d, %v; want 1, nil", n, err)
		}
		if err := db.Checkpoint(ctx); err != nil {
			t.Errorf("Checkpoint in the loop: %v", err)
		}
		if took := time.Since(begin); took > 30*time.Second {
			t.Errorf("both took %s; they need not wait for the Scan", took)
		}
	}
}
