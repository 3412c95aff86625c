// SPDX-License-Identifier: Apache-2.0

package wal

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"path/filepath"
	"sync"
	"time"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/disk"
)

// Options configure Recovery.Open. All fields are required.
type Options struct {
	FirstSegmentSize int64 // of the first segment created, in bytes; each further one doubles it
	SegmentSize      int64 // of a segment, at most, unless one frame needs more
	KeepReleased     int64 // bytes of released segments that are kept for reuse
	Logger           *slog.Logger
	OnSync           func(took time.Duration) // told of each fdatasync of frames
}

// Frame is what one Store or StoreBatch appends.
type Frame struct {
	Payload []byte // 1 to MaxPayload bytes
	Values  int    // how many values it holds, at least 1
}

// Log is an open write-ahead log. Append is called by one goroutine at a time; the other methods by any.
type Log struct {
	dir  string
	fs   disk.FS
	opts Options

	// What only the appender touches, beside what mu guards.
	buffer []byte
	next   uint64 // sequence number of the next value

	// syncMu is held while frames are made durable and while the active segment changes. It is taken
	// before mu.
	syncMu sync.Mutex

	// mu guards what follows. It is held for moments only, never during I/O.
	mu      sync.Mutex
	active  *activeSegment // nil before the first append
	sealed  []extent       // used segments before the active one, oldest first
	failure error          // not nil: poisoned

	spares
}

// activeSegment is the one that is written to.
type activeSegment struct {
	extent
	file    disk.File
	durable int64 // offset up to which it is durable
}

func newLog(dir string, fsys disk.FS, opts Options, nextNumber, nextSequence uint64) *Log {
	l := &Log{dir: dir, fs: fsys, opts: opts, next: nextSequence}
	l.spares = spares{nextNumber: nextNumber, nextSize: opts.FirstSegmentSize}
	return l
}

// Append writes frames behind one another with one write, and returns the sequence number of their
// first value. Of more than one the payloads have MaxGrouped bytes at most. They are durable after Sync.
// After an error none of them is in the log; the log is still usable unless Failure says otherwise.
func (l *Log) Append(frames []Frame) (firstSequence uint64, err error) {
	if err := l.Failure(); err != nil {
		return 0, err
	}
	size, values := int64(0), uint64(0)
	for _, f := range frames {
		size += frameHeaderLen + int64(len(f.Payload))
		values += uint64(f.Values)
	}
	if values > math.MaxUint64-l.next {
		return 0, errors.New("daybook: all sequence numbers have been used")
	}
	active, err := l.roomFor(size)
	if err != nil {
		return 0, err
	}
	l.encode(active, frames)
	if _, err := active.file.WriteAt(l.buffer, active.end); err != nil {
		return 0, l.rollBack(active, err)
	}
	if cap(l.buffer) > mostBuffered {
		l.buffer = nil
	}
	firstSequence = l.next
	l.next += values
	l.mu.Lock()
	active.end += size
	active.lastSequence += values
	l.mu.Unlock()
	return firstSequence, nil
}

// mostBuffered is the largest write buffer that is kept for the next append.
const mostBuffered = 4 << 20

func (l *Log) encode(active *activeSegment, frames []Frame) {
	l.mu.Lock()
	durable := active.durable
	l.mu.Unlock()
	l.buffer = l.buffer[:0]
	for _, f := range frames {
		encoded := frame{payload: f.Payload, values: uint32(f.Values), durable: durable}
		l.buffer = encoded.append(l.buffer, active.number, active.end+int64(len(l.buffer)))
	}
}

// rollBack erases, durably, what a failed write left behind the last good frame, since a part of it may be
// good frames whose callers are being told that they are not there. If that fails the log is poisoned.
func (l *Log) rollBack(active *activeSegment, cause error) error {
	clear(l.buffer)
	_, err := active.file.WriteAt(l.buffer, active.end)
	if err == nil {
		err = active.file.Datasync()
	}
	if err != nil {
		return l.poison(fmt.Errorf("a failed write could not be undone: %w", errors.Join(cause, err)))
	}
	return disk.WrapNoSpace(cause)
}

// Sync makes durable everything that Append wrote before it was called. When it fails, nothing is known
// of what was written since the last time, so the log is poisoned until it is opened again.
func (l *Log) Sync() error {
	l.syncMu.Lock()
	defer l.syncMu.Unlock()
	return l.syncLocked()
}

// syncLocked needs syncMu held, which keeps the active segment from changing.
func (l *Log) syncLocked() error {
	if err := l.Failure(); err != nil {
		return err
	}
	l.mu.Lock()
	active := l.active
	var end int64
	if active != nil {
		end = active.end
	}
	l.mu.Unlock()
	if active == nil || active.durable == end {
		return nil
	}
	start := time.Now()
	if err := active.file.Datasync(); err != nil {
		return l.poison(err)
	}
	l.opts.OnSync(time.Since(start))
	l.mu.Lock()
	active.durable = end
	l.mu.Unlock()
	return nil
}

