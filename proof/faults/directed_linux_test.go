// SPDX-License-Identifier: Apache-2.0

//go:build amd64 || arm64

package faults

import (
	"encoding/json"
	"errors"
	"log/slog"
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

// beginAlone returns a new store on a disk of its own, and what is to be called at the end of the test.
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

// fail has the disk fail with errno from now on.
func (s *faultyStore) fail(errno syscall.Errno, faults ...fusedisk.Fault) {
	s.errno = errno
	for i := range faults {
		faults[i].Errno = errno
	}
	if err := s.disk.Inject(faults...); err != nil {
		s.blame("%w", err)
	}
}

// TestFailedBackgroundSync shows that after a sync that nobody waited for has failed, stores say ErrFailed until
// the store is opened again, which has all that was acknowledged.
func TestFailedBackgroundSync(t *testing.T) {
	s, end := beginAlone(t, engine.Interval)
	defer end()
	s.open()
	s.store(60, "a", "b", "a")
	s.fail(syscall.EIO, fusedisk.Fault{Kinds: []journal.OpKind{journal.Sync}, Glob: "*.log", Times: -1})
	for deadline := time.Now().Add(10 * time.Second); !s.storeFailed && s.wrong == nil; time.Sleep(time.Millisecond) {
		if s.store(60, "a"); time.Now().After(deadline) {
			s.blame("no store was told that a sync in the background had failed")
		}
	}
	s.store(60, "b")
	s.sync()
	if !s.syncFailed {
		s.blame("Sync does not say that a sync in the background had failed")
	}
	s.close()
	s.heal()
	s.comesBack("after healing")
}

// TestFailedCommitThenFullDisk has the last sync of a checkpoint fail, so that the tree shows what is not on the
// disk, and then no room to write the tree again. What the log holds must not be given up for what the tree
// shows.
func TestFailedCommitThenFullDisk(t *testing.T) {
	s, end := beginAlone(t, engine.Always)
	defer end()
	s.opts.Tuning.HeadSize = 1 << 20 // nothing is posted by itself
	s.open()
	s.store(60, "a", "b", "a")
	s.checkpoint()
	s.store(60, "a", "b", "a")
	s.fail(syscall.EIO, fusedisk.Fault{Kinds: []journal.OpKind{journal.Sync}, Glob: "daybook.db", Skip: 1, Times: 1})
	if s.checkpoint(); !s.treeFailed {
		s.blame("a checkpoint whose last sync failed does not say so")
	}
	s.close()
	s.fail(syscall.ENOSPC, fusedisk.Fault{Kinds: []journal.OpKind{journal.Write, journal.Truncate}, Glob: "daybook.db", Times: -1})
	if s.open() {
		for range 4 { // uses segments again, if there are any
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

// TestReadsGoOn holds each sync of a checkpoint in turn, for longer than a reader has patience with a commit that it
// knows nothing of: queries are answered meanwhile, and rightly.
func TestReadsGoOn(t *testing.T) {
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
	for stored := uint64(1); ; stored++ {
		if err := db.Store(t.Context(), "r", json.RawMessage("1"), stored); err != nil {
			t.Fatal(err)
		}
		held := fusedisk.Fault{Kinds: []journal.OpKind{journal.Sync}, Glob: "daybook.db", Skip: int(stored) - 1, Times: 1, Hold: true}
		if err := disk.Inject(held); err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { done <- db.Checkpoint(t.Context()) }()
		for holding := false; !holding; time.Sleep(time.Millisecond) {
			select {
			case err := <-done: // it has fewer syncs
				if stored < 4 || err != nil {
					t.Errorf("the checkpoint had %d syncs, and ended with %v; want 4: two of the commit, two of its seal", stored-1, err)
				}
				return
			default:
			}
			counts, err := disk.Counts()
			if err != nil {
				t.Fatal(err)
			}
			holding = counts[0].Failed > 0
		}
		for range 2 {
			values, err := db.Query(t.Context(), "r", daybook.QueryParams{})
			if err != nil || len(values) != int(stored) {
				t.Errorf("while sync %d of a checkpoint runs: %d values, %v; want %d", stored, len(values), err, stored)
			}
		}
		select {
		case err := <-done:
			t.Fatalf("the checkpoint ended before its sync %d, with %v", stored, err)
		default:
		}
		if err := errors.Join(disk.Inject(), <-done); err != nil {
			t.Fatal(err)
		}
	}
}
