// SPDX-License-Identifier: Apache-2.0

package text

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/daybook-db/daybook"
)

// TimeUnit is what a number counts, from the start of 1970, where it is a time.
type TimeUnit string

// The units of a time. The zero value stands for a file whose numbers say their unit by the number
// of their digits before any fraction: 10 are seconds, 13 milliseconds, 16 microseconds and 19
// nanoseconds. Each of them reaches from 2001 to 2286.
const (
	ByDigits     TimeUnit = ""
	Seconds      TimeUnit = "s"
	Milliseconds TimeUnit = "ms"
	Microseconds TimeUnit = "us"
	Nanoseconds  TimeUnit = "ns"
)

// digits returns how many digits a time between 2001 and 2286 has in the unit, or 0 for ByDigits
// and for any text that is no unit.
func (u TimeUnit) digits() int {
	switch u {
	case Seconds:
		return 10
	case Milliseconds:
		return millisDigits
	case Microseconds:
		return 16
	case Nanoseconds:
		return 19
	}
	return 0
}

const millisDigits = 13

func (u TimeUnit) validate() error {
	if u != ByDigits && u.digits() == 0 {
		return fmt.Errorf("%w: ReadOptions.TimeUnit is %q; want s, ms, us or ns", daybook.ErrInvalidParams, u)
	}
	return nil
}

// unitOf returns the unit of a number: u, or the one that the number says by its digits.
func (u TimeUnit) unitOf(number decimal) (TimeUnit, error) {
	if u != ByDigits {
		return u, u.validate()
	}
	for _, unit := range [...]TimeUnit{Milliseconds, Seconds, Microseconds, Nanoseconds} {
		if number.point == unit.digits() {
			return unit, nil
		}
	}
	return "", ErrNoUnit
}

// UnitOf returns the unit that a number says by its digits, or ByDigits if they say none. isNumber
// reports whether text is a number at all.
func UnitOf(text string) (unit TimeUnit, isNumber bool) {
	number, ok := parseDecimal(text)
	if !ok {
		return ByDigits, false
	}
	unit, _ = ByDigits.unitOf(number)
	return unit, true
}

// IsFiner reports whether a text is a number that says more than milliseconds.
func (u TimeUnit) IsFiner(text string) bool {
	number, ok := parseDecimal(text)
	if !ok {
		return false
	}
	unit, err := u.unitOf(number)
	number = number.shifted(millisDigits - unit.digits())
	return err == nil && len(strings.TrimRight(number.digits, "0")) > max(number.point, 0)
}

// ParseTime reads a time that another program wrote, RFC 3339 or a number of the unit, and returns
// Unix milliseconds, rounded down. It makes TimeUnit a TimeParser. It allows each time since 1970.
func (u TimeUnit) ParseTime(text string) (ms uint64, err error) {
	number, ok := parseDecimal(text)
	if !ok {
		return parseTimeOr(text, "RFC 3339, or Unix time in s, ms, us or ns")
	}
	unit, err := u.unitOf(number)
	if err == nil {
		ms, err = number.shifted(millisDigits - unit.digits()).floor()
	}
	switch err {
	case nil:
		return ms, nil
	case ErrNoUnit:
		return 0, &TimeError{text, err, "10 digits before any fraction for s, 13 for ms, 16 for us or 19 for ns"}
	}
	return 0, &TimeError{Text: text, Err: err}
}

// decimal is a decimal number, exactly: 0.DIGITS times 10 to the power of point. Zero has no
// digits, and its point is 0.
type decimal struct {
	negative bool
	digits   string // without zeros at the start
	point    int    // how many digits the number has before its decimal point; not above 0: none
}

// parseDecimal reads a JSON number, and reports whether text is one. Most times are digits alone.
func parseDecimal(text string) (number decimal, ok bool) {
	if isDigits(text) && text[0] != '0' {
		return decimal{digits: text, point: len(text)}, true
	}
	if !isNumber(text) {
		return decimal{}, false
	}
	text, number.negative = strings.CutPrefix(text, "-")
	mantissa, exponent := text, "0"
	if e := strings.IndexAny(text, "eE"); e >= 0 {
		mantissa, exponent = text[:e], text[e+1:]
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits := whole + fraction
	number.digits = strings.TrimLeft(digits, "0")
	if number.digits != "" {
		number.point = len(whole) - (len(digits) - len(number.digits)) + parseExponent(exponent)
	}
	return number, true
}

// parseExponent reads an exponent. It bounds the exponent where the digits of a line, of which
// there are at most MaxLineLen, cannot make up for it.
func parseExponent(text string) int {
	const bound = 1 << 28
	exponent, _ := strconv.Atoi(text) // which returns the greatest number if text is greater
	return min(max(exponent, -bound), bound)
}

// shifted returns the number times 10 to the power of places.
func (d decimal) shifted(places int) decimal {
	if d.digits != "" {
		d.point += places
	}
	return d
}

// floor returns the whole part of a number that is not negative. Its error is the cause of a
// TimeError.
func (d decimal) floor() (uint64, error) {
	const maxDigits = 20 // of 64 bits
	switch {
	case d.negative && d.digits != "":
		return 0, errBefore1970
	case d.point <= 0:
		return 0, nil
	case d.point > maxDigits:
		return 0, errTooLarge
	}
	whole := d.digits + strings.Repeat("0", max(d.point-len(d.digits), 0))
	number, err := strconv.ParseUint(whole[:d.point], 10, 64)
	if err != nil {
		return 0, errTooLarge
	}
	return number, nil
}
