// SPDX-License-Identifier: Apache-2.0

package timeform

import (
	"testing"
	"time"
)

// TestFilesOfPeople reads the times of small files of the kinds that people have.
func TestFilesOfPeople(t *testing.T) {
	gmt5 := time.FixedZone("GMT-05:00", -5*3600)
	tests := []struct {
		name    string
		samples []string
		zone    *time.Location // of the file
		form    string
		want    []string
	}{
		{"dates alone", []string{"2012-01-01", "2012-01-02"}, vienna(t), "YYYY-MM-DD, Europe/Vienna",
			[]string{"2011-12-31T23:00:00Z", "2012-01-01T23:00:00Z"}},
		{"no zone", []string{"2013-12-02 21:15:00"}, vienna(t), "YYYY-MM-DD HH:MM:SS, Europe/Vienna",
			[]string{"2013-12-02T20:15:00Z"}},
		{"two columns, Date and Time", []string{"29/10/2025 00:00", "01/11/2025 00:30"}, vienna(t),
			"DD/MM/YYYY HH:MM, Europe/Vienna", []string{"2025-10-28T23:00:00Z", "2025-10-31T23:30:00Z"}},
		{"an offset in the header", []string{"06/08/22 11:00:00 PM", "06/08/22 11:30:00 PM", "06/09/22 12:00:00 AM"},
			gmt5, "MM/DD/YY HH:MM:SS AM/PM, GMT-05:00",
			[]string{"2022-06-09T04:00:00Z", "2022-06-09T04:30:00Z", "2022-06-09T05:00:00Z"}},
		{"microseconds", []string{"1571140860123456"}, vienna(t), "Unix time in us, cut off below 1 ms",
			[]string{"2019-10-15T12:01:00.123Z"}},
		{"a log of a web server", []string{"10/Oct/2000:13:55:36 -0700", "10/Oct/2000:13:55:37 -0700"}, vienna(t),
			"English dates HH:MM:SS with a zone", []string{"2000-10-10T20:55:36Z", "2000-10-10T20:55:37Z"}},
		{"a colon before the milliseconds", []string{"26/03/2026 08:07:12:237", "26/03/2026 08:07:12:24"}, vienna(t),
			"DD/MM/YYYY HH:MM:SS.fff, Europe/Vienna", []string{"2026-03-26T07:07:12.237Z", "1970-01-01T00:00:00Z"}},
		{"a total at the end", []string{"31.12.2024 23:45", "01.01.2025 00:00", "Summe"}, vienna(t),
			"DD.MM.YYYY HH:MM, Europe/Vienna",
			[]string{"2024-12-31T22:45:00Z", "2024-12-31T23:00:00Z", "1970-01-01T00:00:00Z"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f, err := Detect(test.samples, Options{Zone: test.zone})
			if err != nil {
				t.Fatal(err)
			}
			if f.String() != test.form {
				t.Errorf("form %q; want %q", f, test.form)
			}
			p := f.NewParser()
			for i, sample := range test.samples {
				ms, err := p.ParseTime(sample)
				got := time.UnixMilli(int64(ms)).UTC().Format(time.RFC3339Nano)
				if got != test.want[i] || (err != nil) != (ms == 0) {
					t.Errorf("%q: %s, %v; want %s", sample, got, err, test.want[i])
				}
			}
		})
	}
}
