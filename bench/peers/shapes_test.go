// SPDX-License-Identifier: Apache-2.0

package peers_test

import (
	"flag"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/daybook-db/daybook/bench"
	"github.com/daybook-db/daybook/bench/peers"
)

var inProcess = flag.Bool("inprocess", false, "run the heats of BenchmarkShapes in this process; with -short most do")

// row is a history that the race over the shapes is run on.
type row struct {
	name string
	bench.History
	beside bool // whether the cleanup is also measured beside Stores, on a copy
}

// rows have every shape that devices and services send, up to 100,000 records, up to a million
// values of one record, all orders of time, and batches of 1 to 100,000 values. A batch of 0 is one
// value of each record.
var rows = []row{
	{name: "telematics", History: bench.History{
		Shape: bench.Telematics, Times: bench.Jittered, Records: 1000, Ticks: 500}},
	{name: "float32s", History: bench.History{
		Shape: bench.Float32s, Records: 1000, Ticks: 300}},
	{name: "transformers", History: bench.History{
		Shape: bench.Transformers, Records: 10, Ticks: 30_000, Batch: 100_000}},
	{name: "doubles", History: bench.History{
		Shape: bench.Doubles, Records: 100, Ticks: 2000, Batch: 100}},
	{name: "states", History: bench.History{
		Shape: bench.States, Times: bench.Late, Records: 1000, Ticks: 300}},
	{name: "tracks", History: bench.History{
		Shape: bench.Tracks, Times: bench.Backfilled, Records: 1000, Ticks: 300, Batch: 10_000}},
	{name: "logs", History: bench.History{
		Shape: bench.Logs, Times: bench.Jittered, Records: 100, Ticks: 2000, Batch: 1000}},
	{name: "web", History: bench.History{
		Shape: bench.Web, Records: 100, Ticks: 2000, Batch: 1000}},
	{name: "counters64", History: bench.History{
		Shape: bench.Counters64, Times: bench.Late, Records: 100, Ticks: 2000, Batch: 1000}},
	{name: "switches", History: bench.History{
		Shape: bench.Switches, Times: bench.Jittered, Records: 1000, Ticks: 300}},
	{name: "narrow", beside: true, History: bench.History{
		Shape: bench.Readings, Times: bench.Jittered, Records: 10_000, Ticks: 200}},
	{name: "sparse", History: bench.History{
		Shape: bench.Readings, Times: bench.Jittered, Records: 100_000, Ticks: 10, Batch: 10_000}},
	{name: "sessions", History: bench.History{
		Shape: bench.Sessions, Times: bench.Jittered, Records: 20_000, Ticks: 10, Batch: 1000}},
	{name: "small", History: bench.History{
		Shape: bench.Readings, Records: 1000, Ticks: 10}},
	{name: "deep", History: bench.History{
		Shape: bench.Metrics, Times: bench.Jittered, Records: 1, Ticks: 1_000_000, Batch: 10_000}},
	{name: "once", History: bench.History{
		Shape: bench.States, Times: bench.Jittered, Records: 100_000, Ticks: 1, Batch: 1000}},
	{name: "unbatched", History: bench.History{
		Shape: bench.Metrics, Times: bench.Jittered, Records: 50, Ticks: 200, Batch: 1}},
}

// scaled returns a small history with -short, which only shows that the race runs.
func (r row) scaled() row {
	r.Seed = 1
	if testing.Short() {
		r.Records, r.Ticks = min(r.Records, max(r.Records/200, 5)), min(r.Ticks, max(r.Ticks/50, 8), 600)
		r.Batch = min(r.Batch, r.Values())
	}
	return r
}

// shapePeers are the entrants of BenchmarkShapes. AimDB's design takes part on one driver only, and
// BuntDB not at all, because it keeps everything in memory.
var shapePeers = []string{"daybook", "sqlite", "sqlite-tuned", "bbolt", "pebble", "badger"}

