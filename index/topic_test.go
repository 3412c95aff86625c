// SPDX-License-Identifier: Apache-2.0

package index

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

var topicTests = []struct {
	name    string
	pattern string
	matches []string
	misses  []string
	reason  string // why the row is here
}{
	{"literal", "sensors.a", []string{"sensors.a"},
		[]string{"sensors", "sensors.a.b", "Sensors.a", "sensorsXa"},
		"case-sensitive, and a dot is a dot"},
	{"one level", "sensors.*", []string{"sensors.a", "sensors.é"},
		[]string{"sensors", "sensors.secret.deep", "sensors_extra.x"},
		"* never stands for two levels"},
	{"any levels", "sensors.#", []string{"sensors", "sensors.a", "sensors.a.b", "sensors."},
		[]string{"sensors_extra.x", "sensorsa", "a.sensors"},
		"# may be empty, and ends at a dot"},
	{"any levels within", "a.#.c", []string{"a.c", "a.b.c", "a.b.b.c", "a.c.c", "a..c"},
		[]string{"a", "c", "ac", "a.b", "a.c.b", "x.a.c"},
		"# may be empty here too"},
	{"star in a level", "sensors*", []string{"sensors*"}, []string{"sensors", "sensors1", "sensors.a"},
		"an ordinary character unless it is the whole level"},
	{"hash in a level", "a.b#", []string{"a.b#"}, []string{"a.b", "a.bc"},
		"an ordinary character unless it is the whole level"},
	{"two stars in a level", "a.**", []string{"a.**"}, []string{"a.b", "a.b.c"}, "** is no wildcard"},
	{"glob characters", `a?\b`, []string{`a?\b`}, []string{"axb", "a?b"}, "? and \\ are ordinary characters"},
	{"everything", "#", []string{"a", "a.b", ".", "a."}, nil, "any number of levels"},
	{"everything twice", "#.#", []string{"a", "a.b", "."}, nil, "the second # may be empty"},
	{"top level", "*", []string{"a", "a*", "#"}, []string{"a.b", "."}, "one level, whatever its text"},
	{"two levels", "*.*", []string{"a.b", "."}, []string{"a", "a.b.c"}, "each * is exactly one"},
	{"at least one level", "#.*", []string{"a", "a.b", "a.b.c"}, nil, "# leaves one level for *"},
	{"suffix", "#.celsius", []string{"celsius", "a.celsius", "a.b.celsius", "celsius.celsius"},
		[]string{"acelsius", "celsius.a"},
		"# first"},
	{"two hashes", "a.#.#.b", []string{"a.b", "a.x.b", "a.b.b"}, []string{"a", "a.b.c"},
		"several hashes are as one"},
	{"hash and star", "a.#.*.b", []string{"a.x.b", "a.x.y.b"}, []string{"a.b"}, "at least one level between"},
	{"hashes apart", "#.a.#.b.#", []string{"a.b", "x.a.b.y", "a.a.b.b", "b.a.b"}, []string{"b.a", "a", "ab"},
		"the first # must not take too much"},
	{"empty levels", "a..b", []string{"a..b"}, []string{"a.b", "a.x.b"}, "an empty level is a level"},
	{"star on an empty level", "a.*.b", []string{"a..b", "a.x.b"}, []string{"a.b"}, "* matches an empty level"},
	{"leading dot", ".*", []string{".a", "."}, []string{"a", "a.b", "..a"}, "the first level is empty"},
	{"trailing dot", "a.", []string{"a."}, []string{"a", "a.b"}, "the last level is empty"},
}

func TestTopic(t *testing.T) {
	for _, test := range topicTests {
		t.Run(test.name, func(t *testing.T) {
			p, err := CompileTopic(test.pattern)
			if err != nil {
				t.Fatalf("CompileTopic(%q): %v (%s)", test.pattern, err, test.reason)
			}
			for _, name := range test.matches {
				if !p.Match(name) {
					t.Errorf("%q on %q: got no match (%s)", test.pattern, name, test.reason)
				}
			}
			for _, name := range test.misses {
				if p.Match(name) {
					t.Errorf("%q on %q: got a match (%s)", test.pattern, name, test.reason)
				}
			}
		})
	}
}

