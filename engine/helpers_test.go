// SPDX-License-Identifier: Apache-2.0

// By default the tests of this package repeat their random parts a few times, and keep their files
// in memory where a disk would add nothing but the time of its syncs. These commands do more:
//
//	go test ./engine -long -timeout 30m                      # more repetitions, files on the disk
//	go test ./engine -run '^TestModel$' -rapid.checks=1500   # random programs
//	go test ./engine -run '^TestKill$' -kill.rounds=300      # processes that are killed
//	go test ./engine -run '^TestMonths$' -months.programs=100 -timeout 30m # months below MaxSize

package engine

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/disk"
	"github.com/daybook-db/daybook/engine/internal/disk/faultfs"
)

var ctx = context.Background()

// discard is a logger for tests that provoke what is logged.
var discard = slog.New(slog.DiscardHandler)

// mustOpen opens dir and, when the test ends, checks and closes it.
func mustOpen(t testing.TB, dir string, opts *Options) *DB {
	t.Helper()
	db, err := Open(dir, opts)
	if err != nil {
		t.Fatalf("Open(%s): %v", dir, err)
	}
	t.Cleanup(func() { mustClose(t, db) })
	return db
}

// mustClose checks and closes db, unless it is closed already.
func mustClose(t testing.TB, db *DB) {
	t.Helper()
	if db.gate.isClosed() {
		return
	}
	// The search of a Prune that its context interrupted goes on for a while.
	for end := time.Now().Add(time.Minute); db.trees.snapshots.Load() > 0 && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	if open := db.trees.snapshots.Load(); open > 0 {
		t.Errorf("%d snapshots were never closed", open)
	}
	if err := db.Check(ctx); err != nil {
		t.Errorf("Check: %v", err)
	}
	if err := db.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

// abandon leaves the directory as a killed process does: without a last checkpoint, and with the
// log as it is.
func (db *DB) abandon() error {
	db.gate.close()
	db.closeOnce.Do(func() {
		db.stopBackground()
		t := <-db.turns.free // and keeps it
		db.closeErr = errors.Join(db.log.Close(false), t.closeDirectory())
	})
	return db.closeErr
}

// mustTakeTurn takes the turn, which the test must end.
func mustTakeTurn(t testing.TB, db *DB) *turn {
	t.Helper()
	taken, err := db.turns.take(ctx)
	if err != nil {
		t.Fatalf("the turn: %v", err)
	}
	return taken
}

// beginCopy begins a compaction's copy, and stepCopy takes one step of it.
func beginCopy(t *turn) error { _, err := t.beginCopy(compactByCall); return err }
func stepCopy(t *turn) error  { _, err := t.copyStep(ctx); return err }

// mustBeginCopy takes the turn, which the test must end, and begins a compaction's copy.
func mustBeginCopy(t testing.TB, db *DB) *turn {
	t.Helper()
	taken := mustTakeTurn(t, db)
	if err := beginCopy(taken); err != nil {
		taken.end()
		t.Fatal(err)
	}
	return taken
}

// mustGiveUpCopy ends the copy that mustBeginCopy has begun, if it is still there.
func mustGiveUpCopy(t testing.TB, db *DB) {
	t.Helper()
	taken := mustTakeTurn(t, db)
	defer taken.end()
	taken.giveUpCopy(nil)
	taken.copyFailed = nil
}

// copyUnderWay reports whether a compaction has a copy.
func copyUnderWay(t testing.TB, db *DB) bool {
	t.Helper()
	taken := mustTakeTurn(t, db)
	defer taken.end()
	return taken.copy != nil
}

func mustStore(t testing.TB, db *DB, name, value string, timestamp uint64) {
	t.Helper()
	if err := db.Store(ctx, name, json.RawMessage(value), timestamp); err != nil {
		t.Fatalf("Store(%q, %s, %d): %v", name, value, timestamp, err)
	}
}

// digits returns n random digits. They compress to little less than half.
func digits(n int) string {
	const each = "0123456789012345" // of four bits; the first six are twice as frequent
	text := make([]byte, 0, n+8)
	for len(text) < n {
		bits := rand.Uint32() // one digit at a time is slow on an emulated processor
		for range 8 {
			text = append(text, each[bits&15])
			bits >>= 4
		}
	}
	return string(text[:n])
}

// row is a stored value in a form that is easy to write and to compare.
type row struct {
	Name  string
	Value string
	At    uint64
}

func rows(values []daybook.StoredValue) []row {
	got := []row{}
	for _, v := range values {
		got = append(got, row{v.RecordName, string(v.Value), v.StoredAt})
	}
	return got
}

func mustQuery(t testing.TB, db *DB, pattern string, params daybook.QueryParams) []row {
	t.Helper()
	values, err := db.Query(ctx, pattern, params)
	if err != nil {
		t.Fatalf("Query(%q, %+v): %v", pattern, params, err)
	}
	return rows(values)
}

func wantRows(t testing.TB, got []row, want ...row) {
	t.Helper()
	if want == nil {
		want = []row{}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rows differ (-want +got):\n%s", diff)
	}
}

// failAfter makes all operations after the next n fail, as in a crash. It returns a function that
// returns the number of operations so far.
func failAfter(fsys *faultfs.System, n int) (seen func() int) {
	var count atomic.Int64 // background work counts, too
	fsys.SetHook(func(faultfs.Op) error {
		if count.Add(1) > int64(n) {
			return faultfs.ErrInjected
		}
		return nil
	})
	return func() int { return int(count.Load()) }
}

// mustOpenDirectory opens a directory as the engine does.
func mustOpenDirectory(t testing.TB, path string) directory {
	t.Helper()
	dir, err := openDirectory(path, disk.OS{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = dir.fs.Close() })
	return dir
}
