// SPDX-License-Identifier: Apache-2.0

package wal

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/daybook-db/daybook"
)

// laidOut is a log, and where everything in it lies: what was written, not what is read.
type laidOut struct {
	t    *testing.T
	disk *memDisk
	log  *Log // nil: closed

	frames []testFrame
	places []place // of the frames
	seals  []place // of the segments that have one
	synced int64   // offset up to which the active segment was synced
	posted int     // how many frames are in the tree
}

// place is where a frame or a seal lies.
type place struct {
	path       string
	start, end int64
	durable    int64 // offset up to which it vouches for the segment
}

// layOut opens a log with segments so small that each bit of several can be damaged.
func layOut(t *testing.T) *laidOut {
	l := &laidOut{t: t, disk: newMemDisk()}
	l.open()
	return l
}

func (l *laidOut) open() {
	l.t.Helper()
	opts := testOptions()
	opts.FirstSegmentSize, opts.SegmentSize = 512, 1024
	log, err := mustScan(l.t, l.disk, l.watermark()).Open(0, opts)
	if err != nil {
		l.t.Fatal(err)
	}
	log.pool.stop()
	l.log, l.synced = log, 0
}

func (l *laidOut) watermark() uint64 {
	if l.posted == 0 {
		return 0
	}
	return l.frames[l.posted-1].last()
}

// append appends frames of the given lengths with one write.
func (l *laidOut) append(lengths ...int) {
	l.t.Helper()
	var group []Frame
	for i, length := range lengths {
		group = append(group, numbered(len(l.frames)+i, length, 1+i%3))
	}
	before := l.log.active
	first := mustAppend(l.t, l.log, group...)
	after := l.log.active
	if before != after {
		if before != nil {
			l.seals = append(l.seals, place{before.path, before.end, before.end + frameHeaderLen, l.synced})
		}
		l.synced = 0
	}
	l.frames = append(l.frames, placed(first, group...)...)
	at := after.end
	for _, f := range group {
		at -= frameHeaderLen + int64(len(f.Payload))
	}
	for _, f := range group {
		end := at + frameHeaderLen + int64(len(f.Payload))
		l.places = append(l.places, place{after.path, at, end, l.synced})
		at = end
	}
}

func (l *laidOut) sync() {
	l.t.Helper()
	mustSync(l.t, l.log)
	l.synced = l.log.active.end
}

// appendUntil appends and syncs groups until so many segments have been used.
func (l *laidOut) appendUntil(segments uint64, sync bool) {
	l.t.Helper()
	for l.log.active == nil || l.log.active.number < segments || l.log.active.end < 300 {
		l.append(8, 40)
		if sync {
			l.sync()
		}
	}
}

// post puts the first frames into the tree.
func (l *laidOut) post(frames int) {
	l.posted = frames
	l.log.Release(l.watermark())
}

func (l *laidOut) close() {
	l.t.Helper()
	mustClose(l.t, l.log)
	l.log = nil
}

// reopen recovers the log after a crash, which seals its last segment.
func (l *laidOut) reopen() {
	l.t.Helper()
	l.close()
	l.open()
	last := l.places[len(l.places)-1]
	l.seals = append(l.seals, place{last.path, last.end, last.end + frameHeaderLen, last.end})
}

// renameReleased is a crash between a released segment's new name and its new header.
func (l *laidOut) renameReleased() {
	old := l.log.pool.released[0].path
	l.disk.cached[filepath.Join(crashDir, nameOf(l.log.pool.nextNumber))] = l.disk.cached[old]
	delete(l.disk.cached, old)
}

// prepare makes a segment ready that is not used.
func (l *laidOut) prepare() {
	l.t.Helper()
	if _, err := l.log.pool.make(512); err != nil {
		l.t.Fatal(err)
	}
}

// outcome is what recovery makes of a log.
type outcome struct {
	corruptAt int64 // offset in the damaged file that ErrCorrupt names; -1: no error
	survived  int   // how many frames, those in the tree included
}

// expect works out what must become of the log once the bytes of one of its segments are damaged:
// the frames before the first damaged one, and only if nothing that is whole vouches for that.
func (l *laidOut) expect(path string, damaged []byte) outcome {
	whole := l.disk.cached[path].cached
	changed := func(p place) bool {
		return p.path == path && !bytes.Equal(damaged[p.start:p.end], whole[p.start:p.end])
	}
	switch everything := (outcome{-1, len(l.frames)}); {
	case len(damaged) < len(whole):
		return outcome{int64(len(damaged)), 0}
	case changed(place{path: path, end: segmentHeaderLen}):
		return outcome{0, 0}
	case !l.needed(path):
		return everything
	}
	last := l.places[len(l.places)-1].path
	firstDamaged := slices.IndexFunc(l.places, changed)
	switch seal := slices.IndexFunc(l.seals, changed); {
	case firstDamaged < 0 && (seal < 0 || path == last):
		return outcome{-1, len(l.frames)}
	case firstDamaged < 0:
		return outcome{l.seals[seal].start, 0}
	}
	start := l.places[firstDamaged].start
	vouched := func(p place) bool { return p.path == path && !changed(p) && p.durable > start }
	if path != last || slices.ContainsFunc(l.places[firstDamaged:], vouched) || slices.ContainsFunc(l.seals, vouched) {
		return outcome{start, 0}
	}
	return outcome{-1, max(firstDamaged, l.posted)}
}

// needed says whether a segment holds frames that are not in the tree, or is the last, which might.
func (l *laidOut) needed(path string) bool {
	last := l.places[len(l.places)-1].path
	return path == last || slices.ContainsFunc(l.places[l.posted:], func(p place) bool { return p.path == path })
}

