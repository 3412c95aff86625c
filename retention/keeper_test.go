// SPDX-License-Identifier: Apache-2.0

package retention

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/backendtest"
)

// recorder is a backend that records the arguments of its Cleanups.
type recorder struct {
	daybook.Backend // nil: the other methods are not called
	cutoffs         []time.Time
	fail            map[int]error // what a Cleanup returns, by its number from 0
	takes           time.Duration // the duration of each Cleanup
	deletes         uint64        // the number of values that each Cleanup deletes
}

func (r *recorder) Cleanup(ctx context.Context, olderThan uint64) (uint64, error) {
	r.cutoffs = append(r.cutoffs, time.UnixMilli(int64(olderThan)).UTC())
	if r.takes > 0 {
		select {
		case <-time.After(r.takes):
		case <-ctx.Done():
			return r.deletes, ctx.Err()
		}
	}
	return r.deletes, r.fail[len(r.cutoffs)-1]
}

func (r *recorder) Store(context.Context, string, json.RawMessage, uint64) error { panic("not called") }

// run runs a keeper for a time, and returns what it logged at info level and above.
func run(t *testing.T, k *Keeper, duration time.Duration) string {
	t.Helper()
	var logged strings.Builder
	k.Logger = slog.New(slog.NewTextHandler(&logged, nil))
	ctx, cancel := context.WithTimeout(t.Context(), duration)
	defer cancel()
	if err := k.Run(ctx); err != nil {
		t.Errorf("Run: %v", err)
	}
	return logged.String()
}

func TestKeeperSweepsAtOnceAndThenEveryInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now().UTC()
		r := &recorder{}
		k := Keeper{Backend: r, Policy: Policy{MaxAge: time.Hour}, Interval: 10 * time.Minute}
		run(t, &k, 35*time.Minute)
		var want []time.Time
		for i := range 4 {
			want = append(want, start.Add(-time.Hour+time.Duration(i)*10*time.Minute))
		}
		if diff := cmp.Diff(want, r.cutoffs); diff != "" {
			t.Errorf("cutoffs (-want +got):\n%s", diff)
		}
	})
}

func TestKeeperDefaultInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{}
		run(t, &Keeper{Backend: r, Policy: Policy{MaxAge: time.Hour}}, 49*time.Hour)
		if len(r.cutoffs) != 3 {
			t.Errorf("%d sweeps in 49 h; want 3: at once, after 24 h, after 48 h", len(r.cutoffs))
		}
	})
}

func TestKeeperSweepsAgainAfterAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{fail: map[int]error{1: errors.New("the disk is on fire")}}
		k := Keeper{Backend: r, Policy: Policy{MaxAge: time.Hour}, Interval: time.Minute}
		logged := run(t, &k, 150*time.Second)
		if len(r.cutoffs) != 3 {
			t.Errorf("%d sweeps; want 3", len(r.cutoffs))
		}
		if strings.Count(logged, "the disk is on fire") != 1 {
			t.Errorf("logged %q; want the failure once", logged)
		}
	})
}

// TestKeeperEndsWithAPermanentError runs a keeper on a backend whose later Cleanups would fail,
// too.
func TestKeeperEndsWithAPermanentError(t *testing.T) {
	for _, failure := range []error{
		daybook.ErrReadOnly, daybook.ErrClosed, daybook.ErrFailed, daybook.ErrNotConfigured,
	} {
		synctest.Test(t, func(t *testing.T) {
			r := &recorder{fail: map[int]error{1: fmt.Errorf("the log: %w", failure)}}
			k := Keeper{Backend: r, Policy: Policy{MaxAge: time.Hour}, Interval: time.Minute}
			k.Logger = slog.New(slog.DiscardHandler)
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			if err := k.Run(ctx); !errors.Is(err, failure) || len(r.cutoffs) != 2 {
				t.Errorf("Run: %v after %d sweeps; want %v after 2", err, len(r.cutoffs), failure)
			}
		})
	}
}

