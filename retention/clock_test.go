// SPDX-License-Identifier: Apache-2.0

package retention

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"log/slog"
	"strings"
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

func newFakeClock(start time.Time) *fakeClock {
	f := &fakeClock{wallTime: start}
	f.clock = &clock{
		wall:       func() time.Time { return f.wallTime },
		steady:     func() time.Duration { return f.passed },
		maxJump:    day,
		settleTime: day,
	}
	return f
}

// advance lets time pass, and then lets the wall clock jump.
func (f *fakeClock) advance(passed, jump time.Duration) {
	f.wallTime = f.wallTime.Add(passed + jump)
	f.passed += passed
}

// clockStep is what happens before a reading of the clock, and whether that reading is doubted.
type clockStep struct {
	passed, jump time.Duration
	stores       bool // a value of each record, with the time of the wall clock
	doubted      bool
}

func TestClockDoubtsJumps(t *testing.T) {
	const century = 72 * year
	tests := []struct {
		name   string
		steps  []clockStep
		reason string // why the row is here
	}{
		{"no jump", []clockStep{
			{hour, 0, false, false}, {30 * day, 0, false, false}, {hour, 0, false, false},
		}, "a long time between two sweeps is no jump"},
		{"small corrections", []clockStep{
			{hour, hour, false, false}, {hour, -hour, false, false},
			{hour, day, false, false}, {hour, day, false, false},
		}, "a jump of MaxJump is believed, and again after it"},
		{"another century for a moment", []clockStep{
			{hour, century, false, true}, {hour, 0, false, true},
			{hour, -century, false, false}, {hour, 0, false, false},
		}, "a clock that was set right is believed at once"},
		{"asleep for a week", []clockStep{
			{hour, 7 * day, false, true}, {23 * hour, 0, false, true}, {hour, 0, false, false}, {hour, 0, false, false},
		}, "after a day without a jump the clock is believed"},
		{"repeated jumps", []clockStep{
			{hour, 2 * day, false, true}, {20 * hour, 2 * day, false, true}, {20 * hour, 2 * day, false, true},
			{20 * hour, 2 * day, false, true}, {day, 0, false, false},
		}, "each jump begins the day anew"},
		{"set back and set right", []clockStep{
			{hour, -century, false, false}, {hour, 0, false, false},
			{hour, century, false, false}, {hour, 0, false, false},
		}, "the believed time stays the one from before the clock was set back"},
		{"set back and set too far ahead", []clockStep{
			{hour, -century, false, false}, {hour, century + 2*day, false, true}, {day, 0, false, false},
		}, "the jump ahead counts from the believed time"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := newFakeClock(now)
			steps := append([]clockStep{{}}, test.steps...)
			for i, step := range steps {
				f.advance(step.passed, step.jump)
				_, doubt, err := f.read(t.Context(), backendtest.NewMemory())
				if err != nil || (doubt != "") != step.doubted {
					t.Fatalf("reading %d: doubt %q, %v; want a doubt: %v: %s", i, doubt, err, step.doubted, test.reason)
				}
			}
		})
	}
}

func TestClockWithoutMaxJumpDoubtsNoJump(t *testing.T) {
	f := newFakeClock(now)
	f.maxJump = -1
	for range 2 {
		if _, doubt, err := f.read(t.Context(), backendtest.NewMemory()); doubt != "" || err != nil {
			t.Errorf("doubt %q, %v; want none", doubt, err)
		}
		f.advance(hour, 72*year)
	}
}

// TestClockDoubtsBothWays starts with values of the right time. The clock is then earlier than the
// values, or jumps ahead, or both in turn. The end of one doubt must not end the other, whatever is
// stored meanwhile.
func TestClockDoubtsBothWays(t *testing.T) {
	tests := []struct {
		name   string
		start  time.Duration // of the wall clock, from the right time
		steps  []clockStep
		reason string // why the row is here
	}{
		{"early, then ahead", -50 * year, []clockStep{
			{0, 0, false, true}, {hour, 120 * year, false, true}, {hour, 0, true, true}, {hour, -70 * year, true, true},
		}, "a clock that is no longer early has jumped, and was never believed"},
		{"early, then right", -50 * year, []clockStep{
			{0, 0, false, true}, {hour, 50 * year, true, true}, {day, 0, true, false},
		}, "a clock that was never believed must settle first"},
		{"ahead, then early, then ahead", 0, []clockStep{
			{0, 0, true, false}, {hour, 70 * year, false, true}, {hour, -120 * year, false, true},
			{23 * hour, 120 * year, false, true},
		}, "the jump ahead counts from the believed time, not from the early one"},
		{"ahead twice, with values of that time", 0, []clockStep{
			{0, 0, true, false}, {hour, 70 * year, true, true}, {hour, -70 * year, true, true},
			{23 * hour, 70 * year, false, true},
		}, "values with a wrong time do not make the time right"},
		{"right again, after values of a later time", 0, []clockStep{
			{0, 0, true, false}, {hour, 70 * year, true, true}, {hour, -70 * year, true, true},
			{day, 0, true, false}, {hour, 0, true, false},
		}, "a clock that has settled is believed, although the values are later"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			backend := backendtest.NewMemory()
			right := now.Add(55 * year)
			storeAt(t, backend, right, "a", "b", "c")
			f := newFakeClock(right.Add(test.start))
			for i, step := range test.steps {
				f.advance(step.passed, step.jump)
				if step.stores {
					storeAt(t, backend, f.wallTime, "a", "b", "c")
				}
				_, doubt, err := f.read(t.Context(), backend)
				if err != nil || (doubt != "") != step.doubted {
					t.Fatalf("reading %d: doubt %q, %v; want a doubt: %v: %s", i, doubt, err, step.doubted, test.reason)
				}
			}
		})
	}
}

