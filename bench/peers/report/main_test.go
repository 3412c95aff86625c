// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const growthLines = `
BenchmarkGrowth/work=ingest/values=10000/records=1000/peer=daybook-2 1 2e6 values/s
BenchmarkGrowth/work=ingest/values=1000000/records=1000/peer=daybook-2 1 1e6 values/s
BenchmarkGrowth/work=ingest/values=1000000/records=10/peer=daybook-2 1 3e6 values/s
BenchmarkGrowth/work=ingest/values=1000000/records=10/peer=limit-2 1 4e6 values/s
BenchmarkGrowth/work=cleanup/values=10000/records=1000/peer=sqlite-2 1 5e6 ns/op
`

func TestReportStatus(t *testing.T) {
	good := writeFile(t, "good.txt", fixtureMachine+fullRace(1000))
	bad := writeFile(t, "bad.txt", fixtureMachine+fullRace(1))
	growth := writeFile(t, "growth.txt", fixtureMachine+growthLines)
	shapes := writeFile(t, "shapes.txt", fixtureMachine+fullShapes(1000))
	partial := writeFile(t, "partial.txt", "BenchmarkStore/peer=daybook-2 1 5 ns/op\n")
	readme := writeFile(t, "README.md", sections[0].begin()+sections[0].end())
	unmarked := writeFile(t, "OTHER.md", "nothing\n")
	for _, tt := range []struct {
		name, reason string
		args         []string
		status       int
		stderr       string
	}{
		{"unknown flag", "wrong usage", []string{"-nope", good}, 2, "usage: "},
		{"no file", "wrong usage", []string{"-bars"}, 2, "usage: "},
		{"no flag", "nothing is requested", []string{good}, 2, "usage: "},
		{"help", "help is no error", []string{"-h"}, 0, "usage: "},
		{"held", "every bar holds, and growth curves are no run of the race",
			[]string{"-bars", good, growth}, 0, ""},
		{"shapes", "runs of the shapes alone have bars", []string{"-bars", shapes}, 0, ""},
		{"shapes and race", "each has its bars", []string{"-bars", good, shapes}, 0, ""},
		{"no race for a document", "its other tables need one", []string{"-readme", readme, shapes}, 1,
			"report: no file has a benchmark of the race"},
		{"missed", "a bar is missed in one run", []string{"-bars", good, bad}, 1, ""},
		{"missing file", "the error names it", []string{"-bars", "nowhere.txt"}, 1, "report: open nowhere.txt"},
		{"no race", "nothing to judge", []string{"-bars", growth}, 1, "report: no file has a benchmark of the race"},
		{"no growth", "nothing to draw", []string{"-growth", "x.svg", good}, 1,
			"report: no file has a benchmark of the growth"},
		{"no markers", "the error names the file",
			[]string{"-readme", unmarked, good}, 1, "report: " + unmarked + ": "},
		{"no daybook", "the error names the run", []string{"-readme", readme, partial}, 1,
			"report: partial.txt: no values/s of peer=daybook in BenchmarkStoreParallel\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var stderr bytes.Buffer
			status := report(tt.args, io.Discard, &stderr)
			errs := stderr.String()
			if status != tt.status || !strings.Contains(errs, tt.stderr) || tt.stderr == "" && errs != "" {
				t.Errorf("%s: status %d, want %d and %q:\n%s", tt.reason, status, tt.status, tt.stderr, errs)
			}
			if strings.HasPrefix(tt.stderr, "report: ") && strings.Count(errs, "\n") != 1 {
				t.Errorf("want one line, got:\n%s", errs)
			}
		})
	}
}

// TestReportAgain shows that the same runs give the same files, and that a file with the right
// content is not written again.
func TestReportAgain(t *testing.T) {
	race := writeFile(t, "race.txt", fixtureMachine+fullRace(1000))
	growth := writeFile(t, "growth.txt", fixtureMachine+growthLines)
	readme := writeFile(t, "README.md", "a\n"+sections[0].begin()+"\n"+sections[0].end()+"\n")
	dir := filepath.Dir(readme)
	targets := []string{readme, filepath.Join(dir, "race.svg"), filepath.Join(dir, "growth.svg")}
	args := []string{"-readme", targets[0], "-chart", targets[1], "-growth", targets[2], race, growth}
	past := time.Unix(1_000_000_000, 0)
	first := map[string]string{}
	for range 3 {
		if status := report(args, io.Discard, os.Stderr); status != 0 {
			t.Fatal("status", status)
		}
		for _, path := range targets {
			content, again := first[path]
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			if again && (readFile(t, path) != content || !info.ModTime().Equal(past)) {
				t.Errorf("%s was written again", path)
			}
			first[path] = readFile(t, path)
			if err := os.Chtimes(path, past, past); err != nil {
				t.Fatal(err)
			}
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != len(targets) {
		t.Errorf("want only %d files in the directory, got %v, %v", len(targets), left, err)
	}
}

// TestCharts shows that all charts are well-formed XML, say which command made them, and name no
// directory.
func TestCharts(t *testing.T) {
	race, growth := runs{parse(t, "race.txt", fullRace(1000))}, runs{parse(t, "growth.txt", growthLines)}
	soak := runs{parse(t, "soak.txt", soakLines(10, 20, 30))}
	dir := t.TempDir()
	for _, tt := range []struct {
		name  string
		write func(string, runs) error
		from  runs
		want  []string
	}{
		{"chart", writeRatios, race,
			[]string{"-chart chart.svg race.txt", "1,000x", "Pebble", "Scan a million values"}},
		{"growth", writeGrowth, growth, []string{"-growth growth.svg growth.txt", "disk", "Ingest", "Cleanup"}},
		{"soak", writeSoak, soak, []string{"-soak soak.svg soak.txt", "Directory", "sweep", "99th percentile"}},
	} {
		path := filepath.Join(dir, tt.name+".svg")
		if err := tt.write(path, tt.from); err != nil {
			t.Fatal(err)
		}
		svg := readFile(t, path)
		for _, want := range tt.want {
			if !strings.Contains(svg, want) {
				t.Errorf("%s: want %q", tt.name, want)
			}
		}
		if strings.Contains(svg, dir) || strings.Contains(svg, "NaN") {
			t.Errorf("%s: it has a directory or NaN", tt.name)
		}
		wellFormed(t, svg)
	}
}

func wellFormed(t *testing.T, document string) {
	t.Helper()
	for decoder := xml.NewDecoder(strings.NewReader(document)); ; {
		_, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
