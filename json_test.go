// SPDX-License-Identifier: Apache-2.0

package daybook

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestValidateValue(t *testing.T) {
	tests := []struct {
		name   string
		value  string
		want   error
		reason string // why the row is here
	}{
		{"object", `{"celsius":21.53,"unit":"C","ok":true}`, nil, "the ordinary case"},
		{"scalars", `0`, nil, "a text need not be an object"},
		{"null", `null`, nil, "null is a value like any other"},
		{"space around", " \t\r\n[1 , 2]\n", nil, "all four space characters, kept as stored"},
		{"empty containers", `[{},[],{"a":[]}]`, nil, "closing at once"},
		{"all escapes", `"\"\\\/\b\f\n\r\t\u00e9\uD800"`, nil, "a lone surrogate is within the grammar"},
		{"multi-byte", `"é漢😀"`, nil, "UTF-8 of two, three and four bytes"},
		{"numbers", `[-0,0.5,1e9,1E+9,-1.5e-7]`, nil, "each branch of the number grammar"},
		{"empty", ``, ErrInvalidValue, "nothing at all"},
		{"only space", " \n", ErrInvalidValue, "nothing but space"},
		{"two values", `1 2`, ErrInvalidValue, "one text, not a stream"},
		{"trailing comma", `[1,]`, ErrInvalidValue, "not JSON5"},
		{"trailing member", `{"a":1,}`, ErrInvalidValue, "not JSON5"},
		{"bare name", `{a:1}`, ErrInvalidValue, "names are strings"},
		{"no colon", `{"a" 1}`, ErrInvalidValue, "a member needs its colon"},
		{"wrong bracket", `[1}`, ErrInvalidValue, "brackets must agree"},
		{"wrong brace", `{"a":1]`, ErrInvalidValue, "brackets must agree"},
		{"leading zero", `01`, ErrInvalidValue, "an octal-looking number"},
		{"plus sign", `+1`, ErrInvalidValue, "no unary plus"},
		{"bare point", `1.`, ErrInvalidValue, "a fraction has digits"},
		{"bare exponent", `1e`, ErrInvalidValue, "an exponent has digits"},
		{"bare minus", `-`, ErrInvalidValue, "a number has digits"},
		{"NaN", `NaN`, ErrInvalidValue, "not in the grammar"},
		{"cut literal", `tru`, ErrInvalidValue, "ends inside a literal"},
		{"cut string", `"abc`, ErrInvalidValue, "ends inside a string"},
		{"cut escape", `"\`, ErrInvalidValue, "ends inside an escape"},
		{"cut \\u", `"\u12`, ErrInvalidValue, "ends inside an escape"},
		{"bad escape", `"\x41"`, ErrInvalidValue, "not in the grammar"},
		{"byte order mark behind", "1\ufeff", ErrInvalidValue, "RFC 8259 has no such space"},
		{"other space", "\u00a01\v", ErrInvalidValue, "the four space characters only"},
		{"over-long UTF-8", "\"\xc0\x80\"", ErrInvalidValue, "not UTF-8"},
		{"raw newline", "\"a\nb\"", ErrInvalidValue, "control characters are escaped"},
		{"byte order mark", "\ufeff1", ErrInvalidValue, "RFC 8259 forbids it"},
		{"latin-1", "\"caf\xe9\"", ErrInvalidValue, "not UTF-8"},
		{"surrogate in UTF-8", "\"\xed\xa0\x80\"", ErrInvalidValue, "not UTF-8"},
		{"depth at the limit", strings.Repeat("[", MaxValueDepth) + strings.Repeat("]", MaxValueDepth), nil, "10,000 is allowed"},
		{"depth over the limit", strings.Repeat("[", MaxValueDepth+1) + strings.Repeat("]", MaxValueDepth+1), ErrInvalidValue, "10,001 is not"},
		{"mixed depth", strings.Repeat(`[{"a":`, 4000) + "1" + strings.Repeat("}]", 4000), nil, "the kinds are remembered beyond 64 levels"},
		{"mixed depth, swapped", strings.Repeat(`[{"a":`, 4000) + "1" + strings.Repeat("]}", 4000), ErrInvalidValue, "and told apart"},
		{"16 MiB of brackets", strings.Repeat("[", MaxValueLen), ErrInvalidValue, "a recursive validator overflows its stack"},
		{"at the size limit", `"` + strings.Repeat("x", MaxValueLen-2) + `"`, nil, "16 MiB is allowed"},
		{"over the size limit", `"` + strings.Repeat("x", MaxValueLen-1) + `"`, ErrValueTooLarge, "one byte more is not"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if err := ValidateValue(json.RawMessage(test.value)); !errors.Is(err, test.want) {
				t.Errorf("ValidateValue: got %v, want %v (%s)", err, test.want, test.reason)
			}
		})
	}
}