func TestKeeperStopsInTheMiddleOfASweep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		r := &recorder{takes: time.Hour}
		logged := run(t, &Keeper{Backend: r, Policy: Policy{MaxAge: time.Hour}}, time.Minute)
		if took := time.Since(start); took != time.Minute {
			t.Errorf("Run returned %v after its context ended; want at once", took-time.Minute)
		}
		if logged != "" {
			t.Errorf("logged %q; want nothing, because an interruption is no failure", logged)
		}
	})
}

func TestKeeperLogsWhatItDeleted(t *testing.T) {
	tests := []struct {
		name    string
		backend *recorder
		want    string
	}{
		{"a complete sweep", &recorder{deletes: 7}, `level=INFO msg="daybook: swept" deleted=7 `},
		{"an interrupted sweep", &recorder{deletes: 7, takes: time.Hour},
			`level=INFO msg="daybook: a retention sweep was stopped before its end" deleted=7 `},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				logged := run(t, &Keeper{Backend: test.backend, Policy: Policy{MaxAge: time.Hour}}, time.Minute)
				if !strings.Contains(logged, test.want) || strings.Count(logged, "\n") != 1 {
					t.Errorf("logged %q; want one line with %q", logged, test.want)
				}
			})
		})
	}
}

func TestKeeperRefusesInvalidFields(t *testing.T) {
	tests := []struct {
		name   string
		keeper Keeper
		want   error
	}{
		{"no backend", Keeper{}, daybook.ErrNotConfigured},
		{"negative age", Keeper{Backend: &recorder{}, Policy: Policy{MaxAge: -1}}, daybook.ErrInvalidParams},
		{"negative interval", Keeper{Backend: &recorder{}, Interval: -1}, daybook.ErrInvalidParams},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			cancel() // so that a keeper that runs ends at once
			if err := test.keeper.Run(ctx); !errors.Is(err, test.want) {
				t.Errorf("Run: got %v; want %v", err, test.want)
			}
			if deleted, err := test.keeper.Sweep(ctx); deleted != 0 || !errors.Is(err, test.want) {
				t.Errorf("Sweep: got %d, %v; want %v", deleted, err, test.want)
			}
		})
	}
}

// TestKeeperByCount has a policy without ages: the keeper sweeps every Interval and does not look
// at the clock. A change of the rules of a running keeper has no effect.
func TestKeeperByCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		prunes := 0
		memory := backendtest.NewMemory()
		backend := failingPruner{memory, func(daybook.PruneParams) bool { prunes++; return false }}
		k := Keeper{Backend: backend, Policy: Policy{Rules: []Rule{{Pattern: glob("*"), MaxPerRecord: 1}}}}
		ctx, cancel := context.WithTimeout(t.Context(), 25*time.Hour)
		defer cancel()
		var logged strings.Builder
		before := slog.Default()
		slog.SetDefault(slog.New(slog.NewTextHandler(&logged, nil))) // the keeper has no Logger
		defer slog.SetDefault(before)
		done := make(chan error)
		go func() { done <- k.Run(ctx) }()
		synctest.Wait()
		k.Policy.Rules[0].MaxPerRecord = 100
		storeAt(t, backend, today, "a", "a", "a")
		time.Sleep(23 * time.Hour)
		wantCount(t, backend, 3, "before the second sweep")
		if err := <-done; err != nil || prunes != 2 {
			t.Errorf("%d prunes, %v; want 2", prunes, err)
		}
		wantCount(t, backend, 1, "after it")
		if strings.Count(logged.String(), "deleted=2") != 1 {
			t.Errorf("logged %q; want the second sweep", logged.String())
		}
		if state, err := memory.ClockState(t.Context()); state != nil || err != nil {
			t.Errorf("the state of the clock is %q, %v; want none", state, err)
		}
	})
}

// TestKeeperCopiesItsFields changes a running keeper, which must have no effect.
func TestKeeperCopiesItsFields(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{}
		k := Keeper{Backend: r, Policy: Policy{MaxAge: time.Hour}, Interval: time.Minute}
		k.Logger = slog.New(slog.DiscardHandler)
		ctx, cancel := context.WithTimeout(t.Context(), 150*time.Second)
		defer cancel()
		done := make(chan error)
		go func() { done <- k.Run(ctx) }()
		synctest.Wait()
		k = Keeper{}
		if err := <-done; err != nil || len(r.cutoffs) != 3 {
			t.Errorf("Run: %v after %d sweeps; want nil after 3", err, len(r.cutoffs))
		}
	})
}

