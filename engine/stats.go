// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"errors"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/tree"
)

// statistics are the parts of Stats that are counted as they happen.
type statistics struct {
	mu       sync.Mutex // guards counted
	counted  daybook.Stats
	logFound int64 // size of the log in bytes as Open found it

	commitsAtFailure uint64 // number of commits when the last store failed, if that is in counted

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
	return before.Next(err, daybook.Now())
}

// countStore counts a call of a method that stores, if it returned an error, and returns that.
func (db *DB) countStore(err error) error {
	if err == nil || db == nil {
		return err
	}
	commits := db.heads.commitCount()
	db.stats.change(func(s *daybook.Stats) {
		before := s.StoreFailures.Last
		if s.StoreFailures.Add(err, daybook.Now()); s.StoreFailures.Last != before {
			db.stats.commitsAtFailure = commits
		}
	})
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

// publishHolds tells Stats, which has no turn, the holds.
func (t *turn) publishHolds() {
	published := make([]daybook.HoldStats, len(t.holds))
	for i, h := range t.holds {
		published[i] = daybook.HoldStats{Name: h.Name, At: h.At, Lost: h.lost, Damaged: h.damaged}
	}
	t.db.stats.change(func(s *daybook.Stats) { s.Holds = published })
}

// get returns a copy of the counted parts, and the number of commits when the last store failed.
func (s *statistics) get() (stats daybook.Stats, commitsAtFailure uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counted.Clone(), s.commitsAtFailure
}

// Stats returns what the store holds and has done since it was opened. Its numbers of values,
// records, commits and sequence numbers, and HeadBytes, are from one moment. The sizes of the files
// are from that moment too, unless checkpoints and deletions follow one another closely.
//
// The time of a call does not grow with the store: it is some milliseconds. Stats looks up in the
// tree at most 1024 of the records in the heads. With more of them Records is an estimate. Only
// after a crash or a deletion amid a checkpoint, and until the next one, it looks at all of them.
//
// Errors: daybook.ErrCorrupt, ErrClosed, ctx's, or the operating system's.
func (db *DB) Stats(ctx context.Context) (stats daybook.Stats, err error) {
	if err := db.enter(ctx); err != nil {
		return daybook.Stats{}, err
	}
	defer db.gate.leave()
	ctx = db.reading(ctx)
	const maxTries = 20 // one checkpoint may follow another for long
	for try := 1; ; try = min(try+1, maxTries) {
		changes := db.stats.fileChanges.Load()
		counted, commitsAtFailure := db.stats.get()
		stats = counted
		stats.OpenScans = int(db.trees.snapshots.Load())
		stats.Failed = db.failed()
		stats.Quarantined = db.quarantinedNow()
		known := db.identity.get()
		stats.Store, stats.Epoch = known.Store, known.Current().ID
		oneMoment, err := db.countValues(ctx, &stats)
		stats.StoreFailures.Failing = stats.StoreFailures.Last != nil && stats.Commits == commitsAtFailure
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
	stats.TreeBytes, stats.TreeUsedBytes, err = db.trees.size()
	stats.LogBytes = db.stats.logFound
	if db.log != nil {
		stats.LogBytes = db.log.Size()
	}
	stats.DiskBytes = stats.TreeBytes + stats.LogBytes + db.reserve.size() + db.session.size()
	return err
}

// maxLookups is the maximum number of records in the heads that Stats looks up in the tree. Each
// lookup takes some microseconds.
const maxLookups = 1024

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
	if snapshot.frozen.records+snapshot.active.records > maxLookups {
		if isKnown := snapshot.sumUnposted(stats); isKnown {
			return true, snapshot.estimateRecords(ctx, stats)
		}
	}
	return true, snapshot.countUnposted(ctx, stats)
}

// countUnposted adds the values and records in the heads that are not in the tree. It looks at each
// record.
func (s *snapshot) countUnposted(ctx context.Context, stats *daybook.Stats) error {
	for {
		r, found, err := s.next(ctx)
		if !found || err != nil {
			return err
		}
		if inTree, err := s.tree.HasRecord(string(r.name)); err != nil {
			return err
		} else if !inTree {
			stats.Records++
		}
		for i := range r.views {
			stats.Values += uint64(r.views[i].Count())
			stats.ValueBytes += r.views[i].Bytes()
		}
	}
}

// sumUnposted adds the values in the heads that are not in the tree, without looking at them. While
// a part of the frozen head is in the tree, that needs the number of values that the tree had
// before. It reports false if that is unknown: after a crash or a deletion amid a checkpoint.
func (s *snapshot) sumUnposted(stats *daybook.Stats) (isKnown bool) {
	if s.tree.State.Partial != (tree.PartialPost{}) {
		if !s.db.heads.isPostedFrom(s.postedFrom) {
			return false
		}
		stats.Values, stats.ValueBytes = s.postedFrom.Values, s.postedFrom.Bytes
	}
	for _, h := range []*capturedHead{&s.frozen, &s.active} {
		if h.isUnposted() {
			stats.Values += h.values
			stats.ValueBytes += h.bytes
		}
	}
	return true
}

// estimateRecords adds the number of records in the heads that are not in the tree. It looks up
// some of them, and takes these for typical.
func (s *snapshot) estimateRecords(ctx context.Context, stats *daybook.Stats) error {
	stats.RecordsEstimated = true
	for _, h := range []*capturedHead{&s.frozen, &s.active} {
		if !h.isUnposted() {
			continue
		}
		names, found := s.db.heads.sample(h.of, h.records, maxLookups/2), 0
		for _, name := range names {
			if err := ctx.Err(); err != nil {
				return err
			}
			inTree, err := s.tree.HasRecord(name)
			if err != nil {
				return err
			}
			if !inTree && (h == &s.frozen || !s.frozen.isUnposted() || !s.frozen.of.Has(name)) {
				found++
			}
		}
		share := float64(found) / float64(max(len(names), 1))
		stats.Records += uint64(math.Round(share * float64(h.records)))
	}
	return nil
}
