// SPDX-License-Identifier: Apache-2.0

package index

import "strings"

const (
	levelSeparator = "."
	oneLevel       = "*"
	anyLevels      = "#"
)

// CompileTopic compiles a pattern of segments between dots: a segment `*` is exactly one segment of
// the name, a segment `#` zero or more; elsewhere both are ordinary characters.
// Errors: *PatternError for an empty, over-long or non-UTF-8 pattern.
func CompileTopic(pattern string) (*Pattern, error) {
	if err := validate(pattern); err != nil {
		return nil, err
	}
	segments := strings.Split(pattern, levelSeparator)
	first := firstWildcard(segments)
	if first == len(segments) {
		return literal(pattern), nil
	}
	return &Pattern{
		prefix: topicPrefix(segments, first),
		match:  func(name string) bool { return matchTopic(name, segments) },
	}, nil
}

func firstWildcard(segments []string) int {
	for i, segment := range segments {
		if segment == oneLevel || segment == anyLevels {
			return i
		}
	}
	return len(segments)
}

// topicPrefix is the text before the first wildcard. The dot before it belongs to the prefix unless
// all that follows may be absent: `a.#` matches `a`.
func topicPrefix(segments []string, first int) string {
	prefix := strings.Join(segments[:first], levelSeparator)
	if first == 0 {
		return prefix
	}
	for _, segment := range segments[first:] {
		if segment != anyLevels {
			return prefix + levelSeparator
		}
	}
	return prefix
}

// matchTopic walks the name's segments along the pattern's. When one fails it goes back to the last
// `#` alone, which bounds the steps by the product of the two numbers of segments.
func matchTopic(name string, pattern []string) bool {
	rest, more := name, true // the part of the name not matched yet; whether it has a segment left
	p := 0
	hash, taken := -1, "" // the last `#`, and the part of the name behind what it has taken
	for more {
		if p < len(pattern) && pattern[p] == anyLevels {
			hash, taken = p, rest
			p++
			continue
		}
		segment, after, found := strings.Cut(rest, levelSeparator)
		if p < len(pattern) && (pattern[p] == oneLevel || pattern[p] == segment) {
			rest, more = after, found
			p++
			continue
		}
		if hash < 0 {
			return false
		}
		_, taken, more = strings.Cut(taken, levelSeparator)
		rest, p = taken, hash+1
	}
	for p < len(pattern) && pattern[p] == anyLevels {
		p++
	}
	return p == len(pattern)
}
