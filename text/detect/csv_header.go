// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/daybook-db/daybook/text"
	"github.com/daybook-db/daybook/text/internal/rows"
	"github.com/daybook-db/daybook/text/timeform"
)

// maxUnits is how many lines of units and the like may follow a header.
const maxUnits = 3

// findHeader finds the names of the columns, and the rows of data after them.
func (d *csvDetection) findHeader() error {
	if len(d.opts.Columns) > 0 || d.hints.NoHeader {
		return d.useNames()
	}
	first := d.firstOfWidth()
	if first = d.headerRow(first); !d.isHeader(first) {
		return d.findOtherHeader(first)
	}
	data := d.afterUnits(first)
	d.data = d.ofWidth(d.table.rows[data:])
	return d.useHeader(first, data)
}

// headerRow returns the row that names the columns: the first one, or one before the first time
// that names a time where the rows before it are empty, or have a name twice and none of a time. A
// title may be as wide as the rows.
func (d *csvDetection) headerRow(first int) int {
	named := make([]bool, d.table.width) // the columns that have a cell in the rows so far
	areGroups := false                   // the rows so far name devices, each above several columns
	for i, row := range d.ofWidth(d.table.rows[first:]) {
		if i > maxTitles || slices.ContainsFunc(row.cells, isDated) {
			return d.pastTitles(first)
		}
		for column, cell := range row.cells {
			if (!named[column] || areGroups) && namesTime(cell) && isLabels(row.cells) {
				return slices.IndexFunc(d.table.rows, func(r tableRow) bool { return r.line == row.line })
			}
			named[column] = named[column] || cell != ""
		}
		areGroups = (i == 0 || areGroups) && isGroups(row.cells)
	}
	return d.pastTitles(first)
}

// isGroups reports whether a row has a text twice, and none that may be the name of a time.
func isGroups(cells []string) bool {
	seen, twice := map[string]bool{}, false
	for _, cell := range cells {
		if likelihoodOfName(cell) > 0 {
			return false
		}
		twice = twice || cell != "" && seen[cell]
		seen[cell] = true
	}
	return twice
}

// pastTitles returns the first row after titles, which have but one cell that is not empty, if it
// has labels. A spreadsheet writes a title as wide as the rows. Without such a row it is first.
func (d *csvDetection) pastTitles(first int) int {
	for i, row := range d.table.rows[first:] {
		if len(row.cells) != d.table.width || d.table.width < 3 || i > maxTitles {
			return first
		}
		if filled := d.table.width - countEmpty(row.cells); filled > 1 {
			if isLabels(row.cells) {
				return first + i
			}
			return first
		}
	}
	return first
}

func countEmpty(cells []string) (empty int) {
	for _, cell := range cells {
		if cell == "" {
			empty++
		}
	}
	return empty
}

// maxTitles is how many rows may stand before a header that are as wide as it is.
const maxTitles = 12

func isDated(cell string) bool { return timeform.Looks([]string{cell}) >= timeform.Dates }

func namesTime(name string) bool { return likelihoodOfName(name) == strongName }

// afterUnits returns the first row of values after a header. A few rows without a number and a time
// may stand between them, as for units; more are values.
func (d *csvDetection) afterUnits(header int) int {
	all, data := d.table.rows, header+1
	for data < len(all) && d.mayBeUnits(all[data].cells) {
		data++
	}
	if data == len(all) || data-header > maxUnits+1 {
		return header + 1
	}
	for _, row := range all[header+1 : data] {
		if len(row.cells) == d.table.width && !d.isOverNumbers(row.cells, all[data].cells) {
			return header + 1
		}
	}
	return data
}

// isOverNumbers reports whether a row has a text in a column where the first values have a number.
// Any other row without a number may be values whose time is missing, and reading refuses it.
func (d *csvDetection) isOverNumbers(units, values []string) bool {
	for i, cell := range units {
		if i < len(values) && cell != "" && anyNumber.MatchString(values[i]) {
			return true
		}
	}
	return false
}

// findOtherHeader finds a header that has more or fewer cells than the rows, because their lines
// end with a delimiter, or a header in a comment.
func (d *csvDetection) findOtherHeader(first int) error {
	d.data = d.ofWidth(d.table.rows[first:])
	if names, line := d.commentedHeader(d.table.rows[first].line); names != nil {
		return d.useTexts(names, line, d.table.rows[first].line)
	}
	if row := d.table.rows[first]; slices.ContainsFunc(row.cells, namesTime) {
		return d.headerError(row, "it names a time, and the row after it has none there")
	}
	if first == 0 || len(d.table.rows[first-1].cells) < 2 || !isLabels(d.table.rows[first-1].cells) {
		for first > 0 && isValues(d.table.rows[first-1].cells) {
			first-- // a row that was cut off, which reading refuses
		}
		d.sayTitles(first)
		return d.nameColumns()
	}
	header := d.table.rows[first-1]
	names := d.fitted(header.cells)
	if names == nil {
		return d.headerError(header, fmt.Sprintf("it has %d names, and most rows have %d cells",
			len(header.cells), d.table.width))
	}
	d.sayTitles(first - 1)
	return d.useTexts(names, header.line, header.after)
}

// isValues reports whether cells have a time, and a number beside it. A title may have a time.
func isValues(cells []string) bool {
	return slices.ContainsFunc(cells, isDated) && slices.ContainsFunc(cells, anyNumber.MatchString)
}

func (d *csvDetection) headerError(header tableRow, reason string) error {
	err := fmt.Errorf("%w: %s", ErrHeader, reason)
	return d.lineError(header.line, err)
}

