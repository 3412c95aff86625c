// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook/text"
	"github.com/daybook-db/daybook/text/timeform"
)

// TestBlanks reads tables whose columns are separated by blanks.
func TestBlanks(t *testing.T) {
	tests := []struct {
		name string
		file string
		want []string
	}{
		{"aligned, with a line of units", "Station 4711\n\nDate        Time     T      State\n" +
			"                     degC   -\n05.01.2026  10:00    21.5   ok\n05.01.2026  10:15   -9.5   bad\n",
			[]string{`x 1767607200000 {"T":21.5,"State":"ok"}`, `x 1767608100000 {"T":-9.5,"State":"bad"}`}},
		{"vmstat -t: a date and a clock under one name", "procs --io-- --timestamp--\n r  b                 UTC\n" +
			" 1 22 2026-01-05 10:00:01\n 0  0 2026-01-05 10:00:06\n",
			[]string{`x 1767607201000 {"r":1,"b":22}`, `x 1767607206000 {"r":0,"b":0}`}},
		{"the name over the date and the clock in front", "Timestamp  v\n2026-01-05 10:00 1\n2026-01-05 10:15 2\n",
			[]string{`x 1767607200000 {"v":1}`, `x 1767608100000 {"v":2}`}},
		{"a tab in one row", "time  v\n2026-01-05T10:00:00Z\t1\n2026-01-05T10:15:00Z  2\n2026-01-05T10:15:00Z  2\n",
			[]string{`x 1767607200000 {"v":1}`, `x 1767608100000 {"v":2}`, `x 1767608100000 {"v":2}`}},
		{"a header in a comment", "# time   v\n2026-01-05T10:00:00Z 1\n2026-01-05T10:15:00Z 2\n",
			[]string{`x 1767607200000 {"v":1}`, `x 1767608100000 {"v":2}`}},
		{"Unix time under its name", "timestamp  v\n1767607200   1\n1767608100   2\n",
			[]string{`x 1767607200000 {"v":1}`, `x 1767608100000 {"v":2}`}},
		{"a text with a blank after the sample", "time v room w\n" + strings.Repeat("2026-01-05T10:00:00Z 1 a 2\n", 3) +
			"2026-01-05T10:00:00Z 1 living room\n",
			[]string{`x 1767607200000 {"v":1,"room":"a","w":2}`, `x 1767607200000 {"v":1,"room":"a","w":2}`,
				`x 1767607200000 {"v":1,"room":"a","w":2}`, `x.csv:5: column 4 ("w"): "room" is not a number`}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			sample := Sample{[]byte(test.file), true}
			if cut := strings.Index(test.file, "2026-01-05T10:00:00Z 1 living"); cut > 0 {
				sample = Sample{[]byte(test.file[:cut]), false}
			}
			found, err := Detect(sample, Hints{
				Reader: text.ReadOptions{Name: "x.csv"}, Time: timeform.Options{Zone: time.UTC},
			})
			if err != nil {
				t.Fatal(err)
			}
			lines, err := readAs(found, []byte(test.file))
			if diff := cmp.Diff(test.want, lines); err != nil || diff != "" {
				t.Errorf("%s: %v; values (-want +got):\n%s", found, err, diff)
			}
		})
	}
}

// TestDoubtfulBlanks wants that a text is refused that is no table if it is split at its blanks, or
// perhaps another one than its header says.
func TestDoubtfulBlanks(t *testing.T) {
	const rows = "2026-01-05 10:00 a 1\n2026-01-05 10:15 b 2\n2026-01-05 10:30 c 3\n"
	tests := []struct {
		name string
		file string
		want error // nil: any
	}{
		{"a text with a blank", "date time room v\n" + rows + "2026-01-05 10:45 living room 4\n", ErrBlanks},
		{"a text with a blank in each row", "date time sensor v\n2026-01-05 10:00 living room 1\n" +
			"2026-01-05 10:15 living room 2\n", ErrBlanks},
		{"a missing cell", "date time room v\n" + rows + "2026-01-05 10:45 5\n", ErrBlanks},
		{"a missing cell in each row", "time room v flag\n" + rows, ErrBlanks},
		{"a column that has numbers and texts", "date time room v\n" + rows + "2026-01-05 10:45 d -\n", ErrBlanks},
		{"no header", rows, ErrBlanks},
		{"one row", "date time room v\n2026-01-05 10:00 a 1\n", nil},
		{"no date: sar", "Linux 6.1.0 (host) 01/05/2026\n\n10:00:01  CPU %user %idle\n10:10:01  all  1.2  98.8\n" +
			"10:20:01  all  1.3  98.7\n", nil},
		{"numbers that are no times", "n v\n1 2\n2 3\n3 4\n", ErrNoTable},
		{"a log", "2026-01-05 10:00:01 INFO started\n2026-01-05 10:00:02 WARN disk is full\n" +
			"2026-01-05 10:00:03 INFO stopped\n2026-01-05 10:00:04 ERROR x\n", ErrBlanks},
		{"a quote", "date time room v\n" + rows + "2026-01-05 10:45 5\" 4\n", nil},
		{"prose", "The time has come\nto read all of this\nas a text\n", ErrNoTable},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			found, err := Detect(Sample{[]byte(test.file), true}, Hints{Reader: text.ReadOptions{Name: "x.csv"}})
			if err == nil || test.want != nil && !errors.Is(err, test.want) {
				t.Errorf("%v, error %v; want %v", found, err, test.want)
			}
		})
	}
}

// TestSaidBlanks wants that a clock is not lost that a person's delimiter puts under another name.
func TestSaidBlanks(t *testing.T) {
	const file = "time room v flag\n2026-01-05 10:00 a 1\n2026-01-05 10:15 b 2\n"
	hints := Hints{Reader: text.ReadOptions{Name: "x.csv", CSV: text.CSVOptions{Delimiter: ' '}}}
	if found, err := Detect(Sample{[]byte(file), true}, hints); !errors.Is(err, ErrPartOfTime) {
		t.Errorf("%v, error %v; want ErrPartOfTime", found, err)
	}
}
