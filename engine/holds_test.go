// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/tree"
	"github.com/daybook-db/daybook/proof/testenv"
)

func mustSetHold(t testing.TB, db *DB, h daybook.Hold) {
	t.Helper()
	if err := db.SetHold(ctx, h); err != nil {
		t.Fatalf("SetHold: %v", err)
	}
}

func mustHold(t testing.TB, db *DB, name string) daybook.HoldInfo {
	t.Helper()
	infos, err := db.Holds(ctx)
	for _, info := range infos {
		if info.Name == name && err == nil {
			return info
		}
	}
	t.Fatalf("Holds = %+v, %v; want one named %q", infos, err, name)
	return daybook.HoldInfo{}
}

func mustCleanup(t testing.TB, db *DB, olderThan, want uint64) {
	t.Helper()
	if got, err := db.Cleanup(ctx, olderThan); got != want || err != nil {
		t.Fatalf("Cleanup = %d, %v; want %d", got, err, want)
	}
}

// mustCursor returns the place of the last value.
func mustCursor(t testing.TB, db *DB) (last daybook.Cursor) {
	t.Helper()
	for change, err := range db.Changes(ctx, daybook.ChangesParams{}) {
		if err != nil {
			t.Fatal(err)
		}
		last = change.Cursor
	}
	return last
}

// TestHoldsSurvive wants what a hold says to be the same after everything that gives the directory
// another tree, or reads the tree again.
func TestHoldsSurvive(t *testing.T) {
	dir := testenv.TempDir(t)
	opts := &Options{Tuning: Tuning{ChunkValues: 4, TransactionSize: MinTransactionSize}, Logger: discard}
	db := mustOpen(t, filepath.Join(dir, "a"), opts)
	for i := range uint64(20) {
		mustStore(t, db, "a", fmt.Sprint(10+i), i)
		mustStore(t, db, "b", fmt.Sprint(10+i), i)
	}
	mustSetHold(t, db, daybook.Hold{Name: "first", Pattern: daybook.Pattern{Text: "a"}, MaxBytes: 20})
	mustSetHold(t, db, daybook.Hold{Name: "second", At: mustCursor(t, db), MaxAge: time.Hour})
	mustCleanup(t, db, 13, 13+10) // the last ten of a are held, and three of them are old
	first, second := mustHold(t, db, "first"), mustHold(t, db, "second")
	if first.Values != 10 || first.Bytes != 20 || first.Lost != 10 || second.Values != 0 || second.Lost != 0 {
		t.Fatalf("got %+v and %+v; want 10 held and 10 lost values of the first", first, second)
	}
	unchanged := func(when string, db *DB) {
		t.Helper()
		for _, want := range []daybook.HoldInfo{first, second} {
			if diff := cmp.Diff(want, mustHold(t, db, want.Name)); diff != "" {
				t.Errorf("after %s (-want +got):\n%s", when, diff)
			}
		}
	}
	reopen := func(end func() error) {
		t.Helper()
		if err := end(); err != nil {
			t.Fatal(err)
		}
		db = mustOpen(t, filepath.Join(dir, "a"), opts)
	}
	if err := db.Compact(ctx); err != nil {
		t.Fatal(err)
	}
	unchanged("Compact", db)
	reopen(db.abandon)
	unchanged("a crash", db)
	reopen(db.Close)
	unchanged("Close", db)
	var backup bytes.Buffer
	if err := db.Backup(ctx, &backup); err != nil {
		t.Fatal(err)
	}
	if err := Restore(ctx, filepath.Join(dir, "b"), &backup); err != nil {
		t.Fatal(err)
	}
	unchanged("Restore", mustOpen(t, filepath.Join(dir, "b"), opts))
	mustCleanup(t, db, math.MaxUint64, 7)
}

