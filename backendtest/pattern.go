// SPDX-License-Identifier: Apache-2.0

package backendtest

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/daybook-db/daybook"
)

// token is a part of a pattern. Both syntaxes are the same language over different letters: the
// letters of a glob are characters, and the letters of a topic are the levels between dots. A
// pattern is a sequence of tokens. Each of them matches one given letter, any letter, or any run of
// letters.
type token struct {
	kind   tokenKind
	letter string // of oneLetter
}

type tokenKind int

const (
	oneLetter tokenKind = iota
	anyLetter
	anyRun
)

// compile returns a function that reports whether a pattern matches a name.
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
		tokens := parseTopic(pattern)
		return func(name string) bool { return match(tokens, strings.Split(name, ".")) }, nil
	}
	tokens, err := parseGlob(pattern)
	if err != nil {
		return nil, err
	}
	return func(name string) bool { return match(tokens, strings.Split(name, "")) }, nil
}

// compileOrAll is compile, and matches all records for a pattern without a text.
func compileOrAll(pattern daybook.Pattern) (matches func(name string) bool, err error) {
	if pattern.Text == "" {
		return func(string) bool { return true }, pattern.Syntax.Validate()
	}
	return compile(pattern.Text, pattern.Syntax)
}

func parseGlob(pattern string) (tokens []token, err error) {
	escaped := false
	for _, char := range pattern {
		switch {
		case escaped:
			tokens = append(tokens, token{oneLetter, string(char)})
			escaped = false
		case char == '\\':
			escaped = true
		case char == '*':
			tokens = append(tokens, token{kind: anyRun})
		case char == '?':
			tokens = append(tokens, token{kind: anyLetter})
		default:
			tokens = append(tokens, token{oneLetter, string(char)})
		}
	}
	if escaped {
		return nil, fmt.Errorf(`%w: %q ends in a lone \`, daybook.ErrInvalidPattern, pattern)
	}
	return tokens, nil
}

func parseTopic(pattern string) (tokens []token) {
	for level := range strings.SplitSeq(pattern, ".") {
		switch level {
		case "*":
			tokens = append(tokens, token{kind: anyLetter})
		case "#":
			tokens = append(tokens, token{kind: anyRun})
		default:
			tokens = append(tokens, token{oneLetter, level})
		}
	}
	return tokens
}

// match tries all ways in which the tokens can match. It remembers the ones that failed, so that it
// tries none of them twice. Otherwise a pattern with many runs would take exponential time.
func match(pattern []token, name []string) bool {
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
