// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/daybook-db/daybook/text"
)

// randomTable is a table of readings, and how it is written.
type randomTable struct {
	delimiter, lineEnd string
	header, comments   bool
	comma              bool // decimal
	quoteAll, blanks   bool
	names              []string
	rows               [][]string // cells with a decimal point
	times              []time.Time
}

// drawTable makes a table whose first column is the time, and whose others are numbers or texts.
func drawTable(t *rapid.T) randomTable {
	table := randomTable{
		delimiter: rapid.SampledFrom([]string{",", ";", "\t", "|"}).Draw(t, "delimiter"),
		lineEnd:   rapid.SampledFrom([]string{"\n", "\r\n", "\r"}).Draw(t, "line end"),
		header:    rapid.Bool().Draw(t, "header"),
		comments:  rapid.Bool().Draw(t, "comments"),
		quoteAll:  rapid.Bool().Draw(t, "quote all"),
		blanks:    rapid.Bool().Draw(t, "blanks"),
		names:     []string{"time"},
	}
	table.comma = (table.delimiter == ";" || table.delimiter == "\t") && rapid.Bool().Draw(t, "decimal comma")
	columns := rapid.SliceOfN(rapid.Bool(), 1, 5).Draw(t, "columns of texts")
	for i := range columns {
		table.names = append(table.names, fmt.Sprintf("col%c", 'a'+i))
	}
	for i := range rapid.IntRange(1, 20).Draw(t, "rows") {
		at := time.UnixMilli(1_700_000_000_000 + int64(i)*1001).UTC()
		row := []string{at.Format("2006-01-02T15:04:05.000Z")}
		for _, isText := range columns {
			row = append(row, drawCell(t, isText))
		}
		table.rows, table.times = append(table.rows, row), append(table.times, at)
	}
	return table
}

// drawCell makes a cell. Each text has a word, so that its column cannot be one of numbers.
func drawCell(t *rapid.T, isText bool) string {
	if isText {
		return "w" + rapid.StringOf(rapid.SampledFrom([]rune("ab é\",;|\t\n\\"))).Draw(t, "text") + "w"
	}
	form := rapid.SampledFrom([]string{"", "%d", "-%d", "%d.5", "0.%d", "1%d.25"}).Draw(t, "form")
	if form == "" {
		return ""
	}
	return fmt.Sprintf(form, rapid.IntRange(1, 9999).Draw(t, "number"))
}

// write writes the table.
func (r randomTable) write() string {
	var b strings.Builder
	if r.comments {
		b.WriteString("# made by a test" + r.lineEnd)
	}
	all := r.rows
	if r.header {
		all = append([][]string{r.names}, all...)
	}
	for n, row := range all {
		for i, cell := range row {
			if i > 0 {
				b.WriteString(r.delimiter)
			}
			if r.blanks && i > 0 {
				b.WriteString(" ")
			}
			b.WriteString(r.cell(cell, i > 0 && !(r.header && n == 0)))
		}
		b.WriteString(r.lineEnd)
	}
	return b.String()
}

func (r randomTable) cell(cell string, isValue bool) string {
	if r.comma && isValue && !strings.HasPrefix(cell, "w") {
		cell = strings.ReplaceAll(cell, ".", ",")
	}
	if r.quoteAll || strings.ContainsAny(cell, r.delimiter+"\"\r\n ") {
		return `"` + strings.ReplaceAll(cell, `"`, `""`) + `"`
	}
	return cell
}

// want returns the values of the table.
func (r randomTable) want() (lines []string) {
	for n, row := range r.rows {
		var members []string
		for i, cell := range row[1:] {
			name := r.names[i+1]
			if !r.header {
				name = fmt.Sprintf("c%d", i+2)
			}
			if strings.HasPrefix(cell, "w") {
				var quoted strings.Builder
				encoder := json.NewEncoder(&quoted)
				encoder.SetEscapeHTML(false)
				_ = encoder.Encode(cell)
				cell = strings.TrimSpace(quoted.String())
			}
			if cell != "" {
				members = append(members, fmt.Sprintf("%q:%s", name, cell))
			}
		}
		lines = append(lines, fmt.Sprintf("x %d {%s}", r.times[n].UnixMilli(), strings.Join(members, ",")))
	}
	return lines
}

// TestTablesAreReadBack writes random tables, and wants their values back.
func TestTablesAreReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		table := drawTable(t)
		file := table.write()
		sentence, got, err := readCSV(Sample{[]byte(file), true}, Hints{Reader: text.ReadOptions{Name: "x.csv"}})
		if err != nil {
			t.Fatalf("%q: %v", file, err)
		}
		want := table.want()
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Fatalf("%q: %s\ngot  %q\nwant %q", file, sentence, got, want)
		}
	})
}
