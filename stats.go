// SPDX-License-Identifier: Apache-2.0

package daybook

import (
	"context"
	"time"
)

// Stats is what a backend holds, and what it has done since it was opened. Every Statser fills in the fields of the first
// group. Those of the other groups are of the embedded engine; a backend that has no such thing leaves them zero.
type Stats struct {
	Values       uint64 // values that are stored
	ValueBytes   uint64 // the total length of their JSON, in bytes
	Records      uint64 // records with at least one value
	DiskBytes    int64  // disk space that the backend's files occupy; 0: unknown, or none
	LastSequence uint64 // sequence number of the last acknowledged value; 0: none, or the backend has no sequence numbers

	TreeBytes int64  // size of the tree's file
	TreeUsed  int64  // bytes of that file's pages that are in use; the remaining ones are free for later values
	LogBytes  int64  // size of the log's segments, with those that are kept for reuse
	HeadBytes int64  // memory of the values that are not in the tree yet
	Watermark uint64 // sequence number up to which all values are in the tree

	OpenScans   int      // running queries, scans and backups; pages that were freed after one of them began stay in use
	Quarantined []string // paths of the damaged files that were set aside when the backend was opened

	Commits      uint64    // group commits, each of which is one write to the log
	CommitValues uint64    // values in these commits
	Syncs        Durations // times that the log was written to stable storage
	Checkpoints  Durations // checkpoints, each from the freeze of a head until its values are in the tree
}

// ValuesPerCommit is the mean number of values in a group commit. It is 0 if there was no commit.
func (s Stats) ValuesPerCommit() float64 {
	if s.Commits == 0 {
		return 0
	}
	return float64(s.CommitValues) / float64(s.Commits)
}

// Durations sums up how long something took that was done more than once.
type Durations struct {
	Count uint64        // times that it was done
	Total time.Duration // of all of them
	Max   time.Duration // of the longest one
}

// Add adds one more time.
func (d *Durations) Add(took time.Duration) {
	d.Count++
	d.Total += took
	d.Max = max(d.Max, took)
}

// Mean is Total divided by Count. It is 0 if Count is.
func (d Durations) Mean() time.Duration {
	if d.Count == 0 {
		return 0
	}
	return d.Total / time.Duration(d.Count)
}

// Statser is a Backend that knows what it holds.
type Statser interface {
	// Stats returns what the backend holds, and what it has done since it was opened. The numbers of values and bytes are
	// those of one consistent snapshot. Stores and queries go on meanwhile. The caller owns the result.
	// Errors: ErrClosed, ErrCorrupt, or ctx's.
	Stats(ctx context.Context) (Stats, error)
}
