// SPDX-License-Identifier: Apache-2.0

package wal

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/disk/faultfs"
	"github.com/daybook-db/daybook/engine/internal/identity"
)

// crashDir is the log's directory on a memDisk.
var crashDir = filepath.FromSlash("/wal")

// errOff is the error of every operation of the disk after the power has gone off.
var errOff = errors.New("the power is off")

// machine is a log that goes through crashes, and the frames that must survive them.
type machine struct {
	t    *rapid.T
	disk *memDisk
	fs   *faultfs.FS
	log  *Log // nil: must be recovered first

	frames       []testFrame // the appended frames, oldest first; a crash may have lost the last ones
	acknowledged int         // number of frames for which Append returned nil
	durable      int         // number of frames for which Sync returned nil
	watermark    uint64      // values up to this sequence number are in the tree
	notBefore    uint64      // segment number that the tree keeps with the watermark
	next         uint64      // sequence number of the next value
	serial       int         // makes every payload different
	failed       bool        // a write failed since the last Sync, so a power cut may restore its frames
	full         bool        // the disk has no room for another file

	session *testSession
	saved   identity.Identity         // that the tree has
	now     identity.Identity         // of the log
	seen    map[daybook.Cursor]string // the payload of each frame that was readable at any time
}

// testFrame is a frame and the sequence number of its first value.
type testFrame struct {
	Frame
	sequence uint64
}

func (f testFrame) String() string {
	return fmt.Sprintf("%.8q: %d bytes, %d values from %d", f.Payload, len(f.Payload), f.Values, f.sequence)
}

func (f testFrame) last() uint64 { return f.sequence + uint64(f.Values) - 1 }

// choose returns a number from 0 to n-1.
func (m *machine) choose(n int) int {
	if n == 1 {
		return 0
	}
	return rapid.IntRange(0, n-1).Draw(m.t, "choice")
}

// newFrame returns a frame with a new payload.
func (m *machine) newFrame() Frame {
	m.serial++
	length := rapid.SampledFrom([]int{8, 20, 100, 470, 512, 600, 1500, 3000}).Draw(m.t, "length")
	payload := bytes.Repeat([]byte{byte('a' + m.serial%26)}, length)
	copy(payload, fmt.Sprintf("%08d", m.serial))
	return Frame{Payload: payload, Values: rapid.IntRange(1, 3).Draw(m.t, "values")}
}

func (m *machine) append(*rapid.T) {
	var frames []Frame
	for range rapid.IntRange(1, 4).Draw(m.t, "frames") {
		frames = append(frames, m.newFrame())
	}
	m.open()
	sequence, err := m.log.Append(frames)
	if err == nil && sequence != m.next {
		m.t.Fatalf("Append returned sequence number %d; want %d", sequence, m.next)
	}
	switch {
	case errors.Is(err, faultfs.ErrInjected):
		m.failed = true
		return // none of them is in the log
	case errors.Is(err, daybook.ErrNoSpace) && m.full:
		return // nor is it then
	}
	for _, f := range frames {
		m.frames = append(m.frames, testFrame{f, m.next})
		m.next += uint64(f.Values)
	}
	if err == nil {
		m.acknowledged = len(m.frames)
		return
	}
	m.crashAfter(err)
}

func (m *machine) sync(*rapid.T) {
	m.open()
	if err := m.log.Sync(); err != nil {
		m.crashAfter(err)
		return
	}
	m.failed = m.failed && m.durable == m.acknowledged // with nothing new, Sync does nothing
	m.durable = m.acknowledged
}

// prepare makes the next segment ready. The log would do so in the background at any time, and then
// a run could not be repeated.
func (m *machine) prepare(*rapid.T) {
	m.open()
	m.log.pool.stopped = false
	m.log.PrepareSegment()
	m.log.pool.stop()
}

// post moves the watermark, like a checkpoint.
func (m *machine) post(*rapid.T) {
	m.open()
	if posted := m.choose(m.acknowledged + 1); posted > 0 {
		m.watermark = max(m.watermark, m.frames[posted-1].last())
	}
	m.notBefore, m.saved = m.log.LastSegment(), m.now
	m.log.ReleaseEvidence()
	m.log.Release(m.watermark)
}

// makeSpace removes what the log does not need, as a full store does without a checkpoint.
func (m *machine) makeSpace(*rapid.T) {
	m.open()
	m.log.Release(m.watermark)
	m.log.RemoveReleased()
}

// fill fills the disk, or makes room on it.
func (m *machine) fill(*rapid.T) { m.full = !m.full }

