// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine"
)

// changesShape is a history, and what a consumer asks of it.
type changesShape struct {
	name    string
	records int
	values  int
	thin    bool       // Prune keeps the newest 5 values of each record before the last tenth
	newest  int        // values that the consumer does not have yet; 0: all
	order   valueOrder // nil: inTurn
}

// valueOrder returns of which record a value is, and its timestamp.
type valueOrder func(s *changesShape, number uint64) (record, storedAt uint64)

// inTurn gives one value after another to each record.
func inTurn(s *changesShape, number uint64) (record, storedAt uint64) {
	return number * 7 % uint64(s.records), number
}

// atRandom is no order of records.
func atRandom(s *changesShape, number uint64) (record, storedAt uint64) {
	random := rand.New(rand.NewPCG(number, 1))
	return random.Uint64N(uint64(s.records)), number
}

// backfilled puts each value of the second half between two of the first.
func backfilled(s *changesShape, number uint64) (record, storedAt uint64) {
	record, storedAt = inTurn(s, number)
	if half := uint64(s.values) / 2; number > half {
		return record, (storedAt-half)*2 - 1
	}
	return record, storedAt * 2
}

// oneThick gives nine of ten values to one record.
func oneThick(s *changesShape, number uint64) (record, storedAt uint64) {
	if number%10 > 0 {
		return 0, number
	}
	return 1 + number/10*7%uint64(s.records-1), number
}

// BenchmarkChanges compares Changes with a Scan of the same values: how many times as long it
// takes, and how long its first value takes.
//
//	go test ./bench -run '^$' -bench Changes -benchtime 3x
func BenchmarkChanges(b *testing.B) {
	for _, shape := range []changesShape{
		{name: "one record", records: 1, values: 1_000_000},
		{name: "100 records", records: 100, values: 1_000_000},
		{name: "10,000 records", records: 10_000, values: 2_000_000},
		{name: "100,000 records", records: 100_000, values: 1_000_000},
		{name: "10,000 records at random", records: 10_000, values: 1_000_000, order: atRandom},
		{name: "one thick record", records: 100_000, values: 1_000_000, order: oneThick},
		{name: "backfilled", records: 1000, values: 1_000_000, order: backfilled},
		{name: "thinned", records: 1000, values: 2_000_000, thin: true},
		{name: "near the end of 100", records: 100, values: 1_000_000, newest: 10_000},
		{name: "near the end of 10,000", records: 10_000, values: 2_000_000, newest: 50_000},
	} {
		b.Run(shape.name, func(b *testing.B) {
			db, bound := shape.fill(b)
			defer mustClose(b, db)
			shape.compare(b, db, bound)
		})
	}
}

// fill stores the history, and moves all values to the tree. It returns the last number that the
// consumer has.
func (s changesShape) fill(b *testing.B) (db *engine.DB, bound uint64) {
	b.Helper()
	db = mustOpen(b, b.TempDir())
	order := s.order
	if order == nil {
		order = inTurn
	}
	batch, at := []daybook.StoredValue{}, uint64(0)
	for at < uint64(s.values) {
		at++
		record, storedAt := order(&s, at)
		batch = append(batch, daybook.StoredValue{
			RecordName: fmt.Sprintf("sensor.%06d.temperature", record), StoredAt: storedAt,
			Value: json.RawMessage(fmt.Sprintf(`{"celsius":%d.%d,"sequence":%d}`, at%40, at%10, at)),
		})
		if len(batch) == 10_000 {
			if err := db.StoreBatch(ctx, batch); err != nil {
				b.Fatal(err)
			}
			batch = batch[:0]
		}
		if s.thin && at == uint64(s.values)*9/10 {
			if _, err := db.Prune(ctx, "*", daybook.PruneParams{MaxPerRecord: 5}); err != nil {
				b.Fatal(err)
			}
		}
	}
	if err := db.Checkpoint(ctx); err != nil {
		b.Fatal(err)
	}
	if s.newest > 0 {
		bound = at - uint64(s.newest)
	}
	return db, bound
}

func (s changesShape) compare(b *testing.B, db *engine.DB, bound uint64) {
	var after daybook.Cursor
	if bound > 0 {
		stats, err := db.Stats(ctx)
		if err != nil {
			b.Fatal(err)
		}
		after = stats.LastCursor
		after.Sequence = bound
	}
	var scanned, yielded, first time.Duration
	for range b.N {
		start, values := time.Now(), 0
		for _, err := range db.Scan(ctx, "*", daybook.Since(bound+1)) {
			if err != nil {
				b.Fatal(err)
			}
			values++
		}
		scanned += time.Since(start)
		start = time.Now()
		changes := -1 // the place
		for _, err := range db.Changes(ctx, daybook.ChangesParams{After: after}) {
			if err != nil {
				b.Fatal(err)
			}
			if changes++; changes == 0 {
				first += time.Since(start)
			}
		}
		yielded += time.Since(start)
		if values != changes {
			b.Fatalf("Scan yields %d values, and Changes %d", values, changes)
		}
	}
	b.ReportMetric(float64(yielded)/float64(scanned), "scans")
	b.ReportMetric(float64(first.Microseconds())/1000/float64(b.N), "first-ms")
	b.ReportMetric(float64(scanned.Microseconds())/1000/float64(b.N), "scan-ms")
	b.ReportMetric(0, "ns/op")
}
