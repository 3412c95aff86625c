// SPDX-License-Identifier: Apache-2.0

package text

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/text/internal/rows"
)

// Noter is a ValueReader that has something to say about the values that it read.
type Noter interface {
	// Notes returns sentences for a person, without the file's name. They are complete after the
	// last value.
	Notes() []string
}

// LineReader is a ValueReader of lines that notices where its input ends.
type LineReader interface {
	// IsUnended reports whether the last line has no line end although others have one: the input
	// may have been cut off in it. It is known after the last value.
	IsUnended() bool
}

// csvReader reads CSV. Each row is one value, or with opts.Split one value for each column.
type csvReader struct {
	rows    *rows.Reader
	opts    ReadOptions
	name    NameTemplate
	columns []column
	places  map[string]int        // of the columns, by their names
	times   []int                 // places of the columns of the time; none: opts.StampNow is set
	fields  []int                 // places of the columns that name the record; fieldColumn for {column}
	texts   []string              // of the fields, for the next name
	line    []byte                // for the next value
	pending []daybook.StoredValue // of the last row, with opts.Split

	otherHeader int // line of a header whose columns are others, which the rows after it have; 0: none
}

// NewCSVReader returns a reader of CSV. Each row is one value: a JSON object whose members have the
// names of the header, or of opts.CSV.Columns. With opts.Split, each cell is a value by itself.
//
// The columns opts.Time hold the time, and the fields of opts.Record name the record; neither are
// members. A slash in a column called topic becomes a dot in the name. Without opts.Times a time is
// RFC 3339, or a JSON number of opts.TimeUnit, rounded down to milliseconds.
//
// Cells that are true, false or a number keep their text. A number has the form of JSON, but no
// exponent, and at most 15 digits unless it has a fraction: 1E5 and 12345678901234567890 are more
// often names, and not each program reads them exactly. A column of opts.CSV.Number may have any
// number of JSON. Cells that are empty, NaN, null or N/A are left out. All other cells become
// strings, and so do all cells of opts.CSV.Text. The reader is a Noter: it says which columns have
// both numbers and strings.
//
// A column without a name in the header is called column_N, counted from 1. A name that is repeated
// gets a number, as in Year and Year_2. A byte order mark is ignored.
//
// It reads the header, and fails if the header and the options do not fit together.
func NewCSVReader(in io.Reader, opts ReadOptions) (ValueReader, error) {
	r := &csvReader{opts: opts}
	err := r.open(in)
	if err != nil {
		return nil, fmt.Errorf("%s%w", prefix(opts.Name), err)
	}
	return r, nil
}

func (r *csvReader) open(in io.Reader) (err error) {
	if r.name, err = r.opts.validateForCSV(); err != nil {
		return err
	}
	lines := buffered(in)
	if err := skipByteOrderMark(lines); err != nil {
		return err
	}
	r.rows = rows.NewReader(lines, r.opts.CSV.rowOptions(MaxLineLen))
	if err := r.rows.SkipLines(r.opts.CSV.SkipLines); err != nil && err != io.EOF {
		return err
	}
	header := r.opts.CSV.Columns
	if len(header) == 0 {
		if header, err = r.readHeader(); err != nil {
			return err
		}
	}
	return r.setColumns(header)
}

// validateForCSV returns the template of the record's name if the options are valid.
func (o ReadOptions) validateForCSV() (NameTemplate, error) {
	name, err := ParseNameTemplate(o.Record)
	switch {
	case len(o.Time) == 0 && !o.StampNow:
		return name, fmt.Errorf("%w: ReadOptions has neither Time nor StampNow", daybook.ErrInvalidParams)
	case o.TimeUnit.validate() != nil:
		return name, o.TimeUnit.validate()
	case !o.CSV.isValid():
		return name, fmt.Errorf("%w: CSVOptions.Delimiter and Comment must be two characters of ASCII, "+
			"and neither a quote nor a line end", daybook.ErrInvalidParams)
	}
	return name, err
}

func (o CSVOptions) isValid() bool {
	isOne := func(r rune) bool { return r >= 0 && r < utf8.RuneSelf && r != '"' && r != '\r' && r != '\n' }
	return isOne(o.Delimiter) && isOne(o.Comment) && byte(o.Comment) != o.delimiter() &&
		o.SkipLines >= 0 && o.MayLack >= 0
}

func (o CSVOptions) delimiter() byte {
	if o.Delimiter == 0 {
		return ','
	}
	return byte(o.Delimiter)
}

func (o CSVOptions) rowOptions(maxLen int) rows.Options {
	return rows.Options{
		Delimiter: o.delimiter(), Comment: byte(o.Comment), KeepBlanks: o.KeepBlanks, MaxLen: maxLen,
	}
}

var errNoHeader = errors.New("it is empty: want a header line")

func (r *csvReader) readHeader() ([]string, error) {
	cells, err := r.rows.Read()
	if err == io.EOF {
		return nil, errNoHeader
	}
	header := make([]string, len(cells))
	for i, cell := range cells {
		header[i] = string(cell)
	}
	return header, err
}

// IsUnended implements LineReader.
func (r *csvReader) IsUnended() bool { return r.rows.IsUnended() && r.rows.NextLine() > 2 }

