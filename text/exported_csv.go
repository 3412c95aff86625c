// SPDX-License-Identifier: Apache-2.0

package text

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/daybook-db/daybook"
)

// exportedColumns are the columns of the CSV that NewCSVWriter writes. The time is in Unix
// milliseconds, the value is JSON.
var exportedColumns = []string{"record_name", "stored_at", "value"}

// maxExportedRow is the length of the longest row, in bytes. CSV doubles each quote in a value.
const maxExportedRow = 2 * MaxLineLen

// csvWriter writes those columns.
type csvWriter struct {
	out       *csv.Writer
	hasHeader bool
}

// NewCSVWriter returns a writer of CSV with the columns record_name, stored_at and value, which
// NewExportedCSVReader reads.
func NewCSVWriter(out io.Writer) ValueWriter {
	return &csvWriter{out: csv.NewWriter(out)}
}

func (w *csvWriter) Write(v daybook.StoredValue) error {
	w.writeHeader()
	return w.out.Write([]string{v.RecordName, strconv.FormatUint(v.StoredAt, 10), string(v.Value)})
}

// writeHeader writes the header once. Its error stays in the buffer of w.out, which returns it from
// the next write and from Flush.
func (w *csvWriter) writeHeader() {
	if !w.hasHeader {
		w.hasHeader = true
		_ = w.out.Write(exportedColumns)
	}
}

// Flush writes the header even if there was no value, so that a program that reads the file finds
// its columns.
func (w *csvWriter) Flush() error {
	w.writeHeader()
	w.out.Flush()
	return w.out.Error()
}

func (w *csvWriter) Close() error { return w.Flush() }

// exportedCSVReader reads those columns.
type exportedCSVReader struct {
	rows   *csv.Reader
	bound  *boundedReader
	opts   ReadOptions
	places [3]int // of exportedColumns in a row
	hasRow bool   // a row was read, after the header
}

// NewExportedCSVReader returns a reader of the CSV that NewCSVWriter writes. A program that has
// rewritten the file may have put the columns in another order, and a byte order mark before them.
// Columns that pandas adds for its index, without a name or called "Unnamed: 0", are ignored. It
// reads the header, and fails for any other header. A file that holds nothing is an export without
// values. Of the options it uses only Name.
func NewExportedCSVReader(in io.Reader, opts ReadOptions) (ValueReader, error) {
	bound := &boundedReader{in: in, max: maxExportedRow}
	lines := buffered(bound)
	r := &exportedCSVReader{rows: csv.NewReader(lines), bound: bound, opts: opts}
	err := skipByteOrderMark(lines)
	if err == nil {
		err = r.readHeader()
	}
	if err != nil {
		return nil, fmt.Errorf("%s%w", prefix(opts.Name), err)
	}
	return r, nil
}

// readHeader finds the place of each column. The header has exactly exportedColumns, in any order,
// and columns of an index.
func (r *exportedCSVReader) readHeader() error {
	header, err := r.rows.Read()
	if err == io.EOF {
		return nil
	}
	if err != nil {
		return err
	}
	for i, name := range exportedColumns {
		r.places[i] = slices.Index(header, name)
	}
	own := 0 // columns that are not of an index
	for _, name := range header {
		if !isIndexColumn(name) {
			own++
		}
	}
	if own != len(exportedColumns) || slices.Contains(r.places[:], -1) {
		return &HeaderError{Got: header, Want: fmt.Sprintf("%q", exportedColumns)}
	}
	return nil
}

// isIndexColumn reports whether a column numbers the rows. pandas writes its index without a name,
// and calls a column without a name "Unnamed: 0" or "Unnamed: 0.1" when it writes the file again.
func isIndexColumn(name string) bool {
	number, isUnnamed := strings.CutPrefix(name, "Unnamed: ")
	return name == "" || isUnnamed && isDigits(strings.ReplaceAll(number, ".", ""))
}

func (r *exportedCSVReader) Read() (daybook.StoredValue, error) {
	r.bound.reset()
	row, err := r.rows.Read()
	if err != nil {
		return daybook.StoredValue{}, r.rowError(err)
	}
	r.hasRow = true
	value, err := r.parseRow(row)
	if err != nil {
		line, _ := r.rows.FieldPos(0)
		return value, &LineError{File: r.opts.Name, Line: line, LastLine: line, Err: err}
	}
	return value, nil
}

// IsUnended implements LineReader.
func (r *exportedCSVReader) IsUnended() bool {
	return r.hasRow && r.bound.last != '\n' && r.bound.last != '\r'
}

func (r *exportedCSVReader) rowError(err error) error {
	var parse *csv.ParseError
	switch {
	case err == io.EOF:
		return err
	case errors.As(err, &parse):
		return &LineError{File: r.opts.Name, Line: parse.StartLine, LastLine: parse.Line, Err: parse.Err}
	}
	return fmt.Errorf("%s%w", prefix(r.opts.Name), err)
}

func (r *exportedCSVReader) parseRow(row []string) (daybook.StoredValue, error) {
	name, time, value := r.places[0], r.places[1], r.places[2]
	storedAt, err := ParseMillis(row[time])
	if err != nil {
		return daybook.StoredValue{}, &ColumnError{Column: time + 1, Name: exportedColumns[1], Err: err}
	}
	return checkedValue(row[name], json.RawMessage(row[value]), storedAt)
}

// boundedReader fails once it has read more than max bytes since the last call of reset.
// encoding/csv reads a field with an unclosed quote into memory as far as the file goes, and this
// stops it.
type boundedReader struct {
	in   io.Reader
	max  int
	read int  // bytes since the last reset
	last byte // that was read
}

func (b *boundedReader) reset() { b.read = 0 }

func (b *boundedReader) Read(p []byte) (int, error) {
	if b.read > b.max {
		return 0, fmt.Errorf("a row is longer than %d MiB; is a quote not closed?", b.max>>20)
	}
	n, err := b.in.Read(p)
	b.read += n
	if n > 0 {
		b.last = p[n-1]
	}
	return n, err
}
