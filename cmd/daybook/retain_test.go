// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
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

// TestRetainRefusesBadRules wants one line about the mistake in a file of rules, and nothing
// deleted.
func TestRetainRefusesBadRules(t *testing.T) {
	tests := []struct {
		name, text, says string
		reason           string // why the row is here
	}{
		{"an unknown key", "max_age: 1ms\nmax_agee: 1h\n", `: line 2: "max_agee" is unknown: want max_age`,
			"a limit that is right counts only if the whole file is right"},
		{"a malformed pattern", "rules:\n- pattern: 'b\\'\n  max_age: 1h\n", `: line 2: invalid pattern: `,
			"the file is wrong, not the command line, so that the status is 1"},
		{"a limit of nothing", "max_bytes: 0\n", `: line 1: max_bytes is "0": want more than 0`,
			"it would delete everything"},
		{"no YAML", "rules: [\n", ": yaml: line ", "the line comes from the YAML parser"},
		{"empty", "", ": there is nothing in it that deletes: want ", "there is no line to name"},
	}
	dir := filledDir(t, someValues()...)
	before := stored(t, dir)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := writeFile(t, "rules.yaml", test.text)
			got := run(t, "", "retain", "--once", "--rules", path, "--dir", dir)
			if got.status != statusFailed || !strings.Contains(got.err, path+test.says) ||
				strings.Count(got.err, "\n") != 1 {
				t.Errorf("status %d, stderr %q; want status %d and one line with %q: %s",
					got.status, got.err, statusFailed, test.says, test.reason)
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
			values = append(values, value(name, "1", now-i*uint64(3*time.Hour/time.Millisecond)))
		}
	}
	dir, rules := filledDir(t, values...), writeFile(t, "rules.yaml", goodRules)
	count := func(pattern string) int {
		return strings.Count(mustRun(t, "", "query", pattern, "--format", "ndjson", "--dir", dir), "\n")
	}
	out := mustRun(t, "", "retain", "--once", "--rules", rules, "--dir", dir)
	if !strings.HasPrefix(out, "deleted 5 values in ") {
		t.Errorf("output %q", out)
	}
	alarms, plant, others := count("alarm.*"), count("plant.*"), count("other")
	if alarms != 2 || plant != 3 || others != 5 {
		t.Errorf("%d values of alarm.*, %d of plant.* and %d of other remain; want 2, 3 and 5", alarms, plant, others)
	}
}

// TestRetainWithASlowClock wants that a clock earlier than the newest values deletes nothing by
// age, and that prune believes it.
func TestRetainWithASlowClock(t *testing.T) {
	now := daybook.Now()
	values := []daybook.StoredValue{value("other", "1", 1)}
	var newest uint64
	for i := range uint64(3) {
		newest = now + i + uint64(48*time.Hour/time.Millisecond)
		values = append(values, value("other", "1", newest))
	}
	dir, rules := filledDir(t, values...), writeFile(t, "rules.yaml", goodRules)
	got := run(t, "", "retain", "--once", "--rules", rules, "--dir", dir)
	if got.status == statusDone || strings.Contains(got.err, "the clock is believed when") ||
		strings.Count(got.err, "\n") != 1 {
		t.Errorf("%+v; want a failure and one line", got)
	}
	wantParts(t, got.err, retention.ErrClock.Error()+": at ",
		"it is earlier than "+time.UnixMilli(int64(newest)).Format(time.RFC3339)+
			", the latest time that is known: deleted 0 values",
		"; set the clock, or if it is right, delete by age with \"daybook prune --older-than\", which believes it",
		"values from the future with \"daybook prune --newer-than 0s\"")
	out := mustRun(t, "", "prune", "*", "--older-than", "7d", "--dir", dir)
	if !strings.HasPrefix(out, "deleted 1 value in ") {
		t.Errorf("prune printed %q", out)
	}
}

// TestRetainWithSensorsAhead has records that are all two minutes ahead, which stops no sweep. Each
// sweep tells the next one what is known of the time.
func TestRetainWithSensorsAhead(t *testing.T) {
	now, minute := daybook.Now(), uint64(time.Minute/time.Millisecond)
	dir := filledDir(t, value("other", "1", 1), value("other", "2", now+2*minute), value("more", "3", now+2*minute))
	rules := writeFile(t, "rules.yaml", goodRules)
	for _, want := range []string{"deleted 1 value in ", "deleted 0 values in "} {
		if out := mustRun(t, "", "retain", "--once", "--rules", rules, "--dir", dir); !strings.HasPrefix(out, want) {
			t.Errorf("retain printed %q; want %q", out, want)
		}
		db, err := openExisting(dir)
		if err != nil {
			t.Fatal(err)
		}
		state, err := db.ClockState(t.Context())
		if err != nil || !strings.Contains(string(state), `"known":`) || db.Close() != nil {
			t.Errorf("the clock state is %q, %v", state, err)
		}
	}
}

// TestRetainAfterPruneNewerThan deletes the values from the future that stop retain, and wants that
// retain goes on.
func TestRetainAfterPruneNewerThan(t *testing.T) {
	now, hour := daybook.Now(), uint64(time.Hour/time.Millisecond)
	dir := filledDir(t, value("other", "1", 1), value("other", "2", now-hour), value("other", "3", now+1000*hour))
	rules := writeFile(t, "rules.yaml", goodRules)
	got := run(t, "", "retain", "--once", "--rules", rules, "--dir", dir)
	if got.status == statusDone {
		t.Errorf("%+v; want a failure, because the clock is earlier than the newest value", got)
	}
	out := mustRun(t, "", "prune", "*", "--newer-than", "0s", "--dir", dir)
	if !strings.HasPrefix(out, "deleted 1 value in ") {
		t.Errorf("prune printed %q", out)
	}
	out = mustRun(t, "", "retain", "--once", "--rules", rules, "--dir", dir)
	left := stored(t, dir)
	if !strings.HasPrefix(out, "deleted 1 value in ") || len(left) != 1 || string(left[0].Value) != "2" {
		t.Errorf("retain printed %q and left %v; want the value of an hour ago", out, left)
	}
}

func TestRetainSweepsUntilInterrupted(t *testing.T) {
	dir, rules := filledDir(t, someValues()...), writeFile(t, "rules.yaml", goodRules)
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	var out, errOut lockedBuffer
	args := []string{"retain", "--interval", "50ms", "--rules", rules, "--dir", dir}
	status := make(chan int, 1)
	go func() { status <- execute(ctx, args, strings.NewReader(""), &out, &errOut) }()
	errOut.waitForTimes(t, "daybook: swept", 2)
	interrupt()
	if status := <-status; status != 0 {
		t.Errorf("status %d, stderr %q; want success", status, errOut.String())
	}
	const last = "level=INFO msg=\"daybook: interrupted, there will be no more sweeps\"\n"
	if text := errOut.String(); strings.Count(text, "interrupted") != 1 || !strings.HasSuffix(text, last) {
		t.Errorf("stderr %q; want that it ends with %q", text, last)
	}
}
