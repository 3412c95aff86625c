// SPDX-License-Identifier: Apache-2.0

package daybook

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"slices"
	"strconv"
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
	{"booleans", `[true,false]`, nil, "the other two literals"},
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
	{"unknown escape in a name", `{"a\1}`, ErrInvalidValue, "the rest is not a value"},
	{"byte order mark at the end", "1\ufeff", ErrInvalidValue, "it is not a space character of RFC 8259"},
	{"other space", "\u00a01\v", ErrInvalidValue, "the grammar has only four space characters"},
	{"over-long UTF-8", "\"\xc0\x80\"", ErrInvalidValue, "it is not valid UTF-8"},
	{"raw newline", "\"a\nb\"", ErrInvalidValue, "a control character must be escaped"},
	{"raw newline in a name", "{\"a\n:1}", ErrInvalidValue, "the rest is not a value"},
	{"replacement character", "\"\ufffd\"", nil, "decoders return it for what is not UTF-8, but it is UTF-8"},
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

// TestHexDigits puts each byte in the place of the last digit of an escape.
func TestHexDigits(t *testing.T) {
	for b := range 256 {
		value := []byte(`"\u00a_"`)
		value[6] = byte(b)
		if got, want := ValidateValue(value) == nil, json.Valid(value); got != want {
			t.Errorf("%q: got valid: %v; want %v", value, got, want)
		}
	}
}

// TestMixedContainers nests arrays and objects at random, deeper than one word of the stack of open
// containers has bits. Then it closes one of them with the wrong bracket.
func TestMixedContainers(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		var opened strings.Builder
		closed := []byte("null")
		for range 150 {
			sibling := []string{"1", "[2]", `{"b":3}`}[random.IntN(3)]
			if random.IntN(2) == 0 {
				opened.WriteString("[" + sibling + ",")
				closed = append(closed, ']')
			} else {
				opened.WriteString(`{"a":` + sibling + `,"b":`)
				closed = append(closed, '}')
			}
		}
		start := len("null")
		slices.Reverse(closed[start:]) // the innermost container was opened last
		if err := ValidateValue([]byte(opened.String() + string(closed))); err != nil {
			t.Errorf("%s%s: got %v", opened.String(), closed, err)
		}
		closed[start+random.IntN(len(closed)-start)] ^= '[' ^ '{'
		if err := ValidateValue([]byte(opened.String() + string(closed))); !errors.Is(err, ErrInvalidValue) {
			t.Errorf("%s%s: got %v; want ErrInvalidValue", opened.String(), closed, err)
		}
	}
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
		{`{"a\q":1}`, "an unknown escape at offset 4 of 9 bytes"},
		{"\"a\nb\"", "a control character in a string must be escaped at offset 2 of 5 bytes"},
		{`{"a":`, "the text ends early at offset 5 of 5 bytes"},
		{`[1`, "the text ends early at offset 2 of 2 bytes"},
		{nested(MaxValueDepth + 1), "it is nested too deep (the maximum is 10000) at offset 10000 of 20002 bytes"},
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
		{`1`, `x`, "nothing is equal"},
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

// TestShapes draws pairs of readings that differ only in their numbers. They must have one shape,
// because that is what makes a ValueValidator fast. Then it changes one byte of the second reading.
func TestShapes(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 5000 {
		members := 1 + random.IntN(4)
		names := make([]string, members)
		for i := range names {
			names[i] = strings.Repeat("x", random.IntN(9)) + []string{"", "1", "07"}[random.IntN(3)]
		}
		before, value := reading(random, names), reading(random, names)
		if !sameShape(value, before) {
			t.Fatalf("%s after %s: got another shape", value, before)
		}
		want := len(value) == len(before) && len(value) >= 8 && onlyDigitsDiffer(value, before)
		if got := sameShapeAndLength(value, before); got != want {
			t.Fatalf("%s after %s: shape and length are the same: got %v", value, before, got)
		}
		var v ValueValidator
		if err := errors.Join(v.Validate(before), v.Validate(value)); err != nil {
			t.Fatal(err)
		}
		v = ValueValidator{valid: before}
		value[random.IntN(len(value))] = "0123456789.,:\"{}[]-e\\ x"[random.IntN(23)]
		if got, want := v.Validate(value) == nil, ValidateValue(value) == nil; got != want {
			t.Fatalf("%s after %s: got valid: %v; want %v", value, before, got, want)
		}
	}
}

// TestShapeSparesTheGrammar: after a valid value, one of the same shape does not need the grammar.
// A text that is no JSON shows whether it was used.
func TestShapeSparesTheGrammar(t *testing.T) {
	var v ValueValidator
	if err := v.Validate([]byte(`{"c":21.5}`)); err != nil || string(v.valid) != `{"c":21.5}` {
		t.Errorf("got %v; remembered %q", err, v.valid)
	}
	for _, value := range []string{`{c:22.5}`, `{c:1234.5}`} {
		v := ValueValidator{valid: []byte(`{c:21.5}`)}
		if err := v.Validate([]byte(value)); err != nil {
			t.Errorf("%s: got %v", value, err)
		}
	}
}

// reading returns an object with a number for each name.
func reading(random *rand.Rand, names []string) []byte {
	var members []string
	for i, name := range names {
		number := strconv.Itoa(random.IntN(200) * random.IntN(100))
		if i%2 == 1 {
			number = strconv.FormatFloat(float64(random.IntN(20_000))/100, 'f', 2, 64)
		}
		members = append(members, `"`+name+`":`+number)
	}
	return []byte("{" + strings.Join(members, ",") + "}")
}

// onlyDigitsDiffer reports whether each byte that differs is a digit in both texts, and no first
// digit of a number has become a zero.
func onlyDigitsDiffer(value, before []byte) bool {
	for i, b := range value {
		switch {
		case b == before[i]:
		case !isDigit(b), !isDigit(before[i]), b == '0' && !isDigit(value[i-1]) && value[i-1] != '.':
			return false
		}
	}
	return true
}
