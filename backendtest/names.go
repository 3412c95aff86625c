// SPDX-License-Identifier: Apache-2.0

package backendtest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/daybook-db/daybook"
)

var nameCases = []testCase{
	{"legal names", "a record name is any valid UTF-8 of 1 to 1024 bytes without NUL, and is not changed", legalNames},
	{"illegal names", "an illegal record name is daybook.ErrInvalidName, and changes nothing", illegalNames},
}

func legalNames(s *subject) {
	tests := []struct {
		name   string
		reason string // why the row is here
	}{
		{"a", "the shortest"},
		{strings.Repeat("n", daybook.MaxRecordNameLen), "the longest"},
		{strings.Repeat("é", daybook.MaxRecordNameLen/2), "the longest, of two bytes a character"},
		{"Sensor.Kitchen", "case is kept"},
		{"sensor.kitchen", "and distinguished"},
		{"\u00e9", "one character"},
		{"e\u0301", "not normalized to the one before"},
		{" a", "spaces count"},
		{"a ", "spaces count"},
		{"a\tb\nc\x01\x7f", "control characters but NUL"},
		{"*", "no pattern in Store"},
		{"#", "no pattern in Store"},
		{`a\?`, "no pattern in Store"},
		{"../../etc/passwd", "no path"},
		{"CON", "no file name on Windows"},
		{"'; DROP TABLE records; --", "no SQL"},
		{"a%_b", "no SQL pattern"},
		{"漢字.😀", "three and four bytes a character"},
		{"\ufeff\ufffd\u202e", "legal, if odd, characters"},
	}
	var all []string
	for i, test := range tests {
		s.store(row{test.name, fmt.Sprint(i), 1})
		all = append(all, test.name)
	}
	for i, test := range tests {
		got := s.rows(s.query(escapeGlob(test.name), daybook.QueryParams{}))
		if want := s.comparable([]row{{test.name, fmt.Sprint(i), 1}}); !slices.Equal(want, got) {
			s.wrong("record %q has %v; want %v (%s)", shorten(test.name), got, want, test.reason)
		}
	}
	slices.Sort(all)
	s.wantNames("*", daybook.Glob, all...)
}

// escapeGlob returns the glob that matches name alone.
func escapeGlob(name string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`).Replace(name)
}

func illegalNames(s *subject) {
	tests := []struct {
		name   string
		reason string // why the row is here
	}{
		{"", "empty"},
		{strings.Repeat("n", daybook.MaxRecordNameLen+1), "a byte too long"},
		{strings.Repeat("é", daybook.MaxRecordNameLen/2) + "n", "too long in bytes, not in characters"},
		{strings.Repeat("n", 1<<20), "far too long"},
		{"a\x00b", "a NUL"},
		{"\x00", "nothing but a NUL"},
		{"a\xffb", "not UTF-8"},
		{"caf\xe9", "Latin-1"},
		{"\xed\xa0\x80", "a surrogate in UTF-8"},
		{"a\xc3", "half a character"},
	}
	s.store(row{"r", `"before"`, 5})
	for _, test := range tests {
		err := s.backend.Store(s.Context(), test.name, json.RawMessage("1"), 1)
		s.wantError(fmt.Sprintf("Store under %q (%s)", shorten(test.name), test.reason), err, daybook.ErrInvalidName)
		s.want("*", daybook.QueryParams{}, row{"r", `"before"`, 5})
	}
}
