// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/daybook-db/daybook/text"
)

// csvDetection is the detection of one file of CSV. Its methods fill in the finding, each from what
// those before it found.
type csvDetection struct {
	sample  Sample
	hints   Hints
	opts    text.CSVOptions // hints.Reader.CSV, and what was found
	table   *table
	names   []string // of the columns
	data    []tableRow
	header  bool  // the names are those of the file
	times   []int // places of the columns of the time
	finding *Finding
}

var (
	// ErrNoTable is returned for a text that is of no other kind, and no CSV either.
	ErrNoTable = errors.New("it is no table: want rows whose cells are separated by a comma, a semicolon, a tab or |")
	// ErrHeader is returned for a header that does not fit its rows.
	ErrHeader = errors.New("the header does not fit the rows")

	errEmpty = errors.New("it is empty: want a header line")
)

// detectCSV finds how a file of CSV is written.
func detectCSV(sample Sample, hints Hints) (*Finding, error) {
	d := &csvDetection{
		sample: cutLine(sample), hints: hints, opts: hints.Reader.CSV,
		finding: &Finding{Kind: CSV, Reader: hints.Reader},
	}
	d.findDelimiter()
	switch {
	case len(d.table.rows) == 0 && d.table.bad > 0:
		return nil, fmt.Errorf("%w: %w", ErrNoTable, d.table.badError)
	case len(d.table.rows) == 0:
		return nil, errEmpty
	case d.mayHaveBlanks():
		return nil, ErrBlanks
	case d.table.width < 2 && hints.Kind != CSV && len(hints.Reader.Time) == 0 && !hints.Reader.StampNow:
		return nil, ErrNoTable
	}
	d.findLacking()
	err := d.findHeader()
	if err == nil {
		err = d.checkDivisors()
	}
	if err != nil {
		return nil, err
	}
	if d.isOwn() {
		d.finding.Own = true
		d.finding.say("in the form that export writes")
		return d.finding, nil
	}
	if err := d.findDecimalComma(); err != nil {
		return nil, err
	}
	if err := d.findTime(); err != nil {
		return nil, err
	}
	d.findRecord()
	d.findTexts()
	d.sayThousands()
	d.finding.Reader.CSV = d.opts
	return d.finding, nil
}

// cutLine drops the last line of a sample, unless the file ends there.
func cutLine(sample Sample) Sample {
	if !sample.Whole {
		if end := strings.LastIndexAny(string(sample.Text), "\r\n"); end >= 0 {
			sample.Text = sample.Text[:end+1]
		}
	}
	return sample
}

// isOwn reports whether the columns are those that export writes.
func (d *csvDetection) isOwn() bool {
	names := slices.Sorted(slices.Values(d.names))
	return d.header && slices.Equal(names, []string{"record_name", "stored_at", "value"})
}

// lineError says in which line an error is.
func (d *csvDetection) lineError(line int, err error) error {
	return &text.LineError{File: d.hints.Reader.Name, Line: line, LastLine: line, Err: err}
}

// columnError says in which line and column an error is.
func (d *csvDetection) columnError(line, column int, err error) error {
	return d.lineError(line, &text.ColumnError{Column: column + 1, Name: d.names[column], Err: err})
}

// cells returns the cells of a column.
func (d *csvDetection) cells(column int) []string {
	return cellsOf(d.data, column)
}

// findTexts finds the columns that have a text, or cells of several kinds. All their cells are
// texts. Rows without a time do not count, because they are refused.
func (d *csvDetection) findTexts() {
	var counted []tableRow
	for _, row := range d.data {
		if len(d.times) == 0 || d.isTime(row) {
			counted = append(counted, row)
		}
	}
	var mixed []string
	said := slices.Concat(d.opts.Text, d.opts.Number)
	d.opts.Text, d.opts.Number = slices.Clip(d.opts.Text), slices.Clip(d.opts.Number) // the hints keep theirs
	for i, name := range d.names {
		if slices.Contains(said, name) || slices.Contains(d.times, i) {
			continue
		}
		kinds := map[cellKind]bool{}
		for _, row := range counted {
			kinds[d.kindOf(row.cells[i])] = true
		}
		delete(kinds, missing)
		switch {
		case kinds[textual] || len(kinds) > 1:
			d.opts.Text = append(d.opts.Text, name)
		case kinds[number] && d.opts.Delimiter == ' ': // a text there has moved from another column
			d.opts.Number = append(d.opts.Number, name)
		}
		if kinds[textual] && (kinds[number] || d.areExponents(counted, i)) {
			d.finding.Mixed = append(d.finding.Mixed, name)
			mixed = append(mixed, fmt.Sprintf("%q because of %.40q", name, d.firstText(counted, i)))
		}
	}
	d.sayMixed(mixed)
}

// sayThousands names the columns whose points were taken for those of thousands although none of
// their cells has a decimal comma: 48.123 may be 48123, or a number that another program wrote.
func (d *csvDetection) sayThousands() {
	if !d.opts.DecimalComma {
		return
	}
	var names []string
	for i, name := range d.names {
		if slices.Contains(d.opts.Text, name) || slices.Contains(d.times, i) {
			continue
		}
		cells := strings.Join(d.cells(i), " ")
		if strings.Contains(cells, ".") && !strings.Contains(cells, ",") {
			names = append(names, name)
		}
	}
	if len(names) > 0 {
		d.finding.add("points of thousands dropped in %s", quoted(names))
	}
}

// firstText returns the first cell of a column that is a text.
func (d *csvDetection) firstText(in []tableRow, column int) string {
	for _, row := range in {
		if cell := row.cells[column]; d.kindOf(cell) == textual {
			return cell
		}
	}
	return ""
}

// withExponent matches a number as instruments write it, which may also be a name: 1E5.
var withExponent = regexp.MustCompile(`^[-+]?[0-9]+([.,][0-9]+)?[eE][-+]?[0-9]+$`)

// areExponents reports whether all texts of a column are numbers with an exponent.
func (d *csvDetection) areExponents(in []tableRow, column int) bool {
	return !slices.ContainsFunc(in, func(row tableRow) bool {
		cell := row.cells[column]
		return d.kindOf(cell) == textual && !withExponent.MatchString(cell)
	})
}

// sayMixed says which columns have numbers that become texts, because of another cell.
func (d *csvDetection) sayMixed(mixed []string) {
	const maxSaid = 3
	switch {
	case len(mixed) > maxSaid:
		d.finding.add("strings, not numbers: %s and others", strings.Join(mixed[:maxSaid], ", "))
	case len(mixed) > 0:
		d.finding.add("strings, not numbers: %s", strings.Join(mixed, ", "))
	}
}
