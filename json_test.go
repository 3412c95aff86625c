// SPDX-License-Identifier: Apache-2.0

package daybook

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

// valueTests are texts, and the error of ValidateValue for each of them.
var valueTests = []struct {
	name   string
	value  string
	want   error
	reason string // why the row is here
}{
	{"object", `{"celsius":21.53,"unit":"C","ok":true}`, nil, "the ordinary case"},
	{"scalars", `0`, nil, "a text need not be an object"},
	{"null", `null`, nil, "null is a value like any other"},
	{"space around", " \t\r\n[1 , 2]\n", nil, "the grammar has four space characters"},
	{"empty containers", `[{},[],{"a":[]}]`, nil, "a container may close at once"},
	{"all escapes", `"\"\\\/\b\f\n\r\t\u00e9\uD800"`, nil, "a lone surrogate is within the grammar"},
	{"multi-byte", `"é漢😀"`, nil, "UTF-8 of two, three and four bytes"},
	{"numbers", `[-0,0.5,1e9,1E+9,-1.5e-7]`, nil, "each branch of the number grammar"},
	{"empty", ``, ErrInvalidValue, "a text has a value"},
	{"only space", " \n", ErrInvalidValue, "a text has a value"},
	{"two values", `1 2`, ErrInvalidValue, "a value is one text, not a stream of texts"},
	{"trailing comma", `[1,]`, ErrInvalidValue, "JSON5 allows it, JSON does not"},
	{"trailing comma in an object", `{"a":1,}`, ErrInvalidValue, "JSON5 allows it, JSON does not"},
	{"bare name", `{a:1}`, ErrInvalidValue, "the name of a member is a string"},
	{"no colon", `{"a" 1}`, ErrInvalidValue, "a member needs a colon"},
	{"wrong bracket", `[1}`, ErrInvalidValue, "brackets must agree"},
	{"wrong brace", `{"a":1]`, ErrInvalidValue, "brackets must agree"},
	{"leading zero", `01`, ErrInvalidValue, "a number has no leading zeros"},
	{"plus sign", `+1`, ErrInvalidValue, "a number has no plus sign"},
	{"bare point", `1.`, ErrInvalidValue, "a fraction has digits"},
	{"bare exponent", `1e`, ErrInvalidValue, "an exponent has digits"},
	{"bare minus", `-`, ErrInvalidValue, "a number has digits"},
	{"NaN", `NaN`, ErrInvalidValue, "it is not in the grammar"},
	{"cut literal", `tru`, ErrInvalidValue, "the text ends inside a literal"},
	{"cut string", `"abc`, ErrInvalidValue, "the text ends inside a string"},
	{"cut escape", `"\`, ErrInvalidValue, "the text ends inside an escape"},
	{"cut \\u", `"\u12`, ErrInvalidValue, "the text ends inside an escape"},
	{"unknown escape", `"\x41"`, ErrInvalidValue, "it is not in the grammar"},
	{"byte order mark at the end", "1\ufeff", ErrInvalidValue, "it is not a space character of RFC 8259"},
	{"other space", "\u00a01\v", ErrInvalidValue, "the grammar has only four space characters"},
	{"over-long UTF-8", "\"\xc0\x80\"", ErrInvalidValue, "it is not valid UTF-8"},
	{"raw newline", "\"a\nb\"", ErrInvalidValue, "a control character must be escaped"},
	{"byte order mark at the start", "\ufeff1", ErrInvalidValue, "RFC 8259 forbids it"},
	{"latin-1", "\"caf\xe9\"", ErrInvalidValue, "it is not valid UTF-8"},
	{"surrogate in UTF-8", "\"\xed\xa0\x80\"", ErrInvalidValue, "it is not valid UTF-8"},
	{"depth at the limit", nested(MaxValueDepth), nil, "10,000 is allowed"},
	{"depth over the limit", nested(MaxValueDepth + 1), ErrInvalidValue, "10,001 is too deep"},
	{"arrays and objects, deep", strings.Repeat(`[{"a":`, 4000) + "1" + strings.Repeat("}]", 4000), nil,
		"the stack of open containers has more than one word"},
	{"arrays and objects, closed wrongly", strings.Repeat(`[{"a":`, 4000) + "1" + strings.Repeat("]}", 4000),
		ErrInvalidValue, "the stack tells arrays from objects at any depth"},
	{"16 MiB of brackets", strings.Repeat("[", MaxValueLen), ErrInvalidValue,
		"a recursive validator would overflow its stack"},
	{"at the size limit", `"` + strings.Repeat("x", MaxValueLen-2) + `"`, nil, "16 MiB is allowed"},
	{"over the size limit", `"` + strings.Repeat("x", MaxValueLen-1) + `"`, ErrValueTooLarge,
		"one byte more is too large"},
}

func TestValidateValue(t *testing.T) {
	for _, test := range valueTests {
		t.Run(test.name, func(t *testing.T) {
			if err := ValidateValue(json.RawMessage(test.value)); !errors.Is(err, test.want) {
				t.Errorf("ValidateValue: got %v; want %v (%s)", err, test.want, test.reason)
			}
		})
	}
}

// TestEveryShortText compares ValidateValue with encoding/json for every text of up to four
// characters that mean something in JSON, alone and within a longer one.
func TestEveryShortText(t *testing.T) {
	const alphabet = "{}[]\":, 01-.e\\ut"
	frames := [][2]string{{"", ""}, {`{"a":[`, `,1]}`}, {`[12.5,{"b":"c`, `"}]`}, {`{"a"`, ""}, {`[-1`, `]`}}
	var text []byte
	var try func(length int)
	try = func(length int) {
		for _, frame := range frames {
			value := append(append([]byte(frame[0]), text...), frame[1]...)
			if got, want := ValidateValue(value) == nil, json.Valid(value); got != want {
				t.Fatalf("%q: got valid: %v; want %v", value, got, want)
			}
		}
		for i := 0; length > 0 && i < len(alphabet); i++ {
			text = append(text, alphabet[i])
			try(length - 1)
			text = text[:len(text)-1]
		}
	}
	try(4)
}

// TestFaultOfAValue wants the reason and the place of a fault.
func TestFaultOfAValue(t *testing.T) {
	for _, test := range []struct{ value, want string }{
		{``, "it is empty at offset 0 of 0 bytes"},
		{` `, "it is empty at offset 1 of 1 bytes"},
		{`{"a" 1}`, "':' was expected at offset 5 of 7 bytes"},
		{`{"a"`, "the text ends early at offset 4 of 4 bytes"},
		{`{1:2}`, "a member name in quotes was expected at offset 1 of 5 bytes"},
		{`{"a":1,}`, "a member name in quotes was expected at offset 7 of 8 bytes"},
		{`"abc`, "the text ends early at offset 4 of 4 bytes"},
		{`"a` + "\xff" + `"`, "it is not valid UTF-8 at offset 2 of 4 bytes"},
		{`01`, "a number has no leading zeros at offset 1 of 2 bytes"},
		{`[1.]`, "a digit was expected after the point at offset 3 of 4 bytes"},
		{`"\q"`, "an unknown escape at offset 2 of 4 bytes"},
	} {
		err := ValidateValue(json.RawMessage(test.value))
		if want := "invalid value: " + test.want; err == nil || err.Error() != want {
			t.Errorf("%q: got %v; want %q", test.value, err, want)
		}
	}
}

// nested returns arrays that are nested so deeply.
func nested(depth int) string { return strings.Repeat("[", depth) + strings.Repeat("]", depth) }

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

// TestValueValidator compares a ValueValidator that has seen a value before with ValidateValue.
func TestValueValidator(t *testing.T) {
	tests := []struct {
		before, value string
		reason        string // why the row is here
	}{
		{`{"c":21.5}`, `{"c":9.55}`, "other digits, and more of them"},
		{`{"c":21.5}`, `{"c":021.5}`, "an integral part has no leading zero"},
		{`{"c":21.5}`, `{"c":0.05}`, "a fraction may start with a zero"},
		{`{"c":21.5}`, `{"c":01.5}`, "a leading zero in a text of the same length"},
		{`{"c":-21.5}`, `{"c":-01.5}`, "a leading zero after a sign"},
		{`[123456,21]`, `[123456,01]`, "a leading zero in the last bytes"},
		{`[1234567,21]`, `[1234567,01]`, "a leading zero at the start of a word of eight bytes"},
		{`{"c":21.55}`, `{"c":20.05}`, "zeros after a digit and after a point, in a text of the same length"},
		{`{"c":21.55}`, `{"c":2a.05}`, "a letter for a digit"},
		{`{"c":21.55}`, `{"c":2:.05}`, "the character after 9 in ASCII is no digit"},
		{`{"c":21.55}`, `{"c":2/.05}`, "the character before 0 in ASCII is no digit"},
		{`{"c":21.55}`, "{\"c\":2\xb1.05}", "a digit with its highest bit set is no digit"},
		{`{"c":0}`, `{"c":00}`, "a second zero makes the first one a leading zero"},
		{`{"c":1e5}`, `{"c":1e05}`, "an exponent may have leading zeros"},
		{`"12:30"`, `"02:05"`, "digits in a string are text"},
		{`{"1":1}`, `{"01":1}`, "digits in a name are text"},
		{`{"a":"1","b":2}`, `{"a":"01","b":02}`, "quotes say where strings end"},
		{`"\u0041"`, `"\u141"`, "an escape has four digits"},
		{`"\"1"`, `"\"01"`, "an escaped quote ends no string"},
		{`[1,2]`, `[1,2`, "the end is missing"},
		{`[1,2]`, `[1,2]]`, "there is something after the end"},
		{`[1,2]`, `[1,]`, "a number is missing"},
		{`[1,2]`, `[1,-2]`, "a sign is no digit"},
		{`[1`, `[2`, "an invalid value is no example"},
		{`1`, strings.Repeat("1", MaxValueLen+1), "a value of the same shape can be too long"},
	}
	for _, test := range tests {
		var v ValueValidator
		_ = v.Validate([]byte(test.before))
		got, want := v.Validate([]byte(test.value)), ValidateValue([]byte(test.value))
		if (got == nil) != (want == nil) || got != nil && got.Error() != want.Error() {
			t.Errorf("%.40q after %q: got %v; want %v (%s)", test.value, test.before, got, want, test.reason)
		}
	}
}
