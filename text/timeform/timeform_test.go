// SPDX-License-Identifier: Apache-2.0

package timeform

import (
	"errors"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // the zones of tests, on each machine

	"github.com/daybook-db/daybook/text"
)

func vienna(t testing.TB) *time.Location { return mustZone(t, "Europe/Vienna") }

func mustZone(t testing.TB, name string) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

// readOne detects the form of one text in Vienna and reads it.
func readOne(t *testing.T, sample string) (form, got string, err error) {
	t.Helper()
	f, err := Detect([]string{sample}, Options{Zone: vienna(t)})
	if err != nil {
		return "", "", err
	}
	ms, err := f.NewParser().ParseTime(sample)
	return f.String(), time.UnixMilli(int64(ms)).UTC().Format(time.RFC3339Nano), err
}

func TestForms(t *testing.T) {
	const inVienna = ", Europe/Vienna"
	const rfc3339 = "RFC 3339"
	tests := []struct {
		text, form, want string
		reason           string // why the row is here
	}{
		{"2024-01-31T23:59:59Z", rfc3339, "2024-01-31T23:59:59Z", "the usual form"},
		{"2024-01-31t23:59:59z", rfc3339, "2024-01-31T23:59:59Z", "small letters"},
		{"2024-01-31T23:59:60Z", rfc3339, "2024-02-01T00:00:00Z", "a leap second"},
		{"2024-01-31T23:59:59.123456789Z", rfc3339 + ", cut off below 1 ms",
			"2024-01-31T23:59:59.123Z", "a fraction is rounded down"},
		{"2024-01-31 23:59:59,5+01:00", rfc3339, "2024-01-31T22:59:59.5Z", "a blank, a comma and an offset"},
		{"2024-01-31T23:59:59-0130", rfc3339, "2024-02-01T01:29:59Z", "an offset without a colon"},
		{"2024-01-31T23:59:59+01", rfc3339, "2024-01-31T22:59:59Z", "an offset of hours"},
		{"2024-01-31 23:59:59 UTC", rfc3339, "2024-01-31T23:59:59Z", "the name UTC"},
		{"2024-01-31 23:59:59 GMT", rfc3339, "2024-01-31T23:59:59Z", "the name GMT"},
		{"2024-01-31 23:59:59 Z", rfc3339, "2024-01-31T23:59:59Z", "a blank before Z"},
		{"2024-01-31 23:59:59 GMT-05:00", rfc3339, "2024-02-01T04:59:59Z", "an offset after GMT"},
		{"2024-01-31 23:59:59 +0100 CET", rfc3339, "2024-01-31T22:59:59Z", "a name after the offset"},
		{"2024-01-31T23:59:59+01:00[Europe/Vienna]", rfc3339, "2024-01-31T22:59:59Z", "Java's ZonedDateTime"},
		{"2024-01-31T23:59:59Z[UTC]", rfc3339, "2024-01-31T23:59:59Z", "the same in UTC"},
		{"2024-01-31T23:59Z", "YYYY-MM-DD HH:MM with a zone", "2024-01-31T23:59:00Z", "no seconds"},
		{"2024-01-31 23:59:59", "YYYY-MM-DD HH:MM:SS" + inVienna, "2024-01-31T22:59:59Z", "no zone, winter"},
		{"2024-07-31T23:59:59.5", "YYYY-MM-DD HH:MM:SS.fff" + inVienna, "2024-07-31T21:59:59.5Z", "no zone, summer"},
		{"2024-01-31", "YYYY-MM-DD" + inVienna, "2024-01-30T23:00:00Z", "a date alone"},
		{"2024-10-27 02:30:00 CEST", "YYYY-MM-DD HH:MM:SS with a zone" + inVienna, "2024-10-27T00:30:00Z",
			"a name of the zone"},
		{"2024-10-27 02:30:00 CET", "YYYY-MM-DD HH:MM:SS with a zone" + inVienna, "2024-10-27T01:30:00Z",
			"its other name"},
		{"2024-01-31 5", "YYYY-MM-DD HH" + inVienna, "2024-01-31T04:00:00Z", "a column with the hour"},
		{"2024-01-31T23", "YYYY-MM-DD HH" + inVienna, "2024-01-31T22:00:00Z", "an hour alone"},
		{"31.01.2024 24", "DD.MM.YYYY HH" + inVienna, "2024-01-31T23:00:00Z", "the last of the hours 1 to 24"},
		{"2024 01 31 23 5", "YYYY MM DD HH:MM" + inVienna, "2024-01-31T22:05:00Z", "a column for each number"},
		{"2024 1 31 23 5 7", "YYYY MM DD HH:MM:SS" + inVienna, "2024-01-31T22:05:07Z", "the same with seconds"},
		{"2024 01 31", "YYYY MM DD" + inVienna, "2024-01-30T23:00:00Z", "three columns"},
		{"23:59:59 31.01.2024", "HH:MM:SS DD.MM.YYYY" + inVienna, "2024-01-31T22:59:59Z", "the time of day first"},
		{"10/24/25 12:30a", "MM/DD/YY HH:MM AM/PM" + inVienna, "2025-10-23T22:30:00Z", "a alone"},
		{"10/24/25 10:30 P", "MM/DD/YY HH:MM AM/PM" + inVienna, "2025-10-24T20:30:00Z", "P alone"},
		{"11:59 PM 1/31/24", "HH:MM AM/PM MM/DD/YY" + inVienna, "2024-01-31T22:59:00Z", "the same with PM"},
		{"23:59 31-Jan-2024", "HH:MM English dates" + inVienna, "2024-01-31T22:59:00Z", "the same with a name"},
		{"31.01.2024 23:59:59", "DD.MM.YYYY HH:MM:SS" + inVienna, "2024-01-31T22:59:59Z", "dots"},
		{"3.4.24 7:05", "DD.MM.YY HH:MM" + inVienna, "2024-04-03T05:05:00Z", "dots and no zeros"},
		{"01.02.2024, 07:05", "DD.MM.YYYY HH:MM" + inVienna, "2024-02-01T06:05:00Z", "a comma before the time of day"},
		{"01.02.2024 24:00", "DD.MM.YYYY HH:MM" + inVienna, "2024-02-01T23:00:00Z", "the end of a day"},
		{"2024/01/31 23:59", "YYYY/MM/DD HH:MM" + inVienna, "2024-01-31T22:59:00Z", "slashes, the year first"},
		{"2024.01.31 23:59", "YYYY.MM.DD HH:MM" + inVienna, "2024-01-31T22:59:00Z", "dots, the year first"},
		{"29/10/2025 00:00", "DD/MM/YYYY HH:MM" + inVienna, "2025-10-28T23:00:00Z", "29 is first"},
		{"06/13/22 07:00:00 PM", "MM/DD/YY HH:MM:SS AM/PM" + inVienna, "2022-06-13T17:00:00Z", "13 is second"},
		{"06/13/2022 12:00 AM", "MM/DD/YYYY HH:MM AM/PM" + inVienna, "2022-06-12T22:00:00Z", "12 AM is 0"},
		{"06/13/2022 12:30PM", "MM/DD/YYYY HH:MM AM/PM" + inVienna, "2022-06-13T10:30:00Z", "12 PM is 12"},
		{"6/13/2022, 7:00:00\u202fPM", "MM/DD/YYYY HH:MM:SS AM/PM" + inVienna, "2022-06-13T17:00:00Z",
			"what JavaScript makes of a time"},
		{"13-06-2022 7:00\u00a0PM", "DD-MM-YYYY HH:MM AM/PM" + inVienna, "2022-06-13T17:00:00Z", "the other space"},
		{"13-06-2022 7:00 p. m.", "DD-MM-YYYY HH:MM AM/PM" + inVienna, "2022-06-13T17:00:00Z", "PM with dots"},
		{"02-Jan-2024", "English dates" + inVienna, "2024-01-01T23:00:00Z", "a name of a month"},
		{"2 January 2024 15:04", "English dates HH:MM" + inVienna, "2024-01-02T14:04:00Z", "a whole name"},
		{"Jan 2, 2024 3:04 PM", "English dates HH:MM AM/PM" + inVienna, "2024-01-02T14:04:00Z",
			"the month first"},
		{"Mon Jan  2 15:04:05 2006", "English dates HH:MM:SS" + inVienna, "2006-01-02T14:04:05Z",
			"the year last"},
		{"Mon Jan  2 15:04:05 UTC 2006", "English dates HH:MM:SS with a zone", "2006-01-02T15:04:05Z",
			"a zone before the year"},
		{"Tue, 02 Jan 2024 15:04:05 GMT", "English dates HH:MM:SS with a zone", "2024-01-02T15:04:05Z",
			"RFC 1123"},
		{"02/Jan/2024:15:04:05 +0100", "English dates HH:MM:SS with a zone", "2024-01-02T14:04:05Z",
			"a web server's log"},
		{"31/01/2024 8h05", "DD/MM/YYYY HH:MM" + inVienna, "2024-01-31T07:05:00Z", "French"},
		{"31/01/2024 10 h 30", "DD/MM/YYYY HH:MM" + inVienna, "2024-01-31T09:30:00Z", "the same with blanks"},
		{"31/01/2024 10H30m15", "DD/MM/YYYY HH:MM:SS" + inVienna, "2024-01-31T09:30:15Z", "and seconds"},
		{"31/01/2024 10 h 30 min 15 s", "DD/MM/YYYY HH:MM:SS" + inVienna, "2024-01-31T09:30:15Z", "and all units"},
		{"31/01/2024 10 h 30 min", "DD/MM/YYYY HH:MM" + inVienna, "2024-01-31T09:30:00Z", "and the unit of minutes"},
		{"2024-01-31 10h", "YYYY-MM-DD HH" + inVienna, "2024-01-31T09:00:00Z", "an hour with its unit"},
		{"2024-01-31T10h30+02:00", "YYYY-MM-DD HH:MM with a zone", "2024-01-31T08:30:00Z", "a zone after it"},
		{"31.01.2024 10:30 Uhr", "DD.MM.YYYY HH:MM" + inVienna, "2024-01-31T09:30:00Z", "German"},
		{"20240131T235959Z", "YYYYMMDD HH:MM:SS with a zone", "2024-01-31T23:59:59Z", "ISO 8601 without separators"},
		{"20240131T240000", "YYYYMMDD HH:MM:SS" + inVienna, "2024-01-31T23:00:00Z", "the end of a day"},
		{"20240131-2359", "YYYYMMDD HH:MM" + inVienna, "2024-01-31T22:59:00Z", "a dash"},
		{"20240131 23:59", "YYYYMMDD HH:MM" + inVienna, "2024-01-31T22:59:00Z", "date and time joined"},
		{"1764000000", "Unix time in s", "2025-11-24T16:00:00Z", "seconds"},
		{"1764000000123.5", "Unix time in ms, cut off below 1 ms", "2025-11-24T16:00:00.123Z",
			"milliseconds with a fraction"},
		{"1.764e9", "Unix time in s", "2025-11-24T16:00:00Z", "an exponent"},
		{"1571140860123456", "Unix time in us, cut off below 1 ms", "2019-10-15T12:01:00.123Z", "microseconds"},
		{"1764000000123456789", "Unix time in ns, cut off below 1 ms", "2025-11-24T16:00:00.123Z", "nanoseconds"},
	}
	for _, test := range tests {
		t.Run(test.text, func(t *testing.T) {
			form, got, err := readOne(t, test.text)
			if err != nil || form != test.form || got != test.want {
				t.Errorf("%s: %q gives %s, %v, as %q; want %s as %q",
					test.reason, test.text, got, err, form, test.want, test.form)
			}
		})
	}
}

