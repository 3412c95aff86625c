// SPDX-License-Identifier: Apache-2.0

//go:build amd64 || arm64

package powercut

import (
	"fmt"
	"hash/maphash"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/daybook-db/daybook/engine"
	"github.com/daybook-db/daybook/proof/crashstate"
	"github.com/daybook-db/daybook/proof/fusedisk"
	"github.com/daybook-db/daybook/proof/history"
	"github.com/daybook-db/daybook/proof/journal"
	"github.com/daybook-db/daybook/proof/testenv"
)

const (
	// birthFactor multiplies the random states while the directory is created, which happens once
	// in a workload.
	birthFactor = 8
	// randomInRecovery is the number of random states after each operation of a recovery.
	randomInRecovery = 2
	// slowSync bounds the time of a sync in half of the workloads. More happens during a slow sync.
	slowSync = 500 * time.Microsecond
	// reopenEvery says which states are also stored to and opened again: every fourth.
	reopenEvery = 4
)

// cutter records workloads, tries crash states of their recordings, and counts both.
type cutter struct {
	t       testing.TB
	scratch string // directory for the states that are opened
	size    size
	hash    maphash.Seed

	workloads, recoveries int
	kinds                 map[journal.OpKind]int // operations of the recordings

	mu       sync.Mutex // guards the fields below
	images   map[uint64]bool
	tried    map[attempt]bool
	prefixes int
	states   int
	reopened int
	failures int
}

// attempt identifies the image of a crash state and the number of acknowledged actions. A second
// attempt that is equal would show nothing new.
type attempt struct {
	recording    *recording
	image        uint64
	acknowledged int
}

func newCutter(t testing.TB, size size) *cutter {
	t.Helper()
	return &cutter{
		t: t, scratch: testenv.DirInMemory(t), size: size, hash: maphash.MakeSeed(),
		kinds: make(map[journal.OpKind]int), images: make(map[uint64]bool), tried: make(map[attempt]bool),
	}
}

// String sums up the run.
func (c *cutter) String() string {
	operations := 0
	for _, n := range c.kinds {
		operations += n
	}
	return fmt.Sprintf("%d workloads and %d recoveries, %d operations, %d prefixes, "+
		"%d states opened, %d of them again after a store, %d distinct",
		c.workloads, c.recoveries, operations, c.prefixes, c.states, c.reopened, len(c.images))
}

// census counts the operations of each kind. A run without renames, for example, would prove
// little.
func (c *cutter) census() string {
	var counts []string
	for _, kind := range slices.Sorted(maps.Keys(c.kinds)) {
		counts = append(counts, fmt.Sprintf("%d %v", c.kinds[kind], kind))
	}
	return strings.Join(counts, ", ")
}

