// SPDX-License-Identifier: Apache-2.0

//go:build amd64 || arm64

package proof_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/daybook-db/daybook/proof/fusedisk"
	"github.com/daybook-db/daybook/proof/journal"
)

var faultsFlag = flag.String("proof.faults", "220", "runs of TestFaults: a number; all; or one, as a failure names it")

// TestFaults has every operation that the workloads make of the disk fail, in every way, a run each.
func TestFaults(t *testing.T) {
	disks := []*fusedisk.Disk{fusedisk.MountFor(t), fusedisk.MountFor(t), fusedisk.MountFor(t)}
	scenarios := make(map[string]scenario)
	for _, sc := range []scenario{newStore(), killedStore(t, disks[0]), intervalStore()} {
		scenarios[sc.name] = sc
	}
	if r, err := parseRun(*faultsFlag); err == nil {
		o := r.do(disks[0], scenarios[r.scenario])
		t.Logf("run %v: the disk failed %d times, %d calls returned an error", r, o.hits, o.failures)
		if o.wrong != nil {
			t.Error(o.wrong)
		}
		return
	}
	var runs []faultRun
	for _, sc := range scenarios {
		positions, took := sc.count(t, disks[0])
		t.Logf("%s: %v without a fault; operations: %v", sc.name, took.Round(time.Millisecond), positions)
		runs = append(runs, allRuns(sc, positions)...)
	}
	seed, total := rand.Uint64(), len(runs)
	chosen := choose(t, runs, seed)
	start := time.Now()
	summary := doAll(t, disks, scenarios, chosen)
	t.Logf("seed %d: %d of %d runs in %v: %s", seed, len(chosen), total, time.Since(start).Round(time.Millisecond), summary)
}

// allRuns returns a run for every position, errno and duration; of writes, with what they write all the same
// in turn.
func allRuns(sc scenario, positions map[journal.Kind]int) (runs []faultRun) {
	ways := []string{nothingWritten, headWritten, sectorsWritten, allWritten}
	for _, kind := range sc.kinds {
		for position := range positions[kind] {
			for e, errno := range []string{"EIO", "ENOSPC"} {
				for l, lasts := range []string{once, lasting, healed} {
					r := faultRun{sc.name, kind, position, errno, lasts, nothingWritten}
					if kind == journal.Write {
						r.written = ways[(position+e+l)%len(ways)]
					}
					runs = append(runs, r)
				}
			}
		}
	}
	for position := range positions[journal.Write] {
		if position%5 == 0 {
			runs = append(runs, faultRun{sc.name, journal.Write, position, "ENOSPC", once, shortWrite})
		}
	}
	return runs
}

// choose returns as many runs as the flag says, in random order, and at least one of each scenario, kind, errno
// and duration.
func choose(t *testing.T, runs []faultRun, seed uint64) []faultRun {
	t.Helper()
	wanted := len(runs)
	if *faultsFlag != "all" {
		var err error
		if wanted, err = strconv.Atoi(*faultsFlag); err != nil {
			t.Fatalf("-proof.faults=%s: want all, a number of runs, or the name of one", *faultsFlag)
		}
	}
	random := rand.New(rand.NewPCG(seed, 0))
	slices.SortFunc(runs, func(a, b faultRun) int { return strings.Compare(a.String(), b.String()) })
	random.Shuffle(len(runs), func(i, j int) { runs[i], runs[j] = runs[j], runs[i] })
	first, rest := []faultRun(nil), []faultRun(nil)
	met := make(map[faultRun]bool)
	for _, r := range runs {
		group := faultRun{scenario: r.scenario, kind: r.kind, errno: r.errno, lasts: r.lasts}
		if met[group] {
			rest = append(rest, r)
		} else {
			first = append(first, r)
		}
		met[group] = true
	}
	return append(first, rest[:min(max(0, wanted-len(first)), len(rest))]...)
}

// mostWrong is how many runs may fail before the rest is left out.
const mostWrong = 500

// tally counts the outcomes of one kind.
type tally struct{ runs, hit, failures, poisoned int }

// doAll does runs on all disks at once.
func doAll(t *testing.T, disks []*fusedisk.Disk, scenarios map[string]scenario, runs []faultRun) string {
	t.Helper()
	var mu sync.Mutex
	next, wrong := 0, 0
	tallies := make(map[journal.Kind]*tally)
	take := func() (r faultRun, ok bool) {
		mu.Lock()
		defer mu.Unlock()
		if next == len(runs) || wrong == mostWrong {
			return r, false
		}
		next++
		return runs[next-1], true
	}
	note := func(r faultRun, o outcome) {
		mu.Lock()
		defer mu.Unlock()
		if o.wrong != nil {
			wrong++
			t.Errorf("run %v: %v", r, o.wrong)
		}
		if tallies[r.kind] == nil {
			tallies[r.kind] = new(tally)
		}
		sum := tallies[r.kind]
		sum.runs++
		sum.failures += o.failures
		sum.poisoned += o.poisoned
		if o.hits > 0 {
			sum.hit++
		}
	}
	var workers sync.WaitGroup
	for _, disk := range disks {
		workers.Go(func() {
			for r, ok := take(); ok; r, ok = take() {
				note(r, r.do(disk, scenarios[r.scenario]))
			}
		})
	}
	workers.Wait()
	var b strings.Builder
	for _, kind := range faultyKinds {
		if sum := tallies[kind]; sum != nil {
			fmt.Fprintf(&b, "\n%-8v %4d runs, in %d the disk failed; %d calls returned an error, %d of them ErrFailed",
				kind, sum.runs, sum.hit, sum.failures, sum.poisoned)
		}
	}
	return b.String()
}
