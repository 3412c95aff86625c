// SPDX-License-Identifier: Apache-2.0

package text

import "strings"

// noticeHeader takes note of a row without a time that is a header. A file that several were joined
// to has more than one. The rows after a header with other columns, or in another order, are not
// those of the columns: they are malformed until the first header comes again.
func (r *csvReader) noticeHeader(cells [][]byte) {
	isSame, names, time := true, 0, false
	for i, cell := range cells {
		name := strings.TrimSpace(string(cell))
		isSame = isSame && isNameOf(&r.columns[i], name)
		if place, found := r.placeOf(name); found {
			names++
			time = time || r.columns[place].role == isTime
		}
	}
	switch isHeader := time || names > len(cells)/2; {
	case isHeader && isSame:
		r.otherHeader = 0
	case isHeader:
		r.otherHeader = r.rows.Line()
	}
}

// isNameOf reports whether a cell of a header names a column, which may have got another name
// because the header had that one twice or none.
func isNameOf(c *column, cell string) bool {
	return cell == "" || strings.EqualFold(cell, c.name) || strings.HasPrefix(c.name, cell+"_")
}

func (r *csvReader) placeOf(name string) (place int, found bool) {
	for i := range r.columns {
		if strings.EqualFold(r.columns[i].name, name) {
			return i, true
		}
	}
	return 0, false
}
