// SPDX-License-Identifier: Apache-2.0

package timeform

import (
	"strings"
	"testing"
	"time"

	"github.com/daybook-db/daybook/text"
)

// TestSums wants the number after a time to be added to it.
func TestSums(t *testing.T) {
	tests := []struct {
		name    string
		samples string // separated by |
		addend  text.TimeUnit
		form    string
		want    []string // a time, or an error
	}{
		{"microseconds of a second", "1764000000 250000|1764000001 5|1764000001 0", "us",
			"Unix time in s, plus us, cut off below 1 ms",
			[]string{"2025-11-24T16:00:00.25Z", "2025-11-24T16:00:01Z", "2025-11-24T16:00:01Z"}},
		{"nanoseconds", "1764000000 999999999", "ns", "Unix time in s, plus ns, cut off below 1 ms",
			[]string{"2025-11-24T16:00:00.999Z"}},
		{"milliseconds beside a local time", "24.11.2025 16:00:00 7", "ms", "DD.MM.YYYY HH:MM:SS, plus ms, UTC",
			[]string{"2025-11-24T16:00:00.007Z"}},
		{"seconds since a start", "2025-11-24T16:00:00Z 0|2025-11-24T16:00:00Z 3600.5", "s", "RFC 3339, plus s",
			[]string{"2025-11-24T16:00:00Z", "2025-11-24T17:00:00.5Z"}},
		{"zeros before a number", "1764000000 000250|1764000000 250000", "us",
			"Unix time in s, plus us, cut off below 1 ms", []string{"2025-11-24T16:00:00Z", "2025-11-24T16:00:00.25Z"}},
		{"a decimal comma", "24.11.2025 16:00:00 0,5|24.11.2025 16:00:00 00|24.11.2025 16:00:00 1.234", "s",
			"DD.MM.YYYY HH:MM:SS, plus s, UTC",
			[]string{"2025-11-24T16:00:00.5Z", "2025-11-24T16:00:00Z", "has no number"}},
		{"a comma of thousands", "24.11.2025 16:00:00 0|24.11.2025 16:00:00 1,234", "s",
			"DD.MM.YYYY HH:MM:SS, plus s, UTC", []string{"2025-11-24T16:00:00Z", "has no number"}},
		{"milliseconds since a start", "2025-11-24T16:00:00Z 0|2025-11-24T16:00:00Z 1000", "ms", "RFC 3339, plus ms",
			[]string{"2025-11-24T16:00:00Z", "2025-11-24T16:00:01Z"}},
		{"lines that do not fit", "1764000000 250|1764000000 1|1764000000 2|1764000000 3|" +
			"1764000000|1764000000 -1|1764000000 x|1764000000 1000|x 1|1764000000 1E400", "ms",
			"Unix time in s, plus ms",
			[]string{"2025-11-24T16:00:00.25Z", "2025-11-24T16:00:00.001Z", "2025-11-24T16:00:00.002Z",
				"2025-11-24T16:00:00.003Z", "has no number", "has no number", "has no number", "whole second",
				"is not a time", "has no number"}},
		{"a sum after now", "2025-11-24T16:00:00Z 1|2025-11-24T16:00:00Z 99999999999", "s", "RFC 3339, plus s",
			[]string{"2025-11-24T16:00:01Z", "not a plausible time"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			samples := strings.Split(test.samples, "|")
			known := samples
			if strings.HasPrefix(test.name, "lines") {
				known = samples[:4]
			}
			f, err := Detect(known, Options{Zone: time.UTC, Addend: test.addend,
				DecimalComma: test.name == "a decimal comma"})
			if err != nil {
				t.Fatal(err)
			}
			if f.String() != test.form {
				t.Errorf("form %q; want %q", f, test.form)
			}
			p := f.NewParser()
			for i, sample := range samples {
				got := ""
				if ms, err := p.ParseTime(sample); err != nil {
					got = err.Error()
				} else {
					got = time.UnixMilli(int64(ms)).UTC().Format(time.RFC3339Nano)
				}
				if !strings.Contains(got, test.want[i]) {
					t.Errorf("%q: got %s; want %s", sample, got, test.want[i])
				}
			}
		})
	}
	if _, err := Detect([]string{"1764000000", "x"}, Options{Addend: text.Milliseconds}); err == nil {
		t.Error("samples without a number have a form")
	}
}
