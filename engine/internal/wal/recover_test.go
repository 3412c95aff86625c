// SPDX-License-Identifier: Apache-2.0

package wal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/disk/faultfs"
)

// written is a closed log, and what is known about it.
type written struct {
	disk   *memDisk
	frames []testFrame
	ends   []int64 // of the frames, each in its own segment

	segments []string // by number; the last is the one that frames were appended to last
	first    int      // index of the first frame in the last segment
	durable  int      // how many frames were synced
}

// durableEnd is the offset in the last segment up to which it was synced.
func (w *written) durableEnd() int64 {
	if w.durable == w.first {
		return segmentHeaderLen
	}
	return w.ends[w.durable-1]
}

// write appends commits, each with a sync of its own, until three segments are in use and the last one
// has some frames; then the unsynced groups, each with one Append.
func write(t testing.TB, unsynced ...[]Frame) *written {
	t.Helper()
	w := &written{disk: newMemDisk()}
	log := mustOpen(t, w.disk, 0, 0)
	log.pool.stop()
	next, inLast := uint64(1), 0
	appendAll := func(frames ...Frame) {
		t.Helper()
		before := log.active
		mustAppend(t, log, frames...)
		if log.active != before {
			w.first, inLast = len(w.frames), 0
		}
		end := log.active.end
		for _, f := range slices.Backward(frames) {
			w.ends = slices.Insert(w.ends, len(w.frames), end)
			end -= frameHeaderLen + int64(len(f.Payload))
		}
		w.frames = append(w.frames, placed(next, frames...)...)
		next = w.frames[len(w.frames)-1].last() + 1
		inLast += len(frames)
	}
	for i := 0; log.active == nil || log.active.number < 3 || inLast < 4; i++ {
		appendAll(numbered(i, 150+i%3*100, 1+i%3))
		mustSync(t, log)
	}
	w.durable = len(w.frames)
	for _, group := range unsynced {
		appendAll(group...)
	}
	mustClose(t, log)
	w.segments = segmentsOf(t, w.disk)
	if len(w.segments) != 3 || w.first >= w.durable {
		t.Fatalf("%d segments, and the last one from frame %d on of %d", len(w.segments), w.first, w.durable)
	}
	return w
}

func (w *written) last() *memFile { return w.disk.cached[w.segments[len(w.segments)-1]] }

// withLast returns the same log on a disk of its own, with the last segment's bytes replaced.
func (w *written) withLast(data []byte) *written {
	again := *w
	again.disk = newMemDisk()
	for path, file := range w.disk.cached {
		again.disk.cached[path] = &memFile{cached: slices.Clone(file.cached)}
	}
	again.last().cached = slices.Clone(data)
	return &again
}

// checkTorn recovers the log, checks that at least the synced frames survived, appends, and recovers again.
func (w *written) checkTorn(t *testing.T, what string) (survived int) {
	t.Helper()
	recovery, err := scanReading(t, w.disk, 0)
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return 0
	}
	survived = checkReplay(t, recovery, w.frames, 0)
	if survived < w.durable {
		t.Errorf("%s: %d frames survived; %d were durable", what, survived, w.durable)
	}
	log, err := recovery.Open(0, testOptions())
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	want := w.frames[:survived:survived]
	// Smaller and larger than what was dropped, so that its frames stand behind these wherever they can.
	for i, length := range []int{8, 150, 900} {
		added := placed(want[len(want)-1].last()+1, numbered(900+i, length, 1))
		mustAppend(t, log, added[0].Frame)
		want = append(want, added...)
	}
	mustSync(t, log)
	mustClose(t, log)
	for range 2 {
		recovery := mustScan(t, w.disk, 0)
		if diff := cmp.Diff(want, replayAll(t, recovery), sameFrame); diff != "" {
			t.Errorf("%s: recovered a second time (-want +got):\n%s", what, diff)
		}
		if _, err := recovery.Open(0, testOptions()); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	return survived
}

