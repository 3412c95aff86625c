// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"errors"
	"testing"

	"github.com/daybook-db/daybook/text"
)

// TestDivisors wants that numbers are not stored as they are without a word, if a line before the
// header says that they are ten times as large.
func TestDivisors(t *testing.T) {
	const table = "Date\tTime\tBT1\tBT2\n2026-01-05\t10:00:00\t-12\t345\n2026-01-05\t10:00:05\t-12\t346\n"
	tests := []struct {
		name, file string
		skip       int
		want       error
	}{
		{"divisors", "Divisors\t\t10\t10\n" + table, 0, ErrDivisors},
		{"a factor of one column", "Scale factor:\t\t1\t0.1\n" + table, 0, ErrDivisors},
		{"divisors that are 1", "Divisors\t\t1\t1\n" + table, 0, nil},
		{"the line is skipped", "Divisors\t\t10\t10\n" + table, 1, nil},
		{"another title", "Station\t\t10\t10\n" + table, 0, nil},
		{"no line before the header", table, 0, nil},
	}
	for _, test := range tests {
		hints := Hints{Reader: text.ReadOptions{Name: "x.csv", CSV: text.CSVOptions{SkipLines: test.skip}}}
		if found, err := Detect(Sample{[]byte(test.file), true}, hints); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, error %v; want %v", test.name, found, err, test.want)
		}
	}
}
