// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"slices"
	"strconv"
	"strings"

	"github.com/daybook-db/daybook/text/timeform"
)

// timeColumns returns the places of the columns that a person named, or of those that look like a
// time: one, or a date and a time of day.
func (d *csvDetection) timeColumns(named []string) (columns []int) {
	for _, name := range named {
		i := slices.Index(d.names, name)
		if i < 0 {
			return nil
		}
		columns = append(columns, i)
	}
	if len(columns) > 0 {
		return columns
	}
	best := d.bestColumn()
	if second, part := pairOfSecond(d.members()); d.header && second >= 0 && (best < 0 || best == second) {
		return []int{second, part}
	}
	if best < 0 || d.timeScore(best) == 0 {
		if pair := d.compactPair(); pair != nil {
			return pair
		}
	}
	if best < 0 {
		return nil
	}
	if timeform.Looks(d.cells(best)) == timeform.Dates {
		if clock := d.clockFor(best); clock >= 0 {
			return []int{best, clock}
		}
	}
	return []int{best}
}

// bestColumn returns the column whose name and cells look most like a time, or -1. A column that is
// called a time wins also if its cells are none, if no other can be one: its error says why.
func (d *csvDetection) bestColumn() int {
	best, bestScore := -1, 0
	for i := range d.names {
		if score := d.timeScore(i); score > bestScore {
			best, bestScore = i, score
		}
	}
	if best >= 0 || !d.header {
		return best
	}
	return slices.IndexFunc(d.names, func(name string) bool {
		return likelihoodOfName(name) == strongName && !isOtherDate(name)
	})
}

// timeScore says how much a column looks like a time. Numbers need the name of a time, if columns
// have names.
func (d *csvDetection) timeScore(column int) int {
	cells, name := timeform.Looks(d.cells(column)), 0
	if d.header {
		name = likelihoodOfName(d.names[column])
	}
	switch {
	case d.header && isOtherDate(d.names[column]):
		return 0
	case name == 0 && timeform.MayBeNames(d.cells(column)):
		return 0
	case cells < timeform.Numbers, cells == timeform.Numbers && d.header && name == 0:
		return 0
	}
	score := 2 * (2*name + int(cells))
	if d.header && isNameOfUTC(d.names[column]) {
		score++ // of two that look alike, the one whose zone is known
	}
	if words := wordsOf(d.names[column]); slices.Contains(words, "end") || slices.Contains(words, "until") {
		score-- // of two that look alike, the one where an interval starts
	}
	return score
}

// clockFor returns the column with the times of day that belong to a column of dates, or -1. It has
// the name of a time, or stands beside the dates if columns have no names. Of several it is the one
// whose name is most like that of the dates.
func (d *csvDetection) clockFor(dates int) int {
	best, bestKinship := -1, 0
	for i, name := range d.names {
		beside := i == dates+1 || i == dates-1
		if d.header && likelihoodOfName(name) > 0 && !isOtherDate(name) || !d.header && beside {
			kin := kinship(d.names[dates], name)
			if (best < 0 || kin > bestKinship) && timeform.Looks(d.cells(i)) == timeform.Clocks {
				best, bestKinship = i, kin
			}
		}
	}
	if best >= 0 {
		return best
	}
	return slices.IndexFunc(d.names, func(name string) bool {
		i, words := slices.Index(d.names, name), wordsOf(name)
		return d.header && len(words) > 0 && slices.Contains(namesOfStarts, words[0]) &&
			timeform.Looks(d.cells(i)) == timeform.Clocks
	})
}

// namesOfStarts are words for the time of day at which an interval starts.
var namesOfStarts = strings.Fields("start from begin von ab beginn anfang debut inicio inizio desde van")

// others names the other columns that look as much like a time.
func (d *csvDetection) others(columns []int) string {
	var names []string
	for i, name := range d.names {
		like := columns[min(len(columns)-1, 1)] // the column of the clock, if there is one
		if !slices.Contains(columns, i) && d.header == (likelihoodOfName(name) > 0) &&
			timeform.Looks(d.cells(i)) >= timeform.Looks(d.cells(like)) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return " (not " + quoted(names) + ")"
}

// quoted names columns.
func quoted(names []string) string {
	const maxNames = 20
	var text strings.Builder
	for i, name := range names {
		switch {
		case i == maxNames:
			text.WriteString(" and others")
			return text.String()
		case i > 0 && i == len(names)-1:
			text.WriteString(" and ")
		case i > 0:
			text.WriteString(", ")
		}
		text.WriteString(strconv.Quote(name))
	}
	return text.String()
}
