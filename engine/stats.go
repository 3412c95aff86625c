// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/daybook-db/daybook"
)

// statistics are the parts of Stats that are counted as they happen.
type statistics struct {
	mu       sync.Mutex // guards counted
	counted  daybook.Stats
	logFound int64 // size of the log in bytes as Open found it
}

func (s *statistics) addCommit(values int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counted.Commits++
	s.counted.CommitValues += uint64(values)
}

func (s *statistics) addSync(took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counted.Syncs.Add(took)
}

func (s *statistics) addCheckpoint(took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counted.Checkpoints.Add(took)
}

func (s *statistics) addQuarantined(path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counted.Quarantined = append(s.counted.Quarantined, path)
}

// get returns a copy of the counted parts.
func (s *statistics) get() daybook.Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	stats := s.counted
	stats.Quarantined = slices.Clone(stats.Quarantined)
	return stats
}

// Stats returns what the store holds and has done since it was opened. It reads the sizes of the
// files and counts the records, which takes time in proportion to the records in the heads.
// Errors: daybook.ErrCorrupt, ErrClosed, ctx's, or the operating system's.
func (db *DB) Stats(ctx context.Context) (stats daybook.Stats, err error) {
	if err := db.enter(ctx); err != nil {
		return daybook.Stats{}, err
	}
	defer db.gate.leave()
	ctx = db.reading(ctx)
	stats = db.stats.get()
	known := db.identity.get()
	stats.Store, stats.Epoch = known.Store, known.Current().ID
	stats.LastCursor = db.cursorAt(db.heads.last())
	stats.LastSequence = stats.LastCursor.Sequence
	stats.HeadBytes = db.heads.size()
	stats.OpenScans = int(db.trees.snapshots.Load())
	if err := db.countValues(ctx, &stats); err != nil {
		return daybook.Stats{}, err
	}
	stats.TreeBytes, stats.TreeUsed, err = db.trees.size()
	if err != nil {
		return daybook.Stats{}, err
	}
	stats.LogBytes = db.stats.logFound
	if db.log != nil {
		stats.LogBytes = db.log.Size()
	}
	stats.DiskBytes = stats.TreeBytes + stats.LogBytes + db.reserve.size()
	return stats, nil
}

// countValues counts the values and records in the tree, and those in the heads that are not in the
// tree.
func (db *DB) countValues(ctx context.Context, stats *daybook.Stats) error {
	snapshot, err := db.snapshot(allRecords)
	if err != nil {
		return err
	}
	defer snapshot.close()
	inTree := snapshot.tree.State
	stats.Watermark = inTree.Watermark
	stats.Records, stats.Values, stats.ValueBytes = inTree.Records, inTree.Values, inTree.Bytes
	for {
		r, found, err := snapshot.next(ctx)
		if !found || err != nil {
			return err
		}
		if inTree, err := snapshot.tree.HasRecord(string(r.name)); err != nil {
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
