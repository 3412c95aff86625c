// SPDX-License-Identifier: Apache-2.0

package daybook

import (
	"fmt"
	"strings"
)

// PatternSyntax says how a record pattern is read. Matching is case-sensitive in both syntaxes.
//
// A pattern that is empty or not valid UTF-8, and a Glob that ends in a lone `\`, are
// ErrInvalidPattern. A backend may also refuse a pattern that is longer than any record name needs:
// the embedded engine takes at most 4096 bytes.
type PatternSyntax int

const (
	// Glob patterns are those of github.com/tidwall/match: `*` matches any run of characters, dots
	// included, and `?` matches one character. `\` takes the next character literally. A pattern
	// without these three matches only the record of that name.
	Glob PatternSyntax = iota
	// Topic patterns are split into levels at each `.`: a level `*` matches exactly one level of a
	// name, and a level `#` matches zero or more. Inside a longer level both are ordinary
	// characters, so `sensors*` is a literal name. There is no escape.
	Topic
)

func (s PatternSyntax) String() string {
	switch s {
	case Glob:
		return "glob"
	case Topic:
		return "topic"
	}
	return fmt.Sprintf("PatternSyntax(%d)", int(s))
}

// MarshalText returns "glob" or "topic".
func (s PatternSyntax) MarshalText() ([]byte, error) { return []byte(s.String()), s.Validate() }

// UnmarshalText reads what MarshalText has returned. An empty text is Glob. Other texts are
// ErrInvalidParams.
func (s *PatternSyntax) UnmarshalText(text []byte) error {
	switch string(text) {
	case "", Glob.String():
		*s = Glob
	case Topic.String():
		*s = Topic
	default:
		return fmt.Errorf("%w: got syntax %q; want glob or topic", ErrInvalidParams, shorten(string(text)))
	}
	return nil
}

// Validate returns an error that matches ErrInvalidParams if s is neither Glob nor Topic.
func (s PatternSyntax) Validate() error {
	if s != Glob && s != Topic {
		return fmt.Errorf("%w: got syntax %v; want Glob or Topic", ErrInvalidParams, s)
	}
	return nil
}

// QuoteGlob returns the Glob that matches the record of this name and no other. Use it where a name
// comes from somebody else, such as from a URL: it may have a `*` in it. A Topic has no escape.
func QuoteGlob(name string) string {
	return globEscaper.Replace(name)
}

var globEscaper = strings.NewReplacer(`*`, `\*`, `?`, `\?`, `\`, `\\`)

// Pattern is a record pattern together with its syntax.
type Pattern struct {
	Text   string        `json:"text"`
	Syntax PatternSyntax `json:"syntax"` // default: Glob
}
