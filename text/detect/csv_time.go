// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/daybook-db/daybook/text"
	"github.com/daybook-db/daybook/text/timeform"
)

// ErrNoTime is returned for a file in which nothing looks like a time, unless the hints say where
// the time is, or that values without one get the clock's.
var ErrNoTime = errors.New("nothing in it looks like a time")

// findTime finds the columns that hold the time, and their form.
func (d *csvDetection) findTime() error {
	opts := &d.finding.Reader
	said := len(opts.Time) > 0
	columns := d.timeColumns(opts.Time)
	if len(columns) == 0 {
		if said || opts.StampNow {
			return nil // a reader says that a column is missing
		}
		return fmt.Errorf("%w: its columns are %s", ErrNoTime, quoted(d.names))
	}
	opts.Time, d.times = nil, columns
	for _, i := range columns {
		opts.Time = append(opts.Time, d.names[i])
	}
	if d.hints.Time.Zone == nil {
		d.hints.Time.Zone = d.findZone(columns)
	}
	if err := d.findDigits(); err != nil {
		return err
	}
	if d.hints.Time.Digits.Max == 0 {
		d.hints.Time.DecimalComma = d.opts.DecimalComma
		d.hints.Time.Addend = addendOf(d.timeMembers(), d.hints.Time)
	}
	samples := d.timeSamples()
	if len(samples) == 0 {
		d.finding.add("time: %s", quoted(opts.Time))
		return nil
	}
	if err := d.checkWide(samples, said); err != nil {
		return err
	}
	if err := d.checkHours(samples, said); err != nil {
		return err
	}
	form, err := timeform.Detect(samples, d.hints.Time)
	if err != nil {
		return d.timeError(err)
	}
	if err := d.checkRest(form, said); err != nil {
		return err
	}
	d.finding.Time = form
	opts.Times = form.NewParser()
	d.finding.add("time: %s as %s", quoted(opts.Time)+d.others(columns), form)
	return nil
}

// members returns the columns as detection of JSON has its members.
func (d *csvDetection) members() []*timeMember {
	members := make([]*timeMember, len(d.names))
	for i, name := range d.names {
		members[i] = &timeMember{names: []string{name}, samples: d.cells(i)}
		for _, row := range d.data {
			members[i].lines = append(members[i].lines, row.line)
		}
	}
	return members
}

// timeMembers returns the columns of the time.
func (d *csvDetection) timeMembers() (times []*timeMember) {
	members := d.members()
	for _, i := range d.times {
		times = append(times, members[i])
	}
	return times
}