// storeAt stores a value of each record.
func storeAt(t *testing.T, backend daybook.Backend, at time.Time, names ...string) {
	t.Helper()
	for _, name := range names {
		timestamp := uint64(max(at.UnixMilli(), 0))
		if err := backend.Store(t.Context(), name, json.RawMessage("1"), timestamp); err != nil {
			t.Fatal(err)
		}
	}
}

// TestSweepWithAnEarlyClock sweeps with a clock that is earlier than the values of all records, and
// again with the right time.
func TestSweepWithAnEarlyClock(t *testing.T) {
	backend := backendtest.NewMemory()
	count := func() int {
		t.Helper()
		values, err := backend.Query(t.Context(), "*", daybook.QueryParams{})
		if err != nil {
			t.Fatal(err)
		}
		return len(values)
	}
	today := now.Add(50 * year)
	storeAt(t, backend, today.Add(-2*hour), "r0", "r1", "r2")
	storeAt(t, backend, today.Add(30*time.Second), "r0", "r1", "r2") // of a device whose clock is a little ahead
	storeAt(t, backend, today.Add(50*year), "from the future")
	storeAt(t, backend, today.Add(-90*time.Minute), "counted")
	storeAt(t, backend, today, "counted")

	var logged strings.Builder
	k := Keeper{
		Backend: backend,
		Policy:  Policy{Rules: []Rule{{Pattern: "counted", MaxPerRecord: 1}}, MaxAge: hour},
		Logger:  slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
	f := newFakeClock(today.Add(-90 * time.Minute))
	if err := k.sweepAndLog(t.Context(), f.clock); err != nil {
		t.Error(err)
	}
	if got := count(); got != 8 {
		t.Errorf("a sweep with an early clock keeps %d values; want 8, all except the one over MaxPerRecord", got)
	}
	newest := today.Add(50 * year).Local().Format(time.RFC3339)
	want := "5 of 5 records, up to " + newest + "; the clock is believed when"
	if text := logged.String(); !strings.Contains(text, want) || strings.Count(text, "\n") != 1 {
		t.Errorf("logged %q; want one line with %q", text, want)
	}
	deleted, err := k.sweep(t.Context(), f.clock)
	if deleted != 0 || !errors.Is(err, ErrClock) || strings.Contains(err.Error(), "the clock is believed when") {
		t.Errorf("deleted %d, %v; want ErrClock, and no word of later sweeps", deleted, err)
	}

	logged.Reset()
	f.wallTime = today
	if err := k.sweepAndLog(t.Context(), f.clock); err != nil {
		t.Error(err)
	}
	if got := count(); got != 5 || logged.Len() > 0 {
		t.Errorf("a sweep with the right time keeps %d values and logs %q; want 5 and nothing", got, logged.String())
	}
}

func TestFormatMillis(t *testing.T) {
	for ms, want := range map[uint64]string{
		1_764_000_000_000:   time.UnixMilli(1_764_000_000_000).Format(time.RFC3339),
		253_402_300_800_000: "253402300800000 (Unix ms)",
	} {
		if got := formatMillis(ms); got != want {
			t.Errorf("%d: got %q; want %q", ms, got, want)
		}
	}
}

// TestSweepWithoutRecords sweeps backends that list no records: by age, and by count without a look
// at the clock.
func TestSweepWithoutRecords(t *testing.T) {
	noLister := &recorder{}
	k := Keeper{Backend: noLister, Policy: Policy{MaxAge: time.Minute}, Logger: slog.New(slog.DiscardHandler)}
	f := newFakeClock(now)
	if err := k.sweepAndLog(t.Context(), f.clock); err != nil || len(noLister.cutoffs) != 1 {
		t.Errorf("by age, without a RecordLister: %d cleanups, %v; want 1", len(noLister.cutoffs), err)
	}
	k.Backend = &failingLister{Memory: backendtest.NewMemory()}
	k.Policy = Policy{Rules: []Rule{{Pattern: "*", MaxPerRecord: 1}}}
	if _, err := k.sweep(t.Context(), f.clock); err != nil {
		t.Errorf("by count, with a RecordLister that fails: %v", err)
	}
	k.Policy.MaxAge = time.Minute
	if _, err := k.sweep(t.Context(), f.clock); !errors.Is(err, errLister) {
		t.Errorf("by age, with a RecordLister that fails: got %v; want its error", err)
	}
}

var errLister = errors.New("no list")

type failingLister struct{ *backendtest.Memory }

func (*failingLister) Records(context.Context, string, daybook.PatternSyntax) iter.Seq2[daybook.RecordInfo, error] {
	return func(yield func(daybook.RecordInfo, error) bool) { yield(daybook.RecordInfo{}, errLister) }
}
