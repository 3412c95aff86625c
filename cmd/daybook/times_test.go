// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // the zones, also on a machine without them
)

// timeTest is a text that is a time, or the reason why it is none.
type timeTest struct {
	name   string
	text   string
	want   uint64
	reason string // a part of the error; "": the text is a time
}

func runTimeTests(t *testing.T, tests []timeTest, parse func(string) (uint64, error)) {
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := parse(test.text)
			switch {
			case test.reason == "" && (err != nil || got != test.want):
				t.Errorf("%q: %d, %v; want %d", test.text, got, err, test.want)
			case test.reason != "" && (err == nil || !strings.Contains(err.Error(), test.reason)):
				t.Errorf("%q: %d, %v; want an error with %q", test.text, got, err, test.reason)
			}
		})
	}
}

func TestParseTime(t *testing.T) {
	now := time.UnixMilli(1_764_000_000_000)
	runTimeTests(t, []timeTest{
		{name: "RFC 3339 in UTC", text: "2025-11-24T16:00:00Z", want: 1_764_000_000_000},
		{name: "an offset", text: "2025-11-24T17:00:00+01:00", want: 1_764_000_000_000},
		{name: "milliseconds", text: "2025-11-24T16:00:00.123Z", want: 1_764_000_000_123},
		{name: "more digits than milliseconds are cut off", text: "2025-11-24T16:00:00.1239Z", want: 1_764_000_000_123},
		{name: "a space instead of the T", text: "2025-11-24 16:00:00Z", want: 1_764_000_000_000},
		{name: "a date starts at local midnight", text: "2025-11-24", want: 1_763_938_800_000},
		{name: "today starts at local midnight", text: "today", want: 1_763_938_800_000},
		{name: "yesterday starts a day before", text: "yesterday", want: 1_763_852_400_000},
		{name: "a small number is milliseconds", text: "1500", want: 1500},
		{name: "the first millisecond", text: "0", want: 0},
		{name: "the last millisecond", text: "18446744073709551615", want: math.MaxUint64},
		{name: "an hour ago", text: "-1h", want: 1_763_996_400_000},
		{name: "a week ago in days", text: "-7d", want: 1_763_395_200_000},
		{name: "a week ago in weeks", text: "-1w", want: 1_763_395_200_000},
		{name: "several units", text: "-1h30m", want: 1_763_994_600_000},
		{name: "ninety minutes", text: "-90m", want: 1_763_994_600_000},
		{name: "the future", text: "+1s", want: 1_764_000_001_000},
		{name: "now", text: "-0", want: 1_764_000_000_000},

		{name: "seconds, which would be in January 1970", text: "1764000000",
			reason: `looks like Unix seconds: want Unix milliseconds, 1764000000000`},
		{name: "the last number that looks like seconds", text: "99999999999", reason: "looks like Unix seconds"},
		{name: "the first number that does not", text: "100000000000", want: 100_000_000_000},
		{name: "nothing", text: "", reason: "is not a time"},
		{name: "no zone and no seconds", text: "2025-11-24 16:00", reason: "has no time zone"},
		{name: "longer ago than a time.Duration", text: "-400000d", reason: "before 1970"},
		{name: "further ahead than a time.Duration", text: "+400000d", reason: "292 years ahead"},
		{name: "a word", text: "noon", reason: "is not a time"},
		{name: "a day that has no word", text: "tomorrow", reason: "today, yesterday"},
		{name: "no zone", text: "2025-11-24T16:00:00", reason: "has no time zone"},
		{name: "a day that does not exist", text: "2025-02-30", reason: "is not a time"},
		{name: "more than 64 bits", text: "18446744073709551616", reason: "64 bits"},
		{name: "a duration without its sign", text: "7d", reason: "is written -7d"},
		{name: "a relative time without its unit", text: "-7", reason: "units"},
		{name: "an unknown unit", text: "-7y", reason: "units"},
		{name: "a sign alone", text: "-", reason: "units"},
		{name: "a time before 1970", text: "1969-12-31T23:59:59Z", reason: "before 1970"},
		{name: "a relative time before 1970", text: "-3000w", reason: "before 1970"},
	}, func(text string) (uint64, error) { return parseTime(text, now) })
}

