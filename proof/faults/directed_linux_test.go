// SPDX-License-Identifier: Apache-2.0

//go:build amd64 || arm64

package faults

import (
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine"
	"github.com/daybook-db/daybook/proof/fusedisk"
	"github.com/daybook-db/daybook/proof/journal"
)

// beginAlone returns a new store on a disk of its own. end closes the store and reports what went
// wrong.
func beginAlone(t *testing.T, durability engine.Durability) (s *faultyStore, end func()) {
	t.Helper()
	disk := fusedisk.MountFor(t)
	dogs := newWatchdog(t.Name())
	s, err := scenario{durability: durability}.begin(disk, dogs)
	if err != nil {
		t.Fatal(err)
	}
	return s, func() {
		dogs.stop()
		s.close()
		if s.wrong != nil {
			t.Errorf("%v\n%s", s.wrong, strings.Join(s.calls, "\n"))
		}
	}
}

// fail injects faults with an error into the disk.
func (s *faultyStore) fail(errno syscall.Errno, faults ...fusedisk.Fault) {
	s.errno = errno
	for i := range faults {
		faults[i].Errno = errno
	}
	if err := s.disk.Inject(faults...); err != nil {
		s.blame("%w", err)
	}
}

// TestFailedBackgroundSync fails a sync that no call waits for. Store and Sync return ErrFailed
// until the store is opened again, and then it has all acknowledged values.
func TestFailedBackgroundSync(t *testing.T) {
	s, end := beginAlone(t, engine.DurabilityInterval)
	defer end()
	s.open()
	s.store(60, "a", "b", "a")
	s.fail(syscall.EIO, fusedisk.Fault{Kinds: []journal.OpKind{journal.Sync}, Glob: "*.log", Times: -1})
	for deadline := time.Now().Add(time.Minute); !s.storeFailed && s.wrong == nil; time.Sleep(time.Millisecond) {
		if s.store(60, "a"); time.Now().After(deadline) {
			s.blame("no store returned an error after a sync in the background had failed")
		}
	}
	s.store(60, "b")
	s.sync()
	if !s.syncFailed {
		s.blame("Sync returned no ErrFailed after a sync in the background had failed")
	}
	s.close()
	s.heal()
	s.requireUsable("after healing")
}

// TestFailedCommitThenFullDisk fails the last sync of a checkpoint, so that the tree shows values
// that are not on the disk. Then the disk has no room to write the tree again. The log must keep
// these values, although the tree shows them.
func TestFailedCommitThenFullDisk(t *testing.T) {
	s, end := beginAlone(t, engine.DurabilityAlways)
	defer end()
	s.opts.Tuning.HeadSize = 1 << 20 // no checkpoint begins by itself
	s.open()
	s.store(60, "a", "b", "a")
	s.checkpoint()
	s.store(60, "a", "b", "a")
	s.fail(syscall.EIO, fusedisk.Fault{Kinds: []journal.OpKind{journal.Sync}, Glob: "daybook.db", Skip: 1, Times: 1})
	if s.checkpoint(); !s.treeFailed {
		s.blame("a checkpoint whose last sync failed returned no ErrFailed")
	}
	s.close()
	s.fail(syscall.ENOSPC, fusedisk.Fault{
		Kinds: []journal.OpKind{journal.Write, journal.Truncate}, Glob: "daybook.db", Times: -1,
	})
	if s.open() {
		for range 4 { // uses released segments again, if there are any
			s.store(largeValue, "big")
		}
		s.close()
	}
	ops, err := s.disk.Journal(0)
	if err != nil {
		t.Fatal(err)
	}
	s.heal()
	s.cutPower(ops)
}

// TestOpenSyncsTheTree fails the syncs of the tree while a store is opened that was closed with
// nothing to do. The last sync of its last commit may have failed, of which the file shows nothing.
// So Open syncs the file, and fails if it cannot.
func TestOpenSyncsTheTree(t *testing.T) {
	disk := fusedisk.MountFor(t)
	dir, opts := filepath.Join(disk.Dir(), "db"), &engine.Options{Logger: slog.New(slog.DiscardHandler)}
	for _, faults := range [][]fusedisk.Fault{
		nil,
		{{Kinds: []journal.OpKind{journal.Sync}, Glob: "daybook.db", Times: -1, Errno: syscall.EIO}},
		nil,
	} {
		if err := disk.Inject(faults...); err != nil {
			t.Fatal(err)
		}
		db, err := engine.Open(dir, opts)
		if errors.Is(err, syscall.EIO) != (faults != nil) {
			t.Errorf("with the faults %+v: got %v", faults, err)
		}
		if err == nil {
			err = errors.Join(db.Store(t.Context(), "r", json.RawMessage("1"), 1), db.Close())
		}
		if err != nil && faults == nil {
			t.Fatal(err)
		}
	}
}

