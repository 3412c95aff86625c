// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine"
)

var ctx = context.Background()

func mustOpen(b *testing.B, dir string) *engine.DB {
	b.Helper()
	db, err := engine.Open(dir, nil)
	if err != nil {
		b.Fatal(err)
	}
	return db
}

func mustClose(b *testing.B, db *engine.DB) {
	b.Helper()
	if err := db.Close(); err != nil {
		b.Fatal(err)
	}
}

// fill makes a store in dir with a history of the given number of records and ticks, and closes it.
func fill(b *testing.B, dir string, records, ticks int) {
	b.Helper()
	db := mustOpen(b, dir)
	w := NewWorkload(records, 1, Readings)
	for range ticks {
		if err := db.StoreBatch(ctx, w.Tick()); err != nil {
			b.Fatal(err)
		}
	}
	mustClose(b, db)
}

func newLimit(b *testing.B) *Limit {
	b.Helper()
	limit, err := NewLimit(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { limit.Close() })
	return limit
}

func write(b *testing.B, l *Limit, data []byte) {
	if err := l.Write(data); err != nil {
		b.Fatal(err)
	}
}

// pairs times the store and the limit in turn, so that a machine that becomes slower or faster does
// not change the ratio of the two medians. They take turns in running first, because the one that
// runs second finds a disk that is busy, or awake.
type pairs struct{ store, limit []time.Duration }

func (p *pairs) add(store, limit func()) {
	if len(p.store)%2 == 0 {
		p.limit = append(p.limit, timed(limit))
		p.store = append(p.store, timed(store))
	} else {
		p.store = append(p.store, timed(store))
		p.limit = append(p.limit, timed(limit))
	}
}

func timed(work func()) time.Duration {
	start := time.Now()
	work()
	return time.Since(start)
}

func (p *pairs) report(b *testing.B) {
	store, limit := median(p.store), median(p.limit)
	b.ReportMetric(float64(store.Microseconds()), "µs-median")
	b.ReportMetric(float64(limit.Microseconds()), "µs-limit-median")
	b.ReportMetric(float64(store)/float64(limit), "x-limit")
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}

// BenchmarkStore measures one durable Store after another. Bar: at most 1.25 times the limit.
func BenchmarkStore(b *testing.B) {
	db := mustOpen(b, b.TempDir())
	defer mustClose(b, db)
	w, l := NewWorkload(1000, 1, Readings), newLimit(b)
	values := w.Tick()
	frame := make([]byte, len(values[0].Value)+LogOverhead)
	var p pairs
	for i := 0; b.Loop(); i++ {
		v, at := values[i%1000], Start+uint64(i)
		p.add(func() {
			if err := db.Store(ctx, v.RecordName, v.Value, at); err != nil {
				b.Fatal(err)
			}
		}, func() { write(b, l, frame) })
	}
	p.report(b)
}

// BenchmarkStoreBatch measures durable batches of 1,000 values, one of each record, and then Close
// with its checkpoint. Each round stores 10^6 values. Bar: one million values a second.
func BenchmarkStoreBatch(b *testing.B) {
	const records, ticks = 1000, 1000
	var storing, total time.Duration
	for b.Loop() {
		w, db := NewWorkload(records, 1, Readings), mustOpen(b, b.TempDir())
		start := time.Now()
		var making time.Duration
		for range ticks {
			tickStart := time.Now()
			tick := w.Tick()
			making += time.Since(tickStart)
			if err := db.StoreBatch(ctx, tick); err != nil {
				b.Fatal(err)
			}
		}
		storing += time.Since(start) - making
		mustClose(b, db)
		total += time.Since(start) - making
	}
	values := float64(b.N * records * ticks)
	b.ReportMetric(values/storing.Seconds(), "values/s")
	b.ReportMetric(values/total.Seconds(), "values/s-until-closed")
}

// BenchmarkStoreBatchLimit compares durable batches of 1,000 values with the limit for about as
// many bytes.
func BenchmarkStoreBatchLimit(b *testing.B) {
	db := mustOpen(b, b.TempDir())
	defer mustClose(b, db)
	w, l := NewWorkload(1000, 1, Readings), newLimit(b)
	frame := make([]byte, 1000*(52+25+4)) // value, name, and their lengths
	var p pairs
	for b.Loop() {
		tick := w.Tick()
		p.add(func() {
			if err := db.StoreBatch(ctx, tick); err != nil {
				b.Fatal(err)
			}
		}, func() { write(b, l, frame) })
	}
	p.report(b)
}

// BenchmarkSize measures the size of 1,000 records of 1,000 values after Close. Bars: 12 bytes a
// value in used pages, a file of at most twice that size, and an empty log.
func BenchmarkSize(b *testing.B) {
	const records, ticks = 1000, 1000
	var used, file int64
	var segmentsLeft int
	for b.Loop() {
		dir := b.TempDir()
		fill(b, dir, records, ticks)
		db, err := engine.Open(dir, &engine.Options{ReadOnly: true})
		if err != nil {
			b.Fatal(err)
		}
		stats, err := db.Stats(ctx)
		if err != nil {
			b.Fatal(err)
		}
		used, file = stats.TreeUsedBytes, stats.TreeBytes
		mustClose(b, db)
		segments, err := os.ReadDir(filepath.Join(dir, "wal"))
		if err != nil {
			b.Fatal(err)
		}
		segmentsLeft = len(segments)
	}
	b.ReportMetric(float64(used)/(records*ticks), "B/value")
	b.ReportMetric(float64(file)/float64(used), "x-file")
	b.ReportMetric(float64(segmentsLeft), "segments-left")
}

