// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"errors"
	"fmt"
	"runtime"
	"testing"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/proof/testenv"
)

// TestChangesStepOverDamage damages the chunk of one record, among those of many. A consumer
// receives all other values and is told which ones are missing. It then goes on, also with values
// that are in the log.
func TestChangesStepOverDamage(t *testing.T) {
	const records, each = 60, 40
	var stored []row
	for i := range each {
		for r := range records {
			stored = append(stored, row{fmt.Sprintf("r%02d", r), `"` + digits(100) + `"`, uint64(i)})
		}
	}
	dir := closedStore(t, nil, stored...)
	damage(t, dir, "values", func(value []byte) { value[len(value)-1] ^= 1 })
	db := openDamaged(t, dir, Options{})
	mustStore(t, db, "r00", `"later"`, each)
	received, damages := map[daybook.Cursor]string{}, []*daybook.DamagedChangesError{}
	var after daybook.Cursor
	for reached := false; !reached; {
		for change, err := range db.Changes(ctx, daybook.ChangesParams{After: after}) {
			var damaged *daybook.DamagedChangesError
			switch {
			case errors.As(err, &damaged):
				after, damages = damaged.Through, append(damages, damaged)
			case err != nil:
				t.Fatal(err)
			case change.IsPlace():
				after, reached = change.Cursor, true
			default:
				after, received[change.Cursor] = change.Cursor, change.RecordName
			}
		}
	}
	last := fmt.Sprintf("r%02d", records-1)
	if len(damages) != 1 || damages[0].Record != last || damages[0].From != db.cursorAt(records) ||
		damages[0].Through != db.cursorAt(records*each) || !errors.Is(damages[0], daybook.ErrCorrupt) {
		t.Errorf("got errors %v; want one of record %s from its first through its last value", damages, last)
	}
	for i, r := range append(stored, row{"r00", "", each}) {
		if name := received[db.cursorAt(uint64(i)+1)]; name != r.Name && (r.Name != last || name != "") {
			t.Fatalf("value %d of %s: received %q", i+1, r.Name, name)
		}
	}
	if after != db.cursorAt(records*each+1) || len(received) != len(stored)+1-each {
		t.Errorf("reached %v with %d values; want all but %d", after, len(received), each)
	}
}

// TestChangesMemory yields a thinned history and then a dense one of tiny values. The number of
// values in memory is bounded, as well as their bytes.
func TestChangesMemory(t *testing.T) {
	db := mustOpen(t, testenv.TempDir(t), &Options{Durability: DurabilityOS})
	const batch, sparse, dense = 20_000, 5, 20
	at := uint64(0)
	store := func(batches int) {
		values := make([]daybook.StoredValue, batch)
		for range batches {
			for i := range values {
				at++
				values[i] = daybook.StoredValue{RecordName: "r", Value: []byte("1"), StoredAt: at}
			}
			if err := db.StoreBatch(ctx, values); err != nil {
				t.Fatal(err)
			}
		}
	}
	store(sparse)
	if _, err := db.Cleanup(ctx, at-1); err != nil {
		t.Fatal(err)
	}
	store(dense)
	if err := db.Checkpoint(ctx); err != nil {
		t.Fatal(err)
	}
	var before, now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	peak, values := uint64(0), 0
	for change, err := range db.Changes(ctx, daybook.ChangesParams{}) {
		if err != nil {
			t.Fatal(err)
		}
		if values++; values%100_000 == 0 || change.IsPlace() {
			runtime.GC()
			runtime.ReadMemStats(&now)
			peak = max(peak, now.HeapAlloc)
		}
	}
	if want := batch*dense + 2 + 1; values != want {
		t.Errorf("got %d values; want %d", values, want)
	}
	used := (int64(peak) - int64(before.HeapAlloc)) >> 20
	if t.Logf("Changes used %d MiB", used); used > 40 {
		t.Errorf("Changes used %d MiB; want at most 40", used)
	}
}
