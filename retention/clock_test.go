// SPDX-License-Identifier: Apache-2.0

package retention

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"math"
	"testing"
	"time"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/backendtest"
)

const (
	hour = time.Hour
	day  = 24 * hour
	year = 365 * day
)

// fakeClock is a clock whose wall clock and steady clock are set by the test.
type fakeClock struct {
	*clock
	wallTime time.Time
	passed   time.Duration // on the steady clock
}

func newFakeClock(start time.Time, maxAge time.Duration) *fakeClock {
	f := &fakeClock{wallTime: start}
	f.restart(maxAge)
	return f
}

// restart makes a new clock, as a keeper that starts does.
func (f *fakeClock) restart(maxAge time.Duration) {
	f.passed = 0
	f.clock = newClock(&Keeper{Policy: Policy{MaxAge: maxAge}, MaxJump: DefaultMaxJump, Now: time.Now})
	f.clock.floor = minFloor
	f.clock.wall = func() time.Time { return f.wallTime }
	f.clock.steady = func() time.Duration { return f.passed }
}

// advance lets time pass, and then lets the wall clock jump.
func (f *fakeClock) advance(passed, jump time.Duration) {
	f.wallTime = f.wallTime.Add(passed + jump)
	f.passed += passed
}

// today is later than the floor of a clock.
var today = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// clockStep is what happens before a look at the clock, and whether the look doubts it.
type clockStep struct {
	passed, jump time.Duration
	restarts     bool // the keeper starts again; passed is the time that it was off
	doubted      bool
}

// TestClockJudges has the evidence one by one. The longest age is a week.
func TestClockJudges(t *testing.T) {
	const on = false
	tests := []struct {
		name   string
		steps  []clockStep
		reason string // why the row is here
	}{
		{"no jump", []clockStep{{hour, 0, on, false}, {30 * day, 0, on, false}, {hour, 0, on, false}},
			"a long time between two looks is no jump"},
		{"small corrections", []clockStep{
			{hour, hour, on, false}, {hour, -hour, on, false}, {hour, 2 * hour, on, false},
		}, "a clock that is ahead by less than two days after a start is believed"},
		{"small jumps in a row", []clockStep{
			{hour, 20 * hour, on, false}, {hour, 20 * hour, on, false}, {hour, 20 * hour, on, true},
		}, "small jumps together are a large one"},
		{"small jumps, days apart", []clockStep{
			{hour, 40 * hour, on, false}, {hour, 0, on, false}, {21 * hour, 0, on, false}, {hour, 23 * hour, on, false},
			{hour, 2 * hour, on, true},
		}, "after a day of uptime the clock may be ahead by another day"},
		{"as far ahead as is believed", []clockStep{{0, 2 * day, on, false}, {0, 2 * hour, on, true}},
			"two days after a start, and then no more"},
		{"as early as is believed", []clockStep{{0, -day, on, false}, {0, -hour, on, true}}, "one day"},
		{"back and forth", []clockStep{
			{hour, -20 * hour, on, false}, {hour, 40 * hour, on, false}, {hour, 20 * hour, on, true},
		}, "a jump counts from where the clock was"},
		{"a small jump, with little uptime after a large one", []clockStep{
			{hour, 40 * hour, on, false}, {10 * hour, hour, on, false}, {10 * hour, 0, on, false},
			{hour, 20 * hour, on, false},
		}, "an hour does not begin the day anew after which the clock may be ahead again"},
		{"another century for a moment", []clockStep{
			{hour, 100 * year, on, true}, {hour, 0, on, true}, {hour, -100 * year, on, false}, {hour, 0, on, false},
		}, "a clock that is set right is believed at once"},
		{"ahead by three days", []clockStep{
			{hour, 3 * day, on, true}, {2 * day, 0, on, true}, {day + hour, 0, on, false},
		}, "a clock that has run for as long as it is ahead is believed"},
		{"ahead by a year", []clockStep{
			{hour, year, on, true}, {6 * day, 0, on, true}, {day + hour, 0, on, false},
		}, "a clock that has run for the longest age is believed"},
		{"ahead for exactly the longest age", []clockStep{
			{hour, year, on, true}, {3 * day, -hour, on, true}, {2 * day, 2 * day, on, true}, {2 * day, 0, on, false},
		}, "small jumps on the way do not begin the time anew"},
		{"ahead, and never steady", []clockStep{
			{hour, year, on, true}, {6 * day, 3 * day, on, true}, {6 * day, 3 * day, on, true}, {6 * day, 0, on, true},
		}, "each jump begins the time anew"},
		{"off for a day", []clockStep{{hour, 0, on, false}, {day, 0, true, false}}, "it is not ahead of what may be"},
		{"off for a year", []clockStep{{hour, 0, on, false}, {year, 0, true, true}, {6 * day, 0, on, true}},
			"nothing tells a clock that is right from one that is ahead"},
		{"years ahead after a restart", []clockStep{{hour, 0, on, false}, {hour, 2 * year, true, true}},
			"the first look after a restart knows what was known"},
		{"doubted before a restart", []clockStep{
			{hour, year, on, true}, {6 * day, 0, on, true}, {hour, 0, true, true}, {day + hour, 0, on, false},
		}, "uptime adds up over restarts"},
		{"set back", []clockStep{{hour, -year, on, true}, {19 * hour, 0, on, true}, {2 * hour, 0, on, false}},
			"after most of a day it is believed that the clock was ahead before"},
		{"set back for 20 hours", []clockStep{{hour, -year, on, true}, {20 * hour, 0, on, false}},
			"which is most of a day"},
		{"set back, and forward again", []clockStep{
			{hour, -year, on, true}, {hour, year, on, false}, {hour, 0, on, false},
		}, "what was known while the clock was early has not changed"},
		{"set back for days, and forward again", []clockStep{
			{hour, -year, on, true}, {2 * day, 0, on, false}, {hour, year, on, true},
		}, "what is known is the early time then"},
		{"never set", []clockStep{{hour, -57 * year, on, true}, {2 * day, 0, on, true}, {hour, 57 * year, on, false}},
			"a clock before its floor is never believed, and changes nothing that is known"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f, backend := newFakeClock(today, 7*day), backendtest.NewMemory()
			for i, step := range append([]clockStep{{}}, test.steps...) {
				if step.restarts {
					f.wallTime = f.wallTime.Add(step.passed + step.jump)
					f.restart(7 * day)
				} else {
					f.advance(step.passed, step.jump)
				}
				j, err := f.look(t.Context(), backend)
				if err != nil || (j.doubt != "") != step.doubted {
					t.Fatalf("look %d: doubt %q, %v; want a doubt: %v: %s", i, j.doubt, err, step.doubted, test.reason)
				}
			}
		})
	}
}

