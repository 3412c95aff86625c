// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"errors"
	"fmt"
	"iter"
	"sync"
	"testing"
	"time"

	"github.com/daybook-db/daybook"
)

// mustEnd calls fn, and fails if it has not returned after a minute.
func mustEnd(t *testing.T, what string, fn func()) {
	t.Helper()
	ended := make(chan struct{})
	go func() { defer close(ended); fn() }()
	select {
	case <-ended:
	case <-time.After(time.Minute):
		t.Fatalf("%s has not returned", what)
	}
}

// count returns the number of elements of a loop that calls body for each, and its error.
func count[T any](loop iter.Seq2[T, error], body func(n int)) (n int, err error) {
	for _, err = range loop {
		if err == nil {
			n++
			body(n)
		}
	}
	return n, err
}

// loopsOver returns functions that loop over everything.
func loopsOver(db *DB) map[string]func(body func(n int)) (int, error) {
	return map[string]func(func(int)) (int, error){
		"Scan":    func(body func(int)) (int, error) { return count(db.Scan(ctx, "*", daybook.QueryParams{}), body) },
		"Records": func(body func(int)) (int, error) { return count(db.Records(ctx, "*", daybook.Glob), body) },
		"Changes": func(body func(int)) (int, error) { return count(db.Changes(ctx, daybook.ChangesParams{}), body) },
	}
}

// TestCloseWithinLoop calls Close within each kind of loop, and from elsewhere while a loop's body
// waits. Close returns, and the loop ends with ErrClosed. So does a loop over Watch.
func TestCloseWithinLoop(t *testing.T) {
	for name := range loopsOver(nil) {
		for _, elsewhere := range []bool{false, true} {
			db := mustOpen(t, t.TempDir(), &Options{Durability: DurabilityOS, Tuning: Tuning{ChunkValues: 4}})
			for i := range uint64(600) {
				mustStore(t, db, fmt.Sprintf("r%d", i%150), "1", i)
				if i == 300 {
					if err := db.Checkpoint(ctx); err != nil {
						t.Fatal(err)
					}
				}
			}
			events := mustWatch(t, ctx, db, "*", daybook.WatchParams{})
			mustStore(t, db, "r", "1", 1)
			closeAt := func(n int) {
				if n != 3 {
					return
				}
				mustEnd(t, "Close within "+name, func() {
					if err := db.Close(); err != nil {
						t.Error(err)
					}
				})
			}
			if elsewhere {
				body := closeAt
				closeAt = func(n int) {
					var closing sync.WaitGroup
					closing.Go(func() { body(n) })
					closing.Wait()
				}
			}
			mustEnd(t, name, func() {
				if n, err := loopsOver(db)[name](closeAt); n < 3 || !errors.Is(err, daybook.ErrClosed) {
					t.Errorf("%s: %d elements and error %v; want ErrClosed", name, n, err)
				}
			})
			mustEnd(t, "Watch", func() {
				for range events {
				}
			})
			if open := db.trees.snapshots.Load(); open != 0 {
				t.Errorf("%s: %d snapshots are open after Close", name, open)
			}
		}
	}
}

// TestCloseBesideLoops closes while loops of all kinds run at full speed.
func TestCloseBesideLoops(t *testing.T) {
	for range 20 {
		db := mustOpen(t, t.TempDir(), &Options{Durability: DurabilityOS, Tuning: Tuning{ChunkValues: 4}})
		for i := range uint64(200) {
			mustStore(t, db, fmt.Sprintf("r%d", i%10), "1", i)
		}
		if err := db.Checkpoint(ctx); err != nil {
			t.Fatal(err)
		}
		var running sync.WaitGroup
		for name, loop := range loopsOver(db) {
			running.Go(func() {
				for {
					n, err := loop(func(int) {})
					if errors.Is(err, daybook.ErrClosed) {
						return
					}
					if err != nil || n < 10 {
						t.Errorf("%s: %d elements, %v", name, n, err)
						return
					}
				}
			})
		}
		time.Sleep(time.Millisecond)
		mustEnd(t, "Close", func() {
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		})
		mustEnd(t, "the loops", running.Wait)
	}
}

// TestIterationEndsItself reads again after Close has begun, and before it has met the iteration
// parked. A loop that hardly does anything but read would otherwise hold up Close until its end.
func TestIterationEndsItself(t *testing.T) {
	var g gate
	if err := g.enter(); err != nil {
		t.Fatal(err)
	}
	it := g.iterate(func() {})
	g.closed.Store(true)
	if err := it.read(func() error { return nil }); !errors.Is(err, daybook.ErrClosed) {
		t.Errorf("got %v; want ErrClosed", err)
	}
	it.finish()
}

// TestCloseWithinLoopOverHead calls Close within loops that read the head alone.
func TestCloseWithinLoopOverHead(t *testing.T) {
	for name := range loopsOver(nil) {
		db := mustOpen(t, t.TempDir(), &Options{Durability: DurabilityOS})
		for i := range 10 {
			mustStore(t, db, fmt.Sprint("r", i), "1", 1)
		}
		if _, err := loopsOver(db)[name](func(int) { _ = db.Close() }); !errors.Is(err, daybook.ErrClosed) {
			t.Errorf("%s: %v; want ErrClosed", name, err)
		}
	}
}
