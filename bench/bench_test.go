// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"runtime/metrics"
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
	w := NewWorkload(records, 1)
	for range ticks {
		if err := db.StoreBatch(ctx, w.Tick()); err != nil {
			b.Fatal(err)
		}
	}
	mustClose(b, db)
}

// limit is what the disk takes for a durable write: pwrite and fdatasync behind one another on a file that
// has been written over before.
type limit struct {
	file   *os.File
	offset int64
}

const limitSize = 8 << 20

func newLimit(b *testing.B) *limit {
	b.Helper()
	file, err := os.Create(filepath.Join(b.TempDir(), "limit"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { file.Close() })
	if _, err := file.Write(make([]byte, limitSize)); err != nil {
		b.Fatal(err)
	}
	if err := file.Sync(); err != nil {
		b.Fatal(err)
	}
	return &limit{file: file}
}

func (l *limit) write(b *testing.B, data []byte) {
	if l.offset+int64(len(data)) > limitSize {
		l.offset = 0
	}
	if _, err := l.file.WriteAt(data, l.offset); err != nil {
		b.Fatal(err)
	}
	if err := datasync(l.file); err != nil {
		b.Fatal(err)
	}
	l.offset += int64(len(data))
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

// logOverhead is about what the log adds to a value: a frame's header, the name and three varints.
const logOverhead = 20 + 24 + 10

// BenchmarkStore is one durable Store after another. Bar: at most 1.5 times the limit.
func BenchmarkStore(b *testing.B) {
	db := mustOpen(b, b.TempDir())
	defer mustClose(b, db)
	w, l := NewWorkload(1000, 1), newLimit(b)
	same := make([]byte, len(w.Reading())+logOverhead)
	var p pairs
	for i := 0; b.Loop(); i++ {
		value, at := w.Reading(), Start+uint64(i)
		p.add(func() {
			if err := db.Store(ctx, w.Names()[i%1000], value, at); err != nil {
				b.Fatal(err)
			}
		}, func() { l.write(b, same) })
	}
	p.report(b)
}

// BenchmarkStoreBatch is one durable batch of 1,000 records after another, 10^6 values and the closing
// checkpoint each time. Bar: one million values a second.
func BenchmarkStoreBatch(b *testing.B) {
	const records, ticks = 1000, 1000
	var storing, total time.Duration
	for b.Loop() {
		w, db := NewWorkload(records, 1), mustOpen(b, b.TempDir())
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
	w, l := NewWorkload(1000, 1), newLimit(b)
	same := make([]byte, 1000*(len(w.Reading())+24+4))
	var p pairs
	for b.Loop() {
		tick := w.Tick()
		p.add(func() {
			if err := db.StoreBatch(ctx, tick); err != nil {
				b.Fatal(err)
			}
		}, func() { l.write(b, same) })
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

// BenchmarkScan is one million values through Scan. Bar: 4 million a second.
func BenchmarkScan(b *testing.B) {
	const records, ticks = 1000, 1000
	dir := b.TempDir()
	fill(b, dir, records, ticks)
	db := mustOpen(b, dir)
	defer mustClose(b, db)
	for b.Loop() {
		count := 0
		for _, err := range db.Scan(ctx, "*", daybook.QueryParams{Order: daybook.OldestFirst}) {
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
}

// BenchmarkIngestHeap is 10^7 values over 1,000 records with default options. Bar: a live heap of less
// than 128 MiB.
func BenchmarkIngestHeap(b *testing.B) {
	const records, ticks = 1000, 10_000
	var most uint64
	for b.Loop() {
		w, db := NewWorkload(records, 1), mustOpen(b, b.TempDir())
		for range ticks {
			if err := db.StoreBatch(ctx, w.Tick()); err != nil {
				b.Fatal(err)
			}
			most = max(most, liveHeap())
		}
		mustClose(b, db)
	}
	b.ReportMetric(float64(most)/(1<<20), "MiB-live")
	b.ReportMetric(float64(b.N*records*ticks)/b.Elapsed().Seconds(), "values/s")
}

// liveHeap is what the last garbage collection found alive, in bytes.
func liveHeap() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// BenchmarkStoreParallel is 64 goroutines, each with one durable Store after another.
func BenchmarkStoreParallel(b *testing.B) {
	const goroutines = 64
	db := mustOpen(b, b.TempDir())
	defer mustClose(b, db)
	w := NewWorkload(1000, 1)
	value := w.Reading()
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