// setHook sets what happens before each operation of the disk, beside the full disk.
func (m *machine) setHook(before func(faultfs.Op) error) {
	m.fs.SetHook(func(op faultfs.Op) error {
		if m.full && op.Name == faultfs.Create {
			return faultfs.ErrDiskFull
		}
		return before(op)
	})
}

func noFault(faultfs.Op) error { return nil }

// see is a reader that reads every frame as soon as it is written, before anybody knows whether it
// will stay. Within an epoch it must never find two frames with one number.
func (m *machine) see(file *memFile) {
	header, err := decodeSegmentHeader(file.cached)
	if err != nil || header.prepared() {
		return
	}
	sequence := header.firstSequence
	for at := header.len(); ; {
		f, state := readFrame(file.cached, header.number, at)
		if state != goodFrame || f.sealed() {
			return
		}
		cursor, payload := daybook.Cursor{Epoch: header.origin.Epoch, Sequence: sequence}, string(f.payload)
		if before, ok := m.seen[cursor]; ok && before != payload {
			m.t.Fatalf("%v was frame %.8q, and is frame %.8q now", cursor, before, payload)
		}
		m.seen[cursor] = payload
		at += f.size()
		sequence += uint64(f.values)
	}
}

// checkCursors verifies that the cursor of a frame is a place in the history if and only if the
// history has that frame.
func (m *machine) checkCursors() {
	m.t.Helper()
	here := make(map[uint64]string)
	for _, f := range m.frames {
		here[f.sequence] = string(f.Payload)
	}
	for cursor, payload := range m.seen {
		after, err := m.now.Resolve(cursor, m.next-1)
		if is := here[cursor.Sequence] == payload; is != (err == nil) || is && after != cursor.Sequence {
			m.t.Fatalf("%v of frame %.8q: got %d, %v; the history has it: %v", cursor, payload, after, err, is)
		}
	}
}

// closeEmpty closes the log like a store whose tree has all values.
func (m *machine) closeEmpty(*rapid.T) {
	m.open()
	m.watermark, m.notBefore, m.saved = max(m.watermark, m.next-1), m.log.LastSegment(), m.now
	err := m.session.writeDurably(nil)
	if err == nil {
		err = m.log.Close(true)
	}
	if err != nil {
		m.crashAfter(err)
	}
	m.log = nil
}

// turnOffSoon makes the power go off at one of the next operations of the disk. A write may be half
// done then. But the first sector of a segment, which has its header, is written as a whole or not
// at all.
func (m *machine) turnOffSoon(*rapid.T) {
	m.open()
	m.turnOffAfter(rapid.IntRange(0, 12).Draw(m.t, "operations left"))
}

func (m *machine) turnOffAfter(left int) {
	written := rapid.SampledFrom([]int{0, 20, 44, 512, 1000, 1 << 20}).Draw(m.t, "bytes written")
	m.setHook(func(op faultfs.Op) error {
		if left--; left >= 0 {
			return nil
		}
		off := &faultfs.PartialError{Err: errOff}
		if left == -1 && (op.Offset > 0 || written >= min(sectorSize, len(op.Data))) {
			off.Written = written
		}
		return off
	})
}

// failSoon makes one of the next operations of the disk fail, and no other. A write may be half
// done then.
func (m *machine) failSoon(*rapid.T) {
	m.open()
	m.failAfter(rapid.IntRange(0, 12).Draw(m.t, "operations left"))
}

func (m *machine) failAfter(left int) {
	written := rapid.SampledFrom([]int{0, 20, 44, 512, 1000, 1 << 20}).Draw(m.t, "bytes written")
	m.setHook(func(faultfs.Op) error {
		if left--; left == -1 {
			return &faultfs.PartialError{Written: written, Err: faultfs.ErrInjected}
		}
		return nil
	})
}

// crashAfter ends the process after an error. If the power is off, it may cut the power too.
func (m *machine) crashAfter(err error) {
	m.t.Helper()
	switch {
	case errors.Is(err, faultfs.ErrInjected):
		m.crash(false)
		return
	case !errors.Is(err, errOff):
		m.t.Fatal(err)
	}
	m.crash(rapid.Bool().Draw(m.t, "power cut"))
}

// open recovers the log if it is not open.
func (m *machine) open() {
	m.t.Helper()
	for m.log == nil {
		m.recover()
	}
}

// crash ends the process. With powerCut it loses changes that were not synced.
func (m *machine) crash(powerCut bool) {
	m.log = nil
	m.setHook(noFault)
	if powerCut && !m.failed {
		m.disk.cutPower(m.choose)
		m.acknowledged = m.durable
	}
}

