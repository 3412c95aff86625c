// SPDX-License-Identifier: Apache-2.0

package wal

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/disk/faultfs"
	"github.com/daybook-db/daybook/engine/internal/identity"
)

// fillOneSegment fills the only segment that a log gets, on a disk without room for another, and
// then posts all values.
func (m *machine) fillOneSegment() {
	m.append(m.t)
	m.full = true
	for before := -1; before < len(m.frames); {
		before = len(m.frames)
		m.append(m.t)
	}
	m.sync(m.t)
	m.watermark = m.next - 1
	m.post(m.t)
}

// TestReuseInCrashes lets a log use its last segment again on a full disk. In turn each operation
// of the disk fails, or is the last one before a crash or a power cut. After that the log must be
// whole, and go on in the same file.
func TestReuseInCrashes(t *testing.T) {
	const operations = 25 // more than the reuse and the next Open have
	reused, interrupted := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		for left := range operations {
			m := newMachine(t)
			m.fillOneSegment()
			used, off := m.log.LastUsed(), rapid.Bool().Draw(t, "power off")
			if off {
				m.turnOffAfter(left)
			} else {
				m.failAfter(left)
			}
			for range 2 {
				m.append(t)
				m.sync(t)
			}
			if m.log == nil {
				interrupted++
			} else if m.log.LastUsed() > used {
				reused++
			}
			m.crash(off)
			m.open()
			m.post(t)
			m.append(t)
			m.sync(t)
			if files := len(m.disk.cached) - 1; files > 1 {
				t.Fatalf("after operation %d there are %d segments; want one that is used again", left, files)
			}
		}
	})
	if reused == 0 || interrupted == 0 {
		t.Errorf("the segment was used again %d times, and the log interrupted %d times; want some of both", reused,
			interrupted)
	}
}

// TestReuse appends to a log with one file for ever, as long as all its values are posted. What it
// cannot hold is ErrNoSpace, and leaves the log as it is.
func TestReuse(t *testing.T) {
	d := newMemDisk()
	fsys := faultfs.New(d)
	fsys.SetHook(fullAfter(1))
	log := mustOpen(t, fsys, 0, 0)
	defer mustClose(t, log)
	log.pool.stop()
	mustAppend(t, log, numbered(0, 700, 1))
	if most := int(2048 - segmentHeaderLen - 2*frameHeaderLen); log.MayRelease(most+1) || !log.MayRelease(most) {
		t.Errorf("the segment must have room for a frame of %d bytes, and no more", most)
	}
	refused := 0
	for i := 1; i < 30; i++ {
		frame := numbered(i, 700, 1)
		first, err := log.Append([]Frame{frame})
		if errors.Is(err, daybook.ErrNoSpace) {
			refused++
			log.Release(uint64(i))
			_, tooLarge := log.Append([]Frame{numbered(i, 5000, 1)})
			if !errors.Is(tooLarge, ErrNoRoom) || !strings.Contains(tooLarge.Error(), "its largest has 2048") {
				t.Errorf("Append of a frame larger than the segment: got %v; want ErrNoRoom, which says so", tooLarge)
			}
			if log.MayRelease(5000) || !log.MayRelease(700) {
				t.Error("the segment can be used for the large frame, or not for the small one")
			}
			first, err = log.Append([]Frame{frame})
		}
		if err != nil || first != uint64(i+1) {
			t.Fatalf("Append of frame %d = %d, %v; want %d", i, first, err, i+1)
		}
	}
	if refused == 0 || len(d.cached) != 1 {
		t.Errorf("%d frames were refused, and there are %d files; want some, and one", refused, len(d.cached))
	}
}

// fullAfter returns a hook of a disk that has room for a number of files.
func fullAfter(files int) func(faultfs.Op) error {
	return func(op faultfs.Op) error {
		if op.Name != faultfs.Create {
			return nil
		}
		if files--; files < 0 {
			return faultfs.ErrDiskFull
		}
		return nil
	}
}

// failingSession is a Session whose Begin fails when it is told that there is no segment, and whose
// Sync fails.
type failingSession struct {
	fails, mayStay bool
	syncFails      bool
	begun, synced  int // how often each was called
}

func (s *failingSession) Begin(e Expected) (mayStay bool, err error) {
	s.begun++
	if s.fails && e.Segment == 0 {
		return s.mayStay, faultfs.ErrInjected
	}
	return false, nil
}

func (s *failingSession) Sync() error {
	s.synced++
	if s.syncFails {
		return faultfs.ErrInjected
	}
	return nil
}

