// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/bench"
	"github.com/daybook-db/daybook/proof/testenv"
)

// prunedHistory is a history from which a benchmark deletes values.
type prunedHistory struct {
	name    string
	records int
	ticks   int // values of each record
	times   bench.Times
	shape   bench.Shape
	params  func(middle uint64) daybook.PruneParams
	want    uint64 // number of values that are deleted; 0: any number
}

func olderThan(time uint64) daybook.PruneParams { return daybook.PruneParams{OlderThan: time} }

var prunedHistories = []prunedHistory{
	{"small", 1000, 10, bench.InOrder, bench.Readings, func(uint64) daybook.PruneParams {
		return olderThan(bench.Start + bench.Interval)
	}, 1000},
	{"ten records", 10, 1000, bench.InOrder, bench.Readings, func(uint64) daybook.PruneParams {
		return olderThan(bench.Start + bench.Interval)
	}, 10},
	{"10000 of 200", 10_000, 200, bench.InOrder, bench.Readings, olderThan, 1_000_000},
	{"10000 of 200, jittered", 10_000, 200, bench.Jittered, bench.Readings, olderThan, 1_000_000},
	{"10000 of 200, newest 100", 10_000, 200, bench.InOrder, bench.Readings, func(uint64) daybook.PruneParams {
		return daybook.PruneParams{MaxPerRecord: 100}
	}, 1_000_000},
	{"100000 of 10", 100_000, 10, bench.InOrder, bench.Readings, olderThan, 500_000},
	{"100000 of 10, all", 100_000, 10, bench.InOrder, bench.Readings, func(uint64) daybook.PruneParams {
		return olderThan(bench.Start * 2)
	}, 1_000_000},
	{"2000 events of 200", 2000, 200, bench.InOrder, bench.Events, olderThan, 200_000},
	{"2000 texts of 200", 2000, 200, bench.InOrder, bench.Texts, olderThan, 200_000},
	{"2000 counters of 200", 2000, 200, bench.InOrder, bench.Counters, olderThan, 200_000},
	{"2000 mixed of 200", 2000, 200, bench.Jittered, bench.Mixed, olderThan, 200_000},
	{"20000 events of 10", 20_000, 10, bench.InOrder, bench.Events, olderThan, 100_000},
	{"100 of 20000", 100, 20_000, bench.InOrder, bench.Readings, olderThan, 1_000_000},
}

// make stores the history in a directory of its own.
func (h *prunedHistory) make(b *testing.B) (dir string) {
	dir = b.TempDir()
	db := mustOpen(b, dir, &Options{Durability: DurabilityOS, Logger: discard})
	history := bench.History{Shape: h.shape, Times: h.times, Records: h.records, Ticks: h.ticks,
		Batch: 10_000, Seed: 1}
	for batch := range history.Batches() {
		if err := db.StoreBatch(ctx, batch); err != nil {
			b.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		b.Fatal(err)
	}
	return dir
}

// openCopy opens a copy of a directory. remove closes and removes that.
func openCopy(b *testing.B, template string) (db *DB, remove func()) {
	b.Helper()
	dir := filepath.Join(b.TempDir(), "copy")
	if err := os.CopyFS(dir, os.DirFS(template)); err != nil {
		b.Fatal(err)
	}
	db, err := Open(dir, &Options{Logger: discard})
	if err != nil {
		b.Fatal(err)
	}
	return db, func() {
		if err := errors.Join(db.Close(), os.RemoveAll(dir)); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPrune measures deletions from closed histories that have just been opened again.
func BenchmarkPrune(b *testing.B) {
	for _, h := range prunedHistories {
		b.Run(h.name, func(b *testing.B) {
			template := h.make(b)
			params := h.params(bench.Start + uint64(h.ticks/2)*bench.Interval)
			var cpu time.Duration
			for b.Loop() {
				b.StopTimer()
				db, remove := openCopy(b, template)
				before := testenv.CPUTime()
				b.StartTimer()
				deleted, err := db.Prune(ctx, "*", params)
				b.StopTimer()
				cpu += testenv.CPUTime() - before
				if err != nil || h.want > 0 && deleted != h.want {
					b.Fatalf("Prune deleted %d values, %v; want %d", deleted, err, h.want)
				}
				remove()
				b.StartTimer()
			}
			b.ReportMetric(cpu.Seconds()*1000/float64(b.N), "cpu-ms/op")
		})
	}
}

// BenchmarkPruneBesideStores deletes half of 10,000 records of 200 values while a caller stores
// one value after another. It also reports the ratio of the Stores' 99th percentiles beside the
// deletion and at rest.
func BenchmarkPruneBesideStores(b *testing.B) {
	h := prunedHistory{records: 10_000, ticks: 200}
	template := h.make(b)
	s := shape{records: 100, size: 20, batch: 1}
	var rest, beside []time.Duration
	for b.Loop() {
		b.StopTimer()
		db, remove := openCopy(b, template)
		rest = append(rest, s.latencies(b, db, 0, 500)...)
		done := make(chan error)
		b.StartTimer()
		go func() {
			_, err := db.Prune(ctx, "*", olderThan(bench.Start+uint64(h.ticks/2)*bench.Interval))
			b.StopTimer()
			done <- err
		}()
		for from, isDone := 500, false; !isDone; from++ {
			select {
			case err := <-done:
				if isDone = true; err != nil {
					b.Fatal(err)
				}
			default:
				beside = append(beside, s.latencies(b, db, from, 1)...)
			}
		}
		remove()
		b.StartTimer()
	}
	slices.Sort(rest)
	slices.Sort(beside)
	p99 := func(took []time.Duration) float64 { return took[len(took)*99/100].Seconds() }
	b.ReportMetric(p99(beside)/p99(rest), "x-p99")
	b.ReportMetric(float64(len(beside))/float64(b.N), "stores/op")
}
