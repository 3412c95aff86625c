// SPDX-License-Identifier: Apache-2.0

package retention_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/proof/testenv"
	"github.com/daybook-db/daybook/retention"
)

func TestReadPolicy(t *testing.T) {
	want := retention.Policy{
		MaxAge:   7 * 24 * time.Hour,
		MaxBytes: 500_000_000,
		Rules: []retention.Rule{
			{Pattern: daybook.Pattern{Text: "alarm.*"}, MaxAge: 90 * time.Minute, KeepNewest: 2},
			{Pattern: daybook.Pattern{Text: "plant.#", Syntax: daybook.Topic}, MaxPerRecord: 3},
			{Pattern: daybook.Pattern{Text: "config.*"}},
		},
	}
	tests := []struct{ name, text string }{
		{"YAML", `
max_age: 7d
max_bytes: 500MB
rules:
  - pattern: "alarm.*"
    max_age: 1h30m
    keep_newest: 2
  - {topic: "plant.#", max_per_record: 3}
  - pattern: config.*
`},
		{"JSON", `{"max_age": "7d", "max_bytes": "500MB", "rules": [
			{"pattern": "alarm.*", "max_age": "1h30m", "keep_newest": 2},
			{"topic": "plant.#", "max_per_record": 3},
			{"pattern": "config.*"}]}`},
		{"YAML with an alias", `
max_age: &age 7d
max_bytes: 500MB
rules:
  - {pattern: "alarm.*", max_age: 1h30m, keep_newest: &few 2}
  - {topic: &plant "plant.#", max_per_record: 3}
  - {pattern: config.*}
`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := retention.ReadPolicy(strings.NewReader(test.text), "rules.yaml")
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Errorf("error %v, policy (-want +got):\n%s", err, diff)
			}
			if err := got.Validate(); err != nil {
				t.Errorf("Validate: %v", err)
			}
		})
	}
}

// TestReadPolicyWithAliases has a rule and a count that are written once and used twice.
func TestReadPolicyWithAliases(t *testing.T) {
	const text = "rules: [&a {pattern: a, max_age: 1h, keep_newest: &n 3, max_per_record: *n}, *a]"
	got, err := retention.ReadPolicy(strings.NewReader(text), "rules.yaml")
	rule := retention.Rule{Pattern: daybook.Pattern{Text: "a"}, MaxAge: time.Hour, KeepNewest: 3, MaxPerRecord: 3}
	if diff := cmp.Diff(retention.Policy{Rules: []retention.Rule{rule, rule}}, got); err != nil || diff != "" {
		t.Errorf("error %v, policy (-want +got):\n%s", err, diff)
	}
}