// TestTornTail damages the last segment at every offset behind the last sync.
func TestTornTail(t *testing.T) {
	group := []Frame{numbered(50, 40, 1), numbered(51, 8, 3), numbered(52, 60, 2)}
	tests := []struct {
		name     string
		unsynced [][]Frame
		reason   string // why the row is here
	}{
		{"one commit", [][]Frame{group[:1]}, "the usual crash"},
		{"a group", [][]Frame{group}, "frames that one write wrote"},
		{"several appends", [][]Frame{group[:1], group[1:2], group[2:]}, "as when syncing at intervals"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := write(t, test.unsynced...)
			if survived := w.withLast(w.last().cached).checkTorn(t, "undamaged"); survived != len(w.frames) {
				t.Errorf("of an undamaged log %d frames survived; want %d (%s)", survived, len(w.frames), test.reason)
			}
			whole, end := w.last().cached, w.ends[len(w.ends)-1]
			for at := w.durableEnd(); at < end; at++ {
				cut := slices.Clone(whole)
				clear(cut[at:])
				w.checkDamaged(t, fmt.Sprintf("written up to %d", at), cut)

				flipped := slices.Clone(whole)
				flipped[at] ^= 0x40
				w.checkDamaged(t, fmt.Sprintf("flipped at %d", at), flipped)
			}
		})
	}
}

// checkDamaged checks that the frames before the first damaged one survive, and no other.
func (w *written) checkDamaged(t *testing.T, what string, data []byte) {
	t.Helper()
	survived := w.withLast(data).checkTorn(t, what)
	whole := w.first
	for whole < len(w.frames) && slices.Equal(data[:w.ends[whole]], w.last().cached[:w.ends[whole]]) {
		whole++
	}
	if survived != whole {
		t.Errorf("%s: %d frames survived; %d are whole", what, survived, whole)
	}
}

// TestFramesWithinPayloads: a value may hold the bytes of a frame, of this very segment. Behind a torn frame
// it must not be taken for one that knew the torn one to be durable.
func TestFramesWithinPayloads(t *testing.T) {
	w := write(t)
	hidden := frame{payload: []byte("hidden"), values: 1, durable: w.durableEnd() + 100}
	copied := hidden.append(nil, 3, w.durableEnd()) // the log has no way to know where it will stand
	w = write(t, []Frame{numbered(50, 40, 1), {Payload: slices.Concat(make([]byte, 30), copied, make([]byte, 30)), Values: 1}})
	torn := slices.Clone(w.last().cached)
	torn[w.durableEnd()]++
	w.checkDamaged(t, "a frame within a payload", torn)
	clear(torn[w.ends[len(w.ends)-2]:][:frameHeaderLen])
	w.checkDamaged(t, "a frame within a payload without a header", torn)
}

// TestDroppedBytes is what the operator is told.
func TestDroppedBytes(t *testing.T) {
	w := write(t, []Frame{numbered(50, 40, 1), numbered(51, 60, 1)})
	start, end := w.durableEnd(), w.ends[len(w.ends)-1]
	tests := []struct {
		name   string
		damage func(segment []byte)
		want   int64
		reason string // why the row is here
	}{
		{"nothing", func([]byte) {}, 0, "no crash"},
		{"all of it", func(s []byte) { clear(s[start:]) }, 0, "nothing of the write arrived: nothing to drop"},
		{"the first payload", func(s []byte) { s[start+frameHeaderLen] ^= 1 }, end - start, "the second frame is dropped with it"},
		{"the last payload", func(s []byte) { s[end-1] ^= 1 }, frameHeaderLen, "at least its header"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			segment := slices.Clone(w.last().cached)
			test.damage(segment)
			if got := mustScan(t, w.withLast(segment).disk, 0).DroppedBytes; got != test.want {
				t.Errorf("got %d, want %d (%s)", got, test.want, test.reason)
			}
		})
	}
}

