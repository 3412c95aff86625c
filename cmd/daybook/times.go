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
)

// timeLayout is RFC 3339 with milliseconds, the resolution of a daybook.
const timeLayout = "2006-01-02T15:04:05.000Z07:00"

// maxRFC3339 is the last millisecond of the year 9999, the last that RFC 3339 can write.
const maxRFC3339 = 253_402_300_799_999

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
func parseTime(typed string, now time.Time) (uint64, error) {
	switch {
	case isDigits(typed):
		return parseTypedMillis(typed)
	case strings.HasPrefix(typed, "-"), strings.HasPrefix(typed, "+"):
		return parseRelative(typed, now)
	}
	if date, err := time.ParseInLocation(time.DateOnly, typed, time.Local); err == nil {
		return unixMillis(date, typed)
	}
	ms, err := text.ParseRFC3339(typed)
	if !errors.Is(err, text.ErrNotTime) {
		return ms, err
	}
	if isDuration(typed) {
		return 0, fmt.Errorf("%q has no sign: a time relative to now is written -%s", typed, typed)
	}
	return 0, &text.TimeError{Text: typed, Err: text.ErrNotTime, Want: "RFC 3339 (2026-11-23T06:00:00Z), " +
		"a date (2026-11-23), Unix milliseconds, or a time relative to now (-90m, -7d)"}
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

// A whole number from minSeconds up to maxSeconds looks like Unix seconds, from March 1973 to the year
// 5138. As milliseconds it would be a time before March 1973.
const (
	minSeconds = 100_000_000
	maxSeconds = 99_999_999_999
)

// parseTypedMillis reads milliseconds that a person wrote. It refuses numbers that look like seconds:
// taken for milliseconds they would be times in 1970 to 1973, without a word.
func parseTypedMillis(typed string) (uint64, error) {
	ms, err := text.ParseMillis(typed)
	if err == nil && ms >= minSeconds && ms <= maxSeconds {
		return 0, fmt.Errorf("%q looks like Unix seconds: want Unix milliseconds, %s000", typed, typed)
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
