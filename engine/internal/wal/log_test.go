// SPDX-License-Identifier: Apache-2.0

package wal

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/disk"
	"github.com/daybook-db/daybook/engine/internal/disk/faultfs"
)

// numbered returns a frame of the given length whose payload begins with n.
func numbered(n, length, values int) Frame {
	payload := bytes.Repeat([]byte{byte('a' + n%26)}, max(length, 8))
	copy(payload, fmt.Sprintf("%08d", n))
	return Frame{Payload: payload, Values: values}
}

// placed gives frames the sequence numbers that they get when they are appended from next on.
func placed(next uint64, frames ...Frame) (all []testFrame) {
	for _, f := range frames {
		all = append(all, testFrame{f, next})
		next += uint64(f.Values)
	}
	return all
}

// replayAll returns what is replayed above watermark.
func replayAll(t testing.TB, recovery *Recovery) (frames []testFrame) {
	t.Helper()
	err := recovery.Replay(func(sequence uint64, payload []byte, values int) error {
		frames = append(frames, testFrame{Frame{bytes.Clone(payload), values}, sequence})
		return nil
	})
	if err != nil {
		t.Fatalf("Replay: %v", err)
	}
	return frames
}

// sameFrame compares frames as a whole, which spares a report of megabytes of payload.
var sameFrame = cmp.Comparer(func(a, b testFrame) bool {
	return a.sequence == b.sequence && a.Values == b.Values && bytes.Equal(a.Payload, b.Payload)
})

// checkFrames compares what is replayed above watermark with want.
func checkFrames(t testing.TB, fsys disk.FS, watermark uint64, want []testFrame) {
	t.Helper()
	recovery := mustScan(t, fsys, watermark)
	got := replayAll(t, recovery)
	if diff := cmp.Diff(want, got, sameFrame, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("frames above %d (-want +got):\n%s", watermark, diff)
	}
	next := watermark + 1
	if len(want) > 0 {
		next = want[len(want)-1].last() + 1
	}
	if recovery.NextSequence() != next {
		t.Errorf("the next value is %d; want %d", recovery.NextSequence(), next)
	}
}

// TestOnDisk goes through a log's life on the operating system's disk.
func TestOnDisk(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "wal")
	open := func(watermark uint64) (*Recovery, *Log) {
		recovery, err := Scan(dir, disk.OS{}, watermark)
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
	if left, err := (disk.OS{}).ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("a log that was closed clear leaves %v, %v", left, err)
	}
}

// TestRotation: frames of every size, those beyond a segment's included, come back in order over many
// segments, above any watermark.
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

// TestOneAppendIsOneWrite, and a sync of its own; a second Sync does nothing.
func TestOneAppendIsOneWrite(t *testing.T) {
	fsys := faultfs.New(newMemDisk())
	log := mustOpen(t, fsys, 0, 0)
	log.pool.stop()
	mustAppend(t, log, numbered(0, 10, 1))
	mustSync(t, log)
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

// TestRecycling: released segments are used again, under ascending numbers, and nothing of what they held
// comes back.
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
		case op.Name == faultfs.Rename && temporaryName.MatchString(filepath.Base(op.NewPath)):
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
			// The active segment, the next one, those filled meanwhile and those kept.
			if files := len(d.cached); files > 10 {
				t.Fatalf("%d files after %d frames", files, i+1)
			}
		}
	}
	last := numbered(300, 30, 1)
	mustAppend(t, log, last)
	lastNumber := log.LastSegment()
	mustClose(t, log)
	if created > 10 || recycled < 40 {
		t.Errorf("%d segments created, %d recycled; want most recycled", created, recycled)
	}
	if want := filepath.Join(crashDir, nameOf(lastNumber)); greatest != want {
		t.Errorf("LastSegment is that of %s; the last segment made is %s", want, greatest)
	}
	checkFrames(t, d, next-1, placed(next, last))
}

// TestNumbersAreNotUsedAgain after all segments have been removed.
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
		t.Errorf("segments %v; want one behind %s", segments, want)
	}
	checkFrames(t, d, 1, placed(2, numbered(2, 10, 1)))
}

