// SPDX-License-Identifier: Apache-2.0

package peers_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/daybook-db/daybook/bench"
	"github.com/daybook-db/daybook/bench/peers"
	"github.com/daybook-db/daybook/engine"
)

var (
	rounds = flag.Int("rounds", 3, "number of rounds, in each of which every entrant runs; 1 with -short")
	only   = flag.String("peers", "", "names of entrants, separated by commas; default: all")
	slow   = flag.Duration("slow", time.Minute, "an entrant whose heat takes longer than this runs it only once")
)

var ctx = context.Background()

// daybookPeer is Daybook with its default options, as an entrant like the others.
var daybookPeer = peers.Peer{
	Name: "daybook",
	Open: func(dir string) (peers.Store, error) { return engine.Open(dir, nil) },
}

// entrants returns Daybook and its peers, or those of them that the flag names.
func entrants() []peers.Peer {
	all := append([]peers.Peer{daybookPeer}, peers.All()...)
	if *only == "" {
		return all
	}
	names := strings.Split(*only, ",")
	return slices.DeleteFunc(all, func(p peers.Peer) bool { return !slices.Contains(names, p.Name) })
}

// figures are the results of a heat, by unit.
type figures map[string]float64

// heat is one kind of work, done once by one entrant.
type heat struct {
	entrant string
	run     func(b *testing.B) figures
}

// race runs heats, and reports the median of each entrant's figures.
func race(b *testing.B, heats []heat, turns int) {
	b.Helper()
	results := takeTurns(b, heats, turns)
	for _, h := range heats {
		b.Run("peer="+h.entrant, func(b *testing.B) { report(b, results[h.entrant]) })
	}
}

// takeTurns runs each heat several times in each round, and returns the figures of each entrant, by
// unit. The entrants take turns, in another order each time. So a fast minute of the machine is not
// one entrant's only, and no entrant always follows the same one, which leaves the disk busy or
// awake.
func takeTurns(b *testing.B, heats []heat, turns int) map[string]map[string][]float64 {
	b.Helper()
	results := map[string]map[string][]float64{}
	isSlow := map[string]bool{}
	random := rand.New(rand.NewPCG(1, 0)) // the same orders in each run
	for range roundCount(turns) {
		for _, i := range random.Perm(len(heats)) {
			h := heats[i]
			if isSlow[h.entrant] {
				continue
			}
			start, prepared := time.Now(), preparing
			for unit, figure := range h.run(b) {
				if results[h.entrant] == nil {
					results[h.entrant] = map[string][]float64{}
				}
				results[h.entrant][unit] = append(results[h.entrant][unit], figure)
			}
			isSlow[h.entrant] = time.Since(start)-(preparing-prepared) > *slow
		}
	}
	return results
}

func roundCount(turns int) int {
	if testing.Short() {
		return 1
	}
	return *rounds * turns
}

// report shows measured figures as if the benchmark had just taken them.
func report(b *testing.B, measured map[string][]float64) {
	if _, timed := measured["ns/op"]; !timed {
		b.ReportMetric(0, "ns/op") // 0 ns/op is not printed
	}
	for unit, values := range measured {
		b.ReportMetric(median(values), unit)
	}
}

func median(values []float64) float64 {
	slices.Sort(values)
	if n := len(values); n%2 == 0 {
		return (values[n/2-1] + values[n/2]) / 2
	}
	return values[len(values)/2]
}

// each returns a heat for every entrant.
func each(run func(b *testing.B, p peers.Peer) figures) []heat {
	var heats []heat
	for _, p := range entrants() {
		heats = append(heats, heat{p.Name, func(b *testing.B) figures {
			b.Helper()
			return run(b, p)
		}})
	}
	return heats
}

// with opens p in dir, runs work, and closes it.
func with(b *testing.B, p peers.Peer, dir string, work func(s peers.Store)) {
	b.Helper()
	s := mustOpen(b, p, dir)
	work(s)
	must(b, p, s.Close())
}

func mustOpen(b *testing.B, p peers.Peer, dir string) peers.Store {
	b.Helper()
	s, err := p.Open(dir)
	must(b, p, err)
	must(b, p, s.Initialize(ctx))
	return s
}

// must fails the benchmark if err is not nil. It is called in measured work, so it does nothing
// else.
func must(b *testing.B, p peers.Peer, err error) {
	if err != nil {
		b.Helper()
		b.Fatalf("%s: %v", p.Name, err)
	}
}

// temporary makes a directory that is removed after the heat. b.TempDir would stay until the end of
// the benchmark.
func temporary(b *testing.B) (dir string, remove func()) {
	b.Helper()
	dir, err := os.MkdirTemp("", "race")
	if err != nil {
		b.Fatal(err)
	}
	return dir, func() { os.RemoveAll(dir) }
}

// newLimit returns the limit of the disk. done removes its file.
func newLimit(b *testing.B) (limit *bench.Limit, done func()) {
	b.Helper()
	dir, remove := temporary(b)
	limit, err := bench.NewLimit(dir)
	if err != nil {
		b.Fatal(err)
	}
	return limit, func() {
		limit.Close()
		remove()
	}
}

func timed(work func()) time.Duration {
	start := time.Now()
	work()
	return time.Since(start)
}

// scaled returns n, or a hundredth of it with -short, which only shows that the race runs.
func scaled(n int) int {
	if testing.Short() {
		return max(n/100, 10)
	}
	return n
}

// diskUse returns the bytes of the blocks that are allocated to the files under dir.
func diskUse(b *testing.B, dir string) (used int64) {
	b.Helper()
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		info, err := entry.Info()
		used += allocated(info)
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	return used
}

// TestMain prints a description of the machine before the benchmarks, and removes the datasets at
// the end.
func TestMain(m *testing.M) {
	flag.Parse()
	if bench := flag.Lookup("test.bench"); bench.Value.String() != "" {
		fmt.Print(machine())
	}
	code := m.Run()
	removeDatasets()
	removeBefore()
	os.Exit(code)
}
