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

// faultyKinds are the kinds of operations that fail.
var faultyKinds = []journal.OpKind{
	journal.Write, journal.Sync, journal.Truncate, journal.Rename, journal.Unlink,
	journal.Open, journal.Create, journal.Mkdir, journal.SyncDir,
}

var faultyErrnos = map[string]syscall.Errno{"EIO": syscall.EIO, "ENOSPC": syscall.ENOSPC}

// These say how long a fault lasts.
const (
	once    = "once"    // one operation fails
	lasting = "lasting" // one and all later ones fail, until the store has been closed
	healed  = "healed"  // the same, but the disk becomes healthy again while the store is open
)

// These say how many bytes a failing write applies.
const (
	nothingWritten = "nothing"
	headWritten    = "head"  // 30 bytes: the header of a frame or a page, and a few more
	sectorsWritten = "some"  // 700 bytes
	allWritten     = "all"   // all bytes, and still it fails
	shortWrite     = "short" // 30 bytes, and the write returns this number instead of an error
)

var writtenBytes = map[string]int{
	nothingWritten: 0, headWritten: 30, sectorsWritten: 700, allWritten: math.MaxInt32, shortWrite: 30,
}

// faultRun is one run of a scenario's workload, and says which operation fails and how.
type faultRun struct {
	scenario string
	kind     journal.OpKind
	position int // number of operations of this kind that succeed first
	errno    string
	lasts    string
	written  string
}

// String returns the name of the run, which the flag -proof.faults takes.
func (r faultRun) String() string {
	return fmt.Sprintf("%s:%v:%d:%s:%s:%s", r.scenario, r.kind, r.position, r.errno, r.lasts, r.written)
}

func parseRun(text string) (r faultRun, err error) {
	parts := strings.Split(text, ":")
	if len(parts) != 6 {
		return r, fmt.Errorf("%q is not the name of a run", text)
	}
	at := slices.IndexFunc(faultyKinds, func(kind journal.OpKind) bool { return kind.String() == parts[1] })
	if at < 0 || faultyErrnos[parts[3]] == 0 {
		return r, fmt.Errorf("%q is not the name of a run: there is no such operation or error", text)
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

// metaPages is the length of the two meta pages at the start of the tree's file. The kernel's cache
// shows a failed write to them, so the store sees a commit that is not on the disk.
const metaPages = 2 * 4096

// mayPoison reports whether the store may return ErrFailed after the first failed operation. It
// must not if the failure leaves no doubt about the content of the disk.
func (r faultRun) mayPoison(failed *journal.Op) bool {
	inTree := path.Base(failed.Path) == "daybook.db" || path.Base(failed.Path) == "history.db"
	switch {
	case r.lasts != once || r.kind == journal.Sync:
		return true
	case r.kind == journal.Write:
		return inTree && (r.errno == "EIO" || failed.Offset < metaPages)
	}
	return r.kind == journal.Truncate && r.errno == "EIO"
}

// outcome is the result of a run.
type outcome struct {
	hits     int   // operations that failed
	failures int   // calls that returned an error
	poisoned int   // calls that returned ErrFailed
	wrong    error // a violation, with the command that repeats the run
}

// do does the run on a disk that nothing else uses.
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
		s.blame("reading the journal: %w", err)
	}
	hits += s.heal()
	r.judge(s, hits, failedOps(ops))
	uncut := s.clone()
	uncut.requireUsable("after healing")
	if uncut.open() {
		uncut.close()
	}
	if uncut.wrong != nil {
		s = uncut
	} else if s.wrong == nil && s.opts.Durability == engine.DurabilityAlways {
		s.cutPower(ops)
	}
	return outcome{hits: hits, failures: s.failures, poisoned: s.poisoned, wrong: s.report(r, ops)}
}

