// SPDX-License-Identifier: Apache-2.0

//go:build amd64 || arm64

package faults

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/daybook-db/daybook/engine"
	"github.com/daybook-db/daybook/proof/fusedisk"
	"github.com/daybook-db/daybook/proof/journal"
)

// scenario is a workload, and what the disk holds before it.
type scenario struct {
	name       string
	durability engine.Durability
	image      journal.Image
	ledger     ledger // of what is in the image
	sessions   []func(*faultyStore)
	kinds      []journal.OpKind // that are to fail
}

// largeValue is more than half of a log's first segment.
const largeValue = 150 << 10

// newStore begins with nothing.
func newStore() scenario {
	return scenario{name: "new", sessions: []func(*faultyStore){firstSession, secondSession}, kinds: faultyKinds}
}

// intervalStore is synced in the background, whose failures the next call is told.
func intervalStore() scenario {
	sc := newStore()
	sc.name, sc.durability, sc.kinds = "interval", engine.Interval, []journal.OpKind{journal.Write, journal.Sync}
	return sc
}

// killedStore begins with what a process left that was killed: values in the tree, and a log of several heads in
// two segments, which are used again.
func killedStore(t *testing.T, disk *fusedisk.Disk) scenario {
	t.Helper()
	sc := scenario{name: "killed", sessions: []func(*faultyStore){recoveredSession}, kinds: faultyKinds}
	dogs := newWatchdog("preparing a killed store")
	defer dogs.stop()
	s, err := sc.begin(disk, dogs)
	if err != nil {
		t.Fatal(err)
	}
	s.opts.Tuning.HeadSize = 1 << 20 // nothing is posted by itself
	s.open()
	s.store(100, "a", "b", "c", "a", "b")
	s.checkpoint()
	for range 3 {
		s.store(900, "a", "b", "c", "d", "a")
	}
	s.store(largeValue, "big")
	s.store(largeValue, "big")
	s.store(900, "a", "b", "c", "d", "a")
	time.Sleep(20 * time.Millisecond) // a segment is being made in the background
	sc.image, err = disk.Image()
	if s.close(); s.wrong != nil || err != nil {
		t.Fatal(s.wrong, err, strings.Join(s.calls, "\n"))
	}
	sc.ledger = s.ledger
	return sc
}

// firstSession fills heads and the first segment, so that it checkpoints in the background and segments are
// made, sealed and released; and it deletes.
func firstSession(s *faultyStore) {
	s.store(40, "a")
	s.store(60, "a", "b", "c", "a", "b")
	s.store(3000, "c")
	s.store(2000, "b", "a")
	s.store(40, "a")
	s.checkpoint()
	s.store(largeValue, "big")
	s.store(40, "b")
	s.store(largeValue, "big")
	s.checkpoint()
	s.prune("", 60, 0)
	s.store(50, "c", "b", "b", "b", "d", "a", "a")
	s.sync()
	s.prune("big", 0, 1)
	s.store(700, "b", "b", "b", "a", "a")
	s.store(40, "b")
	s.prune("b", 150, 4)
	s.store(40, "a")
}

// secondSession begins with what the first one left behind.
func secondSession(s *faultyStore) {
	s.store(1500, "a", "b", "e")
	s.store(40, "a")
	s.store(3000, "c")
	s.prune("", 250, 0)
	s.compact()
	s.store(40, "b")
}

// recoveredSession uses the killed store's segments again.
func recoveredSession(s *faultyStore) {
	s.store(40, "a")
	s.store(largeValue, "big")
	s.store(900, "a", "b", "c", "d", "a")
	s.prune("big", 0, 1)
	s.store(largeValue, "big")
	s.store(40, "b", "b")
	s.prune("", 150, 0)
	s.store(40, "a")
}

// begin resets a disk to the scenario's image, and has it fail.
func (sc scenario) begin(disk *fusedisk.Disk, dogs *watchdog, faults ...fusedisk.Fault) (*faultyStore, error) {
	s := newFaultyStore(disk, dogs)
	s.opts.Durability = sc.durability
	s.ledger = slices.Clone(sc.ledger)
	s.batches, s.clock = len(s.ledger), 10*uint64(len(s.ledger))
	if _, err := disk.Load(sc.image); err != nil {
		return nil, err
	}
	return s, disk.Inject(faults...)
}

// count does the workload on a disk that does not fail, and returns how many operations of each kind it makes.
func (sc scenario) count(t *testing.T, disk *fusedisk.Disk) (map[journal.OpKind]int, time.Duration) {
	t.Helper()
	dogs := newWatchdog(sc.name + " without a fault")
	defer dogs.stop()
	var counted []fusedisk.Fault
	for _, kind := range faultyKinds {
		counted = append(counted, fusedisk.Fault{Kinds: []journal.OpKind{kind}})
	}
	s, err := sc.begin(disk, dogs, counted...)
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	faultRun{lasts: once}.drive(s, sc, nil)
	took := time.Since(start)
	counts, err := disk.Counts()
	if s.wrong != nil || s.failures > 0 || err != nil {
		t.Fatalf("%s without a fault: %v, %v\n%s", sc.name, s.wrong, err, strings.Join(s.calls, "\n"))
	}
	positions := make(map[journal.OpKind]int)
	for i, kind := range faultyKinds {
		positions[kind] = counts[i].Matched
	}
	return positions, took
}
