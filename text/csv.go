// SPDX-License-Identifier: Apache-2.0

package text

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/daybook-db/daybook"
)

// csvReader reads CSV with a header. Each row is one value of the same record.
type csvReader struct {
	rows       *csv.Reader
	bound      *boundedReader
	opts       ReadOptions
	names      []string // of the columns
	members    [][]byte // `"name":` of each column
	timeColumn int      // -1: there is none, and opts.StampNow is set
	line       int      // of the last row that was read, or of the header
}

// NewCSVReader returns a reader of CSV with a header line. Each row is one value of the record
// opts.Record: a JSON object whose members have the names of the header.
//
// The column opts.Time holds the time and is no member: RFC 3339, or a JSON number of
// opts.TimeUnit, rounded down to milliseconds.
//
// Cells that are true, false or a number keep their text. A number has the form of JSON, but no
// exponent, and at most 15 digits unless it has a fraction: 1E5 and 12345678901234567890 are more
// often names, and not each program reads them exactly. Cells that are empty, NaN, null or N/A are
// left out. All other cells become strings. A column without a name in the header is called
// column_N, counted from 1. A byte order mark is ignored.
//
// It reads the header, and fails if the header and the options do not fit together.
func NewCSVReader(in io.Reader, opts ReadOptions) (ValueReader, error) {
	if err := opts.validateForCSV(); err != nil {
		return nil, err
	}
	bound := &boundedReader{in: in, max: MaxLineLen}
	lines := buffered(bound)
	r := &csvReader{rows: csv.NewReader(lines), bound: bound, opts: opts}
	r.rows.ReuseRecord = true
	err := skipByteOrderMark(lines)
	if err == nil {
		err = r.readHeader()
	}
	if err != nil {
		return nil, fmt.Errorf("%s%w", prefix(opts.Name), err)
	}
	return r, nil
}

func (o ReadOptions) validateForCSV() error {
	if len(o.Time) == 0 && !o.StampNow {
		return fmt.Errorf("%w: ReadOptions has neither Time nor StampNow", daybook.ErrInvalidParams)
	}
	if err := o.TimeUnit.validate(); err != nil {
		return err
	}
	return daybook.ValidateRecordName(o.Record)
}

var errNoHeader = errors.New("it is empty: want a header line")

func (r *csvReader) readHeader() error {
	header, err := r.rows.Read()
	if err == io.EOF {
		return errNoHeader
	}
	if err != nil {
		return err
	}
	r.line, _ = r.rows.FieldPos(0)
	if r.names, err = columnNames(header); err != nil {
		return err
	}
	r.timeColumn = -1
	if len(r.opts.Time) > 0 {
		if r.timeColumn = slices.Index(r.names, r.opts.Time[0]); r.timeColumn < 0 {
			return &HeaderError{Got: header, Want: fmt.Sprintf("a column %q", r.opts.Time[0])}
		}
	}
	for _, name := range r.names {
		r.members = append(r.members, append(appendString(nil, name), ':'))
	}
	return nil
}

// columnNames names the columns as the header does, and a column without a header after its place,
// as in "column_1". No two columns may have the same name in the end.
func columnNames(header []string) ([]string, error) {
	names := make([]string, len(header))
	columns := make(map[string]int)
	for i, name := range header {
		if !utf8.ValidString(name) {
			return nil, &ColumnError{Column: i + 1, Name: name, Err: errHeaderNotUTF8}
		}
		if name == "" {
			name = fmt.Sprintf("column_%d", i+1)
		}
		if first, taken := columns[name]; taken {
			err := fmt.Errorf("column %d of the header has the same name", first)
			return nil, &ColumnError{Column: i + 1, Name: name, Err: err}
		}
		names[i], columns[name] = name, i+1
	}
	return names, nil
}

var errHeaderNotUTF8 = errors.New("its name in the header is not valid UTF-8")

