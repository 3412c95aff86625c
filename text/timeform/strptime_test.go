// SPDX-License-Identifier: Apache-2.0

package timeform

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/daybook-db/daybook/text"
)

func TestStrptime(t *testing.T) {
	tests := []struct {
		text, formats string // formats are between bars
		want          string
		reason        string // why the row is here
	}{
		{"03/04/2024 10:00", "%d/%m/%Y %H:%M", "2024-04-03T08:00:00Z", "a date that detection finds ambiguous"},
		{"03/04/2024 10:00", "%m/%d/%Y %H:%M", "2024-03-04T09:00:00Z", "the same in another format"},
		{"20140214", "%Y%m%d", "2014-02-13T23:00:00Z", "a number; a date alone is the first instant of the day"},
		{"20140214120000", "%Y%m%d%H%M%S", "2014-02-14T11:00:00Z", "a number with 14 digits"},
		{"2024-01-31 10:00:00.123456", "%F %T.%f", "2024-01-31T09:00:00.123Z", "a fraction"},
		{"2024-01-31 10:00 +0500", "%F %R %z", "2024-01-31T05:00:00Z", "an offset"},
		{"2024-01-31 10:00 +0000", "%F %R %z", "2024-01-31T10:00:00Z", "the offset 0"},
		{"2024-01-31T10:00Z", "%FT%R%z", "2024-01-31T10:00:00Z", "Z for the offset"},
		{"2024-01-31 10:00 UTC", "%F %R %Z", "2024-01-31T10:00:00Z", "UTC by its name"},
		{"2024-01-31 10:00 GMT", "%F %R %Z", "2024-01-31T10:00:00Z", "UTC by its other name"},
		{"2024-10-27 02:30 CEST", "%F %R %Z", "2024-10-27T00:30:00Z", "the first pass by its name"},
		{"2024-10-27 02:30 CET", "%F %R %Z", "2024-10-27T01:30:00Z", "the second pass by its name"},
		{"1764000000", "%s", "2025-11-24T16:00:00Z", "Unix seconds"},
		{"2024 366 10:00", "%Y %j %H:%M", "2024-12-31T09:00:00Z", "the last day of a leap year"},
		{"2024 1 10:00", "%Y %j %H:%M", "2024-01-01T09:00:00Z", "the first day of a year"},
		{"29.02.24 12:05 AM", "%d.%m.%y %I:%M %p", "2024-02-28T23:05:00Z", "29 February, after midnight"},
		{"Mon Jan  1 10:00:00 2024", "%a %b %e %H:%M:%S %Y", "2024-01-01T09:00:00Z", "names"},
		{"2024-02-01 10:00", "%d.%m.%Y %H:%M|%Y-%m-%d %H:%M", "2024-02-01T09:00:00Z", "the second of two formats"},
		{"1.2.3 10:00", "%d.%m.%y %H:%M|%m.%d.%y %H:%M", "2003-02-01T09:00:00Z", "the first that fits"},

		{"20240131 93000", "%Y%m%d %H%M%S", "2024-01-31T08:30:00Z", "a time of day that lost a zero"},
		{"20240131 10000", "%Y%m%d %H%M%S", "2024-01-31T00:00:00Z", "one o'clock, not ten o'clock"},
		{"20240131 0", "%Y%m%d %H%M", "2024-01-30T23:00:00Z", "midnight that lost three zeros"},
		{"2024-01-31 1430", "%Y-%m-%d %H%M", "2024-01-31T13:30:00Z", "all four digits"},

		{"20240131 9300", "%Y%m%d %H%M", "is not a time", "hour 93"},
		{"20240131 1930001", "%Y%m%d %H%M%S", "is not a time", "seven digits"},
		{"2024-01-31 10:00 PST", "%F %R %Z", "has no time zone", "a name that Vienna does not have"},
		{"2024-01-31 10:00 +03", "%F %R %Z", "has no time zone", "an offset where a name is wanted"},
		{"31.04.2024", "%d.%m.%Y", "is not a time", "a day that April has not"},
		{"30.02.2024 10:00", "%d.%m.%Y %H:%M", "is not a time", "a day that February has not"},
		{"2023 366", "%Y %j", "is not a time", "a day that 2023 has not"},
		{"2024-01-31 10:00:30", "%Y-%m-%d %H:%M", `"2024-01-31 10:00:30" is not a time: want the format %Y`, "a rest"},
		{"2024-01-31", "%Y-%q", "is not a time", "a directive that does not exist"},
		{"2024-01-31", "%", "is not a time", "a format that is none"},
		{"10:00", "%H:%M", "before 1970", "a format without a year"},
		{"2024-03-31 02:30", "%F %R", "did not exist", "a skipped hour"},
		{"2024-10-27 02:30", "%F %R", "came twice", "a repeated hour"},
	}
	for _, test := range tests {
		t.Run(test.text, func(t *testing.T) {
			got, err := readFormats(t, test.text, strings.Split(test.formats, "|"))
			if err != nil {
				got = err.Error()
			}
			if err == nil && got != test.want || !strings.Contains(got, test.want) {
				t.Errorf("%s: %q by %q gives %s; want %s", test.reason, test.text, test.formats, got, test.want)
			}
			if err != nil && !errors.As(err, new(*text.TimeError)) {
				t.Errorf("error %T; want a *text.TimeError", err)
			}
		})
	}
}

func readFormats(t *testing.T, sample string, formats []string) (string, error) {
	f, err := Detect([]string{sample}, Options{Zone: vienna(t), Formats: formats})
	if err != nil {
		return "", err
	}
	ms, err := f.NewParser().ParseTime(sample)
	return time.UnixMilli(int64(ms)).UTC().Format(time.RFC3339Nano), err
}

// TestEachDayByFormat reads each number from 1 to 31 as the day of each month.
func TestEachDayByFormat(t *testing.T) {
	for _, format := range []string{"%Y-%m-%d", "%F", "%d.%m.%Y", "%e %B %Y"} {
		for day := time.Date(2023, 1, 1, 0, 0, 0, 0, time.UTC); day.Year() < 2025; day = day.AddDate(0, 0, 1) {
			checkDay(t, format, day.Year(), int(day.Month()), day.Day(), true)
		}
		for _, day := range [][3]int{{2023, 2, 29}, {2023, 2, 30}, {2023, 2, 31}, {2024, 2, 31}, {2024, 4, 31}} {
			checkDay(t, format, day[0], day[1], day[2], false)
		}
	}
}

func checkDay(t *testing.T, format string, year, month, day int, exists bool) {
	t.Helper()
	name := time.Month(month).String()
	text := strings.NewReplacer("%F", "%Y-%m-%d").Replace(format)
	text = strings.NewReplacer("%Y", strconv.Itoa(year), "%m", fmt.Sprintf("%02d", month),
		"%d", fmt.Sprintf("%02d", day), "%e", strconv.Itoa(day), "%B", name).Replace(text)
	var c civil
	ok := readFormat(text, format, &c)
	if ok != exists || ok && (c.year != year || c.month != month || c.day != day) {
		t.Errorf("%q by %q: %v, %d-%d-%d; want %v", text, format, ok, c.year, c.month, c.day, exists)
	}
}
