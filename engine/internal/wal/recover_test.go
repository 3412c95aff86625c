// SPDX-License-Identifier: Apache-2.0

package wal

import (
	"errors"
	"testing"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/disk/faultfs"
)

// TestSealIsMadeDurable recovers a log whose process died between writing the seal of a full
// segment and syncing it. The sealed segment is the last one. No later frame may be durable before
// the seal.
func TestSealIsMadeDurable(t *testing.T) {
	d := newMemDisk()
	fsys := faultfs.New(d)
	log := mustOpen(t, fsys, 0, 0)
	log.pool.stop()
	first := numbered(0, 1500, 1)
	mustAppend(t, log, first)
	mustSync(t, log)
	full := log.active.path
	fsys.SetHook(func(op faultfs.Op) error {
		if op.Name == faultfs.Sync && op.Path == full {
			return faultfs.ErrInjected
		}
		return nil
	})
	if _, err := log.Append([]Frame{numbered(1, 1500, 1)}); !errors.Is(err, faultfs.ErrInjected) {
		t.Fatalf("Append: got %v", err)
	}

	log = mustOpen(t, d, 0, 0)
	second := numbered(2, 1500, 1)
	mustAppend(t, log, second)
	mustSync(t, log)
	mustClose(t, log)
	d.cutPower(func(int) int { return 0 })
	checkFrames(t, d, 0, placed(1, first, second))
}

// TestFailedHeaderIsNoGap makes the write of a segment's header fail after all its bytes have been
// written. The segment cannot be removed either. Append must use the next segment, and recovery
// must not report a gap.
func TestFailedHeaderIsNoGap(t *testing.T) {
	d := newMemDisk()
	fsys := faultfs.New(d)
	log := mustOpen(t, fsys, 0, 0)
	first := numbered(0, 1500, 1)
	mustAppend(t, log, first)
	log.pool.background.Wait() // the next segment is ready
	failed := false
	fsys.SetHook(func(op faultfs.Op) error {
		header, err := decodeSegmentHeader(op.Data)
		if op.Name == faultfs.Write && err == nil && !header.prepared() && !failed { // the header that Append writes
			failed = true
			log.pool.background.Wait() // the segment after it is ready too
			return &faultfs.PartialError{Written: segmentHeaderLen, Err: faultfs.ErrInjected}
		}
		if op.Name == faultfs.Remove {
			return faultfs.ErrInjected
		}
		return nil
	})
	second := numbered(1, 1500, 1)
	if _, err := log.Append([]Frame{second}); !errors.Is(err, faultfs.ErrInjected) {
		t.Fatalf("Append: got %v", err)
	}
	log.pool.stop() // the crash comes before the segment is recycled
	mustAppend(t, log, second)
	mustClose(t, log)
	if segments := segmentsOf(t, d); len(segments) != 3 {
		t.Fatalf("segments %v; want 3, the middle one without frames", segments)
	}
	for range 2 {
		checkFrames(t, d, 0, placed(1, first, second))
		mustClose(t, mustOpen(t, d, 0, 0))
	}
}

// TestFailedHeaderLeavesNoFile makes the write of a segment's header fail, and that of a seal. The
// log goes on, and no file is left that it does not count.
func TestFailedHeaderLeavesNoFile(t *testing.T) {
	for nth := range 2 { // the first write is that of the seal
		d := newMemDisk()
		fsys := faultfs.New(d)
		log := mustOpen(t, fsys, 0, 0)
		frames := []Frame{numbered(0, 1500, 1), numbered(1, 1500, 1), numbered(2, 1500, 1)}
		mustAppend(t, log, frames[0])
		log.PrepareSegment()
		log.pool.stop()
		writes := 0
		fsys.SetHook(func(op faultfs.Op) error {
			if op.Name == faultfs.Write {
				if writes++; writes == nth+1 {
					return faultfs.ErrDiskFull
				}
			}
			return nil
		})
		if _, err := log.Append(frames[1:2]); !errors.Is(err, daybook.ErrNoSpace) || log.Failure() != nil {
			t.Errorf("write %d failed: Append: got %v; want ErrNoSpace, and a log that goes on", nth, err)
		}
		fsys.SetHook(nil)
		checkSize(t, log, d, "a segment whose header was not written is removed")
		mustAppend(t, log, frames[1])
		mustAppend(t, log, frames[2])
		mustSync(t, log)
		checkSize(t, log, d, "the same")
		mustClose(t, log)
		d.cutPower(func(int) int { return 0 })
		checkFrames(t, d, 0, placed(1, frames...))
	}
}

// TestReopenAfterAFailedSync checks that recovery writes the frames again that it found. After a
// failed sync the operating system takes the pages for clean that it did not write. It serves them
// from its cache until a power cut.
func TestReopenAfterAFailedSync(t *testing.T) {
	d := newMemDisk()
	fsys := faultfs.New(d)
	log := mustOpen(t, fsys, 0, 0)
	first, second, third := numbered(0, 100, 1), numbered(1, 3000, 1), numbered(2, 100, 1)
	mustAppend(t, log, first)
	mustSync(t, log)
	log.pool.background.Wait()
	mustAppend(t, log, second)
	fsys.SetHook(func(op faultfs.Op) error {
		if op.Name == faultfs.Sync {
			return faultfs.ErrInjected
		}
		return nil
	})
	if err := log.Sync(); !errors.Is(err, faultfs.ErrInjected) {
		t.Fatalf("Sync: got %v", err)
	}
	log.pool.background.Wait()
	for _, file := range d.cached {
		file.writes = nil // the pages count as clean, but are not on the disk
	}

	log = mustOpen(t, d, 0, 0)
	mustAppend(t, log, third)
	mustSync(t, log)
	mustClose(t, log)
	d.cutPower(func(int) int { return 0 })
	checkFrames(t, d, 0, placed(1, first, second, third))
}
