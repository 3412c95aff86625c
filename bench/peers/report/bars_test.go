// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestJudge(t *testing.T) {
	atLeastTwice := func(w work) bar { return bar{w, timesBetter, 2, "pebble"} }
	for _, tt := range []struct {
		reason       string
		bar          bar
		ours, theirs string // "" for no such line
		holds        bool
		cell         string
	}{
		{"less time is better", atLeastTwice(store), "100", "200", true, "2.00x"},
		{"a small miss is a miss", atLeastTwice(store), "100", "199.9", false, "2.00x"},
		{"a higher rate is better", atLeastTwice(scan), "400", "100", true, "4.00x"},
		{"a lower rate is worse", atLeastTwice(scan), "100", "400", false, "0.250x"},
		{"an equal figure is not better", bar{store, betterThan, 1, "pebble"}, "100", "100", false, "1.00x"},
		{"a slightly better figure is enough", bar{store, betterThan, 1, "pebble"}, "100", "101", true, "1.01x"},
		{"the peer may be ahead up to the bound", bar{store, timesAtMost, 1.25, "pebble"}, "125", "100", true, "1.25x"},
		{"the peer is too far ahead", bar{store, timesAtMost, 1.25, "pebble"}, "126", "100", false, "1.26x"},
		{"a figure equal to the bound holds", bar{store, atMost, 1e6, ""}, "1000000", "", true, "1.0 ms"},
		{"a figure above the bound does not", bar{store, atMost, 1e6, ""}, "1100000", "", false, "1.1 ms"},
		{"zero is below any bound", bar{store, atMost, 1e6, ""}, "0", "", true, "0 s"},
		{"Daybook was not run", atLeastTwice(store), "", "200", false, "not run"},
		{"the peer was not run", atLeastTwice(store), "100", "", false, "not run"},
	} {
		lines := "BenchmarkBinary/peer=daybook-2 1 5 MiB\n"
		for peer, figure := range map[string]string{"daybook": tt.ours, "pebble": tt.theirs} {
			if figure != "" {
				lines += "Benchmark" + tt.bar.work.benchmark + "/peer=" + peer + "-2 1 " +
					figure + " " + tt.bar.work.unit + "\n"
			}
		}
		v := tt.bar.judge(parse(t, "run.txt", lines))
		if got := tt.bar.cell(v); v.holds != tt.holds || got != tt.cell {
			t.Errorf("%s: %s: holds %v, %s; want %v, %s", tt.reason, tt.bar, v.holds, got, tt.holds, tt.cell)
		}
	}
}

func TestBarInWords(t *testing.T) {
	got := []string{}
	for _, b := range []bar{
		{store, timesAtMost, 1.25, "limit"}, {store, timesBetter, 1.5, "sqlite"},
		{latest1, betterThan, 1, "bbolt"}, {openClosed, atMost, 50e6, ""}, {size, atMost, 14, ""},
	} {
		got = append(got, b.String())
	}
	want := []string{
		"at most 1.25x of limit", "at least 1.5x better than sqlite",
		"better than bbolt", "at most 50 ms", "at most 14 B",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestPrintBars(t *testing.T) {
	good, bad := parse(t, "good.txt", fullRace(1000)), parse(t, "bad.txt", fullRace(1))
	for _, tt := range []struct {
		name, reason string
		race         runs
		held         bool
		outcome      string
	}{
		{"good", "every bar holds by far", runs{good, good}, true, "holds"},
		{"bad", "no better than any peer", runs{bad}, false, "MISSED"},
		{"mixed", "one bad run is enough", runs{good, bad, good}, false, "MISSED in 1 of 3"},
		{"absent", "a bar without figures does not hold", runs{{file: "none.txt"}}, false, "not run"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			held := printBars(&out, bars, tt.race)
			if held != tt.held || !strings.Contains(out.String(), tt.outcome) {
				t.Errorf("%s: held %v, want %v and %q:\n%s", tt.reason, held, tt.held, tt.outcome, &out)
			}
		})
	}
}

// TestBarsAreOfKnownWorks shows that no bar has a misspelt work or peer. Such a bar would be missed
// in every run.
func TestBarsAreOfKnownWorks(t *testing.T) {
	known := map[string]bool{"": true}
	for _, e := range entrants {
		known[e.name] = true
	}
	rows := map[measure]bool{}
	for _, w := range works {
		rows[w.measure] = true
	}
	for _, b := range bars {
		if !known[b.peer] || !rows[b.work.measure] || (b.peer == "") != (b.rule == atMost) {
			t.Errorf("%s: %s", b.work.title, b)
		}
	}
}

// TestHeldBars shows what a document says about bars: how many hold, and each that does not.
func TestHeldBars(t *testing.T) {
	good, heavy := parse(t, "good.txt", fullRace(1000)), parse(t, "heavy.txt", fullRace(1000))
	heavy.figures[key{heap.measure, daybook}] = 85
	for _, tt := range []struct {
		runs
		want, reason string
	}{
		{runs{good, good}, "- Of the 33 bars of the race 33 hold in each run.\n" +
			"- No run of the shapes has been recorded yet.\n", "every bar holds by far"},
		{runs{good, heavy}, "- Of the 33 bars of the race 32 hold in each run.\n" +
			"  - Live heap, in MiB, ingesting 10,000,000 values: at most 80 MiB. It has 0.050 MiB, 85.0 MiB.\n" +
			"- No run of the shapes has been recorded yet.\n", "one is missed in one run"},
	} {
		if diff := cmp.Diff(tt.want, heldBars(tt.runs)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.reason, diff)
		}
	}
}
