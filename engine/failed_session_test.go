// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"errors"
	"strings"
	"syscall"
	"testing"

	"github.com/daybook-db/daybook/engine/internal/disk/faultfs"
	"github.com/daybook-db/daybook/engine/internal/wal"
	"github.com/daybook-db/daybook/proof/testenv"
)

// TestSessionWriteFails fails writes of the file session where a segment begins. The segment may
// stay only if the file may name it.
func TestSessionWriteFails(t *testing.T) {
	for fails, wantMayStay := range map[int]bool{1: false, 2: true} {
		db, fsys := openFaulty(t, testenv.TempDir(t), Options{})
		writes := 0
		fsys.SetHook(func(op faultfs.Op) error {
			if op.Name == faultfs.Write && strings.HasSuffix(op.Path, sessionName) {
				if writes++; writes <= fails {
					return syscall.EIO
				}
			}
			return nil
		})
		mayStay, err := db.session.Begin(wal.Expected{Segment: 9})
		if mayStay != wantMayStay || !errors.Is(err, syscall.EIO) {
			t.Errorf("%d writes fail: it may stay: %v, %v; want %v and EIO", fails, mayStay, err, wantMayStay)
		}
		fsys.SetHook(nil)
	}
}

// TestSessionSyncs wants a session to sync what it has written, and nothing else.
func TestSessionSyncs(t *testing.T) {
	if err := (&session{}).Sync(); err != nil {
		t.Errorf("without a file: %v", err)
	}
	db, fsys := openFaulty(t, testenv.TempDir(t), Options{})
	mustStore(t, db, "r", "1", 1)
	if err := db.session.Sync(); err != nil {
		t.Fatal(err)
	}
	fsys.SetHook(failing(faultfs.Sync, sessionName))
	if err := db.session.Sync(); err != nil {
		t.Errorf("after a sync: %v; want no other", err)
	}
	if mayStay, err := db.session.Begin(wal.Expected{Segment: 9, Sequence: 1}); mayStay || err != nil {
		t.Errorf("a further segment: %v, %v", mayStay, err)
	}
	if err := db.session.Sync(); !errors.Is(err, syscall.EIO) {
		t.Errorf("after a write: %v; want EIO", err)
	}
	fsys.SetHook(failing(faultfs.Write, sessionName)) // the failed sync may have lost what was written
	if err := db.session.Sync(); !errors.Is(err, syscall.EIO) {
		t.Errorf("after a failed sync: %v; want EIO of another write", err)
	}
	fsys.SetHook(nil)
	if err := db.session.Sync(); err != nil {
		t.Errorf("once the disk is well: %v", err)
	}
}

// TestFirstSegmentOfASession fails the sync that says that the directory is not closed any more.
func TestFirstSegmentOfASession(t *testing.T) {
	dir := testenv.TempDir(t)
	mustClose(t, mustOpen(t, dir, nil))
	db, fsys := openFaulty(t, dir, Options{})
	fsys.SetHook(failing(faultfs.Sync, sessionName))
	if mayStay, err := db.session.Begin(wal.Expected{Segment: 1}); !mayStay || !errors.Is(err, syscall.EIO) {
		t.Errorf("got %v, %v; want true and EIO", mayStay, err)
	}
}
