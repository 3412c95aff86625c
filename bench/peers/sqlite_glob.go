// SPDX-License-Identifier: Apache-2.0

package peers

import (
	"strings"

	"github.com/daybook-db/daybook"
)

// sqliteLiteral makes a text match itself in SQLite's GLOB, which has no escape character, but
// classes.
var sqliteLiteral = strings.NewReplacer("*", "[*]", "?", "[?]", "[", "[[]")

// sqliteGlob translates a record pattern into one for SQLite's GLOB. Every name that matches the
// record pattern matches the translation; for daybook.Glob no other name does. It returns "" if
// every name with the prefix matches.
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

// translateTopic lets each wildcard match any run of characters. A # that matches no level has no
// dot beside it, so the dot that follows a # is left out.
func translateTopic(pattern string) string {
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
			level = sqliteLiteral.Replace(level)
		}
		glob.WriteString(level)
	}
	return glob.String()
}
