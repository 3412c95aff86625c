// SPDX-License-Identifier: Apache-2.0

package index

import (
	"fmt"
	"unicode/utf8"

	"github.com/daybook-db/daybook"
)

// PatternError says why a pattern is malformed. It matches daybook.ErrInvalidPattern.
type PatternError struct {
	Pattern string
	Offset  int    // where in Pattern the fault is, in bytes
	Reason  string // a sentence about the pattern, for example "it is empty"
}

func (e *PatternError) Error() string {
	if e.Pattern == "" {
		return fmt.Sprintf("%v: %s", daybook.ErrInvalidPattern, e.Reason)
	}
	return fmt.Sprintf("%v: %s at offset %d: %s", daybook.ErrInvalidPattern, quoted(e.Pattern), e.Offset, e.Reason)
}

// Unwrap returns daybook.ErrInvalidPattern.
func (e *PatternError) Unwrap() error { return daybook.ErrInvalidPattern }

// quoted returns a pattern in quotes. A long one is cut off at the start of a character.
func quoted(pattern string) string {
	const maxLen = 64
	if len(pattern) <= maxLen {
		return fmt.Sprintf("%q", pattern)
	}
	end := maxLen
	for end > maxLen-utf8.UTFMax && !utf8.RuneStart(pattern[end]) {
		end--
	}
	return fmt.Sprintf("%q...", pattern[:end])
}
