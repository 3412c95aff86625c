// SPDX-License-Identifier: Apache-2.0

package text

import (
	"errors"
	"strings"
	"testing"
)

func TestParseColumnTime(t *testing.T) {
	tests := []struct {
		name   string
		text   string
		want   uint64
		reason string // a part of the error; "": the text is a time
	}{
		{name: "seconds", text: "1764000000", want: 1_764_000_000_000},
		{name: "milliseconds", text: "1764000000123", want: 1_764_000_000_123},
		{name: "the last number of seconds", text: "99999999999", want: 99_999_999_999_000},
		{name: "the first number of milliseconds", text: "100000000000", want: 100_000_000_000},
		{name: "seconds with a fraction", text: "1764000000.123", want: 1_764_000_000_123},
		{name: "RFC 3339", text: "2025-11-24T16:00:00Z", want: 1_764_000_000_000},
		{name: "RFC 3339 with a space", text: "2025-11-24 16:00:00+00:00", want: 1_764_000_000_000},

		{name: "milliseconds with a fraction", text: "1764000000123.5", reason: "counts seconds"},
		{name: "a negative number", text: "-5", reason: "is not a time"},
		{name: "a time relative to now, which means nothing in a file", text: "-1h", reason: "is not a time"},
		{name: "no zone", text: "2025-11-24 16:00:00", reason: "has no time zone"},
		{name: "a time before 1970", text: "1960-01-01T00:00:00Z", reason: "before 1970"},
		{name: "more than 64 bits", text: "99999999999999999999", reason: "64 bits"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := parseColumnTime(test.text)
			switch {
			case test.reason == "" && (err != nil || got != test.want):
				t.Errorf("%q: %d, %v; want %d", test.text, got, err, test.want)
			case test.reason != "" && (err == nil || !strings.Contains(err.Error(), test.reason)):
				t.Errorf("%q: %d, %v; want an error with %q", test.text, got, err, test.reason)
			}
		})
	}
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
