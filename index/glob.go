// SPDX-License-Identifier: Apache-2.0

package index

import (
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/tidwall/match"
)

const (
	// maxMatchLen is the maximum length, in bytes, of a pattern that match.MatchLimit matches: the
	// limit counts stars alone, and a star takes as long as the rest of the pattern.
	maxMatchLen = 32
	// complexity is the number of steps that match.MatchLimit may take for each byte of the name.
	// Ordinary patterns need no more. A match that does is done by a glob, in one pass.
	complexity = 1
)

// CompileGlob compiles a pattern in the syntax of github.com/tidwall/match: `*` is any number of
// characters, `?` is one character, and `\` makes the next character literal.
// Errors: *PatternError for a pattern that is empty, too long, not UTF-8, or ends in a lone `\`.
func CompileGlob(pattern string) (*Pattern, error) {
	if err := validate(pattern); err != nil {
		return nil, err
	}
	if !strings.ContainsAny(pattern, `*?\`) { // a name, as most queries have
		return literal(pattern), nil
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
	onePass := sync.OnceValue(func() *glob { return compileGlob(rest) })
	needed := longestText(rest)
	return &Pattern{prefix: prefix, match: func(name string) bool {
		if !strings.Contains(name[len(prefix):], needed) { // takes a tenth of the time of a match
			return false
		}
		if len(pattern) <= maxMatchLen {
			if matched, stopped := match.MatchLimit(name, pattern, complexity); !stopped {
				return matched
			}
		}
		return onePass().match(name[len(prefix):])
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

// longestText returns the longest text between the wildcards of a pattern, without escapes. Each
// name that matches contains it.
func longestText(pattern string) (longest string) {
	for _, segment := range splitAtStars(pattern) {
		for _, text := range segment {
			if len(text) > len(longest) {
				longest = text
			}
		}
	}
	return longest
}

// glob is a pattern, or the rest of one, cut at its stars. It matches a name in one pass, where
// match.Match could take exponential time. A name matches if it begins with first,
// ends with last, and has the segments of middle between them, in this order.
type glob struct {
	starred     bool // there is a star; otherwise the name must be first, and nothing more
	first, last segment
	middle      []middleSegment
}

// compileGlob compiles a pattern whose escapes are complete.
func compileGlob(pattern string) *glob {
	segments := splitAtStars(pattern)
	g := &glob{first: segments[0], starred: len(segments) > 1}
	if g.starred {
		g.last = segments[len(segments)-1]
		for _, s := range segments[1 : len(segments)-1] {
			g.middle = append(g.middle, newMiddleSegment(s))
		}
	}
	return g
}

// splitAtStars returns the segments between the stars: one more than there are stars.
func splitAtStars(pattern string) []segment {
	segments, text := []segment{{}}, []byte(nil)
	last := func() *segment { return &segments[len(segments)-1] }
	endText := func() { *last(), text = append(*last(), string(text)), text[:0] }
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; c {
		case '*':
			endText()
			segments = append(segments, segment{})
		case '?':
			endText()
		case '\\':
			i++
			text = append(text, pattern[i])
		default:
			text = append(text, c)
		}
	}
	endText()
	return segments
}

// match reports whether the name matches. Each segment of middle takes the first place where it
// fits: any later one would leave less of the name to the segments after it. So the name is read
// about once.
func (g *glob) match(name string) bool {
	rest, found := g.first.cutPrefix(name)
	if !g.starred || !found {
		return found && rest == ""
	}
	if rest, found = g.last.cutSuffix(rest); !found {
		return false
	}
	for _, s := range g.middle {
		if rest, found = s.cut(rest); !found {
			return false
		}
	}
	return true
}

// segment is a part of a glob without stars: texts with one question mark between each two.
type segment []string

// cutPrefix returns the name without its start, which the segment matches.
func (s segment) cutPrefix(name string) (after string, found bool) {
	for i, text := range s {
		if i > 0 {
			_, size := utf8.DecodeRuneInString(name)
			if size == 0 {
				return "", false
			}
			name = name[size:]
		}
		if name, found = strings.CutPrefix(name, text); !found {
			return "", false
		}
	}
	return name, true
}

// cutSuffix returns the name without its end, which the segment matches.
func (s segment) cutSuffix(name string) (before string, found bool) {
	for i, text := range slices.Backward(s) {
		if name, found = strings.CutSuffix(name, text); !found {
			return "", false
		}
		if i > 0 {
			_, size := utf8.DecodeLastRuneInString(name)
			if size == 0 {
				return "", false
			}
			name = name[:len(name)-size]
		}
	}
	return name, true
}

// middleSegment is a segment between two stars.
type middleSegment struct {
	text   string  // of a segment without question marks
	finder *finder // of one with question marks
}

func newMiddleSegment(s segment) middleSegment {
	if len(s) == 1 {
		return middleSegment{text: s[0]}
	}
	return middleSegment{finder: newFinder(s)}
}

// cut returns the name after the first place that the segment matches.
func (s *middleSegment) cut(name string) (after string, found bool) {
	if s.finder != nil {
		return s.finder.cut(name)
	}
	_, after, found = strings.Cut(name, s.text)
	return after, found
}