func (r *csvReader) Read() (daybook.StoredValue, error) {
	for len(r.pending) == 0 {
		cells, err := r.rows.Read()
		if err != nil {
			return daybook.StoredValue{}, r.rowError(err)
		}
		value, err := r.parseRow(cells)
		if err != nil {
			line := r.rows.Line()
			return value, &LineError{File: r.opts.Name, Line: line, LastLine: line, Err: err}
		}
		if !r.opts.Split {
			return value, nil
		}
	}
	value := r.pending[0]
	r.pending = r.pending[1:]
	return value, nil
}

// rowError tells a malformed row from the end of the file. A quote that is not closed makes one row
// of all the lines after it, and the error says which lines are lost.
func (r *csvReader) rowError(err error) error {
	var malformed *rows.Error
	switch {
	case err == io.EOF:
		return err
	case errors.As(err, &malformed):
		cause := malformed.Err
		if i := malformed.Column - 1; i >= 0 {
			cause = r.columnError(i, cause)
		}
		return &LineError{File: r.opts.Name, Line: malformed.Line, LastLine: malformed.LastLine, Err: cause}
	}
	return fmt.Errorf("%safter line %d: %w", prefix(r.opts.Name), r.rows.NextLine()-1, err)
}

// parseRow returns the value of a row, or puts its values into r.pending.
func (r *csvReader) parseRow(cells [][]byte) (value daybook.StoredValue, err error) {
	if lack := r.opts.CSV.MayLack; lack > 0 && len(cells) == len(r.columns)-lack {
		for range lack {
			cells = append(cells, nil)
		}
	}
	if len(cells) != len(r.columns) {
		return value, fmt.Errorf("it has %s; want %d, one for each column", countedCells(len(cells)), len(r.columns))
	}
	for i, cell := range cells {
		if !utf8.Valid(cell) {
			return value, r.columnError(i, ErrNotUTF8)
		}
	}
	if value.StoredAt, err = r.parseTime(cells); err != nil {
		r.noticeHeader(cells)
		return value, err
	}
	if r.otherHeader > 0 {
		return value, fmt.Errorf("it follows another header, in line %d: make a file of these rows", r.otherHeader)
	}
	if r.opts.Split {
		r.pending, err = r.splitRow(r.pending[:0], cells, value.StoredAt)
		return value, err
	}
	if value.RecordName, err = r.recordName(cells, ""); err != nil {
		return value, err
	}
	value.Value, err = r.object(cells)
	return value, err
}

func countedCells(n int) string {
	if n == 1 {
		return "1 cell"
	}
	return fmt.Sprintf("%d cells", n)
}

func (r *csvReader) columnError(i int, err error) error {
	e := &ColumnError{Column: i + 1, Err: err}
	if i < len(r.columns) {
		e.Name = r.columns[i].name
	}
	return e
}

// parseTime reads the time of a row. The texts of several columns are joined by a space.
func (r *csvReader) parseTime(cells [][]byte) (storedAt uint64, err error) {
	if len(r.times) == 0 {
		return daybook.Now(), nil
	}
	text := ""
	for _, i := range r.times {
		cell := string(cells[i])
		if text != "" && cell != "" {
			text += " "
		}
		text += cell
	}
	if text == "" {
		storedAt, err = r.opts.missingTime()
	} else {
		storedAt, err = r.opts.parseTime(text)
	}
	if err != nil {
		return 0, r.columnError(r.times[0], err)
	}
	return storedAt, nil
}

// object makes a JSON object of a row's cells, except those that say nothing.
func (r *csvReader) object(cells [][]byte) (_ json.RawMessage, err error) {
	object := append(r.line[:0], '{')
	for i, cell := range cells {
		column := &r.columns[i]
		if column.role != isMember || rows.IsMissing(cell) {
			continue
		}
		if len(object) > 1 {
			object = append(object, ',')
		}
		object = append(object, column.member...)
		if object, err = r.appendCell(object, i, cell); err != nil {
			return nil, err
		}
	}
	object = append(object, '}')
	r.line = object
	return r.newValue(object)
}

// splitRow appends one value for each cell, except those that say nothing.
func (r *csvReader) splitRow(
	values []daybook.StoredValue, cells [][]byte, storedAt uint64,
) ([]daybook.StoredValue, error) {
	for i, cell := range cells {
		if r.columns[i].role != isMember || rows.IsMissing(cell) {
			continue
		}
		name, err := r.recordName(cells, r.columns[i].name)
		if err != nil {
			return nil, err
		}
		if r.line, err = r.appendCell(r.line[:0], i, cell); err != nil {
			return nil, err
		}
		value, err := r.newValue(r.line)
		if err != nil {
			return nil, err
		}
		values = append(values, daybook.StoredValue{RecordName: name, Value: value, StoredAt: storedAt})
	}
	return values, nil
}

// newValue returns a copy of JSON that was made of cells, which is valid unless it is too long.
func (r *csvReader) newValue(value []byte) (json.RawMessage, error) {
	if len(value) > daybook.MaxValueLen {
		return nil, daybook.ValidateValue(value)
	}
	return append(make(json.RawMessage, 0, len(value)), value...), nil
}
