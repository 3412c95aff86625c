// SPDX-License-Identifier: Apache-2.0

package wal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"path/filepath"
	"sync"
	"time"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/disk"
	"github.com/daybook-db/daybook/engine/internal/identity"
)

// Options configure Recovery.Open. Sizes are in bytes; all of them, Logger and OnSync are required.
type Options struct {
	FirstSegmentSize int64 // size of the first segment; each new one is twice as large, up to SegmentSize
	SegmentSize      int64 // maximum size of a segment, except if one frame needs more
	KeepReleased     int64 // maximum total size of the released segments that are kept for recycling
	Logger           *slog.Logger
	OnSync           func(took time.Duration) // is called after each fdatasync of frames

	Origin identity.Origin // of the values that will be appended
	// KeepEvidence says that the files of an earlier process are the only evidence of a new epoch.
	// They stay until ReleaseEvidence is called.
	KeepEvidence bool
	// OnUndo is called after a failed write that readers of the log may have read, and that was
	// undone. The values after the sequence number shared belong to the origin that it returns.
	OnUndo func(shared uint64) identity.Origin
	// VerifyTree returns an error if the tree that is to get the values is no longer the one that
	// the next Open would find; nil: it is not asked. The log asks when it verifies its directory.
	VerifyTree func() error
	// Session keeps, outside the log's directory, how far the log has come; nil: nothing does.
	Session Session
}

// Frame is the unit that Append writes: the values of one Store or StoreBatch.
type Frame struct {
	Payload []byte // 1 to MaxPayload bytes
	Values  int    // number of values in the payload, at least 1
}

// Log is an open write-ahead log. One goroutine at a time may call Append. Any number of goroutines
// may call the other methods at the same time.
type Log struct {
	dir  string
	fs   *files
	opts Options
	pool *pool

	// Only Append uses these fields.
	buffer []byte
	next   uint64          // sequence number of the next value
	origin identity.Origin // of the next value

	// syncMu is held while frames are made durable and while the active segment changes. It is
	// locked before mu.
	syncMu   sync.Mutex
	verified time.Time // when the directory was verified; syncMu guards it

	// mu guards the fields below. It is never held during I/O.
	mu       sync.Mutex
	active   *activeSegment // nil before the first append
	sealed   []segment      // the segments before the active one that are not released, oldest first
	lastUsed uint64         // the greatest number of a segment that has been in use
	durable  uint64         // sequence number of the last durable value
	inTree   uint64         // values up to this sequence number are durable in the tree
	evidence evidence       // of epochs that the tree may not know
	recorded uint64         // number of the segment that the session names; 0: none
	failure  error          // not nil: the log has failed
}

// activeSegment is the segment that Append writes to.
type activeSegment struct {
	segment
	file    disk.File
	durable int64 // offset up to which the segment is durable
}

func newLog(dir string, fsys *files, opts Options, nextNumber, nextSequence uint64) *Log {
	return &Log{
		dir: dir, fs: fsys, opts: opts, next: nextSequence, durable: nextSequence - 1, origin: opts.Origin,
		pool: &pool{dir: dir, fs: fsys, opts: opts, nextNumber: nextNumber, nextSize: opts.FirstSegmentSize},
	}
}

// Append appends frames with one write, and returns the sequence number of their first value. The
// payloads of several frames have at most MaxGrouped bytes together. The frames are durable after
// Sync. After an error none of the frames is in the log; the log is still usable if Failure returns
// nil.
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
		return 0, errors.New("all sequence numbers have been used")
	}
	active, err := l.roomFor(size)
	if err != nil {
		return 0, err
	}
	l.encode(active, frames)
	l.padWithZeros(active)
	if written, err := active.file.WriteAt(l.buffer, active.end); err != nil {
		return 0, l.rollBack(active, written, err)
	}
	if cap(l.buffer) > maxBuffer {
		l.buffer = nil
	}
	firstSequence = l.next
	l.next += values
	l.mu.Lock()
	if active.blank > 0 {
		active.blank = max(active.blank, active.end+int64(len(l.buffer)))
	}
	active.end += size
	active.lastSequence += values
	l.mu.Unlock()
	return firstSequence, nil
}

// maxBuffer is the maximum size of the write buffer that is kept for the next Append, in bytes.
const maxBuffer = 4 << 20

// encode encodes frames into the write buffer, for the end of the active segment.
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

const (
	// zerosAhead is the number of zeros, in bytes, that a small Append writes after its frames
	// where nothing has been written yet. The syncs of the next ones then write no metadata.
	zerosAhead = 64 << 10
	// minUnpadded is the length in bytes of the shortest Append that writes no zeros. The metadata
	// of its sync, about three blocks, is little beside its frames: fewer bytes than the zeros, and
	// as much time.
	minUnpadded = 24 << 10
)

