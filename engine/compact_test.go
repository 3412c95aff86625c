// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/tree"
	"github.com/daybook-db/daybook/index"
	"github.com/daybook-db/daybook/proof/testenv"
)

// TestCompactStepwise stores, makes checkpoints and prunes between the steps of a compaction, and
// keeps a scan open across its end.
func TestCompactStepwise(t *testing.T) {
	t.Parallel()
	parent := testenv.TempDir(t)
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp(parent, "compact")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		db, err := Open(dir,
			&Options{Durability: DurabilityOS,
				Tuning: Tuning{HeadSize: MinHeadSize, TransactionSize: MinTransactionSize, ChunkValues: 4},
				Logger: discard})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		model := make(map[row]int)
		names, times := rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f"}),
			rapid.Uint64Range(0, rapid.SampledFrom([]uint64{3, 60}).Draw(t, "greatest time"))
		stored := 0
		act := func() {
			switch rapid.IntRange(0, 9).Draw(t, "act") {
			default:
				stored++
				// Two such values of one record are more than one step copies.
				r := row{names.Draw(t, "name"), fmt.Sprintf(`"%d %s"`, stored, digits(6<<10)), times.Draw(t, "time")}
				if err := db.Store(ctx, r.Name, json.RawMessage(r.Value), r.At); err != nil {
					t.Fatal(err)
				}
				model[r]++
			case 7, 8:
				if err := db.Checkpoint(ctx); err != nil {
					t.Fatal(err)
				}
			case 9:
				if rapid.Bool().Draw(t, "cancelled") { // which concerns only the caller
					cancelled, cancel := context.WithCancel(ctx)
					cancel()
					if _, err := db.Cleanup(cancelled, 0); err == nil {
						t.Fatal("Cleanup with a context that has ended did its work")
					}
				}
				before := times.Draw(t, "before")
				if _, err := db.Cleanup(ctx, before); err != nil {
					t.Fatal(err)
				}
				for r := range model {
					if r.At < before {
						delete(model, r)
					}
				}
			}
		}
		check := func(when string) {
			values, err := db.Query(ctx, "*", daybook.QueryParams{})
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range rows(values) {
				if model[r] != 1 {
					t.Fatalf("%s: %v is there, and should not be, or twice", when, r)
				}
			}
			if len(values) != len(model) {
				t.Fatalf("%s: %d values; want %d", when, len(values), len(model))
			}
			if err := db.Check(ctx); err != nil {
				t.Fatalf("%s: %v", when, err)
			}
		}
		withTurn := func(do func(*turn) error) {
			if err := db.withTurn(ctx, do); err != nil {
				t.Fatal(err)
			}
		}
		for range rapid.IntRange(0, 60).Draw(t, "before") {
			act()
		}
		withTurn(beginCopy)
		for done := false; !done; {
			for range rapid.IntRange(0, 5).Draw(t, "between") {
				act()
			}
			withTurn(func(t *turn) (err error) {
				if done, err = t.copyStep(ctx); done {
					err = t.adoptCopy()
				}
				return err
			})
			check("between")
		}
		for range 5 {
			act()
		}
		check("after")
		if _, err := os.Stat(filepath.Join(dir, copyName)); !os.IsNotExist(err) {
			t.Fatalf("the copy is still there: %v", err)
		}
	})
}