// TestSweepInDoubt sweeps with a clock that cannot be believed: it deletes by count and what is old
// by the evidence, and nothing else. With the right time it deletes by age.
func TestSweepInDoubt(t *testing.T) {
	for _, ahead := range []time.Duration{-50 * year, 50 * year} {
		backend := backendtest.NewMemory()
		storeAt(t, backend, today.Add(-26*hour), "r0", "r1", "r2")
		storeAt(t, backend, today, "r0", "r1", "r2")
		storeAt(t, backend, today.Add(-time.Minute), "counted")
		storeAt(t, backend, today, "counted")
		var logged strings.Builder
		k := Keeper{
			Backend: backend,
			Policy:  Policy{Rules: []Rule{{Pattern: glob("counted"), MaxPerRecord: 1}}, MaxAge: day},
			Logger:  slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelWarn})),
		}
		f := newFakeClock(today, day)
		if _, err := f.look(t.Context(), backend); err != nil { // when it was right
			t.Fatal(err)
		}
		f.Known = f.Known.Add(-12 * hour) // so that nothing is old by what is known
		f.advance(0, ahead)
		if err := k.sweepAndLog(t.Context(), f.clock); err != nil {
			t.Error(err)
		}
		wantCount(t, backend, 7, "in doubt") // all but the one above MaxPerRecord
		if text := logged.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, ErrClock.Error()) {
			t.Errorf("logged %q; want one line with %q", text, ErrClock)
		}
		if deleted, err := k.apply(t.Context(), f.clock); deleted != 0 || !errors.Is(err, ErrClock) {
			t.Errorf("deleted %d, %v; want ErrClock", deleted, err)
		}

		logged.Reset()
		f.advance(0, -ahead)
		if err := k.sweepAndLog(t.Context(), f.clock); err != nil || logged.Len() > 0 {
			t.Errorf("with the right time: %v, logged %q", err, logged.String())
		}
		wantCount(t, backend, 4, "with the right time")
	}
}

func wantCount(t *testing.T, backend daybook.Backend, want int, when string) {
	t.Helper()
	values, err := backend.Query(t.Context(), "*", daybook.QueryParams{})
	if err != nil || len(values) != want {
		t.Errorf("%s: %d values remain, %v; want %d", when, len(values), err, want)
	}
}

// TestKeeperWithAgesInRulesAlone has a policy without a MaxAge of its own.
func TestKeeperWithAgesInRulesAlone(t *testing.T) {
	backend := backendtest.NewMemory()
	storeAt(t, backend, today.Add(-2*hour), "a", "b")
	storeAt(t, backend, today, "a", "b")
	k := Keeper{Backend: backend, Policy: Policy{Rules: []Rule{{Pattern: glob("a"), MaxAge: hour}}}}
	if deleted, err := k.apply(t.Context(), newFakeClock(today, hour).clock); deleted != 1 || err != nil {
		t.Errorf("deleted %d, %v; want the old value of a", deleted, err)
	}
}

// failingPruner fails in the Prunes for which fails returns true.
type failingPruner struct {
	*backendtest.Memory
	fails func(daybook.PruneParams) bool
}

var errPruner = errors.New("the disk is on fire")

func (p failingPruner) Prune(ctx context.Context, pattern string, params daybook.PruneParams) (uint64, error) {
	if p.fails(params) {
		return 0, errPruner
	}
	return p.Memory.Prune(ctx, pattern, params)
}

