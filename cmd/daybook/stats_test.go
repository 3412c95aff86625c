// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine"
	"github.com/daybook-db/daybook/proof/journal"
)

func TestStats(t *testing.T) {
	dir := filledDir(t, someValues()...)
	var got daybook.Stats
	if err := json.Unmarshal([]byte(mustRun(t, "", "stats", "--json", "--dir", dir)), &got); err != nil {
		t.Fatal(err)
	}
	if got.Values != 4 || got.Records != 3 || got.ValueBytes != 35 || got.DiskBytes <= 0 {
		t.Errorf("stats: %+v", got)
	}
	store, epoch := idText(got.Store), idText(got.Epoch)
	if len(store) != 32 || len(epoch) != 32 || store == epoch {
		t.Errorf("store %q in epoch %q; want two times 32 hexadecimal digits", store, epoch)
	}
	table := mustRun(t, "", "stats", "--dir", dir)
	wantParts(t, table, "records", "values", "raw JSON          35 B", "8.8 B", "directory",
		"store "+store+", in epoch "+epoch)
}

// TestStatsAreExact wants the exact number of records of a program that was killed. Its log has
// more of them than Stats looks at, so a running program gets an estimate.
func TestStatsAreExact(t *testing.T) {
	const records = 1999
	dir, killed := t.TempDir(), t.TempDir()
	db, err := engine.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, step := range []int{3, 1} {
		var values []daybook.StoredValue
		for i := 0; i < records; i += step {
			values = append(values, daybook.StoredValue{RecordName: fmt.Sprint(i), Value: json.RawMessage("1")})
		}
		if err := db.Checkpoint(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := db.StoreBatch(t.Context(), values); err != nil {
			t.Fatal(err)
		}
	}
	if stats, err := db.Stats(t.Context()); err != nil || !stats.RecordsEstimated {
		t.Fatalf("the program gets %+v, %v; want an estimate", stats, err)
	}
	if err := journal.CopyOpenDir(killed, dir); err != nil {
		t.Fatal(err)
	}
	var got daybook.Stats
	if err := json.Unmarshal([]byte(mustRun(t, "", "stats", "--json", "--dir", killed)), &got); err != nil {
		t.Fatal(err)
	}
	if got.Records != records || got.RecordsEstimated {
		t.Errorf("%d records, estimated: %v; want %d", got.Records, got.RecordsEstimated, records)
	}
}
