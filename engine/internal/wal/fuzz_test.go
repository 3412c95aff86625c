// SPDX-License-Identifier: Apache-2.0

package wal

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/disk/faultfs"
)

// FuzzLogRecovery damages one segment of a log: cuts it off or overwrites a part. What is recovered is a
// prefix of what was appended, or nothing is and the error says so; and the log goes on from there.
func FuzzLogRecovery(f *testing.F) {
	f.Add(uint8(2), uint16(300), uint16(math.MaxUint16), []byte{0}, uint8(0))
	f.Add(uint8(0), uint16(44), uint16(math.MaxUint16), []byte("\x00\x00\x00\x00"), uint8(3))
	f.Add(uint8(1), uint16(8), uint16(math.MaxUint16), []byte("\x02"), uint8(0))
	f.Add(uint8(2), uint16(0), uint16(60), []byte{}, uint8(0))
	f.Add(uint8(2), uint16(0), uint16(math.MaxUint16), make([]byte, 700), uint8(20))
	f.Add(uint8(2), uint16(44), uint16(math.MaxUint16), make([]byte, 2048), uint8(5))
	f.Fuzz(func(t *testing.T, segment uint8, offset, size uint16, garbage []byte, watermark uint8) {
		d := newMemDisk()
		frames := fillLog(t, d)
		segments := segmentsOf(t, d)
		damaged := d.cached[segments[int(segment)%len(segments)]]
		if int(offset) < len(damaged.cached) {
			copy(damaged.cached[offset:], garbage)
		}
		damaged.cached = damaged.cached[:min(int(size), len(damaged.cached))]

		posted := uint64(watermark) % (frames[len(frames)-1].last() + 1)
		recovery, err := scanReading(t, d, posted)
		if err != nil {
			if !errors.Is(err, daybook.ErrCorrupt) && !errors.Is(err, daybook.ErrVersion) {
				t.Errorf("Scan: got %v, want ErrCorrupt or ErrVersion", err)
			}
			return
		}
		survived := checkReplay(t, recovery, frames, posted)
		log, err := recovery.Open(0, testOptions())
		if err != nil {
			t.Fatal(err)
		}
		sequence := recovery.NextSequence()
		added := testFrame{Frame{Payload: []byte("added"), Values: 2}, sequence}
		if got, err := log.Append([]Frame{added.Frame}); got != sequence || err != nil {
			t.Fatalf("Append: got %d, %v; want %d", got, err, sequence)
		}
		if err := log.Close(false); err != nil {
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

// fillLog appends frames to several segments, the last ones without a sync.
func fillLog(t testing.TB, d *memDisk) (frames []testFrame) {
	t.Helper()
	log := mustOpen(t, d, 0, 0)
	next := uint64(1)
	for i := range 40 {
		frame := Frame{Payload: bytes.Repeat([]byte{byte('a' + i%26)}, 10+i*7), Values: 1 + i%3}
		copy(frame.Payload, fmt.Sprintf("%08d", i))
		mustAppend(t, log, frame)
		frames = append(frames, testFrame{frame, next})
		next += uint64(frame.Values)
		if i < 36 {
			mustSync(t, log)
		}
	}
	if err := log.Close(false); err != nil {
		t.Fatal(err)
	}
	return frames
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

// checkReplay checks that what is replayed is a prefix of frames, without those in the tree, and returns
// how long it is.
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
