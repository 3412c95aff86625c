// SPDX-License-Identifier: Apache-2.0

package wal

import (
	"fmt"
	"slices"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/disk"
)

// ErrNoRoom is returned by Append when the disk has no room for another segment. It matches
// daybook.ErrNoSpace. See MayRelease.
var ErrNoRoom = fmt.Errorf("%w for the log", daybook.ErrNoSpace)

// segmentSizeFor returns the size of a segment with room for frames of size bytes.
func segmentSizeFor(size int64) int64 { return segmentHeaderLen + size + frameHeaderLen }

// takeSegment returns a prepared segment of at least size bytes. If the disk has no room for one,
// the log may go on in the file of its last segment: see releaseLast.
func (l *Log) takeSegment(size int64) (segment, error) {
	next, err := l.pool.take(size)
	if disk.IsNoSpace(err) && l.releaseLast(size) {
		next, err = l.pool.take(size)
	}
	if disk.IsNoSpace(err) {
		err = l.errNoRoom(size, err)
	}
	return next, err
}

func (l *Log) errNoRoom(size int64, cause error) error {
	largest := l.pool.largest()
	for _, s := range l.inUse() {
		largest = max(largest, s.size)
	}
	if 0 < largest && largest < size {
		return fmt.Errorf("%w: it needs a file of %d bytes, and its largest has %d: free space on the disk, or store "+
			"less at once: %w", ErrNoRoom, size, largest, cause)
	}
	return fmt.Errorf("%w: %w", ErrNoRoom, cause)
}

// MayRelease reports whether there is a segment that has room for a frame with a payload, and that
// can be used again once its values are in the tree: a sealed one, or the active one.
func (l *Log) MayRelease(payload int) bool {
	size := segmentSizeFor(frameHeaderLen + int64(payload))
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.ContainsFunc(l.sealed, func(s segment) bool { return s.size >= size }) ||
		l.active != nil && l.active.size >= size && l.active.hasValues()
}

// MakeSegment makes a segment ready, as small as the first one, unless one is ready. It makes no
// others in the background.
func (l *Log) MakeSegment() error { return disk.WrapNoSpace(l.pool.makeReady()) }

// IsEmpty reports whether the log has no file. It waits for a segment that is being made: on a full
// disk that comes to nothing.
func (l *Log) IsEmpty() bool {
	l.pool.making.Lock()
	defer l.pool.making.Unlock()
	return l.Size() == 0
}

// releaseLast releases the last segment in use, if all its values are in the tree and its file has
// at least size bytes. It reports whether it did. Then the log has no segment in use, and the next
// one can be made of that file.
//
// The session says so durably before that. So after a power cut the segment is there, or the next
// Scan does not look for it. Until another segment is in use, the file shows under each of its
// names that the log was not closed. Each step overwrites bytes in their place or renames the file,
// so it needs no space.
func (l *Log) releaseLast(size int64) bool {
	if !l.mayReleaseLast(size) {
		return false
	}
	l.syncMu.Lock()
	err := l.sealActiveLocked()
	l.syncMu.Unlock()
	if err != nil || !l.recordNone() {
		return false
	}
	l.mu.Lock()
	watermark := l.inTree
	l.mu.Unlock()
	l.Release(watermark)
	return true
}

// mayReleaseLast reports whether releaseLast may release the last segment. One without values has
// no room that could be used again.
func (l *Log) mayReleaseLast(size int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	last, found := l.lastLocked()
	return found && last.size >= size && last.hasValues() && last.lastSequence <= l.inTree && !l.evidence.kept
}

// lastLocked returns the last segment in use that this process has begun. An attempt to release it
// may have sealed it, and failed then.
func (l *Log) lastLocked() (last segment, found bool) {
	if l.active != nil {
		return l.active.segment, true
	}
	if n := len(l.sealed); n > 0 && l.sealed[n-1].number == l.recorded {
		return l.sealed[n-1], true
	}
	return segment{}, false
}

// recordNone tells the session that no segment is in use, because all values are in the tree. It
// reports whether it could.
func (l *Log) recordNone() bool {
	if l.opts.Session == nil {
		return true
	}
	mayStay, err := l.opts.Session.Begin(Expected{Sequence: l.next - 1, Origin: l.origin})
	if mayStay {
		_ = l.Fail(err)
	}
	if err != nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.recorded = 0
	return true
}
