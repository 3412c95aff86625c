// SPDX-License-Identifier: Apache-2.0

package text

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"github.com/daybook-db/daybook"
)

// jsonPath is the place of a value in a JSON text: names of members, and indexes of arrays.
type jsonPath []string

// parsePath reads a path such as "axes.0.speed". A name that has a dot or a backslash has a
// backslash before it, as in "a\.b".
func parsePath(text string) (jsonPath, error) {
	path := jsonPath{""}
	for at := 0; at < len(text); at++ {
		last := &path[len(path)-1]
		switch b := text[at]; {
		case b == '.':
			path = append(path, "")
		case b == '\\' && at+1 < len(text) && (text[at+1] == '.' || text[at+1] == '\\'):
			at++
			*last += text[at : at+1]
		default:
			*last += text[at : at+1]
		}
	}
	for _, name := range path {
		if name == "" {
			return nil, fmt.Errorf("%w: %q is not a path: want names with dots between them",
				daybook.ErrInvalidParams, text)
		}
	}
	return path, nil
}

func parsePaths(texts []string) (paths []jsonPath, err error) {
	for _, text := range texts {
		path, err := parsePath(text)
		if err != nil {
			return nil, err
		}
		paths = append(paths, path)
	}
	return paths, nil
}

var pathEscapes = strings.NewReplacer(`\`, `\\`, `.`, `\.`)

// String returns the text that parsePath reads.
func (p jsonPath) String() string {
	names := make([]string, len(p))
	for i, name := range p {
		names[i] = pathEscapes.Replace(name)
	}
	return strings.Join(names, ".")
}

// memberSpan is where a member lies in a JSON text. An element of an array has the start of its
// value as its start.
type memberSpan struct {
	start      int // of the name
	value, end int // of the value
	isMember   bool
}

// find returns the place that the path leads to in text, which is valid JSON. It reports false if
// there is none, and an error if a name of the path is there twice.
func (p jsonPath) find(text []byte) (span memberSpan, found bool, err error) {
	span = memberSpan{end: len(text)}
	for _, name := range p {
		s := memberScanner{line: text[:span.end], at: span.value}
		switch s.skipSpace() {
		case '{':
			span, found, err = s.findMember(name)
		case '[':
			span, found = s.findElement(name)
		default:
			return span, false, nil
		}
		if err != nil || !found {
			return span, false, err
		}
	}
	return span, true, nil
}

// findMember finds a member of the object at s.at, which is valid JSON.
func (s *memberScanner) findMember(name string) (span memberSpan, found bool, err error) {
	s.at++
	for s.skipSpace() == '"' {
		start := s.at
		nameEnd := s.stringEnd(start)
		isName := isNamed(s.line[start:nameEnd], name)
		s.at = nameEnd
		s.skipSpace()
		s.at++ // the colon
		s.skipSpace()
		value := s.at
		s.at = s.valueEnd(value)
		if isName && found {
			return span, false, &MemberError{name, errTwice}
		}
		if isName {
			span, found = memberSpan{start, value, s.at, true}, true
		}
		if s.skipSpace() == ',' {
			s.at++
		}
	}
	return span, found, nil
}

// isNamed reports whether a JSON string is the name.
func isNamed(quoted []byte, name string) bool {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return string(quoted[1:len(quoted)-1]) == name
	}
	decoded, err := unquote(quoted)
	return err == nil && decoded == name
}

// findElement finds an element of the array at s.at, which is valid JSON.
func (s *memberScanner) findElement(index string) (span memberSpan, found bool) {
	want, err := strconv.ParseUint(index, 10, 31)
	if err != nil {
		return span, false
	}
	s.at++
	for i := uint64(0); s.skipSpace() != ']' && s.at < len(s.line); i++ {
		start := s.at
		s.at = s.valueEnd(start)
		if i == want {
			return memberSpan{start: start, value: start, end: s.at}, true
		}
		if s.skipSpace() == ',' {
			s.at++
		}
	}
	return span, false
}

// cut removes a member from text, and the comma that goes with it. It changes text.
func (span memberSpan) cut(text []byte) []byte {
	after := memberScanner{line: text, at: span.end}
	if after.skipSpace() == ',' {
		after.at++
		after.skipSpace()
		return append(text[:span.start], text[after.at:]...)
	}
	start := span.start
	before := bytes.TrimRight(text[:start], " \t\r\n")
	if len(before) > 0 && before[len(before)-1] == ',' {
		start = len(before) - 1
	}
	return append(text[:start], text[span.end:]...)
}
