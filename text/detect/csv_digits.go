// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/daybook-db/daybook/text"
	"github.com/daybook-db/daybook/text/timeform"
)

// ErrDigits is returned for a time of day in a column of numbers, if its form cannot be known.
var ErrDigits = errors.New("has a number for its time of day, which may be HHMM, HHMMSS or neither")

// compactPair returns the columns of a date YYYYMMDD and of a time of day, of which both are
// numbers or the second one is a clock. Both have the name of a time, because any number may look
// like them.
func (d *csvDetection) compactPair() []int {
	dates := d.beside(func(i int) bool { return d.isNamedTime(i) && d.areAll(i, isCompactDate) })
	if dates < 0 || !d.header {
		return nil
	}
	clock := d.beside(func(i int) bool {
		return i != dates && d.isNamedTime(i) &&
			(timeform.Looks(d.cells(i)) == timeform.Clocks || d.areAll(i, isDigits))
	})
	if clock < 0 {
		return nil
	}
	return []int{dates, clock}
}

// isNamedTime reports whether a column has the name of a time of readings.
func (d *csvDetection) isNamedTime(column int) bool {
	name := d.names[column]
	isUnit := func(word string) bool { return slices.Contains(unitsOfDurations, word) }
	return !isOtherDate(name) && !slices.ContainsFunc(wordsOf(name), isUnit) &&
		(namesTime(name) || namesDigits(name))
}

// unitsOfDurations are words in the names of durations.
var unitsOfDurations = strings.Fields("s sec secs second seconds ms min mins minute minutes h hr hrs hours " +
	"duration elapsed")

// namesDigits reports whether a name says the form of a time of day: HHMM, hhmmss.
func namesDigits(name string) bool { return strings.Contains(strings.ToLower(name), "hhmm") }

func isCompactDate(cell string) bool {
	_, err := time.Parse("20060102", cell)
	return err == nil
}

// isDigits reports whether a cell may be a time of day without colons.
func isDigits(cell string) bool {
	return len(cell) > 0 && len(cell) <= 6 && strings.Trim(cell, "0123456789") == ""
}

// findDigits finds how the times of day are written beside dates YYYYMMDD, if they are numbers. It
// is an error if that cannot be known: 5415 beside one date a day may be a number of seconds.
func (d *csvDetection) findDigits() error {
	if len(d.times) != 2 || len(d.hints.Time.Formats) > 0 ||
		!d.areAll(d.times[0], isCompactDate) || !d.areAll(d.times[1], isDigits) {
		return nil
	}
	shortest, longest, isPadded := 6, 0, false
	for _, cell := range d.cells(d.times[1]) {
		if cell != "" {
			shortest, longest = min(shortest, len(cell)), max(longest, len(cell))
			isPadded = isPadded || len(cell) > 1 && cell[0] == '0'
		}
	}
	name := strings.ToLower(d.names[d.times[1]])
	digits := timeform.Digits{Min: 1, Max: 6}
	switch {
	case isPadded && shortest == longest && (longest == 4 || longest == 6):
		digits = timeform.Digits{Min: longest, Max: longest}
	case isPadded:
		return d.digitsError(longest)
	case strings.Contains(name, "hhmmss"):
	case namesDigits(name):
		digits.Max = 4
	case longest <= 4 || len(d.data) < 3 || !d.repeatsDate():
		return d.digitsError(longest)
	}
	if !d.isInOrder(digits) {
		return d.digitsError(longest)
	}
	d.hints.Time.Digits = digits
	return nil
}

// isInOrder reports whether all rows have times of day of this number of digits, and the times
// never turn. Other numbers look like times of day here and there, but not from row to row.
func (d *csvDetection) isInOrder(digits timeform.Digits) bool {
	form := "20060102 150405"[:9+digits.Max]
	var last time.Time
	turns := map[int]bool{}
	for _, row := range d.data {
		date, clock := row.cells[d.times[0]], row.cells[d.times[1]]
		if date == "" || clock == "" {
			continue
		}
		at, err := time.Parse(form, date+" "+strings.Repeat("0", digits.Max-len(clock))+clock)
		if err != nil {
			return false
		}
		if !last.IsZero() {
			turns[cmp.Compare(at.Unix(), last.Unix())] = true
		}
		last = at
	}
	return !turns[1] || !turns[-1]
}

// digitsError returns an error about the first row whose time of day has this number of digits.
func (d *csvDetection) digitsError(length int) error {
	for _, row := range d.data {
		if len(row.cells[d.times[1]]) == length {
			return d.timeError(&text.TimeError{Text: joined(row, d.times), Err: ErrDigits})
		}
	}
	return fmt.Errorf("%w: %s", ErrDigits, quoted(d.names))
}
