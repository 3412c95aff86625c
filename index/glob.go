// SPDX-License-Identifier: Apache-2.0

package index

import (
	"strings"
	"unicode/utf8"

	"github.com/tidwall/match"
)

// complexity is the number of steps that match.MatchLimit may take for each byte of the name.
// Ordinary patterns need fewer. A match that needs more is done by matchGlob.
const complexity = 4

// CompileGlob compiles a pattern in the syntax of github.com/tidwall/match: `*` is any number of
// characters, `?` is one character, and `\` makes the next character literal.
// Errors: *PatternError for a pattern that is empty, too long, not UTF-8, or ends in a lone `\`.
func CompileGlob(pattern string) (*Pattern, error) {
	if err := validate(pattern); err != nil {
		return nil, err
	}
	prefix, rest, err := globPrefix(pattern)
	if err != nil {
		return nil, err
	}
	switch {
	case rest == "":
		return literal(prefix), nil
	case strings.Trim(rest, "*") == "":
		return &Pattern{prefix: prefix}, nil
	}
	return &Pattern{prefix: prefix, match: func(name string) bool {
		matched, stopped := match.MatchLimit(name, pattern, complexity)
		if stopped {
			return matchGlob(name, pattern)
		}
		return matched
	}}, nil
}

// globPrefix splits a pattern before its first wildcard. It returns the text before, without
// escapes, and the rest as it is.
func globPrefix(pattern string) (prefix, rest string, err error) {
	var text strings.Builder
	wildcard := -1
	for i := 0; i < len(pattern); i++ {
		c := pattern[i]
		if wildcard < 0 && (c == '*' || c == '?') {
			wildcard = i
		}
		if c == '\\' {
			if i++; i == len(pattern) {
				return "", "", &PatternError{pattern, i - 1, `it ends in a lone \; write \\ for a backslash`}
			}
			c = pattern[i]
		}
		if wildcard < 0 {
			text.WriteByte(c)
		}
	}
	if wildcard < 0 {
		return text.String(), "", nil
	}
	return text.String(), pattern[wildcard:], nil
}

// matchGlob returns the result of match.Match in at most len(name) * len(pattern) steps. When an
// element of the pattern does not match, only the last star takes one more character: characters
// that an earlier star could take instead, the last one can take too.
func matchGlob(name, pattern string) bool {
	n, p := 0, 0
	star, taken := -1, 0 // index of the last star, and the end of the characters that it has taken
	for n < len(name) {
		if p < len(pattern) && pattern[p] == '*' {
			star, taken = p, n
			p++
			continue
		}
		if p < len(pattern) {
			if nameLen, patternLen, ok := matchOne(name[n:], pattern[p:]); ok {
				n, p = n+nameLen, p+patternLen
				continue
			}
		}
		if star < 0 {
			return false
		}
		_, size := utf8.DecodeRuneInString(name[taken:])
		taken += size
		n, p = taken, star+1
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// matchOne matches the first character of name with the first element of pattern, which must not be
// a star.
func matchOne(name, pattern string) (nameLen, patternLen int, ok bool) {
	got, nameLen := utf8.DecodeRuneInString(name)
	want, patternLen := utf8.DecodeRuneInString(pattern)
	switch want {
	case '?':
		return nameLen, patternLen, true
	case '\\':
		escaped, size := utf8.DecodeRuneInString(pattern[patternLen:])
		want, patternLen = escaped, patternLen+size
	}
	return nameLen, patternLen, got == want
}
