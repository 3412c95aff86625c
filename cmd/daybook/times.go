// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/xhit/go-str2duration/v2"

	"github.com/daybook-db/daybook/text"
	"github.com/daybook-db/daybook/text/timeform"
)

// timeLayout is RFC 3339 with milliseconds, the resolution of a daybook.
const timeLayout = "2006-01-02T15:04:05.000Z07:00"

// maxRFC3339 is the last millisecond of the year 9999, the last time that RFC 3339 can write.
const maxRFC3339 = 253_402_300_799_999

// formatTime returns Unix milliseconds as local time. A time after the year 9999 stays a number.
func formatTime(ms uint64) string {
	if ms > maxRFC3339 {
		return strconv.FormatUint(ms, 10)
	}
	return time.UnixMilli(int64(ms)).Format(timeLayout)
}

// millisOf returns Unix milliseconds, and 0 for a time before 1970.
func millisOf(t time.Time) uint64 { return uint64(max(t.UnixMilli(), 0)) }

// parseTime reads a time from the command line: RFC 3339, a day, which is its first instant in
// local time, Unix milliseconds, or a signed duration relative to now.
func parseTime(typed string, now time.Time) (uint64, error) {
	switch {
	case isDigits(typed):
		return parseMillis(typed)
	case strings.HasPrefix(typed, "-"), strings.HasPrefix(typed, "+"):
		return parseRelative(typed, now)
	}
	if date, ok := parseDay(typed, now); ok {
		return unixMillis(timeform.StartOfDay(date, time.Local), typed)
	}
	ms, err := text.ParseRFC3339(typed)
	if !errors.Is(err, text.ErrNotTime) {
		return ms, err
	}
	if isDuration(typed) {
		return 0, fmt.Errorf("%q has no sign: a time relative to now is written -%s", typed, typed)
	}
	return 0, &text.TimeError{Text: typed, Err: text.ErrNotTime, Want: "RFC 3339 (2026-11-23T06:00:00Z), " +
		"a date (2026-11-23), today, yesterday, Unix milliseconds, or a time relative to now (-90m, -7d)"}
}

// parseEnd reads the time of the last values that are wanted: a time as parseTime reads it, except
// that a day is its last millisecond.
func parseEnd(typed string, now time.Time) (uint64, error) {
	if date, ok := parseDay(typed, now); ok {
		next := timeform.StartOfDay(date.AddDate(0, 0, 1), time.Local)
		return unixMillis(next.Add(-time.Millisecond), typed)
	}
	return parseTime(typed, now)
}

// parseDay reads a day: a date such as 2026-11-23, today or yesterday. The result is its midnight
// in UTC, because local days may have none.
func parseDay(typed string, now time.Time) (date time.Time, ok bool) {
	year, month, day := now.In(time.Local).Date()
	switch typed {
	case "today":
		return time.Date(year, month, day, 0, 0, 0, 0, time.UTC), true
	case "yesterday":
		return time.Date(year, month, day-1, 0, 0, 0, 0, time.UTC), true
	}
	date, err := time.Parse(time.DateOnly, typed)
	return date, err == nil
}

// parseCutoff reads the time before which values are deleted: a time, or an age such as 7d. It
// refuses a time in the future: a user who asks for "older" does not mean the values until then.
func parseCutoff(typed string, now time.Time) (uint64, error) {
	cutoff, err := parseAgeOrTime(typed, now)
	if err == nil && cutoff > millisOf(now) {
		return 0, fmt.Errorf("%q is in the future: want an age (7d) or a time in the past "+
			"(0s deletes everything until now)", typed)
	}
	return cutoff, err
}

// parseNewerThan reads the time after which values are deleted: a time, of which a day is its last
// millisecond, or an age such as 7d.
func parseNewerThan(typed string, now time.Time) (uint64, error) {
	end, err := parseEnd(typed, now)
	if err != nil && isDuration(typed) {
		end, err = parseAgeOrTime(typed, now)
	}
	if err == nil && end == 0 {
		return 0, fmt.Errorf("%q is the first time of all: want a later one", typed)
	}
	return end, err
}

func parseAgeOrTime(typed string, now time.Time) (uint64, error) {
	if isDigits(typed) || strings.HasPrefix(typed, "+") || !isDuration(typed) {
		return parseTime(typed, now)
	}
	age, err := str2duration.ParseDuration(strings.TrimPrefix(typed, "-"))
	if err != nil { // it is longer than the 292 years of a time.Duration
		return 0, errBefore1970(typed)
	}
	return unixMillis(now.Add(-age), typed)
}

// A whole number from minSeconds to maxSeconds looks like Unix seconds, between March 1973 and the
// year 5138.
const (
	minSeconds = 100_000_000
	maxSeconds = 99_999_999_999
)

// parseMillis reads Unix milliseconds. It refuses numbers that look like seconds: as milliseconds
// they would mean a time between 1970 and 1973, and the user would not notice.
func parseMillis(typed string) (uint64, error) {
	ms, err := text.ParseMillis(typed)
	if err == nil && ms >= minSeconds && ms <= maxSeconds {
		return 0, fmt.Errorf("%q looks like Unix seconds: want Unix milliseconds, %s000", typed, typed)
	}
	return ms, err
}

// durationText is a duration with units. It also matches durations of more than the 292 years that
// a time.Duration can hold.
var durationText = regexp.MustCompile(`^[-+]?([0-9]+(\.[0-9]*)?(ms|s|m|h|d|w))+$`)

func isDuration(typed string) bool {
	_, err := str2duration.ParseDuration(typed)
	return err == nil || durationText.MatchString(typed)
}

func parseRelative(typed string, now time.Time) (uint64, error) {
	offset, err := str2duration.ParseDuration(typed)
	switch {
	case err == nil:
		return unixMillis(now.Add(offset), typed)
	case !durationText.MatchString(typed):
		return 0, fmt.Errorf("%q is not a time relative to now: want a sign, numbers and units "+
			"(ms, s, m, h, d, w), as in -1h30m", typed)
	case strings.HasPrefix(typed, "-"):
		return 0, errBefore1970(typed)
	}
	return 0, fmt.Errorf("%q is more than 292 years ahead", typed)
}

// unixMillis returns the time that was typed in milliseconds.
func unixMillis(t time.Time, typed string) (uint64, error) {
	ms := t.UnixMilli()
	if ms < 0 {
		return 0, errBefore1970(typed)
	}
	return uint64(ms), nil
}

func errBefore1970(typed string) error {
	return fmt.Errorf("%q is before 1970, where a daybook's time starts", typed)
}

func isDigits(typed string) bool {
	return typed != "" && strings.Trim(typed, "0123456789") == ""
}
