// SPDX-License-Identifier: Apache-2.0

package daybook

import (
	"context"
	"time"
)

// Stats says what a backend holds, and what it has done after it was opened. Every Statser fills in
// the first group of fields. The other groups describe the log, the head and the tree of the
// embedded engine. A backend without such a part leaves its fields zero.
type Stats struct {
	Values       uint64 // number of stored values
	ValueBytes   uint64 // total length of their JSON, in bytes
	Records      uint64 // number of records with at least one value
	DiskBytes    int64  // size of all files of the backend; 0: unknown, or no files
	LastSequence uint64 // sequence number of the last acknowledged value; 0: no values, or no numbers
	LastCursor   Cursor // place of the last acknowledged value; zero: no values, or no cursors

	Store [16]byte // identity of the store; zero: the backend has none
	Epoch [16]byte // in which values are stored; with LastSequence it makes the Cursor of the end

	TreeBytes int64  // size of the tree's file
	TreeUsed  int64  // bytes of the tree's pages that are in use; the rest is free for later values
	LogBytes  int64  // size of the log's segments, including those that are kept for reuse
	HeadBytes int64  // memory of the values that are not in the tree yet
	Watermark uint64 // sequence number up to which all values are in the tree

	// OpenScans is the number of running queries, scans and backups. A page that is freed during
	// one of them stays in use until that one ends.
	OpenScans int
	// Quarantined has the paths of the damaged files that Open put in quarantine.
	Quarantined []string

	Commits      uint64    // number of group commits; each of them is one write to the log
	CommitValues uint64    // number of values in these commits
	Syncs        Durations // syncs of the log to stable storage
	Checkpoints  Durations // checkpoints, each from the freeze of a head until its values are in the tree
}

// ValuesPerCommit returns the mean number of values in a group commit. It returns 0 if there was no
// commit.
func (s Stats) ValuesPerCommit() float64 {
	if s.Commits == 0 {
		return 0
	}
	return float64(s.CommitValues) / float64(s.Commits)
}

// Durations summarizes how long the repetitions of one operation took.
type Durations struct {
	Count uint64        // number of repetitions
	Total time.Duration // of all of them together
	Max   time.Duration // of the longest one
}

// Add adds one repetition.
func (d *Durations) Add(took time.Duration) {
	d.Count++
	d.Total += took
	d.Max = max(d.Max, took)
}

// Mean returns Total divided by Count. It returns 0 if Count is 0.
func (d Durations) Mean() time.Duration {
	if d.Count == 0 {
		return 0
	}
	return d.Total / time.Duration(d.Count)
}

// Statser is a Backend that knows what it holds.
type Statser interface {
	// Stats returns the current numbers. All that count values are those of one consistent
	// snapshot. Stores and queries go on during the call. The caller owns the result. Errors:
	// ErrCorrupt, ErrClosed, or ctx's.
	Stats(ctx context.Context) (Stats, error)
}
