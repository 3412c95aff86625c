// SPDX-License-Identifier: Apache-2.0

package timeform

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/daybook-db/daybook/text"
)

// dateLayouts and clockLayouts are in the words of package time. Every date can stand before every
// time of day.
var (
	dateLayouts = []string{
		"2006-01-02", "2006/01/02", "2006/1/2", "2006.01.02", "2006:01:02", "02.01.2006", "2.1.06", "02/01/2006",
		"01/02/2006", "2/1/06", "1/2/06", "02-01-2006", "01-02-06", "02-Jan-2006", "2 January 2006", "Jan 2, 2006",
		"January 2 2006", "Mon, 02 Jan 2006", "Monday, 02-Jan-06", "2006-Jan-02", "02/Jan/2006", "20060102",
	}
	clockLayouts = []string{
		"15:04", "15:04:05", "15:04:05.000", "15:04:05,000000", "15.04.05", "3:04 PM", "03:04:05PM", "3:04:05.000 pm",
	}
	zoneLayouts = []string{"", "Z07:00", " -07:00", "-0700", " -0700", "-07", " -0700 MST"}
	gaps        = []string{" ", "T", "t", "_", "  ", ", "}
)

// written is one time and the layout in which it is written.
type written struct {
	text, layout string
	want         time.Time
}

// drawWritten draws a time in a zone and a form. What the form does not hold, the time does not
// have.
func drawWritten(t *rapid.T, zone *time.Location) written {
	at := time.UnixMilli(rapid.Int64Range(int64(text.MinPlausible), 1_764_000_000_000).Draw(t, "instant")).In(zone)
	layout := rapid.SampledFrom(dateLayouts).Draw(t, "date")
	clock := rapid.SampledFrom(clockLayouts).Draw(t, "clock")
	gap := rapid.SampledFrom(gaps).Draw(t, "gap")
	offset := rapid.SampledFrom(zoneLayouts).Draw(t, "zone")
	if _, east := at.Zone(); offset == "-07" && east%3600 != 0 {
		offset = "-0700"
	}
	if layout == "02/Jan/2006" && rapid.Bool().Draw(t, "web server") {
		gap = ":"
	}
	if !strings.Contains(layout, " ") && clock != "15.04.05" && rapid.Bool().Draw(t, "clock first") {
		layout, gap, clock, offset = clock, " ", layout, ""
	}
	layout += gap + clock + offset
	if strings.HasPrefix(layout, "20060102T15:04:05Z07:00") && rapid.Bool().Draw(t, "compact") {
		layout = "20060102T150405Z0700"
	}
	return written{at.Format(layout), layout, at.Truncate(unitOf(layout))}
}

// unitOf returns the least time that a layout holds.
func unitOf(layout string) time.Duration {
	switch {
	case strings.Contains(layout, "05.000"), strings.Contains(layout, "05,000"):
		return time.Millisecond
	case strings.Contains(layout, "05"):
		return time.Second
	}
	return time.Minute
}

// mayBeAmbiguous reports whether the numbers of a date could change places.
func (w written) mayBeAmbiguous() bool { return len(layoutsOf(w.text)) > 1 }

// hasOffset reports whether the text says its zone.
func (w written) hasOffset() bool { return strings.Contains(w.layout, "07") }

// TestWrittenTimesAreRead writes a time in any form, and wants it back. Where the text alone does
// not tell the time, it wants the error that says so.
func TestWrittenTimesAreRead(t *testing.T) {
	names := []string{"UTC", "Europe/Vienna", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe",
		"America/Havana", "Pacific/Apia", "Africa/Casablanca"}
	rapid.Check(t, func(rt *rapid.T) {
		zone := mustZone(t, rapid.SampledFrom(names).Draw(rt, "location"))
		w := drawWritten(rt, zone)
		f, err := Detect([]string{w.text}, Options{Zone: zone})
		if errors.Is(err, ErrAmbiguous) && w.mayBeAmbiguous() {
			return
		}
		if err != nil {
			rt.Fatalf("%q, as %q: %v", w.text, w.layout, err)
		}
		ms, err := f.NewParser().ParseTime(w.text)
		if errors.Is(err, ErrRepeated) && !w.hasOffset() && isRepeated(w.want) {
			return
		}
		if err != nil || int64(ms) != w.want.UnixMilli() {
			got := time.UnixMilli(int64(ms)).In(zone)
			rt.Fatalf("%q, as %q, by %q: %s, %v; want %s", w.text, w.layout, f, got, err, w.want)
		}
	})
}

// isRepeated reports whether a clock shows the same time again within a day.
func isRepeated(at time.Time) bool {
	z := zone{location: at.Location()}
	_, offset := at.Zone()
	return len(z.all(at.Unix()+int64(offset))) > 1
}

// TestSamplesDecide writes the times of a year in a form whose day and month could change places.
// The samples together tell which is which, and all of them are read.
func TestSamplesDecide(t *testing.T) {
	layouts := slices.DeleteFunc(slices.Clone(dateLayouts), func(layout string) bool {
		return !strings.Contains(layout, "/") && !strings.Contains(layout, "-")
	})
	for _, layout := range layouts {
		var samples []string
		var want []int64
		for at := time.Date(2023, 1, 1, 12, 0, 0, 0, vienna(t)); at.Year() == 2023; at = at.AddDate(0, 0, 1) {
			samples, want = append(samples, at.Format(layout+" 15:04")), append(want, at.UnixMilli())
		}
		mustReadAll(t, samples, want, layout)
	}
}

// TestDatesAlone wants the first instant of each day of a year.
func TestDatesAlone(t *testing.T) {
	for _, name := range []string{"UTC", "Europe/Vienna", "America/Sao_Paulo", "America/Havana", "Asia/Beirut"} {
		zone := mustZone(t, name)
		f, err := Detect([]string{"2018-01-01"}, Options{Zone: zone})
		if err != nil {
			t.Fatal(err)
		}
		p := f.NewParser()
		for day := time.Date(2017, 1, 1, 0, 0, 0, 0, time.UTC); day.Year() < 2019; day = day.AddDate(0, 0, 1) {
			date := day.Format(time.DateOnly)
			ms, err := p.ParseTime(date)
			start := time.UnixMilli(int64(ms)).In(zone)
			if err != nil || start.Format(time.DateOnly) != date ||
				start.Add(-time.Millisecond).In(zone).Format(time.DateOnly) == date {
				t.Errorf("%s in %s begins at %s, %v", date, name, start, err)
			}
		}
	}
}
