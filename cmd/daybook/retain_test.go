// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/retention"
)

const goodRules = `
max_age: 7d
rules:
  - pattern: "alarm.*"
    max_age: 1h30m
    keep_newest: 2
  - {topic: "plant.#", max_per_record: 3}
`

var goodPolicy = retention.Policy{
	MaxAge: 7 * 24 * time.Hour,
	Rules: []retention.Rule{
		{Pattern: "alarm.*", MaxAge: 90 * time.Minute, KeepNewest: 2},
		{Pattern: "plant.#", Syntax: daybook.Topic, MaxPerRecord: 3},
	},
}

func writeRules(t *testing.T, text string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestReadRules(t *testing.T) {
	json := `{"max_age": "7d", "rules": [{"pattern": "alarm.*", "max_age": "1h30m", "keep_newest": 2}, {"topic": "plant.#", "max_per_record": 3}]}`
	for _, text := range []string{goodRules, json} {
		got, err := readRules(writeRules(t, text))
		if diff := cmp.Diff(goodPolicy, got); err != nil || diff != "" {
			t.Errorf("%s\nerror %v, -want +got:\n%s", text, err, diff)
		}
	}
}

// TestBadRules wants the line and what is wrong with it, on one line, and nothing deleted.
func TestBadRules(t *testing.T) {
	tests := []struct{ name, text, says string }{
		{"unknown key", "max_age: 7d\nmax_agee: 1h\n", `line 2: "max_agee" is unknown: want max_age, max_bytes, rules`},
		{"a size without sense", "max_age: 7d\nmax_bytes: much\n", `line 2: max_bytes is "much"; want a number and a unit`},
		{"a negative size", "max_bytes: -1MB\n", `line 1: max_bytes is "-1MB"; want a number and a unit`},
		{"no size at all", "max_bytes: 0\n", `line 1: max_bytes is "0"; want more than 0`},
		{"a size without a unit", "max_age: 7d\nmax_bytes: 500\n", `line 2: max_bytes is "500"; want a unit, as in 500B, 500kB or 500MB`},
		{"a fraction without a unit", "max_bytes: 1.5\n", `line 1: max_bytes is "1.5"; want a unit, as in 1.5B`},
		{"unknown key of a rule", "rules:\n- pattern: a\n- pattern: b\n  max_years: 1\n", `line 4: "max_years" is unknown: want pattern or topic`},
		{"the same key twice", "max_age: 7d\nmax_age: 1h\n", "line 2: max_age is there twice"},
		{"merged keys", "<<: {rules: [{pattern: a, max_age: -1h}]}\n", `line 1: "<<" is unknown`},
		{"bad glob", "rules:\n- pattern: a\n- pattern: 'b\\'\n  max_age: 1h\n", `line 3: `},
		{"empty pattern", "rules:\n- pattern: ''\n", `line 2: `},
		{"no pattern", "rules:\n- max_age: 1h\n", "line 2: the rule has no pattern"},
		{"two patterns", "rules:\n- pattern: a\n  topic: b\n", "line 2: the rule has a pattern and a topic"},
		{"negative age", "rules:\n- pattern: a\n  keep_newest: 1\n  max_age: -1h\n", `line 4: max_age is "-1h"; want more than 0`},
		{"negative age of the rest", "# mine\nmax_age: -7d\n", `line 2: max_age is "-7d"; want more than 0`},
		{"an age without a unit", "max_age: 7\n", `line 1: max_age is "7"; want numbers and units`},
		{"an age too small to be meant", "max_age: 1ns\n", `line 1: max_age is "1ns"`},
		{"an age too long", "max_age: 200000d\n", `line 1: max_age is "200000d"; want numbers and units`},
		{"no age", "max_age:\n", "line 1: max_age has no value"},
		{"negative count", "rules:\n- pattern: a\n  max_per_record: -1\n", `line 3: max_per_record is "-1"`},
		{"no count at all", "rules:\n- pattern: a\n  max_per_record: 0\n", `line 3: max_per_record is 0; want more than 0, or none`},
		{"negative number kept", "rules:\n- pattern: a\n  keep_newest: -1\n", `line 3: keep_newest is "-1"`},
		{"an octal number", "rules:\n- pattern: a\n  max_per_record: 010\n", `line 3: max_per_record is "010"`},
		{"a fraction", "rules:\n- pattern: a\n  keep_newest: 2.9\n", `line 3: keep_newest is "2.9"`},
		{"no number", "rules:\n- pattern: a\n  keep_newest:\n", "line 3: keep_newest has no value"},
		{"more kept than the most", "rules:\n- pattern: a\n  keep_newest: 3\n  max_per_record: 2\n", "line 2: keep_newest is 3"},
		{"a word for a number", "rules:\n- pattern: a\n  max_per_record: many\n", `line 3: max_per_record is "many"`},
		{"an empty rule", "rules:\n-\n- pattern: a\n", "line 2: want names and values"},
		{"rules that are no list", "rules: {pattern: a}\n", "line 1: rules is no list"},
		{"no rules", "rules:\n", "line 1: rules is no list"},
		{"no YAML", "rules: [\n", "line "},
		{"a list", "- a\n", "line 1: want names and values"},
		{"empty", "", "nothing in it that deletes"},
		{"comments alone", "# nothing\n", "nothing in it that deletes"},
		{"two documents", "max_age: 7d\n---\nmax_age: 1h\n", "more than one document"},
	}
	dir := filledDir(t, someValues()...)
	before := stored(t, dir)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := writeRules(t, test.text)
			got := run(t, "", "retain", "--once", "--rules", path, "--dir", dir)
			if got.status != statusFailed || !strings.Contains(got.err, path+": ") || !strings.Contains(got.err, test.says) || strings.Count(got.err, "\n") != 1 {
				t.Errorf("status %d, stderr %q; want one line with %q", got.status, got.err, test.says)
			}
		})
	}
	if diff := cmp.Diff(before, stored(t, dir)); diff != "" {
		t.Errorf("values (-before +after):\n%s", diff)
	}
}

