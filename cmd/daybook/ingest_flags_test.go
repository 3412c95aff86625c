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
	exported := writeFile(t, "exported.csv", "record_name,stored_at,value\nr,5,1\n")
	tests := []struct {
		name  string
		input string
		args  []string
		want  string
	}{
		{"an invalid record name", "t,a\n1,2\n", []string{"--record", "a\x00b"}, "with a NUL; want none"},
		{"a field without an end", "t,a\n1,2\n", []string{"--record", "ha.{a"}, "--record: "},
		{"a record for a file of our own", "", []string{"--record", "r", exported},
			exported + " is in the form that export writes, which has its records and times: leave out --record"},
		{"a time for a file of our own", "", []string{"--time", "t", exported}, "leave out --time"},
		{"an unknown encoding", line, []string{"--encoding", "klingon"}, "is not the name of an encoding"},
		{"an unknown zone", line, []string{"--time-zone", "Europe/Atlantis"}, "is not a time zone"},
		{"a delimiter of two characters", line, []string{"--delimiter", ";;"}, "want one character"},
		{"a negative number of lines", line, []string{"--skip-lines", "-1"}, "want 0 or more"},
		{"a form of times without %", "t,a\n1,2\n", []string{"--time-format", "DD.MM.YYYY"}, "want a form of strptime"},
		{"a form of times without a year", "t,a\n1,2\n", []string{"--time-format", "%d-%m %H:%M"}, "has no year"},
		{"a header and none", line, []string{"--header", "a,b", "--no-header"},
			"--no-header does nothing with --header"},
		{"the clock for values that exist", line, []string{"--now", "--skip-existing"}, "--skip-existing does nothing"},
		{"flags of CSV for lines of JSON", "", []string{"--delimiter", ";", lines},
			lines + " is NDJSON: --delimiter is for CSV"},
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
	if got.status != statusFailed || !strings.Contains(got.err, "1 value was stored before it") {
		t.Errorf("%+v; want an error after 1 value", got)
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
