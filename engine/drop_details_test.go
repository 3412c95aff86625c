// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/identity"
	"github.com/daybook-db/daybook/proof/testenv"
)

// damagedFirst makes a daybook whose values that were stored first, those of z, are in a damaged
// chunk. After them, a has as many times two.
func damagedFirst(t *testing.T, opts Options) *DB {
	t.Helper()
	var stored []row
	for n := range uint64(90) {
		name := "a"
		if n < 30 {
			name = "z"
		}
		stored = append(stored, row{name, `"` + digits(1000) + `"`, n})
	}
	dir := closedStore(t, nil, stored...)
	damage(t, dir, "values", func(value []byte) { value[len(value)-1] ^= 1 })
	opts.MaxSize, opts.WhenFull = MinMaxSize, WhenFullDropOldest
	return openDamaged(t, dir, opts)
}

// TestDropPassesOverDamage drops values of which the first are damaged. The first part has only
// those, so it must be larger the next time, and come to the others.
func TestDropPassesOverDamage(t *testing.T) {
	db := damagedFirst(t, Options{})
	taken := mustTakeTurn(t, db)
	deleted, err := taken.dropSome(ctx)
	taken.end()
	if deleted == 0 || deleted >= 60 || err != nil {
		t.Errorf("dropSome = %d, %v; want some of the 60 undamaged values", deleted, err)
	}
	left := mustQuery(t, db, "a", daybook.QueryParams{})
	if uint64(len(left)) != 60-deleted {
		t.Errorf("%d values of a remain; want %d", len(left), 60-deleted)
	}
}

// TestDropSomeIsInterrupted ends the context for a moment at each step of dropSome in turn, until
// that was between two transactions. Then it returns the error, although it has deleted values.
func TestDropSomeIsInterrupted(t *testing.T) {
	db := mustOpen(t, testenv.TempDir(t), &Options{
		MaxSize: 4 * MinMaxSize, WhenFull: WhenFullDropOldest, DropKeepNewest: -1, Durability: DurabilityOS,
		Logger: discard, Tuning: Tuning{TransactionSize: MinTransactionSize},
	})
	var batch []daybook.StoredValue
	for i := range 64 {
		batch = append(batch, daybook.StoredValue{RecordName: fmt.Sprint(i), Value: []byte(`"` + digits(16<<10) + `"`)})
	}
	taken := mustTakeTurn(t, db)
	defer taken.end()
	deleted := uint64(1)
	for n := 1; n < 1000; n++ {
		if deleted > 0 {
			if err := db.StoreBatch(ctx, batch); err != nil {
				t.Fatal(err)
			}
		}
		var err error
		if deleted, err = taken.dropSome(&brieflyEnded{ctx, n}); deleted > 0 && errors.Is(err, context.Canceled) {
			return
		}
	}
	t.Error("no call returned both a number and an error")
}

// TestDropSalvagesFirst drops values beside damaged ones. With OnCorruptionQuarantine the tree is
// salvaged first, and a hold counts what the damage has destroyed.
func TestDropSalvagesFirst(t *testing.T) {
	for _, on := range []OnCorruption{OnCorruptionFail, OnCorruptionQuarantine} {
		db := damagedFirst(t, Options{OnCorruption: on})
		mustSetHold(t, db, daybook.Hold{Name: "h", Pattern: daybook.Pattern{Text: "z"}, MaxBytes: 1})
		taken := mustTakeTurn(t, db)
		deleted, err := taken.dropTo(ctx, func(all uint64) uint64 { return all / 2 })
		held := *taken.holds[0]
		taken.end()
		inQuarantine := len(mustStats(t, db).Quarantined)
		if on == OnCorruptionFail && (!errors.Is(err, daybook.ErrCorrupt) || inQuarantine != 0) {
			t.Errorf("dropTo = %d, %v, and %d files are in quarantine; want ErrCorrupt and 0",
				deleted, err, inQuarantine)
		}
		if on == OnCorruptionQuarantine && (err != nil || deleted == 0 || inQuarantine != 1) {
			t.Errorf("dropTo = %d, %v, and %d files are in quarantine; want no error and 1",
				deleted, err, inQuarantine)
		}
		if info := mustHold(t, db, "h"); info.Lost != held.lost || info.Damaged != held.damaged ||
			on == OnCorruptionQuarantine && info.Lost != 30 {
			t.Errorf("the hold has lost %d, as the turn has it %d; want 30 after a salvage", info.Lost, held.lost)
		}
	}
}

// TestDropLeavesACopyAlone drops values of an undamaged tree during a compaction.
func TestDropLeavesACopyAlone(t *testing.T) {
	db := mustOpen(t, testenv.TempDir(t), &Options{MaxSize: MinMaxSize, WhenFull: WhenFullDropOldest})
	for n := range uint64(20) {
		mustStore(t, db, "r", "1", n)
	}
	mustCheckpointed(t, db)
	taken := mustBeginCopy(t, db)
	defer taken.end()
	deleted, err := taken.dropTo(ctx, func(all uint64) uint64 { return all / 2 })
	if deleted == 0 || err != nil || taken.copy == nil {
		t.Errorf("dropTo = %d, %v; the copy is there: %v; want it to stay", deleted, err, taken.copy != nil)
	}
	taken.giveUpCopy(nil)
}

