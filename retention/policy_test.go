// SPDX-License-Identifier: Apache-2.0

package retention

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
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

// glob returns a pattern in the syntax of globs.
func glob(text string) daybook.Pattern { return daybook.Pattern{Text: text} }

var now = time.UnixMilli(1_000_000).UTC()

// TestPolicyMatchesModel compares the values that a policy keeps with those that a simple model
// keeps.
func TestPolicyMatchesModel(t *testing.T) {
	names := []string{"a", "a.b", "a.b.c", "b", "b.c"}
	patterns := []daybook.Pattern{
		{Text: "*"}, {Text: "a*"}, {Text: "a"}, {Text: "b.?"}, {Text: `b\.c`},
		{Text: "#", Syntax: daybook.Topic}, {Text: "a.*", Syntax: daybook.Topic},
		{Text: "*", Syntax: daybook.Topic}, {Text: "a.#", Syntax: daybook.Topic},
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
		policy := drawPolicy(t, patterns)
		at := now
		if rapid.Bool().Draw(t, "without a time") {
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
		if diff := gocmp.Diff(want, texts(got)); diff != "" {
			t.Fatalf("%+v: -want +got\n%s", policy, diff)
		}
	})
}

func drawPolicy(t *rapid.T, patterns []daybook.Pattern) Policy {
	age := rapid.Map(rapid.IntRange(0, 20), func(ms int) time.Duration { return time.Duration(ms) * time.Millisecond })
	policy := Policy{MaxAge: age.Draw(t, "age of the others")}
	for range rapid.IntRange(0, 4).Draw(t, "rules") {
		pattern := rapid.SampledFrom(patterns).Draw(t, "pattern")
		rule := Rule{Pattern: pattern, MaxAge: age.Draw(t, "age")}
		rule.MaxPerRecord = rapid.IntRange(0, 5).Draw(t, "max per record")
		if rule.MaxAge > 0 {
			rule.KeepNewest = rapid.IntRange(0, cmp.Or(rule.MaxPerRecord, 5)).Draw(t, "keep newest")
		}
		policy.Rules = append(policy.Rules, rule)
	}
	return policy
}

// kept returns the texts of the values that a policy keeps.
func kept(t *rapid.T, policy Policy, stored []daybook.StoredValue, at time.Time) []string {
	byName := map[string][]daybook.StoredValue{}
	for _, v := range stored {
		byName[v.RecordName] = append(byName[v.RecordName], v)
	}
	var all []daybook.StoredValue
	for name, history := range byName {
		slices.SortStableFunc(history, func(a, b daybook.StoredValue) int {
			return cmp.Compare(a.StoredAt, b.StoredAt)
		})
		slices.Reverse(history)
		rule := ruleOf(t, policy, name)
		for i, v := range history {
			old := !at.IsZero() && rule.MaxAge > 0 && v.StoredAt < uint64(at.Add(-rule.MaxAge).UnixMilli())
			if (!old || i < rule.KeepNewest) && (rule.MaxPerRecord == 0 || i < rule.MaxPerRecord) {
				all = append(all, v)
			}
		}
	}
	return texts(all)
}

func ruleOf(t *rapid.T, policy Policy, name string) Rule {
	for _, rule := range policy.Rules {
		pattern, err := index.Compile(rule.Pattern)
		if err != nil {
			t.Fatal(err)
		}
		if pattern.Match(name) {
			return rule
		}
	}
	return Rule{MaxAge: policy.MaxAge}
}

// texts returns a text for each value, sorted.
func texts(values []daybook.StoredValue) []string {
	sorted := []string{}
	for _, v := range values {
		sorted = append(sorted, fmt.Sprintf("%s %d %s", v.RecordName, v.StoredAt, v.Value))
	}
	slices.Sort(sorted)
	return sorted
}

