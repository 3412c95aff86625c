// SPDX-License-Identifier: Apache-2.0

package text

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

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

// FlatColumn is a column of flat CSV or Parquet.
type FlatColumn struct {
	Name string
	Type FlatType // of all its cells
	seen leafKinds
}

// FlatColumns are the columns of flat files: record_name, stored_at, and one for each member of the
// objects. A member of an object in an object has the names of both, with a dot between them. A
// value that is no object is in the column "value". If two members have the same name, because one
// has a dot in it, the later one has the name with _2.
//
// Add finds the columns, value by value. Afterwards a writer writes the same values.
type FlatColumns struct {
	columns []FlatColumn
	places  map[string]int // of the key of a member in columns
	taken   map[string]bool
}

// NewFlatColumns returns columns without members.
func NewFlatColumns() *FlatColumns {
	return &FlatColumns{
		columns: []FlatColumn{{Name: "record_name"}, {Name: "stored_at"}},
		places:  map[string]int{},
		taken:   map[string]bool{"record_name": true, "stored_at": true},
	}
}

// Add adds the columns that a value needs. Its error names the value.
func (c *FlatColumns) Add(v daybook.StoredValue) error {
	return visitLeaves(v, func(path []byte, leaf json.RawMessage) error {
		place, known := c.places[string(path)]
		if !known {
			if len(c.columns) == maxFlatColumns {
				return ErrTooManyColumns
			}
			place = c.newColumn(path)
		}
		column := &c.columns[place]
		column.seen |= kindsOfLeaf(leaf, column.seen)
		column.Type = column.seen.flatType()
		return nil
	})
}

// newColumn adds the column for a path, and returns its place.
func (c *FlatColumns) newColumn(path []byte) int {
	first := columnOf(path)
	name := first
	for n := 2; c.taken[name]; n++ {
		name = fmt.Sprintf("%s_%d", first, n)
	}
	place := len(c.columns)
	c.taken[name] = true
	c.places[string(path)] = place
	c.columns = append(c.columns, FlatColumn{Name: name})
	return place
}

// FlatCells takes values apart into the cells of columns. It is for one writer.
type FlatCells struct {
	Columns []FlatColumn // record_name and stored_at come first
	places  map[string]int
	filled  []bool // the columns that the current value has
}

// Cells returns what takes values apart. Later columns do not count.
func (c *FlatColumns) Cells() *FlatCells {
	return &FlatCells{Columns: c.columns[:len(c.columns):len(c.columns)], places: c.places,
		filled: make([]bool, len(c.columns))}
}

// Visit calls visit with each cell of a value that comes from a member: with its place in Columns,
// and its JSON without white space around it. A value with a member that has no column is
// ErrNewColumn; one with two members of the same name is an error, too. Each error names the value.
func (c *FlatCells) Visit(v daybook.StoredValue, visit func(place int, leaf json.RawMessage) error) error {
	clear(c.filled)
	return visitLeaves(v, func(path []byte, leaf json.RawMessage) error {
		place, known := c.places[string(path)]
		switch {
		case !known || place >= len(c.Columns):
			return fmt.Errorf("the member %q %w", columnOf(path), ErrNewColumn)
		case c.filled[place]:
			return fmt.Errorf("it has two members %q, and one cell holds one of them", columnOf(path))
		}
		c.filled[place] = true
		return visit(place, leaf)
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
// object without members. A leaf has no white space around it. The path is valid until visit
// returns.
func visitLeaves(v daybook.StoredValue, visit func(path []byte, leaf json.RawMessage) error) error {
	var walk func(path []byte, text json.RawMessage) error
	walk = func(path []byte, text json.RawMessage) error {
		s := memberScanner{line: text}
		if s.skipSpace() != '{' {
			return visit(path, trimSpace(text))
		}
		s.at++
		if s.skipSpace() == '}' {
			return visit(path, trimSpace(text))
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

// trimSpace drops the white space around a JSON text.
func trimSpace(text json.RawMessage) json.RawMessage { return bytes.Trim(text, " \t\r\n") }
