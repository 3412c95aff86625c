// SPDX-License-Identifier: Apache-2.0

package backendtest

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/daybook-db/daybook"
)

// Both syntaxes are one language over different letters: a glob's letters are characters, a topic's are
// the segments between dots. A pattern is a sequence of elements, each one letter, any letter, or any run
// of letters.
type element struct {
	kind   kind
	letter string
}

type kind int

const (
	oneLetter kind = iota
	anyLetter
	anyRun
)

// compile returns what a pattern says of a name.
func compile(pattern string, syntax daybook.PatternSyntax) (matches func(name string) bool, err error) {
	if err := syntax.Validate(); err != nil {
		return nil, err
	}
	if pattern == "" {
		return nil, fmt.Errorf("%w: it is empty", daybook.ErrInvalidPattern)
	}
	if !utf8.ValidString(pattern) {
		return nil, fmt.Errorf("%w: %q is not valid UTF-8", daybook.ErrInvalidPattern, pattern)
	}
	if syntax == daybook.Topic {
		elements := parseTopic(pattern)
		return func(name string) bool { return match(elements, strings.Split(name, ".")) }, nil
	}
	elements, err := parseGlob(pattern)
	if err != nil {
		return nil, err
	}
	return func(name string) bool { return match(elements, strings.Split(name, "")) }, nil
}

func parseGlob(pattern string) (elements []element, err error) {
	escaped := false
	for _, char := range pattern {
		switch {
		case escaped:
			elements = append(elements, element{oneLetter, string(char)})
			escaped = false
		case char == '\\':
			escaped = true
		case char == '*':
			elements = append(elements, element{kind: anyRun})
		case char == '?':
			elements = append(elements, element{kind: anyLetter})
		default:
			elements = append(elements, element{oneLetter, string(char)})
		}
	}
	if escaped {
		return nil, fmt.Errorf(`%w: %q ends in a lone \`, daybook.ErrInvalidPattern, pattern)
	}
	return elements, nil
}

func parseTopic(pattern string) (elements []element) {
	for segment := range strings.SplitSeq(pattern, ".") {
		switch segment {
		case "*":
			elements = append(elements, element{kind: anyLetter})
		case "#":
			elements = append(elements, element{kind: anyRun})
		default:
			elements = append(elements, element{oneLetter, segment})
		}
	}
	return elements
}

// match tries everything. It remembers what failed, so that it tries nothing twice: without that, a pattern
// of many runs would take exponential time.
func match(pattern []element, name []string) bool {
	failed := make([]bool, (len(pattern)+1)*(len(name)+1))
	var matchFrom func(p, n int) bool
	matchFrom = func(p, n int) bool {
		if p == len(pattern) {
			return n == len(name)
		}
		state := p*(len(name)+1) + n
		if failed[state] {
			return false
		}
		matched := false
		switch e := pattern[p]; e.kind {
		case anyRun:
			matched = matchFrom(p+1, n) || n < len(name) && matchFrom(p, n+1)
		case anyLetter:
			matched = n < len(name) && matchFrom(p+1, n+1)
		case oneLetter:
			matched = n < len(name) && name[n] == e.letter && matchFrom(p+1, n+1)
		}
		failed[state] = !matched
		return matched
	}
	return matchFrom(0, 0)
}