// Failure returns why the log takes no more writes, or nil.
func (l *Log) Failure() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failure
}

func (l *Log) poison(cause error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failure == nil {
		l.failure = fmt.Errorf("%w: the log: %w", daybook.ErrFailed, cause)
	}
	return l.failure
}

// roomFor returns the active segment, a new one if size bytes and a seal do not fit behind its frames.
func (l *Log) roomFor(size int64) (*activeSegment, error) {
	if a := l.active; a != nil && a.end+size+frameHeaderLen <= a.size {
		return a, nil
	}
	next, err := l.takeSpare(segmentHeaderLen + size + frameHeaderLen)
	if err != nil {
		return nil, disk.WrapNoSpace(err)
	}
	if err := l.activate(next); err != nil {
		if poisoned := l.Failure(); poisoned != nil {
			return nil, poisoned
		}
		return nil, disk.WrapNoSpace(err)
	}
	return l.active, nil
}

// activate seals the active segment and puts the spare in its place. The sealed one is durable before
// the first frame of the new one is written, in every mode: a torn tail is in the last segment only. The
// new one's header becomes durable with its first frames.
func (l *Log) activate(next spare) error {
	file, err := l.fs.Open(next.path)
	if err != nil {
		l.giveBack(next)
		return err
	}
	l.syncMu.Lock()
	defer l.syncMu.Unlock()
	if err := l.sealActiveLocked(); err != nil {
		_ = file.Close()
		l.giveBack(next)
		return err
	}
	header := segmentHeader{number: next.number, firstSequence: l.next, size: next.size}
	if _, err := file.WriteAt(header.append(nil), 0); err != nil {
		_ = file.Close()
		l.discard(next)
		return err
	}
	a := &activeSegment{file: file, extent: extent{
		number: next.number, path: next.path, size: next.size,
		firstSequence: l.next, lastSequence: l.next - 1, end: segmentHeaderLen,
	}}
	l.mu.Lock()
	l.active = a
	l.mu.Unlock()
	return nil
}

// sealActiveLocked ends the active segment, if there is one. It needs syncMu held.
func (l *Log) sealActiveLocked() error {
	a := l.active
	if a == nil {
		return nil
	}
	seal := frame{durable: a.durable}
	if _, err := a.file.WriteAt(seal.append(nil, a.number, a.end), a.end); err != nil {
		return err // whatever stands there now, the next frame overwrites it
	}
	start := time.Now()
	if err := a.file.Datasync(); err != nil {
		return l.poison(err)
	}
	l.opts.OnSync(time.Since(start))
	l.mu.Lock()
	a.sealed = true
	l.active, l.sealed = nil, append(l.sealed, a.extent)
	l.mu.Unlock()
	_ = a.file.Close() // everything in it is durable
	return nil
}

// Release gives up the sealed segments whose values are all at or below watermark, for reuse. The
// watermark must be durable.
func (l *Log) Release(watermark uint64) {
	l.mu.Lock()
	done := 0
	for done < len(l.sealed) && l.sealed[done].lastSequence <= watermark {
		done++
	}
	freed := l.sealed[:done:done]
	l.sealed = l.sealed[done:]
	l.mu.Unlock()
	for _, e := range freed {
		l.giveBack(spare{path: e.path, size: e.size})
	}
}

// LastSegment is the greatest segment number given out. Kept with the watermark, and passed to
// Recovery.Open, it keeps numbers from being used again after the segments have been removed.
func (l *Log) LastSegment() uint64 {
	l.spares.mu.Lock()
	defer l.spares.mu.Unlock()
	return l.nextNumber - 1
}

// Size is how many bytes the segments occupy, those kept for reuse included.
func (l *Log) Size() int64 {
	l.mu.Lock()
	total := int64(0)
	if l.active != nil {
		total = l.active.size
	}
	for _, e := range l.sealed {
		total += e.size
	}
	l.mu.Unlock()
	return total + l.spareBytes()
}

// Close closes the log. With clear it also removes every segment, which is right only when the tree
// holds all values durably. No other method may be called during or after it.
func (l *Log) Close(clear bool) error {
	l.stopPreparing()
	var errs []error
	if l.active != nil {
		errs = append(errs, l.active.file.Close())
	}
	if clear {
		errs = append(errs, l.removeAll())
	}
	return errors.Join(errs...)
}

func (l *Log) removeAll() error {
	entries, err := l.fs.ReadDir(l.dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if _, ok := numberOf(entry.Name()); ok || temporaryName.MatchString(entry.Name()) {
			if err := l.fs.Remove(filepath.Join(l.dir, entry.Name())); err != nil {
				return err
			}
		}
	}
	return l.fs.SyncDir(l.dir)
}
