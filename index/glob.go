// SPDX-License-Identifier: Apache-2.0

package index

import (
	"strings"
	"unicode/utf8"

	"github.com/tidwall/match"
)

// complexity is how many steps per byte of the name match.MatchLimit may take. Ordinary patterns need
// less; those that need more are finished by matchGlob.
const complexity = 4

// CompileGlob compiles a pattern in the syntax of github.com/tidwall/match: `*` is any run of
// characters, `?` one character, `\` takes the next character literally.
// Errors: *PatternError for an empty, over-long or non-UTF-8 pattern, or one that ends in a lone `\`.
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

// globPrefix splits a pattern into the text before its first wildcard, unescaped, and the rest.
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

// matchGlob gives the answer of match.Match in at most len(name) * len(pattern) steps: when a literal
// fails it goes back to the last star alone, since what an earlier star could take the last one can.
func matchGlob(name, pattern string) bool {
	n, p := 0, 0
	star, taken := -1, 0 // the last star's place, and up to where it has taken the name
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

// matchOne matches the first character of name with the first element of pattern, which is no star.
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
