// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"fmt"
	"testing"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/proof/testenv"
)

// TestScanAllocations shows that a scan of the newest values does not allocate for each record: its
// memory comes in blocks. Those values stand in the catalogue, so that no chunk is decoded, for
// which there are pools, which the race detector empties now and then.
func TestScanAllocations(t *testing.T) {
	const records, values = 500, 20
	db := mustOpen(t, testenv.TempDir(t), &Options{Durability: DurabilityOS})
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
