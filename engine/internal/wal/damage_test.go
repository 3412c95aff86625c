// SPDX-License-Identifier: Apache-2.0

package wal

import (
	"bytes"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"testing"
)

// layout is a log and the places of all its frames and seals. It records what was written, not what
// is read.
type layout struct {
	t    *testing.T
	disk *memDisk
	log  *Log // nil: the log is closed

	frames []testFrame
	places []place // of the frames
	seals  []place // of the sealed segments
	synced int64   // offset up to which the active segment was synced
	posted int     // number of frames in the tree
}

// place is where a frame or a seal is.
type place struct {
	path       string
	start, end int64
	durable    int64 // offset up to which it knows the segment to be durable
}

// newLayout opens a log with segments so small that each bit of several segments can be damaged.
func newLayout(t *testing.T) *layout {
	l := &layout{t: t, disk: newMemDisk()}
	l.open()
	return l
}

func (l *layout) open() {
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

func (l *layout) watermark() uint64 {
	if l.posted == 0 {
		return 0
	}
	return l.frames[l.posted-1].last()
}

// append appends frames with payloads of the given lengths, with one write.
func (l *layout) append(lengths ...int) {
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

func (l *layout) sync() {
	l.t.Helper()
	mustSync(l.t, l.log)
	l.synced = l.log.active.end
}

// appendUntil appends groups of frames until the log has used a number of segments.
func (l *layout) appendUntil(segments uint64, sync bool) {
	l.t.Helper()
	for l.log.active == nil || l.log.active.number < segments || l.log.active.end < 300 {
		l.append(8, 40)
		if sync {
			l.sync()
		}
	}
}

// post puts frames into the tree: the first ones, up to a number of frames.
func (l *layout) post(frames int) {
	l.posted = frames
	l.log.Release(l.watermark())
}

func (l *layout) close() {
	l.t.Helper()
	mustClose(l.t, l.log)
	l.log = nil
}

// reopen recovers the log after a crash. Recovery seals the last segment.
func (l *layout) reopen() {
	l.t.Helper()
	l.close()
	l.open()
	last := l.places[len(l.places)-1]
	l.seals = append(l.seals, place{last.path, last.end, last.end + frameHeaderLen, last.end})
}

// renameReleased gives a released segment its new name but not its new header, like a crash of an
// earlier version of this package.
func (l *layout) renameReleased() {
	old := l.log.pool.released[0].path
	l.disk.cached[filepath.Join(crashDir, nameOf(l.log.pool.nextNumber))] = l.disk.cached[old]
	delete(l.disk.cached, old)
}

// prepare makes a segment ready that is not used.
func (l *layout) prepare() {
	l.t.Helper()
	if _, err := l.log.pool.makeSegment(512); err != nil {
		l.t.Fatal(err)
	}
}

// outcome is the result of recovering a damaged log.
type outcome struct {
	corruptAt int64 // offset in the damaged file that ErrCorrupt names; -1: no error
	survived  int   // number of frames, including frames in the tree
}

// expect returns the outcome of replacing the bytes of a segment by damaged. The frames before the
// first damaged frame survive without an error only if no undamaged frame vouches for the damaged
// one.
func (l *layout) expect(path string, damaged []byte) outcome {
	undamaged := l.disk.cached[path].cached
	changed := func(p place) bool {
		return p.path == path && !bytes.Equal(damaged[p.start:p.end], undamaged[p.start:p.end])
	}
	switch everything := (outcome{-1, len(l.frames)}); {
	case len(damaged) < len(undamaged):
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

// needed reports whether a segment has frames that are not in the tree, or is the last segment.
func (l *layout) needed(path string) bool {
	last := l.places[len(l.places)-1].path
	return path == last || slices.ContainsFunc(l.places[l.posted:], func(p place) bool { return p.path == path })
}

// check replaces the bytes of a segment by damaged, recovers the log, and compares the outcome with
// expect. damage describes the damage in error messages.
func (l *layout) check(damage, path string, damaged []byte) outcome {
	l.t.Helper()
	want := l.expect(path, damaged)
	file := l.disk.cached[path]
	undamaged := file.cached
	file.cached = damaged
	defer func() { file.cached = undamaged }()

	recovery, err := Scan(crashDir, l.disk, knownAt(l.watermark()))
	if want.corruptAt >= 0 {
		if !isCorruptAt(err, path, want.corruptAt) {
			l.t.Errorf("%s, %s: got %v; want ErrCorrupt at offset %d", filepath.Base(path), damage, err, want.corruptAt)
		}
		return want
	}
	if err != nil {
		l.t.Errorf("%s, %s: got %v; want %d frames of %d",
			filepath.Base(path), damage, err, want.survived, len(l.frames))
		return want
	}
	if survived := checkReplay(l.t, recovery, l.frames, l.watermark()); survived != want.survived {
		l.t.Errorf("%s, %s: %d frames survived, of %d; want %d",
			filepath.Base(path), damage, survived, len(l.frames), want.survived)
	}
	return want
}

// checkAll damages each segment: it flips each bit, overwrites with zeros from each byte on, for a
// sector's length and up to the end, and cuts off at each length. It returns the numbers of damages
// after which all frames survive, Scan returns ErrCorrupt, and fewer frames survive.
func (l *layout) checkAll() (unharmed, corrupt, shorter int) {
	l.t.Helper()
	for _, path := range slices.Sorted(maps.Keys(l.disk.cached)) {
		check := func(damage string, damaged []byte) {
			switch got := l.check(damage, path, damaged); {
			case got.corruptAt >= 0:
				corrupt++
			case got.survived < len(l.frames):
				shorter++
			default:
				unharmed++
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
	return unharmed, corrupt, shorter
}

// damagedLogs are the cases of TestEveryDamage.
var damagedLogs = []struct {
	name     string
	build    func(l *layout)
	silently bool   // some damage loses frames without an error
	reason   string // why the row is here
}{
	{"one group", func(l *layout) {
		l.append(8, 40, 20)
		l.sync()
	}, true, "no frame vouches for the segment, but the header must be there"},
	{"groups", func(l *layout) {
		l.appendUntil(3, true)
		l.prepare()
	}, true, "every commit is synced, and the next segment is ready"},
	{"last group not synced", func(l *layout) {
		l.appendUntil(2, true)
		l.append(8, 8, 30)
		l.append(9, 10)
	}, true, "a torn tail is not corruption"},
	{"never synced", func(l *layout) { l.appendUntil(3, false) }, true,
		"no frame vouches for the last segment; full segments have seals"},
	{"recovered", func(l *layout) {
		l.appendUntil(2, true)
		l.append(8, 8)
		l.reopen()
	}, true, "the seal vouches for all frames before it, unless it is damaged too"},
	{"recovered and written to", func(l *layout) {
		l.append(8, 30, 8)
		l.reopen()
		l.append(20, 8)
		l.sync()
		l.append(8)
	}, true, "the seal is in the middle of the log"},
	{"recycled segments", func(l *layout) {
		l.appendUntil(4, true)
		l.post(len(l.frames) - 4)
		l.appendUntil(7, true)
		l.post(len(l.frames) - 3)
		l.prepare()
	}, true, "old frames follow the new ones"},
	{"between name and header", func(l *layout) {
		l.appendUntil(3, true)
		l.post(len(l.frames) - 4)
		l.renameReleased()
	}, true, "the header has the earlier number of the segment"},
	{"posted but not released", func(l *layout) {
		l.appendUntil(3, true)
		l.posted = len(l.frames) / 2
	}, true, "damage to frames that are in the tree is harmless if the other frames can be found"},
	{"all posted", func(l *layout) {
		l.appendUntil(2, true)
		l.posted = len(l.frames)
	}, false, "all values are in the tree"},
}

// TestEveryDamage damages logs everywhere. A frame may be lost without an error only if no readable
// part of the log vouches for it.
func TestEveryDamage(t *testing.T) {
	for _, test := range damagedLogs {
		t.Run(test.name, func(t *testing.T) {
			l := newLayout(t)
			test.build(l)
			l.close()
			undamaged := slices.Sorted(maps.Keys(l.disk.cached))[0]
			l.check("undamaged", undamaged, l.disk.cached[undamaged].cached)
			unharmed, corrupt, shorter := l.checkAll()
			t.Logf("%d segments with %d frames: %d damages lose nothing, %d are reported, %d lose the last frames",
				len(l.disk.cached), len(l.frames), unharmed, corrupt, shorter)
			if corrupt == 0 || unharmed == 0 || shorter > 0 != test.silently {
				t.Errorf("some damage loses frames without an error: %t; want %t (%s)",
					shorter > 0, test.silently, test.reason)
			}
		})
	}
}
