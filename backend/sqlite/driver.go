// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"database/sql/driver"
	"errors"

	"modernc.org/sqlite"
)

// openConnection opens a connection to the database that a file: URI names.
func openConnection(uri string) (driver.Conn, error) { return (&sqlite.Driver{}).Open(uri) }

// resultCode returns SQLite's primary result code, and whether err comes from SQLite.
func resultCode(err error) (code int, ok bool) {
	var failure *sqlite.Error
	if !errors.As(err, &failure) {
		return 0, false
	}
	return failure.Code() & 0xff, true
}