// TestOpenSavesTheEpoch opens a store without its log, and fails each write to the tree in turn,
// and all later ones. Open makes the directory of the log again, so it must have saved the next
// epoch: nothing else says that numbers may be given a second time.
func TestOpenSavesTheEpoch(t *testing.T) {
	disk := fusedisk.MountFor(t)
	dir, opts := filepath.Join(disk.Dir(), "db"), &engine.Options{Logger: slog.New(slog.DiscardHandler)}
	db, err := engine.Open(dir, opts)
	if err == nil {
		err = errors.Join(db.Store(t.Context(), "r", json.RawMessage("1"), 1), db.Close())
	}
	if err := errors.Join(err, os.RemoveAll(filepath.Join(dir, "wal"))); err != nil {
		t.Fatal(err)
	}
	for failed, skip := true, 0; failed; skip++ {
		if err := disk.Inject(fusedisk.Fault{
			Kinds: []journal.OpKind{journal.Write}, Glob: "daybook.db", Skip: skip, Times: -1, Errno: syscall.EIO,
		}); err != nil {
			t.Fatal(err)
		}
		db, err := engine.Open(dir, opts)
		counts, countErr := disk.Counts()
		if countErr != nil {
			t.Fatal(countErr)
		}
		if failed = counts[0].Failed > 0; failed != errors.Is(err, syscall.EIO) {
			t.Errorf("write %d failed: %v; got %v", skip, failed, err)
		}
		if err == nil {
			_ = db.Close()
		}
	}
}

// TestPositionOfFailedBatch fails the sync of a received batch. The next Open may find the batch in
// the log, so until then no other batch may move the position.
func TestPositionOfFailedBatch(t *testing.T) {
	s, end := beginAlone(t, engine.DurabilityAlways)
	defer end()
	s.opts.Tuning.HeadSize = 1 << 20 // no checkpoint begins by itself
	s.open()
	s.receive(60)
	s.checkpoint()
	s.fail(syscall.EIO, fusedisk.Fault{Kinds: []journal.OpKind{journal.Sync}, Glob: "*.log", Times: -1})
	if s.receive(60, 60); !s.storeFailed {
		s.blame("a batch whose sync failed returned no ErrFailed")
	}
	s.receive() // without values it does not go into the log
	s.close()
	s.heal()
	s.requireUsable("after healing")
}

// TestReadsGoOn holds up each sync of a checkpoint in turn. It does so for longer than a reader
// waits for a commit that it did not expect. Queries must return the right values meanwhile.
func TestReadsGoOn(t *testing.T) {
	const syncs = 4 // of a checkpoint, at least: two of the commit, two of its seal
	disk := fusedisk.MountFor(t)
	db, err := engine.Open(filepath.Join(disk.Dir(), "db"), &engine.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := errors.Join(disk.Inject(), db.Close()); err != nil {
			t.Error(err)
		}
	}()
	for sync := 0; ; sync++ {
		if err := db.Store(t.Context(), "r", json.RawMessage("1"), uint64(sync)); err != nil {
			t.Fatal(err)
		}
		done, held := checkpointHeldAt(t, disk, db, sync)
		if !held { // the checkpoint has fewer syncs
			if sync < syncs {
				t.Errorf("the checkpoint had %d syncs; want at least %d", sync, syncs)
			}
			return
		}
		for range 2 {
			values, err := db.Query(t.Context(), "r", daybook.QueryParams{})
			if err != nil || len(values) != sync+1 {
				t.Errorf("during sync %d of a checkpoint: got %d values, %v; want %d", sync, len(values), err, sync+1)
			}
		}
		select {
		case err := <-done:
			t.Fatalf("the checkpoint ended before its sync %d, with %v", sync, err)
		default:
		}
		if err := errors.Join(disk.Inject(), <-done); err != nil {
			t.Fatal(err)
		}
	}
}

// checkpointHeldAt begins a checkpoint whose n-th sync of the tree, counted from 0, waits for the
// next call of Inject. It reports whether that sync has begun, or the checkpoint ended without an
// n-th sync. done gets the checkpoint's error.
func checkpointHeldAt(t *testing.T, disk *fusedisk.Disk, db *engine.DB, n int) (done chan error, held bool) {
	t.Helper()
	err := disk.Inject(fusedisk.Fault{
		Kinds: []journal.OpKind{journal.Sync}, Glob: "daybook.db", Skip: n, Times: 1, Hold: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	done = make(chan error, 1)
	go func() { done <- db.Checkpoint(t.Context()) }()
	for ; ; time.Sleep(time.Millisecond) {
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			return nil, false
		default:
		}
		counts, err := disk.Counts()
		if err != nil {
			t.Fatal(err)
		}
		if counts[0].Failed > 0 {
			return done, true
		}
	}
}
