// SPDX-License-Identifier: Apache-2.0

package wal

import (
	"fmt"
	"slices"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/identity"
)

// Session keeps outside the log's directory how far the log has come. So the next Scan notices
// files that somebody has removed from it: see Expected.
type Session interface {
	// Begin is called before the first frame of a segment is written, when its file is durable
	// under its name. The segment may be removed after an error, unless mayStay is set: then it may
	// have been recorded, and the log fails. With segment number 0, the log is about to release its
	// last segment.
	Begin(e Expected) (mayStay bool, err error)
	// Sync makes durable what Begin has recorded. It is called before segments are released.
	Sync() error
}

// Expected is what is known of a log that was not closed. The zero Expected is nothing.
type Expected struct {
	Segment  uint64          // a segment with this number was begun, and not released; 0: none
	Sequence uint64          // values up to this sequence number are in the tree or in the log
	Origin   identity.Origin // of the values that were appended after that
}

// record tells the session that a segment gets its first frame. After an error the segment is not
// used.
func (l *Log) record(next segment) error {
	if l.opts.Session == nil {
		return nil
	}
	mayStay, err := l.opts.Session.Begin(Expected{next.number, next.lastSequence, next.origin})
	switch {
	case err == nil:
		l.mu.Lock()
		l.recorded = next.number
		l.mu.Unlock()
		return nil
	case mayStay: // the next Scan may look for the file
		return l.Fail(err)
	}
	l.pool.removeDurably(next)
	return err
}

// isNeededLocked reports whether the next Scan must find a sealed segment, whatever its values.
func (l *Log) isNeededLocked(number uint64) bool {
	return number == l.recorded || number == l.evidence.inUse
}

// sessionSynced reports whether the session does not look for a sealed segment, durably.
func (l *Log) sessionSynced() bool {
	if l.opts.Session == nil {
		return true
	}
	if err := l.opts.Session.Sync(); err != nil {
		_ = l.Fail(err)
		return false
	}
	return true
}

// checkExpected returns an error if a segment is missing that had values. A log whose directory is
// missing as a whole was moved away on purpose.
//
// The values were given numbers, and maybe seen. So the epoch that they were in becomes known, and
// their numbers count as assigned.
func (r *Recovery) checkExpected() error {
	want := r.known.Expected
	if r.isMissing {
		return nil
	}
	isMissing := want.Segment > 0 && !r.hasSegment(want.Segment)
	if !isMissing && r.next > want.Sequence {
		return nil
	}
	r.lastAssigned, r.lastSegment = max(r.lastAssigned, want.Sequence), max(r.lastSegment, want.Segment)
	if extended, ok := r.identity.Extend(want.Origin, r.next-1, true); ok {
		r.identity, r.lastSeen = extended, want.Origin.Epoch
	}
	cause := fmt.Sprintf("values from %d on are missing, and were stored", r.next)
	if isMissing {
		cause = fmt.Sprintf("the file %s is missing, in which values after %d were stored",
			nameOf(want.Segment), want.Sequence)
	}
	return fmt.Errorf("%w: the log %s: %s: put it back, or restore a backup, or move the directory away to go on "+
		"without it. OnCorruptionQuarantine goes on with what is left", daybook.ErrCorrupt, r.dir, cause)
}

// hasSegment reports whether there is a file of a segment, in use or not.
func (r *Recovery) hasSegment(number uint64) bool {
	isIt := func(s segment) bool { return s.number == number }
	return slices.ContainsFunc(r.segments, isIt) || slices.ContainsFunc(r.unused, isIt)
}
