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
	{"legal names",
		"a record name is any valid UTF-8 of 1 to 1024 bytes without NUL, and is stored unchanged",
		legalNames},
	{"illegal names", "an illegal record name is daybook.ErrInvalidName, and changes nothing", illegalNames},
}

func legalNames(s *subject) {
	tests := []struct {
		name   string
		reason string // why the row is here
	}{
		{"a", "the shortest name"},
		{strings.Repeat("n", daybook.MaxRecordNameLen), "the longest name"},
		{strings.Repeat("é", daybook.MaxRecordNameLen/2), "the longest name with characters of two bytes"},
		{"Sensor.Kitchen", "upper case is kept"},
		{"sensor.kitchen", "lower case makes another name"},
		{"\u00e9", "a composed character"},
		{"e\u0301", "a decomposed character makes another name"},
		{" a", "a leading space is kept"},
		{"a ", "a trailing space is kept"},
		{"a\tb\nc\x01\x7f", "control characters except NUL"},
		{"*", "Store takes no pattern"},
		{"#", "Store takes no pattern"},
		{`a\?`, "Store takes no pattern"},
		{"../../etc/passwd", "a name is no path"},
		{"CON", "Windows has no file of this name"},
		{"'; DROP TABLE records; --", "a name is no SQL"},
		{"a%_b", "a name is no SQL pattern"},
		{"漢字.😀", "characters of three and four bytes"},
		{"\ufeff\ufffd\u202e", "odd characters are legal"},
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

// escapeGlob returns the glob that matches only name.
func escapeGlob(name string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`).Replace(name)
}

func illegalNames(s *subject) {
	tests := []struct {
		name   string
		reason string // why the row is here
	}{
		{"", "it is empty"},
		{strings.Repeat("n", daybook.MaxRecordNameLen+1), "it is one byte too long"},
		{strings.Repeat("é", daybook.MaxRecordNameLen/2) + "n", "it is too long in bytes, not in characters"},
		{strings.Repeat("n", 1<<20), "it is far too long"},
		{"a\x00b", "it has a NUL"},
		{"\x00", "it is a NUL"},
		{"a\xffb", "it is not UTF-8"},
		{"caf\xe9", "it is Latin-1"},
		{"\xed\xa0\x80", "it has a surrogate in UTF-8"},
		{"a\xc3", "it ends inside a character"},
	}
	s.store(row{"r", `"before"`, 5})
	for _, test := range tests {
		err := s.backend.Store(s.Context(), test.name, json.RawMessage("1"), 1)
		s.wantError(fmt.Sprintf("Store under %q (%s)", shorten(test.name), test.reason), err, daybook.ErrInvalidName)
		s.want("*", daybook.QueryParams{}, row{"r", `"before"`, 5})
	}
}
