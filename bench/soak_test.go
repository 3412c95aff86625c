// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"flag"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine"
	"github.com/daybook-db/daybook/retention"
)

var soakDays = flag.Int("soak", 2, "number of days that BenchmarkSoak simulates; docs/benchmarks.md shows 30")

const (
	soakRecords   = 1000
	soakRetention = 7 * day
	soakExpiry    = 8 // days after which all values that were stored before them have expired
	day           = 24 * time.Hour
)

// BenchmarkSoak simulates a device that runs for days. It has 1,000 records, stores a value of each
// of them every minute in one durable batch, and deletes values older than seven days every hour.
// Time is simulated, the work is not. Each day is a sub-benchmark with the directory's size, the
// live heap, and the latency of the batches and sweeps. Then half of the records stop. When their
// last values have expired, the file must have shrunk to match by itself.
//
//	go test -bench Soak -benchtime 1x -timeout 0 ./bench -soak 30
func BenchmarkSoak(b *testing.B) {
	if testing.Short() {
		b.Skip("it takes a second for each day; -short leaves it out")
	}
	s := soak{db: mustOpen(b, b.TempDir()), workload: NewWorkload(soakRecords, 1, Mixed)}
	defer mustClose(b, s.db)
	for n := range *soakDays {
		s.report(b, n+1, s.day(b, soakRecords))
	}
	full := s.stats(b)
	for n := range soakExpiry {
		s.report(b, *soakDays+n+1, s.day(b, soakRecords/2))
	}
	b.Run("half", func(b *testing.B) {
		now := s.stats(b)
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(float64(now.ValueBytes)/float64(full.ValueBytes), "x-json")
		b.ReportMetric(float64(now.TreeBytes)/float64(full.TreeBytes), "x-file")
	})
}

// soak is the simulated device.
type soak struct {
	db       *engine.DB
	workload *Workload
	minutes  int // simulated, since Start
}

// soakFigures are measured on one day.
type soakFigures struct {
	stats    daybook.Stats // at the end of the day
	heap     uint64        // at the end of the day
	batches  []time.Duration
	sweeping time.Duration // all sweeps together
}

func (s *soak) now() time.Time {
	return time.UnixMilli(int64(Start)).Add(time.Duration(s.minutes) * time.Minute)
}

// day stores a day's values of the first records, and sweeps once an hour.
func (s *soak) day(b *testing.B, records int) (f soakFigures) {
	b.Helper()
	policy := retention.Policy{MaxAge: soakRetention}
	for range day / time.Minute {
		values := s.workload.Tick()[:records]
		for i := range values {
			values[i].StoredAt = uint64(s.now().UnixMilli())
		}
		f.batches = append(f.batches, timed(func() {
			if err := s.db.StoreBatch(ctx, values); err != nil {
				b.Fatal(err)
			}
		}))
		if s.minutes++; s.minutes%60 == 0 {
			f.sweeping += timed(func() {
				if _, err := policy.Apply(ctx, s.db, s.now()); err != nil {
					b.Fatal(err)
				}
			})
		}
	}
	runtime.GC()
	f.heap, f.stats = LiveHeap(), s.stats(b)
	return f
}

func (s *soak) stats(b *testing.B) daybook.Stats {
	b.Helper()
	stats, err := s.db.Stats(ctx)
	if err != nil {
		b.Fatal(err)
	}
	return stats
}

func (s *soak) report(b *testing.B, n int, f soakFigures) {
	slices.Sort(f.batches)
	b.Run(fmt.Sprintf("day=%02d", n), func(b *testing.B) {
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(float64(f.stats.DiskBytes)/(1<<20), "MiB-disk")
		b.ReportMetric(float64(f.stats.ValueBytes)/(1<<20), "MiB-json")
		b.ReportMetric(float64(f.heap)/(1<<20), "MiB-live")
		b.ReportMetric(float64(f.batches[len(f.batches)/2].Microseconds()), "µs-p50")
		b.ReportMetric(float64(f.batches[len(f.batches)*99/100].Microseconds()), "µs-p99")
		b.ReportMetric(f.sweeping.Seconds()*1000/24, "ms-sweep")
	})
}
