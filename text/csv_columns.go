// SPDX-License-Identifier: Apache-2.0

package text

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/text/internal/rows"
)

// column is one column of CSV.
type column struct {
	name   string
	member []byte // `"name":`
	role   role
	kind   kind

	numbers   bool // there was a number
	strings   int  // cells that became strings though kind is anyCell
	firstLine int  // of those
}

// role is what the cells of a column are for.
type role byte

const (
	isMember role = iota // of the value, or a value with ReadOptions.Split
	isTime
	isName // of the record, or a part of it
)

// kind is what the cells of a column are.
type kind byte

const (
	anyCell kind = iota // each cell says what it is
	textCell
	numberCell
)

const (
	splitField  = "column" // the field of a template that stands for the name of a column
	fieldColumn = -1       // its place in csvReader.fields
	topicColumn = "topic"  // its cells are topics of MQTT
)

// setColumns finds the columns that the options name.
func (r *csvReader) setColumns(header []string) error {
	names, _, err := rows.Names(header)
	var column *rows.Error
	if errors.As(err, &column) {
		return &ColumnError{Column: column.Column, Name: header[column.Column-1], Err: column.Err}
	}
	r.columns, r.places = newColumns(names), make(map[string]int, len(names))
	for i, name := range names {
		r.places[name] = i
	}
	for _, name := range r.opts.Time {
		i, err := r.find(name, header, "")
		if err != nil {
			return err
		}
		r.times = append(r.times, i)
		r.columns[i].role = isTime
	}
	if err := r.setFields(header); err != nil {
		return err
	}
	return r.setKinds(header)
}

func newColumns(names []string) []column {
	columns := make([]column, len(names))
	for i, name := range names {
		columns[i] = column{name: name, member: append(appendString(nil, name), ':')}
	}
	return columns
}

// find returns the place of a column. Its error says what the column is wanted for.
func (r *csvReader) find(name string, header []string, reason string) (int, error) {
	i, ok := r.places[name]
	if !ok {
		return 0, &HeaderError{Got: header, Want: fmt.Sprintf("a column %q%s", name, reason)}
	}
	return i, nil
}

// setFields finds the columns that name the record.
func (r *csvReader) setFields(header []string) error {
	fields := r.name.Fields()
	if r.opts.Split && !slices.Contains(fields, splitField) {
		return fmt.Errorf("%w: ReadOptions.Split wants the field {column} in Record", daybook.ErrInvalidParams)
	}
	for _, field := range fields {
		if r.opts.Split && field == splitField {
			r.fields = append(r.fields, fieldColumn)
			continue
		}
		i, err := r.find(field, header, ", which names the record")
		if err != nil {
			return err
		}
		r.fields = append(r.fields, i)
		if r.columns[i].role == isMember {
			r.columns[i].role = isName
		}
	}
	r.texts = make([]string, len(fields))
	return nil
}

func (r *csvReader) setKinds(header []string) error {
	set := func(names []string, kind kind) error {
		for _, name := range names {
			i, err := r.find(name, header, "")
			if err != nil {
				return err
			}
			r.columns[i].kind = kind
		}
		return nil
	}
	if err := set(r.opts.CSV.Text, textCell); err != nil {
		return err
	}
	return set(r.opts.CSV.Number, numberCell)
}

// recordName returns the name of the record of a row, or of a cell in a column.
func (r *csvReader) recordName(cells [][]byte, column string) (string, error) {
	if len(r.fields) == 0 {
		return r.opts.Record, nil
	}
	for n, i := range r.fields {
		if i == fieldColumn {
			r.texts[n] = column
			continue
		}
		r.texts[n] = string(cells[i])
		if strings.EqualFold(r.columns[i].name, topicColumn) {
			r.texts[n] = strings.ReplaceAll(r.texts[n], "/", ".")
		}
	}
	name, err := r.name.Name(r.texts)
	if err != nil {
		return "", err
	}
	return name, daybook.ValidateRecordName(name)
}

// Notes says which columns have both numbers and strings, although nothing said that they are
// texts.
func (r *csvReader) Notes() (notes []string) {
	for i, c := range r.columns {
		if !c.numbers || c.strings == 0 {
			continue
		}
		are := "cells are no numbers and were kept as strings"
		if c.strings == 1 {
			are = "cell is no number and was kept as a string"
		}
		notes = append(notes, fmt.Sprintf("column %d (%q): %d %s, the first in line %d",
			i+1, shorten(c.name, maxQuoted), c.strings, are, c.firstLine))
	}
	return notes
}
