// SPDX-License-Identifier: Apache-2.0

package wal

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/disk/faultfs"
)

// TestOnDisk opens, fills and closes a log on the operating system's disk, again and again.
func TestOnDisk(t *testing.T) {
	parent := t.TempDir()
	dir, fsys := filepath.Join(parent, "wal"), openDirectory(t, parent)
	open := func(watermark uint64) (*Recovery, *Log) {
		recovery, err := Scan(dir, fsys, knownAt(watermark))
		if err != nil {
			t.Fatal(err)
		}
		log, err := recovery.Open(0, testOptions())
		if err != nil {
			t.Fatal(err)
		}
		return recovery, log
	}
	var want []testFrame
	next := uint64(1)
	for round := range 4 {
		recovery, log := open(0)
		if diff := cmp.Diff(want, replayAll(t, recovery), sameFrame, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("frames in round %d (-want +got):\n%s", round, diff)
		}
		log.PrepareSegment()
		for i := range 30 {
			frames := []Frame{numbered(i, 50*i, 1+i%3), numbered(100+i, 10, 2)}
			if got := mustAppend(t, log, frames...); got != next {
				t.Fatalf("Append returned %d; want %d", got, next)
			}
			want = append(want, placed(next, frames...)...)
			next = want[len(want)-1].last() + 1
			mustSync(t, log)
		}
		mustClose(t, log)
	}
	_, log := open(next - 1)
	log.Release(next - 1)
	if err := log.Close(true); err != nil {
		t.Fatal(err)
	}
	if left, err := fsys.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("files after Close(true): %v, %v; want none", left, err)
	}
}

// TestRotation appends frames of many lengths to many segments, including frames that are longer
// than a segment. All frames above any watermark must be replayed in order.
func TestRotation(t *testing.T) {
	d := newMemDisk()
	log := mustOpen(t, d, 0, 0)
	var frames []Frame
	for i := range 60 {
		length := 8 + i*31
		if i%20 == 10 {
			length = 20 << 10 // more than a segment
		}
		frames = append(frames, numbered(i, length, 1+i%4))
		mustAppend(t, log, frames[i])
		if i%3 == 0 {
			mustSync(t, log)
		}
	}
	mustClose(t, log)
	if segments := segmentsOf(t, d); len(segments) < 15 {
		t.Fatalf("%d segments; want many", len(segments))
	}
	want := placed(1, frames...)
	checkFrames(t, d, 0, want)
	for i := range want {
		checkFrames(t, d, want[i].last(), want[i+1:])
	}
}

// TestOneAppendIsOneWrite checks that Append is one write and Sync is one sync, and that a second
// Sync does nothing.
func TestOneAppendIsOneWrite(t *testing.T) {
	fsys := faultfs.New(newMemDisk())
	log := mustOpen(t, fsys, 0, 0)
	log.pool.stop()
	mustAppend(t, log, numbered(0, 10, 1))
	mustSync(t, log)
	log.verified = time.Now().Add(time.Hour) // otherwise a slow machine verifies the directory again
	var done []string
	fsys.SetHook(func(op faultfs.Op) error {
		done = append(done, op.Name)
		return nil
	})
	mustAppend(t, log, numbered(1, 10, 1), numbered(2, 20, 1), numbered(3, 30, 5))
	mustSync(t, log)
	mustSync(t, log)
	if diff := cmp.Diff([]string{faultfs.Write, faultfs.Sync}, done); diff != "" {
		t.Errorf("operations of one commit (-want +got):\n%s", diff)
	}
	mustClose(t, log)
}

// TestFailedWrites checks that the frames of a failed write are never replayed, whatever number of
// its bytes was written, and that the log stays usable.
func TestFailedWrites(t *testing.T) {
	group := []Frame{numbered(10, 100, 1), numbered(11, 100, 1), numbered(12, 100, 1)}
	for written := 0; written <= 3*(frameHeaderLen+100); written += 20 {
		t.Run(fmt.Sprint(written), func(t *testing.T) {
			d := newMemDisk()
			fsys := faultfs.New(d)
			log := mustOpen(t, fsys, 0, 0)
			log.pool.stop()
			mustAppend(t, log, numbered(0, 50, 1))
			failNext(fsys, faultfs.Write, &faultfs.PartialError{Written: written, Err: faultfs.ErrDiskFull})
			_, err := log.Append(group)
			if !errors.Is(err, daybook.ErrNoSpace) || !errors.Is(err, faultfs.ErrDiskFull) {
				t.Fatalf("Append: got %v, want ErrNoSpace and ENOSPC", err)
			}
			checkFrames(t, d, 0, placed(1, numbered(0, 50, 1))) // after a crash at this moment
			if err := log.Failure(); err != nil {
				t.Fatalf("Failure: %v", err)
			}
			after := numbered(20, 30, 2)
			if got := mustAppend(t, log, after); got != 2 {
				t.Errorf("the next value is %d; want 2", got)
			}
			mustSync(t, log)
			mustClose(t, log)
			checkFrames(t, d, 0, placed(1, numbered(0, 50, 1), after))
		})
	}
}

// TestFailedUndoFailsTheLog checks that the log fails if the bytes of a failed write cannot be
// overwritten.
func TestFailedUndoFailsTheLog(t *testing.T) {
	fsys := faultfs.New(newMemDisk())
	log := mustOpen(t, fsys, 0, 0)
	mustAppend(t, log, numbered(0, 50, 1))
	log.pool.stop()
	fsys.SetHook(failAll(faultfs.Write, faultfs.ErrInjected))
	if _, err := log.Append([]Frame{numbered(1, 50, 1)}); !errors.Is(err, faultfs.ErrInjected) {
		t.Fatalf("Append: got %v", err)
	}
	fsys.SetHook(nil)
	checkFailed(t, log, faultfs.ErrInjected)
}

