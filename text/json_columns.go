// SPDX-License-Identifier: Apache-2.0

package text

import (
	"bytes"
	"encoding/json"
	"errors"
)

// errUnequal is the cause of a MemberError.
var errUnequal = errors.New("it does not have as many elements as the members before it")

// columnTable is an object of arrays that are equally long:
//
//	{"time":[1,2],"celsius":[20,21]}
//
// Its values are {"time":1,"celsius":20} and {"time":2,"celsius":21}.
type columnTable struct {
	key     string
	columns []tableColumn
	row     []byte
}

type tableColumn struct {
	name     []byte // as JSON
	elements memberScanner
}

// readTable reads the object that comes next.
func (r *rowScanner) readTable(key string) error {
	raw, err := r.stream.value()
	if err != nil {
		return err
	}
	table, err := newColumnTable(bytes.Clone(raw))
	if err != nil && key != "" {
		err = &MemberError{key, err}
	}
	if err != nil {
		return &placedError{r.stream.from, err}
	}
	table.key, r.table = key, table
	return nil
}

func newColumnTable(raw []byte) (*columnTable, error) {
	table, lengths, known := &columnTable{}, -1, map[string]bool{}
	err := scanMembers(raw, func(name string, value json.RawMessage) error {
		if kindOf(value) != "array" {
			return &MemberError{name, &KindError{Got: kindOf(value), Want: "an array"}}
		}
		if known[name] {
			return &MemberError{name, errTwice}
		}
		known[name] = true
		column := tableColumn{append(appendString(nil, name), ':'), memberScanner{line: value, at: 1}}
		length := 0
		for counted := column.elements; counted.nextElement() != nil; {
			length++
		}
		if lengths >= 0 && length != lengths {
			return &MemberError{name, errUnequal}
		}
		lengths = length
		table.columns = append(table.columns, column)
		return nil
	})
	return table, err
}

// nextElement returns the next element of the array that s is in, or nil after the last one.
func (s *memberScanner) nextElement() []byte {
	if s.skipSpace() == ',' {
		s.at++
	}
	if b := s.skipSpace(); b == ']' || b == 0 {
		return nil
	}
	start := s.at
	s.at = s.valueEnd(start)
	return s.line[start:s.at]
}

// next returns the next value, which the next call overwrites, or nil after the last one.
func (t *columnTable) next() []byte {
	t.row = append(t.row[:0], '{')
	for i := range t.columns {
		column := &t.columns[i]
		element := column.elements.nextElement()
		if element == nil {
			return nil
		}
		if i > 0 {
			t.row = append(t.row, ',')
		}
		t.row = append(append(t.row, column.name...), element...)
	}
	if len(t.columns) == 0 {
		return nil
	}
	return append(t.row, '}')
}
