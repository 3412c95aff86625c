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

// errOtherColumns is returned for a Parquet file that NewWriter did not write.
var errOtherColumns = errors.New("it has other columns, or columns of other types, than an export: " +
	"record_name, stored_at, value")

// errLZ4 is returned for a file with a column that LZ4 compresses, as damage can make of any file.
// The Parquet library gives the decoder of LZ4 more and more memory if a page is damaged, until the
// program dies.
var errLZ4 = errors.New("it is compressed with LZ4, which cannot be read safely: want zstd, as in an export")

// reader reads the files of writer.
type reader struct {
	in     *parquetgo.GenericReader[parquetRow]
	name   string       // of the file, in errors
	rows   []parquetRow // room for the rows that are read at a time
	unread []parquetRow // rows that were read and not returned yet
	row    int64        // number of the row that was returned last
}

// NewReader returns a reader of a file that NewWriter wrote, of size bytes. It reads the end of the
// file first, and fails for a file that is cut off, has other columns, or is compressed with LZ4.
// Of the options it uses only Name.
func NewReader(in io.ReaderAt, size int64, opts text.ReadOptions) (_ text.ValueReader, err error) {
	r := &reader{name: opts.Name, rows: make([]parquetRow, 64)}
	defer r.recoverDamage(&err)
	file, err := parquetgo.OpenFile(in, size)
	if err != nil {
		return nil, r.named(fmt.Errorf("it is not a whole Parquet file: %w", err))
	}
	if !parquetgo.EqualNodes(file.Schema(), parquetgo.SchemaOf(parquetRow{})) {
		return nil, r.named(errOtherColumns)
	}
	if usesLZ4(file.Metadata()) {
		return nil, r.named(errLZ4)
	}
	r.in = parquetgo.NewGenericReader[parquetRow](file)
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
	row := r.unread[0]
	r.unread = r.unread[1:]
	r.row++
	value = daybook.StoredValue{RecordName: row.RecordName, Value: json.RawMessage(row.Value), StoredAt: row.StoredAt}
	err = daybook.ValidateRecordName(value.RecordName)
	if err == nil {
		err = daybook.ValidateValue(value.Value)
	}
	if err != nil {
		return value, &RowError{File: r.name, Row: r.row, Err: err}
	}
	return value, nil
}

// readRows reads at least one row.
func (r *reader) readRows() error {
	n, err := r.in.Read(r.rows)
	switch {
	case n > 0 && (err == nil || err == io.EOF):
		r.unread = r.rows[:n]
		return nil
	case err == io.EOF:
		return io.EOF
	case err == nil:
		err = io.ErrNoProgress
	}
	return r.named(fmt.Errorf("after row %d: %w", r.row, err))
}
