// SPDX-License-Identifier: Apache-2.0

package timeform

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/daybook-db/daybook/text"
)

// FuzzTimes reads lines as the times of a file. No text may panic. A line that package time reads
// in one of the layouts, and that is read here, must be the same instant.
func FuzzTimes(f *testing.F) {
	layouts := allLayouts()
	for i, layout := range layouts {
		if i%17 == 0 {
			f.Add(time.Date(2024, 10, 27, 14, 30, 5, 123e6, time.UTC).Format(layout), "%Y-%m-%d", uint16(i))
		}
	}
	f.Add("13/06/22 12:00 AM\n01/02/22 24:00", "%d/%m/%y %H:%M", uint16(0))
	f.Add("Mon Jan  2 15:04:05 UTC 2006", "%a %b %e %T %Z %Y", uint16(1))
	f.Add("Do., 12. März 2026, 14:05 Uhr\n13. Mrz. 2026 um 14:05", "%d. %B %Y", uint16(3))
	f.Add("1er févr. 2026 à 10 h 30\n2 de febrero de 2026", "%s", uint16(4))
	f.Add("2026-W05-3 10 h 30 min\n2026-w05-4T10h", "%G-W%V-%u", uint16(5))
	f.Add("2026-035\n2024-366 24:00", "%Y-%j", uint16(6))
	f.Add("20260105 93000\n20260106 0", "%Y%m%d %H%M%S", uint16(7))
	f.Add("1764000000.5\n1.764e9", "%s", uint16(2))
	f.Add("1764000000 000250\n2024-01-31 12:00 0,5", "%s", uint16(5))
	zone := vienna(f)
	f.Fuzz(func(t *testing.T, lines, format string, n uint16) {
		samples := strings.Split(lines, "\n")
		Looks(samples)
		readSamples(t, samples, Options{Zone: zone})
		readSamples(t, samples, Options{Zone: zone, Formats: []string{format}})
		unit := []text.TimeUnit{text.Seconds, text.Milliseconds, text.Microseconds, text.Nanoseconds}[n%4]
		readSamples(t, samples, Options{Zone: zone, Addend: unit, DecimalComma: n%8 < 4})
		readAsPackageTimeDoes(t, samples[0], layouts[int(n)%len(layouts)])
	})
}

// allLayouts returns each date before each time of day, with and without a zone.
func allLayouts() (layouts []string) {
	for _, date := range dateLayouts {
		for _, clock := range clockLayouts {
			for _, gap := range gaps {
				layouts = append(layouts, date+gap+clock, date+gap+clock+"Z07:00", date+gap+clock+" -0700")
			}
		}
	}
	return append(layouts, time.RFC3339Nano, time.RFC1123, time.ANSIC, "20060102T150405Z0700",
		"02/Jan/2006:15:04:05 -0700")
}

// readSamples wants that each error says which text is wrong.
func readSamples(t *testing.T, samples []string, opts Options) {
	f, err := Detect(samples, opts)
	if err != nil {
		mustBeTimeError(t, err)
		return
	}
	if f.String() == "" {
		t.Errorf("the form of %q has no name", samples)
	}
	p := f.NewParser()
	for _, sample := range samples {
		if _, err := p.ParseTime(sample); err != nil {
			mustBeTimeError(t, err)
		}
	}
}

func mustBeTimeError(t *testing.T, err error) {
	t.Helper()
	if !errors.As(err, new(*text.TimeError)) && !errors.Is(err, text.ErrMissingTime) {
		t.Errorf("error %v; want a *text.TimeError", err)
	}
}

func readAsPackageTimeDoes(t *testing.T, sample, layout string) {
	want, err := time.ParseInLocation(layout, sample, time.UTC)
	if err != nil {
		return
	}
	f, err := Detect([]string{sample}, Options{Zone: time.UTC, AnyTime: true})
	if err != nil {
		return
	}
	if got, err := f.NewParser().ParseTime(sample); err == nil && int64(got) != want.UnixMilli() {
		t.Errorf("%q, as %q, by %q: %d; want %d", sample, layout, f, got, want.UnixMilli())
	}
}
