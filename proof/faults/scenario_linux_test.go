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

// scenario is a workload and the content of the disk before it.
type scenario struct {
	name       string
	durability engine.Durability
	linked     bool // the tree and the log are symbolic links to two directories of the disk
	image      journal.Image
	ledger     ledger               // of the values in the image
	consumers  consumers            // of the image
	sessions   []func(*faultyStore) // the calls between an Open and a Close
	kinds      []journal.OpKind     // the kinds of operations that fail
}

// largeValue is the size of a value that takes more than half of a log's first segment.
const largeValue = 150 << 10

// newStore begins with an empty disk.
func newStore() scenario {
	return scenario{name: "new", sessions: []func(*faultyStore){firstSession, secondSession}, kinds: faultyKinds}
}

// intervalStore is newStore under Interval: the next call returns the error of a failed background
// sync.
func intervalStore() scenario {
	sc := newStore()
	sc.name, sc.durability = "interval", engine.DurabilityInterval
	sc.kinds = []journal.OpKind{journal.Write, journal.Sync}
	return sc
}

// linkedStore is newStore with a tree and a log that are symbolic links. The operations fail that
// are done in a directory.
func linkedStore() scenario {
	sc := newStore()
	sc.name, sc.linked = "linked", true
	sc.image = journal.Image{Dirs: []string{logDir, treeDir}}
	sc.kinds = []journal.OpKind{journal.Create, journal.Mkdir, journal.Rename, journal.Unlink, journal.SyncDir}
	return sc
}

// killedStore begins with the files of a process that was killed. They have values in the tree and
// a log of several heads, in two segments that the workload uses again.
func killedStore(t *testing.T, disk *fusedisk.Disk) scenario {
	t.Helper()
	sc := scenario{name: "killed", sessions: []func(*faultyStore){recoveredSession}, kinds: faultyKinds}
	dogs := newWatchdog("preparing a killed store")
	defer dogs.stop()
	s, err := sc.begin(disk, dogs)
	if err != nil {
		t.Fatal(err)
	}
	s.opts.Tuning.HeadSize = 1 << 20 // no checkpoint begins by itself
	s.open()
	s.store(100, "a", "b", "c", "a", "b")
	s.setHold(600)
	s.store(200, heldRecord, heldRecord, heldRecord, heldRecord)
	s.receive(100)
	s.checkpoint()
	s.receive(100, 100)
	for range 3 {
		s.store(900, "a", "b", "c", "d", "a")
	}
	s.store(largeValue, "big")
	s.store(largeValue, "big")
	s.store(900, "a", "b", "c", "d", "a")
	time.Sleep(20 * time.Millisecond) // a segment is prepared in the background
	sc.image, err = disk.Image()
	if s.close(); s.wrong != nil || err != nil {
		t.Fatal(s.wrong, err, strings.Join(s.calls, "\n"))
	}
	sc.ledger, sc.consumers = s.ledger, s.consumers.clone()
	return sc
}

// firstSession fills heads and the first segment. So checkpoints run in the background, and
// segments are prepared, sealed and released. It deletes values too.
func firstSession(s *faultyStore) {
	s.setHold(600)
	s.store(40, "a")
	s.receive(50)
	s.store(200, heldRecord, heldRecord, heldRecord, heldRecord, heldRecord, heldRecord)
	s.store(60, "a", "b", "c", "a", "b")
	s.store(3000, "c")
	s.store(2000, "b", "a")
	s.store(40, "a")
	s.checkpoint()
	s.store(largeValue, "big")
	s.store(40, "b")
	s.store(largeValue, "big")
	s.checkpoint()
	s.receive()
	s.prune("", 150, 0)
	s.advance()
	s.store(50, "c", "b", "b", "b", "d", "a", "a")
	s.sync()
	s.prune("big", 0, 1)
	s.store(700, "b", "b", "b", "a", "a")
	s.store(40, "b")
	s.prune("b", 300, 4)
	s.receive(900, 900, 900)
	s.setHold(500)
}

// secondSession continues with the store of firstSession, and compacts it.
func secondSession(s *faultyStore) {
	s.store(1500, "a", "b", "e")
	s.store(40, "a")
	s.store(3000, "c")
	s.receive(50, 50)
	s.receive()
	s.store(120, heldRecord, heldRecord, heldRecord)
	s.advance()
	s.prune("", 450, 0)
	s.compact()
	s.store(40, "b")
}

// recoveredSession continues with a killed store, and uses its segments again.
func recoveredSession(s *faultyStore) {
	s.store(40, "a")
	s.store(largeValue, "big")
	s.store(900, "a", "b", "c", "d", "a")
	s.prune("big", 0, 1)
	s.store(largeValue, "big")
	s.store(40, "b", "b")
	s.receive(700)
	s.prune("", 200, 0)
	s.receive()
	s.advance()
	s.store(40, "a")
}

// begin loads the scenario's image to a disk, and injects faults.
func (sc scenario) begin(disk *fusedisk.Disk, dogs *watchdog, faults ...fusedisk.Fault) (*faultyStore, error) {
	s := newFaultyStore(disk, dogs)
	s.opts.Durability, s.linked = sc.durability, sc.linked
	if sc.durability == engine.DurabilityInterval {
		s.opts.SyncInterval = time.Millisecond
	}
	s.ledger, s.consumers = slices.Clone(sc.ledger), sc.consumers.clone()
	s.batches, s.clock = len(s.ledger), 10*uint64(len(s.ledger))
	if _, err := disk.Load(sc.image); err != nil {
		return nil, err
	}
	return s, disk.Inject(faults...)
}

// count runs the workload without faults. It returns the number of operations of each kind, and the
// time that the workload took.
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
	if spared := s.ledger.spared(s.hold.now); s.ledger.lost() == 0 || len(spared) == 0 || s.hold.now.taken == 0 {
		t.Errorf("%s: the hold lost %d values, spares %d, and was advanced to %d; want each at least once",
			sc.name, s.ledger.lost(), len(spared), s.hold.now.taken)
	}
	positions := make(map[journal.OpKind]int)
	for i, kind := range faultyKinds {
		positions[kind] = counts[i].Matched
	}
	return positions, took
}
