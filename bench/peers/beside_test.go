// SPDX-License-Identifier: Apache-2.0

package peers_test

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/bench"
	"github.com/daybook-db/daybook/engine"
)

// BenchmarkScanBeside measures Scans of a head with one value of each of 80,000 records, while
// Stores go on: the ratio of the Stores' 99th percentiles beside the Scans and at rest, and how
// much of the memory of a whole Scan one takes that ends after 100 values.
func BenchmarkScanBeside(b *testing.B) {
	records := scaled(80_000)
	race(b, alone(func(b *testing.B) figures {
		db, done := openTemporary(b)
		defer done()
		h := bench.History{Shape: bench.Readings, Records: records, Ticks: 1, Batch: 10_000, Seed: 1}
		for batch := range h.Batches() {
			must(b, daybookPeer, db.StoreBatch(ctx, batch))
		}
		const scans = 20
		rest, beside := storing(b, daybookPeer, db, func() {
			for range scans {
				scanFirst(b, db, records)
			}
		})
		if len(beside) == 0 {
			b.Fatal("no Store returned beside the Scans")
		}
		few := allocatedBytes(func() { scanFirst(b, db, 100) })
		all := allocatedBytes(func() { scanFirst(b, db, records) })
		if stats, err := db.Stats(ctx); err != nil || stats.Watermark != 0 {
			b.Fatalf("the values up to %d are not in the head any more, %v", stats.Watermark, err)
		}
		return figures{"x-p99": float64(p99(beside)) / float64(p99(rest)), "x-memory": few / all}
	}), 3)
}

// scanFirst reads the first values of the head. It may run beside the benchmark's goroutine.
func scanFirst(b *testing.B, db *engine.DB, count int) {
	for _, err := range db.Scan(ctx, "plant.*", daybook.QueryParams{}) {
		if err != nil {
			b.Error(err)
			return
		}
		if count--; count == 0 {
			return
		}
	}
	b.Errorf("Scan yields %d values too few", count)
}

// allocatedBytes counts the bytes that the whole process allocates while work runs.
func allocatedBytes(work func()) float64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	work()
	runtime.ReadMemStats(&after)
	return float64(after.TotalAlloc - before.TotalAlloc)
}

// BenchmarkWatchers measures batches of 1,000 values, all of new records, in a store with 50
// watchers that match none of them, and in one without watchers: the ratio of the times. The stores
// take turns of 20 batches. Between turns there is time for what a store does in the background, so
// that the other store does not pay for it.
func BenchmarkWatchers(b *testing.B) {
	const watchers, turn, pause = 50, 20, 100 * time.Millisecond
	race(b, alone(func(b *testing.B) figures {
		quiet, closeQuiet := openTemporary(b)
		defer closeQuiet()
		watched, closeWatched := openTemporary(b)
		defer closeWatched()
		for i := range watchers {
			_, err := watched.Watch(ctx, fmt.Sprintf("*.absent%02d", i), daybook.WatchParams{})
			must(b, daybookPeer, err)
		}
		h := bench.History{Shape: bench.Readings, Records: scaled(200_000), Ticks: 1, Batch: 1000, Seed: 1}
		var batches [][]daybook.StoredValue
		for batch := range h.Batches() {
			batches = append(batches, slices.Clone(batch))
		}
		var without, with time.Duration
		for part := range slices.Chunk(batches, turn) {
			without += timed(func() { storeAll(b, quiet, part) })
			time.Sleep(pause)
			with += timed(func() { storeAll(b, watched, part) })
			time.Sleep(pause)
		}
		return figures{"x-batch": float64(with) / float64(without)}
	}), 1)
}

func storeAll(b *testing.B, db *engine.DB, batches [][]daybook.StoredValue) {
	for _, batch := range batches {
		must(b, daybookPeer, db.StoreBatch(ctx, batch))
	}
}

// openTemporary opens a store in a directory that done removes.
func openTemporary(b *testing.B) (db *engine.DB, done func()) {
	b.Helper()
	dir, remove := temporary(b)
	db, err := engine.Open(dir, nil)
	must(b, daybookPeer, err)
	return db, func() {
		must(b, daybookPeer, db.Close())
		remove()
	}
}
