// SPDX-License-Identifier: Apache-2.0

package wal

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// writtenLog is a closed log of three segments, and the places of its frames.
type writtenLog struct {
	disk   *memDisk
	frames []testFrame
	ends   []int64 // offset after each frame, in its segment

	segments []string // paths, sorted by number
	first    int      // index of the first frame in the last segment
	durable  int      // number of frames that were synced
}

// durableEnd returns the offset up to which the last segment was synced.
func (w *writtenLog) durableEnd() int64 {
	if w.durable == w.first {
		return segmentHeaderLen
	}
	return w.ends[w.durable-1]
}

// write appends and syncs one frame after another until three segments are in use and the last one
// has some frames. Then it appends the unsynced groups, each with one Append.
func write(t testing.TB, unsynced ...[]Frame) *writtenLog {
	t.Helper()
	w := &writtenLog{disk: newMemDisk()}
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
		t.Fatalf("%d segments, and %d of %d frames before the last one; want 3 segments, and a frame in the last one",
			len(w.segments), w.first, w.durable)
	}
	return w
}

func (w *writtenLog) last() *memFile { return w.disk.cached[w.segments[len(w.segments)-1]] }

// withLast returns a copy of the log on another disk, with other bytes in the last segment.
func (w *writtenLog) withLast(data []byte) *writtenLog {
	again := *w
	again.disk = newMemDisk()
	for path, file := range w.disk.cached {
		again.disk.cached[path] = &memFile{cached: slices.Clone(file.cached)}
	}
	again.last().cached = slices.Clone(data)
	return &again
}

// checkTorn recovers the log and checks that at least the synced frames survive. Then it appends
// frames and recovers the log again. damage describes the log in error messages.
func (w *writtenLog) checkTorn(t *testing.T, damage string) (survived int) {
	t.Helper()
	recovery, err := scanReading(t, w.disk, 0)
	if err != nil {
		t.Errorf("%s: %v", damage, err)
		return 0
	}
	survived = checkReplay(t, recovery, w.frames, 0)
	if survived < w.durable {
		t.Errorf("%s: %d frames survived; %d were durable", damage, survived, w.durable)
	}
	log, err := recovery.Open(0, testOptions())
	if err != nil {
		t.Fatalf("%s: %v", damage, err)
	}
	want := w.frames[:survived:survived]
	// The lengths are smaller and larger than those of the dropped frames. So old frames are left
	// after the new ones at as many offsets as possible.
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
			t.Errorf("%s: recovered again (-want +got):\n%s", damage, diff)
		}
		if _, err := recovery.Open(0, testOptions()); err != nil {
			t.Fatalf("%s: %v", damage, err)
		}
	}
	return survived
}

// TestTornTail damages the last segment at every offset after the last sync.
func TestTornTail(t *testing.T) {
	group := []Frame{numbered(50, 40, 1), numbered(51, 8, 3), numbered(52, 60, 2)}
	tests := []struct {
		name     string
		unsynced [][]Frame
		reason   string // why the row is here
	}{
		{"one commit", [][]Frame{group[:1]}, "the usual crash"},
		{"a group", [][]Frame{group}, "several frames of one write"},
		{"several appends", [][]Frame{group[:1], group[1:2], group[2:]}, "a store that syncs at intervals"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := write(t, test.unsynced...)
			if survived := w.withLast(w.last().cached).checkTorn(t, "undamaged"); survived != len(w.frames) {
				t.Errorf("undamaged: %d frames survived; want %d (%s)", survived, len(w.frames), test.reason)
			}
			undamaged, end := w.last().cached, w.ends[len(w.ends)-1]
			for at := w.durableEnd(); at < end; at++ {
				cut := slices.Clone(undamaged)
				clear(cut[at:])
				w.checkDamaged(t, fmt.Sprintf("zeros from %d on", at), cut)

				flipped := slices.Clone(undamaged)
				flipped[at] ^= 0x40
				w.checkDamaged(t, fmt.Sprintf("a bit flipped at %d", at), flipped)
			}
		})
	}
}

// checkDamaged replaces the bytes of the last segment by data. It checks that exactly the frames
// before the first damaged frame survive. damage describes the damage in error messages.
func (w *writtenLog) checkDamaged(t *testing.T, damage string, data []byte) {
	t.Helper()
	survived := w.withLast(data).checkTorn(t, damage)
	undamaged := w.first
	for undamaged < len(w.frames) && slices.Equal(data[:w.ends[undamaged]], w.last().cached[:w.ends[undamaged]]) {
		undamaged++
	}
	if survived != undamaged {
		t.Errorf("%s: %d frames survived; want %d", damage, survived, undamaged)
	}
}

// TestFramesWithinPayloads writes a payload that has the bytes of a frame of the same segment.
// After a torn frame, these bytes must not be taken for a frame that knew the torn one to be
// durable.
func TestFramesWithinPayloads(t *testing.T) {
	w := write(t)
	hidden := frame{payload: []byte("hidden"), values: 1, durable: w.durableEnd() + 100}
	copied := hidden.append(nil, 3, w.durableEnd()) // a payload cannot know its own offset
	payload := slices.Concat(make([]byte, 30), copied, make([]byte, 30))
	w = write(t, []Frame{numbered(50, 40, 1), {Payload: payload, Values: 1}})
	torn := slices.Clone(w.last().cached)
	torn[w.durableEnd()]++
	w.checkDamaged(t, "torn before a payload with a frame", torn)
	clear(torn[w.ends[len(w.ends)-2]:][:frameHeaderLen])
	w.checkDamaged(t, "torn before a payload with a frame, its header lost", torn)
}

// TestDroppedBytes checks the number of dropped bytes that is logged.
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
		{"all of it", func(s []byte) { clear(s[start:]) }, 0, "no byte of the write is on the disk"},
		{"the first payload", func(s []byte) { s[start+frameHeaderLen] ^= 1 }, end - start,
			"the undamaged second frame is dropped too"},
		{"the last payload", func(s []byte) { s[end-1] ^= 1 }, frameHeaderLen, "only the header is known to be there"},
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

// TestPowerCutLosesAnySectors loses each subset of the sectors that were not synced. A prefix of
// the frames must survive, with all synced frames.
func TestPowerCutLosesAnySectors(t *testing.T) {
	group := []Frame{
		numbered(50, 500, 1), numbered(51, 30, 3), numbered(52, 600, 2), numbered(53, 8, 1), numbered(54, 400, 1),
	}
	tests := []struct {
		name     string
		unsynced [][]Frame
		stale    byte   // the byte that lost sectors are filled with
		reason   string // why the row is here
	}{
		{"a group, zeros", [][]Frame{group}, 0, "one write into a new segment"},
		{"a group, garbage", [][]Frame{group}, 0xa5, "one write into a recycled segment"},
		{"several appends", [][]Frame{group[:1], group[1:3], group[3:]}, 0, "a store that syncs at intervals"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := write(t, test.unsynced...)
			undamaged, end := w.last().cached, w.ends[len(w.ends)-1]
			old := slices.Clone(undamaged)
			for at := w.durableEnd(); at < int64(len(old)); at++ {
				old[at] = test.stale
			}
			first, last := w.durableEnd()/sectorSize, (end-1)/sectorSize
			sectors := int(last - first + 1)
			if sectors < 4 {
				t.Fatalf("%d sectors; want at least 4 (%s)", sectors, test.reason)
			}
			for lost := range uint(1) << sectors {
				left := slices.Clone(undamaged)
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
