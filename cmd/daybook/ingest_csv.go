// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
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

// rowReader reads CSV: each row is one value of the same record.
type rowReader struct {
	name       string // of the input
	rows       *csv.Reader
	bounded    *boundedReader
	record     string
	members    [][]byte // `"name":` of each column
	timeColumn int      // -1: there is none, and stampNow is set
	stampNow   bool
	line       int // of the last row that was read
}

// newRowReader reads the header and checks that the flags fit it.
func newRowReader(in *input, flags ingestFlags) (*rowReader, error) {
	in.opened.bounded.bound = maxLine
	r := &rowReader{name: in.name, rows: csv.NewReader(in.opened.Reader), bounded: in.opened.bounded,
		record: flags.record, stampNow: flags.stampNow}
	r.rows.ReuseRecord = true
	if err := r.readHeader(flags.timeColumn); err != nil {
		return nil, fmt.Errorf("%s: %w", in.name, err)
	}
	return r, nil
}

func (r *rowReader) readHeader(timeColumn string) error {
	header, err := r.rows.Read()
	if err == io.EOF {
		return errors.New("it is empty: want a header line")
	}
	if err != nil {
		return err
	}
	names, err := memberNames(header)
	if err != nil {
		return err
	}
	r.timeColumn = -1
	if timeColumn != "" {
		if r.timeColumn = slices.Index(names, timeColumn); r.timeColumn < 0 {
			return fmt.Errorf("no column %q in the header %q", timeColumn, header)
		}
	}
	for _, name := range names {
		r.members = append(r.members, append(appendJSONString(nil, name), ':'))
	}
	return nil
}

// memberNames names the members of the objects that rows become: after the header, and a column that
// has none after its place, as in "column_1". No two may have the same name in the end.
func memberNames(header []string) ([]string, error) {
	names := make([]string, len(header))
	column := make(map[string]int)
	for i, name := range header {
		if !utf8.ValidString(name) {
			return nil, fmt.Errorf("column %d of the header, %q, is not valid UTF-8", i+1, name)
		}
		if name == "" {
			name = fmt.Sprintf("column_%d", i+1)
		}
		if first, taken := column[name]; taken {
			return nil, fmt.Errorf("columns %d and %d of the header are both named %q", first, i+1, name)
		}
		names[i], column[name] = name, i+1
	}
	return names, nil
}

func (r *rowReader) next() (daybook.StoredValue, error) {
	r.bounded.reset()
	cells, err := r.rows.Read()
	if err != nil {
		return daybook.StoredValue{}, r.rowFault(err)
	}
	r.line, _ = r.rows.FieldPos(0)
	value, err := r.parseRow(cells)
	if err != nil {
		return value, &badLine{r.name, r.line, 0, err}
	}
	return value, nil
}

// rowFault tells a bad row from the end of the input. A quote that is not closed makes one row of all
// the lines that follow: none of them is to be lost without a word.
func (r *rowReader) rowFault(err error) error {
	var parse *csv.ParseError
	switch {
	case err == io.EOF:
		return err
	case errors.As(err, &parse):
		r.line = parse.StartLine
		return &badLine{r.name, parse.StartLine, parse.Line, parse.Err}
	}
	return fmt.Errorf("%s: after line %d: %w", r.name, r.line, err)
}

func (r *rowReader) parseRow(cells []string) (daybook.StoredValue, error) {
	if i := slices.IndexFunc(cells, func(cell string) bool { return !utf8.ValidString(cell) }); i >= 0 {
		return daybook.StoredValue{}, fmt.Errorf("column %d is not valid UTF-8", i+1)
	}
	at, err := r.parseTime(cells)
	if err != nil {
		return daybook.StoredValue{}, err
	}
	return checkedValue(r.record, r.object(cells), at)
}

func (r *rowReader) parseTime(cells []string) (uint64, error) {
	if r.timeColumn < 0 {
		return daybook.Now(), nil
	}
	cell := strings.TrimSpace(cells[r.timeColumn])
	if cell == "" {
		return stampedNow(errors.New("no time"), r.stampNow)
	}
	return parseColumnTime(cell)
}

// object makes a JSON object of a row, without its time and its empty cells.
func (r *rowReader) object(cells []string) json.RawMessage {
	object := []byte{'{'}
	for i, cell := range cells {
		if cell == "" || i == r.timeColumn {
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

// appendCell appends a cell as JSON. A number keeps its text: 21.50 stays 21.50.
func appendCell(object []byte, cell string) []byte {
	if cell == "true" || cell == "false" || isNumber(cell) {
		return append(object, cell...)
	}
	return appendJSONString(object, cell)
}

// isNumber reports whether text is a JSON number, and nothing else: 007 and +1 are not.
func isNumber(text string) bool {
	first, last := text[0], text[len(text)-1]
	return (first == '-' || first >= '0' && first <= '9') && last >= '0' && last <= '9' && json.Valid([]byte(text))
}

// appendJSONString appends text as a JSON string, without the escapes that HTML needs.
func appendJSONString(line []byte, text string) []byte {
	var encoded bytes.Buffer
	encoder := json.NewEncoder(&encoded)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(text) // a string always has a JSON form
	return append(line, bytes.TrimSuffix(encoded.Bytes(), []byte("\n"))...)
}
