// SPDX-License-Identifier: Apache-2.0

package text

import (
	"encoding/csv"
	"encoding/json"
	"io"
	"strconv"
	"time"

	"github.com/daybook-db/daybook"
)

// flatWriter writes flat CSV.
type flatWriter struct {
	cells     *FlatCells
	out       *csv.Writer
	row       []string
	hasHeader bool
}

// NewFlatCSVWriter returns a writer of CSV with the columns of members, for spreadsheets and
// programs that compute. The time is RFC 3339 in UTC with milliseconds; after the year 9999 it is
// Unix milliseconds. A string is written without quotes, null as an empty cell, and an array as
// JSON. It is not read back: null and a missing member are the same cell.
//
// A value with a member that has no column is ErrNewColumn; one with two members of the same name
// is an error, too.
func NewFlatCSVWriter(out io.Writer, columns *FlatColumns) ValueWriter {
	cells := columns.Cells()
	return &flatWriter{cells: cells, out: csv.NewWriter(out), row: make([]string, len(cells.Columns))}
}

func (w *flatWriter) Write(v daybook.StoredValue) error {
	w.writeHeader()
	clear(w.row)
	w.row[0], w.row[1] = v.RecordName, flatTime(v.StoredAt)
	err := w.cells.Visit(v, func(place int, leaf json.RawMessage) error {
		w.row[place] = FlatString(leaf)
		return nil
	})
	if err != nil {
		return err
	}
	return w.out.Write(w.row)
}

// writeHeader writes the header once. Its error stays in the buffer of w.out, as in csvWriter.
func (w *flatWriter) writeHeader() {
	if !w.hasHeader {
		w.hasHeader = true
		for i, column := range w.cells.Columns {
			w.row[i] = column.Name
		}
		_ = w.out.Write(w.row)
	}
}

func (w *flatWriter) Flush() error {
	w.writeHeader()
	w.out.Flush()
	return w.out.Error()
}

func (w *flatWriter) Close() error { return w.Flush() }

// flatTime returns a time as RFC 3339 writes it, up to the year 9999.
func flatTime(ms uint64) string {
	const maxRFC3339 = 253_402_300_799_999
	if ms > maxRFC3339 {
		return strconv.FormatUint(ms, 10)
	}
	return time.UnixMilli(int64(ms)).UTC().Format("2006-01-02T15:04:05.000Z")
}

// FlatString returns the text of a cell. A string that is no text, because half of a character is
// missing, stays JSON.
func FlatString(leaf json.RawMessage) string {
	switch kindOf(leaf) {
	case "null":
		return ""
	case "string":
		if decoded, err := decodeString(leaf); err == nil {
			return decoded
		}
	}
	return string(leaf)
}
