// SPDX-License-Identifier: Apache-2.0

package main

import (
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestReplaceSection(t *testing.T) {
	race := sections[0]
	begin, end := race.begin(), race.end()
	for _, tt := range []struct{ name, reason, document, want, wantErr string }{
		{"replaced", "the text around the markers stays",
			"a\n" + begin + "\nold\n" + end + "\nb\n", "a\n" + begin + "\nnew\n" + end + "\nb\n", ""},
		{"empty", "the first time there is nothing between the markers",
			begin + end, begin + "\nnew\n" + end, ""},
		{"no begin", "the section's start is unknown", end, "", begin + " is there 0 times, want once"},
		{"no end", "the section's end is unknown", begin, "", end + " is there 0 times, want once"},
		{"twice", "one of the two would not be updated", begin + end + begin + end, "",
			begin + " is there 2 times, want once"},
		{"backwards", "there is nothing between the markers", end + begin, "", end + " is before " + begin},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := race.replace(tt.document, "new\n")
			message := ""
			if err != nil {
				message = err.Error()
			}
			if got != tt.want || message != tt.wantErr {
				t.Errorf("%s: got %q, %q; want %q, %q", tt.reason, got, message, tt.want, tt.wantErr)
			}
		})
	}
}

func TestGroupTable(t *testing.T) {
	race := runs{
		parse(t, "1.txt", `
BenchmarkStore/peer=daybook-2 1 130000 ns/op
BenchmarkStore/peer=limit-2 1 120000 ns/op
BenchmarkStore/peer=sqlite-2 1 2600000 ns/op
BenchmarkStore/peer=bbolt-2 1 100000 ns/op
BenchmarkScan/peer=daybook-2 1 20e6 values/s
BenchmarkScan/peer=memcpy-2 1 5e9 values/s
BenchmarkScan/peer=bbolt-2 1 5e6 values/s
`),
		parse(t, "2.txt", "BenchmarkStore/peer=daybook-2 1 140000 ns/op\n"),
	}
	want := strings.TrimSpace(`
|  | one value | scan |
| --- | ---:| ---:|
| Daybook | 135 µs | 20.0 M/s |
| SQLite | 2.6 ms (20x) |  |
| bbolt | 100 µs (**0.77x**) | 5.0 M/s (4.0x) |
| *limit: disk* | 120 µs (0.92x) |  |
| *limit: memory copy* |  | 5.0 G/s (0.0040x) |
`)
	if diff := cmp.Diff(want, groupTable(race, []work{store, scan})); diff != "" {
		t.Errorf("medians, work at which a peer is ahead, work that it cannot do (-want +got):\n%s", diff)
	}
}

// TestSections shows what a document gets: the command and the machine, but no path of the machine,
// and no dashes, which the documentation does not use.
func TestSections(t *testing.T) {
	race := runs{parse(t, "1.txt", fullRace(1000))}
	empty := ""
	for _, s := range sections {
		empty += s.begin() + s.end() + "\n"
	}
	got, err := replaceSections(empty, race, command("readme", "../../docs/benchmarks.md", race))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"<!-- Generated, so edits are lost. The command: " +
			"go run -C bench/peers ./report -readme ../../docs/benchmarks.md 1.txt -->",
		"Each figure is of one run.", "### Writing", "### Footprint", "| best peer |",
	} {
		if !strings.Contains(strings.ReplaceAll(got, "\n", " "), want) {
			t.Errorf("want %q in:\n%s", want, got)
		}
	}
	if strings.ContainsAny(got, "\u2013\u2014") {
		t.Errorf("a dash in:\n%s", got)
	}
}

// TestDocumentsAreOfTheRuns shows that the tables in the documents are of the runs in
// bench/results, and that no row is too wide.
func TestDocumentsAreOfTheRuns(t *testing.T) {
	var files []string
	for _, name := range []string{"race-*.txt", "shapes-*.txt"} {
		found, err := filepath.Glob("../../results/" + name)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	race, err := readRuns(files)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"../../docs/benchmarks.md", "../../README.md"} {
		document := readFile(t, "../"+path)
		want, err := replaceSections(document, race, command("readme", path, race))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, document); diff != "" {
			t.Errorf("%s: a command in it says how it is generated (-want +got):\n%s", path, diff)
		}
		for line := range strings.Lines(document) {
			if width := utf8.RuneCountInString(line) - 1; strings.HasPrefix(line, "|") && width > maxTableWidth {
				t.Errorf("%s: a row has %d columns, want at most %d: %s", path, width, maxTableWidth, line)
			}
		}
	}
}
