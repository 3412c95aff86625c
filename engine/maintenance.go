// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"cmp"
	"context"
	"errors"

	"github.com/daybook-db/daybook/engine/internal/tree"
	"github.com/daybook-db/daybook/engine/internal/wal"
)

// Sync makes durable all values that were acknowledged before the call. Under DurabilityAlways
// they already are. After an error the log takes no more writes.
// Errors: daybook.ErrReadOnly, ErrClosed, ErrFailed, or ctx's.
func (db *DB) Sync(ctx context.Context) error {
	if err := db.enterWriting(ctx); err != nil {
		return err
	}
	synced := make(chan error, 1)
	go func() {
		defer db.gate.leave()
		synced <- db.log.Sync()
	}()
	select {
	case err := <-synced:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Check reads the whole tree and the whole log, and returns every fault that it finds, joined. Each
// matches daybook.ErrCorrupt and names the file and the offset, and the record and the key where
// there is one. It verifies pages, frames, checksums, the order of values, and the catalogue and
// the totals against the values. Stores, queries and checkpoints go on meanwhile. As with a Scan,
// pages that are freed after it began stay in use until it ends.
// Errors: daybook.ErrCorrupt, ErrClosed, ctx's, or the operating system's.
func (db *DB) Check(ctx context.Context) error {
	if err := db.enter(ctx); err != nil {
		return err
	}
	defer db.gate.leave()
	if err := db.refuseBeside("Check"); err != nil {
		return err
	}
	ctx = db.reading(ctx)
	checking, err := db.beginCheck(ctx)
	if err != nil && ctx.Err() != nil {
		return err
	}
	if err != nil {
		return errors.Join(err, db.checkLog(ctx))
	}
	defer db.trees.snapshotClosed()
	defer checking.Close()
	return errors.Join(checking.Run(ctx), db.checkLog(ctx))
}

// beginCheck begins the check of the tree. Only that needs the turn: a Check of years of values
// takes long, and the heads would fill up if checkpoints had to wait for it.
func (db *DB) beginCheck(ctx context.Context) (checking *tree.Checking, err error) {
	err = db.withTurn(ctx, func(t *turn) error {
		checking, err = t.tree().BeginCheck()
		if err == nil {
			db.trees.snapshots.Add(1) // with the turn, so that measure counts it
		}
		return err
	})
	return checking, err
}

func (db *DB) checkLog(ctx context.Context) error {
	if db.log != nil {
		return db.log.Check(ctx)
	}
	return db.withTurn(ctx, func(t *turn) error {
		state, err := t.tree().State() // the directory is open read-only: nothing is written meanwhile
		if err == nil {
			_, err = wal.Scan(db.dir.file(logName), db.dir.fs, t.knownToLog(state))
		}
		return cmp.Or(ctx.Err(), err) // a writer that this reader gave way to may change the log
	})
}
