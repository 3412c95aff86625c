// SPDX-License-Identifier: Apache-2.0

//go:build amd64 || arm64

package faults

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine"
	"github.com/daybook-db/daybook/proof/fusedisk"
)

// faultyStore is a daybook on a disk that fails. Each of its methods makes a call, and compares the
// result and the visible values with the ledger. Its methods must not be called from several
// goroutines at once.
type faultyStore struct {
	disk  *fusedisk.Disk
	errno syscall.Errno // the error of the disk's faults
	dogs  *watchdog
	opts  engine.Options
	db    *engine.DB // nil while closed

	linked bool // the tree and the log are symbolic links, to treeDir and logDir

	ledger ledger
	consumers
	batches int
	clock   uint64

	// These say which calls have returned daybook.ErrFailed in this session. They must return it
	// again until the next Open.
	storeFailed, syncFailed, treeFailed, moveFailed bool

	failures int      // calls that returned an error
	poisoned int      // calls that returned daybook.ErrFailed
	calls    []string // with their results, for messages
	wrong    error    // the first violation, after which no more calls are made
}

func newFaultyStore(disk *fusedisk.Disk, dogs *watchdog) *faultyStore {
	return &faultyStore{disk: disk, dogs: dogs, opts: engine.Options{
		Tuning: engine.Tuning{
			HeadSize:        engine.MinHeadSize,
			TransactionSize: 16 << 10, // a checkpoint takes several transactions
			ChunkValues:     8,
		},
		Logger: slog.New(slog.DiscardHandler),
	}}
}

// blame notes a violation, unless there was one before.
func (s *faultyStore) blame(format string, args ...any) {
	if s.wrong == nil {
		s.wrong = fmt.Errorf(format, args...)
	}
}

// call makes a call and notes its result. An error must be one that the disk's faults can cause.
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

// judge returns nil if an error says what the disk did. bare allows an error that has only the text
// of the operating system.
func (s *faultyStore) judge(err error, bare bool) error {
	failed, full := errors.Is(err, daybook.ErrFailed), errors.Is(err, daybook.ErrNoSpace)
	for _, other := range []error{daybook.ErrCorrupt, daybook.ErrVersion, daybook.ErrLocked, daybook.ErrClosed} {
		if errors.Is(err, other) {
			return fmt.Errorf("the disk has damaged nothing, but the error is %w", err)
		}
	}
	switch {
	case full && s.errno != syscall.ENOSPC:
		return fmt.Errorf("the disk is not full, but the error is %w", err)
	case !full && !failed && s.errno == syscall.ENOSPC && !bare:
		return fmt.Errorf("the disk is full, but the error is neither ErrNoSpace nor ErrFailed: %w", err)
	case !strings.Contains(err.Error(), s.errno.Error()):
		return fmt.Errorf("the error does not contain %q: %w", s.errno.Error(), err)
	}
	return nil
}

// requireFailed notes whether a call returned ErrFailed. After that, every other result is a
// violation.
func (s *faultyStore) requireFailed(failed *bool, name string, err error) {
	if isFailed := errors.Is(err, daybook.ErrFailed); *failed && !isFailed {
		s.blame("%s after ErrFailed: got %v; want ErrFailed until the store is opened again", name, err)
	} else {
		*failed = isFailed
	}
}

// The directories of a linked daybook, relative to the root of the disk.
const (
	treeDir = "large"
	logDir  = "fast"
)

// dir returns the directory of the daybook. The links of a linked one are not on the disk.
func (s *faultyStore) dir() string {
	if !s.linked {
		return filepath.Join(s.disk.Dir(), "db")
	}
	links := s.disk.Dir() + ".links"
	if err := errors.Join(os.RemoveAll(links), os.Mkdir(links, 0o700),
		os.Symlink(filepath.Join(s.disk.Dir(), treeDir, "history.db"), filepath.Join(links, engine.TreeFile)),
		os.Symlink(filepath.Join(s.disk.Dir(), logDir, "segments"), filepath.Join(links, "wal"))); err != nil {
		s.blame("making links: %w", err)
	}
	return links
}

