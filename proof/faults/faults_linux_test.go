// SPDX-License-Identifier: Apache-2.0

//go:build amd64 || arm64

package faults

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
	"github.com/daybook-db/daybook/proof/testenv"
)

var faultsFlag = flag.String("proof.faults", "", "runs of TestFaults: a number, all, the name of a run, "+
	"or each (one of each workload, operation, error and duration); default: one of each workload, operation and "+
	"error, or 500 with -long")

// TestFaults makes an operation of the disk fail in each run of a workload. The flag -proof.faults
// says how many runs there are.
func TestFaults(t *testing.T) {
	disks := []*fusedisk.Disk{fusedisk.MountFor(t), fusedisk.MountFor(t), fusedisk.MountFor(t)}
	scenarios := make(map[string]scenario)
	for _, sc := range []scenario{newStore(), linkedStore(), killedStore(t, disks[0]), intervalStore()} {
		scenarios[sc.name] = sc
	}
	if r, err := parseRun(*faultsFlag); err == nil {
		repeat(t, r, disks[0], scenarios)
		return
	}
	var runs []faultRun
	for _, sc := range scenarios {
		positions, took := sc.count(t, disks[0])
		t.Logf("%s: %v without a fault; operations: %v", sc.name, took.Round(time.Millisecond), positions)
		runs = append(runs, allRuns(sc, positions)...)
	}
	seed, total := rand.Uint64(), len(runs)
	start := time.Now()
	p := progress{remaining: choose(t, runs, seed), tallies: make(map[journal.OpKind]tally)}
	p.doAll(t, disks, scenarios)
	t.Logf("seed %d: %d of %d runs in %v: %v", seed, p.done, total, time.Since(start).Round(time.Millisecond), &p)
	for _, kind := range faultyKinds {
		if p.tallies[kind].hit == 0 && !t.Failed() {
			t.Errorf("no run made a %v fail", kind)
		}
	}
}

// repeat does one run.
func repeat(t *testing.T, r faultRun, disk *fusedisk.Disk, scenarios map[string]scenario) {
	t.Helper()
	sc, ok := scenarios[r.scenario]
	if !ok {
		t.Fatalf("-proof.faults=%s: there is no workload %q", *faultsFlag, r.scenario)
	}
	o := r.do(disk, sc)
	t.Logf("run %v: the disk failed %d times, %d calls returned an error", r, o.hits, o.failures)
	if o.wrong != nil {
		t.Error(o.wrong)
	} else if o.hits == 0 {
		t.Error("the workload made no such operation")
	}
}

// allRuns returns a run for every position, error and duration. Runs in which a write fails take
// turns in how many of its bytes are applied.
func allRuns(sc scenario, positions map[journal.OpKind]int) (runs []faultRun) {
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

// choose returns the runs that the flags ask for, in random order. One run of each kind comes
// first, then one of each scenario, kind and error, and then one of each of these and duration.
func choose(t *testing.T, runs []faultRun, seed uint64) (chosen []faultRun) {
	t.Helper()
	random := rand.New(rand.NewPCG(seed, 0))
	slices.SortFunc(runs, func(a, b faultRun) int { return strings.Compare(a.String(), b.String()) })
	random.Shuffle(len(runs), func(i, j int) { runs[i], runs[j] = runs[j], runs[i] })
	each := oneOfEach(runs, func(r faultRun) faultRun {
		return faultRun{scenario: r.scenario, kind: r.kind, errno: r.errno, lasts: r.lasts}
	})
	few := oneOfEach(runs, func(r faultRun) faultRun {
		return faultRun{scenario: r.scenario, kind: r.kind, errno: r.errno}
	})
	oneOfEach(runs, func(r faultRun) faultRun { return faultRun{kind: r.kind} })
	count := *faultsFlag
	if count == "" && testenv.Long() {
		count = "500"
	}
	switch count {
	case "all":
		return runs
	case "":
		return runs[:few]
	case "each":
		return runs[:each]
	}
	n, err := strconv.Atoi(count)
	if err != nil {
		t.Fatalf("-proof.faults=%s: want a number of runs, each, all, or the name of a run", *faultsFlag)
	}
	return runs[:min(max(n, len(faultyKinds)), len(runs))]
}

// oneOfEach moves the first run of each group to the front, and returns the number of groups.
func oneOfEach(runs []faultRun, group func(faultRun) faultRun) int {
	var first, rest []faultRun
	met := make(map[faultRun]bool)
	for _, r := range runs {
		if g := group(r); met[g] {
			rest = append(rest, r)
		} else {
			met[g] = true
			first = append(first, r)
		}
	}
	copy(runs, append(first, rest...))
	return len(first)
}

// maxWrong is the number of failed runs after which the test ends.
const maxWrong = 5

// tally sums up the outcomes of the runs in which operations of one kind fail.
type tally struct{ runs, hit, failures, poisoned int }

// progress hands out the runs, and sums up their outcomes.
type progress struct {
	mu        sync.Mutex // guards the fields below
	remaining []faultRun
	done      int
	wrong     int
	tallies   map[journal.OpKind]tally
}

func (p *progress) take() (r faultRun, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.remaining) == 0 || p.wrong >= maxWrong {
		return r, false
	}
	r, p.remaining = p.remaining[0], p.remaining[1:]
	p.done++
	return r, true
}

func (p *progress) note(t *testing.T, r faultRun, o outcome) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if o.wrong != nil {
		p.wrong++
		t.Errorf("run %v: %v", r, o.wrong)
	}
	sum := p.tallies[r.kind]
	sum.runs++
	sum.hit += min(o.hits, 1)
	sum.failures += o.failures
	sum.poisoned += o.poisoned
	p.tallies[r.kind] = sum
}

func (p *progress) String() string {
	var b strings.Builder
	for _, kind := range faultyKinds {
		sum := p.tallies[kind]
		fmt.Fprintf(&b, "\n%-8v %4d runs, the disk failed in %d; %d calls returned an error, %d of them ErrFailed",
			kind, sum.runs, sum.hit, sum.failures, sum.poisoned)
	}
	return b.String()
}

// doAll does the runs on several disks at once.
func (p *progress) doAll(t *testing.T, disks []*fusedisk.Disk, scenarios map[string]scenario) {
	t.Helper()
	var workers sync.WaitGroup
	for _, disk := range disks {
		workers.Go(func() {
			for r, ok := p.take(); ok; r, ok = p.take() {
				p.note(t, r, r.do(disk, scenarios[r.scenario]))
			}
		})
	}
	workers.Wait()
}
