// SPDX-License-Identifier: Apache-2.0

package daybook

import (
	"context"
	"slices"
	"time"
)

// Stats says what a backend holds, how well it is, and what it has done after it was opened. It is
// what a health endpoint needs: json.Marshal gives an object with names in snake_case and units in
// the names, and a slog.Logger a short line.
//
// Each group of fields says which backends fill it in. For the others its fields are zero.
type Stats struct {
	// Every Statser fills in Values, ValueBytes and Records.

	Values     uint64 `json:"values"`      // number of stored values
	ValueBytes uint64 `json:"value_bytes"` // total length of their JSON, in bytes
	Records    uint64 `json:"records"`     // number of records with at least one value

	// RecordsEstimated says that Records is an estimate, because to count them takes long.
	RecordsEstimated bool `json:"records_estimated,omitempty"`

	// Every Statser fills in StoreFailures and ValuesDeleted.

	StoreFailures StoreFailures `json:"store_failures"` // calls that returned an error, by reason
	ValuesDeleted uint64        `json:"values_deleted"` // number of values that Cleanup and Prune have deleted

	// A Statser that is a ChangeSource fills in LastSequence and LastCursor, which are zero before
	// the first value. It fills in Store and Epoch if it has such identities, as a Batch needs.

	LastSequence uint64   `json:"last_sequence"`  // number of the last acknowledged value
	LastCursor   Cursor   `json:"last_cursor"`    // place of the last acknowledged value
	Store        [16]byte `json:"store,omitzero"` // identity of the store
	Epoch        [16]byte `json:"epoch,omitzero"` // in which values are stored

	// Holds are those of a Statser that is a Holder, by name.
	Holds []HoldStats `json:"holds,omitempty"`

	// DiskBytes is the size of the files with which a Statser works; 0: unknown, or no files. It
	// leaves out files in quarantine, and the copy that a running compaction writes.
	DiskBytes int64 `json:"disk_bytes"`

	// The embedded engine fills in these fields about its health.

	// ValuesDropped is the number of values that the engine has deleted because its MaxSize was
	// reached. ValuesDeleted does not count them.
	ValuesDropped uint64 `json:"values_dropped"`
	// Failed says why writes fail until the backend is opened again, as ErrFailed describes. Empty:
	// they do not.
	Failed string `json:"failed,omitempty"`
	// CheckpointFailure has the checkpoints that failed after the last one that succeeded. nil: the
	// last one succeeded, or there was none.
	CheckpointFailure *Failure `json:"checkpoint_failure,omitempty"`
	// CompactionFailure has the compactions in the background that failed after the last one that
	// succeeded. nil: the last one succeeded, or there was none.
	CompactionFailure *Failure `json:"compaction_failure,omitempty"`
	// Quarantined are the damaged files in quarantine, also those that an earlier process has put
	// there, until they are removed.
	Quarantined []QuarantinedFile `json:"quarantined,omitempty"`

	// The embedded engine fills in these fields about its tree, log and heads.

	TreeBytes     int64  `json:"tree_bytes"`      // size of the tree's file
	TreeUsedBytes int64  `json:"tree_used_bytes"` // of the tree's pages in use; the rest is free for later values
	LogBytes      int64  `json:"log_bytes"`       // size of the log's segments, including those that are kept for reuse
	HeadBytes     int64  `json:"head_bytes"`      // memory of the values that are not in the tree yet
	Watermark     uint64 `json:"watermark"`       // sequence number up to which all values are in the tree

	// OpenScans is the number of the engine's running queries, scans and backups. A page that is
	// freed during one of them stays in use until that one ends.
	OpenScans int `json:"open_scans"`

	// The embedded engine fills in these fields about its work.

	Commits      uint64    `json:"commits"`       // number of group commits; each of them is one write to the log
	CommitValues uint64    `json:"commit_values"` // number of values in these commits
	Syncs        Durations `json:"syncs"`         // syncs of the log to stable storage
	Checkpoints  Durations `json:"checkpoints"`   // from the freeze of a head until its values are in the tree
}

// Clone returns a copy that shares nothing with s, so that a Statser can give it to the caller.
func (s Stats) Clone() Stats {
	s.StoreFailures.Last = s.StoreFailures.Last.clone()
	s.CheckpointFailure = s.CheckpointFailure.clone()
	s.CompactionFailure = s.CompactionFailure.clone()
	s.Holds = slices.Clone(s.Holds)
	s.Quarantined = slices.Clone(s.Quarantined)
	return s
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