func TestClockWithoutMaxJumpDoubtsNoJumpAhead(t *testing.T) {
	f := newFakeClock(today, 7*day)
	f.maxJump = -1
	for range 2 {
		if j, err := f.look(t.Context(), backendtest.NewMemory()); j.doubt != "" || err != nil {
			t.Errorf("doubt %q, %v; want none", j.doubt, err)
		}
		f.advance(hour, 72*year)
	}
}

// TestClockBegins has what a clock knows at the first look, from the newest values of the records.
func TestClockBegins(t *testing.T) {
	tests := []struct {
		name    string
		newest  []time.Duration // of each record, after today
		doubted bool
		reason  string // why the row is here
	}{
		{"empty", nil, false, "nothing speaks against the clock"},
		{"values of now", []time.Duration{-hour, -day, -2 * hour}, false, "they agree"},
		{"all ahead by minutes", []time.Duration{2 * time.Minute, 2 * time.Minute}, false, "minutes are no evidence"},
		{"one of three ahead by years", []time.Duration{-hour, 3 * year, -hour}, false, "most records decide"},
		{"most of them ahead by years", []time.Duration{-hour, 3 * year, 3 * year}, true, "the clock is early"},
		{"all two years old", []time.Duration{-2 * year, -2 * year, -2 * year}, true, "the clock may be ahead"},
		{"most of them two years old", []time.Duration{-2 * year, -2 * year, -hour}, true,
			"one sensor may be ahead, too"},
		{"most of them at the end of time", []time.Duration{math.MaxInt64, math.MaxInt64, -hour}, true,
			"what is known is saved all the same"},
		{"of a clock that was never set", []time.Duration{-56 * year, -56 * year}, false, "they are no evidence"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f, backend := newFakeClock(today, 7*day), backendtest.NewMemory()
			for i, after := range test.newest {
				if after == math.MaxInt64 {
					storeMillis(t, backend, math.MaxUint64, fmt.Sprint(i))
					continue
				}
				storeAt(t, backend, today.Add(after), fmt.Sprint(i))
			}
			j, err := f.look(t.Context(), backend)
			if err != nil || (j.doubt != "") != test.doubted {
				t.Errorf("doubt %q, %v; want a doubt: %v: %s", j.doubt, err, test.doubted, test.reason)
			}
		})
	}
}