// TestCompactShrinks deletes nearly all of a history while a scan is open, and wants the file to
// become small.
func TestCompactShrinks(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there a Cleanup does not begin beside an open scan: TestStoreWithinAScan, TestCompactMovesAside")
	}
	dir := testenv.TempDir(t)
	db := mustOpen(t, dir, &Options{Durability: DurabilityOS})
	value := json.RawMessage(`{"celsius":21.5,"humidity":441,"unit":"C","ok":true}`)
	for tick := range uint64(300) {
		var batch []daybook.StoredValue
		for record := range 200 {
			batch = append(batch,
				daybook.StoredValue{RecordName: fmt.Sprintf("r%03d", record), Value: value, StoredAt: tick})
		}
		if err := db.StoreBatch(ctx, batch); err != nil {
			t.Fatal(err)
		}
		if tick%20 == 0 {
			if err := db.Checkpoint(ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := db.Checkpoint(ctx); err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, err := range db.Scan(ctx, "*", daybook.QueryParams{}) {
		if err != nil {
			t.Fatal(err)
		}
		if seen++; seen == 1000 {
			if _, err := db.Cleanup(ctx, 290); err != nil {
				t.Fatal(err)
			}
			before := fileSize(t, dir)
			if err := db.Compact(ctx); err != nil {
				t.Fatal(err)
			}
			after := fileSize(t, dir)
			stats, err := db.Stats(ctx)
			if err != nil || after > before/2 || stats.TreeBytes != after || stats.TreeUsedBytes < after/2 ||
				stats.Values != 2000 {
				t.Errorf("the file had %d bytes and has %d, of which %d are in use for %d values (%v)", before, after,
					stats.TreeUsedBytes, stats.Values, err)
			}
		}
	}
	if seen != 300*200 {
		t.Errorf("the scan that was running saw %d values; want all %d", seen, 300*200)
	}
}

func fileSize(t *testing.T, dir string) int64 {
	t.Helper()
	info, err := os.Stat(filepath.Join(dir, TreeFile))
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// TestCompactLock opens the directory again while its file is replaced. An Open that waits for the
// lock of the old file must not take that for the lock of the directory.
func TestCompactLock(t *testing.T) {
	dir := t.TempDir()
	db := mustOpen(t, dir, nil)
	mustStore(t, db, "a", "1", 1)
	opened := make(chan *DB)
	open := func(wait time.Duration) error {
		second, err := Open(dir, &Options{LockTimeout: wait, Logger: discard})
		if err == nil {
			go func() { opened <- second }()
		}
		return err
	}
	failed := make(chan error)
	go func() { failed <- open(500 * time.Millisecond) }()
	time.Sleep(100 * time.Millisecond) // it waits for the lock
	for range 3 {
		if err := db.Compact(ctx); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond)
	}
	if err := <-failed; !errors.Is(err, daybook.ErrLocked) {
		t.Fatalf("Open of a directory that is open, and has been compacted meanwhile: %v; want ErrLocked", err)
	}
	go func() { failed <- open(time.Minute) }()
	time.Sleep(100 * time.Millisecond)
	if err := db.Compact(ctx); err != nil {
		t.Fatal(err)
	}
	mustStore(t, db, "a", "2", 2)
	mustClose(t, db)
	if err := <-failed; err != nil {
		t.Fatal(err)
	}
	second := <-opened
	wantRows(t, mustQuery(t, second, "*", daybook.QueryParams{}), row{"a", "2", 2}, row{"a", "1", 1})
	mustClose(t, second)
}

// TestCompactLargeRecord copies a record in many transactions, and stops when the context ends.
func TestCompactLargeRecord(t *testing.T) {
	t.Parallel()
	db := mustOpen(t, testenv.TempDir(t),
		&Options{Durability: DurabilityOS, Tuning: Tuning{HeadSize: MinHeadSize, TransactionSize: MinTransactionSize},
			Logger: discard})
	const values = 300
	for i := range uint64(values) {
		mustStore(t, db, "a", `"`+digits(8<<10)+`"`, i)
	}
	if err := db.Checkpoint(ctx); err != nil {
		t.Fatal(err)
	}
	counting := &endingContext{Context: ctx, left: 1 << 30}
	if err := db.Compact(counting); err != nil {
		t.Fatal(err)
	}
	took := 1<<30 - counting.left
	if took < values/10 {
		t.Fatalf("Compact called Err %d times; want once for each of the %d transactions that the record "+
			"takes", took, values/5)
	}
	before := mustQuery(t, db, "*", daybook.QueryParams{})
	for left := int64(0); left < took; left += took / 10 {
		if err := db.Compact(&endingContext{Context: ctx, left: left}); !errors.Is(err, context.Canceled) {
			t.Fatalf("Compact whose context ends after %d of %d calls of Err: %v", left, took, err)
		}
		if _, err := os.Stat(filepath.Join(db.dir.path, copyName)); !os.IsNotExist(err) {
			t.Fatalf("the copy is still there: %v", err)
		}
	}
	wantRows(t, mustQuery(t, db, "*", daybook.QueryParams{}), before...)
}

// endingContext ends after a number of calls of Err.
type endingContext struct {
	context.Context
	left int64
}

func (c *endingContext) Err() error {
	if atomic.AddInt64(&c.left, -1) < 0 {
		return context.Canceled
	}
	return nil
}

// TestCompactByItself deletes most of a large file, and waits for the engine to compact it. It does
// not compact again a copy that is still large for the values in it.
func TestCompactByItself(t *testing.T) {
	t.Parallel()
	waitForCompaction(t, testenv.TempDir(t))
}

func waitForCompaction(t *testing.T, dir string) {
	t.Helper()
	db := mustOpen(t, dir, &Options{Durability: DurabilityOS, Tuning: Tuning{HeadSize: 4 << 20}})
	for i := range uint64(80) {
		mustStore(t, db, fmt.Sprintf("r%02d", i), `"`+digits(1<<20)+`"`, i)
	}
	if err := db.Checkpoint(ctx); err != nil {
		t.Fatal(err)
	}
	before := fileSize(t, dir)
	if before < minCompactedFile {
		t.Fatalf("the file has %d bytes, which is too little to be compacted", before)
	}
	if _, err := db.Cleanup(ctx, 78); err != nil {
		t.Fatal(err)
	}
	compacted := func() bool { // on Windows there is no such file for a moment
		info, err := os.Stat(filepath.Join(dir, TreeFile))
		return err == nil && info.Size() <= before/4
	}
	for deadline := time.Now().Add(time.Minute); !compacted(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("after a minute the file has %d bytes; before the cleanup it had %d", fileSize(t, dir), before)
		}
	}
	if got := len(mustQuery(t, db, "*", daybook.QueryParams{})); got != 2 {
		t.Errorf("%d values; want 2", got)
	}
}

// TestCompactWaits shows what the engine learns from one compaction for the next.
func TestCompactWaits(t *testing.T) {
	db := mustOpen(t, testenv.TempDir(t), &Options{Durability: DurabilityOS, Logger: discard})
	for i := range uint64(40) {
		mustStore(t, db, "a", `"`+digits(1<<20)+`"`, i)
	}
	mustStore(t, db, "a", "1", 100)
	if err := db.Checkpoint(ctx); err != nil {
		t.Fatal(err)
	}
	held := mustTakeTurn(t, db) // so that nothing else compacts
	worth := func(want bool, when string) {
		t.Helper()
		if got := held.mostlyFree(); got != want {
			t.Errorf("%s: worth a copy: %v; want %v", when, got, want)
		}
	}
	worth(false, "full")
	pattern, err := index.Compile(daybook.Pattern{Text: "*", Syntax: daybook.Glob})
	if err != nil {
		t.Fatal(err)
	}
	db.compactor.stop()
	db.compactor = background{}
	if _, err := held.prune(ctx, pattern, tree.Rule{OlderThan: 100}); err != nil {
		t.Fatal(err)
	}
	worth(true, "empty")
	held.pace.spread = 1e6
	worth(false, "empty, after a copy came out like that")
	held.pace.spread = 0
	held.end()
	for range 2 {
		db.compactLater(daybook.ErrNoSpace)
	}
	held = mustTakeTurn(t, db)
	worth(false, "after a failure")
	held.end()
	err = db.compact(ctx, compactByItself)
	held = mustTakeTurn(t, db)
	if pace := held.pace; err != nil || pace.spread != 0 || pace.wait != 2*minCompactWait {
		t.Errorf("an attempt that was not worth it: %v, and it has learnt %+v", err, pace)
	}
	held.pace.until = time.Now()
	worth(true, "a while after a failure")
	held.end()
	err = db.compact(ctx, compactByItself)
	held = mustTakeTurn(t, db)
	defer held.end()
	if pace := held.pace; err != nil || pace.spread < 1 || pace.spread > 100 || pace.wait != 0 {
		t.Errorf("an attempt that was worth it: %v, and it has learnt %+v", err, pace)
	}
	worth(false, "compacted")
}
