// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"strings"

	"github.com/daybook-db/daybook"
)

// escape makes a text match itself in SQLite's GLOB, which has no escape character, but classes.
var escape = strings.NewReplacer("*", "[*]", "?", "[?]", "[", "[[]")

// translateGlob returns a pattern for SQLite's GLOB that every name matches which matches the
// record pattern. It returns "" if every name with the prefix does.
func translateGlob(recordPattern, prefix string, syntax daybook.PatternSyntax) string {
	translate := fromGlob
	if syntax == daybook.Topic {
		translate = fromTopic
	}
	glob := translate(recordPattern)
	if strings.Trim(strings.TrimPrefix(glob, escape.Replace(prefix)), "*") == "" {
		return ""
	}
	return glob
}

// fromGlob translates exactly: a backslash becomes a class, and a [ is an ordinary character in a
// glob.
func fromGlob(pattern string) string {
	var glob strings.Builder
	escaped := false
	for _, c := range pattern {
		switch {
		case c == '\\' && !escaped:
			escaped = true
			continue
		case c == '[' || escaped:
			glob.WriteString(escape.Replace(string(c)))
		default:
			glob.WriteRune(c)
		}
		escaped = false
	}
	return glob.String()
}

// fromTopic lets each wildcard match any run of characters. A # that matches no level has no dot
// beside it, so the dot that follows a # is left out.
func fromTopic(pattern string) string {
	var glob strings.Builder
	onlyHashes := true // so far
	for level := range strings.SplitSeq(pattern, ".") {
		if level == "#" {
			glob.WriteByte('*')
			continue
		}
		if !onlyHashes {
			glob.WriteByte('.')
		}
		onlyHashes = false
		if level != "*" {
			level = escape.Replace(level)
		}
		glob.WriteString(level)
	}
	return glob.String()
}