// withoutMemory is a backend that remembers no clock, as backend/sqlite.
type withoutMemory struct {
	daybook.Backend
	daybook.RecordLister
}

// TestClockWithoutAMemory shows what a keeper does without a ClockMemory: each one begins anew,
// with the newest values of most records.
func TestClockWithoutAMemory(t *testing.T) {
	memory := backendtest.NewMemory()
	backend := withoutMemory{memory, memory}
	storeAt(t, memory, today.Add(-hour), "a", "b")
	for _, test := range []struct {
		ahead   time.Duration
		doubted bool
	}{{0, false}, {2 * year, true}, {day, false}, {-2 * year, true}} {
		f := newFakeClock(today.Add(test.ahead), 7*day)
		if j, err := f.look(t.Context(), backend); err != nil || (j.doubt != "") != test.doubted {
			t.Errorf("ahead by %v: doubt %q, %v; want a doubt: %v", test.ahead, j.doubt, err, test.doubted)
		}
	}
	if state, err := memory.ClockState(t.Context()); state != nil || err != nil {
		t.Errorf("the state is %q, %v; want none", state, err)
	}
}

// failingMemory fails to remember.
type failingMemory struct {
	*backendtest.Memory
	err error
}

func (f failingMemory) SetClockState(context.Context, []byte) error { return f.err }

func TestClockMemoryFails(t *testing.T) {
	tests := []struct {
		name    string
		err     error
		deleted uint64
		want    error
	}{
		{"no space", daybook.ErrNoSpace, 1, nil}, // the sweep makes room
		{"read-only", daybook.ErrReadOnly, 0, daybook.ErrReadOnly},
		{"failed", daybook.ErrFailed, 0, daybook.ErrFailed},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			backend := failingMemory{backendtest.NewMemory(), test.err}
			storeAt(t, backend, today.Add(-8*day), "a")
			storeAt(t, backend, today, "a")
			k := Keeper{Backend: backend, Policy: Policy{MaxAge: 7 * day}}
			deleted, err := k.apply(t.Context(), newFakeClock(today, 7*day).clock)
			if deleted != test.deleted || !errors.Is(err, test.want) {
				t.Errorf("deleted %d, %v; want %d, %v", deleted, err, test.deleted, test.want)
			}
		})
	}
}

// TestClockAfterPruneNewerThan has a store whose values are two years ahead, and deletes these.
func TestClockAfterPruneNewerThan(t *testing.T) {
	f, backend := newFakeClock(today, 7*day), backendtest.NewMemory()
	storeAt(t, backend, today.Add(-hour), "a", "b")
	storeAt(t, backend, today.Add(2*year), "a", "b")
	if j, err := f.look(t.Context(), backend); j.doubt == "" || err != nil {
		t.Errorf("with values from the future: %q, %v; want a doubt", j.doubt, err)
	}
	params := daybook.PruneParams{NewerThan: uint64(today.UnixMilli())}
	if deleted, err := backend.Prune(t.Context(), "*", params); deleted != 2 || err != nil {
		t.Fatal(deleted, err)
	}
	for range 2 {
		f.restart(7 * day)
		if j, err := f.look(t.Context(), backend); j.doubt != "" || j.now != today || err != nil {
			t.Errorf("without them: %q, %v, %v; want no doubt", j.doubt, j.now, err)
		}
	}
}

// TestClockOfABubble restarts in a world whose wall clock is simulated and whose machine's uptime
// is not, as under testing/synctest. The uptime must not pass what the wall clock says.
func TestClockOfABubble(t *testing.T) {
	f, backend := newFakeClock(today, 7*day), backendtest.NewMemory()
	f.advance(11*day, 0)
	for range 3 {
		if j, err := f.look(t.Context(), backend); err != nil || j.doubt != "" {
			t.Errorf("doubt %q, %v; want none", j.doubt, err)
		}
		f.restart(7 * day)
		f.wallTime, f.passed = f.wallTime.Add(hour), 10*day
	}
}

