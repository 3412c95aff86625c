// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"slices"

	"github.com/daybook-db/daybook/text/timeform"
)

// findLacking finds whether rows may lack their last cells. Some loggers write what is the same for
// all rows, such as a serial number, into the first row only. The header and this row then have
// more cells than the others, and no row has another number.
func (d *csvDetection) findLacking() {
	if len(d.opts.Columns) > 0 || d.hints.NoHeader {
		return
	}
	wide := slices.IndexFunc(d.table.rows, func(r tableRow) bool { return len(r.cells) > d.table.width })
	if wide < 0 || wide+2 >= len(d.table.rows) || !isLabels(d.table.rows[wide].cells) {
		return
	}
	width, full := len(d.table.rows[wide].cells), d.table.rows[wide+1].cells
	rest := d.table.rows[wide+1:]
	short := slices.IndexFunc(rest, func(r tableRow) bool { return len(r.cells) == d.table.width })
	isOther := func(r tableRow) bool { return len(r.cells) != width && len(r.cells) != d.table.width }
	if len(full) != width || short < 0 || slices.ContainsFunc(rest, isOther) || !haveTimes(full, rest[short].cells) {
		return
	}
	d.opts.MayLack = width - d.table.width
	for i, row := range rest {
		rest[i].cells = append(row.cells, make([]string, width-len(row.cells))...)
	}
	d.table.width, d.table.fit = width, len(rest)+1
	d.finding.say("rows may lack %s", quoted(d.table.rows[wide].cells[width-d.opts.MayLack:]))
}

// haveTimes reports whether a column has a time in both rows.
func haveTimes(full, short []string) bool {
	for i, cell := range short {
		if timeform.Looks([]string{cell}) >= timeform.Clocks && timeform.Looks(full[i:i+1]) >= timeform.Clocks {
			return true
		}
	}
	return false
}
