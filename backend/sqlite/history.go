// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"bytes"
	"context"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/daybook-db/daybook"
)

// ErrOtherTables is returned for a SQLite file that does not have AimDB's table.
var ErrOtherTables = errors.New("it is a SQLite file, but not one of AimDB: " +
	"want the table record_history with the columns id, record_name, value_json and stored_at")

// RowError says why a row of the table is no value that can be stored. The History that returned it
// goes on with the next row.
type RowError struct {
	File string
	ID   int64 // of the row
	Err  error // the cause
}

func (e *RowError) Error() string {
	return fmt.Sprintf("%s: the row of record_history with the id %d: %v", e.File, e.ID, e.Err)
}

// Unwrap returns e.Err.
func (e *RowError) Unwrap() error { return e.Err }

// History reads the values of a file of AimDB once, in the order of their insertion, and changes
// nothing in it. It serves one goroutine.
//
// A file that AimDB has open, or that it left without closing it, has a write-ahead log beside it.
// History reads the values in the log, too. SQLite needs its shared memory for that, the file with
// -shm in its name, and may create it. It creates no file beside any other file.
type History struct {
	path       string // as it was given
	connection driver.Conn
	statement  driver.Stmt
	rows       driver.Rows
	row        [4]driver.Value
	unlocked   *unlockedFile // nil: SQLite locks the file
}

// IsFile reports whether a file is a SQLite file, by its first bytes.
func IsFile(in io.ReaderAt) bool {
	begin := make([]byte, len(magic))
	n, _ := in.ReadAt(begin, 0)
	return string(begin[:n]) == magic
}

// The header of a SQLite file, from https://www.sqlite.org/fileformat.html.
const (
	magic         = "SQLite format 3\x00"
	versionOffset = 18 // of the version that a writer needs
	walVersion    = 2  // the file is in WAL mode
)

// OpenHistory opens a file of AimDB for reading. Errors: ErrOtherTables, daybook.ErrCorrupt for a
// file that is damaged or not SQLite's, ErrLocked, and those of the file system.
func OpenHistory(path string) (_ *History, err error) {
	// SQLite looks for the log beside the file that a link leads to.
	real, err := filepath.EvalSymlinks(path)
	if err == nil {
		real, err = filepath.Abs(real)
	}
	if err != nil {
		return nil, err
	}
	h := &History{path: path}
	uri := fileURI(real) + "?mode=ro"
	if h.unlocked, err = findUnlocked(real); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if h.unlocked != nil {
		uri += "&immutable=1" // or SQLite would create a log and shared memory, and leave them there
	}
	if h.connection, err = openConnection(uri); err != nil {
		return nil, h.openError(real, err)
	}
	if err := h.query(); err != nil {
		return nil, errors.Join(h.openError(real, err), h.Close())
	}
	return h, nil
}

// query starts to read the table. Its rows have the order of insertion without being sorted,
// because id is the key.
func (h *History) query() error {
	const (
		busyTimeout = "PRAGMA busy_timeout = 10000"
		allRows     = "SELECT id, record_name, value_json, stored_at FROM record_history ORDER BY id"
	)
	ctx := context.Background()
	if _, err := h.connection.(driver.ExecerContext).ExecContext(ctx, busyTimeout, nil); err != nil {
		return err
	}
	statement, err := h.connection.Prepare(allRows)
	if err != nil {
		return err // and statement may be a nil pointer in an interface
	}
	h.statement = statement
	rows, err := statement.(driver.StmtQueryContext).QueryContext(ctx, nil)
	if err == nil {
		h.rows = rows
	}
	return err
}

// openError says what keeps the file from being read.
func (h *History) openError(real string, err error) error {
	code, _ := resultCode(err)
	switch {
	case code == codeError:
		err = fmt.Errorf("%w (%w)", ErrOtherTables, err)
	case (code == codeCantOpen || code == codeReadOnly) && h.unlocked == nil:
		err = fmt.Errorf("SQLite cannot read the log beside it: copy %s and all files whose names begin "+
			"with its name into a directory that can be written, and read the copy: %w", filepath.Base(real), err)
	default:
		err = translate(err)
	}
	return fmt.Errorf("%s: %w", h.path, err)
}

