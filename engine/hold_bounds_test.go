// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/tree"
	"github.com/daybook-db/daybook/proof/testenv"
)

// TestHoldOfMaxSize fills a small store under DropOldest. The held values stay, however old they
// are. A hold that spares all values makes Store return ErrNoSpace, until it is advanced.
func TestHoldOfMaxSize(t *testing.T) {
	t.Parallel()
	const maxSize, maxHeld = MinMaxSize, MinMaxSize / 4 // digits hardly compress
	db := mustOpen(t, testenv.TempDir(t), &Options{
		MaxSize: maxSize, WhenFull: WhenFullDropOldest, Durability: DurabilityOS, Logger: discard,
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
		MaxSize: maxSize, WhenFull: WhenFullDropOldest, DropKeepNewest: -1, Durability: DurabilityOS, Logger: discard,
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
	db := mustOpen(t, dir, &Options{Durability: DurabilityOS, Logger: discard})
	mustSetHold(t, db, daybook.Hold{Name: "age", MaxAge: 1000 * time.Hour})
	mustSetHold(t, db, daybook.Hold{Name: "bytes", MaxBytes: 1 << 40})
	mustClose(t, db)
	db = mustOpen(t, dir,
		&Options{Durability: DurabilityOS, Logger: discard, MaxSize: MinMaxSize, WhenFull: WhenFullDropOldest})
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

// TestHoldMaxAgeOfIdleStore stores values for a while, without a checkpoint or a deletion, and then
// nothing. Each value is spared for MaxAge after it was stored, and at most a sixteenth longer.
func TestHoldMaxAgeOfIdleStore(t *testing.T) {
	dir := testenv.TempDir(t)
	synctest.Test(t, func(t *testing.T) {
		const maxAge, values = 16 * time.Hour, 100
		db := mustOpen(t, dir, &Options{Logger: discard})
		defer func() { mustClose(t, db) }()
		mustStore(t, db, "r", "0", 0) // before there was a hold: it counts from SetHold
		time.Sleep(maxAge)
		mustSetHold(t, db, daybook.Hold{Name: "other", MaxAge: 1000 * maxAge, Pattern: daybook.Pattern{Text: "other"}})
		mustSetHold(t, db, daybook.Hold{Name: "cloud", MaxAge: maxAge})
		begin := time.Now()
		var stored []time.Duration // after begin
		for i := range uint64(values) {
			mustStore(t, db, "r", fmt.Sprint(i), i)
			stored = append(stored, time.Since(begin))
			time.Sleep(7 * time.Minute)
		}
		time.Sleep(5 * time.Minute)
		for since := time.Since(begin); since < 2*maxAge+2*time.Hour; since = time.Since(begin) {
			if _, err := db.Cleanup(ctx, math.MaxUint64); err != nil {
				t.Fatal(err)
			}
			least, most := 0, 0
			for _, at := range append([]time.Duration{0}, stored...) {
				if since-at < maxAge {
					least++
				}
				if since-at < maxAge+maxAge/samplesPerAge+time.Minute {
					most++
				}
			}
			if got := len(mustQuery(t, db, "r", daybook.QueryParams{})); got < least || got > most {
				t.Fatalf("%v after SetHold: %d values are there; want %d to %d", since, got, least, most)
			}
			time.Sleep(20 * time.Minute)
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

// brieflyEnded is a context that has ended when Err is called for the nth time, and not before or
// after. So whatever asks it then fails, and the steps that follow do not.
type brieflyEnded struct {
	context.Context
	left int
}

func (c *brieflyEnded) Err() error {
	if c.left--; c.left == 0 {
		return context.Canceled
	}
	return nil
}

// TestNoDeletionWithoutHolds fails each step of a deletion in turn, among them the search for what
// a hold spares. A deletion that does not know that must delete nothing.
func TestNoDeletionWithoutHolds(t *testing.T) {
	for name, deletion := range map[string]func(*turn, context.Context) (uint64, error){
		"prune": func(taken *turn, ctx context.Context) (uint64, error) {
			return taken.prune(ctx, allRecords, tree.Rule{OlderThan: math.MaxUint64})
		},
		"dropTo": func(taken *turn, ctx context.Context) (uint64, error) {
			return taken.dropTo(ctx, func(uint64) uint64 { return 0 })
		},
		"pruneToBytes": func(taken *turn, ctx context.Context) (uint64, error) {
			return taken.pruneToBytes(ctx, allRecords, 1, 0)
		},
	} {
		db := mustOpen(t, testenv.TempDir(t), &Options{Durability: DurabilityOS, Logger: discard})
		mustSetHold(t, db, daybook.Hold{Name: "cloud", Pattern: daybook.Pattern{Text: "held"}, MaxBytes: 100})
		mustStore(t, db, "held", "1", 1)
		taken := mustTakeTurn(t, db)
		for failed, n := true, 1; failed; n++ {
			mustStore(t, db, "other", "22", 2)
			brief := &brieflyEnded{context.Background(), n}
			_, err := deletion(taken, brief)
			failed = brief.left <= 0
			left := mustQuery(t, db, "other", daybook.QueryParams{})
			if err != nil && !errors.Is(err, context.Canceled) || err == nil && len(left) > 0 {
				t.Errorf("%s, question %d to the context: got %v, and %d values remain", name, n, err, len(left))
			}
		}
		taken.end()
		wantRows(t, mustQuery(t, db, "*", daybook.QueryParams{}), row{"held", "1", 1})
	}
}
