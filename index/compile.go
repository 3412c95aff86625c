// SPDX-License-Identifier: Apache-2.0

package index

import (
	"fmt"
	"unicode/utf8"

	"github.com/daybook-db/daybook"
)

// MaxPatternLen is the length in bytes of the longest pattern that compiles: enough for the longest
// name with every character escaped. It bounds the cost of matching a hostile pattern.
const MaxPatternLen = 4096

// Compile compiles a pattern in its syntax. A pattern without a text is malformed: where it stands
// for all records, the caller says so.
// Errors: *PatternError, which matches daybook.ErrInvalidPattern, for a malformed pattern;
// daybook.ErrInvalidParams for an unknown syntax.
func Compile(pattern daybook.Pattern) (*Pattern, error) {
	if err := pattern.Syntax.Validate(); err != nil {
		return nil, err
	}
	if pattern.Syntax == daybook.Topic {
		return CompileTopic(pattern.Text)
	}
	return CompileGlob(pattern.Text)
}

// validate returns a *PatternError if a pattern is malformed in every syntax.
func validate(pattern string) error {
	switch {
	case pattern == "":
		return &PatternError{Reason: "it is empty"}
	case len(pattern) > MaxPatternLen:
		reason := fmt.Sprintf("it has %d bytes; at most %d", len(pattern), MaxPatternLen)
		return &PatternError{pattern, MaxPatternLen, reason}
	case !utf8.ValidString(pattern):
		return &PatternError{pattern, invalidUTF8At(pattern), "it is not valid UTF-8"}
	}
	return nil
}

// invalidUTF8At returns the offset of the first byte that is not valid UTF-8. There must be one.
func invalidUTF8At(text string) int {
	for at, c := range text {
		if c != utf8.RuneError {
			continue
		}
		if _, size := utf8.DecodeRuneInString(text[at:]); size == 1 {
			return at
		}
	}
	return len(text)
}
