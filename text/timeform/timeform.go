// SPDX-License-Identifier: Apache-2.0

// Package timeform finds out in which form a file writes its times, and reads them.
//
// [Detect] takes the first times of a file, and returns their [Form], which says itself in words. A
// parser of the form reads all times of the file, in the file's order. [Looks] says how much texts
// look like times at all. What cannot be known is an error, and never a guess.
//
// # Forms
//
// A form is one order of year, month and day with one separator, for all lines of a file. What
// follows the date may change from line to line: a T or a blank, seconds or none, a fraction after
// a point or a comma, AM or PM, a zone or none. These are the forms:
//
//	2024-01-31T23:59:59Z                 RFC 3339; also 2024/01/31, 2024.01.31 and 2024:01:31
//	2024-01-31 23, 2024 01 31 23 59      an hour alone, and the numbers of several columns
//	31.01.2024 23:59, 23:59 31.01.2024   dots: the day is first
//	31/01/2024, 01/31/2024, 31-01-24     the samples decide
//	31-Jan-2024, Jan 31, 2024            the name of a month decides, in any of ten languages
//	31. März 2024, 31 de marzo de 2024
//	31/Jan/2024:23:59:59 +0000           the log of a web server
//	2024-031, 2024-W05-3                 days of a year and of a week (ISO 8601)
//	20240131T235959Z                     with a time of day only, because 20240131 is a number
//	1764000000                           a number whose digits, or Options.Unit, say the unit
//	1764000000 250000                    a number after any of them, which Options.Addend adds
//
// Where the day and the month could change places, a day above 12 in any sample decides. Otherwise
// lines on both sides of a midnight decide, if a step of at most an hour is usual there: under
// another form the log would make a step of a month. If neither decides, or samples of both forms
// are there, it is an error, [ErrAmbiguous]. Options.Formats name the form, as strptime does.
//
// A two-digit year from 69 is one of the last century. The second 60 is the first of the next
// minute, and 24:00 the end of the day. A date alone is the first instant of its day. It is read
// only in a file whose samples have one, because elsewhere the time of day is lost.
//
// # Zones
//
// A text's own offset decides. Other texts are in Options.Zone. Where its clock is set forward, a
// local time that does not exist is an error, [ErrSkipped]. Where it is set back, an hour comes
// twice. The order of the lines tells which one is meant, in a file whose times never turn: a time
// that lies before the last one is in the second pass, and a step from line to line is about as
// long as the last ones were. Otherwise it is an error, [ErrRepeated].
package timeform

import (
	"errors"
	"time"

	"github.com/daybook-db/daybook/text"
)

// Causes of a text.TimeError.
var (
	// ErrAmbiguous is returned for dates such as 03/04/2024, if no sample tells which number is the
	// day. Options.Formats tells it.
	ErrAmbiguous = errors.New("is ambiguous")
	// ErrRepeated is returned for a local time that came twice, as a clock was set back, if the
	// order of the lines does not tell which one is meant.
	ErrRepeated = errors.New("came twice, because the clock was set back")
	// ErrSkipped is returned for a local time that did not exist, as a clock was set forward. Often
	// Options.Zone is another zone than the one where the times were written.
	ErrSkipped = errors.New("did not exist, because the clock was set forward")
)

// Options say what is known of the times before they are looked at.
type Options struct {
	// Formats are the forms in the words of strptime, such as "%d.%m.%Y %H:%M". The first that fits
	// a text reads it. Default: Detect finds the form.
	Formats []string
	// Zone is where times without a zone were written. Default: this machine's zone.
	Zone *time.Location
	// Digits are those of the time of day, if it is a number after a date YYYYMMDD. Default: Detect
	// finds the form.
	Digits Digits
	// Unit is what numbers count that are times. Default: text.ByDigits.
	Unit text.TimeUnit
	// Addend is what the last number of each text counts, which is added to the time before it: of
	// "1764000000 250000" or "2024-01-31 23:59:59 250". Default: a text is a time alone.
	Addend text.TimeUnit
	// DecimalComma says that a fraction of that number follows a comma. Default: a point.
	DecimalComma bool
	// AnyTime allows each time since 1970. Default: a time before 1980, or more than a day after
	// now, is text.ErrImplausible.
	AnyTime bool
}

// Digits say the number of digits of a time of day: at most six if it is HHMMSS, and
// at most four if it is HHMM. With fewer it has lost zeros at its start: 500 of six is 00:05:00.
type Digits struct{ Min, Max int }

// Form is the form of a file's times.
type Form struct {
	opts   Options
	reader reader
	number bool // the times are numbers, and there is no reader
	seen   features
	name   string // of the texts, without the zone
	lines  lines  // the samples
	sum    sum
}

// reader reads texts of one form.
type reader struct {
	layout  layout
	formats strptime // nil: the texts have the layout
}

// read reports whether a text has the form, and the calendar its day.
func (r *reader) read(text string, c *civil) (ok bool) {
	if r.formats != nil {
		return r.formats.read(text, c)
	}
	return r.layout.read(text, c)
}

// tail reads what follows a date whose length was known.
func (r *reader) tail(after cursor, c *civil) (ok bool) {
	if r.layout.order == named {
		return after.namedTail(c)
	}
	return after.tail(c)
}

// features are what the samples of a form have.
type features struct {
	clock, noClock, minutes, seconds, fraction, finer, meridiem, foreign, zoned, abbreviated, unzoned bool
}

func (f *features) add(c *civil) {
	f.clock = f.clock || c.clock
	f.noClock = f.noClock || !c.clock
	f.minutes = f.minutes || c.minutes
	f.seconds = f.seconds || c.seconds
	f.fraction = f.fraction || c.milli != 0
	f.finer = f.finer || c.finer
	f.meridiem = f.meridiem || c.meridiem
	f.foreign = f.foreign || c.foreign
	f.zoned = f.zoned || c.zoned || c.zone != ""
	f.abbreviated = f.abbreviated || c.zone != ""
	f.unzoned = f.unzoned || !c.zoned && c.zone == ""
}

// NewParser returns a parser for the times of one file. It takes them in the file's order.
func (f *Form) NewParser() text.TimeParser {
	if f.sum.unit != text.ByDigits {
		return &sumParser{times: f.newParser(), sum: f.sum, anyTime: f.opts.AnyTime}
	}
	return f.newParser()
}

// newParser returns a parser for the times without what is added to them.
func (f *Form) newParser() text.TimeParser {
	if f.number {
		return &numberParser{unit: f.opts.Unit, anyTime: f.opts.AnyTime}
	}
	p := &parser{form: f, zone: zone{location: f.opts.Zone}, lines: f.lines}
	p.lines.any = false // the samples were lines of the file, and come again
	return p
}
