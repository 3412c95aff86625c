// SPDX-License-Identifier: Apache-2.0

package fuzz

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/index"
)

func FuzzGlob(f *testing.F) {
	for _, seed := range [][2]string{
		{"sensor.*", "sensor.kitchen"}, {"*a*b?c", "xaybzc"}, {`a\*\?\\`, `a*?\`}, {`*\\\*b`, `x\*b`},
		{"é?漢*", "éx漢"},
		{`a\`, "a"},
		{strings.Repeat("*a", 100) + "b", strings.Repeat("a", 200)}, {"**?**", "\ufffd"},
	} {
		f.Add(seed[0], seed[1])
	}
	names := openNames(f)
	f.Fuzz(func(t *testing.T, pattern, name string) {
		p, err := index.CompileGlob(pattern)
		checkCompiles(t, pattern, err, isValidGlob(pattern))
		if err == nil && daybook.ValidateRecordName(name) == nil {
			checkMatch(t, p, pattern, name, matchesGlob(name, pattern))
			names.check(t, pattern, daybook.Glob, name, func(name string) bool { return matchesGlob(name, pattern) })
		}
	})
}

func FuzzTopic(f *testing.F) {
	for _, seed := range [][2]string{
		{"sensors.*", "sensors.a"}, {"sensors.#", "sensors"}, {"a.#.c", "a.b.b.c"}, {"a.#.#.b", "a.b"},
		{"sensors*", "sensors*"},
		{"..#.", "..."},
		{strings.Repeat("#.a.", 50) + "b", strings.Repeat("a.", 60) + "a"}, {"#", "é"},
	} {
		f.Add(seed[0], seed[1])
	}
	names := openNames(f)
	f.Fuzz(func(t *testing.T, pattern, name string) {
		p, err := index.CompileTopic(pattern)
		checkCompiles(t, pattern, err, isValidPattern(pattern))
		if err == nil && daybook.ValidateRecordName(name) == nil {
			levels := strings.Split(pattern, ".")
			matches := func(name string) bool { return matchesTopic(strings.Split(name, "."), levels) }
			checkMatch(t, p, pattern, name, matches(name))
			names.check(t, pattern, daybook.Topic, name, matches)
		}
	})
}

func checkCompiles(t *testing.T, pattern string, err error, valid bool) {
	t.Helper()
	if valid != (err == nil) || err != nil && !errors.Is(err, daybook.ErrInvalidPattern) {
		t.Errorf("compiling %q: got %v; the pattern is valid: %v", pattern, err, valid)
	}
}

func checkMatch(t *testing.T, p *index.Pattern, pattern, name string, want bool) {
	t.Helper()
	if got := p.Match(name); got != want {
		t.Errorf("%q on %q: got %v, want %v", pattern, name, got, want)
	}
	if want && !strings.HasPrefix(name, p.Prefix()) {
		t.Errorf("%q matches %q, which does not start with its prefix %q", pattern, name, p.Prefix())
	}
	if p.Exact() && want != (name == p.Prefix()) {
		t.Errorf("%q matches only %q; on %q: want %v", pattern, p.Prefix(), name, want)
	}
}

func isValidPattern(pattern string) bool {
	return pattern != "" && len(pattern) <= index.MaxPatternLen && utf8.ValidString(pattern)
}

func isValidGlob(pattern string) bool {
	backslashes := len(pattern) - len(strings.TrimRight(pattern, `\`))
	return isValidPattern(pattern) && backslashes%2 == 0
}

// matchesGlob computes, for each start of the pattern, which starts of the name it matches.
func matchesGlob(name, pattern string) bool {
	chars := []rune(name)
	matched := make([]bool, len(chars)+1)
	matched[0] = true
	escaped := false
	for _, c := range pattern {
		if c == '\\' && !escaped {
			escaped = true
			continue
		}
		matched = step(matched, chars, c, escaped)
		escaped = false
	}
	return matched[len(chars)]
}

// step returns which starts of the name the pattern matches with one more character.
func step(matched []bool, chars []rune, c rune, escaped bool) []bool {
	next, reached := make([]bool, len(matched)), false
	for i := range next {
		reached = reached || matched[i]
		switch {
		case c == '*' && !escaped:
			next[i] = reached
		case i > 0:
			next[i] = matched[i-1] && (c == '?' && !escaped || c == chars[i-1])
		}
	}
	return next
}

// matchesTopic computes, for each start of the pattern, which starts of the name it matches.
func matchesTopic(name, pattern []string) bool {
	matched := make([]bool, len(name)+1)
	matched[0] = true
	for _, level := range pattern {
		next, reached := make([]bool, len(matched)), false
		for i := range next {
			reached = reached || matched[i]
			switch {
			case level == "#":
				next[i] = reached
			case i > 0:
				next[i] = matched[i-1] && (level == "*" || level == name[i-1])
			}
		}
		matched = next
	}
	return matched[len(name)]
}
