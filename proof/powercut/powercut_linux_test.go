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
	"github.com/daybook-db/daybook/proof/crashstate"
	"github.com/daybook-db/daybook/proof/fusedisk"
	"github.com/daybook-db/daybook/proof/history"
	"github.com/daybook-db/daybook/proof/journal"
)

var (
	statesFlag = flag.Int("proof.states", 0, "how many distinct crash states TestPowerCut tries at least; 0: 1000, or 2500 with -long")
	seedFlag   = flag.Uint64("proof.seed", 0, "seed of the power-cut test's workloads and choices; 0: another one each time")
	replayFlag = flag.String("proof.replay", "", "file of a failed power cut to try again, alone")
)

const (
	randomPerBirth     = 8 // times as many while the directory is made, which a workload does once
	manyStates         = 10_000
	mostFailures       = 3
	progressEvery      = time.Minute
	nestedRandomStates = 2
	slowSync           = 500 * time.Microsecond // at most, in half of the workloads: more happens beside it
)

// TestPowerCut runs the engine on a disk that records what it does, cuts the power after every operation, in
// several ways each, opens what is left, and holds it against what was acknowledged. Then it does the
// same with recoveries. The seed decides what is done and which states are tried; how the engine's
// goroutines take turns it cannot decide, so a state that fails is saved with its journal.
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
	size := sizeOfRun()
	c := newCutter(t, size)
	started, told := time.Now(), time.Now()
	for round := uint64(0); (round < uint64(size.workloads) || len(c.images) < size.states) && c.failures < mostFailures && !t.Failed(); round++ {
		durability := []engine.Durability{engine.Always, engine.Interval, engine.Always, engine.OS}[round%4]
		c.cutWorkload(disk, seed+round, durability)
		if time.Since(told) > progressEvery {
			told = time.Now()
			fmt.Fprintf(os.Stderr, "%v: %d distinct states after %d workloads\n", time.Since(started).Round(time.Second), len(c.images), round+1)
		}
	}
	t.Logf("operations: %s", c.census())
	for _, kind := range []journal.OpKind{journal.Create, journal.Mkdir, journal.Write, journal.Truncate, journal.Rename, journal.Unlink, journal.Sync, journal.SyncDir} {
		if c.kinds[kind] == 0 && !t.Failed() && size.workloads > 1 {
			t.Errorf("no workload did a %v", kind)
		}
	}
	t.Logf("%d workloads and %d recoveries, %d operations, %d prefixes, %d states opened, %d of them again after a store, %d distinct, in %v",
		c.workloads, c.recoveries, c.operations(), c.prefixes, c.states, c.again, len(c.images), time.Since(started).Round(time.Millisecond))
}

// recording is a journal and what is known of what was asked for. It is all that a state is made of, but
// for its prefix and number.
type recording struct {
	Seed       uint64
	Durability engine.Durability
	HeadSize   int64
	Chunk      int
	Start      *history.History // what was known before the journal
	Base       int              // operations that only stand for what was there before
	Journal    []journal.Op
	Nested     bool // it is of a recovery

	// Of a state that failed.
	Prefix int // operations of the journal that were done
	Number uint64
}

func (r *recording) options() engine.Options {
	return engine.Options{Durability: r.Durability, Tuning: engine.Tuning{HeadSize: r.HeadSize, TransactionSize: smallTransactions, ChunkValues: r.Chunk, ChunkBytes: 4 << 10}, Logger: quiet}
}

// cutWorkload records one workload, cuts it off everywhere, and some of the recoveries too.
func (c *cutter) cutWorkload(disk *fusedisk.Disk, seed uint64, durability engine.Durability) {
	random := rand.New(rand.NewPCG(seed, uint64(durability)))
	base, err := disk.Load(journal.Image{})
	if err != nil {
		c.t.Fatal(err)
	}
	if err := disk.SlowSyncs(time.Duration(random.IntN(2)) * slowSync); err != nil {
		c.t.Fatal(err)
	}
	w := &workload{t: c.t, disk: disk, scratch: c.scratch, opts: cutOptions(durability, random), random: random}
	w.run(c.size.steps)
	if c.t.Failed() {
		return
	}
	r := &recording{
		Seed: seed, Durability: durability, HeadSize: w.opts.Tuning.HeadSize, Chunk: w.opts.Tuning.ChunkValues,
		Start: history.New(w.actions, durability == engine.Always), Base: base, Journal: c.journal(disk),
	}
	c.workloads++
	c.cutAll(r, c.size.random)
	for range c.size.recoveries {
		if c.failures < mostFailures {
			c.cutRecovery(disk, r, random)
		}
	}
}

func (c *cutter) journal(disk *fusedisk.Disk) []journal.Op {
	ops, err := disk.Journal(0)
	if err != nil {
		c.t.Fatal(err)
	}
	return ops
}

// cutRecovery cuts the power somewhere in a workload, has the engine recover on a disk that records it,
// and cuts that off everywhere.
func (c *cutter) cutRecovery(disk *fusedisk.Disk, outer *recording, random *rand.Rand) {
	prefix := outer.Base + random.IntN(len(outer.Journal)-outer.Base) + 1
	before, known := outer.at(prefix)
	number := random.Uint64()
	base, err := disk.Load(before.State(number))
	if err != nil {
		c.t.Fatal(err)
	}
	w := &workload{t: c.t, disk: disk, scratch: c.scratch, opts: outer.options(), random: random, actions: known.Actions}
	visible, err := w.recover()
	if err == nil {
		err = known.Judge(visible)
	}
	if err != nil {
		c.report(outer, prefix, number, err)
		return
	}
	w.store(random, 3)
	w.close()
	if c.t.Failed() {
		return
	}
	r := *outer
	r.Start, r.Base, r.Journal, r.Nested = known.Later(w.actions[len(known.Actions):]...), base, c.journal(disk), true
	c.recoveries++
	c.cutAll(&r, nestedRandomStates)
}

// at returns the disk and what is known when so many operations were done.
func (r *recording) at(prefix int) (*crashstate.Tracker, *history.History) {
	disk, known := crashstate.New(), r.Start.Later()
	for i := range prefix {
		r.step(disk, known, i)
	}
	return disk, known
}

func (r *recording) step(disk *crashstate.Tracker, known *history.History, i int) {
	op := r.Journal[i]
	disk.Apply(op)
	if op.Kind == journal.Mark {
		known.Note(op.Mark, i)
	}
}
