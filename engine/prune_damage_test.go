// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/daybook-db/daybook"
)

// TestInterruptedPruneReportsDamage ends the context of a Prune over a damaged record after each
// number of looks, and calls it again and again. The last call must report the damage, although an
// earlier one has passed over it, and all values that can be deleted must be.
func TestInterruptedPruneReportsDamage(t *testing.T) {
	for _, test := range []struct {
		params daybook.PruneParams // each divides the damaged chunk
		remain int                 // values of each undamaged record
		looks  int64               // that a call needs at least, to get on
	}{
		{daybook.PruneParams{OlderThan: 11}, 10, 2},
		{daybook.PruneParams{NewerThan: 10}, 10, 2},
		{daybook.PruneParams{NewerThan: 10, MaxPerRecord: 2}, 2, 3},
	} {
		params, interrupted := test.params, 0
		for looks := test.looks; looks < test.looks+10; looks++ {
			dir, _ := rottenStore(t)
			db, err := Open(dir, &Options{Durability: DurabilityOS, Logger: discard,
				Tuning: Tuning{TransactionSize: MinTransactionSize}})
			if err != nil {
				t.Fatal(err)
			}
			calls := 0
			for err = context.Canceled; errors.Is(err, context.Canceled) && calls < 100; calls++ {
				_, err = db.Prune(&endingContext{ctx, looks}, "*", params)
			}
			if calls > 1 {
				interrupted++
			}
			wantCorrupt(t, fmt.Sprintf("%+v, call %d of %d looks", params, calls, looks), err)
			left := map[string]int{}
			for _, r := range mustQueryOf(t, db, "a", "c") {
				left[r.Name]++
			}
			if left["a"] != test.remain || left["c"] != test.remain {
				t.Errorf("%+v, %d looks: %v are left; want %d of each", params, looks, left, test.remain)
			}
			if err := db.abandon(); err != nil {
				t.Fatal(err)
			}
		}
		if interrupted == 0 {
			t.Errorf("%+v: no call was interrupted", params)
		}
	}
}

// mustQueryOf returns all values of some records.
func mustQueryOf(t *testing.T, db *DB, records ...string) (got []row) {
	t.Helper()
	for _, record := range records {
		got = append(got, mustQuery(t, db, record, daybook.QueryParams{})...)
	}
	return got
}