// TestCorruption damages what was durable, everywhere. Scan must name the file and the offset of what is
// damaged, and change nothing.
func TestCorruption(t *testing.T) {
	w := write(t)
	for at := range segmentHeaderLen {
		for i, path := range w.segments {
			w.checkCorrupt(t, fmt.Sprintf("header of segment %d", i), path, at, path, 0)
		}
	}
	// In the last segment a later frame must have known the damaged one to be durable.
	for i, path := range w.segments {
		start := int64(segmentHeaderLen)
		for _, end := range w.endsIn(i) {
			for at := start; at < end; at++ {
				w.checkCorrupt(t, fmt.Sprintf("frame in segment %d", i), path, int(at), path, start)
			}
			start = end
		}
		if i < len(w.segments)-1 {
			for at := start; at < start+frameHeaderLen; at++ {
				w.checkCorrupt(t, fmt.Sprintf("seal of segment %d", i), path, int(at), path, start)
			}
		}
	}
}

// endsIn returns where the frames of a segment end, of the last one without the last frame.
func (w *written) endsIn(segment int) (ends []int64) {
	in := 0
	for i, end := range w.ends {
		if i > 0 && end < w.ends[i-1] {
			in++
		}
		if in == segment && (segment < len(w.segments)-1 || i < len(w.ends)-1) {
			ends = append(ends, end)
		}
	}
	return ends
}

// checkCorrupt flips a bit of a byte and expects an error that names namedPath and offset.
func (w *written) checkCorrupt(t *testing.T, what, path string, at int, namedPath string, offset int64) {
	t.Helper()
	file := w.disk.cached[path]
	file.cached[at] ^= 0x10
	before := contents(w.disk)
	_, err := scanReading(t, w.disk, 0)
	place := fmt.Sprintf("%s at offset %d:", namedPath, offset)
	if !errors.Is(err, daybook.ErrCorrupt) || !strings.Contains(fmt.Sprint(err), place) {
		t.Errorf("%s, byte %d: got %v; want ErrCorrupt and %q", what, at, err, place)
	}
	if !maps.Equal(before, contents(w.disk)) {
		t.Errorf("%s, byte %d: Scan changed a file", what, at)
	}
	file.cached[at] ^= 0x10
}

func contents(d *memDisk) map[string]string {
	all := make(map[string]string)
	for path, file := range d.cached {
		all[path] = string(file.cached)
	}
	return all
}

// TestMissingAndForeign: what is wrong with the directory as a whole.
func TestMissingAndForeign(t *testing.T) {
	tests := []struct {
		name   string
		damage func(w *written)
		posted int // how many frames are in the tree; 1000: all
		want   error
		named  int // index of the segment that the error names
		reason string
	}{
		{"first missing", func(w *written) { w.remove(0) }, 0, daybook.ErrCorrupt, 1, "its values are nowhere"},
		{"first missing, but posted", func(w *written) { w.remove(0) }, 10, nil, 0, "its values are in the tree"},
		{"middle missing", func(w *written) { w.remove(1) }, 0, daybook.ErrCorrupt, 2, "a gap in the sequence numbers"},
		{"middle missing, first posted", func(w *written) { w.remove(1) }, 2, daybook.ErrCorrupt, 2, "a gap above the watermark"},
		{"first cut off", func(w *written) { w.cut(0, 1000) }, 0, daybook.ErrCorrupt, 0, "the header tells the size"},
		{"last cut off", func(w *written) { w.cut(2, -1) }, 0, daybook.ErrCorrupt, 2, "by a single byte, and where no frame is"},
		{"last cut off to nothing", func(w *written) { w.cut(2, 0) }, 0, daybook.ErrCorrupt, 2, "a segment has its name only once it has a header"},
		{"last cut off in its header", func(w *written) { w.cut(2, 30) }, 0, daybook.ErrCorrupt, 2, "a segment has its name only once it has a header"},
		{"header of the last lost", func(w *written) {
			copy(w.last().cached, (&segment{number: 3, size: 4 << 10}).preparedHeader().append(nil))
		}, 0, daybook.ErrCorrupt, 2,
			"its frames say that it was durable"},
		{"two swapped", func(w *written) { w.rename(0, 9); w.rename(1, 1); w.rename(0, 2) }, 0, daybook.ErrCorrupt, 1,
			"neither is a released one on its way to its next number"},
		{"last under another name", func(w *written) { w.rename(2, 9) }, 0, daybook.ErrCorrupt, 2, "it is no released one"},
		{"last under another name, but posted", func(w *written) { w.rename(2, 9) }, 1000, nil, 0, "as a crash leaves a released one"},
		{"newer version", func(w *written) { w.setVersion(2, version+1) }, 0, daybook.ErrVersion, 2, "newer is not the same as damaged"},
		{"newer version of the first", func(w *written) { w.setVersion(0, version+2) }, 0, daybook.ErrVersion, 0, "wherever it is"},
		{"whole", func(*written) {}, 0, nil, 0, "nothing is wrong"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := write(t)
			test.damage(w)
			watermark := uint64(0)
			if test.posted > 0 {
				watermark = w.frames[min(test.posted, len(w.frames))-1].last()
			}
			before := contents(w.disk)
			_, err := scanReading(t, w.disk, watermark)
			if !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v (%s)", err, test.want, test.reason)
			}
			if test.want != nil && !strings.Contains(fmt.Sprint(err), w.segments[test.named]) {
				t.Errorf("%v does not name %s (%s)", err, w.segments[test.named], test.reason)
			}
			if !maps.Equal(before, contents(w.disk)) {
				t.Errorf("Scan changed a file")
			}
		})
	}
}

