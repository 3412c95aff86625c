// SPDX-License-Identifier: Apache-2.0

package text

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime/debug"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"

	"github.com/daybook-db/daybook"
)

// parquetRow is a value in a Parquet file. The time is an unsigned number, because a timestamp of
// Parquet holds only half of the times that a daybook does.
type parquetRow struct {
	RecordName string `parquet:"record_name,dict"`
	StoredAt   uint64 `parquet:"stored_at,delta"`
	Value      string `parquet:"value,json"`
}

// Limits of a row group, which is in memory until it is written.
const (
	maxGroupRows  = 128 << 10
	maxGroupBytes = 32 << 20 // of values
)

// parquetWriter writes values into a Parquet file.
type parquetWriter struct {
	out        *parquet.GenericWriter[parquetRow]
	groupBytes int // of the values in the row group that is being filled
	row        [1]parquetRow
}

// NewParquetWriter returns a writer of Parquet with the columns record_name, stored_at and value,
// compressed with zstd, which NewParquetReader reads. It holds at most 128 Ki values, and 32 MiB
// and one value of JSON, in memory.
func NewParquetWriter(out io.Writer) ValueWriter {
	return &parquetWriter{out: parquet.NewGenericWriter[parquetRow](out,
		parquet.Compression(&zstd.Codec{}),
		parquet.MaxRowsPerRowGroup(maxGroupRows),
		parquet.CreatedBy("daybook", moduleVersion(), ""))}
}

func (w *parquetWriter) Write(v daybook.StoredValue) error {
	w.row[0] = parquetRow{v.RecordName, v.StoredAt, string(v.Value)}
	if _, err := w.out.Write(w.row[:]); err != nil {
		return err
	}
	if w.groupBytes += len(v.Value); w.groupBytes < maxGroupBytes {
		return nil
	}
	w.groupBytes = 0
	return w.out.Flush()
}

// Flush writes nothing: a row group for each call would make a large file of a small one.
func (w *parquetWriter) Flush() error { return nil }

func (w *parquetWriter) Close() error { return w.out.Close() }

// moduleVersion returns the version of this module that the program was built with.
func moduleVersion() string {
	const path = "github.com/daybook-db/daybook"
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, module := range append(info.Deps, &info.Main) {
		if module.Path == path && module.Version != "" {
			return module.Version
		}
	}
	return "(devel)"
}

// parquetReader reads what parquetWriter writes.
type parquetReader struct {
	in     *parquet.GenericReader[parquetRow]
	opts   ReadOptions
	rows   []parquetRow // room for those that are read at a time
	unread []parquetRow // those that were read and not returned yet
	row    int64        // number of the row that was returned last
}

// NewParquetReader returns a reader of the Parquet that NewParquetWriter writes, of size bytes. It
// reads the end of the file first, and fails for a file that is cut off or has other columns.
func NewParquetReader(in io.ReaderAt, size int64, opts ReadOptions) (_ ValueReader, err error) {
	defer recoverDamage(&err, opts.Name, 0)
	file, err := parquet.OpenFile(in, size)
	if err != nil {
		return nil, fmt.Errorf("%sit is not a whole Parquet file: %w", prefix(opts.Name), err)
	}
	if !parquet.EqualNodes(file.Schema(), parquet.SchemaOf(parquetRow{})) {
		return nil, fmt.Errorf("%s%w", prefix(opts.Name), errOtherColumns)
	}
	return &parquetReader{in: parquet.NewGenericReader[parquetRow](file), opts: opts, rows: make([]parquetRow, 64)}, nil
}

var errOtherColumns = errors.New("it has other columns, or columns of other types, than an export: " +
	"record_name, stored_at, value")

// recoverDamage makes an error of a panic of the Parquet library, which some damaged files cause.
func recoverDamage(err *error, name string, row int64) {
	if cause := recover(); cause != nil {
		*err = fmt.Errorf("%sit is damaged after row %d: %v", prefix(name), row, cause)
	}
}

func (r *parquetReader) Read() (value daybook.StoredValue, err error) {
	defer recoverDamage(&err, r.opts.Name, r.row)
	if len(r.unread) == 0 {
		if err := r.readRows(); err != nil {
			return daybook.StoredValue{}, err
		}
	}
	row := r.unread[0]
	r.unread = r.unread[1:]
	r.row++
	value, err = checkedValue(row.RecordName, json.RawMessage(row.Value), row.StoredAt)
	if err != nil {
		return value, &RowError{File: r.opts.Name, Row: r.row, Err: err}
	}
	return value, nil
}

// readRows reads at least one row.
func (r *parquetReader) readRows() error {
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
	return fmt.Errorf("%safter row %d: %w", prefix(r.opts.Name), r.row, err)
}
