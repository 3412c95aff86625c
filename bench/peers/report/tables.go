// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// Widths of generated text, in characters.
const (
	paragraphWidth = 100 // prose is wrapped
	maxTableWidth  = 120 // a test checks that no row is wider
)

// howToRead stands above the tables.
const howToRead = "In parentheses: how many times better Daybook is than the entrant of the row, in the same run, " +
	"as the median of the runs. A number below 1 is bold: there the entrant is ahead. The rows in italics are " +
	"limits, which are not stores. They show what the hardware or a codec does by itself."

// tables renders one table for each group of works, after a list that explains its columns.
func tables(race runs) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n%s\n", paragraph(race.machine()+" "+race.medians()), paragraph(howToRead))
	for _, group := range groupsOfWorks() {
		fmt.Fprintf(&b, "\n### %s\n\n", group[0].group)
		for _, w := range group {
			fmt.Fprintf(&b, "- **%s**: %s. %s\n", w.column, w.title, w.better)
		}
		fmt.Fprintf(&b, "\n%s\n", groupTable(race, group))
	}
	return b.String()
}

// paragraph wraps prose. Two spaces at the end of a line would be a line break in Markdown.
func paragraph(prose string) string {
	lines := strings.Split(text.WrapSoft(prose, paragraphWidth), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRight(line, " ")
	}
	return strings.Join(lines, "\n")
}

// groupTable has a row for each entrant that did some of the group's works.
func groupTable(race runs, group []work) string {
	header := table.Row{""}
	for _, w := range group {
		header = append(header, w.column)
	}
	t := newTable(header)
	for _, e := range entrants {
		if race.ran(group, e) {
			t.AppendRow(entrantRow(race, group, e))
		}
	}
	return t.RenderMarkdown()
}

// newTable aligns every column but the first, which holds words, to the right.
func newTable(header table.Row) table.Writer {
	var columns []table.ColumnConfig
	for number := 2; number <= len(header); number++ {
		columns = append(columns, table.ColumnConfig{Number: number, Align: text.AlignRight})
	}
	t := table.NewWriter()
	t.AppendHeader(header)
	t.SetColumnConfigs(columns)
	return t
}

// ran reports whether the entrant has a figure for some work of the group.
func (all runs) ran(group []work, e entrant) bool {
	return slices.ContainsFunc(group, func(w work) bool {
		_, ok := all.median(w.measure, e.name)
		return ok
	})
}

func entrantRow(race runs, group []work, e entrant) table.Row {
	row := table.Row{e.label}
	if e.kind == physicalLimit {
		row = table.Row{"*limit: " + e.label + "*"}
	}
	for _, w := range group {
		row = append(row, cell(race, w, e))
	}
	return row
}

// cell is the entrant's figure and how many times better Daybook's is. It is empty if the entrant
// cannot do the work.
func cell(race runs, w work, e entrant) string {
	figure, ok := race.median(w.measure, e.name)
	if !ok {
		return ""
	}
	formatted := formatFigure(figure, w.unit)
	ratio, ok := race.advantage(w, e.name)
	switch {
	case e.name == daybook || !ok:
		return formatted
	case ratio < 0.995 && e.kind != physicalLimit: // what reads 1.00 is not bold
		return fmt.Sprintf("%s (**%s**)", formatted, formatRatio(ratio))
	}
	return fmt.Sprintf("%s (%s)", formatted, formatRatio(ratio))
}
