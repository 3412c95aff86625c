// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/daybook-db/daybook"
)

// statistics are the parts of Stats that are counted as they happen.
type statistics struct {
	mu       sync.Mutex // guards counted
	counted  daybook.Stats
	logFound int64 // size of the log in bytes as Open found it

	fileChanges atomic.Uint64 // number of checkpoints and deletions that have changed tree or log
}

func (s *statistics) addSync(took time.Duration) {
	s.change(func(s *daybook.Stats) { s.Syncs.Add(took) })
}

func (s *statistics) addCheckpoint(took time.Duration) {
	s.change(func(s *daybook.Stats) { s.Checkpoints.Add(took) })
}

// checkpointEnded notes the outcome of an attempt to post a head.
func (s *statistics) checkpointEnded(err error) {
	s.change(func(s *daybook.Stats) { s.CheckpointFailure = outcome(s.CheckpointFailure, err) })
}

// compactionEnded notes the outcome of a compaction.
func (s *statistics) compactionEnded(err error) {
	s.change(func(s *daybook.Stats) { s.CompactionFailure = outcome(s.CompactionFailure, err) })
}

// outcome returns the failures after the last success.
func outcome(before *daybook.Failure, err error) *daybook.Failure {
	if err == nil {
		return nil
	}
	return before.After(err, daybook.Now())
}

// countStore counts a call of a method that stores, if it returned an error, and returns that.
func (db *DB) countStore(err error) error {
	if err != nil && db != nil {
		db.stats.change(func(s *daybook.Stats) { s.StoreFailures.Add(err, daybook.Now()) })
	}
	return err
}

// change lets a function change the counted parts.
func (s *statistics) change(do func(*daybook.Stats)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	do(&s.counted)
}

func (s *statistics) addDeleted(values uint64) {
	s.change(func(s *daybook.Stats) { s.ValuesDeleted += values })
}

func (s *statistics) addDropped(values uint64) {
	s.change(func(s *daybook.Stats) { s.ValuesDropped += values })
}

// get returns a copy of the counted parts.
func (s *statistics) get() daybook.Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	stats := s.counted
	stats.Holds = slices.Clone(stats.Holds)
	return stats
}

// Stats returns what the store holds and has done since it was opened. Its numbers of values,
// records, commits and sequence numbers, and HeadBytes, are from one moment. The sizes of the files
// are from that moment too, unless checkpoints and deletions follow one another closely. Stats
// counts the records, which takes time in proportion to the records in the heads. Errors:
// daybook.ErrCorrupt, ErrClosed, ctx's, or the operating system's.
func (db *DB) Stats(ctx context.Context) (stats daybook.Stats, err error) {
	if err := db.enter(ctx); err != nil {
		return daybook.Stats{}, err
	}
	defer db.gate.leave()
	ctx = db.reading(ctx)
	const maxTries = 20 // one checkpoint may follow another for long
	for try := 1; ; try = min(try+1, maxTries) {
		changes := db.stats.fileChanges.Load()
		stats = db.stats.get()
		stats.OpenScans = int(db.trees.snapshots.Load())
		stats.Failed = db.failed()
		stats.Quarantined = db.quarantinedNow()
		known := db.identity.get()
		stats.Store, stats.Epoch = known.Store, known.Current().ID
		oneMoment, err := db.countValues(ctx, &stats)
		if err == nil {
			err = db.measureFiles(&stats)
		}
		if err != nil {
			return daybook.Stats{}, err
		}
		if oneMoment && (try == maxTries || db.stats.fileChanges.Load() == changes) {
			return stats, nil
		}
	}
}

// failed returns why the log or the tree takes no more writes; nothing if both do.
func (db *DB) failed() string {
	failure := db.trees.get().Failure()
	if db.log != nil {
		failure = errors.Join(db.log.Failure(), failure)
	}
	if failure == nil {
		return ""
	}
	return failure.Error()
}

// measureFiles sets the sizes of the files.
func (db *DB) measureFiles(stats *daybook.Stats) (err error) {
	stats.TreeBytes, stats.TreeUsed, err = db.trees.size()
	stats.LogBytes = db.stats.logFound
	if db.log != nil {
		stats.LogBytes = db.log.Size()
	}
	stats.DiskBytes = stats.TreeBytes + stats.LogBytes + db.reserve.size() + db.session.size()
	return err
}

// countValues counts the values and records in the tree, and those in the heads that are not in the
// tree. It reports false if the tree has values that were stored after the heads were captured.
func (db *DB) countValues(ctx context.Context, stats *daybook.Stats) (oneMoment bool, err error) {
	snapshot, err := db.snapshot(allRecords)
	if err != nil {
		return false, err
	}
	defer snapshot.close()
	inTree := snapshot.tree.State
	if inTree.Watermark > snapshot.last {
		return false, ctx.Err()
	}
	stats.LastCursor = db.cursorAt(snapshot.last)
	stats.LastSequence = stats.LastCursor.Sequence
	for i := range stats.Holds {
		h := &stats.Holds[i]
		h.Pending = snapshot.last - min(db.placeOf(h.At), snapshot.last)
	}
	stats.Commits, stats.CommitValues, stats.HeadBytes = snapshot.commits, snapshot.added, snapshot.size
	stats.Watermark = inTree.Watermark
	stats.Records, stats.Values, stats.ValueBytes = inTree.Records, inTree.Values, inTree.Bytes
	for {
		r, found, err := snapshot.next(ctx)
		if !found || err != nil {
			return true, err
		}
		if inTree, err := snapshot.tree.HasRecord(string(r.name)); err != nil {
			return false, err
		} else if !inTree {
			stats.Records++
		}
		for i := range r.views {
			stats.Values += uint64(r.views[i].Count())
			stats.ValueBytes += r.views[i].Bytes()
		}
	}
}
