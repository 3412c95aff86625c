// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/identity"
	"github.com/daybook-db/daybook/engine/internal/tree"
	"github.com/daybook-db/daybook/engine/internal/wal"
)

// Sizes in bytes of the log's segments. The first one is small, because many programs store little.
const (
	firstSegmentSize = 256 << 10
	segmentSize      = 4 << 20
)

// recoverLog reads the log and puts into the heads the values that are not in the tree. With
// OnCorruptionQuarantine it goes on without the damaged files.
func (t *turn) recoverLog() (*wal.Recovery, error) {
	recovery, err := t.scanAndReplay()
	if t.db.quarantines(err) {
		return t.recoverDamaged(err)
	}
	return recovery, err
}

func (t *turn) scanAndReplay() (*wal.Recovery, error) {
	state, err := t.tree().State()
	if err != nil {
		return nil, err
	}
	recovery, err := wal.Scan(t.db.dir.file(logName), t.db.dir.fs, t.knownToLog(state))
	if changed := t.checkStillNewest(); changed != nil {
		return nil, changed
	}
	if err != nil {
		return nil, err
	}
	t.lastSegment = recovery.LastSegment()
	if last := recovery.NextSequence() - 1; last < state.MaxPosted() {
		return recovery, fmt.Errorf("%w: %s ends with sequence number %d, but values up to %d are in the tree",
			daybook.ErrCorrupt, t.db.dir.file(logName), last, state.MaxPosted())
	}
	return recovery, t.replay(recovery, state)
}

// replay puts into the heads the values of the log that are not in the tree. A log can hold more
// than two heads, so replay posts full heads on the way, unless it may not write, or the disk turns
// out to be full. A head that a crash interrupted in being posted is posted as one.
//
// What is posted on the way takes the epochs of the log into the tree, because the segments that
// show them may be released then.
func (t *turn) replay(recovery *wal.Recovery, inTree tree.State) error {
	heads, posting := t.db.heads, !t.db.opts.ReadOnly
	if known := recovery.Identity(); posting && !known.Equal(t.tree().NextIdentity()) {
		t.tree().SetIdentity(known)
	}
	err := recovery.Replay(func(sequence uint64, payload []byte, values int) error {
		batch, err := codec.ReadBatch(payload)
		if err != nil {
			return fmt.Errorf("%w: a frame of %d values: %w", daybook.ErrCorrupt, values, err)
		}
		if batch.Remaining() != values {
			return fmt.Errorf("%w: a frame of %d values holds %d", daybook.ErrCorrupt, values, batch.Remaining())
		}
		full, err := heads.addReplayed(&batch, sequence, inTree)
		if err != nil {
			return fmt.Errorf("%w: %w", daybook.ErrCorrupt, err)
		}
		if !full || !posting {
			return nil
		}
		heads.freeze()
		_, err = t.postFrozen(context.Background(), nil)
		if errors.Is(err, daybook.ErrNoSpace) {
			heads.unfreeze()
			posting = false
			return nil
		}
		return markOfTree(err)
	})
	heads.setLast(recovery.NextSequence() - 1)
	return err
}

// openLog opens the log for writing.
func (t *turn) openLog(recovery *wal.Recovery, origin identity.Origin) error {
	db := t.db
	state, err := t.tree().State()
	if err != nil {
		return err
	}
	clean, missing := !recovery.Unclean() && !t.sessionIsUnclean(), recovery.IsMissing()
	startSession := func() error { return db.session.start(origin, recovery.NextSequence()-1, clean) }
	if missing { // its directory is made below, and must not be taken for one that lacks its files
		if err := startSession(); err != nil {
			return err
		}
	}
	t.savedSegment = state.LastSegment
	first, others := segmentSizes(db.opts.MaxSize)
	db.log, err = recovery.Open(state.LastSegment, wal.Options{
		FirstSegmentSize: first,
		SegmentSize:      others,
		KeepReleased:     2*db.opts.Tuning.HeadSize + others, // at most the log's part of MaxSize
		Logger:           db.opts.Logger,
		OnSync:           db.stats.addSync,
		Origin:           origin,
		KeepEvidence:     recovery.Unclean(),
		OnUndo:           db.forkAfter,
		VerifyTree:       db.verifyTree,
		Session:          &db.session,
	})
	if err != nil {
		return err
	}
	if !missing { // after the values of the log have become durable
		if err := startSession(); err != nil {
			return errors.Join(err, db.log.Close(false))
		}
	}
	if err := db.dir.fs.Hold(db.dir.log); err != nil {
		return errors.Join(err, db.log.Close(false))
	}
	t.takeReserve()
	db.log.Release(state.Watermark)
	if db.opts.MaxSize == 0 || db.heads.activeEmpty() { // otherwise the log may have its whole part already
		db.log.PrepareSegment()
	}
	if err := t.measure(); err != nil {
		return errors.Join(err, db.log.Close(false))
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
				// From now on every Store returns the error too.
				db.opts.Logger.ErrorContext(context.Background(), "daybook: the log could not be synced",
					"dir", db.dir.path, "error", err)
				return
			}
		}
	}
}
