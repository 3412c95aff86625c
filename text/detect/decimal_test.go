// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"errors"
	"strings"
	"testing"
)

// TestDecimalCommas wants a comma taken for a decimal comma only where a number or a date says so.
func TestDecimalCommas(t *testing.T) {
	const decimal, unclear, plain = "decimal comma", "unclear", "plain"
	tests := []struct {
		dates  string // up to the day
		cells  string // of one column
		want   string
		reason string // why the row is here
	}{
		{"2026-01-0", "21,5 1,234", decimal, "one digit after a comma"},
		{"2026-01-0", "0,123 1,234", decimal, "no thousands begin with 0"},
		{"2026-01-0", "1234,567 1,234", decimal, "four digits before a comma"},
		{"2026-01-0", "1,234 5,678", unclear, "nothing says what the comma is"},
		{"2026-01-0", "-1,234 900", unclear, "a number without a comma does not either"},
		{".01.2026 ", "1,234 5,678", decimal, "dates with dots are from where commas are decimal"},
		{"2026-01-0", "1,234,567 5,678", plain, "two commas"},
		{".01.2026 ", "1,234,567 5,678", plain, "two commas beside dates with dots"},
		{"2026-01-0", "1,234.5 5,678", plain, "a point after the comma"},
		{"2026-01-0", "21.5 5,678", plain, "a decimal point"},
	}
	for _, test := range tests {
		var file strings.Builder
		file.WriteString("time;value\n")
		for i, cell := range strings.Fields(test.cells) {
			date := test.dates + string(rune('1'+i))
			if strings.HasSuffix(test.dates, " ") {
				date = string(rune('1'+i)) + strings.TrimSpace(test.dates)
			}
			file.WriteString(date + " 10:00;" + cell + "\n")
		}
		finding, err := Detect(Sample{Text: []byte(file.String()), Whole: true}, inUTC("f"))
		got := plain
		switch {
		case errors.Is(err, ErrCommas):
			got = unclear
		case err != nil:
			t.Errorf("%s: %v", test.reason, err)
		case finding.Reader.CSV.DecimalComma:
			got = decimal
		}
		if got != test.want {
			t.Errorf("%s: %s; want %s, because of %s", test.cells, got, test.want, test.reason)
		}
	}
}
