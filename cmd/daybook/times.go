// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/xhit/go-str2duration/v2"
)

// timeLayout is RFC 3339 with milliseconds, the resolution of a daybook.
const timeLayout = "2006-01-02T15:04:05.000Z07:00"

// maxRFC3339 is the last millisecond of the year 9999, the last that RFC 3339 can write.
const maxRFC3339 = 253_402_300_799_999

// leastMilliseconds is where numbers in a CSV time column stop to be read as seconds. As seconds it
// is the year 5138, as milliseconds March 1973: readings have times between the two.
const leastMilliseconds = 100_000_000_000

// formatTime writes Unix ms as local time. A daybook holds any uint64; what RFC 3339 cannot write
// stays a number.
func formatTime(ms uint64) string {
	if ms > maxRFC3339 {
		return strconv.FormatUint(ms, 10)
	}
	return time.UnixMilli(int64(ms)).Format(timeLayout)
}

// parseTime reads a time from the command line: RFC 3339, a date in local time, Unix ms, or a signed
// duration relative to now.
func parseTime(text string, now time.Time) (uint64, error) {
	switch {
	case isDigits(text):
		return parseTypedMillis(text)
	case strings.HasPrefix(text, "-"), strings.HasPrefix(text, "+"):
		return parseRelative(text, now)
	}
	if date, err := time.ParseInLocation(time.DateOnly, text, time.Local); err == nil {
		return unixMillis(date, text)
	}
	if instant, err := parseInstant(text); err == nil {
		return unixMillis(instant, text)
	}
	if isDuration(text) {
		return 0, fmt.Errorf("%q has no sign: a time relative to now is written -%s", text, text)
	}
	return 0, notATime(text, "RFC 3339 (2026-11-23T06:00:00Z), a date (2026-11-23), "+
		"Unix milliseconds, or a time relative to now (-90m, -7d)")
}

// localTimes are the forms of a time whose zone nobody wrote. Time.Parse allows a fraction after each
// that has seconds.
var localTimes = []string{"2006-01-02T15:04:05", time.DateTime, "2006-01-02T15:04", "2006-01-02 15:04"}

// notATime says why text cannot be read as a time, where want is what can.
func notATime(text, want string) error {
	if isLocalTime(text) {
		return noZone(text)
	}
	return fmt.Errorf("%q is not a time: want %s", text, want)
}

// isLocalTime reports whether text is a time but for its zone.
func isLocalTime(text string) bool {
	return slices.ContainsFunc(localTimes, func(layout string) bool {
		_, err := time.Parse(layout, text)
		return err == nil
	})
}

func noZone(text string) error {
	return fmt.Errorf("%q has no time zone: want a Z after it for UTC, or an offset such as +01:00", text)
}

// parseCutoff reads the time that values must be older than: a time, or an age such as 7d. One in the
// future would delete what is stored until then, which nobody means who says "older".
func parseCutoff(text string, now time.Time) (uint64, error) {
	cutoff, err := parseAgeOrTime(text, now)
	if err == nil && cutoff > millisOf(now) {
		return 0, fmt.Errorf("%q is in the future: want an age (7d) or a time that has been (0s deletes everything until now)", text)
	}
	return cutoff, err
}

func parseAgeOrTime(text string, now time.Time) (uint64, error) {
	if isDigits(text) || strings.HasPrefix(text, "+") || !isDuration(text) {
		return parseTime(text, now)
	}
	age, err := str2duration.ParseDuration(strings.TrimPrefix(text, "-"))
	if err != nil { // it is longer than a time.Duration can be
		return 0, beforeTime(text)
	}
	return unixMillis(now.Add(-age), text)
}

// parseColumnTime reads a cell of a CSV time column: RFC 3339, or a number of seconds or milliseconds
// since 1970. A number below leastMilliseconds, and every number with a fraction, counts seconds.
func parseColumnTime(text string) (uint64, error) {
	if isDigits(text) {
		number, err := parseMillis(text)
		if err == nil && number < leastMilliseconds {
			number *= 1000
		}
		return number, err
	}
	if whole, fraction, ok := strings.Cut(text, "."); ok && isDigits(whole) && isDigits(fraction) {
		return parseSeconds(text)
	}
	instant, err := parseInstant(text)
	if err != nil {
		return 0, notATime(text, "RFC 3339, Unix seconds or Unix milliseconds")
	}
	return unixMillis(instant, text)
}

