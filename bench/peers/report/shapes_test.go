// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestShapeRows shows that the rows are those of the race, in any order.
func TestShapeRows(t *testing.T) {
	inRace, name := map[string]bool{}, regexp.MustCompile(`\{name: "(\w+)"`)
	for _, match := range name.FindAllStringSubmatch(readFile(t, "../shapes_test.go"), -1) {
		inRace[match[1]] = true
	}
	inReport := map[string]bool{}
	for _, row := range shapeRows {
		inReport[row.name] = true
	}
	if diff := cmp.Diff(inRace, inReport); diff != "" {
		t.Errorf("rows of BenchmarkShapes and of the report (-race +report):\n%s", diff)
	}
}

// TestShapeBarsAreOfKnownWorks shows that no bar has a misspelt row or peer, and none stands twice.
func TestShapeBarsAreOfKnownWorks(t *testing.T) {
	rows, peers, seen := map[string]bool{}, map[string]bool{"": true}, map[bar]bool{}
	for _, row := range shapeRows {
		rows[row.name] = true
	}
	for _, e := range entrants {
		peers[e.name] = true
	}
	for _, b := range shapeBars() {
		row, isRow := strings.CutPrefix(b.work.benchmark, "Shapes/row=")
		row, _, _ = strings.Cut(row, "/")
		if isRow && !rows[row] || !peers[b.peer] || (b.peer == "") != (b.rule == atMost) || seen[b] {
			t.Errorf("%s: %s", b.work.title, b)
		}
		seen[b] = true
	}
}

func TestShapeBars(t *testing.T) {
	good, bad := parse(t, "good.txt", fullShapes(1000)), parse(t, "bad.txt", fullShapes(1))
	race := parse(t, "race.txt", fullRace(1000))
	partial := parse(t, "x.txt", "BenchmarkShapes/row=narrow/work=scan/peer=daybook-2 1 5 values/s\n")
	for _, tt := range []struct {
		name, reason string
		runs         runs
		held         bool
		outcome      string
	}{
		{"good", "every bar holds by far", runs{good}, true, "holds"},
		{"bad", "no better than any peer, or than before", runs{good, bad}, false, "MISSED in 1 of 2"},
		{"both", "each bar is judged by the runs of its kind", runs{race, good}, true, "holds"},
		{"race", "a run of the race is none of the shapes", runs{race}, true, "holds"},
		{"partial", "a bar without figures does not hold", runs{partial}, false, "not run"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			held := printAllBars(&out, tt.runs)
			if held != tt.held || !strings.Contains(out.String(), tt.outcome) {
				t.Errorf("%s: held %v, want %v and %q:\n%s", tt.reason, held, tt.held, tt.outcome, &out)
			}
		})
	}
}

func TestShapeTables(t *testing.T) {
	shapes := runs{parse(t, "1.txt", `
commit: 0123456789ab
before: ba9876543210
peers: Pebble v2.1.7
BenchmarkShapes/row=narrow/work=ingest/peer=daybook-2 1 2e6 values/s 52 raw-B/value 2000000 values 9.5 disk-B/value
BenchmarkShapes/row=narrow/work=ingest/peer=daybook-before-2 1 1e6 values/s 14.25 disk-B/value
BenchmarkShapes/row=narrow/work=ingest/peer=pebble-2 1 4e6 values/s 19 disk-B/value
BenchmarkShapes/row=narrow/work=ingest/peer=s2-2 1 4.75 disk-B/value
BenchmarkShapes/row=narrow/work=one/peer=daybook-2 1 20000 ns/op
BenchmarkShapes/row=narrow/work=one/peer=pebble-2 1 5000 ns/op
`)}
	got := shapeTables(shapes)
	for _, want := range []string{
		"Daybook is that of commit 0123456789ab.", "Before means commit ba9876543210.", "The peers are Pebble v2.1.7.",
		"### Readings: two numbers of three digits, 200 values of each of 10,000 records, with jitter\n\n" +
			"2,000,000 values of 52.0 bytes.\n\n" + `|  | ingest | disk | one |
| --- | ---:| ---:| ---:|
| Daybook | 2.0 M/s | 9.5 B | 20.0 µs |
| Daybook, before | 2.0x | 1.50x |  |
| Pebble | **0.50x** | 2.0x | **0.25x** |
| *limit: S2* |  | 0.50x |  |
`,
	} {
		if !strings.Contains(strings.ReplaceAll(got, "\n", " "), strings.ReplaceAll(want, "\n", " ")) {
			t.Errorf("want %q in:\n%s", want, got)
		}
	}
	if strings.Count(got, "###") != 1 {
		t.Errorf("want a table of the row that was run only:\n%s", got)
	}
	if got := shapeTables(nil); got != "No run of the shapes has been recorded yet.\n" {
		t.Errorf("without a run: got %q", got)
	}
}

// TestShapeTablesAreNarrow shows that tables of many figures are not too wide.
func TestShapeTablesAreNarrow(t *testing.T) {
	for line := range strings.Lines(shapeTables(runs{parse(t, "1.txt", fullShapes(12_345))})) {
		if len([]rune(line)) > maxTableWidth+1 {
			t.Errorf("more than %d columns: %s", maxTableWidth, line)
		}
	}
}
