// SPDX-License-Identifier: Apache-2.0

package timeform

import "time"

// civil is what one text says: a date, and often a time of day and a zone.
type civil struct {
	year, month, day int
	dateLen          int // of the text up to the end of the date, or 0
	second           int // of the day; 86,400 is its end, which some write as 24:00
	milli            int
	finer            bool   // the text has more than milliseconds
	offset           int    // from UTC in seconds, to the east; only if zoned
	zone             string // the abbreviation of a zone, such as CET; empty if there is none
	clock            bool   // the text has a time of day
	minutes          bool   // the time of day has minutes
	seconds          bool   // the time of day has seconds
	endsInUnit       bool   // the time of day ends as durations do: 10h, 10h30min, 10h30m15s
	meridiem         bool   // the time of day has AM or PM
	foreign          bool   // the month has a name that is not English
	zoned            bool   // the text has an offset, or says UTC
}

// local returns the seconds from the start of 1970 as a clock without a zone shows them.
func (c *civil) local() int64 {
	date := time.Date(c.year, time.Month(c.month), c.day, 0, 0, 0, 0, time.UTC)
	return date.Unix() + int64(c.second)
}

// setClock takes a time of day, and reports whether a day has it.
func (c *civil) setClock(hour, minute, second int) (ok bool) {
	c.clock = true
	c.second = hour*3600 + minute*60 + second
	isEnd := hour == 24 && minute == 0 && second == 0 && c.milli == 0
	return (hour < 24 || isEnd) && minute < 60 && second <= 60
}

// isDay reports whether a calendar has the day.
func isDay(year, month, day int) bool {
	return month >= 1 && month <= 12 && day >= 1 && (day <= 28 || day <= daysOf(year, month))
}

// daysOf returns the number of days of a month.
func daysOf(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// fullYear returns the year of two digits, as POSIX has it: 69 is 1969, and 68 is 2068.
func fullYear(short int) int {
	if short >= 69 {
		return 1900 + short
	}
	return 2000 + short
}
