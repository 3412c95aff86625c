// SPDX-License-Identifier: Apache-2.0

package wal

import (
	"errors"
	"math"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/disk/faultfs"
)

// TestRecycling checks that released segments are recycled with ascending numbers, and that their
// old frames are never replayed.
func TestRecycling(t *testing.T) {
	d := newMemDisk()
	fsys := faultfs.New(d)
	var mu sync.Mutex
	created, recycled, greatest := 0, 0, ""
	fsys.SetHook(func(op faultfs.Op) error {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case op.Name == faultfs.Create:
			created++
		case op.Name == faultfs.Rename && isTemporary(filepath.Base(op.NewPath)):
			recycled++
		case op.Name == faultfs.Rename:
			if op.NewPath <= greatest {
				t.Errorf("%s is made after %s", op.NewPath, greatest)
			}
			greatest = op.NewPath
		}
		return nil
	})
	log := mustOpen(t, fsys, 0, 0)
	next := uint64(1)
	for i := range 300 {
		frame := numbered(i, 700, 2)
		if got := mustAppend(t, log, frame); got != next {
			t.Fatalf("Append returned %d; want %d", got, next)
		}
		mustSync(t, log)
		next += 2
		if i%10 == 9 {
			log.Release(next - 1)
			log.pool.background.Wait()
			// The active segment, the next one, the ones filled meanwhile and the ones kept for
			// recycling.
			if files := len(d.cached); files > 10 {
				t.Fatalf("%d files after %d frames", files, i+1)
			}
			checkSize(t, log, d, "what is not kept is removed")
			if kept := totalSize(log.pool.released); kept > testOptions().KeepReleased {
				t.Fatalf("%d bytes are kept for recycling; want at most %d", kept, testOptions().KeepReleased)
			}
		}
	}
	last := numbered(300, 30, 1)
	mustAppend(t, log, last)
	lastSegment := log.LastSegment()
	mustClose(t, log)
	if created > 10 || recycled < 40 {
		t.Errorf("%d segments created, %d recycled; want most recycled", created, recycled)
	}
	if want := filepath.Join(crashDir, nameOf(lastSegment)); greatest != want {
		t.Errorf("LastSegment is the number of %s; the last segment made is %s", want, greatest)
	}
	checkFrames(t, d, next-1, placed(next, last))
}

// TestReleaseOfManySegments releases more segments at once than are kept. The files of the others
// are removed.
func TestReleaseOfManySegments(t *testing.T) {
	d := newMemDisk()
	log := mustOpen(t, d, 0, 0)
	defer mustClose(t, log)
	log.pool.stop()
	const frames = 20
	for i := range frames {
		mustAppend(t, log, numbered(i, 2500, 1)) // one in each segment
	}
	mustSync(t, log)
	if before := len(d.cached); before < frames {
		t.Fatalf("%d frames take %d segments", frames, before)
	}
	log.Release(frames - 1)
	want := 1 + testOptions().KeepReleased/testOptions().SegmentSize // with the active one
	if files := int64(len(d.cached)); files != want {
		t.Errorf("%d files after the release; want %d", files, want)
	}
	checkSize(t, log, d, "what is not kept is removed")
}

// TestNumbersAreNotUsedAgain checks that new segments get new numbers after all segments have been
// removed.
func TestNumbersAreNotUsedAgain(t *testing.T) {
	d := newMemDisk()
	log := mustOpen(t, d, 0, 0)
	mustAppend(t, log, numbered(1, 10, 1))
	number := log.LastSegment()
	if err := log.Close(true); err != nil {
		t.Fatal(err)
	}
	log = mustOpen(t, d, 1, number)
	mustAppend(t, log, numbered(2, 10, 1))
	mustClose(t, log)
	segments := segmentsOf(t, d)
	if want := filepath.Join(crashDir, nameOf(number)); len(segments) != 1 || segments[0] <= want {
		t.Errorf("segments %v; want one after %s", segments, want)
	}
	checkFrames(t, d, 1, placed(2, numbered(2, 10, 1)))
}

// TestNoSpaceForASegment makes each step of making a segment fail. Append must return ErrNoSpace,
// leave no file, and succeed when there is space.
func TestNoSpaceForASegment(t *testing.T) {
	for _, name := range []string{faultfs.Create, faultfs.Write, faultfs.Sync, faultfs.Rename, faultfs.SyncDir} {
		t.Run(name, func(t *testing.T) {
			d := newMemDisk()
			fsys := faultfs.New(d)
			log := mustOpen(t, fsys, 0, 0)
			log.pool.stop()
			mustAppend(t, log, numbered(0, 1500, 1))
			mustSync(t, log)
			fsys.SetHook(failExceptOn(log.active.path, faultfs.ErrDiskFull, name))
			for range 3 {
				if _, err := log.Append([]Frame{numbered(1, 1500, 1)}); !errors.Is(err, daybook.ErrNoSpace) {
					t.Fatalf("Append: got %v, want ErrNoSpace", err)
				}
			}
			if files := len(d.cached); files != 1 {
				t.Errorf("%d files; want only the first segment", files)
			}
			small := numbered(2, 8, 1)
			mustAppend(t, log, small) // fits into the first segment
			fsys.SetHook(nil)
			large := numbered(3, 1500, 1)
			mustAppend(t, log, large)
			mustSync(t, log)
			mustClose(t, log)
			checkFrames(t, d, 0, placed(1, numbered(0, 1500, 1), small, large))
		})
	}
}

