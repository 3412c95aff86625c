// SPDX-License-Identifier: Apache-2.0

package engine

import "time"

// Stats is a snapshot of what a DB holds and has done since it was opened.
type Stats struct {
	Values     uint64 // values stored, in the tree and in the head
	ValueBytes uint64 // the total length of their JSON, in bytes
	Records    uint64 // records with at least one value

	DiskBytes int64 // what the directory's files occupy: tree, log and reserve
	TreeBytes int64 // the tree's file
	TreeUsed  int64 // the pages of that file that are in use; the rest is free for what comes
	LogBytes  int64 // the log's segments, those kept for reuse included
	HeadBytes int64 // memory of the values that are not in the tree yet

	OpenScans int // queries, scans and backups that are running; while one is, pages freed since it began stay taken

	LastSequence uint64 // sequence number of the last acknowledged value; 0: none
	Watermark    uint64 // sequence number up to which values are in the tree

	Quarantined []string // paths of what Open set aside, as Options.OnCorruption says

	Commits      uint64    // group commits: writes to the log
	CommitValues uint64    // values in them
	Syncs        Durations // fdatasyncs of the log
	Checkpoints  Durations // checkpoints, from the freeze of a head to its place in the tree
}

// ValuesPerCommit is the mean number of values in a group commit; 0 when there was none.
func (s Stats) ValuesPerCommit() float64 {
	if s.Commits == 0 {
		return 0
	}
	return float64(s.CommitValues) / float64(s.Commits)
}

// Durations sums up how long something took.
type Durations struct {
	Count uint64
	Total time.Duration
	Max   time.Duration
}

// Mean is Total divided by Count; 0 when there was none.
func (d Durations) Mean() time.Duration {
	if d.Count == 0 {
		return 0
	}
	return d.Total / time.Duration(d.Count)
}

func (d *Durations) add(took time.Duration) {
	d.Count++
	d.Total += took
	d.Max = max(d.Max, took)
}
