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
	"testing/synctest"
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
	db := mustOpen(t, dir, &Options{Tuning: Tuning{ChunkValues: 4}, OnCorruption: Quarantine, Logger: discard})
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
	opts := &Options{OnCorruption: Quarantine, Logger: discard}
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
	opts := &Options{Durability: OS, Logger: discard,
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

// TestHoldOfMaxSize fills a small store under DropOldest. The held values stay, however old they
// are. A hold that spares all values makes Store return ErrNoSpace, until it is advanced.
func TestHoldOfMaxSize(t *testing.T) {
	const maxSize, maxHeld = MinMaxSize, MinMaxSize / 4 // digits hardly compress
	db := mustOpen(t, testenv.TempDir(t), &Options{
		MaxSize: maxSize, WhenFull: DropOldest, Durability: OS, Logger: discard,
	})
	store := func(name string, at uint64) error {
		return db.Store(ctx, name, json.RawMessage(`"`+digits(10_000)+`"`), at)
	}
	mustSetHold(t, db, daybook.Hold{Name: "cloud", Pattern: daybook.Pattern{Text: "held.*"}, MaxBytes: maxHeld})
	const held = 100
	for i := range uint64(held) {
		if err := store("held.a", i); err != nil {
			t.Fatal(err)
		}
	}
	for i := range uint64(2000) {
		if err := store("other", held+i); err != nil {
			t.Fatalf("Store %d beside held values: %v", i, err)
		}
	}
	info := mustHold(t, db, "cloud")
	if got := len(mustQuery(t, db, "held.a", daybook.QueryParams{})); got != held || info.Lost != 0 {
		t.Fatalf("%d held values are there, and %d are lost; want %d and none", got, info.Lost, held)
	}
	for i := range uint64(1000) {
		if err := store("held.b", i); err != nil {
			t.Fatalf("Store %d beyond the bound of the hold: %v", i, err)
		}
	}
	info = mustHold(t, db, "cloud")
	there := len(mustQuery(t, db, "held.*", daybook.QueryParams{}))
	if info.Lost == 0 || uint64(there)+info.Lost != held+1000 || info.Bytes > maxHeld {
		t.Fatalf("%d values are there, and %d are lost, of %d; the hold spares %d bytes, of at most %d",
			there, info.Lost, held+1000, info.Bytes, maxHeld)
	}
}

// TestHoldOfAllSpace wants ErrNoSpace, and not the loss of held values, when only those could be
// dropped, and room again after AdvanceHold.
func TestHoldOfAllSpace(t *testing.T) {
	const maxSize = MinMaxSize
	db := mustOpen(t, testenv.TempDir(t), &Options{
		MaxSize: maxSize, WhenFull: DropOldest, Durability: OS, Logger: discard,
	})
	mustSetHold(t, db, daybook.Hold{Name: "cloud", MaxBytes: maxSize/2 - 1})
	// Many small values take more space than their JSON, so the directory is full before the bound
	// of the hold is reached.
	var err error
	stored := 0
	for ; err == nil && stored < 100_000; stored += 100 {
		var batch []daybook.StoredValue
		for i := range 100 {
			name := fmt.Sprintf("%s.%d", digits(900), stored+i)
			batch = append(batch, daybook.StoredValue{RecordName: name, Value: json.RawMessage("1"), StoredAt: 1})
		}
		err = db.StoreBatch(ctx, batch)
	}
	if !errors.Is(err, daybook.ErrNoSpace) {
		t.Fatalf("after %d values: got %v; want ErrNoSpace", stored, err)
	}
	if info := mustHold(t, db, "cloud"); info.Lost != 0 {
		t.Errorf("%d held values were dropped; want none", info.Lost)
	}
	if err := db.AdvanceHold(ctx, "cloud", mustCursor(t, db)); err != nil {
		t.Fatalf("AdvanceHold of a full store: %v", err)
	}
	if err := db.Store(ctx, "a", json.RawMessage("1"), 1); err != nil {
		t.Errorf("Store after AdvanceHold: %v", err)
	}
	if info := mustHold(t, db, "cloud"); info.Lost != 0 {
		t.Errorf("%d taken values count as lost; want none", info.Lost)
	}
}

// TestHoldsAndMaxSize wants all holds together to stay under half of MaxSize.
func TestHoldsAndMaxSize(t *testing.T) {
	db := mustOpen(t, testenv.TempDir(t), &Options{MaxSize: MinMaxSize, Logger: discard})
	const half = MinMaxSize / 2
	tests := []struct {
		hold   daybook.Hold
		refuse bool
		reason string
	}{
		{daybook.Hold{Name: "a", MaxBytes: half}, true, "half"},
		{daybook.Hold{Name: "a", MaxAge: time.Hour}, true, "no bound in bytes"},
		{daybook.Hold{Name: "a", MaxBytes: math.MaxUint64}, true, "more than everything"},
		{daybook.Hold{Name: "a", MaxBytes: half - 1}, false, "under half"},
		{daybook.Hold{Name: "b", MaxBytes: 1}, true, "together half"},
		{daybook.Hold{Name: "b", MaxBytes: math.MaxUint64 - half + 2}, true, "a sum beyond 2^64"},
		{daybook.Hold{Name: "a", MaxBytes: half - 2}, false, "the same hold does not count twice"},
		{daybook.Hold{Name: "b", MaxBytes: 1}, false, "together under half"},
	}
	for _, test := range tests {
		err := db.SetHold(ctx, test.hold)
		if errors.Is(err, daybook.ErrInvalidParams) != test.refuse || err != nil && !test.refuse {
			t.Errorf("SetHold(%+v): %v; want refused: %v (%s)", test.hold, err, test.refuse, test.reason)
		}
	}
}

// TestHoldOfOpenWithMaxSize opens a store with MaxSize whose holds were set without. DropOldest
// must go on, and each hold must count what it loses.
func TestHoldOfOpenWithMaxSize(t *testing.T) {
	dir := testenv.TempDir(t)
	db := mustOpen(t, dir, &Options{Durability: OS, Logger: discard})
	mustSetHold(t, db, daybook.Hold{Name: "age", MaxAge: 1000 * time.Hour})
	mustSetHold(t, db, daybook.Hold{Name: "bytes", MaxBytes: 1 << 40})
	mustClose(t, db)
	db = mustOpen(t, dir, &Options{Durability: OS, Logger: discard, MaxSize: MinMaxSize, WhenFull: DropOldest})
	const values = 3000
	for i := range uint64(values) {
		mustStore(t, db, "r", `"`+digits(4000)+fmt.Sprint(i*i*1_000_003)+`"`, i)
	}
	for _, name := range []string{"age", "bytes"} {
		info := mustHold(t, db, name)
		stored := len(mustQuery(t, db, "*", daybook.QueryParams{}))
		if info.Lost != uint64(values-stored) || info.Lost == 0 || info.Values == 0 {
			t.Errorf("%+v; want %d lost of %d, and some spared", info, values-stored, values)
		}
	}
}

// TestHoldMaxAge moves the clock. A value is spared for MaxAge after it was stored, whatever its
// timestamp, and at most a sixteenth longer.
func TestHoldMaxAge(t *testing.T) {
	dir := testenv.TempDir(t)
	synctest.Test(t, func(t *testing.T) {
		const maxAge = 16 * time.Hour
		db := mustOpen(t, dir, &Options{Logger: discard})
		defer func() { mustClose(t, db) }()
		mustSetHold(t, db, daybook.Hold{Name: "cloud", MaxAge: maxAge})
		for i := range uint64(48) { // one value an hour
			mustStore(t, db, "r", fmt.Sprint(i), 1000-i)
			time.Sleep(time.Hour)
			if _, err := db.Cleanup(ctx, math.MaxUint64); err != nil {
				t.Fatal(err)
			}
			stored := i + 1
			info := mustHold(t, db, "cloud")
			if info.Lost+info.Values != stored || info.Values < min(stored, 16) || info.Values > min(stored, 18) {
				t.Fatalf("%d hours after the first value: %d are held, %d are lost", stored, info.Values, info.Lost)
			}
			if i%10 == 9 {
				mustClose(t, db)
				db = mustOpen(t, dir, &Options{Logger: discard})
			}
		}
	})
}

// TestHoldClockSetBack wants a value that was stored under a clock years ahead to be spared for
// MaxAge of the right clock, and not for years.
func TestHoldClockSetBack(t *testing.T) {
	h := &hold{Hold: daybook.Hold{Name: "cloud", MaxAge: time.Hour}}
	now := time.UnixMilli(1_800_000_000_000)
	h.sample(now.AddDate(5, 0, 0), 10)
	h.sample(now, 20)
	if got := h.olderThanMaxAge(now); got != 0 {
		t.Errorf("at once: values up to %d are too old; want none", got)
	}
	h.sample(now.Add(30*time.Minute), 30)
	if got := h.olderThanMaxAge(now.Add(61 * time.Minute)); got != 10 {
		t.Errorf("after MaxAge: values up to %d are too old; want 10", got)
	}
	if got := h.olderThanMaxAge(now.Add(91 * time.Minute)); got != 30 {
		t.Errorf("after MaxAge of the last sample: values up to %d are too old; want 30", got)
	}
	for i := range 1000 {
		h.sample(now.Add(time.Duration(i)*time.Minute), uint64(40+i))
	}
	if len(h.samples) > samplesPerAge+3 {
		t.Errorf("%d samples are kept", len(h.samples))
	}
}

// TestHoldClock starts the clock of a hold again and again, each time an hour before the wall clock
// has no time, or one that is a year ahead. Held values must be spared for MaxAge of the time that
// has surely passed, and not for ever.
func TestHoldClock(t *testing.T) {
	const maxAge = 100 * time.Hour
	h := &hold{Hold: daybook.Hold{Name: "cloud", MaxAge: maxAge}}
	on := func(wall time.Time, d time.Duration) holdClock {
		c := newHoldClock([]*hold{h})
		h.sample(c.now(), 1)
		c.opened = c.opened.Add(-d)
		h.sample(c.now(), 1)
		h.looked.Wall = wall.UnixMilli() // when the store is closed
		return c
	}
	rightTime, neverSet := time.Now(), time.Unix(60, 0)
	clock := on(rightTime, 0)
	begin := clock.now()
	for boot := 1; boot <= 120; boot++ {
		wall := neverSet
		if boot%2 == 0 {
			wall = rightTime.Add(365 * 24 * time.Hour) // ahead of today's
		}
		clock = on(wall, time.Hour)
		got, want := clock.now().Sub(begin), time.Duration(boot)*time.Hour
		if (got - want).Abs() > 2*time.Minute {
			t.Fatalf("after %d hours of uptime: %v have passed", boot, got)
		}
		if tooOld := h.olderThanMaxAge(clock.now()) > 0; tooOld != (want > maxAge) && (want-maxAge).Abs() > time.Hour {
			t.Fatalf("after %d hours of uptime: too old is %v", boot, tooOld)
		}
	}
	h.looked.Wall = time.Now().Add(-50 * time.Hour).UnixMilli()
	before := h.looked.Clock
	clock = newHoldClock([]*hold{h})
	if off := clock.now().Sub(time.UnixMilli(before)); (off - 50*time.Hour).Abs() > time.Minute {
		t.Errorf("off for 50 hours of the wall clock: %v have passed", off)
	}
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
	opts := &Options{Durability: OS, Logger: discard}
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
