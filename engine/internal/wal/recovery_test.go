// SPDX-License-Identifier: Apache-2.0

package wal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/disk/faultfs"
)

// leftovers returns a log as several crashes can leave it: segments whose values are in the tree, a
// torn tail, a prepared segment, and an unfinished one.
func leftovers(t *testing.T) *writtenLog {
	t.Helper()
	w := write(t, []Frame{numbered(50, 40, 1)})
	torn := w.last().cached[w.durableEnd():]
	torn[frameHeaderLen] ^= 1
	prepared := (&segment{number: 4, size: 500}).preparedHeader().append(nil)
	put(t, w.disk, nameOf(4), append(prepared, make([]byte, 500)...))
	put(t, w.disk, temporaryNameOf(6), []byte("unfinished"))
	return w
}

// TestRecoveryReportsFailures makes each operation of the disk fail in turn while a log is scanned,
// replayed and opened. Each failure must be returned, as what it is: a frame that could not be read
// is neither missing nor damaged.
func TestRecoveryReportsFailures(t *testing.T) {
	recoverAll := func(w *writtenLog, fsys *faultfs.FS) (frames []testFrame, err error) {
		recovery, err := Scan(crashDir, fsys, knownAt(w.frames[1].last()))
		if err != nil {
			return nil, err
		}
		err = recovery.Replay(func(sequence uint64, payload []byte, values int) error {
			frames = append(frames, testFrame{Frame{bytes.Clone(payload), values}, sequence})
			return nil
		})
		if err != nil {
			return nil, err
		}
		log, err := recovery.Open(0, testOptions())
		if err != nil {
			return nil, err
		}
		return frames, log.Close(true)
	}
	for n, failed := 0, true; failed; n++ {
		w := leftovers(t)
		fsys, left, name := faultfs.New(w.disk), n, ""
		fsys.SetHook(func(op faultfs.Op) error {
			if left--; left == -1 {
				name = op.Name + " " + op.Path
				return faultfs.ErrInjected
			}
			return nil
		})
		frames, err := recoverAll(w, fsys)
		if failed = name != ""; failed {
			if !errors.Is(err, faultfs.ErrInjected) || errors.Is(err, daybook.ErrCorrupt) {
				t.Errorf("operation %d, %s, failed: got %v; want the injected error", n, name, err)
			}
			continue
		}
		if diff := cmp.Diff(w.frames[2:w.durable], frames, sameFrame); diff != "" || err != nil || n < 20 {
			t.Errorf("no failure, after %d operations: %v (-want +got)\n%s", n, err, diff)
		}
	}
}

// TestReplayEnds ends a replay by an error of its function, which names the frame.
func TestReplayEnds(t *testing.T) {
	w := write(t)
	stop, calls := errors.New("stop"), 0
	err := mustScan(t, w.disk, 0).Replay(func(uint64, []byte, int) error {
		if calls++; calls == w.first+2 {
			return stop
		}
		return nil
	})
	place := fmt.Sprintf("%s at offset %d:", w.segments[2], w.ends[w.first])
	if !errors.Is(err, stop) || calls != w.first+2 || !strings.Contains(err.Error(), place) {
		t.Errorf("got %v after %d frames; want stop and %q after %d", err, calls, place, w.first+2)
	}
	recovery := mustScan(t, w.disk, 0)
	w.last().cached[w.ends[w.first]-1] ^= 1
	err = recovery.Replay(func(uint64, []byte, int) error { return nil })
	if !isCorruptAt(err, w.segments[2], segmentHeaderLen) {
		t.Errorf("a frame that changes after Scan: got %v; want ErrCorrupt", err)
	}
}

