// SPDX-License-Identifier: Apache-2.0

//go:build amd64 || arm64

package faults

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/daybook-db/daybook/engine"
	"github.com/daybook-db/daybook/proof/crashstate"
	"github.com/daybook-db/daybook/proof/fusedisk"
	"github.com/daybook-db/daybook/proof/journal"
)

// faultyKinds are the operations that fail.
var faultyKinds = []journal.OpKind{
	journal.Write, journal.Sync, journal.Truncate, journal.Rename, journal.Unlink,
	journal.Open, journal.Create, journal.Mkdir, journal.SyncDir,
}

var faultyErrnos = map[string]syscall.Errno{"EIO": syscall.EIO, "ENOSPC": syscall.ENOSPC}

// How long a fault lasts.
const (
	once    = "once"    // one operation fails
	lasting = "lasting" // all do from there on, until the store has been closed
	healed  = "healed"  // the same, until the disk is well again while the store is open
)

// What a failing write does all the same.
const (
	nothingWritten = "nothing"
	headWritten    = "head"  // 30 bytes: a frame's or a page's header, and a little
	sectorsWritten = "some"  // 700 bytes
	allWritten     = "all"   // and fails all the same
	shortWrite     = "short" // 30 bytes, and returns that number
)

var writtenBytes = map[string]int{
	nothingWritten: 0, headWritten: 30, sectorsWritten: 700, allWritten: math.MaxInt32, shortWrite: 30,
}

// faultRun is one run of a workload: which operation fails, and how.
type faultRun struct {
	scenario string
	kind     journal.OpKind
	position int // how many of the kind succeed first
	errno    string
	lasts    string
	written  string
}

// String is what the flag takes to do this run alone.
func (r faultRun) String() string {
	return fmt.Sprintf("%s:%v:%d:%s:%s:%s", r.scenario, r.kind, r.position, r.errno, r.lasts, r.written)
}

func parseRun(text string) (r faultRun, err error) {
	parts := strings.Split(text, ":")
	if len(parts) != 6 {
		return r, fmt.Errorf("%q is not a run", text)
	}
	at := slices.IndexFunc(faultyKinds, func(kind journal.OpKind) bool { return kind.String() == parts[1] })
	if at < 0 || faultyErrnos[parts[3]] == 0 {
		return r, fmt.Errorf("%q is not a run: no such operation or error", text)
	}
	position, err := strconv.Atoi(parts[2])
	return faultRun{parts[0], faultyKinds[at], position, parts[3], parts[4], parts[5]}, err
}

func (r faultRun) fault() fusedisk.Fault {
	f := fusedisk.Fault{
		Kinds: []journal.OpKind{r.kind}, Skip: r.position, Times: 1, Errno: faultyErrnos[r.errno],
		Written: writtenBytes[r.written], Short: r.written == shortWrite,
	}
	if r.lasts != once {
		f.Times = -1
	}
	return f
}

// metaPages is where in the tree's file its two roots end. A failed write to them shows in the kernel's cache, so
// that the store sees a commit that is not on the disk.
const metaPages = 2 * 4096

// mayPoison reports whether the store may say ErrFailed after the first operation that failed. One failure
// that leaves no doubt about what is on the disk must not stop it.
func (r faultRun) mayPoison(failed *journal.Op) bool {
	inTree := path.Base(failed.Path) == "daybook.db"
	switch {
	case r.lasts != once || r.kind == journal.Sync:
		return true
	case r.kind == journal.Write:
		return inTree && (r.errno == "EIO" || failed.Offset < metaPages)
	}
	return r.kind == journal.Truncate && r.errno == "EIO"
}

// outcome is what a run found.
type outcome struct {
	hits     int
	failures int
	poisoned int
	wrong    error // with all that is needed to do it again
}

// do does the run on a disk, which nothing else uses.
func (r faultRun) do(disk *fusedisk.Disk, sc scenario) outcome {
	dogs := newWatchdog(r.String())
	defer dogs.stop()
	s, err := sc.begin(disk, dogs, r.fault())
	if err != nil {
		return outcome{wrong: err}
	}
	s.errno = faultyErrnos[r.errno]
	hits := 0
	r.drive(s, sc, func() { hits += s.heal() })
	s.close()
	ops, err := disk.Journal(0)
	if err != nil {
		s.blame("the journal: %w", err)
	}
	hits += s.heal()
	r.judge(s, hits, failedOps(ops))
	uncut := s.clone()
	uncut.comesBack("after healing")
	if uncut.open() {
		uncut.close()
	}
	if uncut.wrong != nil {
		s = uncut
	} else if s.wrong == nil && s.opts.Durability == engine.Always {
		s.cutPower(ops)
	}
	return outcome{hits: hits, failures: s.failures, poisoned: s.poisoned, wrong: s.report(r, ops)}
}