func (r *csvReader) Read() (daybook.StoredValue, error) {
	r.bound.reset()
	cells, err := r.rows.Read()
	if err != nil {
		return daybook.StoredValue{}, r.rowError(err)
	}
	r.line, _ = r.rows.FieldPos(0)
	value, err := r.parseRow(cells)
	if err != nil {
		return value, &LineError{File: r.opts.Name, Line: r.line, LastLine: r.line, Err: err}
	}
	return value, nil
}

// rowError tells a malformed row from the end of the file. A quote that is not closed makes one row
// of all the lines after it, and the error says which lines are lost.
func (r *csvReader) rowError(err error) error {
	var parse *csv.ParseError
	switch {
	case err == io.EOF:
		return err
	case errors.As(err, &parse):
		r.line = parse.StartLine
		return &LineError{File: r.opts.Name, Line: parse.StartLine, LastLine: parse.Line, Err: parse.Err}
	}
	return fmt.Errorf("%safter line %d: %w", prefix(r.opts.Name), r.line, err)
}

func (r *csvReader) parseRow(cells []string) (daybook.StoredValue, error) {
	notUTF8 := func(cell string) bool { return !utf8.ValidString(cell) }
	if i := slices.IndexFunc(cells, notUTF8); i >= 0 {
		return daybook.StoredValue{}, r.columnError(i, errNotUTF8)
	}
	storedAt, err := r.parseTime(cells)
	if err != nil {
		return daybook.StoredValue{}, err
	}
	return checkedValue(r.opts.Record, r.object(cells), storedAt)
}

func (r *csvReader) columnError(i int, err error) error {
	return &ColumnError{Column: i + 1, Name: r.names[i], Err: err}
}

func (r *csvReader) parseTime(cells []string) (storedAt uint64, err error) {
	if r.timeColumn < 0 {
		return daybook.Now(), nil
	}
	if cell := strings.TrimSpace(cells[r.timeColumn]); cell == "" {
		storedAt, err = r.opts.missingTime()
	} else {
		storedAt, err = r.opts.parseTime(cell)
	}
	if err != nil {
		return 0, r.columnError(r.timeColumn, err)
	}
	return storedAt, nil
}

// object makes a JSON object of a row, without its time and its cells that say nothing.
func (r *csvReader) object(cells []string) json.RawMessage {
	object := []byte{'{'}
	for i, cell := range cells {
		if isMissing(cell) || i == r.timeColumn {
			continue
		}
		if len(object) > 1 {
			object = append(object, ',')
		}
		object = append(object, r.members[i]...)
		object = appendCell(object, cell)
	}
	return append(object, '}')
}

// isMissing reports whether a cell stands for no value.
func isMissing(cell string) bool {
	return cell == "" || cell == "NaN" || cell == "null" || cell == "N/A"
}

// appendCell appends a cell as JSON. A number keeps its text: 21.50 stays 21.50.
func appendCell(object []byte, cell string) []byte {
	if cell == "true" || cell == "false" || isNumberCell(cell) {
		return append(object, cell...)
	}
	return appendString(object, cell)
}

// isNumberCell reports whether a cell is a number, and not a name made of digits. The identifier of
// a CAN frame may be 1E5, and no float holds each whole number of 16 digits.
func isNumberCell(cell string) bool {
	const maxDigits = 15
	whole, fraction, hasFraction := strings.Cut(strings.TrimPrefix(cell, "-"), ".")
	if !isDigits(whole) || whole[0] == '0' && whole != "0" {
		return false
	}
	if hasFraction {
		return isDigits(fraction)
	}
	return len(whole) <= maxDigits
}

// boundedReader fails once it has read more than max bytes since the last call of reset.
// encoding/csv reads a field with an unclosed quote into memory as far as the file goes, and this
// stops it.
type boundedReader struct {
	in   io.Reader
	max  int
	read int // bytes since the last reset
}

func (b *boundedReader) reset() { b.read = 0 }

func (b *boundedReader) Read(p []byte) (int, error) {
	if b.read > b.max {
		return 0, fmt.Errorf("a row is longer than %d MiB; is a quote not closed?", b.max>>20)
	}
	n, err := b.in.Read(p)
	b.read += n
	return n, err
}