func TestTopicPrefix(t *testing.T) {
	tests := []struct {
		name    string
		pattern string
		prefix  string
		exact   bool
		reason  string // why the row is here
	}{
		{"literal", "a.b", "a.b", true, "one lookup instead of a walk"},
		{"star in a level", "a.b*", "a.b*", true, "no wildcard"},
		{"one level", "a.b.*", "a.b.", false, "with the dot, which excludes a.bc"},
		{"any levels", "a.b.#", "a.b", false, "without the dot, because a.b matches"},
		{"any levels twice", "a.#.#", "a", false, "without the dot, because a matches"},
		{"any levels within", "a.#.c", "a.", false, "with the dot, because a alone does not match"},
		{"leading wildcard", "*.a", "", false, "no prefix to seek"},
		{"leading hash", "#.a", "", false, "no prefix to seek"},
		{"leading dot", ".*", ".", false, "an empty level is a level"},
		{"leading dot and hash", ".#", "", false, "the empty text is no name, but would match"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			checkPrefix(t, CompileTopic, test.pattern, test.prefix, test.exact, test.reason)
		})
	}
}

func TestMalformedTopics(t *testing.T) {
	tests := []struct {
		name    string
		pattern string
		reason  string // why the row is here
	}{
		{"empty", "", "no name is empty"},
		{"too long", strings.Repeat("#.", MaxPatternLen/2) + "#", "the cost of matching grows with the length"},
		{"latin-1", "caf\xe9.#", "all names are UTF-8"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			checkMalformed(t, CompileTopic, test.pattern, test.reason)
		})
	}
}

func TestTopicIsReference(t *testing.T) {
	patterns := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "", "*", "#", "#", "a*", "ab"}), 1, 7)
	subjects := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "a", "b", "", "*", "#", "a*", "ab"}), 1, 9)
	rapid.Check(t, func(t *rapid.T) {
		patternLevels, nameLevels := patterns.Draw(t, "pattern"), subjects.Draw(t, "name")
		pattern, name := strings.Join(patternLevels, "."), strings.Join(nameLevels, ".")
		p, err := CompileTopic(pattern)
		if err != nil {
			return // the pattern is empty
		}
		want := referenceTopic(nameLevels, patternLevels)
		if got := p.Match(name); got != want {
			t.Errorf("CompileTopic(%q).Match(%q): got %v, want %v", pattern, name, got, want)
		}
		if want && !strings.HasPrefix(name, p.Prefix()) {
			t.Errorf("%q matches %q, which does not start with its prefix %q", pattern, name, p.Prefix())
		}
		if p.Exact() && want != (name == p.Prefix()) {
			t.Errorf("%q matches only %q; on %q: got %v", pattern, p.Prefix(), name, want)
		}
	})
}

// referenceTopic tries every number of levels for each #.
func referenceTopic(name, pattern []string) bool {
	switch {
	case len(pattern) == 0:
		return len(name) == 0
	case pattern[0] == "#":
		return referenceTopic(name, pattern[1:]) || len(name) > 0 && referenceTopic(name[1:], pattern)
	case len(name) == 0:
		return false
	}
	return (pattern[0] == "*" || pattern[0] == name[0]) && referenceTopic(name[1:], pattern[1:])
}

// TestHostileTopics would not end within a lifetime if the matcher tried every way to distribute a
// name among the hashes.
func TestHostileTopics(t *testing.T) {
	name := strings.Repeat("a.", 510) + "a"
	tests := []struct {
		name    string
		pattern string
		want    bool
		reason  string // why the row is here
	}{
		{"fails at the end", strings.Repeat("#.a.", 500) + "b", false, "no distribution of the name matches"},
		{"fails within", strings.Repeat("#.a.", 500) + "b.#", false, "no distribution of the name matches"},
		{"matches", strings.Repeat("#.a.", 500) + "#", true, "the bound of the steps does not change the result"},
		{"stars", strings.Repeat("#.*.", 511) + "#", true, "the number of levels of the name"},
		{"too many stars", strings.Repeat("#.*.", 512) + "#", false, "one level more than the name has"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p, err := CompileTopic(test.pattern)
			if err != nil {
				t.Fatal(err)
			}
			if got := p.Match(name); got != test.want {
				t.Errorf("got %v, want %v (%s)", got, test.want, test.reason)
			}
		})
	}
}