// check damages a segment, and compares what becomes of the log with what must.
func (l *laidOut) check(what, path string, damaged []byte) outcome {
	l.t.Helper()
	want := l.expect(path, damaged)
	file := l.disk.cached[path]
	whole := file.cached
	file.cached = damaged
	defer func() { file.cached = whole }()

	recovery, err := Scan(crashDir, l.disk, l.watermark())
	if want.corruptAt >= 0 {
		if place := fmt.Sprintf("%s at offset %d:", path, want.corruptAt); !errors.Is(err, daybook.ErrCorrupt) || !strings.Contains(err.Error(), place) {
			l.t.Errorf("%s, %s: got %v; want ErrCorrupt and %q", filepath.Base(path), what, err, place)
		}
		return want
	}
	if err != nil {
		l.t.Errorf("%s, %s: got %v; want %d frames of %d", filepath.Base(path), what, err, want.survived, len(l.frames))
		return want
	}
	if survived := checkReplay(l.t, recovery, l.frames, l.watermark()); survived != want.survived {
		l.t.Errorf("%s, %s: %d frames survived, of %d; want %d", filepath.Base(path), what, survived, len(l.frames), want.survived)
	}
	return want
}

// checkAll flips each bit of each segment, zeroes each sector and from each byte on a sector's
// length and the rest, and cuts off at each length. It counts what becomes of that.
func (l *laidOut) checkAll() (whole, corrupt, shorter int) {
	l.t.Helper()
	for _, path := range slices.Sorted(maps.Keys(l.disk.cached)) {
		check := func(what string, damaged []byte) {
			switch got := l.check(what, path, damaged); {
			case got.corruptAt >= 0:
				corrupt++
			case got.survived < len(l.frames):
				shorter++
			default:
				whole++
			}
		}
		data := l.disk.cached[path].cached
		damaged := slices.Clone(data)
		for at := range data {
			for bit := range 8 {
				if testing.Short() && bit != at%8 {
					continue
				}
				damaged[at] ^= 1 << bit
				check(fmt.Sprintf("bit %d of byte %d flipped", bit, at), damaged)
				damaged[at] = data[at]
			}
			for _, length := range []int{sectorSize, len(data)} {
				end := min(at+length, len(data))
				clear(damaged[at:end])
				check(fmt.Sprintf("bytes %d to %d zeroed", at, end), damaged)
				copy(damaged, data)
			}
			check(fmt.Sprintf("cut off at %d", at), data[:at:at])
		}
	}
	return whole, corrupt, shorter
}

// TestEveryDamage damages logs everywhere. What is lost without an error is exactly what no part of
// the log that can still be read vouches for.
func TestEveryDamage(t *testing.T) {
	tests := []struct {
		name     string
		build    func(l *laidOut)
		silently bool   // whether some damage loses frames without an error
		reason   string // why the row is here
	}{
		{"one group", func(l *laidOut) {
			l.append(8, 40, 20)
			l.sync()
		}, true, "no frame vouches for anything, but the header must be there"},
		{"groups", func(l *laidOut) {
			l.appendUntil(3, true)
			l.prepare()
		}, true, "every commit synced, and the next segment ready"},
		{"last group not synced", func(l *laidOut) {
			l.appendUntil(2, true)
			l.append(8, 8, 30)
			l.append(9, 10)
		}, true, "a torn tail is no corruption"},
		{"never synced", func(l *laidOut) { l.appendUntil(3, false) }, true,
			"nothing vouches for the last segment, full segments vouch for themselves"},
		{"recovered", func(l *laidOut) {
			l.appendUntil(2, true)
			l.append(8, 8)
			l.reopen()
		}, true, "recovery's seal vouches for all before it, unless it goes too"},
		{"recovered and written to", func(l *laidOut) {
			l.append(8, 30, 8)
			l.reopen()
			l.append(20, 8)
			l.sync()
			l.append(8)
		}, true, "a seal in the middle"},
		{"reused segments", func(l *laidOut) {
			l.appendUntil(4, true)
			l.post(len(l.frames) - 4)
			l.appendUntil(7, true)
			l.post(len(l.frames) - 3)
			l.prepare()
		}, true, "old frames stand behind the new ones"},
		{"between name and header", func(l *laidOut) {
			l.appendUntil(3, true)
			l.post(len(l.frames) - 4)
			l.renameReleased()
		}, true, "a header with the number that the segment had before"},
		{"posted but not released", func(l *laidOut) {
			l.appendUntil(3, true)
			l.posted = len(l.frames) / 2
		}, true, "damage to what is in the tree already is harmless, if the rest can be told from it"},
		{"all posted", func(l *laidOut) {
			l.appendUntil(2, true)
			l.posted = len(l.frames)
		}, false, "nothing is left to be lost"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			l := layOut(t)
			test.build(l)
			l.close()
			undamaged := slices.Sorted(maps.Keys(l.disk.cached))[0]
			l.check("undamaged", undamaged, l.disk.cached[undamaged].cached)
			whole, corrupt, shorter := l.checkAll()
			t.Logf("of %d segments with %d frames, %d damages lose nothing, %d are reported, %d cut the end off",
				len(l.disk.cached), len(l.frames), whole, corrupt, shorter)
			if corrupt == 0 || whole == 0 || shorter > 0 != test.silently {
				t.Errorf("some frames are lost without an error: %t; want %t (%s)", shorter > 0, test.silently, test.reason)
			}
		})
	}
}