// cutWorkload records a workload, and cuts the power everywhere in it and in some recoveries from
// it.
func (c *cutter) cutWorkload(disk *fusedisk.Disk, seed uint64, durability engine.Durability, files layout) {
	random := rand.New(rand.NewPCG(seed, uint64(durability)))
	base, err := disk.Load(files.base())
	if err != nil {
		c.t.Fatal(err)
	}
	if err := disk.SlowSyncs(time.Duration(random.IntN(2)) * slowSync); err != nil {
		c.t.Fatal(err)
	}
	w := &workload{
		t: c.t, disk: disk, files: files, scratch: c.scratch, opts: workloadOptions(durability, random), random: random,
		ledger: ledger{},
	}
	w.run(c.size.steps)
	if c.t.Failed() {
		return
	}
	start := history.New(w.actions, durability == engine.DurabilityAlways)
	start.Held = heldRecords
	r := &recording{
		Seed: seed, Durability: durability, Files: files,
		HeadSize: w.opts.Tuning.HeadSize, ChunkValues: w.opts.Tuning.ChunkValues,
		Start: start, Base: base, Journal: c.journal(disk), Ledger: w.ledger,
	}
	c.workloads++
	c.cutAll(r, c.size.random)
	for range c.size.recoveries {
		if !c.failedEnough() {
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

// cutRecovery cuts the power somewhere in a workload, records how the engine recovers, and cuts the
// power everywhere in that recording.
func (c *cutter) cutRecovery(disk *fusedisk.Disk, outer *recording, random *rand.Rand) {
	prefix := outer.Base + random.IntN(len(outer.Journal)-outer.Base) + 1
	before, known := outer.at(prefix)
	number := random.Uint64()
	base, err := disk.Load(before.State(number))
	if err != nil {
		c.t.Fatal(err)
	}
	w := &workload{
		t: c.t, disk: disk, files: outer.Files, scratch: c.scratch, opts: outer.options(), random: random,
		actions: known.Actions, ledger: maps.Clone(outer.Ledger),
	}
	visible, err := w.recover()
	if err == nil {
		err = known.Judge(visible)
	}
	if err != nil {
		c.report(outer, prefix, number, err)
		return
	}
	w.store(random, 3)
	w.receive()
	w.consume()
	w.close()
	if c.t.Failed() {
		return
	}
	r := *outer
	r.Start = known.Later(w.actions[len(known.Actions):]...)
	r.Base, r.Journal, r.Nested, r.Ledger = base, c.journal(disk), true, w.ledger
	c.recoveries++
	c.cutAll(&r, randomInRecovery)
}

// cutAll cuts the power after every operation of a recording. After each it tries the two extreme
// states and a number of random ones.
func (c *cutter) cutAll(r *recording, random int) {
	for _, op := range r.Journal[r.Base:] {
		c.kinds[op.Kind]++
	}
	clear(c.tried)
	var workers sync.WaitGroup
	count := runtime.GOMAXPROCS(0)
	for worker := range count {
		workers.Go(func() {
			dir := filepath.Join(c.scratch, fmt.Sprint(worker))
			disk, known := crashstate.New(), r.Start.Later()
			for i := range r.Journal {
				r.step(disk, known, i)
				// Marks that follow one another add knowledge, and do not change the disk.
				beforeMark := i+1 < len(r.Journal) && r.Journal[i+1].Kind == journal.Mark
				if i+1 < r.Base || beforeMark || i%count != worker || c.failedEnough() {
					continue
				}
				c.cutAt(r, disk, known, i+1, random, dir)
			}
		})
	}
	workers.Wait()
}

func (c *cutter) failedEnough() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failures >= maxFailures
}

// cutAt cuts the power after a prefix of the recording, of which disk and known are the result.
func (c *cutter) cutAt(
	r *recording, disk *crashstate.Tracker, known *history.History, prefix, random int, dir string,
) {
	numbers := []uint64{crashstate.NothingUnsynced, crashstate.EverythingUnsynced}
	choices := rand.New(rand.NewPCG(r.Seed, uint64(prefix)))
	if !known.Begun() {
		random *= birthFactor
	}
	for range random {
		numbers = append(numbers, max(2, choices.Uint64()))
	}
	c.mu.Lock()
	c.prefixes++
	c.mu.Unlock()
	for _, number := range numbers {
		image := disk.State(number)
		reopen, isNew := c.register(r, &image, known)
		if !isNew {
			continue
		}
		if err := tryState(image, r, known, dir, reopen); err != nil {
			c.report(r, prefix, number, err)
		}
	}
}

// register counts a state unless it has been tried before. It reports whether the state is to be
// reopened, and whether it is new.
func (c *cutter) register(r *recording, image *journal.Image, known *history.History) (reopen, isNew bool) {
	a := attempt{recording: r, image: image.Sum(c.hash)}
	for i := range known.Times {
		if known.Times[i].Done != history.Never {
			a.acknowledged++
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tried[a] {
		return false, false
	}
	c.tried[a], c.images[a.image] = true, true
	c.states++
	if reopen = c.states%reopenEvery == 0; reopen {
		c.reopened++
	}
	return reopen, true
}

// report fails the test with the state that failed, and says how to try it again.
func (c *cutter) report(r *recording, prefix int, number uint64, cause error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failures++; c.failures > maxFailures {
		return
	}
	failed := *r
	failed.Prefix, failed.Number = prefix, number
	c.t.Errorf("after operation %d of %d, crash state %d (seed %d, %v, nested: %v): %v\n%s\n"+
		"to try this state again: go test ./proof/powercut -run TestPowerCut -proof.replay=%s",
		prefix, len(r.Journal), number, r.Seed, r.Durability, r.Nested, cause, failed.describe(), failed.save(c.t))
}
