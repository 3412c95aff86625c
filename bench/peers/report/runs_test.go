// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReadRun(t *testing.T) {
	for _, tt := range []struct {
		name, reason string
		lines        string
		want         map[key]float64
	}{
		{"processors", "the number of processors is not part of the name, and ns/op is not converted",
			"BenchmarkStore/peer=daybook-2 \t 100\t 135000 ns/op",
			map[key]float64{{measure{"Store", "ns/op"}, "daybook"}: 135000}},
		{"one processor", "Go adds no number for one processor",
			"BenchmarkStore/peer=daybook \t 100\t 135000 ns/op",
			map[key]float64{{measure{"Store", "ns/op"}, "daybook"}: 135000}},
		{"hyphen", "a hyphen in the name of a peer begins no number of processors",
			"BenchmarkSize/peer=sqlite-modernc-2 \t 1\t 80.5 disk-B/value",
			map[key]float64{{measure{"Size", "disk-B/value"}, "sqlite-modernc"}: 80.5}},
		{"units", "one line may have several figures",
			"BenchmarkIngest/records=1000/peer=zstd-2 1 9e6 values/s 9.1 disk-B/value",
			map[key]float64{
				{measure{"Ingest/records=1000", "values/s"}, "zstd"}:     9e6,
				{measure{"Ingest/records=1000", "disk-B/value"}, "zstd"}: 9.1,
			}},
		{"count", "lines of one benchmark become their median",
			"BenchmarkHeap/peer=daybook-2 1 60 MiB-live\n" +
				"BenchmarkHeap/peer=daybook-2 1 90 MiB-live\n" +
				"BenchmarkHeap/peer=daybook-2 1 61 MiB-live",
			map[key]float64{{measure{"Heap", "MiB-live"}, "daybook"}: 61}},
		{"zero", "a figure of zero is a figure",
			"BenchmarkAllocs/of=query/peer=daybook-2 1 0 allocs/value",
			map[key]float64{{measure{"Allocs/of=query", "allocs/value"}, "daybook"}: 0}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := parse(t, "run.txt", tt.lines)
			if diff := cmp.Diff(tt.want, got.figures); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tt.reason, diff)
			}
		})
	}
}

func TestReadRunFails(t *testing.T) {
	for _, tt := range []struct{ name, reason, lines, want string }{
		{"empty", "a run that did not build has no figures", "FAIL\tbuild failed\n",
			`run.txt: a benchmark failed ("FAIL\tbuild failed")`},
		{"failed", "the figures may be of work that was not done",
			"BenchmarkStore/peer=daybook-2 1 5 ns/op\n--- FAIL: BenchmarkStore\n",
			`run.txt: a benchmark failed ("--- FAIL: BenchmarkStore")`},
		{"nothing", "a file of something else", "hello\n", "run.txt: no benchmark line"},
		{"broken", "a missing figure must be noticed", "BenchmarkStore/peer=daybook-2 panic: x\n", "run.txt:1: "},
		{"unknown peer", "it would have no row", "BenchmarkStore/peer=leveldb-2 1 5 ns/op\n",
			`run.txt: BenchmarkStore/peer=leveldb-2: unknown peer "leveldb"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := readRun(strings.NewReader(tt.lines), "run.txt")
			if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("%s: got error %v, want %s", tt.reason, err, tt.want)
			}
		})
	}
}

func TestMachine(t *testing.T) {
	race := runs{parse(t, "run.txt", "BenchmarkStore/peer=daybook-2 1 5 ns/op\n")}
	want := "Measured on linux/amd64, Example CPU, 2 cores, 24 GiB, ext4 on virtio disk, with go1.26."
	if got := race.machine(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestRunsOfTwoMachinesAreRefused(t *testing.T) {
	const line = "BenchmarkStore/peer=daybook-2 1 5 ns/op\n"
	race := runs{parse(t, "a.txt", line), parse(t, "b.txt", "cpu: Another CPU\n"+line)}
	err := race.validate("race")
	if want := `b.txt: cpu is "Another CPU", and "Example CPU" in a.txt`; err == nil || err.Error() != want {
		t.Errorf("got error %v, want %s", err, want)
	}
}

// TestParts shows that parts in one file are one run, and which do not belong together.
func TestParts(t *testing.T) {
	const narrow = fixtureMachine + "commit: 0123\nBenchmarkShapes/row=narrow/work=one/peer=daybook-2 1 5 ns/op\nPASS\n"
	const once = "BenchmarkShapes/row=once/work=one/peer=daybook-2 1 6 ns/op\nPASS\n"
	got, err := readRun(strings.NewReader(narrow+fixtureMachine+"commit: 0123\n"+once), "run.txt")
	want := map[key]float64{
		{measure{"Shapes/row=narrow/work=one", "ns/op"}, "daybook"}: 5,
		{measure{"Shapes/row=once/work=one", "ns/op"}, "daybook"}:   6,
	}
	if diff := cmp.Diff(want, got.figures); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	_, err = readRun(strings.NewReader(narrow+fixtureMachine+"commit: 4567\n"+once), "run.txt")
	if want := `run.txt: commit is "4567", and "0123" before: these are parts of two runs`; err == nil ||
		err.Error() != want {
		t.Errorf("parts of two commits: got %v, want %s", err, want)
	}
}

// TestMedians shows what is said about the runs.
func TestMedians(t *testing.T) {
	const line = "BenchmarkStore/peer=daybook-2 1 5 ns/op\n"
	old := parse(t, "a.txt", line)
	one, three := parse(t, "b.txt", "rounds: 1\n"+line), parse(t, "c.txt", "rounds: 3\n"+line)
	const fewer = " **These are fewer than the 3 runs that are wanted.**"
	const median = "Each figure is the median of %d runs, or of those runs that the peer took part in."
	for _, tt := range []struct {
		runs
		want, reason string
	}{
		{runs{old}, "Each figure is of one run." + fewer, "a recording without the number of its rounds"},
		{runs{one, three}, fmt.Sprintf(median, 2) + fewer + " Rounds of each run: 1, 3.", "two runs"},
		{runs{three, three, three}, fmt.Sprintf(median, 3) + " Rounds of each run: 3.", "as it should be"},
	} {
		if got := tt.medians(); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.reason, got, tt.want)
		}
	}
}