// TestReuseWithFailingSession fails to tell the session that there is no segment. The segment stays
// in use then. The log tries again, unless the session may expect something else than it shows.
func TestReuseWithFailingSession(t *testing.T) {
	for _, mayStay := range []bool{false, true} {
		d, session := newMemDisk(), &failingSession{mayStay: mayStay}
		fsys, opts := faultfs.New(d), testOptions()
		fsys.SetHook(fullAfter(1))
		opts.Session = session
		log, err := mustScan(t, fsys, 0).Open(0, opts)
		if err != nil {
			t.Fatal(err)
		}
		log.pool.stop()
		mustAppend(t, log, numbered(0, 900, 1), numbered(1, 900, 1))
		log.Release(2)
		session.fails = true
		frame := numbered(2, 900, 1)
		if _, err := log.Append([]Frame{frame}); err == nil || errors.Is(err, daybook.ErrFailed) != mayStay {
			t.Errorf("Append when the session fails: got %v; want ErrFailed: %v", err, mayStay)
		}
		if d.cached[filepath.Join(crashDir, nameOf(1))] == nil {
			t.Error("the segment was released that the session may name")
		}
		session.fails = false
		if first, err := log.Append([]Frame{frame}); mayStay != (err != nil) || err == nil && first != 3 {
			t.Errorf("Append when the session works again = %d, %v; want an error: %v", first, err, mayStay)
		}
		mustClose(t, log)
	}
}

// openToUndo opens a log on a disk with room for a number of files. When *fail is set, a write of
// frames fails after all bytes, so that they are undone, and another epoch begins.
func openToUndo(t *testing.T, d *memDisk, files int, origin identity.Origin) (log *Log, fail *bool) {
	t.Helper()
	fsys, full := faultfs.New(d), fullAfter(files)
	fail = new(bool)
	fsys.SetHook(func(op faultfs.Op) error {
		if *fail && op.Name == faultfs.Write && op.Offset > 0 {
			*fail = false
			return &faultfs.PartialError{Written: len(op.Data), Err: faultfs.ErrInjected}
		}
		return full(op)
	})
	known, opts := identity.FromOrigin(origin), testOptions()
	opts.Origin = origin
	opts.OnUndo = func(shared uint64) (origin identity.Origin) {
		known, origin = known.BeginRandom(shared, true)
		return origin
	}
	log, err := mustScan(t, fsys, 0).Open(0, opts)
	if err != nil {
		t.Fatal(err)
	}
	log.pool.stop()
	return log, fail
}

func mustUndo(t *testing.T, log *Log, fail *bool) {
	t.Helper()
	*fail = true
	if _, err := log.Append([]Frame{numbered(0, 20, 1)}); !errors.Is(err, faultfs.ErrInjected) {
		t.Fatalf("Append: got %v; want the injected error", err)
	}
}

// TestReuseAfterUndo undoes frames in the only segment, whose other frames are in the tree. It is
// the evidence of the next epoch. When the tree knows that, the log goes on in the same file.
func TestReuseAfterUndo(t *testing.T) {
	log, fail := openToUndo(t, newMemDisk(), 1, testIdentity.Origin())
	defer mustClose(t, log)
	mustAppend(t, log, numbered(0, 900, 1))
	log.Release(1)
	mustUndo(t, log, fail)
	if _, err := log.Append([]Frame{numbered(1, 20, 1)}); !errors.Is(err, daybook.ErrNoSpace) || !log.KeepsEvidence() {
		t.Errorf("Append while the tree may not know the epoch: got %v; want ErrNoSpace, and evidence", err)
	}
	if log.ReleaseEvidence(); log.KeepsEvidence() {
		t.Error("the log keeps evidence that is released")
	}
	log.Release(1)
	mustAppend(t, log, numbered(1, 20, 1))
}

// TestUndoKeepsLink undoes the first frames of an epoch that the tree does not know. The segment
// without frames links the next epoch to the tree, so it is not released.
func TestUndoKeepsLink(t *testing.T) {
	d := newMemDisk()
	_, origin := testIdentity.BeginRandom(0, true)
	log, fail := openToUndo(t, d, 2, origin)
	defer mustClose(t, log)
	mustUndo(t, log, fail)
	mustAppend(t, log, numbered(0, 900, 1))
	log.Release(0)
	log.RemoveReleased()
	if found := mustScan(t, d, 0).NextSequence(); found != 2 {
		t.Errorf("after a crash the next value is %d; want 2", found)
	}
	log.ReleaseEvidence()
	log.Release(1)
	log.RemoveReleased()
	if len(d.cached) != 1 {
		t.Errorf("there are %d segments when the tree knows the epoch; want the one in use", len(d.cached))
	}
}