// TestRecoveryCounts checks what a recovery says about the numbers and the size of a log.
func TestRecoveryCounts(t *testing.T) {
	w := leftovers(t)
	size := int64(0)
	for path, file := range w.disk.cached {
		if !strings.Contains(path, ".new.") {
			size += int64(len(file.cached))
		}
	}
	last := w.frames[w.durable-1].last()
	r := mustScan(t, w.disk, 0)
	if r.Size() != size || r.LastSegment() != 6 || r.LastAssigned() != last || r.NextSequence() != last+1 {
		t.Errorf("%d bytes, segments up to %d, values up to %d, next %d; want %d, 6, %d, %d",
			r.Size(), r.LastSegment(), r.LastAssigned(), r.NextSequence(), size, last, last+1)
	}
	var said strings.Builder
	opts := testOptions()
	opts.Logger = slog.New(slog.NewTextHandler(&said, nil))
	log, err := r.Open(8, opts)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(said.String(), fmt.Sprintf("bytes=%d", r.DroppedBytes)) || r.DroppedBytes == 0 {
		t.Errorf("dropped %d bytes; it says %q", r.DroppedBytes, said.String())
	}
	if log.LastSegment() != 8 || log.Size() != size || log.DurableSequence() != last || log.KeepsEvidence() {
		t.Errorf("opened: segments up to %d, %d bytes, durable up to %d; want 8, %d, %d",
			log.LastSegment(), log.Size(), log.DurableSequence(), size, last)
	}
	mustClose(t, log)
	said.Reset()
	if log, err = mustScan(t, w.disk, 0).Open(0, opts); err != nil || said.Len() > 0 {
		t.Errorf("the log was closed: %v; it says %q", err, said.String())
	}
	mustClose(t, log)

	// The values of the last segment are lost, but its header says which numbers were given.
	w = write(t)
	w.disk.cached[w.segments[1]].cached[segmentHeaderLen] ^= 1
	assigned := w.frames[w.first-1].last()
	r, damage, err := ScanUpToDamage(crashDir, w.disk, knownAt(0))
	if damage == nil || err != nil || r.LastAssigned() != assigned || r.NextSequence() > assigned {
		t.Errorf("got %v, %v; %d numbers were given, and %d is next; want %d", damage, err,
			r.LastAssigned(), r.NextSequence(), assigned)
	}
}

// TestFramesBeforeDamage damages each frame of a log in turn. ScanUpToDamage must find all frames
// before it, and none after it.
func TestFramesBeforeDamage(t *testing.T) {
	w := write(t)
	segment, last := -1, int64(0)
	for i, end := range w.ends[:len(w.ends)-1] { // no frame knows the last one to be durable
		if end < last || i == 0 {
			segment, last = segment+1, segmentHeaderLen
		}
		data := w.disk.cached[w.segments[segment]].cached
		data[end-1] ^= 1
		r, damage, err := ScanUpToDamage(crashDir, w.disk, knownAt(0))
		data[end-1] ^= 1
		if err != nil || !isCorruptAt(damage, w.segments[segment], last) {
			t.Fatalf("frame %d is damaged: got %v, %v", i, damage, err)
		}
		if diff := cmp.Diff(w.frames[:i], replayAll(t, r), sameFrame, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("frame %d is damaged (-want +got)\n%s", i, diff)
		}
		if r.NextSequence() != w.frames[i].sequence {
			t.Errorf("frame %d is damaged: the next value is %d; want %d", i, r.NextSequence(), w.frames[i].sequence)
		}
		last = end
	}
	w.remove(1) // so that the next segment does not continue the first
	r, damage, err := ScanUpToDamage(crashDir, w.disk, knownAt(0))
	if err != nil || !isCorruptAt(damage, w.segments[2], 0) {
		t.Fatalf("a segment is missing: got %v, %v", damage, err)
	}
	got := replayAll(t, r)
	if want := w.frames[:len(got)]; !cmp.Equal(want, got, sameFrame) || len(got) == 0 || len(got) >= w.first ||
		r.NextSequence() != got[len(got)-1].last()+1 {
		t.Errorf("a segment is missing: got %v, and %d is next; want the frames before it", got, r.NextSequence())
	}
}

// TestDurableSequence appends and syncs. Only what is synced is durable, also by the end of a
// segment.
func TestDurableSequence(t *testing.T) {
	log := mustOpen(t, newMemDisk(), 7, 0)
	defer mustClose(t, log)
	for _, step := range []struct {
		name string
		do   func()
		want uint64
	}{
		{"opened", func() {}, 7},
		{"a frame", func() { mustAppend(t, log, numbered(0, 100, 3)) }, 7},
		{"its Sync", func() { mustSync(t, log) }, 10},
		{"another frame", func() { mustAppend(t, log, numbered(1, 100, 2)) }, 10},
		{"a frame in the next segment", func() { mustAppend(t, log, numbered(2, 3000, 1)) }, 12},
		{"its Sync", func() { mustSync(t, log) }, 13},
	} {
		step.do()
		if got := log.DurableSequence(); got != step.want {
			t.Errorf("after %s: durable up to %d; want %d", step.name, got, step.want)
		}
	}
}

