// SPDX-License-Identifier: Apache-2.0

package retention

import (
	"errors"
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/backendtest"
)

// TestClockBetweenProcesses lets the steady clock advance by six hours from one process to the
// next, and then in the second one.
func TestClockBetweenProcesses(t *testing.T) {
	tests := []struct {
		name   string
		wall   time.Duration // how far the wall clock advances from one process to the next
		want   time.Duration // uptime of that time
		reason string        // why the row is here
	}{
		{"both agree", 6 * hour, 6 * hour, "the usual case"},
		{"the wall clock advances less", 2 * hour, 2 * hour, "the second process may run on another machine"},
		{"the wall clock stands still", 0, 0, "no time is a time, too"},
		{"the wall clock was set back", -hour, 6 * hour, "it tells nothing then"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f, backend := newFakeClock(today, 7*day), backendtest.NewMemory()
			f.passed = hour
			look := func() {
				t.Helper()
				if _, err := f.look(t.Context(), backend); err != nil {
					t.Fatal(err)
				}
			}
			look()
			f.restart(7 * day)
			f.passed, f.wallTime = 7*hour, today.Add(test.wall)
			look()
			if f.Uptime != test.want {
				t.Errorf("%v of uptime; want %v: %s", f.Uptime, test.want, test.reason)
			}
			f.advance(6*hour, -5*hour) // the wall clock is set back by 5 hours
			look()
			if f.Uptime != test.want+6*hour {
				t.Errorf("%v of uptime after another look; want %v", f.Uptime, test.want+6*hour)
			}
		})
	}
}

// TestFirstRecords has a clock that knew nothing else than its own time, and then records.
func TestFirstRecords(t *testing.T) {
	for age, known := range map[time.Duration]time.Duration{
		30 * hour: 0, // after today; the records may be a day and a half old
		2 * day:   0,
		3 * day:   -3 * day, // they show that the clock was ahead
	} {
		f, backend := newFakeClock(today, 7*day), backendtest.NewMemory()
		if _, err := f.look(t.Context(), backend); err != nil {
			t.Fatal(err)
		}
		storeAt(t, backend, today.Add(-age), "a")
		if _, err := f.look(t.Context(), backend); err != nil || !f.Known.Equal(today.Add(known)) {
			t.Errorf("records of %v ago: %v is known, %v; want %v", age, f.Known, err, today.Add(known))
		}
		storeAt(t, backend, today.Add(-year), "b", "c") // most records
		if _, err := f.look(t.Context(), backend); err != nil || !f.Known.Equal(today.Add(known)) {
			t.Errorf("later records: %v is known, %v; want %v still", f.Known, err, today.Add(known))
		}
		if known < 0 {
			continue
		}
		f.advance(hour, 40*hour)
		if j, err := f.look(t.Context(), backend); err != nil || j.doubt != "" {
			t.Errorf("records of %v ago, and a jump: doubt %q, %v; want none", age, j.doubt, err)
		}
	}
}

// TestFirstLookUsesWhatIsBelieved has records of 40 hours ago, so that the clock may be ahead.
func TestFirstLookUsesWhatIsBelieved(t *testing.T) {
	f, backend := newFakeClock(today, 7*day), backendtest.NewMemory()
	storeAt(t, backend, today.Add(-40*hour), "a")
	for _, doubted := range []bool{false, true} {
		if j, err := f.look(t.Context(), backend); err != nil || (j.doubt != "") != doubted {
			t.Errorf("doubt %q, %v; want a doubt: %v", j.doubt, err, doubted)
		}
		f.advance(hour, 20*hour)
	}
}

// TestRecordsEndADoubt has a clock that is ahead by a year and has run for the longest age.
func TestRecordsEndADoubt(t *testing.T) {
	for age, doubted := range map[time.Duration]bool{0: false, 30 * hour: false, 3 * day: true} {
		f, backend := newFakeClock(today, 7*day), backendtest.NewMemory()
		for _, jump := range []time.Duration{0, year} {
			f.advance(hour, jump)
			if _, err := f.look(t.Context(), backend); err != nil {
				t.Fatal(err)
			}
		}
		f.advance(7*day, 0)
		storeAt(t, backend, f.wallTime.Add(-age), "a")
		if j, err := f.look(t.Context(), backend); err != nil || (j.doubt != "") != doubted {
			t.Errorf("newest values of %v ago: doubt %q, %v; want a doubt: %v", age, j.doubt, err, doubted)
		}
	}
}

