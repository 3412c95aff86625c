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
)

const goodRules = `
max_age: 7d
rules:
  - pattern: "alarm.*"
    max_age: 1h30m
    keep_newest: 2
  - {topic: "plant.#", max_per_record: 3}
`

func writeRules(t *testing.T, text string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestRetainRefusesBadRules wants what is wrong with a file of rules on one line, and nothing deleted.
func TestRetainRefusesBadRules(t *testing.T) {
	tests := []struct {
		name, text, says string
		reason           string // why the row is here
	}{
		{"an unknown key", "max_age: 1ms\nmax_agee: 1h\n", `: line 2: "max_agee" is unknown: want max_age`,
			"a limit that is right counts only if the whole file is right"},
		{"a malformed pattern", "rules:\n- pattern: 'b\\'\n  max_age: 1h\n", `: line 2: invalid pattern: `,
			"the file is wrong, not the command line, so that the status is 1"},
		{"a limit of nothing", "max_bytes: 0\n", `: line 1: max_bytes is "0": want more than 0`, "it would delete everything"},
		{"no YAML", "rules: [\n", ": yaml: line ", "the line comes from the YAML parser"},
		{"empty", "", ": there is nothing in it that deletes: want ", "there is no line to name"},
	}
	dir := filledDir(t, someValues()...)
	before := stored(t, dir)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := writeRules(t, test.text)
			got := run(t, "", "retain", "--once", "--rules", path, "--dir", dir)
			if got.status != statusFailed || !strings.Contains(got.err, path+test.says) || strings.Count(got.err, "\n") != 1 {
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
	if behind.status == statusDone || strings.Contains(behind.err, "it is believed when") || !strings.Contains(behind.err, says) ||
		!strings.Contains(behind.err, "deleted 0 values; nothing was deleted by age, because the clock cannot be believed: at ") {
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
