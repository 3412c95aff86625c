// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"encoding/json"
	"errors"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/disk/faultfs"
	"github.com/daybook-db/daybook/proof/testenv"
)

// TestStatsCountFailedStores wants each call that returned an error to count under its reason, and
// the last error of the disk to be told.
func TestStatsCountFailedStores(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("it has other error numbers")
	}
	db, fsys := openFaulty(t, testenv.TempDir(t), Options{})
	var failure atomic.Value // of the log's files
	failure.Store(error(syscall.Errno(0)))
	fsys.SetHook(func(op faultfs.Op) error {
		err := failure.Load().(error)
		if isFull := errors.Is(err, syscall.ENOSPC); isFull && op.Name == faultfs.Create && inLog(op) ||
			errors.Is(err, syscall.EIO) && op.Name == faultfs.Sync && inLog(op) {
			return err
		}
		return nil
	})
	big := json.RawMessage(`"` + strings.Repeat("x", 8<<20) + `"`) // larger than any segment that is ready
	mustStore(t, db, "a", "1", 1)
	began := daybook.Now()
	ended, cancel := context.WithCancel(ctx)
	cancel()
	for _, step := range []struct {
		name    string
		failure syscall.Errno
		store   func() error
		want    error
		failing bool // by Stats
	}{
		{"no JSON", 0, func() error { return db.Store(ctx, "a", json.RawMessage("{"), 1) },
			daybook.ErrInvalidValue, false},
		{"no name", 0, func() error { return db.StoreBatch(ctx, []daybook.StoredValue{{}}) },
			daybook.ErrInvalidName, false},
		{"no batch", 0, func() error { _, err := db.StoreBatchFrom(ctx, daybook.Batch{}); return err },
			daybook.ErrInvalidParams, false},
		{"late", 0, func() error { return db.Store(ended, "a", json.RawMessage("1"), 1) }, context.Canceled, false},
		{"full", syscall.ENOSPC, func() error { return db.Store(ctx, "a", big, 1) }, daybook.ErrNoSpace, true},
		{"well", 0, func() error { return db.Store(ctx, "a", json.RawMessage("2"), 1) }, nil, false},
		{"bad disk", syscall.EIO, func() error { return db.Store(ctx, "a", json.RawMessage("3"), 1) },
			syscall.EIO, true},
		{"after it", 0, func() error { return db.Store(ctx, "a", json.RawMessage("3"), 1) }, daybook.ErrFailed, true},
	} {
		failure.Store(error(step.failure))
		if err := step.store(); !errors.Is(err, step.want) {
			t.Fatalf("%s: got %v; want %v", step.name, err, step.want)
		}
		if got := mustStats(t, db).StoreFailures.Failing; got != step.failing {
			t.Errorf("%s: stores fail: %v; want %v", step.name, got, step.failing)
		}
	}
	got := mustStats(t, db)
	last := got.StoreFailures.Last
	if last == nil || last.Count != 3 || !strings.Contains(last.Message, "opened again") ||
		last.FailedAt < began || last.FailedAt > daybook.Now() {
		t.Errorf("the last failure: got %+v; want the third one, of now", last)
	}
	if !strings.Contains(got.Failed, "input/output error") {
		t.Errorf("why writes fail for good: got %q", got.Failed)
	}
	got.StoreFailures.Last, got.StoreFailures.Failing = nil, false
	want := daybook.StoreFailures{NoSpace: 1, Failed: 2, Invalid: 3, Canceled: 1}
	if diff := cmp.Diff(want, got.StoreFailures); diff != "" {
		t.Errorf("failed stores (-want +got):\n%s", diff)
	}
}

// TestStatsTellCheckpointFailure wants the error of a checkpoint until one succeeds.
func TestStatsTellCheckpointFailure(t *testing.T) {
	db, fsys := openFaulty(t, testenv.TempDir(t), Options{})
	if got := mustStats(t, db); got.CheckpointFailure != nil || got.Failed != "" {
		t.Errorf("of a new store: %+v, %q", got.CheckpointFailure, got.Failed)
	}
	mustStore(t, db, "a", "1", 1)
	fsys.SetHook(func(op faultfs.Op) error {
		if op.Name == faultfs.SyncDir {
			return faultfs.ErrInjected
		}
		return nil
	})
	held := mustTakeTurn(t, db)
	held.renameUnsynced = true // so the next write to the tree syncs the directory
	held.end()
	for range 2 {
		if err := db.Checkpoint(ctx); !errors.Is(err, faultfs.ErrInjected) {
			t.Fatalf("Checkpoint: got %v; want the injected error", err)
		}
	}
	if got := mustStats(t, db).CheckpointFailure; got == nil || got.Count < 2 || got.FailedAt == 0 ||
		!strings.Contains(got.Message, "injected error") {
		t.Errorf("after two failures: got %+v", got)
	}
	fsys.SetHook(nil)
	if err := db.Checkpoint(ctx); err != nil {
		t.Fatal(err)
	}
	if got := mustStats(t, db).CheckpointFailure; got != nil {
		t.Errorf("after a success: got %+v", got)
	}
}

