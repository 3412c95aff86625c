// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"errors"
	"path/filepath"
	"slices"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/wal"
)

// Sync makes durable everything that was acknowledged before it was called. Under Always it already is.
// After an error the log takes no more writes.
func (db *DB) Sync(ctx context.Context) error {
	if err := db.enterWriting(ctx); err != nil {
		return err
	}
	defer db.gate.leave()
	return db.log.Sync()
}

// Check reads everything, the tree and the log, and returns every fault it finds, joined, each matching
// daybook.ErrCorrupt and naming the file and the offset, and the record and the key where there is one: pages,
// frames, checksums, the order of values, and the catalogue and the totals against the values. Stores and
// queries go on meanwhile; checkpoints wait.
func (db *DB) Check(ctx context.Context) error {
	if err := db.enter(ctx); err != nil {
		return err
	}
	defer db.gate.leave()
	if err := db.startPosting(ctx); err != nil {
		return err
	}
	defer db.stopPosting()
	return errors.Join(db.tree.Check(ctx), db.checkLog())
}

func (db *DB) checkLog() error {
	if db.log != nil {
		return db.log.Check()
	}
	state, err := db.tree.State() // read-only, nothing is written beside it
	if err == nil {
		_, err = wal.Scan(filepath.Join(db.dir, logName), db.fs, state.Watermark)
	}
	return err
}

// Stats returns what the store holds and has done since it was opened. It reads the files' sizes and
// counts the records, which takes time in proportion to those in the head.
func (db *DB) Stats(ctx context.Context) (stats daybook.Stats, err error) {
	if err := db.enter(ctx); err != nil {
		return daybook.Stats{}, err
	}
	defer db.gate.leave()
	db.statsMu.Lock()
	stats = db.stats
	db.statsMu.Unlock()
	if err := db.countHeads(&stats); err != nil {
		return daybook.Stats{}, err
	}
	db.mu.RLock()
	stats.Quarantined = slices.Clone(db.quarantined)
	db.mu.RUnlock()
	stats.OpenScans = int(db.scans.Load())
	db.treeMu.RLock()
	stats.TreeBytes, stats.TreeUsed, err = db.tree.Size()
	db.treeMu.RUnlock()
	if err != nil {
		return daybook.Stats{}, err
	}
	stats.LogBytes = db.recoveredLog
	if db.log != nil {
		stats.LogBytes = db.log.Size()
	}
	stats.DiskBytes = stats.TreeBytes + stats.LogBytes + db.reserve.size()
	return stats, nil
}

// countHeads fills in what is in the tree and what is in the heads but not in the tree.
func (db *DB) countHeads(stats *daybook.Stats) error {
	db.mu.RLock()
	stats.LastSequence = db.lastSequence
	stats.HeadBytes = db.active.Size()
	if db.frozen != nil {
		stats.HeadBytes += db.frozen.Size()
	}
	db.mu.RUnlock()

	snapshot, err := db.snapshot(everything)
	if err != nil {
		return err
	}
	defer snapshot.close()
	inTree := snapshot.tree.State
	stats.Watermark = inTree.Watermark
	stats.Records, stats.Values, stats.ValueBytes = inTree.Records, inTree.Values, inTree.Bytes
	for len(snapshot.frozen)+len(snapshot.active) > 0 {
		r := snapshot.nextInHeads()
		if found, err := snapshot.tree.Has(string(r.name)); err != nil {
			return err
		} else if !found {
			stats.Records++
		}
		for i := range r.views {
			stats.Values += uint64(r.views[i].Count())
			stats.ValueBytes += r.views[i].Bytes()
		}
	}
	return nil
}