func BenchmarkValidateValue(b *testing.B) {
	value := json.RawMessage(`{"celsius":21.53,"humidity":44.1,"unit":"C","ok":true}`)
	b.Run("daybook", func(b *testing.B) {
		for b.Loop() {
			if err := ValidateValue(value); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("encoding-json", func(b *testing.B) {
		for b.Loop() {
			if !json.Valid(value) || !utf8.Valid(value) {
				b.Fatal("not valid")
			}
		}
	})
}

// TestValueValidator: what is said of a value does not depend on the one before.
func TestValueValidator(t *testing.T) {
	tests := []struct {
		before, value string
		reason        string // why the row is here
	}{
		{`{"c":21.5}`, `{"c":9.55}`, "other digits, and more of them"},
		{`{"c":21.5}`, `{"c":021.5}`, "a zero in front of an integral part"},
		{`{"c":21.5}`, `{"c":0.05}`, "but not of a fraction"},
		{`{"c":21.5}`, `{"c":01.5}`, "a zero in front, and the same length"},
		{`{"c":-21.5}`, `{"c":-01.5}`, "behind a sign"},
		{`[123456,21]`, `[123456,01]`, "in the last bytes"},
		{`[1234567,21]`, `[1234567,01]`, "where eight bytes end"},
		{`{"c":21.55}`, `{"c":20.05}`, "zeros behind a digit and a point, and the same length"},
		{`{"c":21.55}`, `{"c":2a.05}`, "a letter for a digit"},
		{`{"c":21.55}`, `{"c":2:.05}`, "what follows the digits in ASCII"},
		{`{"c":21.55}`, `{"c":2/.05}`, "what precedes them"},
		{`{"c":21.55}`, "{\"c\":2\xb1.05}", "a digit but for its high bit"},
		{`{"c":0}`, `{"c":00}`, "nor is a zero alone a leading one"},
		{`{"c":1e5}`, `{"c":1e05}`, "an exponent may have zeros in front"},
		{`"12:30"`, `"02:05"`, "digits in a string are text"},
		{`{"1":1}`, `{"01":1}`, "so are those in a name"},
		{`{"a":"1","b":2}`, `{"a":"01","b":02}`, "a string ends where it ends"},
		{`"\u0041"`, `"\u141"`, "an escape has four digits"},
		{`"\"1"`, `"\"01"`, "an escaped quote ends no string"},
		{`[1,2]`, `[1,2`, "the end is missing"},
		{`[1,2]`, `[1,2]]`, "there is something behind the end"},
		{`[1,2]`, `[1,]`, "a number is missing"},
		{`[1,2]`, `[1,-2]`, "a sign is no digit"},
		{`[1`, `[2`, "what follows an invalid value"},
		{`1`, strings.Repeat("1", MaxValueLen+1), "what is like a short value can be too long"},
	}
	for _, test := range tests {
		var v ValueValidator
		_ = v.Validate([]byte(test.before))
		got, want := v.Validate([]byte(test.value)), ValidateValue([]byte(test.value))
		if (got == nil) != (want == nil) || got != nil && got.Error() != want.Error() {
			t.Errorf("%.40q after %q: got %v, want %v (%s)", test.value, test.before, got, want, test.reason)
		}
	}
}
