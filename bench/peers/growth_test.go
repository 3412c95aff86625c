// SPDX-License-Identifier: Apache-2.0

package peers_test

import (
	"flag"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/bench"
	"github.com/daybook-db/daybook/bench/peers"
)

var growth = flag.Bool("growth", false, "run BenchmarkGrowth, which takes long; with -short it always runs")

// growing are the entrants of BenchmarkGrowth. AimDB's design takes part on one driver only.
var growing = []string{"daybook", "sqlite", "bbolt", "pebble"}

// BenchmarkGrowth measures four kinds of work on histories of growing size: ingest in batches of
// 10,000 values, the newest value of each record right after Open, a tenth of one record's history,
// and Cleanup of half of all values. The histories have 10^4 to 10^7 values of 1,000 records, and
// 10^6 values of 10 to 10^5 records.
func BenchmarkGrowth(b *testing.B) {
	if !*growth && !testing.Short() {
		b.Skip("it takes long; -growth runs it")
	}
	var specs []spec
	for ticks := 10; ticks <= 10_000; ticks *= 10 {
		specs = append(specs, spec{1000, ticks})
	}
	for records := 10; records <= 100_000; records *= 10 {
		if records != 1000 {
			specs = append(specs, spec{records, 1_000_000 / records})
		}
	}
	for _, s := range specs {
		if testing.Short() {
			s = s.scaled()
		}
		for _, p := range entrants() {
			if slices.Contains(growing, p.Name) {
				grow(b, p, s)
			}
		}
	}
}

// grow does all four kinds of work on one history.
func grow(b *testing.B, p peers.Peer, s spec) {
	dir, remove := temporary(b)
	defer remove()
	ingest := timed(func() { with(b, p, dir, func(store peers.Store) { fill(b, p, store, s) }) }) - making(s)
	var latest, ranging, cleanup time.Duration
	part := max(s.ticks/10, 1)
	const queries = 9
	names := s.workload().Names()
	params := daybook.Between(bench.Start, bench.Start+uint64(part)*bench.Interval-1)
	with(b, p, dir, func(store peers.Store) {
		latest = timed(func() { query(b, p, store, "plant.*", daybook.Latest(1), s.records) })
		var several []float64
		for _, name := range names[:min(queries, len(names))] {
			several = append(several, float64(timed(func() { query(b, p, store, name, params, part) })))
		}
		ranging = time.Duration(median(several))
		cleanup = timed(func() {
			_, err := store.Cleanup(ctx, bench.Start+uint64(s.ticks/2)*bench.Interval)
			must(b, p, err)
		})
	})
	for work, measured := range map[string]figures{
		"ingest":  {"values/s": float64(s.values()) / ingest.Seconds()},
		"latest":  {"ns/op": float64(latest)},
		"range":   {"values/s": float64(part) / ranging.Seconds()},
		"cleanup": {"ns/op": float64(cleanup)},
	} {
		name := fmt.Sprintf("work=%s/values=%d/records=%d/peer=%s", work, s.values(), s.records, p.Name)
		b.Run(name, func(b *testing.B) {
			for unit, figure := range measured {
				report(b, map[string][]float64{unit: {figure}})
			}
		})
	}
}

// making returns the time for making the values without storing them.
func making(s spec) time.Duration {
	w, ticksPerBatch := s.workload(), max(10_000/s.records, 1)
	return timed(func() {
		for remaining := s.ticks; remaining > 0; remaining -= ticksPerBatch {
			w.Ticks(min(ticksPerBatch, remaining))
		}
	})
}