// drive runs the workload, until the store cannot be opened. A healed disk becomes healthy at the
// end of the session in which it first failed.
func (r faultRun) drive(s *faultyStore, sc scenario, heal func()) {
	for _, session := range sc.sessions {
		if !s.open() && (r.lasts != once || !s.open()) {
			if r.lasts == once {
				s.blame("a second attempt to open failed too")
			}
			return
		}
		session(s)
		counts, err := s.disk.Counts()
		if r.lasts == healed && (err != nil || len(counts) > 0 && counts[0].Failed > 0) {
			heal()
			s.requireWorking()
		}
		s.close()
	}
}

// judge compares the number of failed calls with the number of failed operations.
func (r faultRun) judge(s *faultyStore, hits int, failed []journal.Op) {
	switch {
	case hits == 0 && s.failures > 0:
		s.blame("%d calls failed, but no operation did", s.failures)
	case r.lasts == once && s.failures-s.poisoned > 1:
		s.blame("one operation failed, but %d calls did", s.failures)
	case s.poisoned > 0 && len(failed) > 0 && !r.mayPoison(&failed[0]):
		s.blame("a call returned ErrFailed, although the content of the disk is not in doubt")
	}
}

// heal removes all faults, and returns the number of operations that have failed.
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

// requireWorking requires that an open store works on a disk that is healthy again, unless the
// store has returned ErrFailed.
func (s *faultyStore) requireWorking() {
	s.calls = append(s.calls, "the disk is healthy again")
	// A checkpoint may still run, and a store that waits for it returns its error.
	for attempt := 1; s.db != nil && s.wrong == nil && !s.storeFailed && !s.syncFailed; attempt++ {
		before := s.failures
		if s.store(100, "a"); s.failures == before {
			break
		}
		if attempt == 3 && !s.storeFailed {
			s.blame("the disk is healthy again, but Store fails")
		}
	}
	before := s.failures
	if s.checkpoint(); s.failures > before && !s.treeFailed {
		s.blame("the disk is healthy again, but Checkpoint fails")
	}
}

// requireUsable opens the store on a healthy disk, and requires that it has the right values and
// works.
func (s *faultyStore) requireUsable(when string) {
	s.calls = append(s.calls, when)
	before := s.failures
	if s.open() {
		if err := s.db.Check(context.Background()); err != nil {
			s.blame("Check: %w", err)
		}
		s.store(60, "a", "b")
		s.prune("b", 0, 3)
		s.receive(60, 60)
		s.store(60, heldRecord, heldRecord)
		s.advance()
		s.prune("", s.clock, 0)
	}
	s.close()
	if s.failures > before {
		s.blame("%s, a call failed", when)
	}
}

// clone returns a copy with the same knowledge, for which the disk may continue in another way.
func (s *faultyStore) clone() *faultyStore {
	other := *s
	other.ledger, other.calls = slices.Clone(s.ledger), slices.Clone(s.calls)
	other.consumers = s.consumers.clone()
	return &other
}

// cutPower cuts the power so that only operations survive that a successful sync made durable. It
// requires that the store has all acknowledged values.
func (s *faultyStore) cutPower(ops []journal.Op) {
	tracker := crashstate.New()
	for _, op := range ops {
		tracker.Apply(op)
	}
	if _, err := s.disk.Load(tracker.State(crashstate.NothingUnsynced)); err != nil {
		s.blame("%w", err)
	}
	s.requireUsable("after a power cut")
}

// report returns the violation, with the calls, the operations that failed, and the command that
// repeats the run.
func (s *faultyStore) report(r faultRun, ops []journal.Op) error {
	if s.wrong == nil {
		return nil
	}
	if s.db != nil { // otherwise the next run on this disk would find it locked
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
	return fmt.Errorf("%w\nto repeat this run: go test ./proof/faults -run TestFaults -proof.faults=%v\n"+
		"calls:\n  %s\noperations that failed:\n%s",
		s.wrong, r, strings.Join(s.calls, "\n  "), &b)
}

// failedOps returns the operations that failed. Those that only open a file are not in the journal.
func failedOps(ops []journal.Op) (failed []journal.Op) {
	for _, op := range ops {
		if op.Errno != 0 {
			failed = append(failed, op)
		}
	}
	return failed
}