// TestFailedRecycling makes each step of recycling a segment fail. The log must stay usable and
// replayable.
func TestFailedRecycling(t *testing.T) {
	for _, name := range []string{faultfs.Rename, faultfs.SyncDir, faultfs.Open, faultfs.Write, faultfs.Sync} {
		t.Run(name, func(t *testing.T) {
			d := newMemDisk()
			fsys := faultfs.New(d)
			log := mustOpen(t, fsys, 0, 0)
			log.pool.stop()
			for i := range 4 {
				mustAppend(t, log, numbered(i, 1500, 1))
				mustSync(t, log)
			}
			log.Release(3) // the first two segments; the second one is large enough
			fsys.SetHook(failExceptOn(log.active.path, faultfs.ErrInjected, name))
			if _, err := log.Append([]Frame{numbered(9, 3000, 1)}); !errors.Is(err, faultfs.ErrInjected) {
				t.Fatalf("Append: got %v", err)
			}
			checkFrames(t, d, 3, placed(4, numbered(3, 1500, 1))) // after a crash at this moment
			fsys.SetHook(nil)
			mustAppend(t, log, numbered(4, 3000, 1))
			mustSync(t, log)
			mustClose(t, log)
			checkFrames(t, d, 3, placed(4, numbered(3, 1500, 1), numbered(4, 3000, 1)))
		})
	}
}

// TestRenameIsDurableBeforeTheHeader fails the sync after a recycled segment got a temporary name.
// After a power cut it may have its old name, so it keeps its old header.
func TestRenameIsDurableBeforeTheHeader(t *testing.T) {
	d := newMemDisk()
	fsys := faultfs.New(d)
	log := mustOpen(t, fsys, 0, 0)
	log.pool.stop()
	for i := range 4 {
		mustAppend(t, log, numbered(i, 2500, 1)) // one in each segment
	}
	log.Release(3)
	active, failed := log.active.path, false
	fsys.SetHook(func(op faultfs.Op) error {
		switch {
		case op.Name == faultfs.SyncDir:
			failed = true
			return faultfs.ErrInjected
		case failed && op.Path != active && (op.Name == faultfs.Open || op.Name == faultfs.Write):
			t.Errorf("%s of %s after the failed sync", op.Name, op.Path)
		}
		return nil
	})
	if _, err := log.Append([]Frame{numbered(9, 2500, 1)}); !errors.Is(err, faultfs.ErrInjected) || !failed {
		t.Errorf("Append: got %v; want the error of the sync", err)
	}
	fsys.SetHook(nil)
	mustClose(t, log)
}

// TestSizeAfterFailedRecycling makes a step of recycling fail again and again. Size must be the
// number of bytes on the disk all the time.
func TestSizeAfterFailedRecycling(t *testing.T) {
	for _, test := range []struct {
		name   string
		fails  []string // names of operations
		reason string   // why the row is here
	}{
		{"rename", []string{faultfs.Rename}, "the file keeps its name"},
		{"sync of the directory", []string{faultfs.SyncDir}, "the file has a temporary name"},
		{"open", []string{faultfs.Open}, "the file has a temporary name"},
		{"write", []string{faultfs.Write}, "the header is not valid"},
		{"sync", []string{faultfs.Sync}, "the header may not be valid after a crash"},
		{"rename and remove", []string{faultfs.Rename, faultfs.Remove}, "a new file stays too"},
		{"sync of the directory and remove", []string{faultfs.SyncDir, faultfs.Remove}, "no file can be removed"},
		{"open and remove", []string{faultfs.Open, faultfs.Remove}, "no file can be removed"},
		{"write and remove", []string{faultfs.Write, faultfs.Remove}, "the file is not as long as it should be"},
		{"sync and remove", []string{faultfs.Sync, faultfs.Remove}, "no file can be removed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := newMemDisk()
			fsys := faultfs.New(d)
			log := mustOpen(t, fsys, 0, 0)
			log.pool.stop()
			for i := range 4 {
				mustAppend(t, log, numbered(i, 2500, 1)) // one in each segment
				mustSync(t, log)
			}
			log.Release(3)
			if n := len(log.pool.released); n != 3 {
				t.Fatalf("%d segments are released; want 3", n)
			}
			fsys.SetHook(failExceptOn(log.active.path, faultfs.ErrDiskFull, test.fails...))
			for range 5 {
				if _, err := log.Append([]Frame{numbered(9, 2500, 1)}); !errors.Is(err, daybook.ErrNoSpace) {
					t.Fatalf("Append: got %v, want ErrNoSpace", err)
				}
				checkSize(t, log, d, test.reason)
			}
			log.RemoveReleased()
			checkSize(t, log, d, test.reason)
			fsys.SetHook(nil)
			log.RemoveReleased()
			checkSize(t, log, d, test.reason)
			if len(d.cached) != 1 {
				t.Errorf("%d files; want only the active segment (%s)", len(d.cached), test.reason)
			}
			mustAppend(t, log, numbered(4, 2500, 1))
			mustSync(t, log)
			mustClose(t, log)
			checkFrames(t, d, 3, placed(4, numbered(3, 2500, 1), numbered(4, 2500, 1)))
		})
	}
}