// checkFailed checks that the log takes no more writes, and that its errors match cause.
func checkFailed(t *testing.T, log *Log, cause error) {
	t.Helper()
	if _, err := log.Append([]Frame{numbered(9, 10, 1)}); !errors.Is(err, cause) {
		t.Errorf("Append: got %v, want %v", err, cause)
	}
	if err := log.Sync(); !errors.Is(err, cause) {
		t.Errorf("Sync: got %v, want %v", err, cause)
	}
	if err := log.Failure(); !errors.Is(err, cause) {
		t.Errorf("Failure: got %v, want %v", err, cause)
	}
}

// TestFailedSyncFailsTheLog checks that a failed sync makes the log fail until it is recovered. It
// is unknown which frames since the sync before are on the disk, so no frame after them may be
// acknowledged.
func TestFailedSyncFailsTheLog(t *testing.T) {
	d := newMemDisk()
	fsys := faultfs.New(d)
	log := mustOpen(t, fsys, 0, 0)
	mustAppend(t, log, numbered(0, 50, 1))
	mustSync(t, log)
	mustAppend(t, log, numbered(1, 50, 1))
	log.pool.stop()
	failNext(fsys, faultfs.Sync, faultfs.ErrInjected)
	if err := log.Sync(); !errors.Is(err, faultfs.ErrInjected) {
		t.Fatalf("Sync: got %v", err)
	}
	checkFailed(t, log, faultfs.ErrInjected)
	mustClose(t, log)

	log = mustOpen(t, d, 0, 0)
	mustAppend(t, log, numbered(2, 50, 1))
	mustClose(t, log)
	checkFrames(t, d, 0, placed(1, numbered(0, 50, 1), numbered(1, 50, 1), numbered(2, 50, 1)))
}

// TestFailedSyncOfAFullSegmentFailsTheLog is TestFailedSyncFailsTheLog for the sync before the next
// segment begins.
func TestFailedSyncOfAFullSegmentFailsTheLog(t *testing.T) {
	for _, cause := range []error{faultfs.ErrInjected, faultfs.ErrDiskFull} {
		checkFailedSync(t, cause)
	}
}

// checkFailedSync makes the sync of a full segment fail. A failed log is no full disk, whatever the
// cause: deleting values does not help.
func checkFailedSync(t *testing.T, cause error) {
	t.Helper()
	d := newMemDisk()
	fsys := faultfs.New(d)
	log := mustOpen(t, fsys, 0, 0)
	mustAppend(t, log, numbered(0, 1500, 1))
	log.pool.background.Wait()
	log.pool.stop()
	fsys.SetHook(func(op faultfs.Op) error {
		if op.Name == faultfs.Sync && op.Path == segmentsOf(t, d)[0] {
			return cause
		}
		return nil
	})
	_, err := log.Append([]Frame{numbered(1, 1500, 1)})
	if !errors.Is(err, cause) || !errors.Is(err, daybook.ErrFailed) || errors.Is(err, daybook.ErrNoSpace) {
		t.Fatalf("Append: got %v; want ErrFailed, and not ErrNoSpace", err)
	}
	fsys.SetHook(nil)
	checkFailed(t, log, cause)
}

// TestAppendAndSyncAtOnce has several goroutines sync while one appends, as stores that sync
// commits or intervals do. The race detector must find nothing.
func TestAppendAndSyncAtOnce(t *testing.T) {
	d := newMemDisk()
	log := mustOpen(t, d, 0, 0)
	var frames []Frame
	stop := make(chan struct{})
	var group sync.WaitGroup
	for range 3 {
		group.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if err := log.Sync(); err != nil {
					t.Error(err)
					return
				}
				_ = log.Size()
			}
		})
	}
	for i := range 300 {
		frames = append(frames, numbered(i, 10+i, 1))
		mustAppend(t, log, frames[i])
		if i%50 == 0 {
			log.Release(0)
		}
	}
	close(stop)
	group.Wait()
	mustSync(t, log)
	mustClose(t, log)
	d.cutPower(func(int) int { return 0 })
	checkFrames(t, d, 0, placed(1, frames...))
}

// TestOtherFiles checks that the log ignores other files in its directory.
func TestOtherFiles(t *testing.T) {
	d := newMemDisk()
	names := []string{
		"README", "1.log", "1.new.log", "00000000000000000001.log.tmp", "0000000000000000000x.log",
		"99999999999999999999.log", // the number is greater than 2^64
	}
	for _, name := range names {
		put(t, d, name, []byte("garbage"))
	}
	log := mustOpen(t, d, 0, 0)
	mustAppend(t, log, numbered(0, 10, 1))
	mustClose(t, log)
	log = mustOpen(t, d, 1, 0)
	mustAppend(t, log, numbered(1, 10, 1))
	if first, last := log.sealed[0].number, log.active.number; first != 1 || last < 2 {
		t.Errorf("the log has segments %d to %d; want numbers from 1", first, last)
	}
	if err := log.Close(true); err != nil {
		t.Fatal(err)
	}
	var left []string
	for path := range d.cached {
		left = append(left, filepath.Base(path))
	}
	slices.Sort(left)
	slices.Sort(names)
	if diff := cmp.Diff(names, left); diff != "" {
		t.Errorf("other files after Close (-want +got):\n%s", diff)
	}
}
