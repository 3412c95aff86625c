// SPDX-License-Identifier: Apache-2.0

// Package sqlite is a [daybook.Backend] over the table that AimDB's persistence layer keeps in a
// SQLite file. It opens a file that AimDB wrote, and AimDB opens a file that this package wrote.
// [Open] makes what a new file lacks:
//
//	CREATE TABLE record_history (
//		id          INTEGER PRIMARY KEY AUTOINCREMENT, -- the order of insertion
//		record_name TEXT    NOT NULL,
//		value_json  TEXT    NOT NULL,                  -- the JSON text, byte for byte
//		stored_at   INTEGER NOT NULL                   -- Unix ms
//	);
//	CREATE INDEX idx_record_time ON record_history (record_name, stored_at DESC);
//
// [DB] is also a [daybook.BatchStorer] and a [daybook.Scanner], and passes package backendtest.
// [History] reads the values of such a file without changing it.
//
// # Guarantees
//
//   - Store and StoreBatch return when the values are on stable storage, and store all of them or
//     none. The file is in WAL mode with synchronous=FULL, and each connection reads both settings
//     back before its first use, because drivers and builds of SQLite differ in their defaults. On
//     macOS fullfsync is on too.
//   - Calls of Store that wait for the same commit share it, so that many goroutines need few
//     syncs.
//   - A query is one statement, and reads one snapshot. Reads do not wait for writes, nor writes
//     for reads: a loop over Scan may store into the same DB.
//   - Another process may use the file at the same time, on the same machine. A write waits for
//     Options.BusyTimeout for another process's transaction, and then returns daybook.ErrLocked.
//   - An error of SQLite is wrapped in the error of package daybook with the same meaning, such as
//     ErrNoSpace for a full disk and ErrCorrupt for a damaged file. After the disk failed a write,
//     every write returns ErrFailed until the file is opened again. Reads go on.
//
// # Caveats
//
//   - A timestamp is at most math.MaxInt64 ms, because SQLite's integers are signed. A later one is
//     daybook.ErrTimestampRange. The bounds of a query and the argument of Cleanup may be any
//     uint64.
//   - A Scan occupies one of Options.Readers connections until its loop ends. Scans nested in each
//     other's loops more deeply than that wait for ever.
//   - While a Scan is open, the write-ahead log cannot be reset and grows with every write.
//   - Cleanup reads the whole table, and is one transaction. Writes of all processes wait for it.
//   - The JSON in a file that another program wrote is returned as it is, without a check.
//   - SQLite does not verify checksums of its pages. Damage may go unnoticed, unlike in the
//     embedded engine.
//   - WAL mode needs shared memory, so the file must not be on a network file system.
//
// # The driver
// The driver is modernc.org/sqlite: SQLite's C code compiled to Go, which needs no cgo. Only
// driver.go depends on it.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"github.com/daybook-db/daybook"
)

// Defaults of Options.
const (
	DefaultBusyTimeout = 10 * time.Second
	DefaultCacheSize   = 16 << 20
)

// Options configure Open. The zero value of every field means its default.
type Options struct {
	// BusyTimeout is how long a write waits while another process writes to the file, before it
	// returns daybook.ErrLocked. Default: 10 s; negative: daybook.ErrInvalidParams.
	BusyTimeout time.Duration
	// CacheSize is how many bytes of pages each connection keeps in memory at most.
	// Default: 16 MiB; negative: daybook.ErrInvalidParams.
	CacheSize int
	// Readers is how many queries and scans run at once; more of them wait. Each has a connection
	// of its own. Default: twice the number of processors, at least 8; negative:
	// daybook.ErrInvalidParams.
	Readers int
}

// withDefaults returns a copy of o, which may be nil, with a value in every field.
func (o *Options) withDefaults() (Options, error) {
	var options Options
	if o != nil {
		options = *o
	}
	if options.BusyTimeout < 0 || options.CacheSize < 0 || options.Readers < 0 {
		return Options{}, fmt.Errorf("%w: BusyTimeout is %v, CacheSize %d and Readers %d; want none of them negative",
			daybook.ErrInvalidParams, options.BusyTimeout, options.CacheSize, options.Readers)
	}
	if options.BusyTimeout == 0 {
		options.BusyTimeout = DefaultBusyTimeout
	}
	if options.CacheSize == 0 {
		options.CacheSize = DefaultCacheSize
	}
	if options.Readers == 0 {
		options.Readers = max(8, 2*runtime.GOMAXPROCS(0))
	}
	return options, nil
}

// DB is an open file. Its methods may be called from any number of goroutines.
type DB struct {
	gate    gate
	writer  *writer
	readers *sql.DB
	queries sync.Map // the text of a query to its *sql.Stmt on readers
}

var (
	_ daybook.Backend     = (*DB)(nil)
	_ daybook.BatchStorer = (*DB)(nil)
	_ daybook.Scanner     = (*DB)(nil)
)

// Open opens the SQLite file at path, and creates it if it does not exist. Its directory must
// exist. With nil options every option has its default. Errors: daybook.ErrInvalidParams,
// ErrCorrupt for a file that is damaged or not SQLite's, ErrLocked, ErrNoSpace.
func Open(path string, options *Options) (*DB, error) {
	o, err := options.withDefaults()
	if err != nil {
		return nil, err
	}
	path, err = filepath.Abs(path) // connections are opened later too, when the working directory may have changed
	if err != nil {
		return nil, err
	}
	connect := connector{path: path, options: o}
	w, err := openWriter(context.Background(), sql.OpenDB(connect), o.BusyTimeout)
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", path, translate(err))
	}
	readers := sql.OpenDB(connect)
	readers.SetMaxOpenConns(o.Readers)
	readers.SetMaxIdleConns(o.Readers)
	return &DB{writer: w, readers: readers}, nil
}

// Initialize does nothing, because Open has made the table.
func (db *DB) Initialize(ctx context.Context) error {
	if err := db.gate.enter(ctx); err != nil {
		return err
	}
	db.gate.leave()
	return nil
}

// Close waits for the calls that are running, so it must not be called in the loop of a Scan. It
// moves the pages of the write-ahead log into the file and deletes the log, unless another process
// has the file open.
func (db *DB) Close() error {
	if first := db.gate.close(); !first {
		return nil
	}
	// The writer is closed last, because SQLite empties the log when the last connection is closed.
	return translate(errors.Join(db.readers.Close(), db.writer.close()))
}

// gate counts the calls that are running, so that Close can wait for them and refuse later ones.
type gate struct {
	mu      sync.Mutex // guards closed, and running against an Add during its Wait
	closed  bool
	running sync.WaitGroup
}

// enter begins a call. When it returns nil, the call ends with leave.
func (g *gate) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return daybook.ErrClosed
	}
	g.running.Add(1)
	return nil
}

func (g *gate) leave() { g.running.Done() }

// close refuses calls from now on, and returns when none is running. It reports whether it was the
// first.
func (g *gate) close() (first bool) {
	g.mu.Lock()
	first = !g.closed
	g.closed = true
	g.mu.Unlock()
	g.running.Wait()
	return first
}
