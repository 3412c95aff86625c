// SPDX-License-Identifier: Apache-2.0

package timeform

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/daybook-db/daybook/text"
)

func TestDecide(t *testing.T) {
	tests := []struct {
		name    string
		samples string // between bars
		want    string // the form, or a part of the error
	}{
		{"a day above 12 in the last sample", "03/04/2024|04/04/2024|13/04/2024", "DD/MM/YYYY"},
		{"the same with the month first", "03/04/2024|04/04/2024|04/13/2024", "MM/DD/YYYY"},
		{"dashes", "03-04-24|04-13-24", "MM-DD-YY"},
		{"two digits, the year first", "99/12/30|99/12/31", "YY/MM/DD"},
		{"a short year with a day of one digit", "1/13/22", "MM/DD/YY"},
		{"each number may be each", "10/11/12",
			"2010-11-12 (YY/MM/DD) or 2012-10-11 (MM/DD/YY) or 2012-11-10 (DD/MM/YY)"},
		{"both orders", "13/04/2024|04/13/2024", "is ambiguous: it is MM/DD/YYYY, and others are DD/MM/YYYY"},
		{"both orders, one of them more often", "13/04/2024|14/04/2024|04/13/2024|01/02/2024",
			`"04/13/2024" is ambiguous: it is MM/DD/YYYY, and others are DD/MM/YYYY`},
		{"two forms", "2024-04-13|13.04.2024", "is ambiguous: it is YYYY-MM-DD, and others are DD.MM.YYYY"},
		{"one other text among many", "2024-04-13|2024-04-14|Total", "YYYY-MM-DD"},
		{"one number among many", "5|2024-04-13|2024-04-14", "YYYY-MM-DD"},
		{"too many other texts", "2024-04-13|Total|Mean", `"Total" is not a time`},
		{"over midnight, the day first", "03/04/2024 23:50|03/04/2024 23:55|04/04/2024 00:00", "DD/MM/YYYY HH:MM"},
		{"over midnight, the month first", "03/04/24 11:50 PM|03/04/24 11:55 PM|03/05/24 12:00 AM",
			"MM/DD/YY HH:MM AM/PM"},
		{"over midnight, the newest first", "04/04/2024 00:00|03/04/2024 23:30|03/04/2024 23:00", "DD/MM/YYYY HH:MM"},
		{"over midnight, but steps of two hours", "03/04/2024 20:00|03/04/2024 22:00|04/04/2024 00:00", "is ambiguous"},
		{"over midnight after a gap", "03/04/2024 22:00|03/04/2024 22:05|04/04/2024 00:00", "is ambiguous"},
		{"never over midnight", "03/04/2024 23:50|03/04/2024 23:55", "is ambiguous"},
		{"one sample a day", "03/04/2024 23:50|04/04/2024 23:50", "is ambiguous"},
		{"dates alone", "01/02/2024|01/03/2024|01/04/2024", "is ambiguous"},
		{"nothing", " |", "it has no time"},
		{"numbers that are more than dates", "1764000000|1764000001|2024-01-01", "Unix time in s"},
		{"numbers that are mostly no times", "1764000000|5|6", `"5" is not a time without a unit`},
		{"numbers, half of which are times", "1764000000|5", "Unix time in s"},
		{"numbers of two units", "1764000000|1764000001000", "Unix time in s or ms"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f, err := Detect(strings.Split(test.samples, "|"), Options{Zone: vienna(t)})
			if err != nil {
				if !strings.Contains(err.Error(), test.want) {
					t.Fatalf("error %v; want %q", err, test.want)
				}
				if saysSo := strings.Contains(err.Error(), "is ambiguous"); saysSo != errors.Is(err, ErrAmbiguous) {
					t.Errorf("error %v matches ErrAmbiguous: %v; want %v", err, !saysSo, saysSo)
				}
				return
			}
			if got := strings.TrimSuffix(f.String(), ", Europe/Vienna"); got != test.want {
				t.Errorf("form %q; want %q", got, test.want)
			}
		})
	}
}

