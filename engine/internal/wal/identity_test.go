// SPDX-License-Identifier: Apache-2.0

package wal

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/disk/faultfs"
	"github.com/daybook-db/daybook/engine/internal/identity"
)

// setOrigin gives segments the headers that another store or another epoch would have given them.
func (w *writtenLog) setOrigin(origin identity.Origin, segments ...int) {
	for _, segment := range segments {
		data := w.disk.cached[w.segments[segment]].cached
		header, err := decodeSegmentHeader(data)
		if err != nil {
			panic(err)
		}
		header.origin = origin
		copy(data, header.append(nil))
	}
}

// makeOld gives a segment the format of version 2, which has no identity and a shorter header.
func (w *writtenLog) makeOld(segment int) {
	data := w.disk.cached[w.segments[segment]].cached
	header, err := decodeSegmentHeader(data)
	if err != nil {
		panic(err)
	}
	s := segmentOf(header)
	old := header.append(nil)[:plainHeaderLen]
	binary.LittleEndian.PutUint32(old[8:], 2)
	binary.LittleEndian.PutUint32(old[40:], crc32.Checksum(old[:40], codec.Castagnoli))
	for at, more := s.begin(), true; more; {
		f, state := readFrame(data, header.number, at)
		if more = state == goodFrame; more {
			at += f.size()
			f.durable = max(f.durable-segmentHeaderLen+plainHeaderLen, 0)
			old = f.append(old, header.number, int64(len(old)))
		}
	}
	clear(data)
	copy(data, old)
}

func segmentOf(h segmentHeader) segment {
	return segment{number: h.number, size: h.size, firstSequence: h.firstSequence, version: h.version, origin: h.origin}
}

// TestOtherStore puts segments of another store into the log. Scan must refuse them, whatever their
// sequence numbers, and say which files belong to which stores.
func TestOtherStore(t *testing.T) {
	other := identity.New()
	for _, test := range []struct {
		name     string
		segments []int // that belong to the other store
		posted   int   // number of frames in the tree; -1: all
		named    int   // the segment that the error names
		survive  int   // the number of segments whose frames ScanUpToDamage finds
	}{
		{"the whole log", []int{0, 1, 2}, 0, 0, 0},
		{"the whole log, and its numbers fit", []int{0, 1, 2}, -1, 0, 0},
		{"in the middle", []int{1}, 0, 1, 1},
		{"the last one", []int{2}, 0, 2, 2},
		{"one whose values the tree has", []int{0}, -1, 0, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := write(t)
			w.setOrigin(other.Origin(), test.segments...)
			watermark := uint64(0)
			if test.posted < 0 {
				watermark = w.frames[len(w.frames)-1].last()
			}
			before := contents(w.disk)
			_, err := scanReading(t, w.disk, watermark)
			if !isCorruptAt(err, w.segments[test.named], 0) {
				t.Fatalf("got %v; want ErrCorrupt at the beginning of %s", err, w.segments[test.named])
			}
			for _, part := range []string{fmt.Sprintf("%x", other.Store), fmt.Sprintf("%x", testIdentity.Store),
				knownAt(0).Tree, "OnCorruptionQuarantine"} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%v does not name %s", err, part)
				}
			}
			if !maps.Equal(before, contents(w.disk)) {
				t.Error("Scan changed a file")
			}
			if test.posted < 0 {
				return
			}
			r, damage, err := ScanUpToDamage(crashDir, w.disk, knownAt(0))
			if damage == nil || err != nil || len(r.segments) != test.survive {
				t.Errorf("got %d segments before %v, %v; want %d", len(r.segments), damage, err, test.survive)
			}
		})
	}
}

// TestOtherCopy puts the log of a copy of the directory beside the tree of the original: it has the
// same store, but its epoch began without the tree.
func TestOtherCopy(t *testing.T) {
	_, copied := testIdentity.BeginRandom(0, true)
	ahead, _ := testIdentity.BeginRandom(0, true)
	w := write(t)
	w.setOrigin(copied, 0, 1, 2)
	_, err := Scan(crashDir, w.disk, Known{Identity: ahead, Tree: "/daybook.db"})
	if !isCorruptAt(err, w.segments[0], 0) || !strings.Contains(err.Error(), fmt.Sprintf("%x", copied.Epoch)) ||
		!strings.Contains(err.Error(), fmt.Sprintf("%x", ahead.Current().ID)) {
		t.Errorf("got %v; want ErrCorrupt, and both epochs", err)
	}
	if _, err := Scan(crashDir, w.disk, knownAt(0)); err != nil {
		t.Errorf("the log beside its own tree: %v", err)
	}
	posted := Known{Watermark: w.frames[len(w.frames)-1].last(), Identity: ahead}
	w.setOrigin(ahead.Origin(), 2)
	if _, err := Scan(crashDir, w.disk, posted); err != nil {
		t.Errorf("released segments of an epoch that the tree has forgotten: %v", err)
	}
}