// fitted returns the names of a header for rows of another width, or nil if more than empty cells
// make the difference.
func (d *csvDetection) fitted(header []string) []string {
	if names := d.table.withClock(header); d.opts.Delimiter == ' ' && names != nil {
		return names
	}
	names := slices.Clone(header)
	for len(names) > d.table.width && names[len(names)-1] == "" {
		names = names[:len(names)-1]
	}
	for len(names) < d.table.width && !d.hasValues(len(names)) {
		names = append(names, "")
	}
	if len(names) != d.table.width {
		return nil
	}
	return names
}

// hasValues reports whether a column has a cell that is not empty.
func (d *csvDetection) hasValues(column int) bool {
	return slices.ContainsFunc(d.data, func(row tableRow) bool { return row.cells[column] != "" })
}

// commentedHeader returns the names that the last comment before a line holds, or nil, and the line
// of the comment. Zeek writes them after "#fields".
func (d *csvDetection) commentedHeader(before int) (names []string, line int) {
	if d.opts.Comment == 0 {
		return nil, 0
	}
	n := 0
	for text := range strings.Lines(strings.ReplaceAll(string(d.sample.Text), "\r", "\n")) {
		if n++; n >= before {
			break
		}
		comment, ok := strings.CutPrefix(strings.TrimSuffix(text, "\n"), string(d.opts.Comment))
		if !ok {
			continue
		}
		cells, isZeek := d.splitComment(comment)
		if len(cells) == d.table.width && isLabels(cells) {
			names, line = cells, n
			if isZeek {
				break
			}
		}
	}
	return names, line
}

// splitComment splits a comment as a row. A column may be called #.
func (d *csvDetection) splitComment(comment string) (cells []string, isZeek bool) {
	delimiter := string(d.opts.Delimiter)
	fields, isZeek := strings.CutPrefix(comment, "fields"+delimiter)
	switch {
	case isZeek:
	case delimiter != " " && strings.HasPrefix(comment, delimiter):
		fields = string(d.opts.Comment) + comment
	default:
		fields = strings.TrimLeft(comment, " \t"+string(d.opts.Comment))
	}
	return splitLine(fields, d.opts.Delimiter), isZeek
}

// splitLine splits one line as a row.
func splitLine(line string, delimiter rune) []string {
	r := rows.NewReader(strings.NewReader(line), rows.Options{Delimiter: byte(delimiter), MaxLen: text.MaxLineLen})
	cells, err := r.Read()
	if err != nil {
		return nil
	}
	return toStrings(cells)
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
	d.finding.say("no header")
	for i := range d.table.width {
		d.names = append(d.names, fmt.Sprintf("c%d", i+1))
	}
	d.opts.Columns = d.names
	return nil
}

// useTexts uses the names in a line for the rows from another line on.
func (d *csvDetection) useTexts(header []string, line, from int) (err error) {
	d.header = true
	d.names, _, err = rows.Names(header)
	d.finding.say("header in line %d", line)
	d.skipTo(from)
	return err
}

// useHeader uses the names in a row, and skips the rows between it and the data.
func (d *csvDetection) useHeader(header, data int) error {
	names, renamed, err := rows.Names(d.table.rows[header].cells)
	if err != nil {
		return d.nameError(d.table.rows[header], err)
	}
	d.names, d.header = names, true
	line := d.table.rows[header].line
	d.sayTitles(header)
	if d.opts.SkipLines > d.hints.Reader.CSV.SkipLines {
		d.finding.say("header in line %d", line)
	} else {
		d.finding.say("header")
	}
	for _, i := range renamed {
		d.finding.say("column %d %q is called %q", i+1, d.table.rows[header].cells[i], names[i])
	}
	units := d.table.rows[header+1 : data]
	switch {
	case len(units) > 0:
		d.finding.say("%s after the header skipped", lines(units))
		d.skipTo(d.table.rows[data].line)
	case d.opts.SkipLines > d.hints.Reader.CSV.SkipLines:
		d.skipTo(d.table.rows[header].after)
	}
	return nil
}

// nameError says where the name is that an error of rows.Names is about.
func (d *csvDetection) nameError(header tableRow, err error) error {
	var cause *rows.Error
	if errors.As(err, &cause) {
		err = &text.ColumnError{Column: cause.Column, Name: header.cells[cause.Column-1], Err: cause.Err}
	}
	return d.lineError(header.line, err)
}

// skipTo skips the lines before a line, the header too.
func (d *csvDetection) skipTo(line int) {
	d.opts.SkipLines, d.opts.Columns = line-1, d.names
}

// sayTitles says that the rows before the first one of the table are skipped.
func (d *csvDetection) sayTitles(first int) {
	before := d.table.rows[:first]
	switch {
	case d.table.firstBad > 0 && d.table.firstBad < d.table.rows[first].line:
		d.finding.say("lines before line %d skipped", d.table.rows[first].line)
	case len(before) > 0:
		d.finding.say("%s skipped", lines(before))
	default:
		return
	}
	d.opts.SkipLines = d.table.rows[first].line - 1
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

// isHeader reports whether a row can be a header: its cells are labels, and some may be empty. A
// row that calls a column a time may have numbers too, if the column of the next row has a time.
func (d *csvDetection) isHeader(row int) bool {
	cells := d.table.rows[row].cells
	if isLabels(cells) {
		return true
	}
	if row+1 == len(d.table.rows) || len(d.table.rows[row+1].cells) != len(cells) {
		return false
	}
	return slices.ContainsFunc(cells, func(cell string) bool {
		next := d.table.rows[row+1].cells[slices.Index(cells, cell)]
		return likelihoodOfName(cell) == strongName && timeform.Looks([]string{next}) >= timeform.Numbers
	})
}

// isLabels reports whether cells are labels, and not all empty.
func isLabels(cells []string) bool {
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