// padWithZeros adds zeros to the write buffer if it has little to write where nothing has been
// written yet.
func (l *Log) padWithZeros(active *activeSegment) {
	end := active.end + int64(len(l.buffer))
	if active.blank == 0 || end <= active.blank || len(l.buffer) >= minUnpadded {
		return
	}
	l.buffer = append(l.buffer, make([]byte, min(zerosAhead, active.size-end))...)
}

// rollBack durably overwrites the bytes of a failed write with zeros. Some of its frames may be
// whole, and their callers get an error, so they must not be replayed. If that fails too, the log
// fails. A Follower may have read the whole frames, so their numbers are used in another epoch.
func (l *Log) rollBack(active *activeSegment, written int, cause error) error {
	hadFrame := written >= frameHeaderLen+int(binary.LittleEndian.Uint32(l.buffer))
	clear(l.buffer)
	_, err := active.file.WriteAt(l.buffer, active.end)
	if err == nil {
		err = active.file.Datasync()
	}
	if err != nil {
		return l.Fail(fmt.Errorf("a failed write could not be undone: %w", errors.Join(cause, err)))
	}
	if hadFrame && l.opts.OnUndo != nil {
		l.origin = l.opts.OnUndo(l.next - 1)
		l.keepActive()
	}
	return disk.WrapNoSpace(cause)
}

// Sync makes all frames durable that were appended before the call. If it fails, it is unknown
// which frames since the last Sync are on the disk, so the log fails until it is opened again.
func (l *Log) Sync() error {
	l.syncMu.Lock()
	defer l.syncMu.Unlock()
	return l.syncLocked()
}

// syncLocked is Sync. The caller holds syncMu, so the active segment does not change.
func (l *Log) syncLocked() error {
	if err := l.Failure(); err != nil {
		return err
	}
	l.mu.Lock()
	active := l.active
	var end int64
	var last uint64
	if active != nil {
		end, last = active.end, active.lastSequence
	}
	l.mu.Unlock()
	if active == nil || active.durable == end {
		return nil
	}
	if err := l.datasync(active.file); err != nil {
		return err
	}
	l.mu.Lock()
	active.durable, l.durable = end, last
	l.mu.Unlock()
	return nil
}

// datasync makes the frames in a file durable. An error makes the log fail. The caller holds
// syncMu.
func (l *Log) datasync(file disk.File) error {
	start := time.Now()
	if err := file.Datasync(); err != nil {
		return l.Fail(err)
	}
	l.opts.OnSync(time.Since(start))
	if start.Sub(l.verified) < verifyInterval {
		return nil
	}
	return l.verifyDirectoryLocked()
}

// verifyInterval is the time after which datasync verifies again that the directory's path leads to
// the log: often enough to notice soon that the next Open would not find the values, and seldom
// enough to cost nothing.
const verifyInterval = time.Second

func (l *Log) verifyDirectory() error {
	l.syncMu.Lock()
	defer l.syncMu.Unlock()
	return l.verifyDirectoryLocked()
}

// verifyDirectoryLocked makes the log fail if the directory, or the tree beside the log, was moved,
// replaced or deleted. Then nobody would find the frames again. The caller holds syncMu.
func (l *Log) verifyDirectoryLocked() error {
	err := l.fs.Verify()
	if err == nil && l.opts.VerifyTree != nil {
		err = l.opts.VerifyTree()
	}
	if err != nil {
		return l.Fail(err)
	}
	l.verified = time.Now()
	return nil
}

// DurableSequence returns the sequence number of the last value that is durable.
func (l *Log) DurableSequence() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.durable
}

// Failure returns the error because of which the log takes no more writes, or nil.
func (l *Log) Failure() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failure
}

// Fail makes the log take no more writes, and returns the error that they get.
func (l *Log) Fail(cause error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failure == nil {
		l.failure = fmt.Errorf("%w: the log: %w", daybook.ErrFailed, cause)
	}
	return l.failure
}

// roomFor returns the active segment. It begins a new segment if there is no room for size bytes
// and a seal.
func (l *Log) roomFor(size int64) (*activeSegment, error) {
	if a := l.active; a != nil && a.end+size+frameHeaderLen <= a.size && a.origin == l.origin {
		return a, nil
	}
	if err := l.verifyDirectory(); err != nil {
		return nil, err
	}
	next, err := l.takeSegment(segmentSizeFor(size))
	if err == nil {
		err = l.activate(next)
	}
	if err != nil {
		if failure := l.Failure(); failure != nil {
			return nil, failure
		}
		return nil, disk.WrapNoSpace(err)
	}
	return l.active, nil
}

