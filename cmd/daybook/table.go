// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"io"
	"unicode"
)

// Limits of a block of a blockTable.
const (
	maxBlockRows  = 256
	maxBlockBytes = 1 << 20 // of cells
)

// column is one column of a blockTable.
type column struct {
	title   string
	isRight bool // its cells are aligned at their right end
}

// cell is the text of a row in a column. It is one line, and has no tabs.
type cell struct {
	text  string
	width int // in columns of a terminal
}

// blockTable prints a table of any length in constant memory. It lays out and prints one block of
// rows at a time. Every block is at least as wide as the first.
type blockTable struct {
	out       io.Writer
	columns   []column
	cells     []cell // of the block that is being filled, row by row
	bytes     int    // in cells
	widths    []int  // of the columns in the block that is being filled
	minWidths []int  // of the columns in every block: their widths in the first one
	hasHeader bool   // the header is printed
	lines     []byte // the block as it is printed
}

// rightColumn returns a column of numbers.
func rightColumn(title string) column { return column{title, true} }

func newBlockTable(out io.Writer, columns ...column) *blockTable {
	t := &blockTable{out: out, columns: columns}
	for _, c := range columns {
		t.minWidths = append(t.minWidths, textWidth(c.title))
	}
	t.widths = append(t.widths, t.minWidths...)
	return t
}

func (t *blockTable) append(cells ...string) error {
	for i, text := range cells {
		width := runesWidth(text)
		t.cells = append(t.cells, cell{text, width})
		t.bytes += len(text)
		t.widths[i] = max(t.widths[i], width)
		if !t.hasHeader {
			t.minWidths[i] = max(t.minWidths[i], textWidth(text))
			t.widths[i] = max(t.widths[i], t.minWidths[i])
		}
	}
	if len(t.cells) < maxBlockRows*len(t.columns) && t.bytes < maxBlockBytes {
		return nil
	}
	return t.flush()
}

// flush prints the block that is being filled.
func (t *blockTable) flush() error {
	if len(t.cells) == 0 {
		return nil
	}
	t.lines = t.lines[:0]
	if !t.hasHeader {
		t.hasHeader = true
		t.addLine(t.titles())
	}
	for i := 0; i < len(t.cells); i += len(t.columns) {
		t.addLine(t.cells[i : i+len(t.columns)])
	}
	clear(t.cells) // so that they do not keep the texts in memory
	t.cells, t.bytes = t.cells[:0], 0
	copy(t.widths, t.minWidths)
	_, err := t.out.Write(t.lines)
	return err
}

func (t *blockTable) titles() []cell {
	titles := make([]cell, len(t.columns))
	for i, c := range t.columns {
		titles[i] = cell{c.title, textWidth(c.title)}
	}
	return titles
}

// addLine adds a row to lines. Two spaces separate the columns; no line ends with spaces.
func (t *blockTable) addLine(row []cell) {
	start := len(t.lines)
	for i, c := range row {
		if i > 0 {
			t.addSpaces(2)
		}
		padding := t.widths[i] - c.width
		if t.columns[i].isRight {
			t.addSpaces(padding)
			t.lines = append(t.lines, c.text...)
		} else {
			t.lines = append(t.lines, c.text...)
			t.addSpaces(padding)
		}
	}
	line := bytes.TrimRightFunc(t.lines[start:], unicode.IsSpace)
	t.lines = append(t.lines[:start+len(line)], '\n')
}

func (t *blockTable) addSpaces(n int) {
	const spaces = "                                                                "
	for ; n > len(spaces); n -= len(spaces) {
		t.lines = append(t.lines, spaces...)
	}
	t.lines = append(t.lines, spaces[:n]...)
}

// shorten returns a JSON value on one line of at most width columns.
func shorten(value json.RawMessage, width int) string {
	const maxShown = 64 << 10 // no terminal is this wide, and a value may have 16 MiB
	if len(value) > maxShown {
		value = value[:maxShown]
	} else if bytes.ContainsAny(value, " \t\r\n") {
		value = oneLine(value)
	}
	return snip(printable(string(value)), width)
}

// oneLine returns a valid JSON value without the white space between its tokens. json.Compact also
// checks the value, which takes several times as long.
func oneLine(value json.RawMessage) []byte {
	line := make([]byte, 0, len(value))
	isText := false
	for i := 0; i < len(value); i++ {
		c := value[i]
		switch {
		case c == '"':
			isText = !isText
		case c == '\\' && i+1 < len(value): // only in a text; a quote after it is a part of the text
			line = append(line, c)
			i++
			c = value[i]
		case !isText && (c == ' ' || c == '\t' || c == '\r' || c == '\n'):
			continue
		}
		line = append(line, c)
	}
	return line
}
