// SPDX-License-Identifier: Apache-2.0

package parquet

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	parquetgo "github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/text"
)

// RowError says why the value of a row cannot be stored. It ends the file.
type RowError struct {
	File string // text.ReadOptions.Name
	Row  int64  // counted from 1
	Err  error  // the cause
}

func (e *RowError) Error() string {
	if e.File == "" {
		return fmt.Sprintf("row %d: %v", e.Row, e.Err)
	}
	return fmt.Sprintf("%s: row %d: %v", e.File, e.Row, e.Err)
}

// Unwrap returns e.Err.
func (e *RowError) Unwrap() error { return e.Err }

// errLZ4 is returned for a file with a column that LZ4 compresses, as damage can make of any file.
// The Parquet library gives the decoder of LZ4 more and more memory if a page is damaged, until the
// program dies.
var errLZ4 = errors.New("it is compressed with LZ4, which cannot be read safely: want zstd, as in an export")

// errFlat is returned for a file of NewFlatWriter.
var errFlat = errors.New("it was written with --flat, for programs that compute, and does not tell null from " +
	"what is missing: export without --flat")

// reader reads the files of writer.
type reader struct {
	groups  []parquetgo.RowGroup // that were not read yet
	columns []*columnReader
	name    string // of the file, in errors
	rows    []row  // room for the rows that are read at a time
	unread  []row  // rows that were read and not returned yet
	inGroup int64  // rows of the group that is being read, which were not read yet
	row     int64  // number of the row that was returned last
}

// maxRows is the number of rows that are read at a time.
const maxRows = 64

// NewReader returns a reader of a file that NewWriter wrote, of size bytes. Another program may
// have written the file again: the columns may be in another order and optional, stored_at may be
// a signed number or a timestamp, and the index of pandas is ignored. A cell that is null is an
// error, and so is a stored_at_utc that differs from stored_at.
//
// It reads the end of the file first, and fails for a file that is cut off, has other columns, as
// one of NewFlatWriter has, or is compressed with LZ4. Of the options it uses only Name.
func NewReader(in io.ReaderAt, size int64, opts text.ReadOptions) (_ text.ValueReader, err error) {
	r := &reader{name: opts.Name, rows: make([]row, maxRows)}
	defer r.recoverDamage(&err)
	file, err := parquetgo.OpenFile(in, size)
	if err != nil {
		return nil, r.named(fmt.Errorf("it is not a whole Parquet file: %w", err))
	}
	if _, isFlat := file.Lookup(flatKey); isFlat {
		return nil, r.named(errFlat)
	}
	if r.columns, err = columnReaders(file.Root()); err != nil {
		return nil, r.named(err)
	}
	if usesLZ4(file.Metadata()) {
		return nil, r.named(errLZ4)
	}
	r.groups = file.RowGroups()
	return r, nil
}

// usesLZ4 reports whether LZ4 compresses a column of a file.
func usesLZ4(file *format.FileMetaData) bool {
	return slices.ContainsFunc(file.RowGroups, func(group format.RowGroup) bool {
		return slices.ContainsFunc(group.Columns, func(column format.ColumnChunk) bool {
			codec := column.MetaData.Codec
			return codec == format.Lz4 || codec == format.Lz4Raw
		})
	})
}

// named returns an error with the name of the file.
func (r *reader) named(err error) error {
	if r.name == "" {
		return err
	}
	return fmt.Errorf("%s: %w", r.name, err)
}

// recoverDamage makes an error of a panic of the Parquet library, which some damaged files cause.
func (r *reader) recoverDamage(err *error) {
	if cause := recover(); cause != nil {
		*err = r.named(fmt.Errorf("it is damaged after row %d: %v", r.row, cause))
	}
}

func (r *reader) Read() (value daybook.StoredValue, err error) {
	defer r.recoverDamage(&err)
	if len(r.unread) == 0 {
		if err := r.readRows(); err != nil {
			return value, err
		}
	}
	row := &r.unread[0]
	r.unread = r.unread[1:]
	r.row++
	value = daybook.StoredValue{RecordName: row.name, Value: json.RawMessage(row.value), StoredAt: row.storedAt}
	if err := row.validate(); err != nil {
		return value, &RowError{File: r.name, Row: r.row, Err: err}
	}
	return value, nil
}

// validate returns why the value of a row cannot be stored.
func (r *row) validate() error {
	if r.err != nil {
		return r.err
	}
	if r.utc != nil && *r.utc != r.storedAt {
		return fmt.Errorf("the columns %q and %q differ: %d and %d ms; "+
			"one of them was changed, so remove %[2]q or mend it", timeColumn, utcColumn, r.storedAt, *r.utc)
	}
	if err := daybook.ValidateRecordName(r.name); err != nil {
		return err
	}
	return daybook.ValidateValue(json.RawMessage(r.value))
}

// readRows reads at least one row.
func (r *reader) readRows() error {
	for r.inGroup == 0 {
		if len(r.groups) == 0 {
			return io.EOF
		}
		r.openGroup()
	}
	n := min(r.inGroup, maxRows)
	rows := r.rows[:n]
	clear(rows)
	for _, column := range r.columns {
		if err := column.fill(rows); err != nil {
			return r.named(fmt.Errorf("after row %d: %w", r.row, err))
		}
	}
	r.inGroup -= n
	r.unread = rows
	return nil
}

// openGroup begins the next group of rows.
func (r *reader) openGroup() {
	group := r.groups[0]
	r.groups = r.groups[1:]
	r.inGroup = group.NumRows()
	chunks := group.ColumnChunks()
	for _, column := range r.columns {
		if column.cells != nil {
			_ = column.cells.Close() // it was only read
		}
		column.cells = parquetgo.NewColumnChunkValueReader(chunks[column.index])
		column.buffer = make([]parquetgo.Value, maxRows)
	}
}
