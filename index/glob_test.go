// SPDX-License-Identifier: Apache-2.0

package index

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/match"
	"pgregory.net/rapid"

	"github.com/daybook-db/daybook"
)

var globTests = []struct {
	name    string
	pattern string
	matches []string
	misses  []string
	reason  string // why the row is here
}{
	{"literal", "sensor.kitchen", []string{"sensor.kitchen"},
		[]string{"sensor.kitchen2", "sensor.kitche", "Sensor.kitchen",
			"xsensor.kitchen"},
		"no wildcard: one name, case-sensitive"},
	{"underscore", "test_record", []string{"test_record"}, []string{"testXrecord", "test.record"},
		"_ is no wildcard, unlike in SQL's LIKE"},
	{"percent", "100%", []string{"100%"}, []string{"100", "1000"}, "% is no wildcard, unlike in SQL's LIKE"},
	{"brackets", "a[bc]{d}", []string{"a[bc]{d}"}, []string{"ab{d}", "ac{d}"},
		"no character classes, unlike in the shell"},
	{"star", "*", []string{"a", "a.b", "é/漢"}, nil, "all names"},
	{"stars", "***", []string{"a", "a.b"}, nil, "several stars are as one"},
	{"prefix", "sensor.*", []string{"sensor.a", "sensor.a.b.c", "sensor."}, []string{"sensor", "sensorX"},
		"* crosses dots, and may be empty"},
	{"suffix", "*.celsius", []string{"a.celsius", "a.b.celsius", ".celsius"}, []string{"celsius", "a.celsius.b"},
		"no prefix to seek"},
	{"middle", "a*/c", []string{"a/c", "a/b/c", "axx/c"}, []string{"a/b/cd", "b/c"}, "* crosses slashes too"},
	{"twice", "a*b*c", []string{"abc", "aXbYc", "abbcc", "abcbc"}, []string{"ac", "acb", "aXbY"},
		"the first * must not take too much"},
	{"question mark", "a?c", []string{"abc", "a.c", "aéc", "a漢c", "a😀c", "a?c"}, []string{"ac", "abbc"},
		"one character, whatever its length in bytes"},
	{"question marks at the end", "a??", []string{"abc", "aéé"}, []string{"a", "ab", "abcd"},
		"characters are counted, not bytes"},
	{"star and question mark", "a*?", []string{"ab", "abc"}, []string{"a"}, "at least one character"},
	{"question mark and star", "a?*", []string{"ab", "abc"}, []string{"a"}, "at least one character"},
	{"escaped star", `a\*`, []string{"a*"}, []string{"a", "ab", `a\*`}, "a literal name with a star"},
	{"escaped question mark", `a\?`, []string{"a?"}, []string{"ab", `a\?`}, "a literal name with a question mark"},
	{"escaped backslash", `a\\b`, []string{`a\b`}, []string{`a\\b`, "ab"}, "a literal name with a backslash"},
	{"escaped letter", `\a\b`, []string{"ab"}, []string{`\a\b`}, "a needless escape"},
	{"escaped multi-byte", `\é*`, []string{"é", "éa"}, []string{"e"}, "an escape takes a character, not a byte"},
	{"escape before a star", `\**`, []string{"*", "*a"}, []string{"a", "a*"}, "a literal star, then a wildcard"},
	{"backslash before a star", `a\\*`, []string{`a\`, `a\b`}, []string{"a*", "a"},
		"an escaped backslash does not escape the star"},
	{"escaped star after a star", `*\*`, []string{"*", "a*"}, []string{"a", `a\`}, "the suffix has an escape"},
	{"escaped backslash after a star", `*\\`, []string{`\`, `a\`}, []string{"a", `\a`}, "the suffix has an escape"},
	{"escapes after a star", `*\\\*b`, []string{`\*b`, `x\*b`}, []string{`\b`, `*b`},
		"an odd number of backslashes"},
}

func TestGlob(t *testing.T) {
	for _, test := range globTests {
		t.Run(test.name, func(t *testing.T) {
			p, err := CompileGlob(test.pattern)
			if err != nil {
				t.Fatalf("CompileGlob(%q): %v (%s)", test.pattern, err, test.reason)
			}
			for _, name := range test.matches {
				if !p.Match(name) {
					t.Errorf("%q on %q: got no match; want one (%s)", test.pattern, name, test.reason)
				}
			}
			for _, name := range test.misses {
				if p.Match(name) {
					t.Errorf("%q on %q: got a match; want none (%s)", test.pattern, name, test.reason)
				}
			}
		})
	}
}

func TestGlobPrefix(t *testing.T) {
	tests := []struct {
		name    string
		pattern string
		prefix  string
		exact   bool
		reason  string // why the row is here
	}{
		{"literal", "sensor.kitchen", "sensor.kitchen", true, "one lookup instead of a walk"},
		{"trailing star", "sensor.*", "sensor.", false, "the usual prefix to seek"},
		{"trailing question mark", "sensor?", "sensor", false, "? ends the prefix"},
		{"leading star", "*.celsius", "", false, "no prefix to seek"},
		{"leading question mark", "?a", "", false, "no prefix to seek"},
		{"escapes", `a\*\?\\b`, `a*?\b`, true, "the prefix is the name, without escapes"},
		{"escapes before a star", `a\*b*`, "a*b", false, "an escaped star does not end the prefix"},
		{"escape after the star", `a*\*`, "a", false, "text after the wildcard does not belong to the prefix"},
		{"multi-byte", "é漢*", "é漢", false, "no character is cut in two"},
		{"escaped multi-byte", `\é\漢?`, "é漢", false, "no character is cut in two"},
		{"topic", "a.#", "a.#", true, "# is an ordinary character"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			checkPrefix(t, CompileGlob, test.pattern, test.prefix, test.exact, test.reason)
		})
	}
}

func TestMalformedGlobs(t *testing.T) {
	tests := []struct {
		name    string
		pattern string
		reason  string // why the row is here
	}{
		{"empty", "", "no name is empty"},
		{"lone backslash", `\`, "the backslash escapes nothing"},
		{"trailing backslash", `a\`, "the backslash escapes nothing"},
		{"trailing backslash after a star", `a*\`, "the backslash escapes nothing, after the prefix too"},
		{"three backslashes", `a\\\`, "the third escapes nothing"},
		{"too long", strings.Repeat("a", MaxPatternLen+1), "the cost of matching grows with the length"},
		{"latin-1", "caf\xe9*", "all names are UTF-8"},
		{"half a character", "\xc3*", "all names are UTF-8"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			checkMalformed(t, CompileGlob, test.pattern, test.reason)
		})
	}
	if _, err := CompileGlob(strings.Repeat(`\a`, MaxPatternLen/2)); err != nil {
		t.Errorf("a pattern of %d bytes: %v", MaxPatternLen, err)
	}
}

// TestGlobIsMatch compares the compiled pattern, the match in one pass and the reference with
// match.Match.
func TestGlobIsMatch(t *testing.T) {
	pieces := rapid.SampledFrom([]string{"a", "a", "b", "é", ".", "*", "*", "?", "?", `\*`, `\?`, `\\`, `\é`})
	rapid.Check(t, func(t *rapid.T) {
		for range 10 {
			checkGlob(t, rapid.SliceOfN(pieces, 1, 8).Draw(t, "pattern"), 20, match.Match)
		}
	})
}

// checkGlob compares a pattern with another matcher, on names that it matches, on names that it
// nearly matches, and on others.
func checkGlob(t *rapid.T, pieces []string, names int, matches func(name, pattern string) bool) {
	pattern := strings.Join(pieces, "")
	p, err := CompileGlob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	prefix, rest, _ := globPrefix(pattern)
	chars := []rune("aab.é*?\\")
	for range names {
		name := nearlyMatching(t, pieces, chars)
		want := matches(name, pattern)
		if got := p.Match(name); got != want {
			t.Errorf("CompileGlob(%q).Match(%q): got %v, want %v", pattern, name, got, want)
		}
		if end, ok := strings.CutPrefix(name, prefix); ok && rest != "" && compileGlob(rest).match(end) != want {
			t.Errorf("in one pass, %q on %q: got %v, want %v", rest, end, !want, want)
		}
		if got := referenceGlob(name, pattern); got != want {
			t.Errorf("the reference on %q and %q: got %v, want %v", name, pattern, got, want)
		}
		if want && !strings.HasPrefix(name, p.Prefix()) {
			t.Errorf("%q matches %q, which does not start with its prefix %q", pattern, name, p.Prefix())
		}
		if p.Exact() && want != (name == p.Prefix()) {
			t.Errorf("%q matches only %q; on %q: got %v", pattern, p.Prefix(), name, want)
		}
	}
}

// nearlyMatching returns a name that the pieces of a pattern match, with up to one character
// changed, added or removed, or another name.
func nearlyMatching(t *rapid.T, pieces []string, chars []rune) string {
	char := rapid.SampledFrom(chars)
	var name []rune
	for _, piece := range pieces {
		switch piece {
		case "*":
			name = append(name, rapid.SliceOfN(char, 0, 3).Draw(t, "text of a star")...)
		case "?":
			name = append(name, char.Draw(t, "character of a question mark"))
		default:
			name = append(name, []rune(strings.TrimPrefix(piece, `\`))...)
		}
	}
	change := rapid.SampledFrom([]string{"none", "none", "changed", "added", "removed", "other"}).Draw(t, "change")
	if len(name) == 0 || change == "other" {
		return string(rapid.SliceOfN(char, 1, 12).Draw(t, "name"))
	}
	at := rapid.IntRange(0, len(name)-1).Draw(t, "place of the change")
	switch change {
	case "changed":
		name[at] = char.Draw(t, "changed")
	case "added":
		name = slices.Insert(name, at, char.Draw(t, "added"))
	case "removed":
		name = slices.Delete(name, at, at+1)
	}
	return string(name)
}

// TestHostileGlobs would not end within a lifetime if a matcher tried every way to distribute a
// name among the stars.
func TestHostileGlobs(t *testing.T) {
	tests := []struct {
		name    string
		pattern string
		subject string
		want    bool
		reason  string // why the row is here
	}{
		{"fails at the end", strings.Repeat("*a", 1000) + "b", strings.Repeat("a", 1024), false,
			"no distribution of the name matches"},
		{"fails within", strings.Repeat("*a", 1000) + "b*", strings.Repeat("a", 1024), false,
			"the end of the pattern does not show it at once"},
		{"matches", strings.Repeat("*a", 1000) + "b", strings.Repeat("a", 1023) + "b", true,
			"the bound of the steps does not change the result"},
		{"matches in the last place", strings.Repeat("*a", 1000) + "*b*", strings.Repeat("a", 1023) + "b", true,
			"only the last way matches"},
		{"a short pattern matches in the last place", strings.Repeat("*a", 14) + "*b*",
			strings.Repeat("a", 1023) + "b", true, "a match that takes too many steps is done again, in one pass"},
		{"question marks", strings.Repeat("*?", 1024) + "*", strings.Repeat("é", 512), false,
			"more characters than the name has"},
		{"question marks fit", strings.Repeat("*?", 512) + "*", strings.Repeat("é", 512), true,
			"the number of characters of the name"},
		{"pairs", strings.Repeat("*aa", 300) + "*c*", strings.Repeat("ab", 511) + "c", false,
			"each literal fails after its first character"},
		{"all stars", strings.Repeat("*", 4096), strings.Repeat("a", 1024), true,
			"several stars cost no more than one"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p, err := CompileGlob(test.pattern)
			if err != nil {
				t.Fatal(err)
			}
			if want := referenceGlob(test.subject, test.pattern); want != test.want {
				t.Errorf("the reference says %v, the table %v (%s)", want, test.want, test.reason)
			}
			if got := p.Match(test.subject); got != test.want {
				t.Errorf("Match: got %v, want %v (%s)", got, test.want, test.reason)
			}
		})
	}
}

// TestLongGlobs matches longer names and patterns than TestGlobIsMatch, for which match.Match would
// take too long. Some of the texts between two stars have more than 64 characters.
func TestLongGlobs(t *testing.T) {
	literals := rapid.SampledFrom([]string{"a", "a", "a", "b", "é", "?", "?", `\*`})
	rapid.Check(t, func(t *rapid.T) {
		pieces := []string{"*"}
		for range rapid.IntRange(1, 5).Draw(t, "texts") {
			maxLen := rapid.SampledFrom([]int{3, 20, 150}).Draw(t, "length of a text")
			pieces = append(pieces, rapid.SliceOfN(literals, max(maxLen/2, 1), maxLen).Draw(t, "text")...)
			pieces = append(pieces, "*")
		}
		checkGlob(t, pieces, 3, referenceGlob)
	})
}

// TestHostileGlobsAreFast: a query may match thousands of the longest names with a hostile pattern.
func TestHostileGlobsAreFast(t *testing.T) {
	const limit = time.Millisecond // measured: up to 60 us
	name := strings.Repeat("a", 1024)
	patterns := []string{
		strings.Repeat("*a", 1000) + "b*",
		strings.Repeat("*a", 1000) + "*b*",
		"*" + strings.Repeat("a", 512) + "b*",
		strings.Repeat("*a?", 300) + "b*",
		"*" + strings.Repeat("?a", 170) + "b*",
		"*a" + strings.Repeat("?", 512) + "b*",
		strings.Repeat("*a", maxMatchLen/2-1) + "b*",
		"*" + strings.Repeat("a", maxMatchLen-3) + "b*",
		"*" + strings.Repeat("?a", maxMatchLen/2-2) + "b*",
		strings.Repeat("*a?", maxMatchLen/3-1) + "b*",
	}
	for _, pattern := range patterns {
		p, err := CompileGlob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		fastest := time.Hour // of several, because other processes take turns
		for range 20 {
			start := time.Now()
			if p.Match(name) {
				t.Fatalf("%q matches", pattern)
			}
			fastest = min(fastest, time.Since(start))
		}
		t.Logf("%.20q...: %v a name", pattern, fastest)
		if fastest > limit {
			t.Errorf("%.20q...: %v a name; want at most %v", pattern, fastest, limit)
		}
	}
}

// referenceGlob computes for each start of the pattern which starts of the name it matches.
func referenceGlob(name, pattern string) bool {
	type element struct {
		char rune
		wild bool
	}
	var elements []element
	escaped := false
	for _, c := range pattern {
		switch {
		case !escaped && c == '\\':
			escaped = true
		default:
			elements = append(elements, element{c, !escaped && (c == '*' || c == '?')})
			escaped = false
		}
	}
	chars := []rune(name)
	matched := make([]bool, len(chars)+1) // matched[i]: the elements up to here match chars[:i]
	matched[0] = true
	for _, e := range elements {
		next, reached := make([]bool, len(matched)), false
		for i := range next {
			reached = reached || matched[i]
			switch {
			case e.wild && e.char == '*':
				next[i] = reached
			case i > 0:
				next[i] = matched[i-1] && (e.wild || e.char == chars[i-1])
			}
		}
		matched = next
	}
	return matched[len(chars)]
}

// TestQuotedName wants the pattern of a quoted name to match that name alone, without a search.
func TestQuotedName(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringOfN(rapid.SampledFrom([]rune(`ab.*?\#`)), 1, 12, -1).Draw(t, "name")
		p := mustCompile(t, CompileGlob, daybook.QuoteGlob(name))
		if !p.Exact() || p.Prefix() != name || !p.Match(name) {
			t.Fatalf("%q: prefix %q, exact %v", daybook.QuoteGlob(name), p.Prefix(), p.Exact())
		}
		other := rapid.StringOfN(rapid.SampledFrom([]rune(`ab.*?\#`)), 1, 12, -1).Draw(t, "other")
		if other != name && p.Match(other) {
			t.Fatalf("%q matches %q", daybook.QuoteGlob(name), other)
		}
	})
}
