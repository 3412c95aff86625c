// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"

	"github.com/daybook-db/daybook"
)

// parquetRow is a value in a Parquet file. The time is an unsigned number, since a timestamp of Parquet holds only half of
// those that a daybook does.
type parquetRow struct {
	RecordName string `parquet:"record_name,dict"`
	StoredAt   uint64 `parquet:"stored_at,delta"`
	Value      string `parquet:"value,json"`
}

// A row group of a Parquet file is in memory until it is written.
const (
	groupRows  = 128 << 10
	groupBytes = 32 << 20
)

// parquetWriter writes values into a Parquet file.
type parquetWriter struct {
	out   *parquet.GenericWriter[parquetRow]
	bytes int // in the row group that is being filled
	rows  [1]parquetRow
}

func newParquetWriter(out io.Writer) *parquetWriter {
	return &parquetWriter{out: parquet.NewGenericWriter[parquetRow](out,
		parquet.Compression(&zstd.Codec{}),
		parquet.MaxRowsPerRowGroup(groupRows),
		parquet.CreatedBy("daybook", version(), ""))}
}

func (w *parquetWriter) write(v daybook.StoredValue) error {
	w.rows[0] = parquetRow{v.RecordName, v.StoredAt, string(v.Value)}
	if _, err := w.out.Write(w.rows[:]); err != nil {
		return err
	}
	if w.bytes += len(v.Value); w.bytes < groupBytes {
		return nil
	}
	w.bytes = 0
	return w.out.Flush()
}

// flush ends the file.
func (w *parquetWriter) flush() error { return w.out.Close() }

// parquetReader reads what parquetWriter writes.
type parquetReader struct {
	name string
	in   *parquet.GenericReader[parquetRow]
	bar  *byteBar
	each int64 // bytes of the file for each row
	rows []parquetRow
	left []parquetRow
	row  int64
}

func newParquetReader(name string, file io.ReaderAt, size int64, bar *byteBar) (_ *parquetReader, err error) {
	defer parquetFault(&err, name, 0)
	opened, err := parquet.OpenFile(file, size)
	if err != nil {
		return nil, fmt.Errorf("%s is no whole Parquet file: %w", name, err)
	}
	if got, want := opened.Schema(), parquet.SchemaOf(parquetRow{}); !parquet.EqualNodes(got, want) {
		return nil, fmt.Errorf("%s: its columns are not those that export writes: record_name, stored_at, value", name)
	}
	return &parquetReader{name: name, in: parquet.NewGenericReader[parquetRow](opened), bar: bar,
		each: size / max(opened.NumRows(), 1), rows: make([]parquetRow, 64)}, nil
}

// parquetFault makes an error of a panic of the library, which damaged files lead it to.
func parquetFault(err *error, name string, row int64) {
	if cause := recover(); cause != nil {
		*err = fmt.Errorf("%s is damaged behind row %d: %v", name, row, cause)
	}
}

func (r *parquetReader) next() (value daybook.StoredValue, err error) {
	defer parquetFault(&err, r.name, r.row)
	if len(r.left) == 0 {
		n, err := r.in.Read(r.rows)
		if n == 0 && err == io.EOF {
			return daybook.StoredValue{}, io.EOF
		}
		if n == 0 && err == nil {
			err = io.ErrNoProgress
		}
		if err != nil && err != io.EOF {
			return daybook.StoredValue{}, fmt.Errorf("%s: behind row %d: %w", r.name, r.row, err)
		}
		r.left = r.rows[:n]
		r.bar.add(n * int(r.each))
	}
	first := r.left[0]
	r.left = r.left[1:]
	r.row++
	value, err = checkedValue(first.RecordName, json.RawMessage(first.Value), first.StoredAt)
	if err != nil {
		return value, fmt.Errorf("%s: row %d: %w", r.name, r.row, err)
	}
	return value, nil
}
