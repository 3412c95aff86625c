// SPDX-License-Identifier: Apache-2.0

package parquet

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	parquetgo "github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

// Names of the columns. utcColumn has the times of timeColumn in the type that Parquet has for
// them.
const (
	nameColumn  = "record_name"
	timeColumn  = "stored_at"
	utcColumn   = "stored_at_utc"
	valueColumn = "value"
)

// otherColumnsError is returned for a Parquet file that NewWriter did not write.
type otherColumnsError struct{ reason string }

func (e *otherColumnsError) Error() string {
	return "it has other columns, or columns of other types, than an export: " + e.reason +
		"; want " + strings.Join([]string{nameColumn, timeColumn, valueColumn}, ", ")
}

// row is a row of a file.
type row struct {
	name, value string
	storedAt    uint64
	utc         *uint64 // the time in utcColumn; nil for null, or without that column
	err         error   // why the row has no value that can be stored
}

// columnReader puts the cells of one column into rows.
type columnReader struct {
	index  int // among the columns of the file
	name   string
	put    func(cell parquetgo.Value, in *row) error
	cells  parquetgo.ColumnChunkValueReader // of the row group that is being read
	buffer []parquetgo.Value
}

// columnReaders finds the columns of an export, in any order. A program that has written the file
// again may have made them optional, given them the types next to their own, and added an index.
func columnReaders(root *parquetgo.Column) (readers []*columnReader, err error) {
	wanted := map[string]func(*parquetgo.Column) func(parquetgo.Value, *row) error{
		nameColumn: putName, timeColumn: putTime, utcColumn: putUTC, valueColumn: putValue,
	}
	for _, column := range root.Columns() {
		name := column.Name()
		putFor, isWanted := wanted[name]
		switch {
		case isIndexColumn(name):
			continue
		case !isWanted:
			return nil, &otherColumnsError{fmt.Sprintf("%q is not one of an export's", name)}
		}
		var put func(parquetgo.Value, *row) error
		if column.Leaf() && !column.Repeated() {
			put = putFor(column)
		}
		if put == nil {
			return nil, &otherColumnsError{fmt.Sprintf("%q is %v", name, column)}
		}
		delete(wanted, name)
		readers = append(readers, &columnReader{index: column.Index(), name: name, put: put})
	}
	for _, name := range []string{nameColumn, timeColumn, valueColumn} {
		if wanted[name] != nil {
			return nil, &otherColumnsError{fmt.Sprintf("there is no %q", name)}
		}
	}
	return readers, nil
}

// isIndexColumn reports whether pandas added a column for its index.
func isIndexColumn(name string) bool {
	return strings.HasPrefix(name, "__index_level_") && strings.HasSuffix(name, "__")
}

func putName(column *parquetgo.Column) func(parquetgo.Value, *row) error {
	if !isText(column.Type()) {
		return nil
	}
	last := "" // records have many values in a row
	return func(cell parquetgo.Value, in *row) error {
		if text := cell.ByteArray(); string(text) != last {
			last = string(text)
		}
		in.name = last
		return nil
	}
}

func putValue(column *parquetgo.Column) func(parquetgo.Value, *row) error {
	if !isText(column.Type()) {
		return nil
	}
	return func(cell parquetgo.Value, in *row) error {
		in.value = string(cell.ByteArray())
		return nil
	}
}

// isText reports whether a column holds texts, or JSON.
func isText(column parquetgo.Type) bool {
	if column.Kind() != parquetgo.ByteArray {
		return false
	}
	logical := column.LogicalType()
	if logical == nil {
		return true
	}
	switch logical.Value.(type) {
	case nil, *format.StringType, *format.JsonType:
		return true
	}
	return false
}

func putTime(column *parquetgo.Column) func(parquetgo.Value, *row) error {
	millis := millisOf(column.Type())
	if millis == nil {
		return nil
	}
	return func(cell parquetgo.Value, in *row) (err error) {
		in.storedAt, err = millis(cell.Int64())
		return err
	}
}

func putUTC(column *parquetgo.Column) func(parquetgo.Value, *row) error {
	millis := millisOf(column.Type())
	if millis == nil {
		return nil
	}
	return func(cell parquetgo.Value, in *row) error {
		ms, err := millis(cell.Int64())
		in.utc = &ms
		return err
	}
}

var (
	errBefore1970 = errors.New("is before 1970, where a daybook's time starts")
	errNotMillis  = errors.New("is not a whole number of milliseconds")
)

// millisOf returns what turns the numbers of a column into Unix milliseconds, or nil if they are
// not times.
func millisOf(column parquetgo.Type) func(int64) (uint64, error) {
	if column.Kind() != parquetgo.Int64 {
		return nil
	}
	unit, isSigned := time.Millisecond, true
	if logical := column.LogicalType(); logical != nil {
		switch logical := logical.Value.(type) {
		case nil:
		case *format.IntType:
			isSigned = logical.IsSigned
		case *format.TimestampType:
			unit = logical.Unit.Value.Duration()
		default:
			return nil
		}
	}
	return func(number int64) (uint64, error) {
		perMilli := int64(time.Millisecond / unit)
		switch {
		case isSigned && number < 0:
			return 0, errBefore1970
		case number%perMilli != 0:
			return 0, errNotMillis
		}
		return uint64(number) / uint64(perMilli), nil
	}
}

var errNull = errors.New("is null")

// fill reads the cells of as many rows as there are. What it puts into them is a copy.
func (c *columnReader) fill(rows []row) error {
	for filled := 0; filled < len(rows); {
		n, err := c.cells.ReadValues(c.buffer[:len(rows)-filled])
		for i, cell := range c.buffer[:n] {
			c.fillCell(cell, &rows[filled+i])
		}
		filled += n
		if err == io.EOF && filled < len(rows) {
			return fmt.Errorf("the column %q has too few rows", c.name)
		}
		if err != nil && err != io.EOF {
			return err
		}
	}
	return nil
}

// fillCell puts a cell into a row, or an error if the cell is not one of an export.
func (c *columnReader) fillCell(cell parquetgo.Value, in *row) {
	var err error
	switch {
	case !cell.IsNull():
		err = c.put(cell, in)
	case c.name != utcColumn:
		err = errNull
	}
	if err != nil && in.err == nil {
		in.err = fmt.Errorf("the column %q: it %w", c.name, err)
	}
}
