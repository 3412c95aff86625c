// SPDX-License-Identifier: Apache-2.0

package peers

import (
	"strings"

	"github.com/daybook-db/daybook"
)

// sqliteLiteral takes what is special in SQLite's GLOB out of a text. GLOB has no escape but a class of one.
var sqliteLiteral = strings.NewReplacer("*", "[*]", "?", "[?]", "[", "[[]")

// sqliteGlob returns a pattern for SQLite's GLOB that every matching name matches, and "" where its prefix says it
// all. For a Glob no other name matches it.
func sqliteGlob(pattern, prefix string, syntax daybook.PatternSyntax) string {
	translate := translateGlob
	if syntax == daybook.Topic {
		translate = translateTopic
	}
	glob := translate(pattern)
	if strings.Trim(strings.TrimPrefix(glob, sqliteLiteral.Replace(prefix)), "*") == "" {
		return ""
	}
	return glob
}

func translateGlob(pattern string) string {
	var glob strings.Builder
	escaped := false
	for _, c := range pattern {
		switch {
		case c == '\\' && !escaped:
			escaped = true
			continue
		case c == '[' || escaped:
			glob.WriteString(sqliteLiteral.Replace(string(c)))
		default:
			glob.WriteRune(c)
		}
		escaped = false
	}
	return glob.String()
}

// translateTopic lets a wildcard match any run, and takes away the dot that goes with a `#` that matches nothing.
func translateTopic(pattern string) string {
	var glob strings.Builder
	onlyHashes := true // so far
	for segment := range strings.SplitSeq(pattern, ".") {
		if segment == "#" {
			glob.WriteByte('*')
			continue
		}
		if !onlyHashes {
			glob.WriteByte('.')
		}
		onlyHashes = false
		if segment != "*" {
			segment = sqliteLiteral.Replace(segment)
		}
		glob.WriteString(segment)
	}
	return glob.String()
}