// BenchmarkShapes does eight kinds of work on each row: ingest until Close has returned, with the
// bytes on disk and those that the device wrote; a scan of everything, newest first; a range of
// time of 100 records; the newest ten values of each record; one value of one record; and the
// cleanup of half of the values. What Scan yields is compared with what was stored.
//
// A heat is all the work of a row, and runs in a process of its own, so that no entrant finds the
// heap or the caches of another. With -before COMMIT there is an entrant more: Daybook as it was at
// that commit, with the race as it was there. Bars that are a ratio to an earlier figure need it.
//
//	go test -run '^$' -bench Shapes -benchtime 1x -timeout 0 -before COMMIT
//	go test -run '^$' -bench Shapes/row=sparse -benchtime 1x -timeout 0 -peers daybook,pebble
func BenchmarkShapes(b *testing.B) {
	for _, r := range rows {
		b.Run("row="+r.name, func(b *testing.B) { r.scaled().race(b) })
	}
}

// race runs the row, and reports each work of each entrant as a sub-benchmark.
func (r row) race(b *testing.B) {
	heats := r.heats(b)
	results := takeTurns(b, heats, r.turns())
	for _, work := range shapeWorks {
		for _, h := range heats {
			measured := map[string][]float64{}
			for figure, values := range results[h.entrant] {
				if of, unit, _ := strings.Cut(figure, " "); of == work {
					measured[unit] = values
				}
			}
			if len(measured) > 0 {
				b.Run("work="+work+"/peer="+h.entrant, func(b *testing.B) { report(b, measured) })
			}
		}
	}
}

// turns returns how often each heat runs in a round. A small history takes milliseconds, of which a
// busy moment of the machine is a large part.
func (r row) turns() int {
	if r.Values() <= 20_000 && !*inProcess {
		return 5
	}
	return 1
}

// shapeWorks are the kinds of work of BenchmarkShapes. A figure of a heat is named "work unit".
var shapeWorks = []string{"ingest", "scan", "range", "newest10", "one", "cleanup", "cleanupBeside"}

// heats returns a heat for each entrant that the flags want.
func (r row) heats(b *testing.B) []heat {
	want := sync.OnceValue(func() expectation { return expect(r.History) })
	var heats []heat
	for _, p := range entrants() {
		if slices.Contains(shapePeers, p.Name) {
			heats = append(heats, heat{p.Name, func(b *testing.B) figures { return r.measure(b, p, want()) }})
		}
	}
	if !*inProcess || *only == "" {
		heats = append(heats, r.limits()...)
	} else {
		heats = append(heats, slices.DeleteFunc(r.limits(), func(h heat) bool { return h.entrant != *only })...)
	}
	if *inProcess {
		return heats
	}
	if !testing.Short() || r.name == "unbatched" { // with -short one row shows that children work
		for i, h := range heats {
			heats[i].run = func(b *testing.B) figures { return r.child(b, ownBinary(b), h.entrant, want) }
		}
	}
	if *before != "" {
		binary := beforeBinary(b)
		heats = append(heats, heat{"daybook-before", func(b *testing.B) figures {
			return r.childBefore(b, binary, want)
		}})
	}
	return heats
}

// measure does all works of a row with one entrant.
func (r row) measure(b *testing.B, p peers.Peer, want expectation) figures {
	b.Helper()
	dir, remove := temporary(b)
	defer remove()
	measured := r.ingest(b, p, dir, want)
	r.check(b, p, dir, want)
	r.read(b, p, dir, want, measured)
	r.clean(b, p, dir, want, measured)
	return measured
}

// TestRows shows that the rows have all kinds of histories that the race is meant to cover.
func TestRows(t *testing.T) {
	shapes, times := map[bench.Shape]bool{}, map[bench.Times]bool{}
	records, ticks, batches, names := map[int]bool{}, map[int]bool{}, map[int]bool{}, map[string]bool{}
	for _, r := range rows {
		if names[r.name] {
			t.Errorf("two rows have the name %s", r.name)
		}
		shapes[r.Shape], times[r.Times], names[r.name] = true, true, true
		records[r.Records], ticks[r.Ticks], batches[r.Batch] = true, true, true
	}
	for shape := bench.Telematics; shape <= bench.Switches; shape++ {
		if !shapes[shape] {
			t.Errorf("no row has values of shape %s", shape)
		}
	}
	for order := bench.InOrder; order <= bench.Backfilled; order++ {
		if !times[order] {
			t.Errorf("no row arrives %s", order)
		}
	}
	if !records[10] || !records[100_000] || !batches[1] || !batches[100_000] {
		t.Error("want rows of 10 and of 100,000 records, and batches of 1 and of 100,000 values")
	}
	if !ticks[1] || !ticks[1_000_000] {
		t.Error("want rows of 1 and of a million values of each record")
	}
}