// TestLinesThatLackSomething wants that a line is refused that has lost what all samples had.
func TestLinesThatLackSomething(t *testing.T) {
	tests := []struct{ name, sample, line, want string }{
		{"the time of day", "2024-01-31 10:00", "2024-01-31", "is not a time: want YYYY-MM-DD HH:MM"},
		{"AM or PM", "01/31/2024 10:00 AM", "01/31/2024 11:00", "is not a time: want MM/DD/YYYY HH:MM AM/PM"},
		{"the zone", "2024-01-31 10:00Z", "2024-01-31 11:00", "has no time zone: want one, as the lines before"},
		{"digits of the year", "31.01.2024 10:00", "31.01.24 11:00", "is not a time: want DD.MM.YYYY HH:MM"},
		{"its order", "31/01/2024 10:00", "01/31/2024 11:00", "is not a time: want DD/MM/YYYY HH:MM"},
		{"its separator", "2024-01-31 10:00", "2024/01/31 11:00", "is not a time: want YYYY-MM-DD HH:MM"},
		{"its date", "20240131T100000", "T10:00", "is not a time: want YYYYMMDD HH:MM:SS"},
		{"digits of a number", "1764000000", "176400000", "is not a time without a unit"},
		{"seconds, which is no harm", "2024-01-31 10:00:01", "2024-01-31 11:00", ""},
		{"no zone, which is no harm", "2024-01-31 10:00", "2024-01-31 11:00Z", ""},
		{"no fraction, which is no harm", "2024-01-31 10:00:01", "2024-01-31 11:00:01.5", ""},
		{"no time of day, which is no harm", "2024-01-31", "2024-01-31 11:00", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f, err := Detect([]string{test.sample}, Options{Zone: time.UTC})
			if err != nil {
				t.Fatal(err)
			}
			_, err = f.NewParser().ParseTime(test.line)
			got := fmt.Sprint(err)
			if test.want == "" && err != nil || !strings.Contains(got, test.want) {
				t.Errorf("%q after %q: %v; want %q", test.line, test.sample, err, test.want)
			}
		})
	}
}

// TestSomeHaveZones wants an error where this machine's zone would be that of some times alone.
func TestSomeHaveZones(t *testing.T) {
	samples := []string{"2024-01-31T10:00:00Z", "2024-01-31 10:05:00", "2024-01-31T10:10:00Z"}
	_, err := Detect(samples, Options{})
	if !errors.Is(err, text.ErrNoZone) || !strings.Contains(err.Error(), samples[1]) {
		t.Errorf("error %v; want one about %q", err, samples[1])
	}
	if _, err := Detect(samples, Options{Zone: time.UTC}); err != nil {
		t.Errorf("with a zone: %v", err)
	}
}

// TestIsDay compares the calendar with that of package time.
func TestIsDay(t *testing.T) {
	for year := 1970; year < 2410; year++ {
		for month := 0; month <= 13; month++ {
			for day := 0; day <= 32; day++ {
				date := time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
				want := date.Year() == year && int(date.Month()) == month && date.Day() == day
				if got := isDay(year, month, day); got != want {
					t.Fatalf("%d-%d-%d: %v; want %v", year, month, day, got, want)
				}
			}
		}
	}
}

// TestAnyTime wants that no time is refused for being early or late, and that a unit is believed.
func TestAnyTime(t *testing.T) {
	for _, sample := range []string{"1970-01-02", "2999-01-01", "9999999999", "5"} {
		f, err := Detect([]string{sample}, Options{Zone: time.UTC, Unit: text.Seconds, AnyTime: true})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.NewParser().ParseTime(sample); err != nil {
			t.Errorf("%q: %v; want none", sample, err)
		}
	}
}

// TestLocalName wants what a person calls this machine's zone.
func TestLocalName(t *testing.T) {
	tests := []struct{ name, tz, want string }{
		{"a name", "Europe/Vienna", "Europe/Vienna"},
		{"a name after a colon", ":Europe/Vienna", "Europe/Vienna"},
		{"a file", "/usr/share/zoneinfo/Europe/Vienna", "Europe/Vienna"},
		{"UTC", "", "UTC"},
		{"UTC by its long name", "Etc/UTC", "UTC"},
		{"no zone", "Nowhere/Town", ""},
		{"a file with no name", "/tmp/zone", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv("TZ", test.tz)
			if got := localName(); got != test.want {
				t.Errorf("TZ is %q: %q; want %q", test.tz, got, test.want)
			}
		})
	}
}

// TestNameOfZone wants that the sentence says which zone is this machine's.
func TestNameOfZone(t *testing.T) {
	zone := vienna(t)
	tests := []struct {
		name        string
		zone, local *time.Location
		want        string
	}{
		{"a zone that was said", zone, time.UTC, "Europe/Vienna"},
		{"an offset", time.FixedZone("", -5*3600), time.UTC, "UTC-05:00"},
		{"this machine's zone", zone, zone, "Europe/Vienna (this machine's zone)"},
	}
	local := time.Local
	defer func() { time.Local = local }()
	for _, test := range tests {
		time.Local = test.local
		if got := nameOfZone(test.zone); got != test.want {
			t.Errorf("%s: %q; want %q", test.name, got, test.want)
		}
	}
}
