// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"unicode"
	"unicode/utf16"

	"github.com/daybook-db/daybook"
)

// memberScanner takes the members out of the object that a line is. encoding/json would match their
// names without regard to case, take the last of two with the same name, and count the line's own
// object against the depth that a value may have. It walks the line once and never recurses: a line
// may be 17 MiB of "[".
//
// It finds where a member's value ends, and each value is then checked by itself. Together that is
// a check of the whole line.
type memberScanner struct {
	text []byte
	at   int
}

// scanMembers calls visit with each member of the object that text is. The values alias text.
func scanMembers(text []byte, visit func(name string, value json.RawMessage) error) error {
	s := memberScanner{text: text}
	if s.next() != '{' {
		return s.notAnObject()
	}
	s.at++
	if s.next() == '}' {
		return s.end()
	}
	for {
		name, value, err := s.member()
		if err != nil {
			return err
		}
		if err := daybook.ValidateValue(value); err != nil {
			return inMember(name, err)
		}
		if err := visit(name, value); err != nil {
			return err
		}
		switch s.next() {
		case ',':
			s.at++
		case '}':
			return s.end()
		default:
			return s.fault("want a comma or the end of the object")
		}
	}
}

// inMember names the member whose value is at fault, shortly: a name may be as long as a line.
func inMember(name string, err error) error {
	const most = 64
	if len(name) > most {
		name = name[:most] + "..."
	}
	return fmt.Errorf("member %q: %w", name, err)
}

// next skips white space and returns the byte that stands there, or 0 at the end.
func (s *memberScanner) next() byte {
	for ; s.at < len(s.text); s.at++ {
		if b := s.text[s.at]; b != ' ' && b != '\t' && b != '\r' && b != '\n' {
			return b
		}
	}
	return 0
}

// member reads a name, its colon, and the extent of its value.
func (s *memberScanner) member() (name string, value json.RawMessage, err error) {
	if s.next() != '"' {
		return "", nil, s.fault("want the name of a member")
	}
	quoted := s.text[s.at:s.afterString(s.at)]
	if name, err = unquote(quoted); err != nil {
		return "", nil, s.fault("want the name of a member")
	}
	s.at += len(quoted)
	if s.next() != ':' {
		return "", nil, s.fault("want a colon after the name of a member")
	}
	s.at++
	s.next()
	from := s.at
	s.at = s.afterValue(from)
	if s.at == from {
		return "", nil, s.fault("want a value")
	}
	return name, s.text[from:s.at], nil
}

// afterValue is where the value ends that starts at from. It counts brackets without telling their
// kinds apart; whether they match is for the check of the value.
func (s *memberScanner) afterValue(from int) int {
	depth := 0
	for at := from; at < len(s.text); {
		switch s.text[at] {
		case '"':
			at = s.afterString(at)
		case '{', '[':
			depth++
			at++
		case '}', ']':
			if depth == 0 {
				return at // the object's own end, where a value was to start
			}
			depth--
			at++
		default:
			if depth == 0 {
				return s.afterWord(at)
			}
			at++
		}
		if depth == 0 {
			return at
		}
	}
	return len(s.text)
}

// afterWord is where a number, true, false or null ends that starts at from.
func (s *memberScanner) afterWord(from int) int {
	if n := bytes.IndexAny(s.text[from:], ",:{}[]\" \t\r\n"); n >= 0 {
		return from + n
	}
	return len(s.text)
}

// afterString is where the string ends that starts at from.
func (s *memberScanner) afterString(from int) int {
	for at := from + 1; at < len(s.text); at++ {
		switch s.text[at] {
		case '\\':
			at++
		case '"':
			return at + 1
		}
	}
	return len(s.text)
}

// end checks that nothing follows the object's closing brace.
func (s *memberScanner) end() error {
	s.at++
	if s.next(); s.at < len(s.text) {
		return s.fault("there is more after the object")
	}
	return nil
}

func (s *memberScanner) fault(want string) error {
	if s.at >= len(s.text) {
		want = "the line ends early"
	}
	return fmt.Errorf("not JSON: %s at byte %d", want, s.at+1)
}

// notAnObject tells another JSON text from no JSON at all.
func (s *memberScanner) notAnObject() error {
	if daybook.ValidateValue(s.text) != nil {
		return s.fault("want an object")
	}
	return fmt.Errorf("a JSON %s: want an object", kindOf(s.text[s.at:]))
}

// kindOf names the kind of a JSON text.
func kindOf(text []byte) string {
	switch text[0] {
	case '{':
		return "object"
	case '[':
		return "array"
	case '"':
		return "string"
	case 't', 'f':
		return "bool"
	case 'n':
		return "null"
	}
	return "number"
}

// decodeString decodes a JSON string exactly or not at all. encoding/json puts U+FFFD in the place of
// half a surrogate pair, so that two texts would become the same name.
func decodeString(text json.RawMessage) (string, error) {
	if kind := kindOf(text); kind != "string" {
		return "", fmt.Errorf("is a JSON %s: want a string", kind)
	}
	if hasLoneSurrogate(text) {
		return "", errors.New("holds half a surrogate pair, which is no character")
	}
	return unquote(text)
}

// unquote decodes a JSON string. Most stand as they are, and need no decoder.
func unquote(text []byte) (decoded string, err error) {
	plain := len(text) > 1 && text[len(text)-1] == '"' &&
		!bytes.ContainsFunc(text, func(r rune) bool { return r == '\\' || r < ' ' })
	if plain {
		return string(text[1 : len(text)-1]), nil
	}
	err = json.Unmarshal(text, &decoded)
	return decoded, err
}

// hasLoneSurrogate reports whether a JSON string holds an escape such as \ud800 without its other half.
func hasLoneSurrogate(text []byte) bool {
	for at := 0; at < len(text); at++ {
		if text[at] != '\\' {
			continue
		}
		first := escapedUnit(text[at:])
		if !utf16.IsSurrogate(first) {
			at++ // what is escaped does not start an escape itself
			continue
		}
		if utf16.DecodeRune(first, escapedUnit(text[at+6:])) == unicode.ReplacementChar {
			return true
		}
		at += 11 // both halves
	}
	return false
}

// escapedUnit is the UTF-16 unit that text starts with, written \uXXXX, or -1.
func escapedUnit(text []byte) rune {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return -1
	}
	unit, err := strconv.ParseUint(string(text[2:6]), 16, 16)
	if err != nil {
		return -1
	}
	return rune(unit)
}
