// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/daybook-db/daybook"
)

// The benchmarks here store at rest and beside other work, by turns in the same run, and report how
// many times as long it takes.

// shape is a kind of values that a benchmark stores.
type shape struct {
	name    string
	records int
	size    int // of a value, in bytes
	batch   int // values of a commit
	opts    Options
}

func (s *shape) batchAt(i int) []daybook.StoredValue {
	values := make([]daybook.StoredValue, s.batch)
	for at := range values {
		n := i*s.batch + at
		values[at] = daybook.StoredValue{RecordName: fmt.Sprintf("sensor.%06d.celsius", n%s.records),
			Value: json.RawMessage(`"` + digits(s.size-2) + `"`), StoredAt: uint64(n)}
	}
	return values
}

// latencies stores count batches, and returns how long each took, in ascending order.
func (s *shape) latencies(b testing.TB, db *DB, from, count int) []time.Duration {
	took := make([]time.Duration, 0, count)
	for i := range count {
		batch := s.batchAt(from + i)
		start := time.Now()
		if err := db.StoreBatch(ctx, batch); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	return took
}

func total(took []time.Duration) (sum time.Duration) {
	for _, d := range took {
		sum += d
	}
	return sum
}

// BenchmarkStoreBesideWatchers stores without watchers and with 50 that match nothing. The bar is
// 1.2 times.
func BenchmarkStoreBesideWatchers(b *testing.B) {
	shapes := []shape{
		{"one record, no sync", 1, 20, 1, Options{Durability: DurabilityOS}},
		{"10000 records, no sync", 10_000, 20, 1, Options{Durability: DurabilityOS}},
		{"large values, no sync", 100, 2000, 1, Options{Durability: DurabilityOS}},
		{"batches of 100, no sync", 10_000, 20, 100, Options{Durability: DurabilityOS}},
		{"each synced", 100, 20, 1, Options{}},
	}
	for _, s := range shapes {
		b.Run(s.name, func(b *testing.B) {
			db := mustOpen(b, b.TempDir(), &s.opts)
			round := 20_000
			if s.batch > 1 {
				round = 12_000
			} else if s.size > 1000 || s.opts.Durability == DurabilityAlways {
				round = 500
			}
			at, watchedFirst := 0, false
			store := func() time.Duration {
				at += round
				return total(s.latencies(b, db, at-round, round))
			}
			storeWatched := func() time.Duration {
				watching, end := context.WithCancel(ctx)
				for w := range 50 {
					if _, err := db.Watch(watching, fmt.Sprintf("*.%d.volt*", w), daybook.WatchParams{}); err != nil {
						b.Fatal(err)
					}
				}
				defer waitForWatchers(db)
				defer end()
				return store()
			}
			var alone, watched time.Duration
			for b.Loop() { // the tree grows, so each is the first by turns
				if watchedFirst {
					watched += storeWatched()
					alone += store()
				} else {
					alone += store()
					watched += storeWatched()
				}
				watchedFirst = !watchedFirst
			}
			b.ReportMetric(float64(watched)/float64(alone), "times")
		})
	}
}

func waitForWatchers(db *DB) {
	for db.watchers.exist.Load() {
		time.Sleep(time.Millisecond)
	}
}

// BenchmarkStoreBesideReaders stores at rest, beside a goroutine that does not touch the store
// (busy), and beside other work on the store. The bar is three times the 99th percentile at rest,
// or that beside the busy goroutine if it is more: on two processors the thread that syncs the log
// then waits for a processor, in any program.
func BenchmarkStoreBesideReaders(b *testing.B) {
	scan := func(pattern string) func(*DB) error {
		return func(db *DB) error {
			for _, err := range db.Scan(ctx, pattern, daybook.QueryParams{}) {
				if err != nil {
					return err
				}
			}
			return nil
		}
	}
	works := []struct {
		name string
		run  func(*DB) error
	}{
		{"Scan", scan("*")},
		{"Scan of one name", scan("sensor.000007.celsius")},
		{"Changes", func(db *DB) error {
			for _, err := range db.Changes(ctx, daybook.ChangesParams{}) {
				if err != nil {
					return err
				}
			}
			return nil
		}},
		{"Records", func(db *DB) error {
			for _, err := range db.Records(ctx, "*", daybook.Glob) {
				if err != nil {
					return err
				}
			}
			return nil
		}},
		{"Stats", func(db *DB) error { _, err := db.Stats(ctx); return err }},
		{"Check", func(db *DB) error { return db.Check(ctx) }},
		{"Backup", func(db *DB) error { return db.Backup(ctx, discardWriter{}) }},
		{"Compact", func(db *DB) error { return db.Compact(ctx) }},
		{"Cleanup", func(db *DB) error { _, err := db.Cleanup(ctx, db.heads.last()/20); return err }},
	}
	shapes := []shape{
		{"80000 records", 80_000, 20, 1, Options{}},
		{"10 records", 10, 20, 1, Options{}},
		{"large values", 1000, 2000, 1, Options{}},
	}
	for _, s := range shapes {
		filling := s
		filling.batch = 1000
		for _, work := range works {
			b.Run(s.name+"/"+work.name, func(b *testing.B) {
				db := mustOpen(b, b.TempDir(), &s.opts)
				filled := 80_000 // values, most of them in the head
				if s.size > 1000 {
					filled = 12_000
				}
				filling.latencies(b, db, 0, filled/filling.batch)
				const round = 500
				at := filled
				store := func() []time.Duration {
					at += round
					return s.latencies(b, db, at-round, round)
				}
				var rest, busy, beside []time.Duration
				for b.Loop() {
					rest = append(rest, store()...)
					during(b, compute, func() { busy = append(busy, store()...) })
					during(b, func() error { return work.run(db) }, func() { beside = append(beside, store()...) })
				}
				for _, took := range [][]time.Duration{rest, busy, beside} {
					slices.Sort(took)
				}
				p99 := func(took []time.Duration) float64 { return took[len(took)*99/100].Seconds() * 1e3 }
				b.ReportMetric(p99(rest), "p99-rest-ms")
				b.ReportMetric(p99(busy), "p99-busy-ms")
				b.ReportMetric(p99(beside), "p99-ms")
				b.ReportMetric(beside[len(beside)-1].Seconds()*1e3, "max-ms")
				b.ReportMetric(p99(beside)/p99(rest), "times")
				b.ReportMetric(p99(beside)/p99(busy), "times-busy")
			})
		}
	}
}

// during calls work again and again, in a goroutine, while it calls do once.
func during(b *testing.B, work func() error, do func()) {
	var working sync.WaitGroup
	stop := make(chan struct{})
	working.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			if err := work(); err != nil {
				b.Error(err)
				return
			}
		}
	})
	do()
	close(stop)
	working.Wait()
}

var computed []byte

// compute keeps a processor busy, and allocates memory as a Scan does. It does not touch a store.
func compute() error {
	for i := range 100_000 {
		computed = append(make([]byte, 0, 100), byte(i))
	}
	return nil
}

type discardWriter struct{}

func (discardWriter) Write(p []byte) (int, error) { return len(p), nil }