func TestRefusedForms(t *testing.T) {
	tests := []struct {
		text   string
		want   string // a part of the error
		cause  error
		reason string // why the row is here
	}{
		{"03/04/2024", "may be 2024-03-04 (MM/DD/YYYY) or 2024-04-03 (DD/MM/YYYY)", ErrAmbiguous, "no day above 12"},
		{"03-04-2024 10:00", `"03-04-2024 10:00" is ambiguous`, ErrAmbiguous, "dashes, the year last"},
		{"2024-10-27 02:30:00", "came twice, because the clock was set back in Europe/Vienna", ErrRepeated, "autumn"},
		{"2024-03-31 02:30", "did not exist, because the clock was set forward in Europe/Vienna", ErrSkipped, "spring"},
		{"20140214", "is not a time without a unit", text.ErrNoUnit, "a date that is a number"},
		{"20140214120000", "is not a time without a unit", text.ErrNoUnit, "a time that is a number"},
		{"5", "is not a time without a unit", text.ErrNoUnit, "a small number"},
		{"9999999999", "is not a plausible time", text.ErrImplausible, "seconds in the future"},
		{"2010", "is not a time without a unit", text.ErrNoUnit, "a year"},
		{"41684.6", "is not a time without a unit", text.ErrNoUnit, "a day of Excel"},
		{"2024-02-30", "is not a time", text.ErrNotTime, "a day that February has not"},
		{"2023-02-29 10:00", "is not a time", text.ErrNotTime, "a day that this February has not"},
		{"31.04.2024 10:00", "is not a time", text.ErrNotTime, "a day that April has not"},
		{"2024-01-31 24:01", "is not a time", text.ErrNotTime, "after the end of the day"},
		{"2024-01-31 23:60", "is not a time", text.ErrNotTime, "minute 60"},
		{"2024-01-31 23:59:61", "is not a time", text.ErrNotTime, "second 61"},
		{"2024-01-31 13:00 PM", "is not a time", text.ErrNotTime, "hour 13 of 12"},
		{"2024-01-31 00:00 AM", "is not a time", text.ErrNotTime, "hour 0 of 12"},
		{"24:01:02", "is not a time", text.ErrNotTime, "a time of day is no date"},
		{"Jan 2 15:04:05", "is not a time", text.ErrNotTime, "no year"},
		{"noon", "is not a time", text.ErrNotTime, "a word"},
		{"2024-01-31T23:59:59+01:00[Europe/Vienna", "is not a time", text.ErrNotTime, "a bracket that is not closed"},
		{"2024-01-31T23:59:59+01:00[Europe/Vienna]x", "is not a time", text.ErrNotTime, "text after a zone"},
		{"2024-01-31T23:59:59Z5", "is not a time", text.ErrNotTime, "text after Z"},
		{"2024-01-31T23:59:59+1:2", "is not a time", text.ErrNotTime, "an offset with minutes of one digit"},
		{"2024-01-31T23:59:59+24:00", "is not a time", text.ErrNotTime, "an offset of a day"},
		{"2024-01-31T23:59:59.", "is not a time", text.ErrNotTime, "a fraction without digits"},
		{"2024-01-31T10.30", "is not a time", text.ErrNotTime, "dots in a time of day without seconds"},
		{"12024-01-31", "is not a time", text.ErrNotTime, "a year of five digits"},
		{"2024-001-31", "is not a time", text.ErrNotTime, "a month of three digits"},
		{"2024-01/31", "is not a time", text.ErrNotTime, "two separators"},
		{"2024-01-31 1h5", "is not a time", text.ErrNotTime, "a minute of one digit"},
		{"2024-01-31 1h30m", "is not a time", text.ErrNotTime, "a duration"},
		{"2024-01-31 1h30m5s", "is not a time", text.ErrNotTime, "a duration with a second of one digit"},
		{"2024-01-31 25h30", "is not a time", text.ErrNotTime, "hour 25 of a duration"},
		{"2024-01-31 10h60", "is not a time", text.ErrNotTime, "minute 60 after a letter"},
		{"2024-01-31 10h30m61s", "is not a time", text.ErrNotTime, "second 61 after letters"},
		{"2024-01-31 10hrs", "is not a time", text.ErrNotTime, "another word for hours"},
		{"2024-01-31 10h301", "is not a time", text.ErrNotTime, "three digits after a letter"},
		{"10h30", "is not a time", text.ErrNotTime, "a time of day is no date, with a letter either"},
		{"2024-01-31 Z", "is not a time", text.ErrNotTime, "a zone without a time of day"},
		{"2024-01-31é10:00", "is not a time", text.ErrNotTime, "a letter for the blank"},
		{"2024-01-31 é10:00", "is not a time", text.ErrNotTime, "a letter after the blank"},
		{"2024-01-", "is not a time", text.ErrNotTime, "no day"},
		{"-01-2024", "is not a time", text.ErrNotTime, "no day before the month"},
		{"10:00 11:00", "is not a time", text.ErrNotTime, "two times of day"},
		{"10:00 11:00 31.01.2024", "is not a time", text.ErrNotTime, "two times of day before a date"},
		{"10:00 31.01.2024 11:00", "is not a time", text.ErrNotTime, "a date between times of day"},
		{"10:00 03/04/2024", "is ambiguous", ErrAmbiguous, "the time of day first"},
		{"2024-01-31 25", "is not a time", text.ErrNotTime, "hour 25"},
		{"2024-01-31 5 60", "is not a time", text.ErrNotTime, "minute 60 in a column"},
		{"2024-01-31 5 5 5 5", "is not a time", text.ErrNotTime, "a number more"},
		{"31 01 2024", "is not a time", text.ErrNotTime, "numbers with blanks, the day first"},
		{"24 01 31", "is not a time", text.ErrNotTime, "numbers with blanks, a short year"},
		{"20240131T240001", "is not a time", text.ErrNotTime, "after the end of the day, without separators"},
		{"20240131T236000", "is not a time", text.ErrNotTime, "minute 60, without separators"},
		{"20240131T235961", "is not a time", text.ErrNotTime, "second 61, without separators"},
		{"20240131T", "is not a time", text.ErrNotTime, "a T at the end"},
		{"31.01.024", "is not a time", text.ErrNotTime, "a year of three digits"},
		{"024-01-31", "is not a time", text.ErrNotTime, "a year of three digits that is first"},
		{"Jan2,2024", "is not a time", text.ErrNotTime, "no blank after the month"},
		{"Jan 2 2024x", "is not a time", text.ErrNotTime, "text after the year"},
		{"Mon Jan  2 15:04:05 UTC", "is not a time", text.ErrNotTime, "no year after the zone"},
		{"Mon Jan  2 15:04:05 UTC 24", "is not a time", text.ErrNotTime, "a short year at the end"},
		{"20240131T2359590Z", "is not a time", text.ErrNotTime, "seven digits of a time of day"},
		{"1.2.3.4", "is not a time", text.ErrNotTime, "an address"},
		{"2024-01-31 10:00 PST", "has no time zone", text.ErrNoZone, "a name that Vienna does not have"},
		{"1960-01-31", "before 1970", nil, "what no daybook holds"},
		{"1979-12-31", "is not a plausible time", text.ErrImplausible, "before there were such files"},
		{"2999-01-01", "is not a plausible time", text.ErrImplausible, "the future"},
	}
	for _, test := range tests {
		t.Run(test.text, func(t *testing.T) {
			_, got, err := readOne(t, test.text)
			if err == nil || !errors.As(err, new(*text.TimeError)) || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("%s: %q gives %s, %v; want a *text.TimeError with %q",
					test.reason, test.text, got, err, test.want)
			}
			if test.cause != nil && !errors.Is(err, test.cause) {
				t.Errorf("%s: %q gives %v; want that it matches %q", test.reason, test.text, err, test.cause)
			}
		})
	}
}

