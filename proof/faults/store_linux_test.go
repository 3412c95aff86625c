// SPDX-License-Identifier: Apache-2.0

//go:build amd64 || arm64

package faults

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine"
	"github.com/daybook-db/daybook/proof/fusedisk"
)

// faultyStore is a daybook on a disk that fails, and what is known of it. Each of its methods makes a call,
// and holds the outcome and what can be read afterwards against what is true. It is for one goroutine.
type faultyStore struct {
	disk  *fusedisk.Disk
	errno syscall.Errno // that the disk fails with
	dogs  *watchdog
	opts  engine.Options
	db    *engine.DB // nil while closed

	ledger  ledger
	batches int
	clock   uint64

	// What this session has been told: after daybook.ErrFailed nothing is written until the next Open.
	storeFailed, syncFailed, treeFailed bool

	failures int      // calls that returned an error
	poisoned int      // of those, daybook.ErrFailed
	calls    []string // with their results, for people
	wrong    error    // what is not as it must be; nothing is done after it
}

func newFaultyStore(disk *fusedisk.Disk, dogs *watchdog) *faultyStore {
	return &faultyStore{disk: disk, dogs: dogs, opts: engine.Options{
		Tuning: engine.Tuning{
			HeadSize:        engine.MinHeadSize,
			TransactionSize: 16 << 10, // so that a checkpoint takes several
			ChunkValues:     8,
		},
		SyncInterval: time.Millisecond,
		Logger:       slog.New(slog.DiscardHandler),
	}}
}

func (s *faultyStore) blame(format string, args ...any) {
	if s.wrong == nil {
		s.wrong = fmt.Errorf(format, args...)
	}
}

// call notes a call and its result, which must be one that the disk can be the cause of.
func (s *faultyStore) call(name string, do func() error) error {
	s.calls = append(s.calls, name+" ...")
	s.dogs.progress(s.calls)
	err := do()
	s.calls[len(s.calls)-1] = fmt.Sprintf("%s: %v", name, err)
	s.dogs.progress(s.calls)
	if err == nil {
		return nil
	}
	s.failures++
	if errors.Is(err, daybook.ErrFailed) {
		s.poisoned++
	}
	if err := s.judge(err, name == "close"); err != nil {
		s.blame("%s: %w", name, err)
	}
	return err
}

// judge returns nil for an error that says what the disk did, bare if it may be the operating system's.
func (s *faultyStore) judge(err error, bare bool) error {
	failed, full := errors.Is(err, daybook.ErrFailed), errors.Is(err, daybook.ErrNoSpace)
	for _, other := range []error{daybook.ErrCorrupt, daybook.ErrVersion, daybook.ErrLocked, daybook.ErrClosed} {
		if errors.Is(err, other) {
			return fmt.Errorf("the disk only failed, but the error is %w", err)
		}
	}
	switch {
	case full && s.errno != syscall.ENOSPC:
		return fmt.Errorf("the disk is not full, but the error is %w", err)
	case !full && !failed && s.errno == syscall.ENOSPC && !bare:
		return fmt.Errorf("the disk is full, but the error is neither ErrNoSpace nor ErrFailed: %w", err)
	case !strings.Contains(err.Error(), s.errno.Error()):
		return fmt.Errorf("the error does not say %q: %w", s.errno.Error(), err)
	}
	return nil
}

// stays notes whether a part of the store has failed, and blames one that had before for anything else than
// saying so again.
func (s *faultyStore) stays(failed *bool, name string, err error) {
	if isFailed := errors.Is(err, daybook.ErrFailed); *failed && !isFailed {
		s.blame("%s after ErrFailed: %v; want ErrFailed until it is opened again", name, err)
	} else {
		*failed = isFailed
	}
}

func (s *faultyStore) dir() string { return filepath.Join(s.disk.Dir(), "db") }

// open opens the store and reports whether it could.
func (s *faultyStore) open() bool {
	if s.wrong != nil {
		return false
	}
	err := s.call("open", func() (err error) {
		opts := s.opts
		s.db, err = engine.Open(s.dir(), &opts)
		return err
	})
	if err != nil {
		s.db = nil
		return false
	}
	s.storeFailed, s.syncFailed, s.treeFailed = false, false, false
	if visible, ok := s.visible(); ok {
		if err := s.ledger.showsAgain(visible); err != nil {
			s.blame("after opening: %w", err)
		}
	}
	return s.wrong == nil
}

func (s *faultyStore) close() {
	if s.db == nil {
		return
	}
	_ = s.call("close", s.db.Close)
	s.db = nil
}

// visible reads everything, which works whatever the disk does.
func (s *faultyStore) visible() (values []daybook.StoredValue, ok bool) {
	if s.wrong != nil || s.db == nil {
		return nil, false
	}
	values, err := s.db.Query(context.Background(), "*", daybook.QueryParams{})
	if err != nil {
		s.blame("query: %w", err)
	}
	return values, err == nil
}

