// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/daybook-db/daybook/text"
	"github.com/daybook-db/daybook/text/timeform"
)

// TestDigits wants that dates YYYYMMDD and times of day that are numbers are read together, where
// the columns leave no doubt.
func TestDigits(t *testing.T) {
	const seconds, minutes = `as YYYYMMDD HH:MM:SS, UTC`, `as YYYYMMDD HH:MM, UTC`
	tests := []struct {
		name string
		file string
		want string // a part of the sentence
		last string // the last value
	}{
		{"zeros at the start", "date,time,v\n20260105,093000,1\n", seconds, `x 1767605400000 {"v":1}`},
		{"four digits with zeros at the start", "Datum,Zeit,v\n20260105,0930,1\n", minutes, `x 1767605400000 {"v":1}`},
		{"numbers", "date,time,v\n20260105,93000,1\n20260105,100000,2\n20260106,500,3\n", seconds,
			`x 1767657900000 {"v":3}`},
		{"numbers, the newest first", "date,time,v\n20260106,500,3\n20260105,100000,2\n20260105,93000,1\n", seconds,
			`x 1767605400000 {"v":1}`},
		{"six digits, and fewer after the sample", "date,time,v\n" + strings.Repeat("20260105,100000,2\n", 4000) +
			"20260106,1500,3\n", seconds, `x 1767658500000 {"v":3}`},
		{"a name that says HHMM", "DATE,HHMM,v\n20260105,5,1\n", minutes, `x 1767571500000 {"v":1}`},
		{"a name that says HHMMSS", "DATE,time_hhmmss,v\n20260105,5,1\n", seconds, `x 1767571205000 {"v":1}`},
		{"a clock with colons", "date,time,v\n20260105,09:30,1\n", minutes, `x 1767605400000 {"v":1}`},
		{"a clock with h", "date,heure,v\n20260105,9h30,1\n", minutes, `x 1767605400000 {"v":1}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			in := []byte(test.file)
			sample := cutLine(Sample{in[:min(len(in), SampleLen)], len(in) <= SampleLen})
			found, err := detectCSV(sample, Hints{
				Reader: text.ReadOptions{Name: "x.csv"}, Time: timeform.Options{Zone: time.UTC},
			})
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(found.String(), test.want) {
				t.Errorf("%s; want %q", found, test.want)
			}
			lines, err := readAs(found, in)
			if err != nil || len(lines) == 0 || lines[len(lines)-1] != test.last {
				t.Errorf("values %.200q, %v; want %q at the end", lines, err, test.last)
			}
		})
	}
}

// TestDoubtfulDigits wants that numbers beside a date are refused that may be no times of day, or
// times of day of two forms.
func TestDoubtfulDigits(t *testing.T) {
	tests := []struct {
		name string
		file string
		want error
	}{
		{"four digits", "date,time,v\n20260105,1000,1\n20260105,1015,1\n20260105,1030,1\n", ErrDigits},
		{"one row", "date,time,v\n20260105,93000,1\n", ErrDigits},
		{"durations in seconds, one a day", "date,time,v\n20260105,13512,1\n20260106,5415,1\n20260107,15959,1\n",
			ErrDigits},
		{"durations that turn", "date,time,v\n20260105,13512,1\n20260105,5415,1\n20260105,15959,1\n", ErrDigits},
		{"minute 60", "date,time,v\n20260105,93000,1\n20260105,96000,1\n20260105,100000,1\n", ErrDigits},
		{"hour 24", "date,time,v\n20260105,233000,1\n20260105,240000,1\n20260106,100000,1\n", ErrDigits},
		{"zeros at the start of some", "date,time,v\n20260105,093000,1\n20260105,1000,1\n20260105,101500,1\n",
			ErrDigits},
		{"five digits with a zero at the start", "date,time,v\n20260105,09300,1\n", ErrDigits},
		{"hours", "date,hora,v\n20260105,9,1\n20260105,10,1\n20260105,11,1\n", ErrDigits},
		{"prices", "date,last,v\n20260105,93000,1\n20260105,93100,1\n20260105,93200,1\n", text.ErrNoUnit},
		{"seconds by their name", "date,time_s,v\n20260105,93000,1\n20260105,93100,1\n20260105,93200,1\n",
			text.ErrNoUnit},
		{"no names", "20260105,093000,1\n20260105,094000,1\n20260105,095000,1\n", ErrNoTime},
		{"a date that no calendar has", "date,time,v\n20260230,093000,1\n", text.ErrNoUnit},
		{"a date of birth", "birth_date,time,v\n20000105,093000,1\n", nil},
		{"the date alone", "date,v\n20260105,93000\n20260105,100000\n20260105,100100\n", text.ErrNoUnit},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := detectCSV(Sample{[]byte(test.file), true}, Hints{Reader: text.ReadOptions{Name: "x.csv"}})
			if err == nil || test.want != nil && !errors.Is(err, test.want) {
				t.Errorf("error %v; want %v", err, test.want)
			}
		})
	}
}

// TestDigitsAfterTheSample wants that a row is refused whose time of day lost a digit in a column
// where all others have their zeros.
func TestDigitsAfterTheSample(t *testing.T) {
	file := []byte("date,time,v\n20260105,093000,1\n20260105,1000,2\n")
	found, err := detectCSV(Sample{file[:30], false}, Hints{Reader: text.ReadOptions{Name: "x.csv"}})
	if err != nil {
		t.Fatal(err)
	}
	lines, err := readAs(found, file)
	isError := func(line string) bool { return strings.HasPrefix(line, "x.csv:3: ") }
	if err != nil || len(lines) != 2 || !slices.ContainsFunc(lines, isError) {
		t.Errorf("values %q, %v; want an error in line 3", lines, err)
	}
}
