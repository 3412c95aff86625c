// SPDX-License-Identifier: Apache-2.0

//go:build amd64 || arm64

package powercut

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/daybook-db/daybook/engine"
	"github.com/daybook-db/daybook/proof/fusedisk"
	"github.com/daybook-db/daybook/proof/journal"
)

var (
	statesFlag = flag.Int("proof.states", 0,
		"TestPowerCut tries at least this number of distinct crash states; 0: 2000, or 2500 with -long")
	seedFlag = flag.Uint64("proof.seed", 0,
		"seed of TestPowerCut's workloads and random choices; 0: a different one in each run")
	replayFlag = flag.String("proof.replay", "",
		"file that a failed TestPowerCut has saved; the test tries only the crash state in this file")
)

const (
	maxFailures   = 3 // the test ends after this number of failed crash states
	progressEvery = time.Minute
)

// TestPowerCut records workloads on a fuse disk and cuts the power after every operation of the
// disk. It opens the daybook on several possible states of the disk and judges the visible values.
// Then it does the same with the recoveries from some of these states.
//
// The seed decides about the workloads and about the crash states that are tried. It cannot decide
// about the order in which the engine's goroutines run, so a state that fails is saved together
// with its journal.
func TestPowerCut(t *testing.T) {
	if *replayFlag != "" {
		replay(t, *replayFlag)
		return
	}
	disk := fusedisk.MountFor(t)
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("-proof.seed=%d", seed)
	c := newCutter(t, sizeOfRun())
	started, reported := time.Now(), time.Now()
	for round := uint64(0); c.wantsMore(round) && !t.Failed(); round++ {
		durability := []engine.Durability{
			engine.DurabilityAlways, engine.DurabilityInterval, engine.DurabilityAlways, engine.DurabilityOS,
		}[round%4]
		c.cutWorkload(disk, seed+round, durability, []layout{plain, plain, linked, linked}[round%4])
		if time.Since(reported) > progressEvery {
			reported = time.Now()
			fmt.Fprintf(os.Stderr, "%v: %d distinct states after %d workloads\n",
				time.Since(started).Round(time.Second), len(c.images), round+1)
		}
	}
	c.requireAllKinds()
	t.Logf("a hold had lost values in %d states, a stream had a position in %d", statesWithLost.Load(),
		statesWithPosition.Load())
	t.Logf("a consumer went on in %d states, and history had forked in %d", statesGoingOn.Load(), statesForked.Load())
	if c.size.workloads > 1 && (statesWithLost.Load() == 0 || statesWithPosition.Load() == 0 ||
		statesGoingOn.Load() == 0 || statesForked.Load() == 0) {
		t.Error("no state had lost a held value, or had a position, or let a consumer go on, or forked its history: " +
			"the run proves nothing about these")
	}
	t.Logf("operations: %s", c.census())
	t.Logf("%v, in %v", c, time.Since(started).Round(time.Millisecond))
}

// wantsMore reports whether the run needs another workload after the given number of them.
func (c *cutter) wantsMore(workloads uint64) bool {
	return workloads < uint64(c.size.workloads) || len(c.images) < c.size.states
}

// requireAllKinds fails the test if the workloads made no operation of some kind. One workload need
// not make all kinds.
func (c *cutter) requireAllKinds() {
	if c.size.workloads == 1 || c.t.Failed() {
		return
	}
	for _, kind := range []journal.OpKind{
		journal.Create, journal.Mkdir, journal.Write, journal.Truncate, journal.Rename, journal.Unlink,
		journal.Sync, journal.SyncDir,
	} {
		if c.kinds[kind] == 0 {
			c.t.Errorf("no workload made a %v", kind)
		}
	}
}
