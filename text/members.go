// SPDX-License-Identifier: Apache-2.0

package text

import (
	"bytes"
	"encoding/json"

	"github.com/daybook-db/daybook"
)

// memberScanner finds the members of the object that a line is. encoding/json is no substitute: it
// matches names without regard to case, takes the last of two members with the same name, and
// counts the line's own object against the depth that a value may have.
//
// It passes over the line once and never recurses, because a line may consist of MaxLineLen times
// "[", and each would take space on the stack. It only finds where the value of a member ends. Then
// each value is checked by itself. Together that checks the whole line.
type memberScanner struct {
	line []byte
	at   int // offset of the next byte
}

// scanMembers calls visit with each member of the object that line is. The values alias line.
func scanMembers(line []byte, visit func(name string, value json.RawMessage) error) error {
	s := memberScanner{line: line}
	if s.skipSpace() != '{' {
		return s.notAnObject()
	}
	s.at++
	if s.skipSpace() == '}' {
		return s.end()
	}
	for {
		name, value, err := s.member()
		if err != nil {
			return err
		}
		if err := daybook.ValidateValue(value); err != nil {
			return &MemberError{name, err}
		}
		if err := visit(name, value); err != nil {
			return err
		}
		switch s.skipSpace() {
		case ',':
			s.at++
		case '}':
			return s.end()
		default:
			return s.syntaxError("a comma or the end of the object")
		}
	}
}

// skipSpace skips white space and returns the byte after it, or 0 at the end of the line.
func (s *memberScanner) skipSpace() byte {
	for ; s.at < len(s.line); s.at++ {
		if b := s.line[s.at]; !isSpace(b) {
			return b
		}
	}
	return 0
}

// member reads a name, its colon, and the extent of its value.
func (s *memberScanner) member() (name string, value json.RawMessage, err error) {
	if s.skipSpace() != '"' {
		return "", nil, s.syntaxError("the name of a member")
	}
	quoted := s.line[s.at:s.stringEnd(s.at)]
	if name, err = unquote(quoted); err != nil {
		return "", nil, s.syntaxError("the name of a member")
	}
	s.at += len(quoted)
	if s.skipSpace() != ':' {
		return "", nil, s.syntaxError("a colon after the name of a member")
	}
	s.at++
	s.skipSpace()
	start := s.at
	s.at = s.valueEnd(start)
	if s.at == start {
		return "", nil, s.syntaxError("a value")
	}
	return name, s.line[start:s.at], nil
}

// valueEnd returns the end of the value that starts at start. It counts "[" and "{" as the same.
// The check of the value finds brackets that do not match.
func (s *memberScanner) valueEnd(start int) int {
	depth := 0
	for at := start; at < len(s.line); {
		switch s.line[at] {
		case '"':
			at = s.stringEnd(at)
		case '{', '[':
			depth++
			at++
		case '}', ']':
			if depth == 0 {
				return at // the object's own end, where a value should start
			}
			depth--
			at++
		default:
			if depth == 0 {
				return s.wordEnd(at)
			}
			at++
		}
		if depth == 0 {
			return at
		}
	}
	return len(s.line)
}

// wordEnd returns the end of the number, true, false or null that starts at start.
func (s *memberScanner) wordEnd(start int) int {
	if n := bytes.IndexAny(s.line[start:], ",:{}[]\" \t\r\n"); n >= 0 {
		return start + n
	}
	return len(s.line)
}

// stringEnd returns the end of the string that starts at start.
func (s *memberScanner) stringEnd(start int) int {
	for at := start + 1; at < len(s.line); at++ {
		switch s.line[at] {
		case '\\':
			at++
		case '"':
			return at + 1
		}
	}
	return len(s.line)
}

// end checks that nothing follows the object's closing brace.
func (s *memberScanner) end() error {
	s.at++
	if s.skipSpace(); s.at < len(s.line) {
		return s.syntaxError("nothing after the object")
	}
	return nil
}

func (s *memberScanner) syntaxError(want string) error {
	return &SyntaxError{Offset: s.at, Want: want, Incomplete: s.at >= len(s.line)}
}

// notAnObject returns the error of a line that does not begin with "{": a KindError if the line is
// another kind of JSON text, such as an array, and a SyntaxError if it is not JSON.
func (s *memberScanner) notAnObject() error {
	if daybook.ValidateValue(s.line) != nil {
		return s.syntaxError("an object")
	}
	return &KindError{Got: kindOf(s.line[s.at:]), Want: "an object"}
}