// Read returns the next value, and io.EOF after the last one. It returns a *RowError for a row that
// is no value, and daybook.ErrLocked if another process has opened the file and changed it
// meanwhile.
func (h *History) Read() (value daybook.StoredValue, err error) {
	err = h.rows.Next(h.row[:])
	if err == io.EOF && h.unlocked != nil {
		if changed := h.unlocked.verify(); changed != nil {
			return value, fmt.Errorf("%s: %w", h.path, changed)
		}
	}
	switch {
	case err == io.EOF:
		return value, io.EOF
	case err != nil:
		return value, fmt.Errorf("%s: %w", h.path, translate(err))
	}
	if value, err = h.value(); err != nil {
		id, _ := h.row[0].(int64)
		return value, &RowError{File: h.path, ID: id, Err: err}
	}
	return value, nil
}

// value makes a value of the row. SQLite allows any type in any column.
func (h *History) value() (value daybook.StoredValue, err error) {
	name, isName := h.row[1].(string)
	text, isText := bytesOf(h.row[2])
	storedAt, isTime := h.row[3].(int64)
	switch {
	case !isName:
		return value, fmt.Errorf("record_name is %v; want a text", typeOf(h.row[1]))
	case !isText:
		return value, fmt.Errorf("value_json is %v; want a text", typeOf(h.row[2]))
	case !isTime:
		return value, fmt.Errorf("stored_at is %v; want a whole number", typeOf(h.row[3]))
	case storedAt < 0:
		return value, fmt.Errorf("%w: stored_at is %d", daybook.ErrTimestampRange, storedAt)
	}
	value = daybook.StoredValue{RecordName: name, Value: text, StoredAt: uint64(storedAt)}
	if err := daybook.ValidateRecordName(name); err != nil {
		return value, err
	}
	return value, daybook.ValidateValue(text)
}

// bytesOf returns a copy of a text, or of the text in a blob.
func bytesOf(cell driver.Value) (json.RawMessage, bool) {
	switch cell := cell.(type) {
	case string:
		return json.RawMessage(cell), true
	case []byte:
		return bytes.Clone(cell), true
	}
	return nil, false
}

func typeOf(cell driver.Value) string {
	switch cell.(type) {
	case nil:
		return "null"
	case []byte:
		return "a blob"
	case string:
		return "a text"
	case float64:
		return "a number with a fraction"
	}
	return "a number"
}

// Close ends the reading.
func (h *History) Close() error {
	var errs []error
	if h.rows != nil {
		errs = append(errs, h.rows.Close())
	}
	if h.statement != nil {
		errs = append(errs, h.statement.Close())
	}
	return translate(errors.Join(append(errs, h.connection.Close())...))
}

// unlockedFile is a file in WAL mode without a log: no process has it open. SQLite reads it without
// locks then, and so verify finds out afterwards whether a process opened it meanwhile.
type unlockedFile struct {
	path string
	info fs.FileInfo // before it was read
}

// findUnlocked returns nil for a file that SQLite can lock without creating a file.
func findUnlocked(path string) (*unlockedFile, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	header := make([]byte, versionOffset+1)
	if _, err := file.ReadAt(header, 0); err != nil || !IsFile(file) {
		return nil, fmt.Errorf("%w: it is not a SQLite file", daybook.ErrCorrupt)
	}
	hasLog, err := exists(path + "-wal")
	if err != nil || hasLog || header[versionOffset] != walVersion {
		return nil, err
	}
	return &unlockedFile{path, info}, nil
}

func exists(path string) (bool, error) {
	_, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// verify returns an error if the file may have changed since it was opened.
func (f *unlockedFile) verify() error {
	hasLog, err := exists(f.path + "-wal")
	if err != nil {
		return err
	}
	info, err := os.Stat(f.path)
	if err != nil {
		return err
	}
	if hasLog || info.Size() != f.info.Size() || !info.ModTime().Equal(f.info.ModTime()) || !os.SameFile(info, f.info) {
		return fmt.Errorf("%w: another process opened the file while it was read, so values may be missing or mixed; "+
			"read it again", daybook.ErrLocked)
	}
	return nil
}