// TestHoldAfterSalvage wants holds to survive the salvage of a damaged tree, and to count the
// values of the damaged chunk, or to say that they could not.
func TestHoldAfterSalvage(t *testing.T) {
	dir, _ := rottenStore(t) // without the values 29 to 32, of b
	db := mustOpen(t, dir,
		&Options{Tuning: Tuning{ChunkValues: 4}, OnCorruption: OnCorruptionQuarantine, Logger: discard})
	tests := []struct {
		name, pattern string
		at            uint64
		lost          uint64
		damaged       bool
		reason        string
	}{
		{"all", "*", 0, 4, false, "the header of the chunk tells"},
		{"b", "b", 28, 4, false, "all values of the chunk are after the place"},
		{"within", "b", 30, 0, true, "only the damaged values tell which are after the place"},
		{"after", "b", 32, 0, false, "the consumer had taken them"},
		{"others", "a", 0, 0, false, "other records"},
	}
	for _, test := range tests {
		mustSetHold(t, db, daybook.Hold{Name: test.name, Pattern: daybook.Pattern{Text: test.pattern},
			At: db.cursorAt(test.at), MaxBytes: 1000})
	}
	if err := db.Compact(ctx); err != nil {
		t.Fatal(err)
	}
	check := func(when string) {
		t.Helper()
		for _, test := range tests {
			if got := mustHold(t, db, test.name); got.Lost != test.lost || got.Damaged != test.damaged {
				t.Errorf("%s, hold %s: %+v; want %d lost, damaged %v (%s)",
					when, test.name, got, test.lost, test.damaged, test.reason)
			}
		}
	}
	check("after a salvage")
	if err := db.abandon(); err != nil {
		t.Fatal(err)
	}
	db = mustOpen(t, dir, nil)
	check("after a crash")
}

// TestHoldAfterDamagedLog loses values with a damaged log. No hold can count them, so each one says
// that it is damaged.
func TestHoldAfterDamagedLog(t *testing.T) {
	dir := testenv.TempDir(t)
	opts := &Options{OnCorruption: OnCorruptionQuarantine, Logger: discard}
	db := mustOpen(t, dir, opts)
	mustSetHold(t, db, daybook.Hold{Name: "cloud", MaxBytes: 1000})
	mustStore(t, db, "r", "1", 1)
	_, before, err := (&programDB{DB: db}).lastSegment()
	if err != nil {
		t.Fatal(err)
	}
	mustStore(t, db, "r", "2", 2)
	mustStore(t, db, "r", "3", 3)
	path, after, err := (&programDB{DB: db}).lastSegment()
	if err != nil {
		t.Fatal(err)
	}
	first := 0 // byte of the second value's frame
	for ; first < len(before) && before[first] == after[first]; first++ {
	}
	if err := errors.Join(db.abandon(), overwriteFile(path, int64(first), make([]byte, 8))); err != nil {
		t.Fatal(err)
	}
	db = mustOpen(t, dir, opts)
	for _, when := range []string{"at once", "after another Open"} {
		if got := mustHold(t, db, "cloud"); got.Values != 1 || !got.Damaged {
			t.Errorf("%s: %+v; want one value, and that others may be lost", when, got)
		}
		mustClose(t, db)
		db = mustOpen(t, dir, opts)
	}
}

