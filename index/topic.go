// SPDX-License-Identifier: Apache-2.0

package index

import "strings"

const (
	levelSeparator = "."
	oneLevel       = "*"
	anyLevels      = "#"
)

// CompileTopic compiles a pattern of levels, which dots separate. A level `*` stands for exactly
// one level of the name, a level `#` for zero or more. Within a longer level, both are ordinary
// characters.
// Errors: *PatternError for a pattern that is empty, too long, or not UTF-8.
func CompileTopic(pattern string) (*Pattern, error) {
	if err := validate(pattern); err != nil {
		return nil, err
	}
	levels := strings.Split(pattern, levelSeparator)
	first := firstWildcard(levels)
	if first == len(levels) {
		return literal(pattern), nil
	}
	return &Pattern{
		prefix: topicPrefix(levels, first),
		match:  func(name string) bool { return matchTopic(name, levels) },
	}, nil
}

// firstWildcard returns the index of the first wildcard; the number of levels if there is none.
func firstWildcard(levels []string) int {
	for i, level := range levels {
		if level == oneLevel || level == anyLevels {
			return i
		}
	}
	return len(levels)
}

// topicPrefix returns the text before the first wildcard. The dot before the wildcard belongs to
// the prefix, unless all following levels may be absent: `a.#` matches `a`.
func topicPrefix(levels []string, first int) string {
	prefix := strings.Join(levels[:first], levelSeparator)
	if first == 0 {
		return prefix
	}
	for _, level := range levels[first:] {
		if level != anyLevels {
			return prefix + levelSeparator
		}
	}
	return prefix
}

// matchTopic compares the name's levels with the pattern's. When a level does not match, only the
// last `#` takes one more level. This bounds the steps by the product of the two numbers of levels.
func matchTopic(name string, pattern []string) bool {
	rest, more := name, true // the part of the name that is not matched yet, and whether it has a level
	p := 0
	hash, afterHash := -1, "" // index of the last `#`, and the part of the name after its levels
	for more {
		if p < len(pattern) && pattern[p] == anyLevels {
			hash, afterHash = p, rest
			p++
			continue
		}
		level, after, found := strings.Cut(rest, levelSeparator)
		if p < len(pattern) && (pattern[p] == oneLevel || pattern[p] == level) {
			rest, more = after, found
			p++
			continue
		}
		if hash < 0 {
			return false
		}
		_, afterHash, more = strings.Cut(afterHash, levelSeparator)
		rest, p = afterHash, hash+1
	}
	for p < len(pattern) && pattern[p] == anyLevels {
		p++
	}
	return p == len(pattern)
}
