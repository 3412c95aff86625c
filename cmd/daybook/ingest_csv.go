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
	rows       *csv.Reader
	bounded    *boundedReader
	record     string
	members    [][]byte // `"name":` of each column
	timeColumn int      // -1: there is none, and stampNow is set
	stampNow   bool
	line       int // of the last row that was read
}

// newRowReader reads the header and checks that the flags fit it.
func newRowReader(name string, in *openInput, flags ingestFlags) (*rowReader, error) {
	if err := flags.checkCSV(name); err != nil {
		return nil, err
	}
	in.bounded.bound = maxLine
	r := &rowReader{rows: csv.NewReader(in.Reader), bounded: in.bounded, record: flags.record, stampNow: flags.stampNow}
	r.rows.ReuseRecord = true
	if err := r.readHeader(flags.timeColumn); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
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
	r.timeColumn = -1
	seen := make(map[string]bool)
	for i, name := range header {
		if !utf8.ValidString(name) || seen[name] {
			return fmt.Errorf("the header's column %d, %q, is there twice or not valid UTF-8", i+1, name)
		}
		seen[name] = true
		if name == timeColumn && timeColumn != "" {
			r.timeColumn = i
		}
		r.members = append(r.members, append(appendJSONString(nil, memberName(name, i)), ':'))
	}
	if timeColumn != "" && r.timeColumn < 0 {
		return fmt.Errorf("no column %q in the header %q", timeColumn, header)
	}
	return nil
}

// memberName names a column whose header is empty after its place, as in "column_1".
func memberName(header string, index int) string {
	if header == "" {
		return fmt.Sprintf("column_%d", index+1)
	}
	return header
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
		return value, &badLine{r.line, err}
	}
	return value, nil
}

// rowFault tells a bad row from the end of the input.
func (r *rowReader) rowFault(err error) error {
	var parse *csv.ParseError
	switch {
	case err == io.EOF:
		return err
	case errors.As(err, &parse):
		r.line = parse.StartLine
		return &badLine{parse.StartLine, parse.Err}
	}
	return fmt.Errorf(": after line %d: %w", r.line, err)
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
