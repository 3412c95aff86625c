// SPDX-License-Identifier: Apache-2.0

package wal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/disk/faultfs"
)

// FuzzLogRecovery damages a log: it writes bytes after the last frame, overwrites a part of one
// segment and cuts that segment off. Recovery must return an error that says so, or a prefix of the
// frames with all frames before the first changed one. After that the log must stay usable.
func FuzzLogRecovery(f *testing.F) {
	addLogSeeds(f)
	f.Fuzz(func(t *testing.T, segment uint8, offset, size uint16, garbage []byte, watermark uint8, after []byte) {
		d := newMemDisk()
		filled := fillLog(t, d)
		copy(d.cached[filled.path].cached[filled.end:], after)
		paths := slices.Sorted(maps.Keys(d.cached))
		damaged := d.cached[paths[int(segment)%len(paths)]]
		if int(offset) < len(damaged.cached) {
			copy(damaged.cached[offset:], garbage)
		}
		damaged.cached = damaged.cached[:min(int(size), len(damaged.cached))]
		filled.addFrames(d.cached[filled.path].cached)
		frames := filled.frames

		posted := uint64(watermark) % (frames[len(frames)-1].last() + 1)
		recovery, err := scanReading(t, d, posted)
		if err != nil {
			if !errors.Is(err, daybook.ErrCorrupt) && !errors.Is(err, daybook.ErrVersion) {
				t.Errorf("Scan: got %v, want ErrCorrupt or ErrVersion", err)
			}
			return
		}
		survived := checkReplay(t, recovery, frames, posted)
		if unchanged := filled.unchanged(d.cached[filled.path].cached); survived < unchanged {
			t.Errorf("%d frames survived; the first %d are unchanged", survived, unchanged)
		}
		log, err := recovery.Open(0, testOptions())
		if err != nil {
			t.Fatal(err)
		}
		sequence := recovery.NextSequence()
		added := testFrame{Frame{Payload: []byte("added"), Values: 2}, sequence}
		if got, err := log.Append([]Frame{added.Frame}); got != sequence || err != nil {
			t.Fatalf("Append: got %d, %v; want %d", got, err, sequence)
		}
		if err := errors.Join(log.Check(context.Background()), log.Close(false)); err != nil {
			t.Fatal(err)
		}
		recovery, err = scanReading(t, d, posted)
		if err != nil {
			t.Fatalf("Scan after the recovery: %v", err)
		}
		if got := checkReplay(t, recovery, append(frames[:survived:survived], added), posted); got != survived+1 {
			t.Errorf("%d frames survived the second recovery; want %d", got, survived+1)
		}
	})
}

// addLogSeeds adds one input for each kind of damage.
func addLogSeeds(f *testing.F) {
	const uncut = math.MaxUint16 // more bytes than any segment has: nothing is cut off
	filled := fillLog(f, newMemDisk())
	number, end, last := filled.number, filled.end, filled.frames[len(filled.frames)-1].Frame
	again := frame{payload: last.Payload, values: uint32(last.Values), durable: end}
	unreadable := again.append(nil, number, end)
	unreadable[frameHeaderLen]++
	// Garbage in one segment.
	f.Add(uint8(2), uint16(300), uint16(uncut), []byte{0}, uint8(0), []byte(nil))
	f.Add(uint8(0), uint16(44), uint16(uncut), []byte("\x00\x00\x00\x00"), uint8(3), []byte(nil))
	f.Add(uint8(1), uint16(8), uint16(uncut), []byte("\x02"), uint8(0), []byte(nil))
	f.Add(uint8(2), uint16(0), uint16(60), []byte{}, uint8(0), []byte(nil))
	f.Add(uint8(2), uint16(0), uint16(uncut), make([]byte, 700), uint8(20), []byte(nil))
	f.Add(uint8(2), uint16(44), uint16(uncut), make([]byte, 2048), uint8(5), []byte(nil))
	// The segment that is ready and not in use: its header, its size, the bytes after its header.
	f.Add(uint8(3), uint16(24), uint16(uncut), []byte("\x01"), uint8(0), []byte(nil))
	f.Add(uint8(3), uint16(0), uint16(0), []byte{}, uint8(0), []byte(nil))
	f.Add(uint8(3), uint16(44), uint16(uncut), again.append(nil, number+1, segmentHeaderLen), uint8(0), []byte(nil))
	// After the last frame: noise; frames of another offset and of another segment; a torn frame; a
	// frame with a damaged payload; half a header; a seal of another offset.
	f.Add(uint8(2), uint16(uncut), uint16(uncut), []byte{}, uint8(0), []byte("noise"))
	f.Add(uint8(2), uint16(uncut), uint16(uncut), []byte{}, uint8(0), again.append(nil, number, end-1))
	f.Add(uint8(2), uint16(uncut), uint16(uncut), []byte{}, uint8(0), again.append(nil, number-1, end))
	f.Add(uint8(2), uint16(uncut), uint16(uncut), []byte{}, uint8(0), again.append(nil, number, end)[:100])
	f.Add(uint8(2), uint16(uncut), uint16(uncut), []byte{}, uint8(0), unreadable)
	f.Add(uint8(2), uint16(uncut), uint16(uncut), []byte{}, uint8(0), again.append(nil, number, end)[:10])
	f.Add(uint8(2), uint16(uncut), uint16(uncut), []byte{}, uint8(0), (&frame{}).append(nil, number, end+1))
	// Both: a damaged last frame, and after it a valid frame that vouches for the damaged one.
	f.Add(uint8(2), uint16(end-1), uint16(uncut), []byte("!"), uint8(0), again.append(nil, number, end))
}

