// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"io"

	"github.com/jedib0t/go-pretty/v6/table"
	prettytext "github.com/jedib0t/go-pretty/v6/text"
)

// Limits of a block of a blockTable.
const (
	maxBlockRows  = 256
	maxBlockBytes = 1 << 20 // of cells
)

// column is one column of a blockTable.
type column struct {
	title string
	align prettytext.Align
}

// blockTable prints a table of any length in constant memory. It lays out and prints one block of
// rows at a time. Every block is at least as wide as the first.
type blockTable struct {
	out     io.Writer
	columns []column
	rows    [][]string // of the block that is being filled
	bytes   int        // of the cells in rows
	widths  []int      // of the columns in the first block; nil before it is printed
}

// rightColumn returns a column of numbers.
func rightColumn(title string) column { return column{title, prettytext.AlignRight} }

func newBlockTable(out io.Writer, columns ...column) *blockTable {
	return &blockTable{out: out, columns: columns}
}

func (t *blockTable) append(cells ...string) error {
	t.rows = append(t.rows, cells)
	for _, cell := range cells {
		t.bytes += len(cell)
	}
	if len(t.rows) < maxBlockRows && t.bytes < maxBlockBytes {
		return nil
	}
	return t.flush()
}

// flush prints the block that is being filled.
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

// plainStyle returns a style without lines and borders: two spaces separate the columns.
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

// shorten returns a JSON value on one line of at most width columns.
func shorten(value json.RawMessage, width int) string {
	const maxShown = 64 << 10 // no terminal is this wide, and a value may have 16 MiB
	var line bytes.Buffer
	if len(value) > maxShown {
		line.Write(value[:maxShown])
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
