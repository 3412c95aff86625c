// SPDX-License-Identifier: Apache-2.0

package text

import (
	"strings"
	"testing"
)

// timeTest is a text that is a time, or the reason why not.
type timeTest struct {
	why   string
	text  string
	want  uint64
	fault string
}

func runTimeTests(t *testing.T, tests []timeTest, parse func(string) (uint64, error)) {
	for _, test := range tests {
		t.Run(test.why, func(t *testing.T) {
			got, err := parse(test.text)
			switch {
			case test.fault == "" && (err != nil || got != test.want):
				t.Errorf("%q: %d, %v; want %d", test.text, got, err, test.want)
			case test.fault != "" && (err == nil || !strings.Contains(err.Error(), test.fault)):
				t.Errorf("%q: %d, %v; want an error with %q", test.text, got, err, test.fault)
			}
		})
	}
}

func TestParseColumnTime(t *testing.T) {
	runTimeTests(t, []timeTest{
		{why: "seconds", text: "1764000000", want: 1_764_000_000_000},
		{why: "milliseconds", text: "1764000000123", want: 1_764_000_000_123},
		{why: "the last number of seconds", text: "99999999999", want: 99_999_999_999_000},
		{why: "the first number of milliseconds", text: "100000000000", want: 100_000_000_000},
		{why: "seconds with a fraction", text: "1764000000.123", want: 1_764_000_000_123},
		{why: "RFC 3339", text: "2025-11-24T16:00:00Z", want: 1_764_000_000_000},
		{why: "RFC 3339 with a space", text: "2025-11-24 16:00:00+00:00", want: 1_764_000_000_000},

		{why: "milliseconds with a fraction", text: "1764000000123.5", fault: "counts seconds"},
		{why: "a negative number", text: "-5", fault: "is not a time"},
		{why: "a relative time makes no sense in a file", text: "-1h", fault: "is not a time"},
		{why: "no zone", text: "2025-11-24 16:00:00", fault: "has no time zone"},
		{why: "before time starts", text: "1960-01-01T00:00:00Z", fault: "before 1970"},
		{why: "more than 64 bits", text: "99999999999999999999", fault: "64 bits"},
	}, parseColumnTime)
}
