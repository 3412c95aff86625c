// SPDX-License-Identifier: Apache-2.0

package peers

import (
	"context"
	"database/sql/driver"

	mattn "github.com/mattn/go-sqlite3"
	modernc "modernc.org/sqlite"
)

// sqlite returns AimDB's design on two drivers of SQLite, with the same code and settings, and the
// same table as an experienced user of SQLite would use it.
func sqlite() []Peer {
	return []Peer{
		sqlitePeer("sqlite", mattnDriver, aimdb),
		sqlitePeer("sqlite-modernc", moderncDriver, aimdb),
		sqlitePeer("sqlite-tuned", mattnDriver, tuned),
	}
}

func sqlitePeer(name string, driver sqliteDriver, design sqliteDesign) Peer {
	return Peer{Name: name, Open: func(dir string) (Store, error) { return openSQLite(dir, driver, design) }}
}

// sqliteDesign is how the table is used.
type sqliteDesign int

const (
	// aimdb commits each Store by itself, and numbers a record's rows to find the newest, as AimDB
	// does.
	aimdb sqliteDesign = iota
	// tuned commits all waiting Stores together, and reads the newest rows from the index.
	tuned
)

// sqlitePragmas are set on each connection.
//
//   - busy_timeout: two connections may meet while one of them recovers the log or moves it into
//     the database.
//   - journal_mode, synchronous: a commit is one sync of the write-ahead log, and is durable.
//   - wal_autocheckpoint: 64 MiB of log, in pages of 4 KiB. A single batch over 1,000 records fills
//     the default of 4 MiB, because it changes a page of the index for each record.
//   - cache_size: 64 MiB, in KiB.
//   - mmap_size: up to 1 GiB of the database is read in place.
//   - temp_store: sorts happen in memory.
const sqlitePragmas = `
PRAGMA busy_timeout = 10000;
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
PRAGMA wal_autocheckpoint = 16384;
PRAGMA cache_size = -65536;
PRAGMA mmap_size = 1073741824;
PRAGMA temp_store = MEMORY;`

// sqliteDriver opens a connection to the database at path.
type sqliteDriver func(path string) (driver.Conn, error)

// mattnDriver calls SQLite's C code through cgo. SQLite's mutexes are off, because database/sql
// gives a connection to one goroutine at a time. SQLite syncs with fsync, unless it is compiled as
// Linux distributions compile it, with CGO_CFLAGS="-O2 -g -DHAVE_FDATASYNC=1".
func mattnDriver(path string) (driver.Conn, error) {
	return (&mattn.SQLiteDriver{}).Open(path + "?_mutex=no")
}

// moderncDriver runs SQLite's C code translated to Go. It syncs with fdatasync if the system has
// that.
func moderncDriver(path string) (driver.Conn, error) {
	if _, err := modernc.Fdatasync(true); err != nil && err != modernc.ErrFdatasyncUnavailable {
		return nil, err
	}
	return (&modernc.Driver{}).Open(path)
}

// sqliteConnector is a driver.Connector that sets the pragmas on each connection. It sets them by
// SQL, because the two drivers have different parameters for them, and one driver has none for some
// of them.
type sqliteConnector struct {
	driver sqliteDriver
	path   string
}

func (c sqliteConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.driver(c.path)
	if err != nil {
		return nil, err
	}
	if _, err := conn.(driver.ExecerContext).ExecContext(ctx, sqlitePragmas, nil); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// Driver completes the interface. Nothing in this package calls it.
func (c sqliteConnector) Driver() driver.Driver { return c }

func (c sqliteConnector) Open(path string) (driver.Conn, error) { return c.driver(path) }