// TestDropRuleCountsWhatMayBeDropped: values that may not be dropped do not count, also before they
// are posted.
func TestDropRuleCountsWhatMayBeDropped(t *testing.T) {
	db := mustOpen(t, testenv.TempDir(t), &Options{
		MaxSize: MinMaxSize, WhenFull: WhenFullDropOldest, DropExcept: []daybook.Pattern{{Text: "kept"}},
		DropKeepNewest: -1,
	})
	for n := range uint64(10) {
		mustStore(t, db, "kept", "12345", n)
		mustStore(t, db, "r", "12", n)
	}
	taken := mustTakeTurn(t, db)
	defer taken.end()
	spared, err := taken.sparedFromDrop(ctx)
	if err != nil {
		t.Fatal(err)
	}
	counted := uint64(0)
	_, unreadable, err := taken.dropRule(ctx, func(all uint64) uint64 { counted = all; return 0 }, spared)
	if counted != 20 || unreadable != nil || err != nil {
		t.Errorf("%d bytes may be dropped, %v, %v; want 20", counted, unreadable, err)
	}
}

// TestReadersPin wants snapshots to be waited for only if what they pin would be enough.
func TestReadersPin(t *testing.T) {
	db := mustOpen(t, testenv.TempDir(t), &Options{MaxSize: MinMaxSize, WhenFull: WhenFullDropOldest})
	taken := mustTakeTurn(t, db)
	defer taken.end()
	before := db.space.tree
	defer func() { db.space.tree = before }()
	const pinned = 100 << 10
	db.space.tree = sizes{file: 1 << 20, pinned: pinned}
	left := taken.leftInTree(demand{})
	for wanted, want := range map[int64]bool{left - 1: true, left + pinned: true, left + pinned + 1: false} {
		if got := taken.readersPin(demand{}, wanted); got != want {
			t.Errorf("%d bytes more than are left are wanted, %d are pinned: got %v; want %v",
				wanted-left, pinned, got, want)
		}
	}
	if db.space.tree.pinned = 0; taken.readersPin(demand{}, left+1) {
		t.Error("nothing is pinned, and readers are waited for")
	}
}

// TestDropEarly wants DropOldest to make room although the next value fits, if little more does.
func TestDropEarly(t *testing.T) {
	for _, test := range []struct {
		name     string
		left     int64
		wantDrop bool
	}{
		{"little is left", 2*MinMaxSize/minFreePart - 1, true},
		{"enough is left", 2 * MinMaxSize / minFreePart, false},
	} {
		db := mustOpen(t, testenv.TempDir(t), &Options{
			MaxSize: MinMaxSize, WhenFull: WhenFullDropOldest, Logger: discard,
		})
		for n := range uint64(100) {
			mustStore(t, db, "r", "1", n)
		}
		mustCheckpointed(t, db)
		b := db.opts.budget()
		err := db.withTurn(ctx, func(t *turn) error {
			db.space.tree = sizes{file: b.treePart(), free: b.maxSize/aheadPart + test.left}
			return t.dropOldest(ctx, ctx, demand{})
		})
		if dropped := mustStats(t, db).ValuesDropped; err != nil || (dropped > 0) != test.wantDrop {
			t.Errorf("%s: %d values were dropped, %v; want some: %v", test.name, dropped, err, test.wantDrop)
		}
	}
}

// TestCopyGetsTheNewEpoch begins a new epoch between the last step of a copy and its adoption.
func TestCopyGetsTheNewEpoch(t *testing.T) {
	db := mustOpen(t, testenv.TempDir(t), nil)
	mustStore(t, db, "r", "1", 1)
	mustCheckpointed(t, db)
	taken := mustBeginCopy(t, db)
	defer taken.end()
	for done := false; !done; {
		var err error
		if done, err = taken.copyStep(ctx); err != nil {
			t.Fatal(err)
		}
	}
	complete, err := taken.copy.Finish()
	if err != nil {
		t.Fatal(err)
	}
	db.forkAfter(db.heads.last())
	retired, err := taken.replaceByCopy(complete)
	if err == nil {
		taken.copy = nil
		err = taken.adoptTree(complete, retired)
	}
	if err != nil {
		t.Fatal(err)
	}
	if got, want := taken.tree().NextIdentity(), db.identity.get(); !got.Equal(want) || got.Equal(identity.Identity{}) {
		t.Errorf("the new tree has the identity %v; want %v", got, want)
	}
	if taken.pace.spread < 1 {
		t.Errorf("the new file is %v times as large as its pages in use; want 1 or more", taken.pace.spread)
	}
}

// TestRecentTakesAValueLargerThanAll makes room for a value that alone is larger than all may be.
func TestRecentTakesAValueLargerThanAll(t *testing.T) {
	r := &recentValues{}
	if p := r.partFor(maxRecentBytes+1, [16]byte{}); p == nil || len(r.parts) != 1 {
		t.Errorf("got %v, and %d parts; want one", p, len(r.parts))
	}
}

// TestDamagedTreeAndLog damages the entry of a record to which values of the log are to be added,
// and the log after them. The values between the two must not be lost with the log.
func TestDamagedTreeAndLog(t *testing.T) {
	dir, stored := quarantineStore(t)
	damage(t, dir, "records", func(entry []byte) { entry[len(entry)-1] ^= 1 })
	flip(t, segment(t, dir), "r0", 2)
	db := mustOpen(t, dir, &Options{OnCorruption: OnCorruptionQuarantine, Logger: discard})
	got := byTime(mustQuery(t, db, "*", daybook.QueryParams{}))
	want := map[uint64]bool{}
	for _, r := range got {
		want[r.At] = true
	}
	for _, r := range stored[10:15] {
		if !want[r.At] {
			t.Errorf("the value %+v is lost, which the log had before its damage; got %+v", r, got)
		}
	}
	if files := mustStats(t, db).Quarantined; len(files) != 2 {
		t.Errorf("%+v are in quarantine; want the tree and the log", files)
	}
}
