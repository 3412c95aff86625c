// SPDX-License-Identifier: Apache-2.0

package wal

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/disk/faultfs"
)

// FuzzLogRecovery damages a log: writes behind its last frame, overwrites a part of one segment,
// and cuts that off. What is recovered is a prefix of what was appended, with all before the first
// frame that was touched, or nothing is and the error says so; and the log goes on from there.
func FuzzLogRecovery(f *testing.F) {
	const whole = math.MaxUint16 // more bytes than any segment has
	filled := fillLog(f, newMemDisk())
	number, end, last := filled.number, filled.end, filled.frames[len(filled.frames)-1].Frame
	again := frame{payload: last.Payload, values: uint32(last.Values), durable: end}
	unreadable := again.append(nil, number, end)
	unreadable[frameHeaderLen]++
	// Garbage in one segment.
	f.Add(uint8(2), uint16(300), uint16(whole), []byte{0}, uint8(0), []byte(nil))
	f.Add(uint8(0), uint16(44), uint16(whole), []byte("\x00\x00\x00\x00"), uint8(3), []byte(nil))
	f.Add(uint8(1), uint16(8), uint16(whole), []byte("\x02"), uint8(0), []byte(nil))
	f.Add(uint8(2), uint16(0), uint16(60), []byte{}, uint8(0), []byte(nil))
	f.Add(uint8(2), uint16(0), uint16(whole), make([]byte, 700), uint8(20), []byte(nil))
	f.Add(uint8(2), uint16(44), uint16(whole), make([]byte, 2048), uint8(5), []byte(nil))
	// The segment that is ready, and not in use: its header, its size, what stands behind its
	// header.
	f.Add(uint8(3), uint16(24), uint16(whole), []byte("\x01"), uint8(0), []byte(nil))
	f.Add(uint8(3), uint16(0), uint16(0), []byte{}, uint8(0), []byte(nil))
	f.Add(uint8(3), uint16(44), uint16(whole), again.append(nil, number+1, segmentHeaderLen), uint8(0), []byte(nil))
	// Behind the last frame: noise; frames of another place and of another segment; a torn one; one
	// whose payload is damaged; half a header; a seal that belongs elsewhere.
	f.Add(uint8(2), uint16(whole), uint16(whole), []byte{}, uint8(0), []byte("noise"))
	f.Add(uint8(2), uint16(whole), uint16(whole), []byte{}, uint8(0), again.append(nil, number, end-1))
	f.Add(uint8(2), uint16(whole), uint16(whole), []byte{}, uint8(0), again.append(nil, number-1, end))
	f.Add(uint8(2), uint16(whole), uint16(whole), []byte{}, uint8(0), again.append(nil, number, end)[:100])
	f.Add(uint8(2), uint16(whole), uint16(whole), []byte{}, uint8(0), unreadable)
	f.Add(uint8(2), uint16(whole), uint16(whole), []byte{}, uint8(0), again.append(nil, number, end)[:10])
	f.Add(uint8(2), uint16(whole), uint16(whole), []byte{}, uint8(0), (&frame{}).append(nil, number, end+1))
	// Both: the last frame damaged, and behind it one that stands where it belongs and vouches for
	// it.
	f.Add(uint8(2), uint16(end-1), uint16(whole), []byte("!"), uint8(0), again.append(nil, number, end))
	f.Fuzz(func(t *testing.T, segment uint8, offset, size uint16, garbage []byte, watermark uint8, behind []byte) {
		d := newMemDisk()
		filled := fillLog(t, d)
		copy(d.cached[filled.path].cached[filled.end:], behind)
		paths := slices.Sorted(maps.Keys(d.cached))
		damaged := d.cached[paths[int(segment)%len(paths)]]
		if int(offset) < len(damaged.cached) {
			copy(damaged.cached[offset:], garbage)
		}
		damaged.cached = damaged.cached[:min(int(size), len(damaged.cached))]
		filled.adopt(d.cached[filled.path].cached)
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
		if least := filled.intact(d.cached[filled.path].cached); survived < least {
			t.Errorf("%d frames survived; %d are as they were written", survived, least)
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
		if err := errors.Join(log.Check(), log.Close(false)); err != nil {
			t.Fatal(err)
		}
		recovery, err = scanReading(t, d, posted)
		if err != nil {
			t.Fatalf("Scan of what was recovered: %v", err)
		}
		if got := checkReplay(t, recovery, append(frames[:survived:survived], added), posted); got != survived+1 {
			t.Errorf("%d frames survived the second time; want %d", got, survived+1)
		}
	})
}

// filled is a log of several segments, the last group of it not synced, with the next one ready.
type filled struct {
	frames []testFrame
	first  int    // index of the first frame in the last segment in use
	path   string // of that segment
	number uint64
	end    int64  // offset behind the last frame in it
	begins int64  // offset of the first
	whole  []byte // what that segment held
}

// intact is how many frames there are before the first whose bytes are not what was written: all
// that are in full segments, which have been synced and vouched for, and those in the last.
func (l *filled) intact(segment []byte) int {
	at := l.begins
	for i := l.first; ; i++ {
		f, state := readFrame(l.whole, l.number, at)
		if state != goodFrame || f.sealed() {
			return i
		}
		end := at + f.size()
		if end > int64(len(segment)) || !bytes.Equal(segment[at:end], l.whole[at:end]) {
			return i
		}
		at = end
	}
}

// adopt takes what was put behind the last frame for appended, where it happens to be a frame.
func (l *filled) adopt(segment []byte) {
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

func fillLog(t testing.TB, d *memDisk) (l filled) {
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
	l.whole = bytes.Clone(d.cached[l.path].cached)
	return l
}

// scanReading scans a log and fails the test if that changes anything.
func scanReading(t testing.TB, d *memDisk, watermark uint64) (*Recovery, error) {
	t.Helper()
	fsys := faultfs.New(d)
	fsys.SetHook(func(op faultfs.Op) error {
		if op.Name != faultfs.Read && op.Name != faultfs.ReadDir {
			t.Errorf("Scan does a %s of %s", op.Name, op.Path)
		}
		return nil
	})
	recovery, err := Scan(crashDir, fsys, watermark)
	fsys.SetHook(nil)
	return recovery, err
}

// checkReplay checks that what is replayed is a prefix of frames, without those in the tree, and
// returns how long it is.
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
