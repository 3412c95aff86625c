// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
)

// pragmas are set on each connection. Its two verbs are the busy timeout in ms and the cache size
// in KiB.
//
//   - busy_timeout comes first: two connections may meet while one of them recovers or resets the
//     log. The writer sets it to 0 afterwards, and waits by itself.
//   - journal_mode, synchronous: a commit is one sync of the write-ahead log. synchronous must
//     follow journal_mode, because some builds of SQLite lower it for WAL.
//   - fullfsync: on macOS an ordinary fsync leaves the data in the drive's cache.
//   - wal_autocheckpoint: the log has 64 MiB in pages of 4 KiB before it is moved into the file.
//     The default is 4 MiB, which a single batch over 1,000 records fills, because it changes a
//     page of the index for each.
//   - temp_store: sorts happen in memory, because a device may have no directory for temporary
//     files.
const pragmas = `
PRAGMA busy_timeout = %d;
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
PRAGMA fullfsync = ON;
PRAGMA checkpoint_fullfsync = ON;
PRAGMA wal_autocheckpoint = 16384;
PRAGMA cache_size = -%d;
PRAGMA temp_store = MEMORY;`

// required are the settings that durability depends on.
var required = []struct{ pragma, want string }{
	{"journal_mode", "wal"},
	{"synchronous", "2"}, // FULL
}

// connector is a driver.Connector that sets the pragmas on each connection.
type connector struct {
	path    string // absolute
	options Options
}

// Connect implements driver.Connector.
func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	connection, err := c.Open(fileURI(c.path))
	if err != nil {
		return nil, err
	}
	if err := c.configure(ctx, connection); err != nil {
		return nil, errors.Join(err, connection.Close())
	}
	return connection, nil
}

// Driver implements driver.Connector.
func (c connector) Driver() driver.Driver { return c }

// Open implements driver.Driver.
func (c connector) Open(uri string) (driver.Conn, error) { return openConnection(uri) }

// fileURI returns the URI of a file for SQLite. Characters with a meaning in a URI are escaped.
func fileURI(path string) string {
	path = filepath.ToSlash(path)
	if !strings.HasPrefix(path, "/") { // a drive's letter
		path = "/" + path
	}
	return (&url.URL{Scheme: "file", Path: path}).String()
}

// configure sets the pragmas, and reads back those that durability depends on.
func (c connector) configure(ctx context.Context, connection driver.Conn) error {
	set := fmt.Sprintf(pragmas, c.options.BusyTimeout.Milliseconds(), c.options.CacheSize>>10)
	if _, err := connection.(driver.ExecerContext).ExecContext(ctx, set, nil); err != nil {
		return err
	}
	for _, setting := range required {
		got, err := readPragma(ctx, connection, setting.pragma)
		if err != nil {
			return err
		}
		if got != setting.want {
			return fmt.Errorf("PRAGMA %s is %s; want %s, without which a commit is not durable",
				setting.pragma, got, setting.want)
		}
	}
	return nil
}

func readPragma(ctx context.Context, connection driver.Conn, pragma string) (value string, err error) {
	statement, err := connection.Prepare("PRAGMA " + pragma)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, statement.Close()) }()
	rows, err := statement.(driver.StmtQueryContext).QueryContext(ctx, nil)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	row := make([]driver.Value, len(rows.Columns()))
	if err := rows.Next(row); err != nil {
		return "", err
	}
	return fmt.Sprint(row[0]), nil
}