func TestPolicyRefusesInvalidRules(t *testing.T) {
	memory := backendtest.NewMemory()
	noPruner := struct{ daybook.Backend }{memory}
	tests := []struct {
		name    string
		backend daybook.Backend
		rule    Rule
		want    error
		says    string
	}{
		{"no pattern", memory, Rule{}, daybook.ErrInvalidParams, "Rules[1]"},
		{"negative age", memory, Rule{Pattern: glob("x*"), MaxAge: -1}, daybook.ErrInvalidParams, `Rules[1] ("x*")`},
		{"negative MaxPerRecord", memory, Rule{Pattern: glob("x*"), MaxPerRecord: -1},
			daybook.ErrInvalidParams, `Rules[1] ("x*")`},
		{"KeepNewest above MaxPerRecord", memory, Rule{Pattern: glob("x*"), MaxPerRecord: 1, KeepNewest: 2},
			daybook.ErrInvalidParams, `Rules[1] ("x*")`},
		{"KeepNewest without MaxAge", memory, Rule{Pattern: glob("x*"), MaxPerRecord: 3, KeepNewest: 2},
			daybook.ErrInvalidParams, "without a MaxAge"},
		{"unknown syntax", memory, Rule{Pattern: daybook.Pattern{Text: "x*", Syntax: 7}},
			daybook.ErrInvalidParams, `Rules[1] ("x*")`},
		{"malformed pattern", memory, Rule{Pattern: glob(`x\`)}, daybook.ErrInvalidPattern, "Rules[1]"},
		{"no Pruner", noPruner, Rule{Pattern: glob("x*")}, errors.ErrUnsupported, "MaxAge alone"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			k := Keeper{Backend: test.backend, Policy: Policy{Rules: []Rule{{Pattern: glob("a")}, test.rule}}}
			ctx, cancel := context.WithCancel(t.Context())
			cancel() // so that a keeper that runs ends at once
			err := k.Run(ctx)
			if !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("Run: %v; want %v that says %s", err, test.want, test.says)
			}
		})
	}
}

// TestMaxBytes applies MaxBytes to the values that the rules keep, at a time and without a time.
func TestMaxBytes(t *testing.T) {
	backend := backendtest.NewMemory()
	for i := range uint64(10) {
		for _, name := range []string{"a", "b"} {
			if err := backend.Store(t.Context(), name, json.RawMessage("1000"), uint64(now.UnixMilli())-i); err != nil {
				t.Fatal(err)
			}
		}
	}
	policy := Policy{Rules: []Rule{{Pattern: glob("b"), MaxPerRecord: 2}}, MaxBytes: 20}
	for _, at := range []time.Time{now, {}} {
		want := uint64(8 + 7) // 8 values of b by the rule, then 7 of a, so that 5 values of 4 bytes are kept
		if at.IsZero() {
			want = 0
		}
		if deleted, err := policy.Apply(t.Context(), backend, at); err != nil || deleted != want {
			t.Errorf("at %v: deleted %d, %v; want %d", at, deleted, err, want)
		}
	}
	got, err := backend.Query(t.Context(), "*", daybook.QueryParams{})
	if err != nil || len(got) != 5 {
		t.Errorf("%d values are kept, %v; want the newest three of a and two of b", len(got), err)
	}
	_, err = Policy{MaxBytes: 1}.Apply(t.Context(), struct{ daybook.Backend }{backend}, now)
	if !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("MaxBytes with a backend that is no Pruner: got %v; want errors.ErrUnsupported", err)
	}
}

// TestMaxBytesSparesTheNewest has a configuration that is the oldest value of all.
func TestMaxBytesSparesTheNewest(t *testing.T) {
	backend := backendtest.NewMemory()
	store := func(name string, timestamp uint64) {
		t.Helper()
		if err := backend.Store(t.Context(), name, json.RawMessage("1000"), timestamp); err != nil {
			t.Fatal(err)
		}
	}
	store("config", 1)
	for i := range uint64(10) {
		store("sensor", 100+i)
	}
	for _, maxBytes := range []uint64{20, 1} {
		if _, err := (Policy{MaxBytes: maxBytes}).Apply(t.Context(), backend, time.Time{}); err != nil {
			t.Fatal(err)
		}
		got, err := backend.Query(t.Context(), "*", daybook.Latest(1))
		if err != nil || len(got) != 2 || got[0].StoredAt != 1 || got[1].StoredAt != 109 {
			t.Errorf("MaxBytes %d: %v, %v; want the newest value of both records", maxBytes, got, err)
		}
	}
}

// TestMaxBytesAndRules has a rule that keeps everything, and one that keeps the newest ten.
func TestMaxBytesAndRules(t *testing.T) {
	backend := backendtest.NewMemory()
	for i := range uint64(40) {
		for _, name := range []string{"alarm.a", "config.a", "sensor.a"} {
			if err := backend.Store(t.Context(), name, json.RawMessage("1000"), i); err != nil {
				t.Fatal(err)
			}
		}
	}
	policy := Policy{MaxBytes: 1, Rules: []Rule{
		{Pattern: glob("alarm.*"), MaxAge: time.Hour, KeepNewest: 10},
		{Pattern: glob("config.*")},
	}}
	if _, err := policy.Apply(t.Context(), backend, time.Time{}); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int{"alarm.a": 10, "config.a": 40, "sensor.a": 10} {
		got, err := backend.Query(t.Context(), name, daybook.QueryParams{})
		if err != nil || len(got) != want {
			t.Errorf("%s has %d values, %v; want %d", name, len(got), err, want)
		}
	}
}

func TestPolicyApply(t *testing.T) {
	now := time.UnixMilli(1_000_000).UTC()
	tests := []struct {
		name   string
		policy Policy
		want   []time.Time
		reason string
	}{
		{"an age", Policy{MaxAge: time.Second}, []time.Time{time.UnixMilli(999_000).UTC()},
			"the cutoff is the time minus the age"},
		{"no age", Policy{}, nil, "the zero policy keeps everything"},
		{"an age before 1970", Policy{MaxAge: time.Hour}, nil, "a cutoff before 1970 must not become a huge uint64"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := &recorder{}
			if _, err := test.policy.Apply(t.Context(), r, now); err != nil {
				t.Fatal(err)
			}
			if diff := gocmp.Diff(test.want, r.cutoffs); diff != "" {
				t.Errorf("%s (-want +got):\n%s", test.reason, diff)
			}
		})
	}
}
