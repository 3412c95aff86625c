// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"fmt"
	"testing"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/proof/testenv"
)

// fillRecords stores one value of each of n records in the tree, and one more in the head.
func fillRecords(tb testing.TB, db *DB, n int) {
	tb.Helper()
	for range 2 {
		if err := db.Checkpoint(ctx); err != nil {
			tb.Fatal(err)
		}
		for stored := 0; stored < n; {
			batch := make([]daybook.StoredValue, min(1000, n-stored))
			for i := range batch {
				batch[i] = daybook.StoredValue{RecordName: fmt.Sprintf("sensor.%07d", stored+i), Value: []byte("1")}
			}
			if err := db.StoreBatch(ctx, batch); err != nil {
				tb.Fatal(err)
			}
			stored += len(batch)
		}
	}
}

// BenchmarkStats measures Stats of stores of different sizes. The time must not grow with them.
func BenchmarkStats(b *testing.B) {
	for _, records := range []int{1000, 10_000, 100_000} {
		b.Run(fmt.Sprintf("%d-records", records), func(b *testing.B) {
			db := mustOpen(b, testenv.TempDir(b), &Options{Durability: DurabilityOS, Logger: discard,
				Tuning: Tuning{HeadSize: 256 << 20}})
			fillRecords(b, db, records)
			for b.Loop() {
				if _, err := db.Stats(ctx); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
