// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/daybook-db/daybook/text"
	"github.com/daybook-db/daybook/text/timeform"
)

// ErrPartOfTime is returned for a column that looks like a part of the time, which Detect cannot
// add: hours beside a date, AM and PM, or zones, unless the hints say where the time or its zone
// is.
var ErrPartOfTime = errors.New("it may be a part of the time")

// namesOfHours are words in the names of columns that hold the hours of a date.
const namesOfHours = "hour hours hr hhmm minute minutes stunde stunden hora heure ora uur time uhrzeit zeit"

// checkHours refuses dates that have their hours in another column, as numbers: the times of a day
// would be one. The number of a period of the day is no part of a date that comes once.
func (d *csvDetection) checkHours(samples []string, said bool) error {
	if said || len(d.times) != 1 || timeform.Looks(samples) != timeform.Dates {
		return nil
	}
	if i := d.times[0] + 1; d.opts.Delimiter == ' ' && isClockBeside(d.names, d.times[0], d.data) {
		return d.refusePart(i)
	}
	words := namesOfHours
	if d.repeatsDate() {
		words += " period slot interval"
	}
	return d.refusePart(d.named(words))
}

// repeatsDate reports whether two rows after each other have the same date.
func (d *csvDetection) repeatsDate() bool {
	for i := 1; i < len(d.data); i++ {
		if d.data[i].cells[d.times[0]] == d.data[i-1].cells[d.times[0]] {
			return true
		}
	}
	return false
}

// checkRest refuses times that have AM and PM in another column, and times without a zone that have
// it in another column or in their name.
func (d *csvDetection) checkRest(form *timeform.Form, said bool) error {
	if said {
		return nil
	}
	if err := d.checkAddends(form); err != nil {
		return err
	}
	if err := d.refusePart(d.filled(isHalf)); err != nil || d.hints.Time.Zone != nil || !form.UsesZone() {
		return err
	}
	if err := d.refusePart(d.named("tz timezone zeitzone")); err != nil {
		return err
	}
	if err := d.refusePart(d.offsets()); err != nil {
		return err
	}
	if err := d.checkAbbreviation(); err != nil {
		return err
	}
	return d.checkTitles()
}

// checkAddends refuses whole seconds and minutes that have the rest in another column, and the time
// of a start beside what counts on from it.
func (d *csvDetection) checkAddends(form *timeform.Form) error {
	if !d.header {
		return nil
	}
	members := d.members()
	if form.IsWholeSeconds() {
		if err := d.refusePart(partBeside(d.timeMembers(), members)); err != nil {
			return err
		}
	}
	if form.IsWholeMinutes() {
		if err := d.refusePart(secondBeside(d.timeMembers(), members)); err != nil {
			return err
		}
	}
	times := make([]string, len(d.data))
	for i, row := range d.data {
		times[i] = joined(row, d.times)
	}
	return d.refusePart(elapsedBeside(times, members))
}

// titledZone matches what a line before the header may say of the zone. It may be that of another
// time, such as when the file was written.
var titledZone = regexp.MustCompile(abbreviation.String() + `|\b(?:UTC|GMT|[A-Z][a-z]+/[A-Z][A-Za-z_]+)\b`)

// checkTitles refuses times without a zone in a file whose lines before the header name one.
func (d *csvDetection) checkTitles() error {
	n := 0
	for line := range strings.Lines(strings.ReplaceAll(string(d.sample.Text), "\r", "\n")) {
		if n++; n >= d.data[0].line {
			break
		}
		found := titledZone.FindString(line)
		header := strings.TrimLeft(line, "#% \t")
		if found == "" || isThisZone(found) ||
			slices.Contains(splitLine(header, d.opts.Delimiter), d.names[d.times[0]]) {
			continue
		}
		return d.timeError(&text.TimeError{Text: joined(d.data[0], d.times), Err: text.ErrNoZone,
			Want: fmt.Sprintf("one, which may be %s, because line %d names it", found, n)})
	}
	return nil
}

// abbreviation matches what some call a zone in the name of a column. None of them means one offset
// everywhere and all year.
var abbreviation = regexp.MustCompile(`\b(?:[ECMP][SD]T|CES?T|MES?Z|MET|WES?T|BST|JST|AE[SD]T)\b`)

// checkAbbreviation refuses times whose zone is an abbreviation in the name of their column.
func (d *csvDetection) checkAbbreviation() error {
	for _, i := range d.times {
		if found := abbreviation.FindString(d.names[i]); d.header && found != "" {
			return d.timeError(&text.TimeError{Text: joined(d.data[0], d.times), Err: text.ErrNoZone,
				Want: "an offset in the place of " + found + " in the column's name"})
		}
	}
	return nil
}

// isThisZone reports whether a name is that of a zone whose clocks show what this machine's do, or
// looks like the name of a zone and is none.
func isThisZone(name string) bool {
	zone, err := time.LoadLocation(name)
	if err != nil {
		return strings.Contains(name, "/")
	}
	for _, month := range []time.Month{time.January, time.July} {
		day := time.Date(time.Now().Year(), month, 1, 0, 0, 0, 0, time.UTC)
		_, there := day.In(zone).Zone()
		if _, here := day.In(time.Local).Zone(); here != there {
			return false
		}
	}
	return true
}

// named returns the first column beside the time that has a name with one of some words, and values
// that are no whole times, or -1.
func (d *csvDetection) named(words string) int {
	return d.beside(func(i int) bool {
		return d.isNamed(i, words) && d.header && timeform.Looks(d.cells(i)) < timeform.Numbers
	})
}

// filled returns the first column beside the time whose values are all of one sort, or -1.
func (d *csvDetection) filled(isOfSort func(cell string) bool) int {
	return d.beside(func(i int) bool { return d.areAll(i, isOfSort) })
}

// areAll reports whether all values of a column are of one sort.
func (d *csvDetection) areAll(column int, isOfSort func(cell string) bool) bool {
	return !slices.ContainsFunc(d.data, func(row tableRow) bool {
		return row.cells[column] != "" && !isOfSort(row.cells[column])
	})
}

// beside returns the first column beside the time that has values and is wanted, or -1.
func (d *csvDetection) beside(isWanted func(column int) bool) int {
	for i := range d.names {
		if !slices.Contains(d.times, i) && d.hasValues(i) && isWanted(i) {
			return i
		}
	}
	return -1
}

// isHalf reports whether a cell is AM or PM.
func isHalf(cell string) bool {
	half := strings.ToLower(strings.ReplaceAll(strings.TrimSpace(cell), ".", ""))
	return half == "am" || half == "pm"
}

// wholeOffset matches a cell that can be nothing but an offset from UTC.
var wholeOffset = regexp.MustCompile(`^(?:UTC|GMT)?[+-][0-9]{2}:?[0-9]{2}$`)

// offsets returns a column of offsets from UTC, by its cells or its name, or -1.
func (d *csvDetection) offsets() int {
	if i := d.filled(wholeOffset.MatchString); i >= 0 {
		return i
	}
	i := d.named("offset")
	if i >= 0 && d.named("utc gmt zone") == i {
		return i
	}
	return -1
}

// refusePart returns an error about a column that may be a part of the time, unless it is -1.
func (d *csvDetection) refusePart(column int) error {
	if column < 0 {
		return nil
	}
	err := fmt.Errorf("%w in %q", ErrPartOfTime, d.names[d.times[0]])
	return d.columnError(d.data[0].line, column, err)
}