func (m *machine) recover() {
	m.t.Helper()
	want, closed, err := readTestSession(m.fs, m.saved)
	if err != nil {
		m.crashAfter(err)
		return
	}
	recovery, err := Scan(crashDir, m.fs, Known{Watermark: m.watermark, Identity: m.saved, Expected: want})
	if err != nil {
		m.crashAfter(err)
		return
	}
	survived := m.replayed(recovery)
	if survived < m.acknowledged {
		m.t.Fatalf("%d frames survived; %d must have, of %d", survived, m.acknowledged, len(m.frames))
	}
	m.frames = m.frames[:survived]
	m.next = m.watermark + 1
	if survived > 0 {
		m.next = max(m.next, m.frames[survived-1].last()+1)
	}
	if got := recovery.NextSequence(); got != m.next {
		m.t.Fatalf("the next value is %d; want %d", got, m.next)
	}
	m.acknowledged = survived
	opts := m.options(recovery, closed)
	log, err := recovery.Open(m.notBefore, opts)
	if err == nil {
		m.session.file, err = m.fs.Open(sessionPath)
	}
	if m.session.now, m.session.synced = nil, true; err == nil && (!closed || opts.KeepEvidence) {
		err = m.session.writeDurably(&Expected{Sequence: m.next - 1, Origin: opts.Origin})
	}
	if err != nil {
		m.crashAfter(err)
		return
	}
	log.pool.stop()
	m.log = log
}

// options begins a new epoch where one is needed, as the engine does.
func (m *machine) options(recovery *Recovery, closed bool) Options {
	opts := testOptions()
	opts.Session = m.session
	m.now, opts.Origin = recovery.Identity(), recovery.Identity().Origin()
	if recovery.Unclean() || !closed {
		m.now, opts.Origin = m.now.BeginRandom(m.next-1, recovery.EpochUsed())
		opts.KeepEvidence = recovery.Unclean()
	}
	opts.OnUndo = func(shared uint64) (origin identity.Origin) {
		m.now, origin = m.now.BeginRandom(shared, true)
		return origin
	}
	m.checkCursors()
	return opts
}

// replayed checks that Replay yields the frames that were appended. It returns the number of frames
// that survived.
func (m *machine) replayed(recovery *Recovery) (survived int) {
	m.t.Helper()
	for survived < len(m.frames) && m.frames[survived].last() <= m.watermark {
		survived++ // its values are in the tree
	}
	err := recovery.Replay(func(sequence uint64, payload []byte, values int) error {
		if survived == len(m.frames) {
			return fmt.Errorf("frame %.8q was not appended after the others", payload)
		}
		want := m.frames[survived]
		if sequence != want.sequence || values != want.Values || !bytes.Equal(payload, want.Payload) {
			return fmt.Errorf("frame %.8q of %d bytes at %d; want %.8q of %d bytes at %d",
				payload, len(payload), sequence, want.Payload, len(want.Payload), want.sequence)
		}
		survived++
		return nil
	})
	if err != nil {
		m.t.Fatalf("Replay after %d frames: %v", survived, err)
	}
	return survived
}

// newMachine returns a machine with an empty log.
func newMachine(t *rapid.T) *machine {
	d := newMemDisk()
	m := &machine{t: t, disk: d, fs: faultfs.New(d), next: 1, saved: identity.New()}
	m.seen, d.written = make(map[daybook.Cursor]string), m.see
	m.session = &testSession{fs: m.fs}
	m.setHook(noFault)
	if err := m.session.create(); err != nil {
		t.Fatal(err)
	}
	return m
}

// TestCrashes runs logs through process crashes and power cuts at any operation of the disk, also
// during recovery and while a segment is made.
func TestCrashes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newMachine(t)
		t.Repeat(map[string]func(*rapid.T){
			"append":       m.append,
			"append more":  m.append,
			"append again": m.append,
			"sync":         m.sync,
			"sync more":    m.sync,
			"post":         m.post,
			"prepare":      m.prepare,
			"make space":   m.makeSpace,
			"close":        m.closeEmpty,
			"turn off":     m.turnOffSoon,
			"fail":         m.failSoon,
			"fill":         m.fill,
			"process crash": func(*rapid.T) {
				m.crash(false)
			},
			"power cut": func(*rapid.T) {
				m.crash(true)
			},
		})
		m.open()
		m.sync(t)
		m.crash(true)
		m.open()
	})
}
