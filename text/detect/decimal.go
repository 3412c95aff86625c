// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/daybook-db/daybook/text/internal/rows"
)

// ErrCommas is returned for a file whose commas in numbers all have three digits after them, and
// nothing else says whether they are decimal commas.
var ErrCommas = errors.New("its comma may be a decimal comma or one of thousands")

var (
	commaThousands = regexp.MustCompile(`^-?[1-9][0-9]{0,2}(,[0-9]{3})+$`) // 1,234 may be 1.234 or 1234
	dottedDate     = regexp.MustCompile(`^[0-9]{1,2}\.[0-9]{1,2}\.[0-9]{2,4}\b`)
)

// commas are what the numbers of a file say about theirs.
type commas struct {
	decimal   bool // some comma is a decimal comma
	points    bool // some number has a decimal point
	thousands bool // some number has two commas
	row       int  // of the first cell whose comma may be either; -1: there is none
	column    int
}

// findDecimalComma finds whether a comma is a decimal comma. Some number must have one, and no
// number may have a point.
func (d *csvDetection) findDecimalComma() error {
	isOpen := !d.opts.DecimalComma && !d.hints.DecimalPoint
	if isOpen && (d.opts.Delimiter == ';' || d.opts.Delimiter == '\t') {
		found := d.findCommas()
		switch {
		case found.points:
		case found.decimal:
			d.opts.DecimalComma = true
		case found.thousands:
		case found.row >= 0:
			return d.commasError(found)
		}
	}
	if d.opts.DecimalComma {
		d.finding.shape = slices.Insert(d.finding.shape, 1, "decimal comma") // after the delimiter
	}
	return nil
}

// findCommas looks at the commas of all numbers. Where dates have dots, 1,234 is 1.234.
func (d *csvDetection) findCommas() commas {
	found := commas{row: -1}
	dotted := false
	for i, row := range d.data {
		for j, cell := range row.cells {
			switch isComma := rows.IsCommaNumber([]byte(cell)); {
			case !isComma && rows.IsNumber([]byte(cell)) && strings.Contains(cell, "."),
				pointThousands.MatchString(cell):
				found.points = true
				return found
			case strings.Count(cell, ",") > 1 && commaThousands.MatchString(cell):
				found.thousands = true
			case isComma && commaThousands.MatchString(cell):
				if found.row < 0 {
					found.row, found.column = i, j
				}
			case isComma && strings.Contains(cell, ","):
				found.decimal = true
			default:
				dotted = dotted || dottedDate.MatchString(cell)
			}
		}
	}
	found.decimal = found.decimal || dotted && !found.thousands && found.row >= 0
	return found
}

func (d *csvDetection) commasError(found commas) error {
	row := d.data[found.row]
	err := fmt.Errorf("%q is not clear, because %w", row.cells[found.column], ErrCommas)
	return d.columnError(row.line, found.column, err)
}
