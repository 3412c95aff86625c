// SPDX-License-Identifier: Apache-2.0

package text

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/daybook-db/daybook"
)

// maxFlatColumns is the number of columns that a spreadsheet has. Objects with names such as
// identifiers would need more and more columns.
const maxFlatColumns = 16384

var (
	// ErrNewColumn is returned for a value with a member that FlatColumns have not seen.
	ErrNewColumn = errors.New("has no column, because it was stored after the columns were counted")
	// ErrTooManyColumns is returned by FlatColumns for members that no spreadsheet has room for.
	ErrTooManyColumns = fmt.Errorf("there are more than %d columns: export fewer records", maxFlatColumns)
)

// FlatColumns are the columns of flat CSV: record_name, stored_at, and one for each member of the
// objects. A member of an object in an object has the names of both, with a dot between them. A
// value that is no object is in the column "value". If two members have the same name, because one
// has a dot in it, the later one has the name with _2.
//
// Add finds the columns, value by value. Afterwards NewFlatCSVWriter writes the same values.
type FlatColumns struct {
	names  []string
	places map[string]int // of the key of a member in names
	taken  map[string]bool
}

// NewFlatColumns returns columns without members.
func NewFlatColumns() *FlatColumns {
	return &FlatColumns{
		names:  []string{"record_name", "stored_at"},
		places: map[string]int{},
		taken:  map[string]bool{"record_name": true, "stored_at": true},
	}
}

// Add adds the columns that a value needs. Its error names the value.
func (c *FlatColumns) Add(v daybook.StoredValue) error {
	return visitLeaves(v, func(path []byte, _ json.RawMessage) error {
		if _, known := c.places[string(path)]; known {
			return nil
		}
		if len(c.names) == maxFlatColumns {
			return ErrTooManyColumns
		}
		first := columnOf(path)
		name := first
		for n := 2; c.taken[name]; n++ {
			name = fmt.Sprintf("%s_%d", first, n)
		}
		c.taken[name] = true
		c.places[string(path)] = len(c.names)
		c.names = append(c.names, name)
		return nil
	})
}

// pathEnd follows each name of a path. No name of two members can be mistaken for another, because
// a name may hold any character except this one.
const pathEnd = "\xff"

// columnOf returns the name of the column for a path.
func columnOf(path []byte) string {
	if len(path) == 0 {
		return "value"
	}
	return strings.ReplaceAll(strings.TrimSuffix(string(path), pathEnd), pathEnd, ".")
}

// visitLeaves calls visit with each part of a value that has a column: what is not an object, or an
// object without members. The path is valid until visit returns.
func visitLeaves(v daybook.StoredValue, visit func(path []byte, leaf json.RawMessage) error) error {
	var walk func(path []byte, text json.RawMessage) error
	walk = func(path []byte, text json.RawMessage) error {
		s := memberScanner{line: text}
		if s.skipSpace() != '{' {
			return visit(path, text)
		}
		s.at++
		if s.skipSpace() == '}' {
			return visit(path, text)
		}
		for {
			name, member, err := s.member()
			if err != nil {
				return err
			}
			inner := append(append(path[:len(path):len(path)], name...), pathEnd...)
			if err := walk(inner, member); err != nil {
				return err
			}
			if s.skipSpace() == '}' {
				return nil
			}
			s.at++ // the comma
		}
	}
	if err := walk(nil, v.Value); err != nil {
		return fmt.Errorf("record %q, the value at %d ms: %w", v.RecordName, v.StoredAt, err)
	}
	return nil
}

// flatWriter writes flat CSV.
type flatWriter struct {
	columns   *FlatColumns
	out       *csv.Writer
	row       []string
	filled    []bool // the columns that the row has
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
	return &flatWriter{
		columns: columns,
		out:     csv.NewWriter(out),
		row:     make([]string, len(columns.names)),
		filled:  make([]bool, len(columns.names)),
	}
}

func (w *flatWriter) Write(v daybook.StoredValue) error {
	w.writeHeader()
	clear(w.row)
	clear(w.filled)
	w.row[0], w.row[1] = v.RecordName, flatTime(v.StoredAt)
	err := visitLeaves(v, func(path []byte, leaf json.RawMessage) error {
		place, known := w.columns.places[string(path)]
		switch {
		case !known || place >= len(w.row):
			return fmt.Errorf("the member %q %w", columnOf(path), ErrNewColumn)
		case w.filled[place]:
			return fmt.Errorf("it has two members %q, and one cell holds one of them", columnOf(path))
		}
		w.row[place], w.filled[place] = flatCell(leaf), true
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
		_ = w.out.Write(w.columns.names)
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

// flatCell returns the text of a cell. A string that is no text, because half of a character is
// missing, stays JSON.
func flatCell(leaf json.RawMessage) string {
	text := strings.TrimFunc(string(leaf), func(r rune) bool { return r < 0x80 && isSpace(byte(r)) })
	switch kindOf([]byte(text)) {
	case "null":
		return ""
	case "string":
		if decoded, err := decodeString(json.RawMessage(text)); err == nil {
			return decoded
		}
	}
	return text
}
