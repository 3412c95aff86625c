// SPDX-License-Identifier: Apache-2.0

package text

import (
	"errors"
	"math"
	"math/big"
	"strings"
	"testing"
)

func TestParseForeignTime(t *testing.T) {
	const noUnit = "is not a time without a unit: want 10 digits before any fraction for s, 13 for ms"
	tests := []struct {
		name   string
		text   string
		want   uint64
		reason string // a part of the error; "": the text is a time
	}{
		{name: "seconds", text: "1764000000", want: 1_764_000_000_000},
		{name: "milliseconds", text: "1764000000123", want: 1_764_000_000_123},
		{name: "microseconds", text: "1764000000123456", want: 1_764_000_000_123},
		{name: "nanoseconds", text: "1764000000123456789", want: 1_764_000_000_123},
		{name: "the first number of seconds", text: "1000000000", want: 1_000_000_000_000},
		{name: "the last number of seconds", text: "9999999999", want: 9_999_999_999_000},
		{name: "the first number of milliseconds", text: "1000000000000", want: 1_000_000_000_000},
		{name: "the last number of nanoseconds", text: "9999999999999999999", want: 9_999_999_999_999},
		{name: "seconds with a fraction", text: "1764000000.123", want: 1_764_000_000_123},
		{name: "a fraction that is rounded down", text: "1764000000.1239999999999999999", want: 1_764_000_000_123},
		{name: "a fraction that no float holds", text: "1764000000.057", want: 1_764_000_000_057},
		{name: "a short fraction", text: "1764000000.5", want: 1_764_000_000_500},
		{name: "milliseconds with a fraction", text: "1764000000123.9", want: 1_764_000_000_123},
		{name: "an exponent", text: "1.764e9", want: 1_764_000_000_000},
		{name: "an exponent with a sign and a fraction", text: "1.7640000001239E+9", want: 1_764_000_000_123},
		{name: "a negative exponent", text: "17640000000000e-4", want: 1_764_000_000_000},
		{name: "an exponent after a zero", text: "0.001764e12", want: 1_764_000_000_000},
		{name: "RFC 3339", text: "2025-11-24T16:00:00Z", want: 1_764_000_000_000},
		{name: "RFC 3339 with a space", text: "2025-11-24 16:00:00+00:00", want: 1_764_000_000_000},

		{name: "a year", text: "2010", reason: noUnit},
		{name: "a date", text: "20140214", reason: noUnit},
		{name: "a day of Excel", text: "41684.6", reason: noUnit},
		{name: "a date and a time", text: "20140214120000", reason: noUnit},
		{name: "11 digits", text: "17640000000", reason: noUnit},
		{name: "zero", text: "0", reason: noUnit},
		{name: "zero with an exponent", text: "0.0e10", reason: noUnit},
		{name: "an exponent that is too large", text: "1e99999999999999999999", reason: noUnit},
		{name: "an exponent that is too small", text: "1764000000e-99999999999999999999", reason: noUnit},
		{name: "a number that starts with a zero", text: "0001764000000", reason: "is not a time: want RFC 3339"},
		{name: "a number that starts with a plus", text: "+1764000000", reason: "is not a time: want RFC 3339"},
		{name: "hexadecimal digits", text: "0x69245f80", reason: "is not a time: want RFC 3339"},
		{name: "an empty text", text: "", reason: "is not a time: want RFC 3339"},
		{name: "negative seconds", text: "-1764000000", reason: "before 1970"},
		{name: "a negative number", text: "-5", reason: "is not a time"},
		{name: "a time relative to now, which means nothing in a file", text: "-1h", reason: "is not a time"},
		{name: "no zone", text: "2025-11-24 16:00:00", reason: "has no time zone"},
		{name: "a time before 1970", text: "1960-01-01T00:00:00Z", reason: "before 1970"},
		{name: "more than 64 bits", text: "99999999999999999999", reason: noUnit},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := ByDigits.ParseTime(test.text)
			switch {
			case test.reason == "" && (err != nil || got != test.want):
				t.Errorf("%q: %d, %v; want %d", test.text, got, err, test.want)
			case test.reason != "" && (err == nil || !strings.Contains(err.Error(), test.reason)):
				t.Errorf("%q: %d, %v; want an error with %q", test.text, got, err, test.reason)
			}
		})
	}
}

