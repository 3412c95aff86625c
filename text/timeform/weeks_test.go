// SPDX-License-Identifier: Apache-2.0

package timeform

import (
	"fmt"
	"testing"
	"time"
)

// TestWeekDates compares the dates of weeks with those of package time, for all days of 40 years.
func TestWeekDates(t *testing.T) {
	for date := time.Date(1995, 1, 1, 0, 0, 0, 0, time.UTC); date.Year() < 2035; date = date.AddDate(0, 0, 1) {
		year, week := date.ISOWeek()
		weekday := (int(date.Weekday())+6)%7 + 1
		for order, text := range map[order]string{
			weekDate: fmt.Sprintf("%04d-W%02d-%d", year, week, weekday),
			ordinal:  date.Format("2006-002"),
		} {
			var c civil
			if !(layout{order: order}).read(text, &c) || c.local() != date.Unix() {
				t.Fatalf("%s is %04d-%02d-%02d; want %s", text, c.year, c.month, c.day, date)
			}
		}
	}
}

func TestWeekForms(t *testing.T) {
	const inVienna = ", Europe/Vienna"
	tests := []struct{ text, form, want string }{
		{"2026-W05-3", "YYYY-Www-D" + inVienna, "2026-01-27T23:00:00Z"},
		{"2026-W05-3T10:00:00Z", "YYYY-Www-D HH:MM:SS with a zone", "2026-01-28T10:00:00Z"},
		{"2026-w05-3 10:00", "YYYY-Www-D HH:MM" + inVienna, "2026-01-28T09:00:00Z"},
		{"2020-W53-7", "YYYY-Www-D" + inVienna, "2021-01-02T23:00:00Z"},
		{"2026-035", "YYYY-DDD" + inVienna, "2026-02-03T23:00:00Z"},
		{"2026-035T10:00:00", "YYYY-DDD HH:MM:SS" + inVienna, "2026-02-04T09:00:00Z"},
		{"2024-366 24:00", "YYYY-DDD HH:MM" + inVienna, "2024-12-31T23:00:00Z"},
	}
	for _, test := range tests {
		form, got, err := readOne(t, test.text)
		if err != nil || form != test.form || got != test.want {
			t.Errorf("%q gives %s, %v, as %q; want %s as %q", test.text, got, err, form, test.want, test.form)
		}
	}
}

// TestTextsLikeWeeks wants that a text is no date that only looks like a week or a day of a year.
func TestTextsLikeWeeks(t *testing.T) {
	for text, reason := range map[string]string{
		"2026-W05":     "a week has no day",
		"2026W053":     "a name of a thing",
		"2026-W00-1":   "week 0",
		"2026-W54-1":   "week 54",
		"2025-W53-1":   "a week that 2025 has not",
		"2026-W05-0":   "day 0",
		"2026-W05-8":   "day 8",
		"2026-W05-31":  "day 31",
		"2026-W5-3":    "a week of one digit",
		"26-W05-3":     "a short year",
		"2026-000":     "day 0",
		"2025-366":     "a day that 2025 has not",
		"2024-367":     "day 367",
		"2026-35":      "two digits may be a week",
		"2026-0351":    "four digits",
		"2026035":      "a number",
		"2026-035-1":   "a part more",
		"2026-035A":    "a letter more",
		"02026-035":    "a year of five digits",
		"2026-W05-3-1": "a part more after a week",
	} {
		if got := layoutsOf(text); len(got) > 0 {
			t.Errorf("%s: %q has the layouts %v; want none", reason, text, got)
		}
	}
}

func TestMayBeNames(t *testing.T) {
	for text, want := range map[string]bool{"2026-035": true, "2026-035T10:00": false, "2026-01-05": false, "": false} {
		if got := MayBeNames([]string{text}); got != want {
			t.Errorf("%q: %v; want %v", text, got, want)
		}
	}
}
