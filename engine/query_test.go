// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bytes"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/proof/testenv"
)

// mustPostEqualRecords stores the values {"n":0}, {"n":1} and so on of each of the records r000,
// r001 and so on, and posts them.
func mustPostEqualRecords(t *testing.T, db *DB, records, values int) {
	t.Helper()
	for at := range uint64(values) {
		var batch []daybook.StoredValue
		for record := range records {
			batch = append(batch, daybook.StoredValue{
				RecordName: fmt.Sprintf("r%03d", record), Value: fmt.Appendf(nil, `{"n":%d}`, at), StoredAt: at,
			})
		}
		if err := db.StoreBatch(ctx, batch); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Checkpoint(ctx); err != nil {
		t.Fatal(err)
	}
}

// TestScanAllocations shows that a scan of the newest values does not allocate for each record: its
// memory comes in blocks. Those values stand in the catalogue, so that no chunk is decoded, for
// which there are pools, which the race detector empties now and then.
func TestScanAllocations(t *testing.T) {
	const records, values = 500, 20
	db := mustOpen(t, testenv.TempDir(t), &Options{Durability: DurabilityOS})
	mustPostEqualRecords(t, db, records, values)
	allocations := testing.AllocsPerRun(5, func() {
		for _, err := range db.Scan(ctx, "*", daybook.Latest(1)) {
			if err != nil {
				t.Fatal(err)
			}
		}
	})
	if allocations > records/4 {
		t.Errorf("%.0f allocations for %d records; want at most one for four", allocations, records)
	}
}

// TestScanOfALargeHead reads little of a head with one long record and many short ones. The scan
// must not copy what it does not read.
func TestScanOfALargeHead(t *testing.T) {
	const long, records = 50_000, 20_000
	db := mustOpen(t, testenv.TempDir(t), &Options{Durability: DurabilityOS, Tuning: Tuning{HeadSize: 64 << 20}})
	batch := make([]daybook.StoredValue, 0, long+records)
	for at := range uint64(long) {
		late := at % 100 * at // so that the head sorts them in several runs
		batch = append(batch, daybook.StoredValue{RecordName: "a", Value: []byte("1"), StoredAt: long + at - late%long})
	}
	for record := range records {
		batch = append(batch, daybook.StoredValue{RecordName: fmt.Sprintf("b.%05d", record), Value: []byte("2")})
	}
	if err := db.StoreBatch(ctx, batch); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, pattern string
		params        daybook.QueryParams
		yields, stop  int
	}{
		{"the newest ten of a long record", "a", daybook.Latest(10), 10, math.MaxInt},
		{"the oldest ten of a long record", "a", daybook.Latest(10).OldestFirst(), 10, math.MaxInt},
		{"few of many records", "*999", daybook.QueryParams{}, 20, math.MaxInt},
		{"none of many records", "*z", daybook.QueryParams{}, 0, math.MaxInt},
		{"a loop that ends early", "*", daybook.QueryParams{}, 10, 10},
	} {
		t.Run(test.name, func(t *testing.T) {
			var count int
			allocated := minAllocated(func() {
				count = 0
				for _, err := range db.Scan(ctx, test.pattern, test.params) {
					if err != nil {
						t.Fatal(err)
					}
					if count++; count == test.stop {
						break
					}
				}
			})
			if count != test.yields || allocated > 64<<10 {
				t.Errorf("%d values, %d bytes allocated; want %d, and at most 64 KiB", count, allocated, test.yields)
			}
		})
	}
}

// minAllocated returns the number of bytes that a function allocates, without those that the rest
// of the program allocates meanwhile now and then.
func minAllocated(do func()) (smallest uint64) {
	smallest = math.MaxUint64
	var before, after runtime.MemStats
	for range 5 {
		runtime.ReadMemStats(&before)
		do()
		runtime.ReadMemStats(&after)
		smallest = min(smallest, after.TotalAlloc-before.TotalAlloc)
	}
	return smallest
}

// TestQueryOfOneValueAllocations shows that a query for one value of one record needs few
// allocations, however many records there are.
func TestQueryOfOneValueAllocations(t *testing.T) {
	const maxAllocations = 26 // the race detector empties pools now and then
	db := mustOpen(t, testenv.TempDir(t), &Options{Durability: DurabilityOS})
	mustPostEqualRecords(t, db, 500, 20)
	allocations := testing.AllocsPerRun(100, func() {
		values, err := db.Query(ctx, "r123", daybook.Latest(1))
		if err != nil || len(values) != 1 || string(values[0].Value) != `{"n":19}` {
			t.Fatalf("got %v, %v", values, err)
		}
	})
	if allocations > maxAllocations {
		t.Errorf("%.0f allocations; want at most %d", allocations, maxAllocations)
	}
}

// TestValuesOfALargeChunk reads a chunk whose values take several allocations, some of them of more
// short values than of long ones, and values of the head between them. No value may share its
// memory with another.
func TestValuesOfALargeChunk(t *testing.T) {
	const count = DefaultChunkValues
	db := mustOpen(t, testenv.TempDir(t), &Options{Durability: DurabilityOS})
	long := strings.Repeat("x", 400)
	batch := make([]daybook.StoredValue, 0, count)
	for at := range uint64(count) {
		text := long[:10+390*(at*2/count)] // the second half is long
		value := fmt.Appendf(nil, `{"text":"%s","n":%d}`, text, 100+at%7)
		batch = append(batch, daybook.StoredValue{RecordName: "r", Value: value, StoredAt: 10 * at})
	}
	if err := db.StoreBatch(ctx, batch); err != nil {
		t.Fatal(err)
	}
	if err := db.Checkpoint(ctx); err != nil {
		t.Fatal(err)
	}
	var between []daybook.StoredValue
	for at := uint64(5); at < 10*count; at += 200 {
		between = append(between, daybook.StoredValue{RecordName: "r", Value: []byte("1"), StoredAt: at})
	}
	if err := db.StoreBatch(ctx, between); err != nil {
		t.Fatal(err)
	}
	want := slices.Concat(batch, between)
	slices.SortFunc(want, func(a, b daybook.StoredValue) int { return int(a.StoredAt) - int(b.StoredAt) })
	for _, limit := range []int{0, 1, 100, 300, count} {
		n := len(want)
		if limit > 0 {
			n = limit
		}
		params := daybook.QueryParams{Order: daybook.OldestFirst, LimitPerRecord: limit}
		checkOwnMemory(t, db, params, want[:n])
		newest := slices.Clone(want[len(want)-n:])
		slices.Reverse(newest)
		checkOwnMemory(t, db, daybook.QueryParams{LimitPerRecord: limit}, newest)
	}
}

// checkOwnMemory queries all records, and appends to each of the values. That must change no other.
func checkOwnMemory(t *testing.T, db *DB, params daybook.QueryParams, want []daybook.StoredValue) {
	t.Helper()
	got, err := db.Query(ctx, "*", params)
	if err != nil {
		t.Fatal(err)
	}
	for i := range got {
		_ = append(got[i].Value, "overwritten"...)
	}
	areEqual := func(a, b daybook.StoredValue) bool {
		return a.RecordName == b.RecordName && a.StoredAt == b.StoredAt && bytes.Equal(a.Value, b.Value)
	}
	if !slices.EqualFunc(want, got, areEqual) { // a diff takes long
		t.Errorf("%+v (-want +got):\n%.2000s", params, cmp.Diff(want, got))
	}
}