// TestTimeUnit wants that a unit decides, whatever the digits are.
func TestTimeUnit(t *testing.T) {
	tests := []struct {
		name   string
		unit   TimeUnit
		text   string
		want   uint64
		reason string // a part of the error; "": the text is a time
	}{
		{name: "few seconds", unit: Seconds, text: "5.0019", want: 5001},
		{name: "less than a millisecond", unit: Seconds, text: "1e-4", want: 0},
		{name: "zero with an exponent", unit: Seconds, text: "0e10", want: 0},
		{name: "minus zero", unit: Seconds, text: "-0.0", want: 0},
		{name: "seconds with 13 digits", unit: Seconds, text: "1764000000123", want: 1_764_000_000_123_000},
		{name: "milliseconds with 10 digits", unit: Milliseconds, text: "1764000000", want: 1_764_000_000},
		{name: "the greatest time", unit: Milliseconds, text: "18446744073709551615.9", want: math.MaxUint64},
		{name: "microseconds", unit: Microseconds, text: "1764000000123456", want: 1_764_000_000_123},
		{name: "nanoseconds of 18 digits", unit: Nanoseconds, text: "999999999999999999", want: 999_999_999_999},
		{name: "RFC 3339", unit: Nanoseconds, text: "2025-11-24T16:00:00Z", want: 1_764_000_000_000},

		{name: "the first time that is too late", unit: Milliseconds, text: "18446744073709551616", reason: "64 bits"},
		{name: "seconds whose milliseconds are too many", unit: Seconds, text: "18446744073709552", reason: "64 bits"},
		{name: "an exponent that is too large", unit: Seconds, text: "1e99999999999999999999", reason: "64 bits"},
		{name: "before 1970 by less than a millisecond", unit: Seconds, text: "-1e-9", reason: "before 1970"},
		{name: "another unit", unit: "m", text: "5", reason: "want s, ms, us or ns"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := test.unit.ParseTime(test.text)
			switch {
			case test.reason == "" && (err != nil || got != test.want):
				t.Errorf("%q: %d, %v; want %d", test.text, got, err, test.want)
			case test.reason != "" && (err == nil || !strings.Contains(err.Error(), test.reason)):
				t.Errorf("%q: %d, %v; want an error with %q", test.text, got, err, test.reason)
			}
		})
	}
}

// FuzzTimeUnit compares the exact arithmetic with that of package big.
func FuzzTimeUnit(f *testing.F) {
	for _, text := range []string{"1764000000.5", "1.764e9", "-0.0", "1764000000123456789", "5e-3", "0e7"} {
		f.Add(text, uint8(1))
	}
	units := []TimeUnit{Seconds, Milliseconds, Microseconds, Nanoseconds}
	perSecond := []int64{1, 1e3, 1e6, 1e9}
	f.Fuzz(func(t *testing.T, text string, n uint8) {
		n %= uint8(len(units))
		number, ok := new(big.Rat).SetString(text)
		if !isNumber(text) || !ok { // SetString refuses large exponents
			return
		}
		number.Mul(number, big.NewRat(1000, perSecond[n]))
		want := new(big.Int).Div(number.Num(), number.Denom()) // rounds down, as the denominator is positive
		got, err := units[n].ParseTime(text)
		if (err == nil) != want.IsUint64() || err == nil && got != want.Uint64() {
			t.Errorf("%q in %s: %d, %v; want %d", text, units[n], got, err, want)
		}
	})
}

// TestTimeErrorsMatch wants sentinels that tell a caller what to do about a text.
func TestTimeErrorsMatch(t *testing.T) {
	tests := []struct {
		name string
		text string
		want error
	}{
		{"no zone and no seconds", "2026-11-23T08:00", ErrNoZone},
		{"no zone", "2026-11-23 08:00:00.5", ErrNoZone},
		{"a word", "noon", ErrNotTime},
		{"a date alone", "2026-11-23", ErrNotTime},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := ParseRFC3339(test.text)
			var timeError *TimeError
			if !errors.Is(err, test.want) || !errors.As(err, &timeError) || timeError.Text != test.text {
				t.Errorf("error %v; want a *TimeError about %q that matches %q", err, test.text, test.want)
			}
		})
	}
}
