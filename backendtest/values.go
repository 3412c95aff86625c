// SPDX-License-Identifier: Apache-2.0

package backendtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/daybook-db/daybook"
)

var valueCases = []testCase{
	{"byte for byte", "a value comes back byte for byte", valuesComeBack},
	{"legal values", "a value is one JSON text (RFC 8259) in UTF-8, nested at most 10,000 deep", legalValues},
	{"illegal values",
		"a text that is not one JSON text is daybook.ErrInvalidValue, and changes nothing",
		illegalValues},
	{"the size limit", "a value has at most 16 MiB, and a longer one is daybook.ErrValueTooLarge", valueSizes},
	{"sizes below it", "a value comes back whole, whatever its size", sizesBelowLimit},
	{"the caller's slice", "the backend does not keep the caller's slice after it returns", callersSlice},
	{"the result is the caller's", "the caller owns the result of a query, and may change it", callersResult},
}

func valuesComeBack(s *subject) {
	value := " {\"b\" : 1.50,\t\"a\":[ 1e3 ,\"\\u00e9é\"],\r\n\"b\":2} "
	s.store(row{"r", value, 1})
	s.want("r", daybook.QueryParams{}, row{"r", value, 1})
	s.want("r", daybook.Latest(1), row{"r", value, 1})
}

// valueTest is a text that is a value, or is not.
type valueTest struct {
	value  string
	reason string // why the row is here
}

func legalValues(s *subject) {
	tests := []valueTest{
		{`{"celsius":21.53,"unit":"C","ok":true}`, "the usual case"},
		{`0`, "a text need not be an object"},
		{`null`, "null is a value like any other"},
		{`false`, "so is false"},
		{`""`, "a string may be empty"},
		{`{}`, "an object may be empty"},
		{" \t\r\n[1 , 2]\n", "the grammar has four space characters"},
		{`[{},[],{"a":[]}]`, "a container may close at once"},
		{`{"a":1,"a":2}`, "the grammar allows a name twice"},
		{`"\"\\\/\b\f\n\r\t\u00e9"`, "all escapes"},
		{`"é漢😀"`, "UTF-8 of two, three and four bytes"},
		{`[-0,0.5,1e9,1E+9,-1.5e-7]`, "each branch of the number grammar"},
		{`12345678901234567890`, "more digits than a float holds"},
		{nested(daybook.MaxValueDepth), "10,000 arrays deep is allowed"},
		{strings.Repeat(`[{"a":`, 4000) + "1" + strings.Repeat("}]", 4000), "arrays and objects, 8,000 deep"},
	}
	for i, test := range tests {
		if err := s.backend.Store(s.Context(), "r", json.RawMessage(test.value), uint64(i)); err != nil {
			s.wrong("Store of %s: %v; want no error (%s)", shorten(test.value), err, test.reason)
			continue
		}
		s.want("r", daybook.Between(uint64(i), uint64(i)), row{"r", test.value, uint64(i)})
	}
}

// nested returns arrays that are nested so deeply.
func nested(depth int) string { return strings.Repeat("[", depth) + strings.Repeat("]", depth) }

