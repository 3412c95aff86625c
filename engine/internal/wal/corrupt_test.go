// SPDX-License-Identifier: Apache-2.0

package wal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"path/filepath"
	"strings"
	"testing"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/codec"
)

// TestCorruption damages each byte that was durable. Scan must return an error with the file and
// the offset of the damage, and change nothing.
func TestCorruption(t *testing.T) {
	w := write(t)
	for at := range segmentHeaderLen {
		for i, path := range w.segments {
			w.checkCorrupt(t, fmt.Sprintf("header of segment %d", i), path, at, 0)
		}
	}
	// The last frame of the last segment is left out: no later frame knows it to be durable.
	for i, path := range w.segments {
		start := int64(segmentHeaderLen)
		for _, end := range w.endsIn(i) {
			for at := start; at < end; at++ {
				w.checkCorrupt(t, fmt.Sprintf("frame in segment %d", i), path, int(at), start)
			}
			start = end
		}
		if i < len(w.segments)-1 {
			for at := start; at < start+frameHeaderLen; at++ {
				w.checkCorrupt(t, fmt.Sprintf("seal of segment %d", i), path, int(at), start)
			}
		}
	}
}

// endsIn returns the ends of the frames in a segment. In the last segment it leaves out the last
// frame.
func (w *writtenLog) endsIn(segment int) (ends []int64) {
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

// checkCorrupt flips a bit of the byte at an offset of a file. It expects an error that names the
// file and namedOffset. part describes the damaged part in error messages.
func (w *writtenLog) checkCorrupt(t *testing.T, part, path string, at int, namedOffset int64) {
	t.Helper()
	file := w.disk.cached[path]
	file.cached[at] ^= 0x10
	before := contents(w.disk)
	_, err := scanReading(t, w.disk, 0)
	place := fmt.Sprintf("%s at offset %d:", path, namedOffset)
	if !errors.Is(err, daybook.ErrCorrupt) || !strings.Contains(fmt.Sprint(err), place) {
		t.Errorf("%s, byte %d: got %v; want ErrCorrupt and %q", part, at, err, place)
	}
	if !maps.Equal(before, contents(w.disk)) {
		t.Errorf("%s, byte %d: Scan changed a file", part, at)
	}
	file.cached[at] ^= 0x10
}

// contents returns the bytes of each file.
func contents(d *memDisk) map[string]string {
	all := make(map[string]string)
	for path, file := range d.cached {
		all[path] = string(file.cached)
	}
	return all
}

// directoryDamages are the cases of TestMissingAndForeign.
var directoryDamages = []struct {
	name   string
	damage func(w *writtenLog)
	posted int // number of frames in the tree; 1000: all
	want   error
	named  int    // index of the segment that the error names
	reason string // why the row is here
}{
	{"first missing", func(w *writtenLog) { w.remove(0) }, 0, daybook.ErrCorrupt, 1, "its values are lost"},
	{"first missing, but posted", func(w *writtenLog) { w.remove(0) }, 10, nil, 0, "its values are in the tree"},
	{"middle missing", func(w *writtenLog) { w.remove(1) }, 0, daybook.ErrCorrupt, 2,
		"a gap in the sequence numbers"},
	{"middle missing, first posted", func(w *writtenLog) { w.remove(1) }, 2, daybook.ErrCorrupt, 2,
		"a gap above the watermark"},
	{"first cut off", func(w *writtenLog) { w.cut(0, 1000) }, 0, daybook.ErrCorrupt, 0, "the header has the size"},
	{"last cut off", func(w *writtenLog) { w.cut(2, -1) }, 0, daybook.ErrCorrupt, 2,
		"one byte shorter, and no frame is there"},
	{"last cut off to nothing", func(w *writtenLog) { w.cut(2, 0) }, 0, daybook.ErrCorrupt, 2,
		"a file gets its name only when it has a header"},
	{"last cut off in its header", func(w *writtenLog) { w.cut(2, 30) }, 0, daybook.ErrCorrupt, 2,
		"a file gets its name only when it has a header"},
	{"header of the last lost", func(w *writtenLog) {
		copy(w.last().cached, (&segment{number: 3, size: 4 << 10}).preparedHeader().append(nil))
	}, 0, daybook.ErrCorrupt, 2,
		"its frames say that it was durable"},
	{"two swapped", func(w *writtenLog) {
		w.rename(0, 9)
		w.rename(1, 1)
		w.rename(0, 2)
	}, 0, daybook.ErrCorrupt, 1,
		"neither is a released segment"},
	{"last under another name", func(w *writtenLog) { w.rename(2, 9) }, 0, daybook.ErrCorrupt, 2,
		"it is not a released segment"},
	{"last under another name, but posted", func(w *writtenLog) { w.rename(2, 9) }, 1000, nil, 0,
		"a crash of an earlier version leaves a released segment like this"},
	{"newer version", func(w *writtenLog) { w.setVersion(2, version+1) }, 0, daybook.ErrVersion, 2,
		"a newer version is not damage"},
	{"newer version of the first", func(w *writtenLog) { w.setVersion(0, version+2) }, 0, daybook.ErrVersion, 0,
		"the same in any segment"},
	{"undamaged", func(*writtenLog) {}, 0, nil, 0, "no error without damage"},
}

// TestMissingAndForeign removes, renames, cuts off and exchanges whole segments.
func TestMissingAndForeign(t *testing.T) {
	for _, test := range directoryDamages {
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

// remove removes a segment.
func (w *writtenLog) remove(segment int) { delete(w.disk.cached, w.segments[segment]) }

// rename gives a segment the name of another number.
func (w *writtenLog) rename(segment int, number uint64) {
	path := filepath.Join(crashDir, nameOf(number))
	w.disk.cached[path] = w.disk.cached[w.segments[segment]]
	w.remove(segment)
	w.segments[segment] = path
}

// cut shortens a segment to size bytes, or by -size bytes if size is negative.
func (w *writtenLog) cut(segment, size int) {
	file := w.disk.cached[w.segments[segment]]
	if size < 0 {
		size += len(file.cached)
	}
	file.cached = file.cached[:size]
}

// setVersion changes the version in the header of a segment.
func (w *writtenLog) setVersion(segment int, version uint32) {
	header := w.disk.cached[w.segments[segment]].cached
	binary.LittleEndian.PutUint32(header[8:], version)
	binary.LittleEndian.PutUint32(header[40:], crc32.Checksum(header[:40], codec.Castagnoli))
}

// TestReleasedSegmentWithoutFrames recovers a log after two crashes of an earlier version. The
// first one, a power cut, removed the frames of the last segment. The second one left this segment
// under its new name with its old header, whose first sequence number is the next one of the log.
func TestReleasedSegmentWithoutFrames(t *testing.T) {
	w := write(t)
	w.rename(2, 9)
	clear(w.last().cached[segmentHeaderLen:])
	before := w.frames[:w.first]
	checkFrames(t, w.disk, before[len(before)-1].last(), nil)
}

// TestOpenReadsAgain damages a frame between Scan and Open. Open must not write the damaged frame
// back.
func TestOpenReadsAgain(t *testing.T) {
	w := write(t)
	recovery := mustScan(t, w.disk, 0)
	w.last().cached[w.ends[w.first]-1] ^= 1
	before := contents(w.disk)
	place := fmt.Sprintf("%s at offset %d:", w.segments[2], segmentHeaderLen)
	_, err := recovery.Open(0, testOptions())
	if !errors.Is(err, daybook.ErrCorrupt) || !strings.Contains(err.Error(), place) {
		t.Errorf("got %v; want ErrCorrupt and %q", err, place)
	}
	if !maps.Equal(before, contents(w.disk)) {
		t.Error("Open changed a file")
	}
}