// timeError says where the time is that an error is about.
func (d *csvDetection) timeError(err error) error {
	line := d.data[0].line
	var cause *text.TimeError
	if errors.As(err, &cause) {
		for _, row := range d.data {
			if joined(row, d.times) == cause.Text {
				line = row.line
				break
			}
		}
	}
	err = &text.ColumnError{Column: d.times[0] + 1, Name: d.names[d.times[0]], Err: err}
	return &text.LineError{File: d.hints.Reader.Name, Line: line, LastLine: line, Err: err}
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
// the name of a time, or stands beside the dates if columns have no names.
func (d *csvDetection) clockFor(dates int) int {
	for i, name := range d.names {
		beside := i == dates+1 || i == dates-1
		if d.header && likelihoodOfName(name) > 0 && !isOtherDate(name) || !d.header && beside {
			if timeform.Looks(d.cells(i)) == timeform.Clocks {
				return i
			}
		}
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

// timeSamples returns the texts of the time. Those that are no times at all are left out, if there
// are others: reading the file refuses them, with their lines.
func (d *csvDetection) timeSamples() []string {
	var all, times []string
	for _, row := range d.data {
		sample := joined(row, d.times)
		if sample == "" {
			continue
		}
		all = append(all, sample)
		if d.isTime(row) {
			times = append(times, sample)
		}
	}
	if len(times) > 0 {
		return times
	}
	return all
}

// isTime reports whether a row has a time that looks like one.
func (d *csvDetection) isTime(row tableRow) bool {
	sample := joined(row, d.times)
	if d.hints.Time.Addend != text.ByDigits {
		sample = sample[:max(strings.LastIndexByte(sample, ' '), 0)]
	}
	return d.hints.Time.Digits.Max > 0 || timeform.Looks([]string{sample}) > timeform.Clocks
}

// joined joins cells as the reader does.
func joined(row tableRow, columns []int) string {
	text := ""
	for _, i := range columns {
		if text != "" && row.cells[i] != "" {
			text += " "
		}
		text += row.cells[i]
	}
	return text
}

// Likelihoods of names.
const (
	weakName   = 1 // a word of it can name a time
	strongName = 2 // it names a time
)

// timeNames are the words that name a time, and weakTimeNames those that may.
var (
	timeNames = strings.Fields("time timestamp tstamp ts date datetime datestamp epoch datum zeit zeitstempel " +
		"zeitpunkt uhrzeit datumzeit fecha hora fechahora horodate horodatage heure ora tijd tijdstip tid dato czas")
	weakTimeNames = strings.Fields("changed updated created received recorded measured observed at when last")
)

// otherDates are words of the names of dates in the life of a person or a thing, when nothing was
// measured.
var otherDates = strings.Fields("birth birthday birthdate born dob geburtsdatum geburtstag naissance nacimiento " +
	"expires expire expiry expiration ablaufdatum install installed installation commissioned calibrated " +
	"calibration warranty manufactured purchased due sunrise sunset moonrise moonset boot booted deleted")

// isOtherDate reports whether a name is that of a time which is none of a reading.
func isOtherDate(name string) bool {
	return slices.ContainsFunc(wordsOf(name), func(word string) bool { return slices.Contains(otherDates, word) })
}

// likelihoodOfName says how much the name of a column is that of a time. The words of a name may be
// written as in last_changed or LastChanged.
func likelihoodOfName(name string) int {
	words := wordsOf(name)
	switch {
	case len(words) == 0:
		return 0
	case strings.Contains(strings.ToLower(name), "yyyy"): // as in dd/MM/yyyy
		return strongName
	}
	if slices.Contains(timeNames, strings.Join(words, "")) || slices.Contains(timeNames, words[0]) {
		return strongName
	}
	for _, word := range words {
		if slices.Contains(timeNames, word) || slices.Contains(weakTimeNames, word) {
			return weakName
		}
	}
	return 0
}

func wordsOf(name string) (words []string) {
	const maxName = 100 // a cell may be as long as a file
	if len(name) > maxName {
		return nil
	}
	var word []rune
	flush := func() {
		if len(word) > 0 {
			words = append(words, strings.ToLower(string(word)))
		}
		word = word[:0]
	}
	for _, c := range name {
		switch {
		case !unicode.IsLetter(c):
			flush()
			continue
		case unicode.IsUpper(c) && len(word) > 0 && !unicode.IsUpper(word[len(word)-1]):
			flush()
		}
		word = append(word, c)
	}
	flush()
	return words
}

// zoneInText matches an offset such as GMT-05:00 or UTC+1.
var zoneInText = regexp.MustCompile(`\b(?:GMT|UTC) ?([+-])([0-9]{1,2})(?::?([0-9]{2}))?\b`)

// zoneOfCounters matches what the Performance Monitor of Windows names its column of times: it ends
// with the minutes from its zone to UTC.
var zoneOfCounters = regexp.MustCompile(`^\(PDH-[CT]SV [0-9.]+\) \(.*\)\((-?[0-9]{1,3})\)$`)

// isNameOfUTC reports whether the name of a time says that it is UTC: time_utc, TimeUTC, "t (GMT)".
func isNameOfUTC(name string) bool {
	return slices.ContainsFunc(wordsOf(name), func(word string) bool {
		return strings.HasPrefix(word, "utc") || word == "gmt" || word == "z" || word == "zulu"
	})
}

// findZone returns the zone that the names of the columns or the lines before them say, or nil. A
// line before them may name the zone of something else, so that only an offset counts there.
func (d *csvDetection) findZone(columns []int) *time.Location {
	for _, i := range columns {
		if !d.header {
			break
		}
		if zone := cmp.Or(zoneIn(d.names[i]), namedZoneIn(d.names[i])); zone != nil {
			return zone
		}
		if isNameOfUTC(d.names[i]) {
			return time.UTC
		}
	}
	for _, row := range d.table.rows {
		if len(d.data) == 0 || row.line >= d.data[0].line {
			break
		}
		if zone := zoneIn(strings.Join(row.cells, " ")); zone != nil {
			return zone
		}
	}
	return nil
}

func zoneIn(text string) *time.Location {
	if match := zoneOfCounters.FindStringSubmatch(text); match != nil {
		minutes, _ := strconv.Atoi(match[1])
		return zoneOfOffset(-minutes * 60)
	}
	match := zoneInText.FindStringSubmatch(text)
	if match == nil {
		return nil
	}
	hours, _ := strconv.Atoi(match[2])
	minutes, _ := strconv.Atoi(match[3]) // 0 if there are none
	if hours > 14 || minutes > 59 {
		return nil
	}
	offset := (hours*60 + minutes) * 60
	if match[1] == "-" {
		offset = -offset
	}
	return time.FixedZone(match[0], offset)
}

// zoneName matches a text that may be the name of a zone, such as America/New_York.
var zoneName = regexp.MustCompile(`\b[A-Z][A-Za-z]+(?:/[A-Z][A-Za-z_-]+)+\b`)

// namedZoneIn returns the zone that the name of a column names, or nil.
func namedZoneIn(text string) *time.Location {
	for _, name := range zoneName.FindAllString(text, -1) {
		if zone, err := time.LoadLocation(name); err == nil {
			return zone
		}
	}
	return nil
}

// zoneOfOffset returns the zone of an offset from UTC in seconds, with a name such as UTC-08:00.
func zoneOfOffset(seconds int) *time.Location {
	at := time.Time{}.In(time.FixedZone("", seconds))
	return time.FixedZone(at.Format("UTC-07:00"), seconds)
}