// look holds what is visible against the ledger.
func (s *faultyStore) look() {
	values, ok := s.visible()
	if !ok {
		return
	}
	if err := s.ledger.shows(values); err != nil {
		s.blame("after %s: %w", s.calls[len(s.calls)-1], err)
	}
	stats, err := s.db.Stats(context.Background())
	if want := uint64(s.ledger.count()); err == nil && stats.Values != want {
		err = fmt.Errorf("%d values; want %d", stats.Values, want)
	}
	if err != nil {
		s.blame("stats: %w", err)
	}
}

// store stores values of about size bytes, a batch if there are several.
func (s *faultyStore) store(size int, records ...string) {
	if s.db == nil || s.wrong != nil {
		return
	}
	var values []daybook.StoredValue
	for i, record := range records {
		s.clock += 10
		at := s.clock
		if i%4 == 3 { // out of order
			at -= 35
		}
		values = append(values, s.ledger.add(record, at, s.batches, size))
	}
	s.batches++
	ctx := context.Background()
	name := fmt.Sprintf("store %d to %d, %d bytes each", len(s.ledger)-len(values), len(s.ledger)-1, size)
	failedBefore := s.storeFailed || s.syncFailed
	err := s.call(name, func() error {
		if len(values) == 1 {
			return s.db.Store(ctx, values[0].RecordName, values[0].Value, values[0].StoredAt)
		}
		return s.db.StoreBatch(ctx, values)
	})
	s.storeFailed = s.storeFailed || s.syncFailed
	s.stays(&s.storeFailed, name, err)
	switch {
	case err == nil:
		s.ledger.set(len(values), present)
	case errors.Is(err, daybook.ErrFailed) && !failedBefore:
		s.ledger.set(len(values), maybeStored)
	}
	s.look()
}

func (s *faultyStore) sync() {
	if s.db == nil || s.wrong != nil {
		return
	}
	err := s.call("sync", func() error { return s.db.Sync(context.Background()) })
	s.stays(&s.syncFailed, "sync", err)
	s.look()
}

func (s *faultyStore) checkpoint() {
	if s.db == nil || s.wrong != nil {
		return
	}
	err := s.call("checkpoint", func() error { return s.db.Checkpoint(context.Background()) })
	s.writesTree("checkpoint", err)
	s.look()
}

// compact may fail, and then nothing else does.
func (s *faultyStore) compact() {
	if s.db == nil || s.wrong != nil {
		return
	}
	err := s.call("compact", func() error { return s.db.Compact(context.Background()) })
	if errors.Is(err, daybook.ErrFailed) {
		s.writesTree("compact", err)
	}
	s.look()
}

// writesTree notes that the tree has failed. What has nothing to write may still say that it is done.
func (s *faultyStore) writesTree(name string, err error) {
	if err != nil {
		s.stays(&s.treeFailed, name, err)
	}
}

// prune keeps at most most values of a record, or deletes those older than a time: from every record if it
// is named "".
func (s *faultyStore) prune(record string, olderThan uint64, most int) {
	if s.db == nil || s.wrong != nil {
		return
	}
	doomed := s.ledger.doomed(record, olderThan, most)
	name := fmt.Sprintf("cleanup before %d", olderThan)
	if record != "" {
		name = fmt.Sprintf("prune %s before %d to %d values", record, olderThan, most)
	}
	ctx, deleted := context.Background(), uint64(0)
	err := s.call(name, func() (err error) {
		if record == "" {
			deleted, err = s.db.Cleanup(ctx, olderThan)
		} else {
			deleted, err = s.db.Prune(ctx, record, daybook.PruneParams{OlderThan: olderThan, MaxPerRecord: most})
		}
		return err
	})
	s.calls[len(s.calls)-1] += fmt.Sprintf(" (deleted %d of %d)", deleted, len(doomed))
	s.writesTree(name, err)
	s.pruned(name, doomed, int(deleted), err)
	s.look()
}

// pruned decides about doomed values: how many are gone must be what the call said, unless the tree failed,
// after which a part of what it did may come back.
func (s *faultyStore) pruned(name string, doomed []int, deleted int, err error) {
	visible, ok := s.visible()
	if !ok {
		return
	}
	gone, wrong := s.ledger.missing(doomed, visible)
	failed := errors.Is(err, daybook.ErrFailed)
	switch {
	case wrong != nil:
		s.blame("after %s: %w", name, wrong)
	case err == nil && len(gone) < len(doomed):
		s.blame("%s: %d values are gone; want %d", name, len(gone), len(doomed))
	case deleted != len(gone) && !failed, deleted > len(gone):
		s.blame("%s said that it deleted %d values; %d are gone", name, deleted, len(gone))
	}
	for _, id := range gone {
		s.ledger[id].fate = absent
		if failed {
			s.ledger[id].fate = maybeDeleted
		}
	}
}
