// SPDX-License-Identifier: Apache-2.0

package peers

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	"github.com/daybook-db/daybook"
)

// sqliteSchema is AimDB's. An index of SQLite ends in the row's id by itself, so values of equal
// time have an order. A third column with the id would spare a query the sort of equal times, but
// makes inserts slower by a quarter.
const sqliteSchema = `
CREATE TABLE IF NOT EXISTS record_history (
	id          INTEGER PRIMARY KEY AUTOINCREMENT,
	record_name TEXT    NOT NULL,
	value_json  TEXT    NOT NULL,
	stored_at   INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS record_history_by_time ON record_history (record_name, stored_at DESC);`

const (
	sqliteInsert = `INSERT INTO record_history (record_name, value_json, stored_at) VALUES (?, ?, ?)`
	sqliteDelete = `DELETE FROM record_history WHERE stored_at <= ?`
)

// sqliteStore keeps the history in one SQLite database. One connection writes, and a pool of others
// reads. Each read is one statement, and so sees one snapshot. A transaction is durable when it has
// committed, because synchronous=FULL syncs the write-ahead log each time.
type sqliteStore struct {
	gate     gate
	database *sql.DB // has the writer's connection only
	readers  *sql.DB
	design   sqliteDesign
	queries  sync.Map // text of a query to its *sql.Stmt on readers

	// free holds an element while the writer is free. The call that has taken it may use the fields
	// below.
	free           chan struct{}
	writer         *sql.Conn
	insert, remove *sql.Stmt

	mu      sync.Mutex // guards waiting
	waiting []*sqliteInsertion
}

// sqliteReaders is the size of the pool. It is bounded because each connection has its own page
// cache. Scans that are nested in each other's loops more deeply than that wait for ever.
func sqliteReaders() int { return max(8, 2*runtime.GOMAXPROCS(0)) }

// openSQLite opens the database in dir with the driver's connections.
func openSQLite(dir string, connect sqliteDriver, design sqliteDesign) (Store, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	connector := sqliteConnector{driver: connect, path: filepath.Join(dir, "history.db")}
	s := &sqliteStore{
		gate:     newGate(),
		database: sql.OpenDB(connector),
		readers:  sql.OpenDB(connector),
		design:   design,
		free:     make(chan struct{}, 1),
	}
	s.database.SetMaxOpenConns(1)
	s.readers.SetMaxOpenConns(sqliteReaders())
	s.readers.SetMaxIdleConns(sqliteReaders())
	if err := s.prepare(context.Background()); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	s.free <- struct{}{}
	return s, nil
}

// prepare makes the writer's connection, the table and the writer's statements.
func (s *sqliteStore) prepare(ctx context.Context) (err error) {
	if s.writer, err = s.database.Conn(ctx); err != nil {
		return err
	}
	if _, err = s.writer.ExecContext(ctx, sqliteSchema); err != nil {
		return err
	}
	if s.insert, err = s.writer.PrepareContext(ctx, sqliteInsert); err != nil {
		return err
	}
	s.remove, err = s.writer.PrepareContext(ctx, sqliteDelete)
	return err
}

// beginWrite enters the gate and takes the writer. When it returns nil, endWrite must follow.
func (s *sqliteStore) beginWrite(ctx context.Context) error {
	if err := s.gate.enter(ctx); err != nil {
		return err
	}
	select {
	case <-s.free:
		return nil
	case <-ctx.Done():
		s.gate.leave()
		return ctx.Err()
	}
}

func (s *sqliteStore) endWrite() {
	s.free <- struct{}{}
	s.gate.leave()
}

// Initialize does nothing, because opening has made the table.
func (s *sqliteStore) Initialize(ctx context.Context) error {
	if err := s.gate.enter(ctx); err != nil {
		return err
	}
	s.gate.leave()
	return nil
}

// StoreBatch inserts the values one by one in a transaction.
func (s *sqliteStore) StoreBatch(ctx context.Context, values []daybook.StoredValue) error {
	for i, v := range values {
		if err := checkSQLiteTime(v.StoredAt); err != nil {
			return fmt.Errorf("value %d: %w", i, err)
		}
	}
	if err := s.beginWrite(ctx); err != nil {
		return err
	}
	defer s.endWrite()
	return s.commit(ctx, values)
}

// insertAll looks at the context between the inserts. An insert under a context that can be
// cancelled would cost a goroutine.
func (s *sqliteStore) insertAll(ctx context.Context, values []daybook.StoredValue) error {
	uncancelled := context.WithoutCancel(ctx)
	for _, v := range values {
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, err := s.insert.ExecContext(uncancelled, v.RecordName, string(v.Value), int64(v.StoredAt)); err != nil {
			return err
		}
	}
	return nil
}

// Cleanup deletes in one transaction. Interrupted, it has deleted nothing.
func (s *sqliteStore) Cleanup(ctx context.Context, olderThan uint64) (deleted uint64, err error) {
	if err := s.beginWrite(ctx); err != nil {
		return 0, err
	}
	defer s.endWrite()
	if olderThan == 0 {
		return 0, nil
	}
	last := min(olderThan-1, math.MaxInt64)
	err = s.transact(ctx, func() error {
		result, err := s.remove.ExecContext(ctx, int64(last))
		if err != nil {
			return err
		}
		count, err := result.RowsAffected()
		deleted = uint64(count)
		return err
	})
	if err != nil {
		return 0, err
	}
	return deleted, nil
}

// transact runs do in a transaction, which it commits if do returns nil. The caller has the writer.
func (s *sqliteStore) transact(ctx context.Context, do func() error) error {
	uncancelled := context.WithoutCancel(ctx)
	if _, err := s.writer.ExecContext(uncancelled, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	err := do()
	if err == nil {
		_, err = s.writer.ExecContext(uncancelled, "COMMIT")
	}
	if err == nil {
		return nil
	}
	// SQLite may have rolled back by itself. ROLLBACK then returns an error that says no more than
	// that.
	s.writer.ExecContext(uncancelled, "ROLLBACK")
	if ended := ctx.Err(); ended != nil {
		return ended
	}
	return err
}

// Close waits for the calls that are running, so it must not be called in a Scan's loop. The writer
// is closed last, because the last connection moves the log into the database and deletes it.
func (s *sqliteStore) Close() error {
	return s.gate.close(func() error { return errors.Join(s.readers.Close(), s.closeWriter()) })
}

// closeWriter closes the statements too: database/sql forgets those that were prepared on a
// sql.Conn, and SQLite keeps a connection open while it has statements.
func (s *sqliteStore) closeWriter() error {
	var err error
	for _, statement := range []*sql.Stmt{s.insert, s.remove} {
		if statement != nil {
			err = errors.Join(err, statement.Close())
		}
	}
	if s.writer != nil {
		err = errors.Join(err, s.writer.Close())
	}
	return errors.Join(err, s.database.Close())
}

// checkSQLiteTime returns an error for a timestamp that does not fit SQLite's signed INTEGER.
func checkSQLiteTime(timestamp uint64) error {
	if timestamp > math.MaxInt64 {
		return fmt.Errorf("%w: %d; at most %d", daybook.ErrTimestampRange, timestamp, int64(math.MaxInt64))
	}
	return nil
}