// TestSizeAfterFailedZeros makes the first write to a new segment fail, and its removal. The file
// counts with the size that it has.
func TestSizeAfterFailedZeros(t *testing.T) {
	d := newMemDisk()
	fsys := faultfs.New(d)
	log := mustOpen(t, fsys, 0, 0)
	log.pool.stop()
	mustAppend(t, log, numbered(0, 100, 1))
	partly := &faultfs.PartialError{Written: 300, Err: faultfs.ErrDiskFull}
	fsys.SetHook(failExceptOn(log.active.path, partly, faultfs.Write, faultfs.Remove))
	for range 3 {
		if _, err := log.Append([]Frame{numbered(1, 4000, 1)}); !errors.Is(err, daybook.ErrNoSpace) {
			t.Fatalf("Append: got %v; want ErrNoSpace", err)
		}
		checkSize(t, log, d, "a file that is too short and cannot be removed")
	}
	fsys.SetHook(nil)
	mustAppend(t, log, numbered(1, 4000, 1))
	mustSync(t, log)
	mustClose(t, log)
	checkFrames(t, d, 0, placed(1, numbered(0, 100, 1), numbered(1, 4000, 1)))
}

// TestSizeOfLargeFrames appends frames for which the segment that is ready is too small. It is
// kept, and counts.
func TestSizeOfLargeFrames(t *testing.T) {
	d := newMemDisk()
	log := mustOpen(t, d, 0, 0)
	defer mustClose(t, log)
	for i, length := range []int{100, 3000, 9000, 100, 20_000, 9000, 40_000, 100} {
		mustAppend(t, log, numbered(i, length, 1))
		mustSync(t, log)
		log.pool.background.Wait()
		checkSize(t, log, d, "segments that are too small")
	}
}

// checkSize compares Size with the number of bytes on the disk.
func checkSize(t *testing.T, log *Log, d *memDisk, reason string) {
	t.Helper()
	onDisk := 0
	for _, file := range d.cached {
		onDisk += len(file.cached)
	}
	if got := log.Size(); got != int64(onDisk) {
		t.Fatalf("Size returned %d; want %d, the number of bytes in %d files (%s)", got, onDisk, len(d.cached), reason)
	}
}

// failExceptOn makes operations fail, except on one path.
func failExceptOn(path string, err error, names ...string) func(faultfs.Op) error {
	return func(op faultfs.Op) error {
		if slices.Contains(names, op.Name) && op.Path != path {
			return err
		}
		return nil
	}
}

// TestUnfinishedSegmentsAreRemoved checks that Open and Close(true) remove files with a temporary
// name, whatever their contents and number.
func TestUnfinishedSegmentsAreRemoved(t *testing.T) {
	d := newMemDisk()
	putAll := func() {
		t.Helper()
		put(t, d, temporaryNameOf(1), nil)
		put(t, d, temporaryNameOf(2), make([]byte, 100))
		put(t, d, temporaryNameOf(3), (&segment{number: 3, size: 2 << 10}).preparedHeader().append(nil))
		put(t, d, temporaryNameOf(900), []byte("garbage"))
	}
	putAll()
	recovery, err := scanReading(t, d, 0)
	if err != nil {
		t.Fatalf("Scan: %v", err)
	}
	log, err := recovery.Open(0, testOptions())
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	if len(d.cached) > 0 {
		t.Errorf("Open left %d files", len(d.cached))
	}
	putAll()
	if err := log.Close(true); err != nil {
		t.Fatalf("Close: %v", err)
	}
	if len(d.cached) > 0 {
		t.Errorf("Close left %d files", len(d.cached))
	}
}

