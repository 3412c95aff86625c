// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"errors"
	"fmt"
	"strings"

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
	if i, err := checkHalfDays(samples, d.hints.Time); err != nil {
		return d.columnError(d.lineOf(samples[i]), d.times[0], err)
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
		line = d.lineOf(cause.Text)
	}
	return d.columnError(line, d.times[0], err)
}

// lineOf returns the line of the first row with a time, or the first line of data.
func (d *csvDetection) lineOf(time string) int {
	for _, row := range d.data {
		if joined(row, d.times) == time {
			return row.line
		}
	}
	return d.data[0].line
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
