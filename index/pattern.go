// SPDX-License-Identifier: Apache-2.0

package index

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// MaxPatternLen is the longest pattern that compiles, in bytes: enough to spell out the longest name
// with every character escaped. It bounds the cost of matching a hostile pattern.
const MaxPatternLen = 4096

// Pattern is a compiled pattern. It is immutable and safe for concurrent use.
type Pattern struct {
	prefix string                 // every matching name starts with it
	match  func(name string) bool // nil: every name with the prefix matches
	exact  bool                   // only the prefix itself matches
}

// Prefix is the literal text that every matching name starts with.
func (p *Pattern) Prefix() string { return p.prefix }

// Exact reports whether the pattern is the literal name Prefix.
func (p *Pattern) Exact() bool { return p.exact }

// Match reports whether name matches.
func (p *Pattern) Match(name string) bool {
	switch {
	case p.exact:
		return name == p.prefix
	case !strings.HasPrefix(name, p.prefix):
		return false
	}
	return p.match == nil || p.match(name)
}

// Without returns a pattern that matches what p does and other does not.
func (p *Pattern) Without(other *Pattern) *Pattern {
	if p.exact {
		if other.Match(p.prefix) {
			return literal("") // which is no record's name
		}
		return p
	}
	return &Pattern{prefix: p.prefix, match: func(name string) bool {
		return (p.match == nil || p.match(name)) && !other.Match(name)
	}}
}

func literal(name string) *Pattern { return &Pattern{prefix: name, exact: true} }

func check(pattern string) error {
	switch {
	case pattern == "":
		return fmt.Errorf("%w: it is empty", ErrPattern)
	case len(pattern) > MaxPatternLen:
		return fmt.Errorf("%w: it has %d bytes; at most %d", ErrPattern, len(pattern), MaxPatternLen)
	case !utf8.ValidString(pattern):
		return fmt.Errorf("%w: %q is not valid UTF-8", ErrPattern, pattern)
	}
	return nil
}
