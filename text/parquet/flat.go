// SPDX-License-Identifier: Apache-2.0

package parquet

import (
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strconv"

	parquetgo "github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/text"
)

// flatKey is in the metadata of a flat file, which NewReader does not take for an export.
const flatKey = "daybook.flat"

// maxGroupCells limits the cells of a row group of a flat file: a null takes 5 bytes, too.
const maxGroupCells = 8 << 20

// flatWriter writes a flat file.
type flatWriter struct {
	out        *parquetgo.GenericWriter[any]
	cells      *text.FlatCells
	row        parquetgo.Row
	groupRows  int // in the row group that is being filled
	groupBytes int
	maxCells   int // of a row group
}

// NewFlatWriter returns a writer of Parquet with a column for each member, for programs that
// compute. record_name is a string, and stored_at a TIMESTAMP in UTC with milliseconds. The others
// are optional, with the type that holds all their cells as they are: BOOLEAN, INT64, DOUBLE, or a
// string, which is JSON text for text.FlatJSON. It is not read back: null and a missing member are
// the same cell.
//
// A value that was stored after the columns were counted and does not fit them is an error, and so
// is a time after the year 9999. The file cannot be read before Close.
func NewFlatWriter(out io.Writer, columns *text.FlatColumns) text.ValueWriter {
	cells := columns.Cells()
	return &flatWriter{
		cells:    cells,
		row:      make(parquetgo.Row, len(cells.Columns)),
		maxCells: maxGroupCells,
		out: parquetgo.NewGenericWriter[any](out,
			parquetgo.NewSchema("daybook", newFlatSchema(cells.Columns)),
			parquetgo.Compression(&zstd.Codec{}),
			parquetgo.KeyValueMetadata(flatKey, "true"),
			parquetgo.CreatedBy("daybook", moduleVersion(), "")),
	}
}

// flatSchema is a group whose fields keep their order.
type flatSchema struct {
	parquetgo.Group
	fields []parquetgo.Field
}

func newFlatSchema(columns []text.FlatColumn) *flatSchema {
	s := &flatSchema{Group: parquetgo.Group{}}
	places := map[string]int{}
	for i, column := range columns {
		s.Group[column.Name] = parquetgo.Optional(flatNode(column.Type))
		places[column.Name] = i
	}
	s.Group[columns[0].Name] = parquetgo.Encoded(parquetgo.String(), &parquetgo.RLEDictionary)
	s.Group[columns[1].Name] = parquetgo.Encoded(
		parquetgo.Timestamp(parquetgo.Millisecond), &parquetgo.DeltaBinaryPacked)
	s.fields = s.Group.Fields()
	slices.SortFunc(s.fields, func(a, b parquetgo.Field) int { return places[a.Name()] - places[b.Name()] })
	return s
}

// Fields returns the fields in the order of the columns.
func (s *flatSchema) Fields() []parquetgo.Field { return s.fields }

// GoType returns a type that nothing uses. That of a Group panics if a name has a comma.
func (s *flatSchema) GoType() reflect.Type { return reflect.TypeFor[struct{}]() }

func flatNode(t text.FlatType) parquetgo.Node {
	switch t {
	case text.FlatBool:
		return parquetgo.Leaf(parquetgo.BooleanType)
	case text.FlatInteger:
		return parquetgo.Leaf(parquetgo.Int64Type)
	case text.FlatFloat:
		return parquetgo.Leaf(parquetgo.DoubleType)
	}
	return parquetgo.String()
}

func (w *flatWriter) Write(v daybook.StoredValue) error {
	if v.StoredAt > maxUTC {
		return fmt.Errorf("record %q, the value at %d ms: it is after the year 9999, where the times of other "+
			"programs end: export with --until 9999-12-30, or without --flat", v.RecordName, v.StoredAt)
	}
	for i := range w.row {
		w.row[i] = parquetgo.NullValue().Level(0, 0, i)
	}
	w.row[0] = parquetgo.ByteArrayValue([]byte(v.RecordName)).Level(0, 0, 0)
	w.row[1] = parquetgo.Int64Value(int64(v.StoredAt)).Level(0, 0, 1)
	err := w.cells.Visit(v, func(place int, leaf json.RawMessage) error {
		cell, err := flatCell(&w.cells.Columns[place], leaf)
		if err == nil && !cell.IsNull() {
			w.row[place] = cell.Level(0, 1, place)
		}
		return err
	})
	if err != nil {
		return err
	}
	if _, err := w.out.WriteRows([]parquetgo.Row{w.row}); err != nil {
		return err
	}
	return w.endGroup(len(v.Value))
}

// endGroup ends the row group if a row of some bytes of JSON made it large.
func (w *flatWriter) endGroup(rowBytes int) error {
	w.groupRows++
	w.groupBytes += rowBytes
	if w.groupRows < maxGroupRows && w.groupBytes < maxGroupBytes && w.groupRows*len(w.row) < w.maxCells {
		return nil
	}
	w.groupRows, w.groupBytes = 0, 0
	return w.out.Flush()
}

// flatCell returns a cell of a column. null is a cell, too.
func flatCell(column *text.FlatColumn, leaf json.RawMessage) (cell parquetgo.Value, err error) {
	switch {
	case leaf[0] == 'n':
		return parquetgo.NullValue(), nil
	case !column.Fits(leaf):
		return cell, fmt.Errorf("the member %q does not fit its column, because it was stored after the columns "+
			"were counted", column.Name)
	}
	switch column.Type {
	case text.FlatText:
		return parquetgo.ByteArrayValue([]byte(text.FlatString(leaf))), nil
	case text.FlatBool:
		return parquetgo.BooleanValue(leaf[0] == 't'), nil
	case text.FlatInteger:
		number, err := strconv.ParseInt(string(leaf), 10, 64)
		return parquetgo.Int64Value(number), err
	case text.FlatFloat:
		number, err := strconv.ParseFloat(string(leaf), 64)
		return parquetgo.DoubleValue(number), err
	}
	return parquetgo.ByteArrayValue(leaf), nil
}

// Flush writes nothing: small row groups would make the file large.
func (w *flatWriter) Flush() error { return nil }

func (w *flatWriter) Close() error { return w.out.Close() }
