// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"errors"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/disk/faultfs"
)

// TestDurabilitySyncs counts the fdatasyncs of the log in each mode, over ten stores in ten
// seconds.
func TestDurabilitySyncs(t *testing.T) {
	tests := []struct {
		durability Durability
		interval   time.Duration
		want       uint64
		reason     string
	}{
		{DurabilityAlways, 0, 10, "one for each commit"},
		{DurabilityInterval, 0, 10, "one a second, by default"},
		{DurabilityInterval, 5 * time.Second, 2, "one every interval"},
		{DurabilityInterval, 100 * time.Millisecond, 10, "an interval in which nothing was stored needs none"},
		{DurabilityOS, 0, 0, "the operating system does as it likes"},
	}
	for _, test := range tests {
		t.Run(test.durability.String()+" "+test.interval.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				db := mustOpen(t, t.TempDir(), &Options{Durability: test.durability, SyncInterval: test.interval})
				time.Sleep(10 * time.Millisecond) // between the ticks
				for i := range uint64(10) {
					mustStore(t, db, "r", "1", i)
					time.Sleep(time.Second)
				}
				synctest.Wait()
				stats, err := db.Stats(ctx)
				if err != nil {
					t.Fatal(err)
				}
				if stats.Syncs.Count != test.want {
					t.Errorf("%d syncs; want %d: %s", stats.Syncs.Count, test.want, test.reason)
				}
			})
		})
	}
}

// TestSyncMakesDurable shows that Sync syncs the log in a mode that does not.
func TestSyncMakesDurable(t *testing.T) {
	db := mustOpen(t, t.TempDir(), &Options{Durability: DurabilityOS})
	mustStore(t, db, "r", "1", 1)
	if err := db.Sync(ctx); err != nil {
		t.Fatal(err)
	}
	if stats, err := db.Stats(ctx); err != nil || stats.Syncs.Count != 1 {
		t.Errorf("%d syncs, %v; want 1", stats.Syncs.Count, err)
	}
}

// TestPruneMakesDurable shows that a prune syncs the values that were stored before it, also when
// it deletes nothing.
func TestPruneMakesDurable(t *testing.T) {
	for _, params := range []daybook.PruneParams{{}, {OlderThan: 1}, {MaxPerRecord: 5}, {MaxBytes: 100}} {
		db := mustOpen(t, t.TempDir(), &Options{Durability: DurabilityOS})
		mustStore(t, db, "r", "1", 1)
		if deleted, err := db.Prune(ctx, "other.*", params); deleted != 0 || err != nil {
			t.Fatalf("%+v: Prune = %d, %v; want 0", params, deleted, err)
		}
		if stats, err := db.Stats(ctx); err != nil || stats.Syncs.Count != 1 {
			t.Errorf("%+v: %d syncs, %v; want 1", params, stats.Syncs.Count, err)
		}
	}
}

// TestFailedBackgroundSync shows that a failed sync in the background has consequences: writes fail
// from then on, and reads go on.
func TestFailedBackgroundSync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db, fsys := openFaulty(t, t.TempDir(), Options{Durability: DurabilityInterval})
		mustStore(t, db, "r", "1", 1)
		var failed atomic.Bool
		fsys.SetHook(func(op faultfs.Op) error {
			if op.Name == faultfs.Sync && inLog(op) {
				failed.Store(true)
				return syscall.EIO
			}
			return nil
		})
		time.Sleep(2 * time.Second)
		if !failed.Load() {
			t.Fatal("nothing was synced")
		}
		if err := db.Store(ctx, "r", []byte("2"), 2); !errors.Is(err, daybook.ErrFailed) {
			t.Errorf("Store after a failed sync: got %v; want ErrFailed", err)
		}
		wantRows(t, mustQuery(t, db, "*", daybook.QueryParams{}), row{"r", "1", 1})
	})
}