func parseSeconds(text string) (uint64, error) {
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil || seconds >= leastMilliseconds {
		return 0, fmt.Errorf("%q is not a time: a number with a fraction counts seconds since 1970", text)
	}
	return uint64(math.Round(seconds * 1000)), nil
}

// parseInstant reads RFC 3339, which allows a space in place of the T.
func parseInstant(text string) (time.Time, error) {
	if len(text) > 10 && text[10] == ' ' {
		text = text[:10] + "T" + text[11:]
	}
	return time.Parse(time.RFC3339, text)
}

func parseMillis(text string) (uint64, error) {
	ms, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is not a time: it does not fit into 64 bits", text)
	}
	return ms, nil
}

// secondsLookLike is where whole numbers start to look like Unix seconds of these years, from March
// 1973 on, up to leastMilliseconds.
const secondsLookLike = 100_000_000

// parseTypedMillis reads milliseconds that a person wrote. Taken for milliseconds, a number of seconds
// would be a time in January 1970, and the command would do as it was told without a word.
func parseTypedMillis(text string) (uint64, error) {
	ms, err := parseMillis(text)
	if err == nil && ms >= secondsLookLike && ms < leastMilliseconds {
		return 0, fmt.Errorf("%q looks like Unix seconds: want Unix milliseconds, %s000", text, text)
	}
	return ms, err
}

// durationText is the form of a duration with units, also of one that is longer than a time.Duration
// can be, some 292 years.
var durationText = regexp.MustCompile(`^[-+]?([0-9]+(\.[0-9]*)?(ms|s|m|h|d|w))+$`)

func isDuration(text string) bool {
	_, err := str2duration.ParseDuration(text)
	return err == nil || durationText.MatchString(text)
}

func parseRelative(text string, now time.Time) (uint64, error) {
	offset, err := str2duration.ParseDuration(text)
	switch {
	case err == nil:
		return unixMillis(now.Add(offset), text)
	case !durationText.MatchString(text):
		return 0, fmt.Errorf("%q is not a time relative to now: want a sign, numbers and units (ms, s, m, h, d, w), as in -1h30m", text)
	case strings.HasPrefix(text, "-"):
		return 0, beforeTime(text)
	}
	return 0, fmt.Errorf("%q is more than 292 years ahead", text)
}

func unixMillis(t time.Time, text string) (uint64, error) {
	ms := t.UnixMilli()
	if ms < 0 {
		return 0, beforeTime(text)
	}
	return uint64(ms), nil
}

func beforeTime(text string) error {
	return fmt.Errorf("%q is before 1970, where a daybook's time starts", text)
}

func isDigits(text string) bool {
	return text != "" && strings.Trim(text, "0123456789") == ""
}

// ageFlag is a flag that takes a duration with days and weeks.
type ageFlag struct {
	text string // as it was given: 30d, which the duration itself would write as 4w2d
	age  time.Duration
}

func (f *ageFlag) String() string { return f.text }
func (f *ageFlag) Type() string   { return "age" }
func (f *ageFlag) Set(text string) error {
	age, err := str2duration.ParseDuration(text)
	if err != nil || age <= 0 {
		return fmt.Errorf("want an age such as 90m, 24h, 30d or 4w")
	}
	*f = ageFlag{text, age}
	return nil
}

// choiceFlag is a flag that takes one of a few words.
type choiceFlag struct {
	value   string
	choices []string
}

func (f *choiceFlag) String() string { return f.value }
func (f *choiceFlag) Type() string   { return strings.Join(f.choices, "|") }
func (f *choiceFlag) Set(text string) error {
	for _, choice := range f.choices {
		if text == choice {
			f.value = text
			return nil
		}
	}
	return fmt.Errorf("want one of %s", strings.Join(f.choices, ", "))
}