// drive runs the workload, as far as the store can be opened. A disk that is to heal while the store is open
// does so at the end of the session in which it first failed.
func (r faultRun) drive(s *faultyStore, sc scenario, heal func()) {
	for _, session := range sc.sessions {
		if !s.open() && (r.lasts != once || !s.open()) {
			if r.lasts == once {
				s.blame("a second attempt to open failed too")
			}
			return
		}
		session(s)
		if counts, err := s.disk.Counts(); r.lasts == healed && (err != nil || len(counts) > 0 && counts[0].Failed > 0) {
			heal()
			s.worksAgain()
		}
		s.close()
	}
}

// judge holds how often calls failed against how often the disk did.
func (r faultRun) judge(s *faultyStore, hits int, failed []journal.Op) {
	switch {
	case hits == 0 && s.failures > 0:
		s.blame("%d calls failed, but no operation did", s.failures)
	case r.lasts == once && s.failures-s.poisoned > 1:
		s.blame("one operation failed, but %d calls did", s.failures)
	case s.poisoned > 0 && len(failed) > 0 && !r.mayPoison(&failed[0]):
		s.blame("ErrFailed, though it is known what the disk holds")
	}
}

// heal ends all faults, and returns how many operations had failed.
func (s *faultyStore) heal() (hits int) {
	counts, err := s.disk.Counts()
	for _, c := range counts {
		hits += c.Failed
	}
	if err := errors.Join(err, s.disk.Inject()); err != nil {
		s.blame("healing: %w", err)
	}
	return hits
}

// worksAgain shows that an open store works on a disk that is well again, unless it has failed for good.
func (s *faultyStore) worksAgain() {
	s.calls = append(s.calls, "the disk is well again")
	// An attempt to post a head may still be under way, and tell the first that waits for it how it went.
	for attempt := 1; s.db != nil && s.wrong == nil && !s.storeFailed && !s.syncFailed; attempt++ {
		before := s.failures
		if s.store(100, "a"); s.failures == before {
			break
		}
		if attempt == 3 && !s.storeFailed {
			s.blame("the disk is well again, and Store still fails")
		}
	}
	before := s.failures
	if s.checkpoint(); s.failures > before && !s.treeFailed {
		s.blame("the disk is well again, and Checkpoint fails")
	}
}

// comesBack shows that a store on a well disk can be opened, has what it must have, and works.
func (s *faultyStore) comesBack(when string) {
	s.calls = append(s.calls, when)
	before := s.failures
	if s.open() {
		if err := s.db.Check(context.Background()); err != nil {
			s.blame("check: %w", err)
		}
		s.store(60, "a", "b")
		s.prune("b", 0, 3)
	}
	s.close()
	if s.failures > before {
		s.blame("%s a call failed", when)
	}
}

// clone returns a store that knows the same, for another future.
func (s *faultyStore) clone() *faultyStore {
	other := *s
	other.ledger, other.calls = slices.Clone(s.ledger), slices.Clone(s.calls)
	return &other
}

// cutPower shows that what was acknowledged is there when nothing survives that was not synced successfully.
func (s *faultyStore) cutPower(ops []journal.Op) {
	state := crashstate.New()
	for _, op := range ops {
		state.Apply(op)
	}
	if _, err := s.disk.Load(state.State(crashstate.NothingUnsynced)); err != nil {
		s.blame("%w", err)
	}
	s.comesBack("after a power cut")
}

// report returns what is wrong, with the calls and the operations that failed.
func (s *faultyStore) report(r faultRun, ops []journal.Op) error {
	if s.wrong == nil {
		return nil
	}
	if s.db != nil { // or the next run would find it locked
		_ = s.db.Close()
	}
	var b strings.Builder
	failed := failedOps(ops)
	for i, op := range failed {
		if i == 3 {
			fmt.Fprintf(&b, "and %d more failed\n", len(failed)-i)
			break
		}
		fmt.Fprintln(&b, op)
	}
	return fmt.Errorf("%w\nto do it again: go test ./proof/faults -run TestFaults -proof.faults=%v\n"+
		"calls:\n  %s\noperations that failed:\n%s",
		s.wrong, r, strings.Join(s.calls, "\n  "), &b)
}

// failedOps returns the operations that failed. One that only opened a file is not in the journal.
func failedOps(ops []journal.Op) (failed []journal.Op) {
	for _, op := range ops {
		if op.Errno != 0 {
			failed = append(failed, op)
		}
	}
	return failed
}
