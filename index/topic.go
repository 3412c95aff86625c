// SPDX-License-Identifier: Apache-2.0

package index

import "strings"

const (
	segmentSeparator = "."
	oneSegment       = "*"
	anySegments      = "#"
)

// CompileTopic compiles a pattern of segments, which dots separate. A segment `*` stands for
// exactly one segment of the name, a segment `#` for zero or more. Within a longer segment, both
// are ordinary characters.
// Errors: *PatternError for a pattern that is empty, too long, or not UTF-8.
func CompileTopic(pattern string) (*Pattern, error) {
	if err := validate(pattern); err != nil {
		return nil, err
	}
	segments := strings.Split(pattern, segmentSeparator)
	first := firstWildcard(segments)
	if first == len(segments) {
		return literal(pattern), nil
	}
	return &Pattern{
		prefix: topicPrefix(segments, first),
		match:  func(name string) bool { return matchTopic(name, segments) },
	}, nil
}

// firstWildcard returns the index of the first wildcard; the number of segments if there is none.
func firstWildcard(segments []string) int {
	for i, segment := range segments {
		if segment == oneSegment || segment == anySegments {
			return i
		}
	}
	return len(segments)
}

// topicPrefix returns the text before the first wildcard. The dot before the wildcard belongs to
// the prefix, unless all following segments may be absent: `a.#` matches `a`.
func topicPrefix(segments []string, first int) string {
	prefix := strings.Join(segments[:first], segmentSeparator)
	if first == 0 {
		return prefix
	}
	for _, segment := range segments[first:] {
		if segment != anySegments {
			return prefix + segmentSeparator
		}
	}
	return prefix
}

// matchTopic compares the name's segments with the pattern's. When a segment does not match, only
// the last `#` takes one more segment, which bounds the steps by the product of the two numbers of
// segments.
func matchTopic(name string, pattern []string) bool {
	rest, more := name, true // the part of the name that is not matched yet, and whether it has a segment
	p := 0
	hash, afterHash := -1, "" // index of the last `#`, and the part of the name after its segments
	for more {
		if p < len(pattern) && pattern[p] == anySegments {
			hash, afterHash = p, rest
			p++
			continue
		}
		segment, after, found := strings.Cut(rest, segmentSeparator)
		if p < len(pattern) && (pattern[p] == oneSegment || pattern[p] == segment) {
			rest, more = after, found
			p++
			continue
		}
		if hash < 0 {
			return false
		}
		_, afterHash, more = strings.Cut(afterHash, segmentSeparator)
		rest, p = afterHash, hash+1
	}
	for p < len(pattern) && pattern[p] == anySegments {
		p++
	}
	return p == len(pattern)
}