// TestSweepReturnsErrors fails each kind of Prune that a sweep calls.
func TestSweepReturnsErrors(t *testing.T) {
	tests := []struct {
		name  string
		fails func(daybook.PruneParams) bool
		ahead time.Duration // of the clock
		says  string        // the text starts with it
	}{
		{"a rule's", func(p daybook.PruneParams) bool { return p.MaxPerRecord > 0 }, 0, `the rule for "a": `},
		{"that for MaxAge", func(p daybook.PruneParams) bool { return p.OlderThan > 0 && p.MaxPerRecord == 0 }, 0,
			`the rule for "*": `},
		{"that for MaxBytes", func(p daybook.PruneParams) bool { return p.MaxBytes > 0 }, 0, "MaxBytes: "},
		{"that by uptime", func(p daybook.PruneParams) bool { return p.StoredThrough != nil }, 9 * year,
			`the rule for "*": `},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			backend := failingPruner{backendtest.NewMemory(), test.fails}
			storeAt(t, backend, today, "a", "b")
			k := Keeper{Backend: backend, Policy: Policy{
				Rules: []Rule{{Pattern: glob("a"), MaxPerRecord: 1}}, MaxAge: day, MaxBytes: 1 << 20,
			}}
			f := newFakeClock(today, day)
			if _, err := f.look(t.Context(), backend); err != nil {
				t.Fatal(err)
			}
			f.advance(2*day, test.ahead)
			_, err := k.apply(t.Context(), f.clock)
			if !errors.Is(err, errPruner) || !strings.HasPrefix(err.Error(), test.says) {
				t.Errorf("got %v; want %v, which says %q", err, errPruner, test.says)
			}
		})
	}
}

// TestKeeperByAnotherClock runs a keeper for ten days by a clock of its own, which jumps back to
// 1970 and ahead by a year. Nothing that is younger than its maximum age is deleted, and each sweep
// reports its result.
func TestKeeperByAnotherClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		backend := backendtest.NewMemory()
		var now atomic.Pointer[func() time.Time]
		set := func(clock func() time.Time) { now.Store(&clock) }
		set(time.Now)
		keeper := Keeper{Policy: Policy{MaxAge: 48 * time.Hour}, Interval: time.Hour, Backend: backend,
			Logger: slog.New(slog.DiscardHandler), Now: func() time.Time { return (*now.Load())() }}
		var sweeps []Swept
		keeper.OnSweep = func(s Swept) { sweeps = append(sweeps, s) }
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		ended := make(chan error)
		go func() { ended <- keeper.Run(ctx) }()
		time.Sleep(30 * time.Minute) // what follows is between two sweeps
		for day := range 10 {
			switch day {
			case 3:
				set(func() time.Time { return time.Unix(1000, 0) })
			case 4:
				set(func() time.Time { return time.Now().AddDate(1, 0, 0) })
			case 5:
				set(time.Now)
			}
			for range 24 {
				if err := backend.Store(ctx, "r", json.RawMessage("1"), daybook.Now()); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Hour)
			}
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		remaining, err := backend.Query(t.Context(), "r", daybook.Latest(0).OldestFirst())
		if err != nil || len(remaining) < 48 || len(remaining) > 50 {
			t.Fatalf("%d values remain, %v; want those of the last 48 hours", len(remaining), err)
		}
		deleted, doubted := uint64(0), 0
		for i, s := range sweeps {
			deleted += s.Deleted
			if errors.Is(s.Err, ErrClock) {
				doubted++
			} else if s.Err != nil {
				t.Errorf("sweep %d: %v", i, s.Err)
			}
		}
		if len(sweeps) < 240 || doubted < 47 || deleted != 240-uint64(len(remaining)) {
			t.Errorf("%d sweeps, %d of them in doubt, deleted %d of 240 values; %d remain",
				len(sweeps), doubted, deleted, len(remaining))
		}
		if s := sweeps[3*24+1]; s.At != time.Unix(1000, 0) {
			t.Errorf("a sweep on the fourth day was at %v; want the keeper's clock", s.At)
		}
	})
}

func TestParsePolicy(t *testing.T) {
	want := Policy{MaxAge: time.Hour}
	for _, text := range []string{"max_age: 1h", `{"max_age": "1h"}`} {
		got, err := ParsePolicy([]byte(text))
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", text, err, diff)
		}
	}
	got, err := ParsePolicy([]byte("max_age: 1h\nmax_agee: 2h"))
	if wrong := (*PolicyError)(nil); !errors.As(err, &wrong) || wrong.Line != 2 || cmp.Diff(Policy{}, got) != "" {
		t.Errorf("got %+v, %v; want no policy, and an error about line 2", got, err)
	}
}