// TestMissingLog scans a directory without the log's directory. It is lost if the tree has values.
func TestMissingLog(t *testing.T) {
	fsys := faultfs.New(newMemDisk())
	fsys.SetHook(func(op faultfs.Op) error {
		if op.Name == faultfs.ReadDir {
			return &fs.PathError{Op: "open", Path: op.Path, Err: fs.ErrNotExist}
		}
		return nil
	})
	for watermark, lost := range map[uint64]bool{0: false, 5: true} {
		r := mustScan(t, fsys, watermark)
		if r.IsLost() != lost || r.Unclean() != lost || r.EpochUsed() != lost || r.NextSequence() != watermark+1 {
			t.Errorf("watermark %d: lost %v, unclean %v, epoch used %v, next %d; want %v",
				watermark, r.IsLost(), r.Unclean(), r.EpochUsed(), r.NextSequence(), lost)
		}
	}
	if begins, err := FindBeginning(crashDir, fsys); begins != (Beginning{}) || err != nil {
		t.Errorf("a log that does not exist begins at %v, %v", begins, err)
	}
	fsys.SetHook(nil)
	if r := mustScan(t, fsys, 5); r.IsLost() || r.Unclean() {
		t.Error("an empty directory is taken for a lost log")
	}
}

// TestFindBeginning damages headers, and fails to read them.
func TestFindBeginning(t *testing.T) {
	for _, name := range []string{faultfs.ReadDir, faultfs.Read} {
		fsys := faultfs.New(write(t).disk)
		fsys.SetHook(failAll(name, faultfs.ErrInjected))
		if begins, err := FindBeginning(crashDir, fsys); !errors.Is(err, faultfs.ErrInjected) {
			t.Errorf("%s fails: got %v, %v", name, begins, err)
		}
	}
	w := write(t)
	w.setOrigin(testIdentity.Origin(), 0, 1, 2)
	w.disk.cached[w.segments[0]].cached[20] ^= 1
	header, err := decodeSegmentHeader(w.disk.cached[w.segments[1]].cached)
	if err != nil {
		t.Fatal(err)
	}
	begins, err := FindBeginning(crashDir, w.disk)
	if want := (Beginning{header.firstSequence, testIdentity.Origin()}); begins != want || err != nil {
		t.Errorf("the first header is damaged: got %v, %v; want %v", begins, err, want)
	}
}

// TestCheckEnds ends a Check by its context. What it has found so far is not lost.
func TestCheckEnds(t *testing.T) {
	l := newLayout(t)
	l.appendUntil(3, true)
	first := segmentsOf(t, l.disk)[0]
	l.disk.cached[first].cached[segmentHeaderLen]++
	ctx, cancel := context.WithCancel(context.Background())
	fsys := faultfs.New(l.disk)
	l.log.fs.FS = fsys
	fsys.SetHook(func(faultfs.Op) error { cancel(); return nil })
	if err := l.log.Check(ctx); !errors.Is(err, context.Canceled) || !isCorruptAt(err, first, segmentHeaderLen) {
		t.Errorf("got %v; want the damage, and that the context ended", err)
	}
}

// TestNumbersEnd appends to a log that has nearly used all sequence numbers.
func TestNumbersEnd(t *testing.T) {
	log := mustOpen(t, newMemDisk(), 0, 0)
	log.next = ^uint64(0) - 3
	if _, err := log.Append([]Frame{numbered(0, 10, 2), numbered(1, 10, 2)}); err == nil {
		t.Error("a number was given twice")
	}
	if first := mustAppend(t, log, numbered(0, 10, 2), numbered(1, 10, 1)); first != ^uint64(0)-3 {
		t.Errorf("the first value got number %d", first)
	}
}

// TestClosedLogIsEmpty makes the steps of Close fail. It must say so, or the tree would take the
// log for empty.
func TestClosedLogIsEmpty(t *testing.T) {
	for _, name := range []string{faultfs.ReadDir, faultfs.Remove, faultfs.SyncDir} {
		fsys := faultfs.New(newMemDisk())
		log := mustOpen(t, fsys, 0, 0)
		mustAppend(t, log, numbered(0, 10, 1))
		log.pool.stop()
		fsys.SetHook(failAll(name, faultfs.ErrInjected))
		if err := log.Close(true); !errors.Is(err, faultfs.ErrInjected) {
			t.Errorf("%s fails: got %v", name, err)
		}
	}
	d := newMemDisk()
	log := mustOpen(t, d, 0, 0)
	mustAppend(t, log, numbered(0, 10, 1))
	mustSync(t, log)
	log.pool.background.Wait()
	if err := log.Close(true); err != nil {
		t.Fatal(err)
	}
	d.cutPower(func(int) int { return 0 })
	if names := slices.Sorted(maps.Keys(d.cached)); len(names) > 0 {
		t.Errorf("after a power cut the log has %q again", names)
	}
}
