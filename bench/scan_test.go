// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"fmt"
	"testing"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine"
	"github.com/daybook-db/daybook/proof/testenv"
)

// BenchmarkScanShapes reads a history of each shape: all of it in either order, and a twentieth of
// the time of each record. The values are in the tree.
func BenchmarkScanShapes(b *testing.B) {
	histories := []History{
		{Shape: Telematics, Records: 100, Ticks: 1000},
		{Shape: Transformers, Records: 100, Ticks: 1000},
		{Shape: Web, Records: 100, Ticks: 2000},
		{Shape: Counters64, Records: 100, Ticks: 2000},
		{Shape: Tracks, Records: 100, Ticks: 2000},
		{Shape: States, Records: 100, Ticks: 2000},
		{Shape: Metrics, Records: 100, Ticks: 4000},
		{Shape: Readings, Records: 100, Ticks: 4000},
		{Shape: Drift, Records: 100, Ticks: 4000},
		{Shape: Readings, Records: 5000, Ticks: 100},
		{Shape: Readings, Records: 20_000, Ticks: 10},
	}
	for _, h := range histories {
		b.Run(fmt.Sprintf("%v of %d", h.Shape, h.Records), func(b *testing.B) {
			db := storeHistory(b, h)
			defer mustClose(b, db)
			all := daybook.QueryParams{Order: daybook.OldestFirst}
			b.Run("oldest first", func(b *testing.B) { scanHistory(b, db, h.Values(), all) })
			b.Run("newest first", func(b *testing.B) { scanHistory(b, db, h.Values(), daybook.QueryParams{}) })
			start := Start + uint64(h.Ticks)*Interval/2
			end := start + uint64(h.Ticks)*Interval/20
			part := daybook.QueryParams{StartTime: &start, EndTime: &end}
			b.Run("range", func(b *testing.B) { scanHistory(b, db, 0, part) })
		})
	}
}

// storeHistory stores a history, and returns the database with all values in the tree.
func storeHistory(b *testing.B, h History) *engine.DB {
	b.Helper()
	dir := b.TempDir()
	db := mustOpen(b, dir)
	for batch := range h.Batches() {
		if err := db.StoreBatch(ctx, batch); err != nil {
			b.Fatal(err)
		}
	}
	mustClose(b, db)
	return mustOpen(b, dir)
}

// scanHistory reads values again and again. wanted is their number; 0: unknown.
func scanHistory(b *testing.B, db *engine.DB, wanted int, params daybook.QueryParams) {
	b.ReportAllocs()
	count, start := 0, testenv.CPUTime()
	for b.Loop() {
		count = 0
		for _, err := range db.Scan(ctx, "*", params) {
			if err != nil {
				b.Fatal(err)
			}
			count++
		}
		if wanted > 0 && count != wanted {
			b.Fatalf("%d values; want %d", count, wanted)
		}
	}
	values := float64(b.N) * float64(count)
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/values, "ns/value")
	b.ReportMetric(float64((testenv.CPUTime()-start).Nanoseconds())/values, "cpu-ns/value")
}