func (w *written) remove(segment int) { delete(w.disk.cached, w.segments[segment]) }

func (w *written) rename(segment int, number uint64) {
	path := filepath.Join(crashDir, nameOf(number))
	w.disk.cached[path] = w.disk.cached[w.segments[segment]]
	w.remove(segment)
	w.segments[segment] = path
}

// cut leaves size bytes of a segment; of a negative size, so many less than there are.
func (w *written) cut(segment, size int) {
	file := w.disk.cached[w.segments[segment]]
	if size < 0 {
		size += len(file.cached)
	}
	file.cached = file.cached[:size]
}

func (w *written) setVersion(segment int, version uint32) {
	header := w.disk.cached[w.segments[segment]].cached
	binary.LittleEndian.PutUint32(header[8:], version)
	binary.LittleEndian.PutUint32(header[40:], crc32.Checksum(header[:40], codec.Castagnoli))
}

// TestAReleasedSegmentWithoutFrames: a power cut took its frames, its values would have been the next ones, and
// a second crash leaves it between its new name and its new header.
func TestAReleasedSegmentWithoutFrames(t *testing.T) {
	w := write(t)
	w.rename(2, 9)
	clear(w.last().cached[segmentHeaderLen:])
	before := w.frames[:w.first]
	checkFrames(t, w.disk, before[len(before)-1].last(), nil)
}

// TestOpenReadsAgain: what has rotted since Scan is not written back.
func TestOpenReadsAgain(t *testing.T) {
	w := write(t)
	recovery := mustScan(t, w.disk, 0)
	w.last().cached[w.ends[w.first]-1] ^= 1
	before := contents(w.disk)
	place := fmt.Sprintf("%s at offset %d:", w.segments[2], segmentHeaderLen)
	if _, err := recovery.Open(0, testOptions()); !errors.Is(err, daybook.ErrCorrupt) || !strings.Contains(err.Error(), place) {
		t.Errorf("got %v; want ErrCorrupt and %q", err, place)
	}
	if !maps.Equal(before, contents(w.disk)) {
		t.Error("Open changed a file")
	}
}

// TestPowerCutLosesAnySectors: of what was not synced, any of the sectors are lost, in whatever order the
// disk likes. Whole frames survive, in order, and all the synced ones.
func TestPowerCutLosesAnySectors(t *testing.T) {
	group := []Frame{numbered(50, 500, 1), numbered(51, 30, 3), numbered(52, 600, 2), numbered(53, 8, 1), numbered(54, 400, 1)}
	tests := []struct {
		name     string
		unsynced [][]Frame
		stale    byte
		reason   string // why the row is here
	}{
		{"a group, zeros", [][]Frame{group}, 0, "one write into a fresh segment"},
		{"a group, garbage", [][]Frame{group}, 0xa5, "one write into a segment that was used before"},
		{"several appends", [][]Frame{group[:1], group[1:3], group[3:]}, 0, "as when syncing at intervals"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := write(t, test.unsynced...)
			whole, end := w.last().cached, w.ends[len(w.ends)-1]
			old := slices.Clone(whole)
			for at := w.durableEnd(); at < int64(len(old)); at++ {
				old[at] = test.stale
			}
			first, last := w.durableEnd()/sectorSize, (end-1)/sectorSize
			sectors := int(last - first + 1)
			if sectors < 4 {
				t.Fatalf("%d sectors; want more (%s)", sectors, test.reason)
			}
			for lost := range uint(1) << sectors {
				left := slices.Clone(whole)
				for i := range sectors {
					if lost&(1<<i) != 0 {
						start := (int(first) + i) * sectorSize
						copy(left[start:start+sectorSize], old[start:])
					}
				}
				w.checkDamaged(t, fmt.Sprintf("sectors %0*b lost", sectors, lost), left)
			}
		})
	}
}

