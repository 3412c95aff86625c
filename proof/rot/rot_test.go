// SPDX-License-Identifier: Apache-2.0

package rot

import (
	"flag"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/daybook-db/daybook/proof/testenv"
)

var (
	modeFlag    = flag.String("proof.rot", "", `cases of TestRot: full, or by default a sample of each kind`)
	seedFlag    = flag.Uint64("proof.rot.seed", 1, "seed of TestRot's victims and samples")
	caseFlag    = flag.String("proof.rot.case", "", "TestRot runs only the cases whose names contain this text")
	victimsFlag = flag.String("proof.rot.victims", "", "directory of TestRot's victims; existing ones are used again")
	allFlag     = flag.Bool("proof.rot.all", false, "TestRot reports every failed case, and not only one of each kind")
)

// A run samples this number of cases of each kind, and several times as many of the most dangerous
// kinds.
const (
	samplesPerKind     = 1
	samplesPerKindLong = 4 // with -long
)

// TestRot damages the files of stores that are closed, killed or open: it flips bits, writes zeros
// and truncates, at every kind of place in the tree and the log. Package rot documents what must
// hold then.
func TestRot(t *testing.T) {
	victims := *victimsFlag
	if victims == "" {
		dir, err := os.MkdirTemp("", "daybook-rot") // not in memory, because it stays when a case fails
		if err != nil {
			t.Fatal(err)
		}
		victims = dir
		defer func() {
			if !t.Failed() {
				_ = os.RemoveAll(dir)
			}
		}()
	}
	cases := makeCases(t, makeVictims(t, victims, *seedFlag))
	if len(cases) == 0 {
		t.Fatal("no case has this name; see the flags -proof.rot.case and -proof.rot.seed")
	}
	start := time.Now()
	outcomes := runAll(victims, cases)
	t.Logf("%d cases in %v, seed %d", len(cases), time.Since(start).Round(time.Second), *seedFlag)
	reportOutcomes(t, victims, outcomes)
}

// makeCases makes the cases of all victims that the flags select. The race detector slows every
// case down, so it gets a third of them.
func makeCases(t *testing.T, victims []*victim) []*damageCase {
	t.Helper()
	s := &sampler{perKind: samplesPerKind, seed: *seedFlag, kinds: make(map[string]*reservoir)}
	few := &sampler{perKind: 1, seed: *seedFlag, kinds: s.kinds}
	if *modeFlag == "full" {
		s.perKind, few.perKind = 0, 0
	} else if testenv.Long() {
		s.perKind, few.perKind = samplesPerKindLong, 2
	}
	for _, v := range victims {
		undamaged := damageCase{Victim: v.name, Kind: "no damage", Where: "nowhere", File: treeName, Expect: harmless}
		s.add(&undamaged, 0)
		opened := undamaged
		opened.Kind, opened.Open = "open: no damage", true
		s.add(&opened, 0)
		switch v.name {
		case "deep", "tiny":
			addTreeCases(t, v, s, false)
			few.addOpenCases(t, v)
		default:
			addLogCases(t, v, s)
			if v.name == "partly posted" {
				addTreeCases(t, v, few, false)
			}
		}
	}
	s.order = append(s.order, few.order...)
	n := 0
	return slices.DeleteFunc(s.cases(), func(c *damageCase) bool {
		n++
		tooMany := raceEnabled && *caseFlag == "" && n%3 > 0
		return tooMany || !strings.Contains(c.String(), *caseFlag)
	})
}

// addOpenCases adds the cases that damage the tree of a victim that is open. On Windows a mapped
// file cannot be truncated.
func (s *sampler) addOpenCases(t *testing.T, v *victim) {
	if runtime.GOOS != "windows" {
		addTreeCases(t, v, s, true)
	}
}

// outcome is the result of a case.
type outcome struct {
	damage   *damageCase
	findings []finding
}

// runAll runs the cases in as many child processes as there are processors.
func runAll(victims string, cases []*damageCase) (outcomes []outcome) {
	queue := make(chan *damageCase)
	var mu sync.Mutex // guards outcomes
	var wait sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wait.Go(func() {
			child := &child{victims: victims}
			defer child.stop()
			for c := range queue {
				findings := child.run(c)
				mu.Lock()
				outcomes = append(outcomes, outcome{c, findings})
				mu.Unlock()
			}
		})
	}
	for _, c := range cases {
		queue <- c
	}
	close(queue)
	wait.Wait()
	return outcomes
}