// TestEpochsOfTheLog recovers a log after several crashes between which the tree learned nothing.
func TestEpochsOfTheLog(t *testing.T) {
	d := newMemDisk()
	want := testIdentity
	var frames []testFrame
	for n := range 4 {
		r := mustScan(t, d, 0)
		if diff := cmp.Diff(want, r.Identity()); diff != "" || r.Unclean() != (n > 0) || r.EpochUsed() != (n > 0) {
			t.Fatalf("after %d crashes: unclean %v, used %v (-want +got)\n%s", n, r.Unclean(), r.EpochUsed(), diff)
		}
		opts := testOptions()
		if r.Unclean() {
			want, opts.Origin = r.Identity().BeginRandom(r.NextSequence()-1, r.EpochUsed())
		}
		log, err := r.Open(0, opts)
		if err != nil {
			t.Fatal(err)
		}
		frame := numbered(n, 100, 2)
		frames = append(frames, placed(mustAppend(t, log, frame), frame)...)
		mustClose(t, log)
	}
	checkFrames(t, d, 0, frames)
	begins, err := FindBeginning(crashDir, d)
	if diff := cmp.Diff(Beginning{1, testIdentity.Origin()}, begins); err != nil || diff != "" {
		t.Errorf("the log begins (-want +got), %v\n%s", err, diff)
	}
}

// TestOldSegments continues a log that begins with segments of version 2.
func TestOldSegments(t *testing.T) {
	for old := 1; old <= 3; old++ {
		w := write(t)
		for segment := range old {
			w.makeOld(segment)
		}
		checkFrames(t, w.disk, 0, w.frames)
		log := mustOpen(t, w.disk, 0, 0)
		frame := numbered(100, 100, 1)
		all := append(slices.Clone(w.frames), placed(mustAppend(t, log, frame), frame)...)
		if err := log.Check(context.Background()); err != nil {
			t.Error(err)
		}
		mustClose(t, log)
		for range 2 {
			checkFrames(t, w.disk, 0, all)
			mustClose(t, mustOpen(t, w.disk, 0, 0))
		}
		begins, err := FindBeginning(crashDir, w.disk)
		if begins.Sequence != 1 || begins.Origin != testIdentity.Origin() || err != nil {
			t.Errorf("the log begins at %+v, %v; want value 1, and the identity of a later segment", begins, err)
		}
	}
}

// TestEvidenceStays crashes between Open and the tree's next commit, with each kind of file that an
// earlier process can leave. The next Scan must still see that the log was not closed.
func TestEvidenceStays(t *testing.T) {
	for _, test := range []struct {
		name  string
		leave func(d *memDisk)
	}{
		{"a segment in use", func(d *memDisk) {
			log := mustOpen(t, d, 0, 0)
			mustAppend(t, log, numbered(0, 100, 1))
			log.pool.stop() // it makes no segment any more
		}},
		{"a prepared segment", func(d *memDisk) {
			if _, err := mustOpen(t, d, 0, 0).pool.makeSegment(0); err != nil {
				t.Fatal(err)
			}
		}},
		{"an unfinished segment", func(d *memDisk) { put(t, d, temporaryNameOf(7), nil) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := newMemDisk()
			test.leave(d)
			for range 3 {
				r := mustScan(t, d, 1000)
				if !r.Unclean() {
					t.Fatal("Scan takes the log for closed")
				}
				opts := testOptions()
				opts.KeepEvidence = true
				log, err := r.Open(0, opts)
				if err != nil {
					t.Fatal(err)
				}
				if !log.KeepsEvidence() {
					t.Error("the log keeps no evidence")
				}
				log.Release(1000)
				log.RemoveReleased()
				mustClose(t, log)
			}
			opts := testOptions()
			opts.KeepEvidence = true
			log, err := mustScan(t, d, 1000).Open(0, opts)
			if err != nil {
				t.Fatal(err)
			}
			log.ReleaseEvidence()
			log.Release(1000)
			log.RemoveReleased()
			mustClose(t, log)
			if r := mustScan(t, d, 1000); r.Unclean() || log.KeepsEvidence() {
				t.Errorf("%d files are left", len(d.cached))
			}
		})
	}
}