func TestParseCutoff(t *testing.T) {
	now := time.UnixMilli(1_764_000_000_000)
	runTimeTests(t, []timeTest{
		{name: "an age in days", text: "7d", want: 1_763_395_200_000},
		{name: "an age in hours and minutes", text: "1h30m", want: 1_763_994_600_000},
		{name: "an age as a relative time", text: "-7d", want: 1_763_395_200_000},
		{name: "an age of 0 is now", text: "0s", want: 1_764_000_000_000},
		{name: "a small number is milliseconds, not days", text: "7", want: 7},
		{name: "zero is milliseconds too", text: "0", want: 0},
		{name: "a time", text: "2025-11-24T16:00:00Z", want: 1_764_000_000_000},
		{name: "a date", text: "2025-11-24", want: 1_763_938_800_000},
		{name: "yesterday is its start, as a date is", text: "yesterday", want: 1_763_852_400_000},
		{name: "now in milliseconds", text: "1764000000000", want: 1_764_000_000_000},

		{name: "the future, which would delete everything", text: "+7d", reason: "in the future"},
		{name: "a date in the future", text: "3000-01-01", reason: "in the future"},
		{name: "the next millisecond", text: "1764000000001", reason: "in the future"},
		{name: "the last millisecond", text: "18446744073709551615", reason: "in the future"},
		{name: "an age longer than a time.Duration", text: "400000d", reason: "before 1970"},
		{name: "the same as a relative time", text: "-400000d", reason: "before 1970"},
		{name: "nothing", text: "", reason: "is not a time"},
		{name: "an age before 1970", text: "3000w", reason: "before 1970"},
	}, func(text string) (uint64, error) { return parseCutoff(text, now) })
}

// TestParseNewerThan shows that a date keeps its whole day, and that a time may be in the future.
func TestParseNewerThan(t *testing.T) {
	now := time.UnixMilli(1_764_000_000_000)
	runTimeTests(t, []timeTest{
		{name: "a date ends with its last millisecond", text: "2025-11-24", want: 1_764_025_199_999},
		{name: "an age of 0 is now", text: "0s", want: 1_764_000_000_000},
		{name: "an age in days", text: "7d", want: 1_763_395_200_000},
		{name: "an age as a relative time", text: "-7d", want: 1_763_395_200_000},
		{name: "the future", text: "+1h", want: 1_764_003_600_000},
		{name: "milliseconds", text: "7", want: 7},
		{name: "the first millisecond, which the engine takes for no limit", text: "0", reason: "want a later one"},
		{name: "an age longer than a time.Duration", text: "400000d", reason: "before 1970"},
		{name: "a word", text: "soon", reason: "is not a time"},
	}, func(text string) (uint64, error) { return parseNewerThan(text, now) })
}

func TestFormatTime(t *testing.T) {
	tests := []struct {
		name string
		ms   uint64
		want string
	}{
		{"local time with milliseconds", 1_764_000_000_120, "2025-11-24T17:00:00.120+01:00"},
		{"the first millisecond", 0, "1970-01-01T01:00:00.000+01:00"},
		{"a number after the year 9999", maxRFC3339 + 1, "253402300800000"},
		{"the last millisecond", math.MaxUint64, "18446744073709551615"},
	}
	for _, test := range tests {
		if got := formatTime(test.ms); got != test.want {
			t.Errorf("%s: %q; want %q", test.name, got, test.want)
		}
	}
}

