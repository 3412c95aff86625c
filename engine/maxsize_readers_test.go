// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/proof/testenv"
)

// TestMaxSizeBesideReaders reads everything again and again, by Scan and by Changes, while
// DropOldest takes several times as many values as fit. No Store is refused.
func TestMaxSizeBesideReaders(t *testing.T) {
	t.Parallel()
	dir := testenv.TempDir(t)
	db := mustOpen(t, dir,
		&Options{Durability: DurabilityOS, MaxSize: MinMaxSize, WhenFull: WhenFullDropOldest, Logger: discard})
	stop := make(chan struct{})
	var reading sync.WaitGroup
	again := func(read func() error) {
		reading.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				// On a slow machine they last so long that they are ended.
				if err := read(); err != nil && !errors.Is(err, daybook.ErrSnapshotEnded) {
					t.Error(err)
					return
				}
			}
		})
	}
	again(func() (err error) {
		for _, err = range db.Scan(ctx, "*", daybook.QueryParams{}) {
		}
		return err
	})
	again(func() (err error) {
		for _, err = range db.Changes(ctx, daybook.ChangesParams{}) {
		}
		return err
	})
	refused, slowest := 0, time.Duration(0)
	stores := uint64(800)
	if testenv.Long() {
		stores = 4000
	}
	for i := range stores {
		started := time.Now()
		if err := db.Store(ctx, fmt.Sprintf("r%d", i%50), json.RawMessage(`"`+digits(24_000)+`"`), i); err != nil {
			if refused++; refused == 1 {
				t.Errorf("store %d: %v", i, err)
			}
		}
		slowest = max(slowest, time.Since(started))
		if size := occupied(t, dir); i%64 == 0 && size > MinMaxSize {
			t.Fatalf("after %d stores the directory has %d bytes", i, size)
		}
	}
	close(stop)
	reading.Wait()
	if refused > 0 {
		t.Errorf("%d stores were refused", refused)
	}
	t.Logf("the slowest Store took %v", slowest)
}

// TestMaxSizeBesideStandingLoops has loops whose bodies stand, as for a client that takes nothing
// more. DropOldest ends them, so no Store is refused, and each goes on after its last value.
func TestMaxSizeBesideStandingLoops(t *testing.T) {
	t.Parallel() // it waits
	if runtime.GOOS == "windows" {
		t.Skip("an open snapshot holds up checkpoints there")
	}
	dir := testenv.TempDir(t)
	db := mustOpen(t, dir, &Options{Durability: DurabilityOS, MaxSize: MinMaxSize,
		WhenFull: WhenFullDropOldest, Logger: discard})
	stored := uint64(0)
	fill := func() {
		t.Helper()
		for range 600 {
			stored++
			mustStore(t, db, fmt.Sprintf("r%02d", stored%50), `"`+digits(24_000)+`"`, stored)
		}
	}
	fill()
	next, stop := iter.Pull2(db.Scan(ctx, "*", daybook.Latest(3)))
	defer stop()
	nextRecord, stopRecords := iter.Pull2(db.Records(ctx, "*", daybook.Glob))
	defer stopRecords()
	first, err, _ := next()
	if _, recordErr, _ := nextRecord(); err != nil || recordErr != nil {
		t.Fatal(err, recordErr)
	}
	fill()
	if open := int(db.trees.snapshots.Load()); open != 0 {
		t.Errorf("%d snapshots are open; want none", open)
	}
	wantSnapshotEnded(t, "Scan", func() (bool, error) { _, err, more := next(); return more, err })
	wantSnapshotEnded(t, "Records", func() (bool, error) { _, err, more := nextRecord(); return more, err })
	place := daybook.Place{RecordName: first.RecordName, StoredAt: first.StoredAt, Ties: 1}
	params := daybook.Latest(3)
	params.After = &place
	if rest := mustQuery(t, db, "*", params); len(rest) == 0 || rest[0].Name < first.RecordName {
		t.Errorf("after %v: %d values", place, len(rest))
	}
	if err := db.Check(ctx); err != nil {
		t.Error(err)
	}
}

// wantSnapshotEnded wants a loop to end with ErrSnapshotEnded, after the values that it had read
// ahead.
func wantSnapshotEnded(t *testing.T, loop string, next func() (more bool, err error)) {
	t.Helper()
	const maxReadAhead = 100
	for range maxReadAhead {
		more, err := next()
		if err == nil && more {
			continue
		}
		if !errors.Is(err, daybook.ErrSnapshotEnded) {
			t.Errorf("%s ended with %v; want ErrSnapshotEnded", loop, err)
		}
		return
	}
	t.Errorf("%s has not ended", loop)
}
