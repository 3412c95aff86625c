// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"errors"
	"slices"

	"github.com/daybook-db/daybook/text/internal/rows"
	"github.com/daybook-db/daybook/text/timeform"
)

// ErrBlanks is returned for a text that may be a table whose columns are separated by blanks, if
// something in it makes that doubtful.
var ErrBlanks = errors.New("blanks may separate its columns, " +
	"but a text with blanks or a cell that is missing would move the others")

// tryBlanks splits the sample at its blanks, and keeps that if it makes a table without a doubt. A
// text with blanks in it makes several cells, and an empty cell makes none, so that one row alone
// tells nothing. These things together do: a header, rows that all have the header's number of
// cells, columns that have either numbers or texts, and a time.
func (d *csvDetection) tryBlanks() {
	table, delimiter := d.table, d.opts.Delimiter
	d.table, d.opts.Delimiter = d.split(' '), ' '
	names, data := d.alignedRows()
	if len(data) < 2 || d.table.bad > 0 || len(names) != d.table.width || !areOfOneSort(data, len(names)) ||
		!hasTime(names, data) {
		d.table, d.opts.Delimiter = table, delimiter
	}
}

// mayHaveBlanks reports whether a sample without another delimiter is almost a table if it is split
// at its blanks.
func (d *csvDetection) mayHaveBlanks() bool {
	if d.table.width > 1 || d.hints.Kind == CSV || d.hints.Reader.StampNow || len(d.hints.Reader.Time) > 0 {
		return false
	}
	table := d.split(' ')
	return table.width > 2 && table.fit > 1 && 3*table.fit >= 2*len(table.rows)
}

// alignedRows returns the names of the columns of a table that is split at its blanks, and the rows
// of data, which are all as wide as the table. Titles of other widths may stand before them.
func (d *csvDetection) alignedRows() (names []string, data []tableRow) {
	all := d.table.rows
	start := len(all)
	for start > 0 && len(all[start-1].cells) == d.table.width {
		start--
	}
	data = all[start:]
	switch {
	case len(data) == 0:
		return nil, nil
	case len(d.opts.Columns) > 0:
		return d.opts.Columns, data
	case isLabels(data[0].cells):
		names, data = data[0].cells, data[1:]
	case start == 0:
		names, _ = d.commentedHeader(data[0].line)
	default:
		names = d.headerOver(all[:start])
	}
	for len(data) > 0 && isUnits(data[0].cells) {
		data = data[1:]
	}
	return names, data
}

// headerOver returns the names of the columns in the last of some rows, or in the last one before
// units, of which some columns may have none.
func (d *csvDetection) headerOver(above []tableRow) []string {
	for i, row := range slices.Backward(above) {
		switch {
		case !isLabels(row.cells) || len(above)-i > maxUnits+1:
			return nil
		case len(row.cells) == d.table.width:
			return row.cells
		case i+1 == len(above) && d.table.withClock(row.cells) != nil:
			return d.table.withClock(row.cells)
		}
	}
	return nil
}

// mayBeUnits reports whether a row may have units. Where blanks separate the cells, it may have
// fewer than the other rows.
func (d *csvDetection) mayBeUnits(cells []string) bool {
	hasWidth := len(cells) == d.table.width || d.opts.Delimiter == ' ' && len(cells) < d.table.width
	return hasWidth && isUnits(cells)
}

// withClock returns the names of a header for rows with one cell more, if one of its names stands
// over a date and a clock: their blank separates them. Otherwise it returns nil.
func (t *table) withClock(header []string) (names []string) {
	if len(header) != t.width-1 {
		return nil
	}
	for i := range header {
		isPair := timeform.Looks(t.column(i)) == timeform.Dates && timeform.Looks(t.column(i+1)) == timeform.Clocks
		if isPair && (i+1 == len(header) || likelihoodOfName(header[i+1]) == 0) {
			return slices.Insert(slices.Clone(header), i+1, header[i]+" time")
		}
	}
	return nil
}

// column returns the cells of a column that are no labels, of the rows that are as wide as the
// table.
func (t *table) column(i int) (cells []string) {
	for _, row := range t.rows {
		if len(row.cells) == t.width && !isLabels(row.cells) {
			cells = append(cells, row.cells[i])
		}
	}
	return cells
}

// areOfOneSort reports whether no column has both numbers and texts.
func areOfOneSort(data []tableRow, width int) bool {
	for column := range width {
		numbers, texts := 0, 0
		for _, row := range data {
			switch cell := row.cells[column]; {
			case rows.IsMissing([]byte(cell)):
			case anyNumber.MatchString(cell):
				numbers++
			default:
				texts++
			}
		}
		if numbers > 0 && texts > 0 {
			return false
		}
	}
	return true
}

// hasTime reports whether one of the columns is a time, and none a date that has its clock beside
// it under another name.
func hasTime(names []string, data []tableRow) (found bool) {
	for i, name := range names {
		if isClockBeside(names, i, data) {
			return false
		}
		looks := timeform.Looks(cellsOf(data, i))
		found = found || looks >= timeform.Dates || looks == timeform.Numbers && namesTime(name)
	}
	return found
}

// isClockBeside reports whether the column after a date has times of day, and a name that is none
// of a time. Where blanks separate the cells, the names may be those of other columns.
func isClockBeside(names []string, date int, data []tableRow) bool {
	return date+1 < len(names) && likelihoodOfName(names[date+1]) == 0 &&
		timeform.Looks(cellsOf(data, date)) == timeform.Dates &&
		timeform.Looks(cellsOf(data, date+1)) == timeform.Clocks
}

func cellsOf(data []tableRow, column int) []string {
	cells := make([]string, len(data))
	for i, row := range data {
		cells[i] = row.cells[column]
	}
	return cells
}
