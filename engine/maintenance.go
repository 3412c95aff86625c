// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"cmp"
	"context"
	"errors"

	"github.com/daybook-db/daybook/engine/internal/wal"
)

// Sync makes durable all values that were acknowledged before the call. Under Always they already
// are. After an error the log takes no more writes.
// Errors: daybook.ErrReadOnly, ErrClosed, ErrFailed, or ctx's.
func (db *DB) Sync(ctx context.Context) error {
	if err := db.enterWriting(ctx); err != nil {
		return err
	}
	defer db.gate.leave()
	return db.log.Sync()
}

// Check reads the whole tree and the whole log, and returns every fault that it finds, joined. Each
// matches daybook.ErrCorrupt and names the file and the offset, and the record and the key where
// there is one. It verifies pages, frames, checksums, the order of values, and the catalogue and
// the totals against the values. Stores and queries go on meanwhile; checkpoints wait.
// Errors: daybook.ErrCorrupt, ErrClosed, ctx's, or the operating system's.
func (db *DB) Check(ctx context.Context) error {
	if err := db.enter(ctx); err != nil {
		return err
	}
	defer db.gate.leave()
	ctx = db.reading(ctx)
	return db.withTurn(ctx, func(t *turn) error { return errors.Join(t.tree().Check(ctx), t.checkLog(ctx)) })
}

func (t *turn) checkLog(ctx context.Context) error {
	db := t.db
	if db.log != nil {
		return db.log.Check(ctx)
	}
	state, err := t.tree().State() // the directory is open read-only: nothing is written meanwhile
	if err == nil {
		_, err = wal.Scan(db.dir.file(logName), db.dir.fs, t.knownToLog(state))
	}
	return cmp.Or(ctx.Err(), err) // a writer that this reader gave way to may change the log
}
