// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/daybook-db/daybook"
)

// schema is AimDB's. An index of SQLite ends in the row's id by itself, so values of equal time
// have an order.
const schema = `
CREATE TABLE IF NOT EXISTS record_history (
	id          INTEGER PRIMARY KEY AUTOINCREMENT,
	record_name TEXT    NOT NULL,
	value_json  TEXT    NOT NULL,
	stored_at   INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS idx_record_time ON record_history (record_name, stored_at DESC);`

const (
	insertRow  = `INSERT INTO record_history (record_name, value_json, stored_at) VALUES (?, ?, ?)`
	deleteRows = `DELETE FROM record_history WHERE stored_at <= ?`
)

// writer is the one connection that writes, because SQLite has one writer at a time. A call that
// writes has to acquire it first.
type writer struct {
	free           chan struct{} // holds one element while the writer is free
	pool           *sql.DB       // of conn alone
	conn           *sql.Conn
	insert, remove *sql.Stmt
	failure        error // the first I/O error of a write; guarded by free
	waiting        queue
	busyTimeout    time.Duration
}

// openWriter makes the table, if there is none, and prepares the statements. It owns pool.
func openWriter(ctx context.Context, pool *sql.DB, busyTimeout time.Duration) (*writer, error) {
	pool.SetMaxOpenConns(1)
	w := &writer{free: make(chan struct{}, 1), pool: pool, busyTimeout: busyTimeout}
	if err := w.prepare(ctx); err != nil {
		return nil, errors.Join(err, w.close())
	}
	w.free <- struct{}{}
	return w, nil
}

func (w *writer) prepare(ctx context.Context) (err error) {
	if w.conn, err = w.pool.Conn(ctx); err != nil {
		return err
	}
	if _, err = w.conn.ExecContext(ctx, schema); err != nil {
		return err
	}
	if w.insert, err = w.conn.PrepareContext(ctx, insertRow); err != nil {
		return err
	}
	if w.remove, err = w.conn.PrepareContext(ctx, deleteRows); err != nil {
		return err
	}
	_, err = w.conn.ExecContext(ctx, "PRAGMA busy_timeout = 0") // whileLocked waits
	return err
}

// close closes the statements too: database/sql forgets those that were prepared on a sql.Conn, and
// SQLite keeps a connection open while it has statements.
func (w *writer) close() error {
	var err error
	for _, statement := range []*sql.Stmt{w.insert, w.remove} {
		if statement != nil {
			err = errors.Join(err, statement.Close())
		}
	}
	if w.conn != nil {
		err = errors.Join(err, w.conn.Close())
	}
	return errors.Join(err, w.pool.Close())
}

// acquire waits until the writer is free. When it returns nil, release must follow.
func (w *writer) acquire(ctx context.Context) error {
	select {
	case <-w.free:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (w *writer) release() { w.free <- struct{}{} }

// commit inserts values in one transaction. The caller has acquired w.
func (w *writer) commit(ctx context.Context, values []daybook.StoredValue) error {
	switch len(values) {
	case 0:
		return nil
	case 1: // SQLite makes a transaction of a single insert by itself
		return w.try(func() error {
			return w.whileLocked(ctx, func() error { return w.insertAll(ctx, values) })
		})
	}
	return w.transact(ctx, func() error { return w.insertAll(ctx, values) })
}

// insertAll looks at the context between the inserts. A context that can be cancelled would cost a
// goroutine for each of them.
func (w *writer) insertAll(ctx context.Context, values []daybook.StoredValue) error {
	uncancelled := context.WithoutCancel(ctx)
	for _, v := range values {
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, err := w.insert.ExecContext(uncancelled, v.RecordName, string(v.Value), int64(v.StoredAt)); err != nil {
			return err
		}
	}
	return nil
}

// transact runs do in a transaction, which it commits if do returns nil. The caller has acquired w.
func (w *writer) transact(ctx context.Context, do func() error) error {
	uncancelled := context.WithoutCancel(ctx)
	return w.try(func() error {
		err := w.whileLocked(ctx, func() error {
			_, err := w.conn.ExecContext(uncancelled, "BEGIN IMMEDIATE")
			return err
		})
		if err != nil {
			return err
		}
		err = do()
		if err == nil {
			_, err = w.conn.ExecContext(uncancelled, "COMMIT")
		}
		if err == nil {
			return nil
		}
		// SQLite may have rolled back by itself. ROLLBACK then returns an error that says no more
		// than that.
		_, _ = w.conn.ExecContext(uncancelled, "ROLLBACK")
		if cancelled := ctx.Err(); cancelled != nil && !isIOError(err) {
			return cancelled
		}
		return err
	})
}

// whileLocked calls begin again and again while another process writes to the file, for as long as
// Options.BusyTimeout and ctx allow. SQLite's own wait would not end with ctx.
func (w *writer) whileLocked(ctx context.Context, begin func() error) error {
	const maxPause = 25 * time.Millisecond
	deadline := time.Now().Add(w.busyTimeout)
	for pause := time.Millisecond; ; pause = min(2*pause, maxPause) {
		err := begin()
		if code, ok := resultCode(err); !ok || code != codeBusy || time.Now().After(deadline) {
			return err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// try runs write, unless the disk has failed before. After a failure it is not known what reached
// the disk.
func (w *writer) try(write func() error) error {
	if w.failure != nil {
		return fmt.Errorf("%w: %w", daybook.ErrFailed, w.failure)
	}
	err := write()
	if isIOError(err) {
		w.failure = err
		return fmt.Errorf("%w: %w", daybook.ErrFailed, err)
	}
	return translate(err)
}
