// SPDX-License-Identifier: Apache-2.0

package retention

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/backendtest"
)

// forgetfulMemory cannot read what it remembers.
type forgetfulMemory struct{ *backendtest.Memory }

func (forgetfulMemory) ClockState(context.Context) ([]byte, error) { return nil, errLister }

// uncounted is a backend whose Stats fail.
type uncounted struct{ *backendtest.Memory }

func (uncounted) Stats(context.Context) (daybook.Stats, error) { return daybook.Stats{}, errLister }

// TestClockReturnsErrors fails each call of the backend that a look makes.
func TestClockReturnsErrors(t *testing.T) {
	memory := backendtest.NewMemory()
	tests := []struct {
		name    string
		backend daybook.Backend
		known   time.Duration // after today; 0: nothing is known
	}{
		{"the memory", forgetfulMemory{memory}, 0},
		{"the records, when nothing is known", &failingLister{memory}, 0},
		{"the records, with an early clock", &failingLister{memory}, year},
		{"the records, with a clock that has run for long enough", &failingLister{memory}, -year},
		{"the last value", uncounted{memory}, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := newFakeClock(today, 7*day)
			if test.known != 0 {
				f.loaded, f.Known, f.Settled = true, today.Add(test.known), 0
				if test.known < 0 {
					f.Wall, f.Settled = today, 8*day
				}
			}
			if _, err := f.look(t.Context(), test.backend); !errors.Is(err, errLister) {
				t.Errorf("got %v; want %v", err, errLister)
			}
		})
	}
}

// TestClockForgetsMarks gives a policy a longer age. The marks of the shorter one must not make the
// state of the clock too large to be saved: no sweep would delete by age any more.
func TestClockForgetsMarks(t *testing.T) {
	f, backend := newFakeClock(today, 100*day), backendtest.NewMemory()
	f.Uptime, f.Steady, f.Known, f.loaded = 10*year, 0, today, true
	for range maxMarks {
		f.Uptime += minMarkInterval
		at := daybook.Cursor{Epoch: [16]byte{1}, Sequence: 1e18}
		f.Marks = append(f.Marks, mark{f.Uptime, at})
	}
	f.maxAge = 20 * year
	for range 2 * maxMarks {
		f.advance(20*year/maxMarks, 0)
		if _, err := f.look(t.Context(), backend); err != nil {
			t.Fatal(err)
		}
		f.Marks[len(f.Marks)-1].At = f.Marks[0].At
		if age := f.Uptime - f.Marks[0].Uptime; len(f.Marks) > maxMarks+2 || age > 20*year+20*year/maxMarks {
			t.Fatalf("%d marks, the first is %v old", len(f.Marks), age)
		}
	}
}

// TestClockIgnoresEarlierUptime begins on a machine that has been on for days.
func TestClockIgnoresEarlierUptime(t *testing.T) {
	f := newFakeClock(today, 7*day)
	f.passed = 10 * day
	if _, err := f.look(t.Context(), backendtest.NewMemory()); err != nil || f.Uptime != 0 || !f.Known.Equal(today) {
		t.Errorf("%v; %v of uptime, and %v is known; want none, and %v", err, f.Uptime, f.Known, today)
	}
}

// TestClockWithAnotherMaxJump has a clock that is ahead by three hours after a start.
func TestClockWithAnotherMaxJump(t *testing.T) {
	for maxJump, doubted := range map[time.Duration]bool{hour: true, 2 * hour: false} {
		f, backend := newFakeClock(today, 7*day), backendtest.NewMemory()
		f.maxJump = maxJump
		if _, err := f.look(t.Context(), backend); err != nil {
			t.Fatal(err)
		}
		f.advance(0, 3*hour)
		if j, err := f.look(t.Context(), backend); err != nil || (j.doubt != "") != doubted {
			t.Errorf("MaxJump %v: doubt %q, %v; want a doubt: %v", maxJump, j.doubt, err, doubted)
		}
	}
}

// forkedPruner knows only the history up to its place.
type forkedPruner struct {
	daybook.Pruner
	common daybook.Cursor
	places []daybook.Cursor // of the Prunes that deleted something
}

func (p *forkedPruner) Prune(_ context.Context, _ string, params daybook.PruneParams) (uint64, error) {
	if params.StoredThrough.Epoch != p.common.Epoch {
		return 0, &daybook.ForkedError{Common: p.common}
	}
	p.places = append(p.places, *params.StoredThrough)
	return 1, nil
}

// TestPruneShared prunes up to a place in a history that the backend has lost.
func TestPruneShared(t *testing.T) {
	lost := daybook.PruneParams{OlderThan: 9, StoredThrough: &daybook.Cursor{Epoch: [16]byte{1}, Sequence: 5}}
	p := &forkedPruner{common: daybook.Cursor{Epoch: [16]byte{2}, Sequence: 3}}
	deleted, err := pruneShared(t.Context(), p, "*", lost)
	if deleted != 1 || err != nil || len(p.places) != 1 || p.places[0] != p.common {
		t.Errorf("deleted %d, %v, up to %v; want 1, up to %v", deleted, err, p.places, p.common)
	}
	p = &forkedPruner{}
	if deleted, err := pruneShared(t.Context(), p, "*", lost); deleted != 0 || err != nil || len(p.places) > 0 {
		t.Errorf("without a common place: deleted %d, %v, up to %v; want none", deleted, err, p.places)
	}
}
