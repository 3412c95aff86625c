// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// stopwatch matches how long a command took.
var stopwatch = regexp.MustCompile(`\d+\.\d s`)

// TestDryRun wants the finding, the first values and their extent, and that nothing is created.
func TestDryRun(t *testing.T) {
	dir := newDir(t)
	rows := "time,v\n" + strings.Repeat("2024-01-01T00:00:00Z,5\n", 7) + "2024-03-01T00:00:00Z,6\n"
	file := writeFile(t, "sensors.csv", rows)
	out := mustRun(t, "", "ingest", "--dry-run", "--dir", dir, file)
	wantParts(t, out, file+": CSV", `"time"`, `record "sensors"`, `{"v":5}`, "2024-01-01T01:00:00.000+01:00",
		"would store 8 values of 1 record, "+
			"from 2024-01-01T01:00:00.000+01:00 to 2024-03-01T01:00:00.000+01:00; nothing was stored\n")
	if n := strings.Count(out, `{"v":`); n != maxShown {
		t.Errorf("%d values are shown; want %d:\n%s", n, maxShown, out)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("%s: %v; want that the directory was not created", dir, err)
	}
}

// TestDryRunOfBadLines wants the same error as that of ingest, and that --skip-bad counts.
func TestDryRunOfBadLines(t *testing.T) {
	input := `{"record_name":"r","value":1,"stored_at":5}` + "\nbad\n"
	got := run(t, input, "ingest", "--dry-run", "--dir", newDir(t))
	if got.status != statusFailed || !strings.HasPrefix(got.err, "daybook: stdin:2: not JSON") {
		t.Errorf("%+v; want an error of line 2", got)
	}
	got = run(t, input, "ingest", "--dry-run", "--skip-bad", "--dir", newDir(t))
	if got.status != statusDone || !strings.HasSuffix(got.out, ", skipped 1 bad line; nothing was stored\n") {
		t.Errorf("%+v; want that a line was skipped", got)
	}
}

// TestRefusedFilesCreateNothing wants no directory after a file whose first value is refused.
func TestRefusedFilesCreateNothing(t *testing.T) {
	for _, input := range []string{
		`{"topic":"r","payload":1,"ts":20140214}` + "\n", "time,v\n1951-01-01T00:00:00Z,1\n", "time,v\n1,2,3\n",
		`{"record_name":"r","value":1}` + "\n",
	} {
		dir := newDir(t)
		if got := run(t, input, "ingest", "--record", "r", "--dir", dir); got.status == statusDone {
			t.Errorf("%q: %+v; want a refusal", input, got)
		}
		if _, err := os.Stat(dir); !os.IsNotExist(err) {
			t.Errorf("%q: %s: %v; want that the directory was not created", input, dir, err)
		}
	}
}

// TestCutOff wants to be told of a last line without a line end, whose number may be cut off. It is
// stored.
func TestCutOff(t *testing.T) {
	const note = "the last line does not end with a line end; it may have been cut off\n"
	tests := []struct {
		name, input string
		args        []string
		want        bool
	}{
		{"x.csv", "time,v\n2024-01-01T00:00:00Z,12.5\n2024-01-01T01:00:00Z,12", nil, true},
		{"x.csv", "time,v\n2024-01-01T00:00:00Z,12.5\n2024-01-01T01:00:00Z,12.5\n", nil, false},
		{"x.csv", "2024-01-01T00:00:00Z,12.5", nil, false},
		{"x.lp", "m v=1.5\nm v=1", []string{"--now"}, true},
		{"x.lp", "m v=1.5\nm v=1\n", []string{"--now"}, false},
		{"x.ndjson", `{"time":"2024-01-01T00:00:00Z"}` + "\n" + `{"time":"2024-01-01T00:01:00Z"}`, nil, false},
	}
	for _, test := range tests {
		file := writeFile(t, test.name, test.input)
		for _, in := range []string{file, standard} {
			args := append([]string{"ingest", in, "--record", "r", "--dir", newDir(t)}, test.args...)
			got := run(t, test.input, args...)
			name := map[string]string{file: file, standard: stdinName}[in]
			if got.status != statusDone || strings.Contains(got.err, name+": "+note) != test.want {
				t.Errorf("%s of %q: %+v; want that it is said: %v", in, test.input, got, test.want)
			}
		}
	}
}