// TestClockStateOfOthers has states that this version did not write.
func TestClockStateOfOthers(t *testing.T) {
	for state, isDamaged := range map[string]bool{
		`{"version":2,"known":"2000-01-01T00:00:00Z"}`: false, // of a later version: nothing is known
		`{"version":1`: true,
		"\x00":         true,
	} {
		backend := backendtest.NewMemory()
		if err := backend.SetClockState(t.Context(), []byte(state)); err != nil {
			t.Fatal(err)
		}
		j, err := newFakeClock(today, 7*day).look(t.Context(), backend)
		if errors.Is(err, daybook.ErrCorrupt) != isDamaged || j.doubt != "" {
			t.Errorf("%q: doubt %q, %v; want ErrCorrupt: %v", state, j.doubt, err, isDamaged)
		}
	}
}

// TestClockSavesSeldom counts the commits of a clock that looks every five minutes of a day.
func TestClockSavesSeldom(t *testing.T) {
	backend := &countingMemory{Memory: backendtest.NewMemory()}
	f := newFakeClock(today, 7*day)
	for range 24 * 12 {
		if _, err := f.look(t.Context(), backend); err != nil {
			t.Fatal(err)
		}
		f.advance(5*time.Minute, 0)
	}
	if backend.saves != 24 {
		t.Errorf("%d commits in a day; want one an hour", backend.saves)
	}
	if len(f.Marks) != 4 {
		t.Errorf("%d marks in a day; want one in six hours", len(f.Marks))
	}
	f.wallTime = f.wallTime.Add(3 * year)
	for range 3 {
		if _, err := f.look(t.Context(), backend); err != nil {
			t.Fatal(err)
		}
	}
	if backend.saves != 25 {
		t.Errorf("%d more commits when a doubt begins; want one, as no time has passed", backend.saves-24)
	}
}

type countingMemory struct {
	*backendtest.Memory
	saves int
}

func (m *countingMemory) SetClockState(ctx context.Context, state []byte) error {
	m.saves++
	return m.Memory.SetClockState(ctx, state)
}

// storeAt stores a value of each record.
func storeAt(t *testing.T, backend daybook.Backend, at time.Time, names ...string) {
	t.Helper()
	storeMillis(t, backend, uint64(max(at.UnixMilli(), 0)), names...)
}

func storeMillis(t *testing.T, backend daybook.Backend, timestamp uint64, names ...string) {
	t.Helper()
	for _, name := range names {
		if err := backend.Store(t.Context(), name, json.RawMessage("1"), timestamp); err != nil {
			t.Fatal(err)
		}
	}
}

// TestSweepWithoutRecords sweeps backends that list no records: by age, and by count without a look
// at the clock.
func TestSweepWithoutRecords(t *testing.T) {
	noLister := &recorder{}
	k := Keeper{Backend: noLister, Policy: Policy{MaxAge: time.Minute}, Logger: slog.New(slog.DiscardHandler)}
	f := newFakeClock(today, hour)
	if err := k.sweepAndLog(t.Context(), f.clock); err != nil || len(noLister.cutoffs) != 1 {
		t.Errorf("by age, without a RecordLister: %d cleanups, %v; want 1", len(noLister.cutoffs), err)
	}
	k.Backend = &failingLister{Memory: backendtest.NewMemory()}
	k.Policy = Policy{Rules: []Rule{{Pattern: glob("*"), MaxPerRecord: 1}}}
	if _, err := k.apply(t.Context(), f.clock); err != nil {
		t.Errorf("by count, with a RecordLister that fails: %v", err)
	}
	k.Policy.MaxAge = time.Minute
	f = newFakeClock(today, hour)
	if _, err := k.apply(t.Context(), f.clock); !errors.Is(err, errLister) {
		t.Errorf("by age, with a RecordLister that fails: got %v; want its error", err)
	}
}

var errLister = errors.New("no list")

type failingLister struct{ *backendtest.Memory }

func (*failingLister) Records(context.Context, string, daybook.PatternSyntax) iter.Seq2[daybook.RecordInfo, error] {
	return func(yield func(daybook.RecordInfo, error) bool) { yield(daybook.RecordInfo{}, errLister) }
}