// TestStatsTellCompactionFailure wants the error of a compaction in the background until one
// succeeds.
func TestStatsTellCompactionFailure(t *testing.T) {
	db := mustOpen(t, testenv.TempDir(t), &Options{Logger: discard})
	mustStore(t, db, "a", "1", 1)
	for range 2 {
		db.compactLater(daybook.ErrNoSpace)
	}
	if got := mustStats(t, db).CompactionFailure; got == nil || got.Count != 2 || got.Message != "no space left" ||
		time.Since(got.Time()) > time.Hour {
		t.Errorf("after two failures: got %+v", got)
	}
	if err := db.Compact(ctx); err != nil {
		t.Fatal(err)
	}
	if got := mustStats(t, db).CompactionFailure; got != nil {
		t.Errorf("after a success: got %+v", got)
	}
}

// TestStatsCountDeletions wants what Cleanup and Prune have deleted and what DropOldest has dropped
// to be told apart, and all values to be accounted for.
func TestStatsCountDeletions(t *testing.T) {
	db := mustOpen(t, testenv.TempDir(t), &Options{Durability: DurabilityOS, MaxSize: MinMaxSize,
		WhenFull: WhenFullDropOldest, Logger: discard})
	var stats daybook.Stats
	for i := uint64(1); stats.ValuesDropped == 0; i++ {
		mustStore(t, db, "a", `"`+digits(20_000)+`"`, i)
		if i%16 == 0 {
			stats = mustStats(t, db)
		}
		if i == 20_000 {
			t.Fatal("nothing was dropped")
		}
	}
	deleted, err := db.Cleanup(ctx, stats.LastSequence-10)
	if err != nil || deleted == 0 {
		t.Fatalf("Cleanup: %d, %v", deleted, err)
	}
	pruned, err := db.Prune(ctx, "a", daybook.PruneParams{MaxPerRecord: 3})
	if err != nil || pruned == 0 {
		t.Fatalf("Prune: %d, %v", pruned, err)
	}
	stats = mustStats(t, db)
	all := stats.Values + stats.ValuesDeleted + stats.ValuesDropped
	if stats.ValuesDeleted != deleted+pruned || all != stats.LastSequence {
		t.Errorf("%d values remain, %d were deleted, %d dropped; want %d deleted, of %d together",
			stats.Values, stats.ValuesDeleted, stats.ValuesDropped, deleted+pruned, stats.LastSequence)
	}
}

// TestStatsTellHolds wants the holds in Stats to follow every change of them.
func TestStatsTellHolds(t *testing.T) {
	dir := testenv.TempDir(t)
	db := mustOpen(t, dir, nil)
	want := func(want ...daybook.HoldStats) {
		t.Helper()
		got := mustStats(t, db).Holds
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("holds (-want +got):\n%s", diff)
		}
	}
	for i := range uint64(4) {
		mustStore(t, db, "a", "1", i)
	}
	first := mustChange(t, db, daybook.Cursor{})[0].Cursor
	mustSetHold(t, db, daybook.Hold{Name: "slow", MaxBytes: 2})
	mustSetHold(t, db, daybook.Hold{Name: "cloud", MaxBytes: 1 << 20})
	if err := db.AdvanceHold(ctx, "cloud", first); err != nil {
		t.Fatal(err)
	}
	cloud := daybook.HoldStats{Name: "cloud", At: first, Pending: 3}
	want(cloud, daybook.HoldStats{Name: "slow", Pending: 4})
	if _, err := db.Prune(ctx, "*", daybook.PruneParams{StoredThrough: &first, OlderThan: 9}); err != nil {
		t.Fatal(err)
	}
	want(cloud, daybook.HoldStats{Name: "slow", Pending: 4, Lost: 1})
	mustClose(t, db)
	db = mustOpen(t, dir, nil)
	want(cloud, daybook.HoldStats{Name: "slow", Pending: 4, Lost: 1})
	if err := db.ReleaseHold(ctx, "slow"); err != nil {
		t.Fatal(err)
	}
	want(cloud)
}

// TestStatsAreTheCallers changes what the result of Stats refers to. Later results are as before.
func TestStatsAreTheCallers(t *testing.T) {
	db := mustOpen(t, t.TempDir(), nil)
	failed := errors.New("the disk is on fire")
	_ = db.countStore(failed)
	db.stats.checkpointEnded(failed)
	db.stats.compactionEnded(failed)
	stats := mustStats(t, db)
	for _, last := range []*daybook.Failure{
		stats.StoreFailures.Last, stats.CheckpointFailure, stats.CompactionFailure,
	} {
		last.Message, last.Count = "mine", 99
	}
	_ = db.countStore(failed)
	later := mustStats(t, db)
	got := []string{later.StoreFailures.Last.Message, later.CheckpointFailure.Message, later.CompactionFailure.Message}
	if count := later.StoreFailures.Last.Count; slices.Contains(got, "mine") || count != 2 {
		t.Errorf("later failures: got %q, and %d of stores; want what failed, and 2", got, count)
	}
}
