// SPDX-License-Identifier: Apache-2.0

package backendtest

import (
	"strings"

	"github.com/daybook-db/daybook"
)

// Mistakes of matching. Each function reports whether a name matches, or returns an error for a
// malformed pattern.

// correctly matches as Memory does.
func correctly(pattern, name string, syntax daybook.PatternSyntax) (bool, error) {
	matches, err := compile(pattern, syntax)
	return err == nil && matches(name), err
}

func starCrossesDots(pattern, name string, syntax daybook.PatternSyntax) (bool, error) {
	if syntax == daybook.Topic && strings.HasSuffix(pattern, ".*") {
		return correctly(pattern, name, daybook.Glob)
	}
	return correctly(pattern, name, syntax)
}

func starStopsAtDots(pattern, name string, syntax daybook.PatternSyntax) (bool, error) {
	matches, err := correctly(pattern, name, syntax)
	return matches && (syntax == daybook.Topic || strings.Count(pattern, ".") == strings.Count(name, ".")), err
}

func underscoreIsWildcard(pattern, name string, syntax daybook.PatternSyntax) (bool, error) {
	return correctly(strings.NewReplacer("_", "?", "%", "*").Replace(pattern), name, syntax)
}

func mendBackslash(pattern, name string, syntax daybook.PatternSyntax) (bool, error) {
	if matches, err := correctly(pattern, name, syntax); err == nil {
		return matches, nil
	}
	return correctly(pattern+`\`, name, syntax)
}

func ignoreCase(pattern, name string, syntax daybook.PatternSyntax) (bool, error) {
	return correctly(strings.ToLower(pattern), strings.ToLower(name), syntax)
}

func matchBytes(pattern, name string, syntax daybook.PatternSyntax) (bool, error) {
	var bytes strings.Builder // has a character for each byte
	for i := range len(name) {
		bytes.WriteRune(rune(name[i]))
	}
	return correctly(pattern, bytes.String(), syntax)
}

func noEscapes(pattern, name string, syntax daybook.PatternSyntax) (bool, error) {
	if _, err := correctly(pattern, name, syntax); err != nil || syntax == daybook.Topic {
		return correctly(pattern, name, syntax)
	}
	return correctly(strings.ReplaceAll(pattern, `\`, `\\`), name, syntax)
}

func matchBeginning(pattern, name string, syntax daybook.PatternSyntax) (bool, error) {
	if syntax == daybook.Topic {
		return correctly(pattern, name, syntax)
	}
	return correctly(pattern+"*", name, syntax)
}

func hashIsSomething(pattern, name string, syntax daybook.PatternSyntax) (bool, error) {
	if syntax == daybook.Topic {
		pattern = strings.ReplaceAll(pattern, "#", "*.#")
	}
	return correctly(pattern, name, syntax)
}

func wildcardAnywhere(pattern, name string, syntax daybook.PatternSyntax) (bool, error) {
	if syntax == daybook.Topic && strings.HasSuffix(pattern, "*") && !strings.HasSuffix(pattern, ".*") {
		return correctly(pattern, name, daybook.Glob)
	}
	return correctly(pattern, name, syntax)
}

func dropEmptyLevels(pattern, name string, syntax daybook.PatternSyntax) (bool, error) {
	if syntax == daybook.Topic {
		name = strings.Trim(strings.ReplaceAll(name, "..", "."), ".")
	}
	return correctly(pattern, name, syntax)
}

// giveUp finds no match if matching takes much work.
func giveUp(pattern, name string, syntax daybook.PatternSyntax) (bool, error) {
	matches, err := correctly(pattern, name, syntax)
	return matches && len(pattern)*len(name) < 100_000, err
}