func TestLooks(t *testing.T) {
	tests := []struct {
		samples string // between bars
		want    Likelihood
		reason  string
	}{
		{"2024-01-31T23:59:59Z", Times, "RFC 3339"},
		{"03/04/2024 10:00|04/04/2024 10:00", Times, "times whose form is ambiguous"},
		{"||2024-01-31 10:00", Times, "empty cells do not count"},
		{"2024-01-31 10:00|2024-01-31 10:01|2024-01-31 10:02|Total", Times, "one text in four"},
		{"2024-01-31|21.5", NotTimes, "half of them"},
		{"2024-01-31", Dates, "dates"},
		{"10:00|23:59:59|7:05 PM", Clocks, "times of day"},
		{"10h30|8 h 05|10h30m15", Clocks, "times of day with a letter"},
		{"1h30m|0h05m", NotTimes, "durations"},
		{"10h30m15s|1h05m20s", NotTimes, "durations with seconds"},
		{"10 h 30 min", NotTimes, "a duration with blanks"},
		{"10h|8h", NotTimes, "hours"},
		{"1764000000", Numbers, "a number of ten digits"},
		{"5|12", NotTimes, "hours alone"},
		{"21.5|20", NotTimes, "readings"},
		{"20140214", NotTimes, "a number of eight digits"},
		{"1.2.3.4", NotTimes, "an address"},
		{"", NotTimes, "nothing"},
	}
	for _, test := range tests {
		if got := Looks(strings.Split(test.samples, "|")); got != test.want {
			t.Errorf("%s: Looks(%q) is %v; want %v", test.reason, test.samples, got, test.want)
		}
	}
}
