// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"fmt"
	"strings"

	"github.com/daybook-db/daybook/text/internal/rows"
)

// maxUnits is how many lines of units and the like may follow a header.
const maxUnits = 3

// findHeader finds the names of the columns, and the rows of data after them.
func (d *csvDetection) findHeader() error {
	if len(d.opts.Columns) > 0 || d.hints.NoHeader {
		return d.useNames()
	}
	first := d.firstOfWidth()
	all := d.table.rows
	if !isHeader(all[first].cells) {
		d.sayTitles(first)
		d.data = d.ofWidth(all[first:])
		return d.nameColumns()
	}
	d.header = true
	data := first + 1
	for data < len(all) && data-first <= maxUnits && len(all[data].cells) == d.table.width && isUnits(all[data].cells) {
		data++
	}
	if data == len(all) || data-first > maxUnits+1 {
		data = first + 1 // they are values
	}
	d.data = d.ofWidth(all[data:])
	return d.useHeader(first, data)
}

// useNames uses the names that a person gave, or makes names.
func (d *csvDetection) useNames() error {
	if len(d.opts.Columns) == 0 {
		return d.nameColumnsOf(d.table.rows)
	}
	d.names, d.header = d.opts.Columns, true
	d.table.width = len(d.names)
	d.data = d.ofWidth(d.table.rows)
	return nil
}

func (d *csvDetection) nameColumnsOf(all []tableRow) error {
	d.data = d.ofWidth(all)
	return d.nameColumns()
}

// nameColumns names the columns of a file without a header.
func (d *csvDetection) nameColumns() error {
	d.say("no header")
	for i := range d.table.width {
		d.names = append(d.names, fmt.Sprintf("c%d", i+1))
	}
	d.opts.Columns = d.names
	return nil
}

// useHeader uses the names in a row, and skips the rows between it and the data.
func (d *csvDetection) useHeader(header, data int) error {
	names, renamed, err := rows.Names(d.table.rows[header].cells)
	if err != nil {
		return err
	}
	d.names = names
	line := d.table.rows[header].line
	d.sayTitles(header)
	if header > 0 {
		d.say("header in line %d", line)
	} else {
		d.say("header")
	}
	for _, i := range renamed {
		d.say("the second column %q is called %q", d.table.rows[header].cells[i], names[i])
	}
	units := d.table.rows[header+1 : data]
	switch {
	case len(units) > 0:
		d.say("%s after the header skipped", lines(units))
		d.skipTo(d.table.rows[data].line)
	case header > 0:
		d.skipTo(d.table.rows[header].after)
	}
	return nil
}

// skipTo skips the lines before a line, the header too.
func (d *csvDetection) skipTo(line int) {
	d.opts.SkipLines, d.opts.Columns = line-1, d.names
}

// sayTitles says that the rows before the first one of the table are skipped.
func (d *csvDetection) sayTitles(first int) {
	if first > 0 {
		d.say("%s skipped", lines(d.table.rows[:first]))
		d.opts.SkipLines = d.table.rows[first].line - 1
	}
}

// lines names the lines that rows are in.
func lines(of []tableRow) string {
	first, last := of[0].line, of[len(of)-1].after-1
	if first == last {
		return fmt.Sprintf("line %d", first)
	}
	return fmt.Sprintf("lines %d-%d", first, last)
}

// firstOfWidth returns the first row that is as wide as the table.
func (d *csvDetection) firstOfWidth() int {
	for i, row := range d.table.rows {
		if len(row.cells) == d.table.width {
			return i
		}
	}
	return 0
}

// ofWidth returns the rows that are as wide as the table. Reading the file refuses the others.
func (d *csvDetection) ofWidth(all []tableRow) (fit []tableRow) {
	for _, row := range all {
		if len(row.cells) == d.table.width {
			fit = append(fit, row)
		}
	}
	return fit
}

// isHeader reports whether a row can be a header: its cells are labels, and some may be empty.
func isHeader(cells []string) bool {
	labels := 0
	for _, cell := range cells {
		switch {
		case isLabel(cell):
			labels++
		case cell != "":
			return false
		}
	}
	return labels > 0
}

// isUnits reports whether a row after the header is no data: nothing in it is a number or a time.
func isUnits(cells []string) bool {
	for _, cell := range cells {
		if !isLabel(cell) && strings.TrimSpace(cell) != "" {
			return false
		}
	}
	return true
}
