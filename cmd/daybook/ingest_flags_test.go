// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestUsageErrorsOfIngestCreateNothing wants no directory after a wrong command line, and no report
// about stored values.
func TestUsageErrorsOfIngestCreateNothing(t *testing.T) {
	line := `{"record_name":"r","value":1,"stored_at":5}` + "\n"
	lines := writeFile(t, "lines.ndjson", line)
	rows := writeFile(t, "rows.csv", "t,a\n1,2\n")
	const guessed = "does not begin with {, so it was read as CSV (--format ndjson reads it as NDJSON)"
	tests := []struct {
		name  string
		input string
		args  []string
		want  string
	}{
		{"CSV by its name, without a record", "", []string{rows}, rows + " is CSV, which needs --record"},
		{"CSV by its flag, without a record", "", []string{"--format", "csv"}, "stdin is CSV, which needs --record"},
		{"CSV without a time column", "t\n1\n", []string{"--record", "r"}, "needs --time-column"},
		{"an invalid record name", "t\n1\n", []string{"--record", "a\x00b", "--time-column", "t"},
			"with a NUL; want none"},
		{"a binary file", "", []string{writeFile(t, "binary", "\x7fELF\x02")}, guessed},
		{"a binary file that begins with a NUL", "", []string{writeFile(t, "blank", "\x00\x01")}, guessed},
		{"an array", "[1,2]\n", nil, "stdin " + guessed},
		{"a comment before NDJSON", "# comment\n" + line, nil, guessed},
		{"a guess with a record and without a time", "t,a\n", []string{"--record", "r"},
			guessed + ", which needs --time-column"},
		{"a wrong guess about the second file", "", []string{lines, writeFile(t, "second", "[1]")}, guessed},
		{"a record for NDJSON by its name", "", []string{"--record", "r", lines},
			lines + " is NDJSON, whose lines name their records"},
		{"a time column for NDJSON by its flag", line, []string{"--format", "ndjson", "--time-column", "t"},
			"stdin is NDJSON, whose lines hold their times"},
		{"a record for guessed NDJSON", line, []string{"--record", "r"},
			"stdin begins with {, so it was read as NDJSON (--format csv reads it as CSV)"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := newDir(t)
			got := run(t, test.input, append([]string{"ingest", "--dir", dir}, test.args...)...)
			if got.status != statusUsage || !strings.Contains(got.err, test.want) ||
				strings.Contains(got.err, "stored before") {
				t.Errorf("%+v; want a usage error with %q", got, test.want)
			}
			if _, err := os.Stat(dir); !os.IsNotExist(err) {
				t.Errorf("%s: %v; want that the directory was not created", dir, err)
			}
		})
	}
}

func TestMissingFilesCreateNothing(t *testing.T) {
	dir := newDir(t)
	file := writeFile(t, "rows.csv", "t\n1\n")
	for _, name := range []string{file + ".missing", filepath.Dir(file)} {
		if got := run(t, "", "ingest", "--dir", dir, name); got.status != statusFailed {
			t.Errorf("ingest %q: %+v; want a failure", name, got)
		}
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("%s: %v; want that the directory was not created", dir, err)
	}
}

// TestLaterLiveInputIsExaminedInItsTurn wants that the values before a live input are stored first:
// they must not wait for its sender.
func TestLaterLiveInputIsExaminedInItsTurn(t *testing.T) {
	dir := newDir(t)
	lines := writeFile(t, "lines.ndjson", `{"record_name":"r","value":1,"stored_at":5}`)
	got := run(t, "[1]", "ingest", "--dir", dir, lines, "-")
	if got.status != statusUsage || !strings.Contains(got.err, "1 value was stored before it") {
		t.Errorf("%+v; want a usage error after 1 value", got)
	}
	if n := len(stored(t, dir)); n != 1 {
		t.Errorf("%d values are stored; want 1", n)
	}
}

func TestNothingButBadLines(t *testing.T) {
	tests := []struct {
		name   string
		input  string
		args   []string
		status int
		want   string // on standard error
	}{
		{"only bad lines", "{\n{\n", nil, statusFailed,
			"daybook: nothing was stored: all values were bad, in 2 lines\n"},
		{"only bad rows", "t,a\n1\n", []string{"--record", "r", "--time-column", "t"}, statusFailed, "in 1 line\n"},
		{"no lines", "", nil, statusDone, ""},
		{"one good line", "{\n" + `{"record_name":"r","value":1,"stored_at":5}`, nil, statusDone, "skipped stdin:1: "},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := run(t, test.input, append([]string{"ingest", "--skip-bad", "--dir", newDir(t)}, test.args...)...)
			if got.status != test.status || !strings.Contains(got.err, test.want) {
				t.Errorf("%+v; want status %d and %q", got, test.status, test.want)
			}
		})
	}
}