func illegalValues(s *subject) {
	tests := []valueTest{
		{``, "a text has a value"},
		{" \n", "a text has a value"},
		{`1 2`, "a value is one text, not a stream of texts"},
		{`[1,]`, "JSON5 allows a trailing comma, JSON does not"},
		{`{"a":1,}`, "JSON5 allows a trailing comma, JSON does not"},
		{`{a:1}`, "the name of a member is a string"},
		{`'a'`, "a string has double quotes"},
		{`{"a" 1}`, "a member needs a colon"},
		{`{"a":}`, "a member needs a value"},
		{`[1}`, "brackets must agree"},
		{`{"a":1]`, "brackets must agree"},
		{`01`, "a number has no leading zeros"},
		{`+1`, "a number has no plus sign"},
		{`1.`, "a fraction has digits"},
		{`.5`, "a number has digits before the point"},
		{`1e`, "an exponent has digits"},
		{`-`, "a number has digits"},
		{`0x1`, "a number is decimal"},
		{`NaN`, "it is not in the grammar"},
		{`Infinity`, "it is not in the grammar"},
		{`True`, "literals are lower case"},
		{`tru`, "the text ends inside a literal"},
		{`"abc`, "the text ends inside a string"},
		{`"\`, "the text ends inside an escape"},
		{`"\u12`, "the text ends inside an escape"},
		{`"\x41"`, "the escape is not in the grammar"},
		{"\"a\nb\"", "a control character must be escaped"},
		{"\"a\x00b\"", "NUL must be escaped"},
		{"1\x00", "nothing may follow the value"},
		{"// c\n1", "the grammar has no comments"},
		{"\ufeff1", "RFC 8259 forbids a byte order mark"},
		{"\"caf\xe9\"", "it is not UTF-8"},
		{"\"\xed\xa0\x80\"", "it has a surrogate in UTF-8"},
		{nested(daybook.MaxValueDepth + 1), "10,001 arrays deep is too deep"},
		{strings.Repeat("[", daybook.MaxValueLen), "a recursive validator would overflow its stack"},
		{strings.Repeat(`{"a":`, daybook.MaxValueLen/5), "a recursive validator would overflow its stack"},
	}
	s.store(row{"r", `"before"`, 5})
	for _, test := range tests {
		err := s.backend.Store(s.Context(), "r", json.RawMessage(test.value), 6)
		s.wantError(fmt.Sprintf("Store of %q (%s)", shorten(test.value), test.reason), err, daybook.ErrInvalidValue)
	}
	if err := s.backend.Store(s.Context(), "r", nil, 6); !errors.Is(err, daybook.ErrInvalidValue) {
		s.wrong("Store of nil: got %v; want daybook.ErrInvalidValue", err)
	}
	s.want("*", daybook.QueryParams{}, row{"r", `"before"`, 5})
}

func valueSizes(s *subject) {
	tooLarge := `"` + strings.Repeat("x", daybook.MaxValueLen-1) + `"`
	err := s.backend.Store(s.Context(), "r", json.RawMessage(tooLarge), 1)
	s.wantError("Store of a value one byte over the limit", err, daybook.ErrValueTooLarge)
	s.want("*", daybook.QueryParams{})
	if testing.Short() {
		return
	}
	largest := row{"r", `"` + strings.Repeat("x", daybook.MaxValueLen-2) + `"`, 2}
	s.store(largest, row{"r", "1", 1})
	s.want("r", daybook.QueryParams{}, largest, row{"r", "1", 1})
}

func sizesBelowLimit(s *subject) {
	var want []row
	for bits := range 18 {
		for size := max(1<<bits-1, 2); size <= 1<<bits+1; size++ {
			want = append(want, row{"r", `"` + pseudoText(size-2) + `"`, uint64(len(want))})
		}
	}
	s.store(want...)
	s.want("r", daybook.QueryParams{Order: daybook.OldestFirst}, want...)
	slices.Reverse(want)
	s.want("r", daybook.Latest(3), want[:3]...)
}

// pseudoText returns letters without much of a pattern, so that a compressed value is not a short
// one.
func pseudoText(size int) string {
	text, state := make([]byte, size), uint32(size)
	for i := range text {
		state = state*1664525 + 1013904223
		text[i] = 'a' + byte(state>>24)%26
	}
	return string(text)
}

func callersSlice(s *subject) {
	value := json.RawMessage(`"before"`)
	if err := s.backend.Store(s.Context(), "r", value, 1); err != nil {
		s.Fatalf("Store: %v", err)
	}
	copy(value, `"AFTER!"`)
	s.want("r", daybook.QueryParams{}, row{"r", `"before"`, 1})
}

func callersResult(s *subject) {
	s.store(row{"r", `"one"`, 1}, row{"r", `"two"`, 2})
	for _, v := range s.query("r", daybook.QueryParams{}) {
		for i := range v.Value {
			v.Value[i] = 'X'
		}
		_ = append(v.Value, "beyond the end"...)
	}
	result := s.query("r", daybook.QueryParams{})
	_ = append(result[0].Value, "into the next value"...)
	want := s.comparable([]row{{"r", `"two"`, 2}, {"r", `"one"`, 1}})
	if got := s.rows(result); !slices.Equal(want, got) {
		s.wrong("after changes to an earlier result, and an append to this one, it is %v; want %v", got, want)
	}
}
