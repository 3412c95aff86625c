// SPDX-License-Identifier: Apache-2.0

package text

import (
	"errors"
	"fmt"

	"github.com/daybook-db/daybook/text/internal/rows"
)

// ErrNotNumber is returned for a cell of a column of CSVOptions.Number that is no number.
var ErrNotNumber = errors.New("is not a number")

// appendCell appends the cell of a column as JSON. A number keeps its text: 21.50 stays 21.50.
func (r *csvReader) appendCell(line []byte, i int, cell []byte) ([]byte, error) {
	column := &r.columns[i]
	if column.kind == textCell {
		return appendStringCell(line, cell), nil
	}
	if line, ok := r.appendNumber(line, cell, column.kind); ok {
		column.numbers = true
		return line, nil
	}
	switch {
	case column.kind == numberCell:
		return line, r.columnError(i, fmt.Errorf("%q %w", shorten(string(cell), maxQuoted), ErrNotNumber))
	case string(cell) == "true" || string(cell) == "false":
		return append(line, cell...), nil
	}
	if column.strings++; column.strings == 1 {
		column.firstLine = r.rows.Line()
	}
	return appendStringCell(line, cell), nil
}

// appendNumber appends a cell that is a number, and reports whether the cell is one.
func (r *csvReader) appendNumber(line, cell []byte, kind kind) ([]byte, bool) {
	if !r.opts.CSV.DecimalComma {
		if rows.IsNumber(cell) || kind == numberCell && isNumber(string(cell)) {
			return append(line, cell...), true
		}
		return line, false
	}
	start := len(line)
	line, ok := rows.AppendCommaNumber(line, cell)
	if ok && !rows.IsNumber(line[start:]) && (kind != numberCell || !isNumber(string(line[start:]))) {
		ok = false
	}
	if !ok {
		return line[:start], false
	}
	return line, true
}

// appendStringCell appends a cell as a JSON string. Most cells have nothing to escape.
func appendStringCell(line, cell []byte) []byte {
	for _, b := range cell {
		if b < ' ' || b >= 0x7f || b == '"' || b == '\\' {
			return appendString(line, string(cell))
		}
	}
	line = append(line, '"')
	line = append(line, cell...)
	return append(line, '"')
}