// open opens the store and reports whether that succeeded.
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
	s.storeFailed, s.syncFailed, s.treeFailed, s.moveFailed = false, false, false, false
	if visible, ok := s.visible(); ok {
		if err := s.ledger.verifyReopened(visible); err != nil {
			s.blame("after Open: %w", err)
		}
		s.reopened()
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

// visible returns all values. A query must succeed whatever the disk does. ok is false after a
// violation and while the store is closed.
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

// verify compares the visible values and their number in Stats with the ledger.
func (s *faultyStore) verify() {
	values, ok := s.visible()
	if !ok {
		return
	}
	if err := s.ledger.verify(values); err != nil {
		s.blame("after %s: %w", s.calls[len(s.calls)-1], err)
	}
	stats, err := s.db.Stats(context.Background())
	if want := uint64(s.ledger.count()); err == nil && stats.Values != want {
		err = fmt.Errorf("%d values; want %d", stats.Values, want)
	}
	if err != nil {
		s.blame("stats: %w", err)
	}
	s.verifyConsumers()
}

// store stores a value of approximately size bytes in each record. Several values are a batch.
func (s *faultyStore) store(size int, records ...string) {
	if s.db == nil || s.wrong != nil {
		return
	}
	var values []daybook.StoredValue
	for i, record := range records {
		s.clock += 10
		at := s.clock
		if i%4 == 3 { // older than the previous value
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
	s.requireFailed(&s.storeFailed, name, err)
	switch {
	case err == nil:
		s.ledger.set(len(values), present)
	case errors.Is(err, daybook.ErrFailed) && !failedBefore:
		s.ledger.set(len(values), maybeStored)
	}
	s.verify()
}

func (s *faultyStore) sync() {
	if s.db == nil || s.wrong != nil {
		return
	}
	err := s.call("sync", func() error { return s.db.Sync(context.Background()) })
	s.requireFailed(&s.syncFailed, "sync", err)
	s.verify()
}

func (s *faultyStore) checkpoint() {
	if s.db == nil || s.wrong != nil {
		return
	}
	err := s.call("checkpoint", func() error { return s.db.Checkpoint(context.Background()) })
	s.noteTreeWrite("checkpoint", err)
	s.verify()
}

// compact compacts the store. A failed compaction makes no other call fail.
func (s *faultyStore) compact() {
	if s.db == nil || s.wrong != nil {
		return
	}
	err := s.call("compact", func() error { return s.db.Compact(context.Background()) })
	if errors.Is(err, daybook.ErrFailed) {
		s.noteTreeWrite("compact", err)
	}
	s.verify()
}

// noteTreeWrite notes whether the tree has failed. A call on a failed tree may still succeed if it
// has nothing to write.
func (s *faultyStore) noteTreeWrite(name string, err error) {
	if err != nil {
		s.requireFailed(&s.treeFailed, name, err)
	}
}

// prune deletes the values of a record that are older than a timestamp, and those beyond
// maxPerRecord unless that is 0. With an empty record name it cleans up all records.
func (s *faultyStore) prune(record string, olderThan uint64, maxPerRecord int) {
	if s.db == nil || s.wrong != nil {
		return
	}
	doomed := s.ledger.doomed(record, olderThan, maxPerRecord, s.hold.now)
	name := fmt.Sprintf("cleanup before %d", olderThan)
	if record != "" {
		name = fmt.Sprintf("prune %s before %d to %d values", record, olderThan, maxPerRecord)
	}
	ctx, deleted := context.Background(), uint64(0)
	err := s.call(name, func() (err error) {
		if record == "" {
			deleted, err = s.db.Cleanup(ctx, olderThan)
		} else {
			params := daybook.PruneParams{OlderThan: olderThan, MaxPerRecord: maxPerRecord}
			deleted, err = s.db.Prune(ctx, record, params)
		}
		return err
	})
	s.calls[len(s.calls)-1] += fmt.Sprintf(" (deleted %d of %d)", deleted, len(doomed))
	s.noteTreeWrite(name, err)
	s.verifyDeleted(name, doomed, int(deleted), err)
	s.verify()
}

// verifyDeleted compares the number of deleted values with the number that the call returned, and
// sets their fates. After the tree has failed, some of the deleted values may come back.
func (s *faultyStore) verifyDeleted(name string, doomed []int, deleted int, err error) {
	visible, ok := s.visible()
	if !ok {
		return
	}
	missing, wrong := s.ledger.missing(doomed, visible)
	failed := errors.Is(err, daybook.ErrFailed)
	switch {
	case wrong != nil:
		s.blame("after %s: %w", name, wrong)
	case err == nil && len(missing) < len(doomed):
		s.blame("%s deleted %d values; want %d", name, len(missing), len(doomed))
	case deleted != len(missing) && !failed, deleted > len(missing):
		s.blame("%s returned %d deleted values, but deleted %d", name, deleted, len(missing))
	}
	for _, id := range missing {
		s.ledger[id].fate, s.ledger[id].deleted = absent, !failed
		s.ledger[id].lost = s.ledger[id].RecordName == heldRecord && s.hold.now.maxBytes > 0 && id >= s.hold.now.taken
		if failed {
			s.ledger[id].fate = maybeDeleted
		}
	}
}