// TestUndoneFrames makes a write of two frames fail after the first. A reader may have read that
// frame, so its number is given again in another epoch.
func TestUndoneFrames(t *testing.T) {
	undone := numbered(1, 100, 2)
	for _, test := range []struct {
		written int
		forks   bool
		reason  string
	}{
		{0, false, "nothing was written"},
		{int((&frame{payload: undone.Payload}).size()) - 1, false, "no frame is whole"},
		{int((&frame{payload: undone.Payload}).size()), true, "one frame is whole"},
	} {
		d := newMemDisk()
		fsys := faultfs.New(d)
		opts, shared := testOptions(), []uint64(nil)
		epoch := identity.NewID()
		opts.OnUndo = func(last uint64) identity.Origin {
			shared = append(shared, last)
			origin := testIdentity.Begin(epoch, last, true).Origin()
			return origin
		}
		log, err := mustScan(t, fsys, 0).Open(0, opts)
		if err != nil {
			t.Fatal(err)
		}
		first, second := numbered(0, 100, 3), numbered(2, 100, 1)
		mustAppend(t, log, first)
		log.pool.background.Wait()
		failNext(fsys, faultfs.Write, &faultfs.PartialError{Written: test.written, Err: faultfs.ErrInjected})
		if _, err := log.Append([]Frame{undone, undone}); !errors.Is(err, faultfs.ErrInjected) {
			t.Fatalf("Append: got %v", err)
		}
		mustAppend(t, log, second)
		mustClose(t, log)
		want := testIdentity
		if test.forks {
			want = want.Begin(epoch, 3, true)
		}
		r := mustScan(t, d, 0)
		if diff := cmp.Diff(want, r.Identity()); diff != "" || test.forks != slices.Equal(shared, []uint64{3}) {
			t.Errorf("%s: new epochs after %d (-want +got)\n%s", test.reason, shared, diff)
		}
		checkFrames(t, d, 0, placed(1, first, second))
		var fork *daybook.ForkedError
		cursor := daybook.Cursor{Epoch: testIdentity.Current().ID, Sequence: 4}
		if _, err := r.Identity().Resolve(cursor, 4); errors.As(err, &fork) != test.forks {
			t.Errorf("%s: the cursor of the undone frame: got %v", test.reason, err)
		}
	}
}

// TestUnusedEpoch scans the log of an epoch that began after one without values. That one is left
// out again.
func TestUnusedEpoch(t *testing.T) {
	unused := testIdentity.Begin(identity.NewID(), 0, true)
	next, origin := unused.BeginRandom(0, false)
	w := write(t)
	w.setOrigin(origin, 0, 1, 2)
	r, err := Scan(crashDir, w.disk, Known{Identity: unused})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(next, r.Identity()); diff != "" || len(next.Epochs) != 2 {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// TestSegmentWithoutFramesLinks crashes after the header of a segment, and recovers twice. The
// segment has no values, but it is the link between the epoch after it and the tree.
func TestSegmentWithoutFramesLinks(t *testing.T) {
	for _, first := range []bool{true, false} { // the segment of the epoch that the tree knows is still there
		checkLinks(t, first)
	}
}

func checkLinks(t *testing.T, first bool) {
	t.Helper()
	d, watermark := newMemDisk(), uint64(1)
	begin := func(values int) *Log {
		t.Helper()
		r := mustScan(t, d, watermark)
		opts := testOptions()
		if r.Unclean() {
			_, opts.Origin = r.Identity().BeginRandom(r.NextSequence()-1, r.EpochUsed())
			opts.KeepEvidence = true
		}
		log, err := r.Open(0, opts)
		if err != nil {
			t.Fatal(err)
		}
		for n := range values {
			mustAppend(t, log, numbered(n, 100, 1))
		}
		log.Release(watermark)
		log.RemoveReleased()
		return log
	}
	mustClose(t, begin(1)) // value 2, in the epoch that the tree knows
	watermark = 2
	if !first {
		clear(d.cached)
		put(t, d, temporaryNameOf(9), nil) // the log was not closed
	}
	log := begin(1)
	lost, epoch := log.active.path, log.active.origin.Epoch
	mustClose(t, log)
	clear(d.cached[lost].cached[segmentHeaderLen:])
	mustClose(t, begin(1))
	for range 3 {
		mustClose(t, begin(0))
	}
	if d.cached[lost] == nil {
		t.Error("the segment was removed before the tree knew its epoch")
	}
	if !mustScan(t, d, watermark).Identity().Has(epoch) {
		t.Error("the epoch is left out, although a reader may have read the frames that are lost")
	}
}