func TestRetain(t *testing.T) {
	now := daybook.Now()
	var values []daybook.StoredValue
	for i := range uint64(5) {
		for _, name := range []string{"alarm.fire", "plant.line.state", "other"} {
			values = append(values, daybook.StoredValue{RecordName: name, Value: []byte("1"), StoredAt: now - i*uint64(3*time.Hour/time.Millisecond)})
		}
	}
	dir, rules := filledDir(t, values...), writeRules(t, goodRules)
	count := func(pattern string) int {
		return strings.Count(mustRun(t, "", "query", pattern, "--format", "ndjson", "--dir", dir), "\n")
	}
	if got := mustRun(t, "", "retain", "--once", "--rules", rules, "--dir", dir); !strings.HasPrefix(got, "deleted 5 values in ") {
		t.Errorf("output %q", got)
	}
	if a, p, o := count("alarm.*"), count("plant.*"), count("other"); a != 2 || p != 3 || o != 5 {
		t.Errorf("%d alarms, %d of the plant and %d others are left; want 2, 3 and 5", a, p, o)
	}
	var ahead []daybook.StoredValue
	for i := range uint64(3) {
		ahead = append(ahead, daybook.StoredValue{RecordName: "other", Value: []byte("1"), StoredAt: now + i + uint64(time.Hour/time.Millisecond)})
	}
	ahead = append(ahead, daybook.StoredValue{RecordName: "other", Value: []byte("1"), StoredAt: 1})
	dirAhead := filledDir(t, ahead...)
	behind := run(t, "", "retain", "--once", "--rules", rules, "--dir", dirAhead)
	says := "up to " + time.UnixMilli(int64(ahead[2].StoredAt)).Format(time.RFC3339) + ": set it, or if it is right, delete by age with \"daybook prune --older-than\""
	if behind.status == statusDone || strings.Contains(behind.err, "believed once") || !strings.Contains(behind.err, says) ||
		!strings.Contains(behind.err, "deleted 0 values; nothing was deleted by age, since the clock cannot be believed: at ") {
		t.Errorf("with a clock that is behind: %+v; want %q", behind, says)
	}
	if got := mustRun(t, "", "prune", "*", "--older-than", "7d", "--dir", dirAhead); !strings.HasPrefix(got, "deleted 1 value in ") {
		t.Errorf("prune with a clock that is behind: %q", got)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	var out, errOut strings.Builder
	if status := execute(ctx, []string{"retain", "--interval", "50ms", "--rules", rules, "--dir", dir}, strings.NewReader(""), &out, &errOut); status != 0 {
		t.Errorf("interrupted: status %d, stderr %q", status, errOut.String())
	}
	if n := strings.Count(errOut.String(), "daybook: swept"); n < 2 {
		t.Errorf("%d sweeps in 300 ms, one every 50; stderr %q", n, errOut.String())
	}
	if text := errOut.String(); strings.Count(text, "interrupted") != 1 || !strings.HasSuffix(text, "level=INFO msg=\"daybook: interrupted, there will be no more sweeps\"\n") {
		t.Errorf("stderr %q; want that it says at last that it ends", text)
	}
}
