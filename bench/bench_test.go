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

// fill stores ticks of records and closes the store.
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

// pairs times two things in turn, so that the ratio of their medians holds however the machine drifts. Each
// goes first every other time: what runs second finds the disk busy, or awake.
type pairs struct{ ours, theirs []time.Duration }

func (p *pairs) add(ours, theirs func()) {
	if len(p.ours)%2 == 0 {
		p.theirs = append(p.theirs, timed(theirs))
		p.ours = append(p.ours, timed(ours))
	} else {
		p.ours = append(p.ours, timed(ours))
		p.theirs = append(p.theirs, timed(theirs))
	}
}

func timed(what func()) time.Duration {
	start := time.Now()
	what()
	return time.Since(start)
}

func (p *pairs) report(b *testing.B) {
	ours, theirs := median(p.ours), median(p.theirs)
	b.ReportMetric(float64(ours.Microseconds()), "µs-median")
	b.ReportMetric(float64(theirs.Microseconds()), "µs-limit-median")
	b.ReportMetric(float64(ours)/float64(theirs), "x-limit")
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}

// BenchmarkStore is one durable Store after another. Bar: at most 1.25 times the limit.
func BenchmarkStore(b *testing.B) {
	db := mustOpen(b, b.TempDir())
	defer mustClose(b, db)
	w, l := NewWorkload(1000, 1, Readings), newLimit(b)
	values := w.Tick()
	same := make([]byte, len(values[0].Value)+LogOverhead)
	var p pairs
	for i := 0; b.Loop(); i++ {
		v, at := values[i%1000], Start+uint64(i)
		p.add(func() {
			if err := db.Store(ctx, v.RecordName, v.Value, at); err != nil {
				b.Fatal(err)
			}
		}, func() { write(b, l, same) })
	}
	p.report(b)
}

// BenchmarkStoreBatch is one durable batch of 1,000 records after another, 10^6 values and the closing
// checkpoint each time. Bar: one million values a second.
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

// BenchmarkStoreBatchLimit is one durable batch of 1,000 values against the limit for the same bytes.
func BenchmarkStoreBatchLimit(b *testing.B) {
	db := mustOpen(b, b.TempDir())
	defer mustClose(b, db)
	w, l := NewWorkload(1000, 1, Readings), newLimit(b)
	same := make([]byte, 1000*(52+25+4))
	var p pairs
	for b.Loop() {
		tick := w.Tick()
		p.add(func() {
			if err := db.StoreBatch(ctx, tick); err != nil {
				b.Fatal(err)
			}
		}, func() { write(b, l, same) })
	}
	p.report(b)
}

// BenchmarkSize is what 1,000 records of 1,000 values take up after Close. Bars: 12 bytes a value in
// pages in use, a file of at most twice that, nothing left in the log.
func BenchmarkSize(b *testing.B) {
	const records, ticks = 1000, 1000
	var used, file, logBytes int64
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
		used, file = stats.TreeUsed, stats.TreeBytes
		mustClose(b, db)
		segments, err := os.ReadDir(filepath.Join(dir, "wal"))
		if err != nil {
			b.Fatal(err)
		}
		logBytes = int64(len(segments))
	}
	b.ReportMetric(float64(used)/(records*ticks), "B/value")
	b.ReportMetric(float64(file)/float64(used), "x-file")
	b.ReportMetric(float64(logBytes), "segments-left")
}

// BenchmarkCompact compacts 1,000 records of 1,000 values, half of which are deleted first, beside one durable Store after
// another, whose p99 it says over that without. Bar: 8.5 bytes a value in the file.
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
		beside := storing(b, db, func() error { return db.Compact(ctx) })
		b.StopTimer()
		stats, err := db.Stats(ctx)
		if err != nil {
			b.Fatal(err)
		}
		size = append(size, float64(stats.TreeBytes)/(records*ticks/2))
		p99 = append(p99, float64(beside)/float64(atRest))
		mustClose(b, db)
		b.StartTimer()
	}
	slices.Sort(size)
	slices.Sort(p99)
	b.ReportMetric(size[len(size)/2], "file-B/value")
	b.ReportMetric(p99[len(p99)/2], "x-p99")
}

// storing stores one value after another while work is done, and returns the 99th percentile of how long that took.
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

// BenchmarkLatestAfterOpen is the newest value of each of 10,000 records right after Open. Bar: 100 ms.
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

// BenchmarkScan is one million values through Scan, in either order. Bar: 4 million a second.
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

// BenchmarkIngestHeap is 10^7 values over 1,000 records with default options. Bar: a live heap of at most
// 96 MiB.
func BenchmarkIngestHeap(b *testing.B) {
	const records, ticks = 1000, 10_000
	var most uint64
	for b.Loop() {
		w, db := NewWorkload(records, 1, Readings), mustOpen(b, b.TempDir())
		for range ticks {
			if err := db.StoreBatch(ctx, w.Tick()); err != nil {
				b.Fatal(err)
			}
			most = max(most, LiveHeap())
		}
		mustClose(b, db)
	}
	b.ReportMetric(float64(most)/(1<<20), "MiB-live")
	b.ReportMetric(float64(b.N*records*ticks)/b.Elapsed().Seconds(), "values/s")
}

// BenchmarkStoreParallel is 64 goroutines, each with one durable Store after another.
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