// TestHoldCountsAcrossCrashes interrupts a Cleanup after each of its transactions, and abandons the
// store. What is missing afterwards must be exactly what the holds count.
func TestHoldCountsAcrossCrashes(t *testing.T) {
	dir := testenv.TempDir(t)
	opts := &Options{Durability: DurabilityOS, Logger: discard,
		Tuning: Tuning{ChunkValues: 4, TransactionSize: MinTransactionSize, HeadSize: MinHeadSize}}
	db := mustOpen(t, dir, opts)
	const records, each = 60, 20
	var batch []daybook.StoredValue
	for i := range uint64(each) {
		for r := range records {
			batch = append(batch, daybook.StoredValue{RecordName: fmt.Sprintf("r%02d", r),
				Value: json.RawMessage(fmt.Sprintf("%08d", 10_000_000+i)), StoredAt: i})
		}
	}
	if err := db.StoreBatch(ctx, batch); err != nil {
		t.Fatal(err)
	}
	mustSetHold(t, db, daybook.Hold{Name: "all", MaxBytes: 8 * records})
	mustSetHold(t, db, daybook.Hold{Name: "some", Pattern: daybook.Pattern{Text: "r0*"}, MaxBytes: 1})
	crashes := 0
	for remaining := uint64(records * each); remaining > records; crashes++ {
		interrupted, cancel := context.WithCancel(ctx)
		taken := mustTakeTurn(t, db)
		held, err := taken.boundHolds(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := taken.postAll(ctx, nil); err != nil {
			t.Fatal(err)
		}
		pruned := taken.pruneOneTransaction(interrupted, cancel, held)
		taken.end()
		if pruned == 0 {
			t.Fatalf("a transaction deleted nothing of %d values", remaining)
		}
		remaining -= pruned
		if err := db.abandon(); err != nil {
			t.Fatal(err)
		}
		db = mustOpen(t, dir, opts)
		left := mustQuery(t, db, "*", daybook.QueryParams{})
		some := mustQuery(t, db, "r0*", daybook.QueryParams{})
		wantAll, wantSome := uint64(records*each-len(left)), uint64(10*each-len(some))
		gotAll, gotSome := mustHold(t, db, "all").Lost, mustHold(t, db, "some").Lost
		if gotAll != wantAll || gotSome != wantSome || uint64(len(left)) != remaining {
			t.Fatalf("after crash %d the holds have lost %d and %d; missing are %d and %d, and %d are there; want %d",
				crashes, gotAll, gotSome, wantAll, wantSome, len(left), remaining)
		}
	}
	if crashes < 5 {
		t.Errorf("the deletion took %d transactions, too few for this test", crashes)
	}
}

// pruneOneTransaction deletes everything that is not held, and is interrupted after its first
// transaction.
func (t *turn) pruneOneTransaction(ctx context.Context, cancel func(), held tree.Holds) (deleted uint64) {
	with := t.pruningOf(held)
	told := with.Deleted
	with.Deleted = func(deletions []tree.Deletion) {
		told(deletions)
		cancel()
	}
	deleted, _ = t.tree().Prune(ctx, allRecords, tree.Rule{OlderThan: math.MaxUint64}, with)
	return deleted
}

// TestHoldReadOnly wants holds to be listed, but not changed, in a store that is open for reading.
func TestHoldReadOnly(t *testing.T) {
	dir := testenv.TempDir(t)
	db := mustOpen(t, dir, nil)
	mustStore(t, db, "r", "1", 1)
	mustSetHold(t, db, daybook.Hold{Name: "cloud", MaxBytes: 5})
	mustClose(t, db)
	db = mustOpen(t, dir, &Options{ReadOnly: true})
	if info := mustHold(t, db, "cloud"); info.Values != 1 {
		t.Errorf("got %+v; want one held value", info)
	}
	for name, err := range map[string]error{
		"SetHold":     db.SetHold(ctx, daybook.Hold{Name: "b", MaxBytes: 1}),
		"AdvanceHold": db.AdvanceHold(ctx, "cloud", daybook.Cursor{}),
		"ReleaseHold": db.ReleaseHold(ctx, "cloud"),
	} {
		if !errors.Is(err, daybook.ErrReadOnly) {
			t.Errorf("%s: %v; want ErrReadOnly", name, err)
		}
	}
}

// TestHoldAfterLoss loses values in a power cut that a consumer had taken already. The values that
// are stored in their place are held, although the hold is at a later number of the old epoch.
func TestHoldAfterLoss(t *testing.T) {
	dir := testenv.TempDir(t)
	opts := &Options{Durability: DurabilityOS, Logger: discard}
	db := mustOpen(t, dir, opts)
	for i := range uint64(5) {
		mustStore(t, db, "r", fmt.Sprint(i), i)
	}
	path, durable, err := (&programDB{DB: db}).lastSegment()
	if err != nil {
		t.Fatal(err)
	}
	for i := range uint64(5) {
		mustStore(t, db, "r", fmt.Sprint(5+i), 5+i)
	}
	taken := mustCursor(t, db)
	mustSetHold(t, db, daybook.Hold{Name: "cloud", At: taken, MaxBytes: 1000})
	if err := errors.Join(db.abandon(), overwriteFile(path, 0, durable)); err != nil {
		t.Fatal(err)
	}
	db = mustOpen(t, dir, opts)
	for i := range uint64(3) {
		mustStore(t, db, "r", fmt.Sprint(100+i), i)
	}
	mustCleanup(t, db, math.MaxUint64, 5)
	info := mustHold(t, db, "cloud")
	if info.Values != 3 || info.Lost != 0 {
		t.Errorf("got %+v; want the three values held that were stored after the loss", info)
	}
	var forked *daybook.ForkedError
	if err := db.AdvanceHold(ctx, "cloud", taken); !errors.As(err, &forked) || forked.Common.Sequence != 5 {
		t.Errorf("AdvanceHold to a lost value: %v; want a fork after number 5", err)
	}
	if err := db.AdvanceHold(ctx, "cloud", mustCursor(t, db)); err != nil {
		t.Error(err)
	}
	mustCleanup(t, db, math.MaxUint64, 3)
}