// TestSweepByTheKnownTime sweeps with a clock that is ahead: what is old by the known time is
// deleted.
func TestSweepByTheKnownTime(t *testing.T) {
	f, backend := newFakeClock(today, day), backendtest.NewMemory()
	storeAt(t, backend, today.Add(-25*hour), "a")
	storeAt(t, backend, today.Add(-23*hour), "a")
	if _, err := f.look(t.Context(), backend); err != nil {
		t.Fatal(err)
	}
	f.advance(0, year)
	k := Keeper{Backend: backend, Policy: Policy{MaxAge: day}}
	if deleted, err := k.apply(t.Context(), f.clock); deleted != 1 || !errors.Is(err, ErrClock) {
		t.Errorf("deleted %d, %v; want the value of 25 hours ago, and ErrClock", deleted, err)
	}
}

// TestUptimeSparesRulesWithoutAnAge sweeps by uptime with a rule that deletes by number alone, and
// with one whose age is greater than the uptime.
func TestUptimeSparesRulesWithoutAnAge(t *testing.T) {
	f, backend := newFakeClock(today, 9*day), backendtest.NewMemory()
	storeAt(t, backend, today.Add(-10*hour), "aged", "counted", "long")
	for _, uptime := range []time.Duration{0, 2 * day} {
		f.advance(uptime, 0)
		if _, err := f.look(t.Context(), backend); err != nil {
			t.Fatal(err)
		}
	}
	f.advance(0, -2*day) // so that no value is old by this clock
	k := Keeper{Backend: backend, Policy: Policy{Rules: []Rule{
		{Pattern: daybook.Pattern{Text: "aged"}, MaxAge: day},
		{Pattern: daybook.Pattern{Text: "counted"}, MaxPerRecord: 5},
		{Pattern: daybook.Pattern{Text: "long"}, MaxAge: 9 * day, MaxPerRecord: 5},
	}}}
	if deleted, err := k.apply(t.Context(), f.clock); deleted != 1 || err != nil {
		t.Errorf("deleted %d, %v; want one value", deleted, err)
	}
	for _, name := range []string{"counted", "long"} {
		if values, err := backend.Query(t.Context(), name, daybook.QueryParams{}); len(values) != 1 || err != nil {
			t.Errorf("%s has %d values, %v; want one", name, len(values), err)
		}
	}
}

// TestSweepInDoubtReturnsErrors sweeps by uptime with records that cannot be listed.
func TestSweepInDoubtReturnsErrors(t *testing.T) {
	f := newFakeClock(today, day)
	f.loaded, f.Known = true, today.Add(-year)
	k := Keeper{Backend: &failingLister{backendtest.NewMemory()}, Policy: Policy{MaxAge: day}}
	if _, err := k.apply(t.Context(), f.clock); !errors.Is(err, errLister) {
		t.Errorf("got %v; want %v", err, errLister)
	}
}

// TestSteadyClock compares the steady clock with the uptime of the machine, where that is known.
func TestSteadyClock(t *testing.T) {
	booted := bootTime()
	if isKnown := runtime.GOOS == "linux" || runtime.GOOS == "windows"; isKnown != (booted > 0) {
		t.Errorf("the machine is up for %v", booted)
	}
	c := newClock(&Keeper{MaxJump: DefaultMaxJump, Now: time.Now})
	first := c.steady()
	time.Sleep(2 * time.Millisecond)
	second := c.steady()
	if first < booted || second < first+time.Millisecond || second > booted+time.Hour {
		t.Errorf("%v, and 2 ms later %v; want uptime from %v on", first, second, booted)
	}
}

// TestFloor has the build information of programs.
func TestFloor(t *testing.T) {
	built := today.Add(-day)
	vcs := func(value string) []debug.BuildSetting {
		return []debug.BuildSetting{{Key: "vcs", Value: "git"}, {Key: "vcs.time", Value: value}}
	}
	tests := []struct {
		name     string
		settings []debug.BuildSetting
		want     time.Time
	}{
		{"a time", vcs(built.Format(time.RFC3339)), built},
		{"no version control", nil, minFloor},
		{"a malformed time", vcs("yesterday"), minFloor},
		{"a time before there was Go", vcs("1980-01-01T00:00:00Z"), minFloor},
	}
	for _, test := range tests {
		if got := floorIn(&debug.BuildInfo{Settings: test.settings}); !got.Equal(test.want) {
			t.Errorf("%s: got %v; want %v", test.name, got, test.want)
		}
	}
	if got := floorIn(nil); !got.Equal(minFloor) {
		t.Errorf("no build information: got %v; want %v", got, minFloor)
	}
}