// wrongPolicies are files that ReadPolicy must refuse.
var wrongPolicies = []struct {
	name, text string
	line       int
	key        string
	says       string // the text starts with it, after the file and the line
	reason     string // why the row is here
}{
	{"unknown key", "max_age: 7d\nmax_agee: 1h\n", 2, "max_agee",
		`"max_agee" is unknown: want max_age, max_bytes, rules`, "a typing error must not drop a limit"},
	{"unknown key of a rule", "rules:\n- pattern: a\n- pattern: b\n  max_years: 1\n", 4, "max_years",
		`"max_years" is unknown: want pattern or topic`, "a rule has keys of its own"},
	{"keep_newest without max_age", "rules:\n- pattern: a\n  keep_newest: 2\n", 2, "keep_newest",
		"keep_newest is 2 in a rule without max_age", "it would spare nothing"},
	{"the same key twice", "max_age: 7d\nmax_age: 1h\n", 2, "max_age",
		"max_age is there twice", "one of the two would not count"},
	{"merged keys", "<<: {rules: [{pattern: a, max_age: -1h}]}\n", 1, "<<",
		`"<<" is unknown`, "YAML's merge would hide the members from the checks"},

	{"size without sense", "max_age: 7d\nmax_bytes: much\n", 2, "max_bytes",
		`max_bytes is "much": want a number and a unit`, "not a number"},
	{"negative size", "max_bytes: -1MB\n", 1, "max_bytes",
		`max_bytes is "-1MB": want a number and a unit`, "a size has no sign"},
	{"zero size", "max_bytes: 0\n", 1, "max_bytes",
		`max_bytes is "0": want more than 0`, "0 could mean no limit, or delete everything"},
	{"size without a unit", "max_age: 7d\nmax_bytes: 500\n", 2, "max_bytes",
		`max_bytes is "500": want a unit, as in 500B, 500kB or 500MB`, "taken for bytes it empties the store"},
	{"fraction without a unit", "max_bytes: 1.5\n", 1, "max_bytes",
		`max_bytes is "1.5": want a unit, as in 1.5B`, "a point does not make it a unit"},

	{"negative age of a rule", "rules:\n- pattern: a\n  keep_newest: 1\n  max_age: -1h\n", 4, "max_age",
		`max_age is "-1h": want more than 0`, "an age has no sign"},
	{"negative age", "# mine\nmax_age: -7d\n", 2, "max_age",
		`max_age is "-7d": want more than 0`, "comments count as lines"},
	{"age without a unit", "max_age: 7\n", 1, "max_age",
		`max_age is "7": want numbers and units`, "it could be days or seconds"},
	{"age below a millisecond", "max_age: 1ns\n", 1, "max_age",
		`max_age is "1ns": want more than 0`, "it would round down to 0, which means for ever"},
	{"age over 292 years", "max_age: 200000d\n", 1, "max_age",
		`max_age is "200000d": want numbers and units`, "a time.Duration cannot hold it"},
	{"age without a value", "max_age:\n", 1, "max_age",
		"max_age has no value", "null is not 0"},

	{"negative count", "rules:\n- pattern: a\n  max_per_record: -1\n", 3, "max_per_record",
		`max_per_record is "-1": want a whole number`, "a count has no sign"},
	{"zero count", "rules:\n- pattern: a\n  max_per_record: 0\n", 3, "max_per_record",
		`max_per_record is 0: want more than 0, or none`, "0 could mean no limit, or delete everything"},
	{"negative number kept", "rules:\n- pattern: a\n  keep_newest: -1\n", 3, "keep_newest",
		`keep_newest is "-1": want a whole number`, "a count has no sign"},
	{"octal number", "rules:\n- pattern: a\n  max_per_record: 010\n", 3, "max_per_record",
		`max_per_record is "010": want a whole number`, "YAML 1.1 reads it as 8"},
	{"fraction", "rules:\n- pattern: a\n  keep_newest: 2.9\n", 3, "keep_newest",
		`keep_newest is "2.9": want a whole number`, "it must not be rounded"},
	{"count without a value", "rules:\n- pattern: a\n  keep_newest:\n", 3, "keep_newest",
		"keep_newest has no value", "null is not 0"},
	{"more kept than allowed", "rules:\n- pattern: a\n  keep_newest: 3\n  max_per_record: 2\n", 2, "keep_newest",
		"keep_newest is 3: want at most max_per_record, 2", "the two contradict each other"},
	{"word for a number", "rules:\n- pattern: a\n  max_per_record: many\n", 3, "max_per_record",
		`max_per_record is "many": want a whole number`, "not a number"},
	{"number that is too large", "rules:\n- pattern: a\n  keep_newest: 99999999999999999999\n", 3, "keep_newest",
		`keep_newest is "99999999999999999999": want a whole number`, "an int cannot hold it"},

	{"malformed glob", "rules:\n- pattern: a\n- pattern: 'b\\'\n  max_age: 1h\n", 3, "pattern",
		"invalid pattern: ", "the error of the pattern is the cause"},
	{"empty pattern", "rules:\n- pattern: ''\n", 2, "pattern",
		"invalid pattern: ", "it matches nothing"},
	{"no pattern", "rules:\n- max_age: 1h\n", 2, "pattern",
		"the rule has no pattern: want a glob", "a rule for all records has the pattern *"},
	{"two patterns", "rules:\n- pattern: a\n  topic: b\n", 2, "topic",
		"the rule has a pattern and a topic: want one of them", "either or both could be meant"},

	{"empty rule", "rules:\n-\n- pattern: a\n", 2, "rules",
		"want names and values here", "an item is null"},
	{"rules that are no list", "rules: {pattern: a}\n", 1, "rules",
		"rules is no list: want an item", "a mapping for a list"},
	{"no rules", "rules:\n", 1, "rules",
		"rules is no list: want an item", "null is not the empty list"},
	{"a list", "- a\n", 1, "",
		"want names and values here", "the document is no mapping"},
	{"no YAML", "rules: [\n", 0, "",
		"yaml: line ", "the parser's error has the line in its text"},
	{"empty", "", 0, "",
		`there is nothing in it that deletes: want "max_age: 7d"`, "there is no document"},
	{"comments alone", "# nothing\n", 0, "",
		"there is nothing in it that deletes", "there is no document"},
	{"empty list", "rules: []\n", 0, "",
		"there is nothing in it that deletes", "there is a document, and no limit"},
	{"two documents", "max_age: 7d\n---\nmax_age: 1h\n", 0, "",
		"there is more than one document: want one", "the second one would not count"},
}