// filledLog is a closed log of several segments. Its last group of frames is not synced, and its
// next segment is ready.
type filledLog struct {
	frames []testFrame
	first  int    // index of the first frame in the last segment in use
	path   string // of that segment
	number uint64 // of that segment
	end    int64  // offset after its last frame
	begins int64  // offset of its first frame
	bytes  []byte // the bytes of that segment
}

// unchanged returns the number of frames before the first frame with changed bytes. Frames in full
// segments count as unchanged, because they were synced and have a seal.
func (l *filledLog) unchanged(segment []byte) int {
	at := l.begins
	for i := l.first; ; i++ {
		f, state := readFrame(l.bytes, l.number, at)
		if state != goodFrame || f.sealed() {
			return i
		}
		end := at + f.size()
		if end > int64(len(segment)) || !bytes.Equal(segment[at:end], l.bytes[at:end]) {
			return i
		}
		at = end
	}
}

// addFrames adds the frames that happen to be in the bytes after the last frame.
func (l *filledLog) addFrames(segment []byte) {
	for {
		f, state := readFrame(segment, l.number, l.end)
		if state != goodFrame || f.sealed() {
			return
		}
		next := l.frames[len(l.frames)-1].last() + 1
		l.frames = append(l.frames, placed(next, Frame{Payload: bytes.Clone(f.payload), Values: int(f.values)})...)
		l.end += f.size()
	}
}

// fillLog writes a filledLog to a disk.
func fillLog(t testing.TB, d *memDisk) (l filledLog) {
	t.Helper()
	log := mustOpen(t, d, 0, 0)
	next := uint64(1)
	for i := range 40 {
		frame := Frame{Payload: bytes.Repeat([]byte{byte('a' + i%26)}, 10+i*7), Values: 1 + i%3}
		copy(frame.Payload, fmt.Sprintf("%08d", i))
		mustAppend(t, log, frame)
		if log.active.number != l.number {
			l.first, l.path, l.number, l.begins = i, log.active.path, log.active.number, segmentHeaderLen
		}
		l.frames = append(l.frames, testFrame{frame, next})
		next += uint64(frame.Values)
		if i < 36 {
			mustSync(t, log)
		}
	}
	l.end = log.active.end
	if err := log.Close(false); err != nil {
		t.Fatal(err)
	}
	l.bytes = bytes.Clone(d.cached[l.path].cached)
	return l
}

// scanReading calls Scan and checks that it only reads.
func scanReading(t testing.TB, d *memDisk, watermark uint64) (*Recovery, error) {
	t.Helper()
	fsys := faultfs.New(d)
	fsys.SetHook(func(op faultfs.Op) error {
		if op.Name != faultfs.Read && op.Name != faultfs.ReadDir {
			t.Errorf("Scan does a %s of %s", op.Name, op.Path)
		}
		return nil
	})
	recovery, err := Scan(crashDir, fsys, knownAt(watermark))
	fsys.SetHook(nil)
	return recovery, err
}

// checkReplay checks that Replay yields a prefix of frames, without the frames in the tree. It
// returns the length of that prefix.
func checkReplay(t testing.TB, recovery *Recovery, frames []testFrame, watermark uint64) (survived int) {
	t.Helper()
	for survived < len(frames) && frames[survived].sequence <= watermark {
		survived++
	}
	err := recovery.Replay(func(sequence uint64, payload []byte, values int) error {
		if survived == len(frames) {
			return fmt.Errorf("frame %.8q at %d was never appended", payload, sequence)
		}
		want := frames[survived]
		if sequence != want.sequence || values != want.Values || !bytes.Equal(payload, want.Payload) {
			return fmt.Errorf("frame %.8q of %d bytes at %d; want %.8q of %d bytes at %d",
				payload, len(payload), sequence, want.Payload, len(want.Payload), want.sequence)
		}
		survived++
		return nil
	})
	if err != nil {
		t.Fatalf("Replay after %d frames: %v", survived, err)
	}
	return survived
}