// TestSmallSegmentDoesNotStopPreparation checks that a segment is made ready although a released
// one is too small, because an earlier run had other options.
func TestSmallSegmentDoesNotStopPreparation(t *testing.T) {
	d := newMemDisk()
	const smallSize = 200
	small := segment{number: 1, size: smallSize}
	put(t, d, nameOf(1), append(small.preparedHeader().append(nil), make([]byte, smallSize-segmentHeaderLen)...))
	log := mustOpen(t, d, 0, 0)
	for i := range 10 {
		log.PrepareSegment()
		log.pool.background.Wait()
		log.pool.mu.Lock()
		ready := log.pool.ready
		log.pool.mu.Unlock()
		if ready == nil || ready.size < testOptions().FirstSegmentSize {
			t.Fatalf("before frame %d the segment that is ready is %+v; want one with room for a frame", i, ready)
		}
		mustAppend(t, log, numbered(i, 1500, 1))
	}
	mustClose(t, log)
}

// TestLeaveRoom checks that a log which leaves room makes segments only for frames that need one,
// and that it makes its next segment once it may again.
func TestLeaveRoom(t *testing.T) {
	log := mustOpen(t, newMemDisk(), 0, 0)
	want := func(when string, last uint64) {
		t.Helper()
		log.pool.background.Wait()
		if got := log.LastSegment(); got != last {
			t.Fatalf("%s the last segment is %d; want %d", when, got, last)
		}
	}
	beginSegment := func() {
		for used := log.LastUsed(); log.LastUsed() == used; {
			mustAppend(t, log, numbered(1, 700, 1))
		}
	}
	beginSegment()
	want("after the first frame", 2)
	log.LeaveRoom()
	beginSegment()
	want("while the log leaves room", 2)
	beginSegment()
	want("after a frame that needed a segment", 3)
	log.ResumeSegments()
	want("after that", 4)
	log.ResumeSegments()
	want("when it left no room", 4)
	mustClose(t, log)
}

// TestRemoveSpares removes the segments that are not in use, each kind once, and no others.
func TestRemoveSpares(t *testing.T) {
	d := newMemDisk()
	log := mustOpen(t, d, 0, 0)
	log.LeaveRoom()
	for log.LastUsed() < 3 {
		mustAppend(t, log, numbered(1, 700, 1))
	}
	log.pool.background.Wait()
	if log.RemoveSpares() {
		t.Error("a log without spare segments removed some")
	}
	log.Release(math.MaxUint64)
	if log.Spare() == 0 {
		t.Fatal("no segment was released")
	}
	if err := log.MakeSegment(); err != nil {
		t.Fatal(err)
	}
	if !log.RemoveSpares() || log.Spare() != 0 {
		t.Errorf("%d spare segments remain; want none", log.Spare())
	}
	if want := log.active.size; log.Size() != want {
		t.Errorf("the log has %d bytes; want the %d of the segment in use", log.Size(), want)
	}
	mustAppend(t, log, numbered(1, 700, 1))
	mustClose(t, log)
}

// TestIsEmptyWaits asks whether a log has a file while its first one is being made, for which the
// disk has no room.
func TestIsEmptyWaits(t *testing.T) {
	fsys := faultfs.New(newMemDisk())
	log := mustOpen(t, fsys, 0, 0)
	making, asked := make(chan struct{}), make(chan bool, 1)
	fsys.SetHook(func(op faultfs.Op) error {
		if op.Name != faultfs.Create {
			return nil
		}
		close(making)
		select { // IsEmpty returns here only if it does not wait
		case answer := <-asked:
			asked <- answer
		case <-time.After(10 * time.Millisecond):
		}
		return faultfs.ErrDiskFull
	})
	log.PrepareSegment()
	<-making
	go func() { asked <- log.IsEmpty() }()
	log.pool.background.Wait()
	if !<-asked {
		t.Error("the file that the disk had no room for counts as one of the log")
	}
	fsys.SetHook(nil)
	mustAppend(t, log, numbered(1, 700, 1))
	if log.IsEmpty() {
		t.Error("a log with a segment is empty")
	}
	mustClose(t, log)
}

// TestMakeSegment makes a segment of the minimum size on a disk without room for the next larger
// one, and none beside one that is ready.
func TestMakeSegment(t *testing.T) {
	d := newMemDisk()
	log := mustOpen(t, d, 0, 0)
	defer mustClose(t, log)
	log.pool.stop()
	log.pool.nextSize = log.opts.SegmentSize
	for range 2 {
		if err := log.MakeSegment(); err != nil {
			t.Fatal(err)
		}
		if want := log.opts.FirstSegmentSize; log.Size() != want || log.Spare() != 1 {
			t.Errorf("the log has %d bytes in %d segments; want one of %d", log.Size(), log.Spare(), want)
		}
	}
	mustAppend(t, log, numbered(1, 700, 1))
	if log.Size() != log.opts.FirstSegmentSize {
		t.Error("the segment that was ready is not used")
	}
}