// BenchmarkCompact compacts a history of 1,000 records, of which half of the values were deleted,
// while durable Stores go on. It reports the size of the file, and the Stores' 99th percentile
// during the compaction divided by that at rest. Bar: 8.5 bytes a value in the file.
func BenchmarkCompact(b *testing.B) {
	const records, ticks = 1000, 2000
	var size, p99 []float64
	for b.Loop() {
		b.StopTimer()
		dir := b.TempDir()
		fill(b, dir, records, ticks)
		db := mustOpen(b, dir)
		if _, err := db.Cleanup(ctx, Start+ticks/2*Interval); err != nil {
			b.Fatal(err)
		}
		atRest := storing(b, db, func() error { time.Sleep(time.Second); return nil })
		b.StartTimer()
		compacting := storing(b, db, func() error { return db.Compact(ctx) })
		b.StopTimer()
		stats, err := db.Stats(ctx)
		if err != nil {
			b.Fatal(err)
		}
		size = append(size, float64(stats.TreeBytes)/(records*ticks/2))
		p99 = append(p99, float64(compacting)/float64(atRest))
		mustClose(b, db)
		b.StartTimer()
	}
	slices.Sort(size)
	slices.Sort(p99)
	b.ReportMetric(size[len(size)/2], "file-B/value")
	b.ReportMetric(p99[len(p99)/2], "x-p99")
}

// storing stores one value after another until work is done, and returns the 99th percentile of the
// Stores' time.
func storing(b *testing.B, db *engine.DB, work func() error) time.Duration {
	b.Helper()
	var took []time.Duration
	done := make(chan error, 1)
	go func() { done <- work() }()
	for i := uint64(0); ; i++ {
		select {
		case err := <-done:
			if err != nil {
				b.Fatal(err)
			}
			slices.Sort(took)
			return took[len(took)*99/100]
		default:
		}
		took = append(took, timed(func() {
			if err := db.Store(ctx, "beside", []byte("1"), Start+i); err != nil {
				b.Fatal(err)
			}
		}))
	}
}

// BenchmarkLatestAfterOpen measures a query for the newest values of each of 10,000 records, right
// after Open. Bar: 100 ms.
func BenchmarkLatestAfterOpen(b *testing.B) {
	const records = 10_000
	dir := b.TempDir()
	fill(b, dir, records, 100)
	for _, limit := range []int{1, 10} {
		b.Run(map[int]string{1: "newest1", 10: "newest10"}[limit], func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				db := mustOpen(b, dir)
				b.StartTimer()
				values, err := db.Query(ctx, "plant.*", daybook.Latest(limit))
				if err != nil || len(values) != records*limit {
					b.Fatalf("%d values, %v", len(values), err)
				}
				b.StopTimer()
				mustClose(b, db)
				b.StartTimer()
			}
		})
	}
}

// BenchmarkScan measures a Scan of one million values, in either order. Bar: 4 million values a
// second.
func BenchmarkScan(b *testing.B) {
	const records, ticks = 1000, 1000
	dir := b.TempDir()
	fill(b, dir, records, ticks)
	for _, order := range []daybook.Order{daybook.NewestFirst, daybook.OldestFirst} {
		b.Run(order.String(), func(b *testing.B) {
			db := mustOpen(b, dir)
			defer mustClose(b, db)
			for b.Loop() {
				count := 0
				for _, err := range db.Scan(ctx, "*", daybook.QueryParams{Order: order}) {
					if err != nil {
						b.Fatal(err)
					}
					count++
				}
				if count != records*ticks {
					b.Fatalf("%d values", count)
				}
			}
			b.ReportMetric(float64(b.N*records*ticks)/b.Elapsed().Seconds(), "values/s")
		})
	}
}

// BenchmarkIngestHeap measures the greatest live heap while 10^7 values of 1,000 records are stored
// with default options. Bar: 96 MiB.
func BenchmarkIngestHeap(b *testing.B) {
	const records, ticks = 1000, 10_000
	var maxHeap uint64
	for b.Loop() {
		w, db := NewWorkload(records, 1, Readings), mustOpen(b, b.TempDir())
		for range ticks {
			if err := db.StoreBatch(ctx, w.Tick()); err != nil {
				b.Fatal(err)
			}
			maxHeap = max(maxHeap, LiveHeap())
		}
		mustClose(b, db)
	}
	b.ReportMetric(float64(maxHeap)/(1<<20), "MiB-live")
	b.ReportMetric(float64(b.N*records*ticks)/b.Elapsed().Seconds(), "values/s")
}

// BenchmarkStoreParallel measures 64 goroutines, each of which makes one durable Store after
// another.
func BenchmarkStoreParallel(b *testing.B) {
	const goroutines = 64
	db := mustOpen(b, b.TempDir())
	defer mustClose(b, db)
	w := NewWorkload(1000, 1, Readings)
	value := w.Tick()[0].Value
	var next atomic.Int64
	b.SetParallelism(goroutines / runtime.GOMAXPROCS(0))
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			i := next.Add(1)
			if err := db.Store(ctx, w.Names()[i%1000], value, Start+uint64(i)); err != nil {
				b.Error(err)
				return
			}
		}
	})
	stats, err := db.Stats(ctx)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "values/s")
	b.ReportMetric(stats.ValuesPerCommit(), "values/commit")
	b.ReportMetric(float64(stats.Syncs.Mean().Microseconds()), "µs-sync")
}
