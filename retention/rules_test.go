// SPDX-License-Identifier: Apache-2.0

package retention

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/backendtest"
	"github.com/daybook-db/daybook/index"
)

var now = time.UnixMilli(1_000_000).UTC()

// TestRules holds a sweep against what each value's rule says of it.
func TestRules(t *testing.T) {
	names := []string{"a", "a.b", "a.b.c", "b", "b.c"}
	patterns := []daybook.Pattern{
		{Text: "*"}, {Text: "a*"}, {Text: "a"}, {Text: "b.?"}, {Text: `b\.c`},
		{Text: "#", Syntax: daybook.Topic}, {Text: "a.*", Syntax: daybook.Topic}, {Text: "*", Syntax: daybook.Topic}, {Text: "a.#", Syntax: daybook.Topic},
	}
	rapid.Check(t, func(t *rapid.T) {
		backend := backendtest.NewMemory()
		var stored []daybook.StoredValue
		for i := range rapid.IntRange(0, 60).Draw(t, "values") {
			v := daybook.StoredValue{
				RecordName: rapid.SampledFrom(names).Draw(t, "name"),
				Value:      json.RawMessage(fmt.Sprint(i)),
				StoredAt:   uint64(now.UnixMilli()) - rapid.Uint64Range(0, 20).Draw(t, "age"),
			}
			if err := backend.Store(t.Context(), v.RecordName, v.Value, v.StoredAt); err != nil {
				t.Fatal(err)
			}
			stored = append(stored, v)
		}
		age := rapid.Map(rapid.IntRange(0, 20), func(ms int) time.Duration { return time.Duration(ms) * time.Millisecond })
		policy := Policy{MaxAge: age.Draw(t, "rest")}
		for range rapid.IntRange(0, 4).Draw(t, "rules") {
			pattern := rapid.SampledFrom(patterns).Draw(t, "pattern")
			rule := Rule{Pattern: pattern.Text, Syntax: pattern.Syntax, MaxAge: age.Draw(t, "age"), MaxPerRecord: rapid.IntRange(0, 5).Draw(t, "most")}
			rule.KeepNewest = rapid.IntRange(0, cmp.Or(rule.MaxPerRecord, 5)).Draw(t, "kept")
			policy.Rules = append(policy.Rules, rule)
		}
		at := now
		if rapid.Bool().Draw(t, "unbelieved") {
			at = time.Time{}
		}
		want := kept(t, policy, stored, at)
		deleted, err := policy.Apply(t.Context(), backend, at)
		if err != nil || deleted != uint64(len(stored)-len(want)) {
			t.Fatalf("Apply = %d, %v; want %d", deleted, err, len(stored)-len(want))
		}
		got, err := backend.Query(t.Context(), "*", daybook.QueryParams{})
		if err != nil {
			t.Fatal(err)
		}
		if diff := gocmp.Diff(want, values(got)); diff != "" {
			t.Fatalf("%+v: -want +got\n%s", policy, diff)
		}
	})
}

// kept returns the values that a policy keeps, in order.
func kept(t *rapid.T, policy Policy, stored []daybook.StoredValue, at time.Time) []string {
	byName := map[string][]daybook.StoredValue{}
	for _, v := range stored {
		byName[v.RecordName] = append(byName[v.RecordName], v)
	}
	var all []daybook.StoredValue
	for name, history := range byName {
		slices.SortStableFunc(history, func(a, b daybook.StoredValue) int { return cmp.Compare(a.StoredAt, b.StoredAt) })
		slices.Reverse(history)
		rule := ruleOf(t, policy, name)
		for i, v := range history {
			old := !at.IsZero() && rule.MaxAge > 0 && v.StoredAt < uint64(at.Add(-rule.MaxAge).UnixMilli())
			if (!old || i < rule.KeepNewest) && (rule.MaxPerRecord == 0 || i < rule.MaxPerRecord) {
				all = append(all, v)
			}
		}
	}
	return values(all)
}

func ruleOf(t *rapid.T, policy Policy, name string) Rule {
	for _, rule := range policy.Rules {
		pattern, err := index.Compile(rule.Pattern, rule.Syntax)
		if err != nil {
			t.Fatal(err)
		}
		if pattern.Match(name) {
			return rule
		}
	}
	return Rule{MaxAge: policy.MaxAge}
}