// TestDaysOfOtherLengths shows that --since and --until with one date are the whole day, also on a
// day of 23 or 25 hours, and that two dates in a row leave no time between.
func TestDaysOfOtherLengths(t *testing.T) {
	defer func(zone *time.Location) { time.Local = zone }(time.Local)
	tests := []struct {
		zone, date string
		want       time.Duration
		reason     string // why the row is here
	}{
		{"Europe/Berlin", "2026-03-29", 23 * time.Hour, "set forward at 2 o'clock"},
		{"Europe/Berlin", "2026-10-25", 25 * time.Hour, "set back at 3 o'clock"},
		{"America/Santiago", "2026-09-06", 23 * time.Hour, "midnight does not exist"},
		{"America/Santiago", "2026-04-04", 25 * time.Hour, "its last hour comes twice"},
		{"America/Havana", "2026-11-01", 25 * time.Hour, "its first hour comes twice"},
		{"America/Sao_Paulo", "2018-11-04", 23 * time.Hour, "midnight does not exist"},
		{"Asia/Beirut", "2022-03-27", 23 * time.Hour, "midnight does not exist"},
		{"Atlantic/Azores", "2026-03-29", 23 * time.Hour, "midnight does not exist"},
		{"Australia/Lord_Howe", "2026-10-04", 23*time.Hour + 30*time.Minute, "set forward by half an hour"},
		{"UTC", "2026-06-01", 24 * time.Hour, "no change of the clock"},
	}
	for _, test := range tests {
		t.Run(test.zone+" "+test.date, func(t *testing.T) {
			zone, err := time.LoadLocation(test.zone)
			if err != nil {
				t.Fatal(err)
			}
			time.Local = zone
			date, _ := time.Parse(time.DateOnly, test.date)
			since, sinceErr := parseTime(test.date, time.Now())
			until, untilErr := parseEnd(test.date, time.Now())
			next, nextErr := parseTime(date.AddDate(0, 0, 1).Format(time.DateOnly), time.Now())
			if err := errors.Join(sinceErr, untilErr, nextErr); err != nil {
				t.Fatal(err)
			}
			length := time.Duration(until+1-since) * time.Millisecond
			if length != test.want || next != until+1 {
				t.Errorf("it has %v, and the next day begins %d ms after its last; want %v and 1: %s",
					length, next-until, test.want, test.reason)
			}
		})
	}
}

// TestWordsForDays wants of today and yesterday what their dates give, in the zone of the machine,
// also on and after a day without a midnight, and late in the evening.
func TestWordsForDays(t *testing.T) {
	defer func(zone *time.Location) { time.Local = zone }(time.Local)
	tests := []struct {
		zone, now, today, yesterday string
		reason                      string // why the row is here
	}{
		{"America/Sao_Paulo", "2018-11-04T15:00:00Z", "2018-11-04", "2018-11-03", "midnight does not exist today"},
		{"America/Sao_Paulo", "2018-11-03T03:30:00Z", "2018-11-03", "2018-11-02", "this time is missing tomorrow"},
		{"America/Sao_Paulo", "2018-11-05T15:00:00Z", "2018-11-05", "2018-11-04", "nor did it yesterday"},
		{"Asia/Beirut", "2022-03-26T22:00:00Z", "2022-03-27", "2022-03-26", "the first instant of such a day"},
		{"Asia/Beirut", "2022-03-26T21:59:59Z", "2022-03-26", "2022-03-25", "the last second before it"},
		{"Pacific/Auckland", "2026-01-31T23:00:00Z", "2026-02-01", "2026-01-31", "UTC has another date"},
		{"UTC", "2024-03-01T00:00:00Z", "2024-03-01", "2024-02-29", "a leap day"},
	}
	for _, test := range tests {
		t.Run(test.zone+" "+test.now, func(t *testing.T) {
			zone, err := time.LoadLocation(test.zone)
			if err != nil {
				t.Fatal(err)
			}
			time.Local = zone
			now, err := time.Parse(time.RFC3339, test.now)
			if err != nil {
				t.Fatal(err)
			}
			for _, parse := range []func(string, time.Time) (uint64, error){parseTime, parseEnd} {
				for word, date := range map[string]string{"today": test.today, "yesterday": test.yesterday} {
					got, err := parse(word, now)
					want, wantErr := parse(date, now)
					if err != nil || wantErr != nil || got != want {
						t.Errorf("%s: %d, %v; want %d as for %s: %s", word, got, err, want, date, test.reason)
					}
				}
			}
		})
	}
}

// TestParseEnd shows that a date includes its whole day, and that other times stay as they are.
func TestParseEnd(t *testing.T) {
	now := time.UnixMilli(1_764_000_000_000)
	runTimeTests(t, []timeTest{
		{name: "a date ends with its last millisecond", text: "2025-11-24", want: 1_764_025_199_999},
		{name: "today ends with its last millisecond", text: "today", want: 1_764_025_199_999},
		{name: "yesterday too", text: "yesterday", want: 1_763_938_799_999},
		{name: "a time is itself", text: "2025-11-24T16:00:00Z", want: 1_764_000_000_000},
		{name: "milliseconds are themselves", text: "1500", want: 1500},
		{name: "no time", text: "tomorrow", reason: "is not a time"},
	}, func(text string) (uint64, error) { return parseEnd(text, now) })
}
