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

// sqliteSchema is AimDB's. The index ends in the row's id by itself, so values of equal time have an order. A third
// column for it would spare a query the sort among equal times, and costs an insert a quarter of its speed.
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

// sqliteStore keeps the history in one SQLite database: one connection writes, a pool of others reads, and each read
// is one statement and so sees one snapshot of the write-ahead log. A transaction is durable when it has committed,
// since synchronous=FULL syncs the log each time.
type sqliteStore struct {
	gate     gate
	database *sql.DB // of the writer alone
	readers  *sql.DB
	design   sqliteDesign
	queries  sync.Map // text of a query to its *sql.Stmt on readers

	// turn holds a token when the writer is free. Who has taken it may use the fields below.
	turn           chan struct{}
	writer         *sql.Conn
	insert, remove *sql.Stmt

	mu      sync.Mutex // guards waiting
	waiting []*sqliteInsertion
}

// sqliteReaders bounds the pool, for each connection has a page cache of its own. Scans within the loops of Scans
// wait for ever once they are nested deeper than that.
func sqliteReaders() int { return max(8, 2*runtime.GOMAXPROCS(0)) }

// openSQLite opens the database in dir with connections that connect makes.
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
		turn:     make(chan struct{}, 1),
	}
	s.database.SetMaxOpenConns(1)
	s.readers.SetMaxOpenConns(sqliteReaders())
	s.readers.SetMaxIdleConns(sqliteReaders())
	if err := s.prepare(context.Background()); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	s.turn <- struct{}{}
	return s, nil
}

// prepare makes what the writer needs.
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

// beginWrite enters the gate and takes the writer.
func (s *sqliteStore) beginWrite(ctx context.Context) error {
	if err := s.gate.enter(ctx); err != nil {
		return err
	}
	select {
	case <-s.turn:
		return nil
	case <-ctx.Done():
		s.gate.leave()
		return ctx.Err()
	}
}

func (s *sqliteStore) endWrite() {
	s.turn <- struct{}{}
	s.gate.leave()
}

// Initialize does nothing: opening made the table.
func (s *sqliteStore) Initialize(ctx context.Context) error {
	if err := s.gate.enter(ctx); err != nil {
		return err
	}
	s.gate.leave()
	return nil
}

// StoreBatch is a transaction of one insert for each value.
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

// insertAll leaves the single inserts uncancelled: to watch a context costs a goroutine for each of them.
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

// Cleanup deletes in one transaction, so an interrupted one has deleted nothing.
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

// transact runs do in a transaction, and commits unless it fails. The caller has the writer.
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
	// SQLite may have rolled back by itself, and says so with an error that tells nothing new.
	s.writer.ExecContext(uncancelled, "ROLLBACK")
	if ended := ctx.Err(); ended != nil {
		return ended
	}
	return err
}

// Close must not be called within a Scan's loop, since it waits for the calls that run. The writer goes last: the
// connection that closes last posts the log into the database and deletes it.
func (s *sqliteStore) Close() error {
	return s.gate.close(func() error { return errors.Join(s.readers.Close(), s.closeWriter()) })
}

// closeWriter closes the statements too: SQLite keeps a connection open behind the scenes while there are some, and
// database/sql forgets those that were prepared on a sql.Conn.
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

// checkSQLiteTime sees that a timestamp fits an INTEGER.
func checkSQLiteTime(timestamp uint64) error {
	if timestamp > math.MaxInt64 {
		return fmt.Errorf("%w: %d; at most %d", daybook.ErrTimestampRange, timestamp, int64(math.MaxInt64))
	}
	return nil
}
