// SPDX-License-Identifier: Apache-2.0

package main

import (
	"math"
	"strings"
	"testing"
	"time"
)

// timeTest is a text that is a time, or the reason why not.
type timeTest struct {
	why   string
	text  string
	want  uint64
	fault string
}

func runTimeTests(t *testing.T, tests []timeTest, parse func(string) (uint64, error)) {
	for _, test := range tests {
		t.Run(test.why, func(t *testing.T) {
			got, err := parse(test.text)
			switch {
			case test.fault == "" && (err != nil || got != test.want):
				t.Errorf("%q: %d, %v; want %d", test.text, got, err, test.want)
			case test.fault != "" && (err == nil || !strings.Contains(err.Error(), test.fault)):
				t.Errorf("%q: %d, %v; want an error with %q", test.text, got, err, test.fault)
			}
		})
	}
}

func TestParseTime(t *testing.T) {
	now := time.UnixMilli(1_764_000_000_000)
	runTimeTests(t, []timeTest{
		{why: "RFC 3339 in UTC", text: "2025-11-24T16:00:00Z", want: 1_764_000_000_000},
		{why: "an offset", text: "2025-11-24T17:00:00+01:00", want: 1_764_000_000_000},
		{why: "milliseconds", text: "2025-11-24T16:00:00.123Z", want: 1_764_000_000_123},
		{why: "finer than a millisecond is cut off", text: "2025-11-24T16:00:00.1239Z", want: 1_764_000_000_123},
		{why: "a space for the T", text: "2025-11-24 16:00:00Z", want: 1_764_000_000_000},
		{why: "a date starts at local midnight", text: "2025-11-24", want: 1_763_938_800_000},
		{why: "digits are milliseconds, however few", text: "1500", want: 1500},
		{why: "the first millisecond", text: "0", want: 0},
		{why: "the last millisecond", text: "18446744073709551615", want: math.MaxUint64},
		{why: "an hour ago", text: "-1h", want: 1_763_996_400_000},
		{why: "a week ago", text: "-7d", want: 1_763_395_200_000},
		{why: "the same in weeks", text: "-1w", want: 1_763_395_200_000},
		{why: "several units", text: "-1h30m", want: 1_763_994_600_000},
		{why: "ninety minutes", text: "-90m", want: 1_763_994_600_000},
		{why: "the future", text: "+1s", want: 1_764_000_001_000},
		{why: "now", text: "-0", want: 1_764_000_000_000},

		{why: "seconds, which would be in January 1970", text: "1764000000", fault: `looks like Unix seconds: want Unix milliseconds, 1764000000000`},
		{why: "the last that looks like seconds", text: "99999999999", fault: "looks like Unix seconds"},
		{why: "the first that does not", text: "100000000000", want: 100_000_000_000},
		{why: "nothing", text: "", fault: "is not a time"},
		{why: "no zone and no seconds", text: "2025-11-24 16:00", fault: "has no time zone"},
		{why: "longer ago than a duration can be", text: "-400000d", fault: "before 1970"},
		{why: "further ahead than a duration can be", text: "+400000d", fault: "292 years ahead"},
		{why: "a word", text: "yesterday", fault: "is not a time"},
		{why: "no zone", text: "2025-11-24T16:00:00", fault: "has no time zone"},
		{why: "a day that does not exist", text: "2025-02-30", fault: "is not a time"},
		{why: "more than 64 bits", text: "18446744073709551616", fault: "64 bits"},
		{why: "a duration without its sign", text: "7d", fault: "is written -7d"},
		{why: "a relative time without its unit", text: "-7", fault: "units"},
		{why: "a unit that does not exist", text: "-7y", fault: "units"},
		{why: "a sign alone", text: "-", fault: "units"},
		{why: "before time starts", text: "1969-12-31T23:59:59Z", fault: "before 1970"},
		{why: "longer ago than time starts", text: "-3000w", fault: "before 1970"},
	}, func(text string) (uint64, error) { return parseTime(text, now) })
}

func TestParseCutoff(t *testing.T) {
	now := time.UnixMilli(1_764_000_000_000)
	runTimeTests(t, []timeTest{
		{why: "an age in days", text: "7d", want: 1_763_395_200_000},
		{why: "an age in hours and minutes", text: "1h30m", want: 1_763_994_600_000},
		{why: "written as a relative time it means the same", text: "-7d", want: 1_763_395_200_000},
		{why: "no age at all is now", text: "0s", want: 1_764_000_000_000},
		{why: "digits are milliseconds, not days", text: "7", want: 7},
		{why: "zero too", text: "0", want: 0},
		{why: "a time", text: "2025-11-24T16:00:00Z", want: 1_764_000_000_000},
		{why: "a date", text: "2025-11-24", want: 1_763_938_800_000},

		{why: "now by another name", text: "1764000000000", want: 1_764_000_000_000},

		{why: "the future, which would delete everything", text: "+7d", fault: "in the future"},
		{why: "a date in the future", text: "3000-01-01", fault: "in the future"},
		{why: "the next millisecond", text: "1764000000001", fault: "in the future"},
		{why: "the last millisecond there is", text: "18446744073709551615", fault: "in the future"},
		{why: "an age longer than a duration can be", text: "400000d", fault: "before 1970"},
		{why: "the same as a relative time", text: "-400000d", fault: "before 1970"},
		{why: "nothing", text: "", fault: "is not a time"},
		{why: "an age before time starts", text: "3000w", fault: "before 1970"},
	}, func(text string) (uint64, error) { return parseCutoff(text, now) })
}

func TestFormatTime(t *testing.T) {
	tests := []struct {
		why  string
		ms   uint64
		want string
	}{
		{"local time with milliseconds", 1_764_000_000_120, "2025-11-24T17:00:00.120+01:00"},
		{"the first millisecond", 0, "1970-01-01T01:00:00.000+01:00"},
		{"past the year 9999 it is a number", maxRFC3339 + 1, "253402300800000"},
		{"the last millisecond", math.MaxUint64, "18446744073709551615"},
	}
	for _, test := range tests {
		if got := formatTime(test.ms); got != test.want {
			t.Errorf("%s: %q; want %q", test.why, got, test.want)
		}
	}
}
