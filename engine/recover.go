// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/head"
	"github.com/daybook-db/daybook/engine/internal/tree"
	"github.com/daybook-db/daybook/engine/internal/wal"
)

const (
	firstSegmentSize = 256 << 10
	segmentSize      = 4 << 20
)

// recoverLog reads the log and replays it.
func (db *DB) recoverLog(state tree.State) (*wal.Recovery, error) {
	recovery, err := wal.Scan(filepath.Join(db.dir, logName), db.fs, state.Watermark)
	if err == nil {
		err = db.replay(recovery, state)
	}
	return recovery, err
}

// replay puts what the log holds, and the tree does not, into the head. A log can hold two heads and more, so
// full ones are posted on the way, unless nothing may be written or there turned out to be no room for it. One that
// had been posted in part is posted as one.
func (db *DB) replay(recovery *wal.Recovery, inTree tree.State) error {
	if last := recovery.NextSequence() - 1; last < inTree.Highest() {
		return fmt.Errorf("%w: %s ends with sequence number %d, though values up to %d were there when the tree was last written to",
			daybook.ErrCorrupt, filepath.Join(db.dir, logName), last, inTree.Highest())
	}
	return db.replayAll(recovery, inTree)
}

// replayAll is replay of a log that may end before what is in the tree.
func (db *DB) replayAll(recovery *wal.Recovery, inTree tree.State) error {
	posting := !db.opts.ReadOnly
	err := recovery.Replay(func(sequence uint64, payload []byte, values int) error {
		if err := addBatch(db.active, sequence, payload, values, inTree); err != nil {
			return err
		}
		if !posting || db.active.Size() < db.opts.Tuning.HeadSize || db.active.LastSequence() < inTree.Highest() {
			return nil
		}
		db.frozen = db.active
		_, err := db.postFrozen(nil)
		if errors.Is(err, daybook.ErrNoSpace) {
			db.frozen, posting = nil, false
			return nil
		}
		if err != nil {
			return unpostable{err}
		}
		db.active = head.New(db.opts.Tuning.HeadSize)
		return nil
	})
	db.lastSequence = recovery.NextSequence() - 1
	return err
}

// addBatch adds the values of one frame to a head, but for those that are in the tree.
func addBatch(h *head.Head, sequence uint64, payload []byte, values int, inTree tree.State) error {
	batch, err := codec.ReadBatch(payload)
	if err != nil {
		return fmt.Errorf("%w: a frame of %d values: %w", daybook.ErrCorrupt, values, err)
	}
	if batch.Remaining() != values {
		return fmt.Errorf("%w: a frame of %d values holds %d", daybook.ErrCorrupt, values, batch.Remaining())
	}
	for ; batch.Remaining() > 0; sequence++ {
		record, timestamp, value, err := batch.Next()
		if err != nil {
			return fmt.Errorf("%w: %w", daybook.ErrCorrupt, err)
		}
		if name := string(record); sequence > inTree.Posted(name) {
			h.Add(name, timestamp, sequence, value)
		} else {
			h.AdvanceTo(sequence)
		}
	}
	return nil
}

// openLog makes the log ready and starts what runs in the background.
func (db *DB) openLog(recovery *wal.Recovery, lastSegment uint64) (err error) {
	first, further := sizeOfSegments(db.opts.MaxSize)
	db.log, err = recovery.Open(lastSegment, wal.Options{
		FirstSegmentSize: first,
		SegmentSize:      further,
		KeepReleased:     2*db.opts.Tuning.HeadSize + further, // and no more than MaxSize has for the log
		Logger:           db.opts.Logger,
		OnSync: func(took time.Duration) {
			db.statsMu.Lock()
			defer db.statsMu.Unlock()
			db.stats.Syncs.Add(took)
		},
	})
	if err != nil {
		return err
	}
	db.takeReserve()
	state, err := db.tree.State()
	if err != nil {
		return errors.Join(err, db.log.Close(false))
	}
	db.log.Release(state.Watermark)
	db.log.PrepareSegment()
	if err := db.measure(); err != nil {
		return errors.Join(err, db.log.Close(false))
	}
	if db.opts.Durability == Interval {
		db.syncer.start(db.syncEveryInterval)
	}
	// What was replayed is posted soon, so that a device that keeps crashing does not keep replaying.
	db.checkpointer.start(db.postWhenFrozen)
	if canReplace {
		db.compactor.start(db.compactWhenFree)
	}
	if db.active.Values() > 0 {
		db.mu.Lock()
		db.freezeLocked()
		db.mu.Unlock()
		db.checkpointer.nudge()
	}
	return nil
}

// syncEveryInterval is the background work of Interval.
func (db *DB) syncEveryInterval(stopping <-chan struct{}) {
	ticker := time.NewTicker(db.opts.SyncInterval)
	defer ticker.Stop()
	for {
		select {
		case <-stopping:
			return
		case <-ticker.C:
			if err := db.log.Sync(); err != nil {
				// Every Store from now on returns it too.
				db.opts.Logger.ErrorContext(context.Background(), "daybook: the log could not be synced", "dir", db.dir, "error", err)
				return
			}
		}
	}
}