// TestFailedWrites: frames of a write that failed, however much of it was written, never come back, and
// the log goes on.
func TestFailedWrites(t *testing.T) {
	group := []Frame{numbered(10, 100, 1), numbered(11, 100, 1), numbered(12, 100, 1)}
	for written := 0; written <= 3*(frameHeaderLen+100); written += 20 {
		t.Run(fmt.Sprint(written), func(t *testing.T) {
			d := newMemDisk()
			fsys := faultfs.New(d)
			log := mustOpen(t, fsys, 0, 0)
			log.pool.stop()
			mustAppend(t, log, numbered(0, 50, 1))
			failNext(fsys, faultfs.Write, &faultfs.PartialError{Written: written, Err: syscall.ENOSPC})
			if _, err := log.Append(group); !errors.Is(err, daybook.ErrNoSpace) || !errors.Is(err, syscall.ENOSPC) {
				t.Fatalf("Append: got %v, want ErrNoSpace and ENOSPC", err)
			}
			checkFrames(t, d, 0, placed(1, numbered(0, 50, 1))) // a crash right now
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

// failNext has the next operation of that name fail, and no other.
func failNext(fsys *faultfs.FS, name string, err error) {
	var once sync.Once
	fsys.SetHook(func(op faultfs.Op) (failure error) {
		if op.Name == name {
			once.Do(func() { failure = err })
		}
		return failure
	})
}

// TestAFailedUndoPoisons: what a failed write left behind cannot be erased either.
func TestAFailedUndoPoisons(t *testing.T) {
	fsys := faultfs.New(newMemDisk())
	log := mustOpen(t, fsys, 0, 0)
	mustAppend(t, log, numbered(0, 50, 1))
	log.pool.stop()
	fsys.SetHook(failAll(faultfs.Write, faultfs.ErrInjected))
	if _, err := log.Append([]Frame{numbered(1, 50, 1)}); !errors.Is(err, faultfs.ErrInjected) {
		t.Fatalf("Append: got %v", err)
	}
	fsys.SetHook(nil)
	checkPoisoned(t, log, faultfs.ErrInjected)
}

func failAll(name string, err error) func(faultfs.Op) error {
	return func(op faultfs.Op) error {
		if op.Name == name {
			return err
		}
		return nil
	}
}

// checkPoisoned checks that the log takes nothing more, and says why.
func checkPoisoned(t *testing.T, log *Log, cause error) {
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

// TestAFailedSyncPoisons: nothing is known of what was written since the one before, so nothing may be
// promised on top of it until the log has been recovered.
func TestAFailedSyncPoisons(t *testing.T) {
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
	checkPoisoned(t, log, faultfs.ErrInjected)
	mustClose(t, log)

	log = mustOpen(t, d, 0, 0)
	mustAppend(t, log, numbered(2, 50, 1))
	mustClose(t, log)
	checkFrames(t, d, 0, placed(1, numbered(0, 50, 1), numbered(1, 50, 1), numbered(2, 50, 1)))
}

// TestAFailedSyncOfAFullSegmentPoisons, on the way to the next one.
func TestAFailedSyncOfAFullSegmentPoisons(t *testing.T) {
	d := newMemDisk()
	fsys := faultfs.New(d)
	log := mustOpen(t, fsys, 0, 0)
	mustAppend(t, log, numbered(0, 1500, 1))
	log.pool.background.Wait()
	log.pool.stop()
	fsys.SetHook(func(op faultfs.Op) error {
		if op.Name == faultfs.Sync && op.Path == segmentsOf(t, d)[0] {
			return faultfs.ErrInjected
		}
		return nil
	})
	if _, err := log.Append([]Frame{numbered(1, 1500, 1)}); !errors.Is(err, faultfs.ErrInjected) {
		t.Fatalf("Append: got %v", err)
	}
	fsys.SetHook(nil)
	checkPoisoned(t, log, faultfs.ErrInjected)
}

// TestNoSpaceForASegment: whichever step of making one fails, Append says ErrNoSpace, leaves nothing
// behind, and succeeds once there is room.
func TestNoSpaceForASegment(t *testing.T) {
	for _, name := range []string{faultfs.Create, faultfs.Write, faultfs.Sync, faultfs.Rename, faultfs.SyncDir} {
		t.Run(name, func(t *testing.T) {
			d := newMemDisk()
			fsys := faultfs.New(d)
			log := mustOpen(t, fsys, 0, 0)
			log.pool.stop()
			mustAppend(t, log, numbered(0, 1500, 1))
			mustSync(t, log)
			fsys.SetHook(func(op faultfs.Op) error {
				if op.Name == name && op.Path != segmentsOf(t, d)[0] {
					return syscall.ENOSPC
				}
				return nil
			})
			for range 3 {
				if _, err := log.Append([]Frame{numbered(1, 1500, 1)}); !errors.Is(err, daybook.ErrNoSpace) {
					t.Fatalf("Append: got %v, want ErrNoSpace", err)
				}
			}
			if files := len(d.cached); files != 1 {
				t.Errorf("%d files; want only the one that was there", files)
			}
			small := numbered(2, 8, 1)
			mustAppend(t, log, small) // there is room for it in the segment
			fsys.SetHook(nil)
			large := numbered(3, 1500, 1)
			mustAppend(t, log, large)
			mustSync(t, log)
			mustClose(t, log)
			checkFrames(t, d, 0, placed(1, numbered(0, 1500, 1), small, large))
		})
	}
}

// TestFailedRecycling: a released segment that cannot be given its new number is not lost, and not
// mistaken for anything after a crash.
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
			log.Release(3) // the two first segments, of which the second is long enough
			active := log.active.path
			fsys.SetHook(func(op faultfs.Op) error {
				if op.Name == name && op.Path != active {
					return faultfs.ErrInjected
				}
				return nil
			})
			if _, err := log.Append([]Frame{numbered(9, 3000, 1)}); !errors.Is(err, faultfs.ErrInjected) {
				t.Fatalf("Append: got %v", err)
			}
			checkFrames(t, d, 3, placed(4, numbered(3, 1500, 1))) // a crash right now
			fsys.SetHook(nil)
			mustAppend(t, log, numbered(4, 3000, 1))
			mustSync(t, log)
			mustClose(t, log)
			checkFrames(t, d, 3, placed(4, numbered(3, 1500, 1), numbered(4, 3000, 1)))
		})
	}
}

// put writes a file.
func put(t testing.TB, d *memDisk, name string, data []byte) {
	t.Helper()
	file, err := d.Create(filepath.Join(crashDir, name))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteAt(data, 0); err != nil {
		t.Fatal(err)
	}
}

// TestUnfinishedSegmentsAreRemoved, whatever a crash left of them, and whatever their number; by Open, and
// by a Close that clears.
func TestUnfinishedSegmentsAreRemoved(t *testing.T) {
	d := newMemDisk()
	leave := func() {
		t.Helper()
		put(t, d, temporaryNameOf(1), nil)
		put(t, d, temporaryNameOf(2), make([]byte, 100))
		put(t, d, temporaryNameOf(3), (&segment{number: 3, size: 2 << 10}).preparedHeader().append(nil))
		put(t, d, temporaryNameOf(900), []byte("garbage"))
	}
	leave()
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
	leave()
	if err := log.Close(true); err != nil {
		t.Fatalf("Close: %v", err)
	}
	if len(d.cached) > 0 {
		t.Errorf("Close left %d files", len(d.cached))
	}
}

// TestASmallSegmentDoesNotStopPreparation: other options made the segments that an earlier run left.
func TestASmallSegmentDoesNotStopPreparation(t *testing.T) {
	d := newMemDisk()
	small := segment{number: 1, size: 100}
	put(t, d, nameOf(1), append(small.preparedHeader().append(nil), make([]byte, 100-segmentHeaderLen)...))
	log := mustOpen(t, d, 0, 0)
	for i := range 10 {
		log.PrepareSegment()
		log.pool.background.Wait()
		log.pool.mu.Lock()
		ready := log.pool.ready
		log.pool.mu.Unlock()
		if ready == nil || ready.size < testOptions().FirstSegmentSize {
			t.Fatalf("before frame %d the segment prepared is %+v; want one that takes a frame", i, ready)
		}
		mustAppend(t, log, numbered(i, 1500, 1))
	}
	mustClose(t, log)
}

// TestAppendAndSyncAtOnce: several sync while one appends, as in group commits and intervals. The race
// detector watches.
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

// TestOtherFiles in the directory are nobody's business.
func TestOtherFiles(t *testing.T) {
	d := newMemDisk()
	names := []string{"README", "1.log", "1.new.log", strings.Repeat("0", 19) + "1.log.tmp", "99999999999999999999.log", "0000000000000000000x.log"}
	for _, name := range names {
		put(t, d, name, []byte("garbage"))
	}
	log := mustOpen(t, d, 0, 0)
	mustAppend(t, log, numbered(0, 10, 1))
	mustClose(t, log)
	log = mustOpen(t, d, 1, 0)
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