// values are sorted texts, easy to compare.
func values(stored []daybook.StoredValue) []string {
	texts := []string{}
	for _, v := range stored {
		texts = append(texts, fmt.Sprintf("%s %d %s", v.RecordName, v.StoredAt, v.Value))
	}
	slices.Sort(texts)
	return texts
}

func TestPolicyRefuses(t *testing.T) {
	plain := struct{ daybook.Backend }{backendtest.NewMemory()} // no Pruner
	tests := []struct {
		name    string
		backend daybook.Backend
		rule    Rule
		want    error
		says    string
	}{
		{"no pattern", backendtest.NewMemory(), Rule{}, daybook.ErrInvalidParams, "Rules[1]"},
		{"negative age", backendtest.NewMemory(), Rule{Pattern: "x*", MaxAge: -1}, daybook.ErrInvalidParams, `Rules[1] ("x*")`},
		{"negative count", backendtest.NewMemory(), Rule{Pattern: "x*", MaxPerRecord: -1}, daybook.ErrInvalidParams, `Rules[1] ("x*")`},
		{"more kept than the most", backendtest.NewMemory(), Rule{Pattern: "x*", MaxPerRecord: 1, KeepNewest: 2}, daybook.ErrInvalidParams, `Rules[1] ("x*")`},
		{"unknown syntax", backendtest.NewMemory(), Rule{Pattern: "x*", Syntax: 7}, daybook.ErrInvalidParams, `Rules[1] ("x*")`},
		{"malformed pattern", backendtest.NewMemory(), Rule{Pattern: `x\`}, daybook.ErrInvalidPattern, "Rules[1]"},
		{"no Pruner", plain, Rule{Pattern: "x*"}, errors.ErrUnsupported, "MaxAge alone"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			k := Keeper{Backend: test.backend, Policy: Policy{Rules: []Rule{{Pattern: "a"}, test.rule}}}
			if err := k.Run(t.Context()); !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("Run: %v; want %v that says %s", err, test.want, test.says)
			}
		})
	}
}

// fakeClock is a clock whose two times are set by hand.
type fakeClock struct {
	*clock
	wallTime time.Time
	passed   time.Duration
}

func newFakeClock() *fakeClock {
	f := &fakeClock{wallTime: now}
	f.clock = &clock{wall: func() time.Time { return f.wallTime }, elapsed: func() time.Duration { return f.passed }, maxJump: 24 * time.Hour, settle: 24 * time.Hour}
	return f
}

// pass lets time pass, with a jump of the wall clock.
func (f *fakeClock) pass(passed, jump time.Duration) {
	f.wallTime = f.wallTime.Add(passed + jump)
	f.passed += passed
}

func TestClockJumps(t *testing.T) {
	type sweep struct {
		passed, jump time.Duration
		doubted      bool
	}
	const day, hour, years = 24 * time.Hour, time.Hour, 72 * 365 * 24 * time.Hour
	tests := []struct {
		name   string
		sweeps []sweep
	}{
		{"steady", []sweep{{hour, 0, false}, {30 * day, 0, false}, {hour, 0, false}}},
		{"set a little", []sweep{{hour, hour, false}, {hour, -hour, false}, {hour, day, false}, {hour, day, false}}},
		{"a moment in another century", []sweep{{hour, years, true}, {hour, 0, true}, {hour, -years, false}, {hour, 0, false}}},
		{"asleep for a week", []sweep{{hour, 7 * day, true}, {23 * hour, 0, true}, {hour, 0, false}, {hour, 0, false}}},
		{"jumping on and on", []sweep{{hour, 2 * day, true}, {20 * hour, 2 * day, true}, {20 * hour, 2 * day, true}, {20 * hour, 2 * day, true}, {day, 0, false}}},
		{"set back, and right again", []sweep{{hour, -years, false}, {hour, 0, false}, {hour, years, false}, {hour, 0, false}}},
		{"set back, and too far ahead", []sweep{{hour, -years, false}, {hour, years + 2*day, true}, {day, 0, false}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := newFakeClock()
			sweeps := append([]sweep{{0, 0, false}}, test.sweeps...)
			for i, s := range sweeps {
				f.pass(s.passed, s.jump)
				_, doubt, err := f.now(t.Context(), backendtest.NewMemory())
				if err != nil || (doubt != "") != s.doubted {
					t.Fatalf("sweep %d: doubt %q, %v; want some: %v", i, doubt, err, s.doubted)
				}
			}
		})
	}
	f := newFakeClock()
	f.maxJump = -1
	for range 2 {
		if _, doubt, err := f.now(t.Context(), backendtest.NewMemory()); doubt != "" || err != nil {
			t.Errorf("without a bound: doubt %q, %v", doubt, err)
		}
		f.pass(time.Hour, years)
	}
}

// TestClockBehindAndAhead is behind what was stored, and then in another century: the one doubt is no reason to believe
// the other, whatever is stored meanwhile.
func TestClockBehindAndAhead(t *testing.T) {
	const hour, year = time.Hour, 365 * 24 * time.Hour
	type sweep struct {
		passed, jump time.Duration
		stores       bool // before it, a value of every record, by the same clock
		doubted      bool
	}
	tests := []struct {
		name   string
		first  time.Duration // from the right time
		sweeps []sweep
	}{
		{"behind from the start", -50 * year, []sweep{{0, 0, false, true}, {hour, 120 * year, false, true}, {hour, 0, true, true}, {hour, -70 * year, true, true}}},
		{"behind from the start, and then right", -50 * year, []sweep{{0, 0, false, true}, {hour, 50 * year, true, true}, {24 * hour, 0, true, false}}},
		{"ahead, behind and ahead", 0, []sweep{{0, 0, true, false}, {hour, 70 * year, false, true}, {hour, -120 * year, false, true}, {23 * hour, 120 * year, false, true}}},
		{"ahead twice, and stored", 0, []sweep{{0, 0, true, false}, {hour, 70 * year, true, true}, {hour, -70 * year, true, true}, {23 * hour, 70 * year, false, true}}},
		{"right after it stored ahead", 0, []sweep{{0, 0, true, false}, {hour, 70 * year, true, true}, {hour, -70 * year, true, true}, {24 * hour, 0, true, false}, {hour, 0, true, false}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			backend := backendtest.NewMemory()
			store := func(at time.Time) {
				t.Helper()
				for _, name := range []string{"a", "b", "c"} {
					if err := backend.Store(t.Context(), name, json.RawMessage("1"), uint64(max(at.UnixMilli(), 0))); err != nil {
						t.Fatal(err)
					}
				}
			}
			right := now.Add(55 * year)
			store(right)
			f := newFakeClock()
			f.wallTime = right.Add(test.first)
			for i, s := range test.sweeps {
				f.pass(s.passed, s.jump)
				if s.stores {
					store(f.wallTime)
				}
				_, doubt, err := f.now(t.Context(), backend)
				if err != nil || (doubt != "") != s.doubted {
					t.Fatalf("sweep %d: doubt %q, %v; want some: %v", i, doubt, err, s.doubted)
				}
			}
		})
	}
}

// TestClockBehind starts before what was stored, and finds out the time later.
func TestClockBehind(t *testing.T) {
	backend := backendtest.NewMemory()
	store := func(name string, at time.Time) {
		t.Helper()
		if err := backend.Store(t.Context(), name, json.RawMessage("1"), uint64(at.UnixMilli())); err != nil {
			t.Fatal(err)
		}
	}
	count := func() int {
		t.Helper()
		stored, err := backend.Query(t.Context(), "*", daybook.QueryParams{})
		if err != nil {
			t.Fatal(err)
		}
		return len(stored)
	}
	const year = 365 * 24 * time.Hour
	today := now.Add(50 * year)
	for i := range 3 {
		store(fmt.Sprint("r", i), today.Add(-2*time.Hour))
		store(fmt.Sprint("r", i), today.Add(30*time.Second)) // of a device whose clock is a little ahead
	}
	store("from the future", today.Add(50*year))
	store("counted", today.Add(-90*time.Minute))
	store("counted", today)

	var logged strings.Builder
	logger := slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelWarn}))
	k := Keeper{Backend: backend, Policy: Policy{Rules: []Rule{{Pattern: "counted", MaxPerRecord: 1}}, MaxAge: time.Hour}, Logger: logger}
	f := newFakeClock()
	f.wallTime = today.Add(-90 * time.Minute)
	sweep := func() {
		if err := k.sweep(t.Context(), f.clock); err != nil {
			t.Error(err)
		}
	}
	sweep()
	if got := count(); got != 8 {
		t.Errorf("%d values are left by a sweep with a clock that is behind; want 8, all but the one too many", got)
	}
	if text := logged.String(); !strings.Contains(text, "5 of 5 records, up to "+today.Add(50*year).Local().Format(time.RFC3339)+"; it is believed once") || strings.Count(text, "\n") != 1 {
		t.Errorf("logged %q", text)
	}
	if deleted, err := k.apply(t.Context(), f.clock); deleted != 0 || !errors.Is(err, ErrClock) || strings.Contains(err.Error(), "it is believed once") {
		t.Errorf("deleted %d, %v; want ErrClock, and no promise of another sweep", deleted, err)
	}
	logged.Reset()
	f.wallTime = today
	sweep()
	if got := count(); got != 5 || logged.Len() > 0 {
		t.Errorf("%d values are left by a sweep when the time is known; want 5; logged %q", got, logged.String())
	}
}

func TestFormattedTimes(t *testing.T) {
	for ms, want := range map[uint64]string{
		1_764_000_000_000:   time.UnixMilli(1_764_000_000_000).Format(time.RFC3339),
		253_402_300_800_000: "253402300800000 (Unix ms)",
	} {
		if got := formatted(ms); got != want {
			t.Errorf("%d: %q; want %q", ms, got, want)
		}
	}
}

// TestClockAsksNobody sweeps by age a backend that knows no records, and by count without looking at the clock.
func TestClockAsksNobody(t *testing.T) {
	plain := &recorder{}
	k := Keeper{Backend: plain, Policy: Policy{MaxAge: time.Minute}, Logger: slog.New(slog.DiscardHandler)}
	f := newFakeClock()
	if err := k.sweep(t.Context(), f.clock); err != nil || len(plain.cutoffs) != 1 {
		t.Errorf("%d cleanups, %v; want 1", len(plain.cutoffs), err)
	}
	listing := &failingLister{Memory: backendtest.NewMemory()}
	k = Keeper{Backend: listing, Policy: Policy{Rules: []Rule{{Pattern: "*", MaxPerRecord: 1}}}, Logger: k.Logger}
	if _, err := k.apply(t.Context(), f.clock); err != nil {
		t.Errorf("by count: %v", err)
	}
	k.Policy.MaxAge = time.Minute
	if _, err := k.apply(t.Context(), f.clock); !errors.Is(err, errLister) {
		t.Errorf("by age, of a backend that cannot list its records: %v; want its error", err)
	}
}

var errLister = errors.New("no list")

type failingLister struct{ *backendtest.Memory }

func (*failingLister) Records(context.Context, string, daybook.PatternSyntax) iter.Seq2[daybook.RecordInfo, error] {
	return func(yield func(daybook.RecordInfo, error) bool) { yield(daybook.RecordInfo{}, errLister) }
}

// TestMaxBytes is for what the rules leave, and needs no clock that is believed.
func TestMaxBytes(t *testing.T) {
	backend := backendtest.NewMemory()
	for i := range uint64(10) {
		for _, name := range []string{"a", "b"} {
			if err := backend.Store(t.Context(), name, json.RawMessage("1000"), uint64(now.UnixMilli())-i); err != nil {
				t.Fatal(err)
			}
		}
	}
	policy := Policy{Rules: []Rule{{Pattern: "b", MaxPerRecord: 2}}, MaxBytes: 20}
	for _, at := range []time.Time{now, {}} {
		want := uint64(8 + 7) // of b, and then of a, with which 5 of 12 values are left
		if at.IsZero() {
			want = 0
		}
		if deleted, err := policy.Apply(t.Context(), backend, at); err != nil || deleted != want {
			t.Errorf("at %v: deleted %d, %v; want %d", at, deleted, err, want)
		}
	}
	got, err := backend.Query(t.Context(), "*", daybook.QueryParams{})
	if err != nil || len(got) != 5 {
		t.Errorf("%d values are left, %v; want the newest three of a and two of b", len(got), err)
	}
	_, err = Policy{MaxBytes: 1}.Apply(t.Context(), struct{ daybook.Backend }{backend}, now)
	if !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("with a backend that is no Pruner: %v", err)
	}
}
