// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"fmt"
	"slices"
	"strings"
)

// findRecord finds what names the record: a column, or the file.
func (d *csvDetection) findRecord() {
	opts := &d.finding.Reader
	if opts.Record != "" {
		d.finding.add("record %q", opts.Record)
		return
	}
	opts.Record = RecordOfFile(opts.Name)
	for _, name := range []string{"record_name", "topic"} {
		if d.header && slices.Contains(d.names, name) && !slices.Contains(opts.Time, name) {
			opts.Record = "{" + name + "}"
			break
		}
	}
	apart := ""
	if source := d.sourceColumn(); source != "" && !strings.Contains(opts.Record, "{") && !opts.Split {
		template := strings.TrimPrefix(opts.Record+".{"+source+"}", ".")
		apart = fmt.Sprintf(" (--record %q makes one of each %q)", template, source)
	}
	if opts.Split {
		opts.Record += ".{column}"
	}
	d.finding.add("record %q%s", opts.Record, apart)
}

// sourceWords are words in the names of columns that say where a row comes from.
const sourceWords = "id sensor device station channel node meter entity name tag probe unit location room site host " +
	"metric variable parameter series signal"

// sourceColumn returns the name of a column that tells the rows of one time apart, as in a file of
// several sensors; "" if there is none. It has few values, and each comes again and again.
func (d *csvDetection) sourceColumn() string {
	i := d.beside(func(i int) bool { return d.isNamed(i, sourceWords) && d.tellsApart(i) })
	if i < 0 || !d.header || len(d.times) == 0 || strings.ContainsAny(d.names[i], "{}") {
		return ""
	}
	return d.names[i]
}

// isNamed reports whether a column has one of some words in its name.
func (d *csvDetection) isNamed(column int, words string) bool {
	all := strings.Fields(words)
	return slices.ContainsFunc(wordsOf(d.names[column]), func(word string) bool { return slices.Contains(all, word) })
}

// tellsApart reports whether the rows of each time have different cells in a column, at least half
// of the times have several rows, and the cells come again at other times.
func (d *csvDetection) tellsApart(column int) bool {
	times, all := 0, map[string]bool{}
	var now map[string]bool // the cells of the time of the last row
	last := ""
	for _, row := range d.data {
		if at := joined(row, d.times); now == nil || at != last {
			times, last, now = times+1, at, map[string]bool{}
		}
		cell := row.cells[column]
		if cell == "" || now[cell] {
			return false
		}
		now[cell], all[cell] = true, true
	}
	return times > 1 && len(d.data) >= times+times/2 && 2*len(all) <= len(d.data)
}
