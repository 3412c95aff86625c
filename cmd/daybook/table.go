// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"io"

	"github.com/jedib0t/go-pretty/v6/table"
	prettytext "github.com/jedib0t/go-pretty/v6/text"
)

// The most rows, and bytes of cells, that a blockTable holds before it prints them.
const (
	blockRows  = 256
	blockBytes = 1 << 20
)

// column is one column of a blockTable.
type column struct {
	title string
	align prettytext.Align
}

// blockTable prints a table of any length in constant memory: it lays out a block of rows at a time,
// and every block is at least as wide as the first.
type blockTable struct {
	out     io.Writer
	columns []column
	rows    [][]string
	bytes   int
	widths  []int // of the first block; nil before it is printed
}

// rightColumn is a column of numbers.
func rightColumn(title string) column { return column{title, prettytext.AlignRight} }

func newBlockTable(out io.Writer, columns ...column) *blockTable {
	return &blockTable{out: out, columns: columns}
}

func (t *blockTable) append(cells ...string) error {
	t.rows = append(t.rows, cells)
	for _, cell := range cells {
		t.bytes += len(cell)
	}
	if len(t.rows) < blockRows && t.bytes < blockBytes {
		return nil
	}
	return t.flush()
}

// flush prints the rows that are held.
func (t *blockTable) flush() error {
	if len(t.rows) == 0 {
		return nil
	}
	block := table.NewWriter()
	block.SetStyle(plainStyle())
	block.SuppressTrailingSpaces()
	if t.widths == nil {
		block.AppendHeader(tableRow(t.titles()))
		t.widths = t.measure()
	}
	block.SetColumnConfigs(t.configs())
	for _, row := range t.rows {
		block.AppendRow(tableRow(row))
	}
	t.rows, t.bytes = t.rows[:0], 0
	_, err := io.WriteString(t.out, block.Render()+"\n")
	return err
}

// plainStyle has no rules and no borders: two spaces part the columns.
func plainStyle() table.Style {
	style := table.StyleDefault
	style.Box.PaddingLeft, style.Box.PaddingRight = "", "  "
	style.Format = table.FormatOptions{}
	style.Options = table.OptionsNoBordersAndSeparators
	return style
}

func (t *blockTable) titles() []string {
	titles := make([]string, len(t.columns))
	for i, c := range t.columns {
		titles[i] = c.title
	}
	return titles
}

func (t *blockTable) measure() []int {
	widths := make([]int, len(t.columns))
	for _, row := range append(t.rows, t.titles()) {
		for i, cell := range row {
			widths[i] = max(widths[i], prettytext.StringWidth(cell))
		}
	}
	return widths
}

func (t *blockTable) configs() []table.ColumnConfig {
	configs := make([]table.ColumnConfig, len(t.columns))
	for i, c := range t.columns {
		configs[i] = table.ColumnConfig{Number: i + 1, Align: c.align, AlignHeader: c.align, WidthMin: t.widths[i]}
	}
	return configs
}

func tableRow(cells []string) table.Row {
	row := make(table.Row, len(cells))
	for i, cell := range cells {
		row[i] = cell
	}
	return row
}

// shorten puts a JSON value on one line of at most width columns.
func shorten(value json.RawMessage, width int) string {
	const enough = 64 << 10 // no terminal is this wide, and values may have 16 MiB
	var line bytes.Buffer
	if len(value) > enough {
		line.Write(value[:enough])
	} else if json.Compact(&line, value) != nil {
		line.Reset()
		line.Write(value)
	}
	shown := printable(line.String())
	if prettytext.StringWidth(shown) <= width {
		return shown
	}
	return prettytext.Snip(shown, width, "…")
}