// TestASealIsMadeDurable: the process dies between the seal of a full segment and its sync. The segment is
// the last one then, and sealed; what follows it must not be durable before it is.
func TestASealIsMadeDurable(t *testing.T) {
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

// TestAFailedHeaderIsNoGap: writing a segment's header is reported to have failed, but it is there, and the
// segment cannot be removed. The next one is used instead.
func TestAFailedHeaderIsNoGap(t *testing.T) {
	d := newMemDisk()
	fsys := faultfs.New(d)
	log := mustOpen(t, fsys, 0, 0)
	first := numbered(0, 1500, 1)
	mustAppend(t, log, first)
	log.pool.background.Wait() // the next segment is ready
	failed := false
	fsys.SetHook(func(op faultfs.Op) error {
		header, err := decodeSegmentHeader(op.Data)
		if op.Name == faultfs.Write && err == nil && !header.prepared() && !failed { // the appender's alone
			failed = true
			log.pool.background.Wait() // and the one behind it
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
	mustAppend(t, log, second)
	mustClose(t, log)
	if segments := segmentsOf(t, d); len(segments) != 3 {
		t.Fatalf("segments %v; want the one without frames between the others", segments)
	}
	for range 2 {
		checkFrames(t, d, 0, placed(1, first, second))
		mustClose(t, mustOpen(t, d, 0, 0))
	}
}

// TestReopenAfterAFailedSync: after a failed sync the operating system takes what it did not write for clean,
// and serves it from its cache until the power goes. What recovery found there, it writes once more.
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
		file.writes = nil // clean, but not on the disk
	}

	log = mustOpen(t, d, 0, 0)
	mustAppend(t, log, third)
	mustSync(t, log)
	mustClose(t, log)
	d.cutPower(func(int) int { return 0 })
	checkFrames(t, d, 0, placed(1, first, second, third))
}

// TestFramesBehindZeros: a frame is found wherever it stands behind zeros, however many it begins with.
func TestFramesBehindZeros(t *testing.T) {
	const number = 7
	for offset := int64(segmentHeaderLen); offset < segmentHeaderLen+64; offset++ {
		for _, f := range []frame{{}, {durable: 1 << 24}, {payload: []byte("x"), values: 1 << 16, durable: 9}} {
			segment := append(make([]byte, offset), f.append(nil, number, offset)...)
			segment = append(segment, make([]byte, 40)...)
			if reach, last := findFrames(segment, number, segmentHeaderLen); reach != f.durable || last != offset+f.size() {
				t.Errorf("%+v at offset %d: found one that reaches %d and ends at %d", f, offset, reach, last)
			}
		}
	}
	// A seal whose header's checksum begins with zeros too.
	for number := uint64(0); number < 100_000; number++ {
		var seal frame
		encoded := seal.append(nil, number, segmentHeaderLen)
		if encoded[headerChecksumAt] != 0 || encoded[headerChecksumAt+1] != 0 {
			continue
		}
		segment := append(make([]byte, segmentHeaderLen), encoded...)
		if _, last := findFrames(segment, number, 0); last != segmentHeaderLen+frameHeaderLen {
			t.Errorf("the seal of segment %d, which begins with %d zeros, was not found", number, leadingZeros(encoded))
		}
	}
}
