// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"fmt"
	"iter"
	"testing"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/tree"
	"github.com/daybook-db/daybook/proof/testenv"
)

// TestDropGoesOn deletes the values that were stored first while a snapshot keeps the pages of each
// transaction from being used again, so that one in the middle finds none. What is deleted by then
// is of the first records by name. The others must not keep values that were stored before those.
func TestDropGoesOn(t *testing.T) {
	if tree.FillsMapping {
		t.Skip("the tree's file cannot grow here while a query is open")
	}
	t.Parallel()
	const records, rounds = 300, 4
	db := mustOpen(t, testenv.TempDir(t), &Options{Durability: DurabilityOS, MaxSize: 64 << 20, Logger: discard,
		WhenFull: WhenFullDropOldest, DropKeepNewest: -1, Tuning: Tuning{TransactionSize: MinTransactionSize}})
	var values []daybook.StoredValue
	for n := range uint64(records * rounds) {
		value := daybook.StoredValue{RecordName: fmt.Sprintf("r%03d", n%records), StoredAt: n}
		value.Value = []byte(`"` + digits(300) + `"`)
		values = append(values, value)
	}
	if err := db.StoreBatch(ctx, values); err != nil {
		t.Fatal(err)
	}
	mustCheckpointed(t, db)
	next, stop := iter.Pull2(db.Scan(ctx, "*", daybook.QueryParams{}))
	defer stop()
	if _, err, _ := next(); err != nil {
		t.Fatal(err)
	}
	err := db.withTurn(ctx, func(t *turn) error {
		file, _, err := t.tree().Size()
		if err != nil {
			return err
		}
		t.db.reserve.remove()
		t.tree().SetMaxBytes(file) // until the deletion asks for more space than there is
		_, err = t.dropTo(ctx, func(all uint64) uint64 { return all / 2 })
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	remaining := 0
	for v, err := range db.Scan(ctx, "*", daybook.QueryParams{}) {
		if err != nil {
			t.Fatal(err)
		}
		if remaining++; v.StoredAt < records*rounds/2 {
			t.Fatalf("%s still has the value of %d; half of %d are deleted", v.RecordName, v.StoredAt, len(values))
		}
	}
	if want := records * rounds / 2; remaining != want {
		t.Errorf("%d values remain; want %d", remaining, want)
	}
}