// TestReadPolicyRefuses wants an error on one line that names the line, the key and the fault.
func TestReadPolicyRefuses(t *testing.T) {
	for _, test := range wrongPolicies {
		t.Run(test.name, func(t *testing.T) {
			var policy retention.Policy
			var err error
			testenv.EndsWithin(t, time.Minute, func() {
				policy, err = retention.ReadPolicy(strings.NewReader(test.text), "rules.yaml")
			})
			var got *retention.PolicyError
			if !errors.As(err, &got) || got.File != "rules.yaml" || got.Line != test.line || got.Key != test.key {
				t.Fatalf("error %v; want a PolicyError, line %d, key %q: %s", err, test.line, test.key, test.reason)
			}
			want := "rules.yaml: " + test.says
			if test.line > 0 {
				want = fmt.Sprintf("rules.yaml: line %d: %s", test.line, test.says)
			}
			if text := err.Error(); !strings.HasPrefix(text, want) || strings.Contains(text, "\n") {
				t.Errorf("error %q; want one line that starts with %q: %s", text, want, test.reason)
			}
			if diff := cmp.Diff(retention.Policy{}, policy); diff != "" {
				t.Errorf("policy with an error (-want +got):\n%s", diff)
			}
		})
	}
}

// TestReadPolicyKeepsCauses wants the error of the reader as it is, and the error of a pattern in
// the chain.
func TestReadPolicyKeepsCauses(t *testing.T) {
	broken := errors.New("the disk is broken")
	if _, err := retention.ReadPolicy(iotest.ErrReader(broken), "rules.yaml"); err != broken {
		t.Errorf("of a reader that fails: got %v; want %v", err, broken)
	}
	_, err := retention.ReadPolicy(strings.NewReader("rules: [{pattern: ''}]"), "rules.yaml")
	if !errors.Is(err, daybook.ErrInvalidPattern) {
		t.Errorf("of an empty pattern: got %v; want %v", err, daybook.ErrInvalidPattern)
	}
}

func TestParseSize(t *testing.T) {
	tests := []struct {
		text   string
		want   uint64 // 0: an error
		reason string // why the row is here
	}{
		{"500MB", 500_000_000, "powers of 1000"},
		{"1.5 kB", 1500, "a fraction, and a space"},
		{"2KiB", 2048, "powers of 1024"},
		{"1B", 1, "the smallest"},
		{"500", 0, "without a unit"},
		{"1,000", 0, "a separator is no unit"},
		{"0MB", 0, "it would delete everything"},
		{"-1MB", 0, "a size has no sign"},
		{"MB", 0, "without a number"},
	}
	for _, test := range tests {
		got, err := retention.ParseSize(test.text)
		var wrong *retention.SizeError
		if got != test.want || (test.want == 0) != errors.As(err, &wrong) || wrong != nil && wrong.Text != test.text {
			t.Errorf("ParseSize(%q) = %d, %v; want %d: %s", test.text, got, err, test.want, test.reason)
		}
	}
}
