// SPDX-License-Identifier: Apache-2.0

package peers

import (
	"context"
	"database/sql/driver"

	mattn "github.com/mattn/go-sqlite3"
	modernc "modernc.org/sqlite"
)

// sqlite returns AimDB's design on SQLite through both of its drivers, with the same code and settings, and what an
// experienced user of SQLite would make of the same table.
func sqlite() []Peer {
	return []Peer{
		{Name: "sqlite", Open: func(dir string) (Store, error) { return openSQLite(dir, mattnDriver, aimdb) }},
		{Name: "sqlite-modernc", Open: func(dir string) (Store, error) { return openSQLite(dir, moderncDriver, aimdb) }},
		{Name: "sqlite-tuned", Open: func(dir string) (Store, error) { return openSQLite(dir, mattnDriver, tuned) }},
	}
}

// sqliteDesign is how the table is used.
type sqliteDesign int

const (
	// aimdb commits each Store on its own, and numbers a record's rows to find the newest, as AimDB does.
	aimdb sqliteDesign = iota
	// tuned commits all Stores that wait as one, and takes the newest rows off the index.
	tuned
)

// sqlitePragmas are set on each connection.
//
//   - busy_timeout: two connections may meet while one of them recovers or posts the log.
//   - journal_mode, synchronous: a commit is one sync of the write-ahead log, and is durable.
//   - wal_autocheckpoint: 64 MiB of log, in pages of 4 KiB. The default of 4 MiB is what a single batch over a
//     thousand records writes, for it touches a page of the index for each of them.
//   - cache_size: 64 MiB, in KiB.
//   - mmap_size: pages of the database are read in place, up to 1 GiB.
//   - temp_store: sorting is done in memory.
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

// mattnDriver is SQLite's C code, called through cgo. Without its mutexes: database/sql gives a connection to one
// goroutine at a time. It syncs with fsync, unless it is compiled as Linux distributions compile SQLite, with
// CGO_CFLAGS="-O2 -g -DHAVE_FDATASYNC=1".
func mattnDriver(path string) (driver.Conn, error) {
	return (&mattn.SQLiteDriver{}).Open(path + "?_mutex=no")
}

// moderncDriver is SQLite's C code translated to Go. It syncs with fdatasync where there is one.
func moderncDriver(path string) (driver.Conn, error) {
	if _, err := modernc.Fdatasync(true); err != nil && err != modernc.ErrFdatasyncUnavailable {
		return nil, err
	}
	return (&modernc.Driver{}).Open(path)
}

// sqliteConnector is a driver.Connector that sets the pragmas by SQL, because the two drivers take different
// parameters for them, and one has none for some.
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

// Driver is here for the interface; database/sql calls it for sql.DB.Driver alone.
func (c sqliteConnector) Driver() driver.Driver { return c }

func (c sqliteConnector) Open(path string) (driver.Conn, error) { return c.driver(path) }
