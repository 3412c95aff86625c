// SPDX-License-Identifier: Apache-2.0

package wal

import "slices"

// evidence are the files by which the next Scan will know that a new epoch has to begin, because an
// earlier process did not close the log, or this one has undone frames. While the tree does not
// know that epoch, at least one of these files must be there: a crash would otherwise leave a log
// that looks closed, and sequence numbers would be given again within an epoch.
type evidence struct {
	kept       bool
	inUse      uint64    // number of the first segment in use that may not be released, nor those after it
	unused     []segment // a segment that was never in use, if none was
	unfinished []string  // paths of unfinished segments, if there is no other file
}

// keepEvidence takes the evidence out of what Open would recycle or remove. One file is enough. But
// the segments of epochs that the tree does not know stay too, even without values: each links the
// next one to the tree.
func (r *Recovery) keepEvidence() (kept evidence) {
	kept.kept = true
	switch {
	case len(r.segments) > 0:
		first := slices.IndexFunc(r.segments, func(s segment) bool {
			return s.header().hasOrigin() && !r.known.Identity.Has(s.origin.Epoch)
		})
		if first < 0 {
			first = len(r.segments) - 1
		}
		kept.inUse = r.segments[first].number
	case len(r.unused) > 0:
		kept.unused, r.unused = r.unused[:1:1], r.unused[1:]
	default:
		kept.unfinished, r.unfinished = r.unfinished, nil
	}
	return kept
}

// keepActive keeps the active segment, and those after it, until ReleaseEvidence is called: an
// epoch has ended that the tree may not know. The segment links the next epoch to the tree, and
// shows that the log was not closed.
func (l *Log) keepActive() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.evidence.kept = true; l.evidence.inUse == 0 {
		l.evidence.inUse = l.active.number
	}
}

// ReleaseEvidence is called when the tree has durably got the epoch in which values are appended.
func (l *Log) ReleaseEvidence() {
	l.mu.Lock()
	evidence := l.evidence
	l.evidence.kept, l.evidence.inUse, l.evidence.unused, l.evidence.unfinished = false, 0, nil, nil
	l.mu.Unlock()
	for _, s := range evidence.unused {
		l.pool.release(s)
	}
	for _, path := range evidence.unfinished {
		_ = l.fs.Remove(path) // the next Open tries again
	}
}

// KeepsEvidence reports whether the files of an earlier process are kept as evidence.
func (l *Log) KeepsEvidence() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.evidence.kept
}