// activate seals the active segment and makes next the active one. The sealed segment is always
// durable before the first frame of next is written, whether the store syncs its commits or not. So
// a torn tail is in the last segment only. The header of next becomes durable with its first
// frames.
func (l *Log) activate(next segment) error {
	file, err := l.fs.Open(next.path)
	if err != nil {
		l.pool.release(next)
		return err
	}
	l.syncMu.Lock()
	defer l.syncMu.Unlock()
	if err := l.sealActiveLocked(); err != nil {
		_ = file.Close()
		l.pool.release(next)
		return err
	}
	next.firstSequence, next.lastSequence, next.end = l.next, l.next-1, segmentHeaderLen
	next.origin = l.origin
	if _, err := file.WriteAt(next.header().append(nil), 0); err != nil {
		_ = file.Close()
		l.pool.removeDurably(next)
		return err
	}
	if err := l.record(next); err != nil {
		_ = file.Close()
		return err
	}
	l.mu.Lock()
	l.active, l.lastUsed = &activeSegment{segment: next, file: file}, next.number
	l.mu.Unlock()
	return nil
}

// sealActiveLocked seals the active segment, if there is one. The caller holds syncMu.
func (l *Log) sealActiveLocked() error {
	a := l.active
	if a == nil {
		return nil
	}
	seal := frame{durable: a.durable}
	if _, err := a.file.WriteAt(seal.append(nil, a.number, a.end), a.end); err != nil {
		return err // the next frame overwrites the bytes of the seal
	}
	if err := l.datasync(a.file); err != nil {
		return err
	}
	l.mu.Lock()
	a.sealed, l.durable = true, a.lastSequence
	l.active, l.sealed = nil, append(l.sealed, a.segment)
	l.mu.Unlock()
	_ = a.file.Close() // all its frames are durable
	return nil
}

// Release releases the sealed segments without values above watermark, so that they can be
// recycled. The watermark must be durable in the tree, with the epochs of the values up to it.
// Evidence is not released.
func (l *Log) Release(watermark uint64) {
	l.mu.Lock()
	l.inTree = max(l.inTree, watermark)
	n := 0
	for n < len(l.sealed) && l.sealed[n].lastSequence <= watermark && !l.isNeededLocked(l.sealed[n].number) {
		n++
	}
	released := l.sealed[:n:n]
	l.mu.Unlock()
	if n == 0 || !l.sessionSynced() {
		return
	}
	l.mu.Lock()
	l.sealed = l.sealed[n:]
	l.mu.Unlock()
	for _, s := range released {
		l.pool.release(s)
	}
}

// LastSegment returns the greatest number that a segment got. The tree keeps it with the watermark
// and passes it to Recovery.Open, so that no number is used again after the segments have been
// removed.
func (l *Log) LastSegment() uint64 {
	return l.pool.lastSegment()
}

// LastUsed returns the greatest number of a segment that has been in use, by this process or an
// earlier one; 0: there is none in the log. Before all segments are removed, the tree must keep it.
func (l *Log) LastUsed() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lastUsed
}

// Size returns the total size of the log's files in bytes, whatever they are for: segments in use,
// being made, ready, kept for recycling, or as evidence.
func (l *Log) Size() int64 { return l.fs.size() }

// Spare returns the number of segments that later frames can use before the log makes another one:
// those that are ready, being made, or kept for recycling.
func (l *Log) Spare() int { return l.pool.spare() }

// PrepareSegment makes the first segment in the background, so that the first Append need not wait
// for it.
func (l *Log) PrepareSegment() { l.pool.prepareInBackground() }

// LeaveRoom makes no more segments in the background until ResumeSegments is called, because the
// disk is full and another file needs the room that is about to be free. An Append that needs a
// segment still makes one.
func (l *Log) LeaveRoom() { l.pool.pause() }

// ResumeSegments makes segments in the background again. Without a LeaveRoom before it, it does
// nothing.
func (l *Log) ResumeSegments() { l.pool.resume() }

// RemoveReleased removes the released segments that are kept for recycling.
func (l *Log) RemoveReleased() { l.pool.removeReleased() }

// RemoveSpares removes the segments that are not in use, and reports whether there were any. Call
// LeaveRoom before it, or the log makes others.
func (l *Log) RemoveSpares() bool { return l.pool.removeSpares() }

// Close closes the log. With clear it also removes all segments; then all values must be durable in
// the tree. No other method may be called during Close or after it.
func (l *Log) Close(clear bool) error {
	l.pool.stop()
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
		if _, ok := numberOf(entry.Name()); ok || isTemporary(entry.Name()) {
			if err := l.fs.Remove(filepath.Join(l.dir, entry.Name())); err != nil {
				return err
			}
		}
	}
	return l.fs.SyncDir(l.dir)
}
