// SPDX-License-Identifier: Apache-2.0

package index

import (
	"slices"
	"strings"
)

// Pattern is a compiled pattern. It is immutable and safe for concurrent use.
type Pattern struct {
	prefix string                 // all matching names start with it
	match  func(name string) bool // decides about names with the prefix; nil: all match
	exact  bool                   // only the name that is equal to the prefix matches
	except []*Pattern             // names that one of these matches do not match
}

// Prefix returns the literal text that all matching names start with.
func (p *Pattern) Prefix() string { return p.prefix }

// Exact reports whether the only name that can match is Prefix.
func (p *Pattern) Exact() bool { return p.exact }

// Match reports whether name matches.
func (p *Pattern) Match(name string) bool {
	switch {
	case p.exact:
		return name == p.prefix
	case !strings.HasPrefix(name, p.prefix):
		return false
	}
	return p.accepts(name)
}

// acceptsAll reports whether every name with the prefix matches.
func (p *Pattern) acceptsAll() bool { return p.match == nil && p.except == nil }

// accepts is Match for a name that starts with the prefix.
func (p *Pattern) accepts(name string) bool {
	if p.match != nil && !p.match(name) {
		return false
	}
	return !slices.ContainsFunc(p.except, func(other *Pattern) bool { return other.Match(name) })
}

// Without returns a pattern that matches the names that p matches and other does not.
func (p *Pattern) Without(other *Pattern) *Pattern {
	if p.exact && other.Match(p.prefix) {
		return literal("") // no record has an empty name
	}
	less := *p
	less.except = append(p.except[:len(p.except):len(p.except)], other)
	return &less
}

// literal returns the pattern that only name matches.
func literal(name string) *Pattern { return &Pattern{prefix: name, exact: true} }
