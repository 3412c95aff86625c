// SPDX-License-Identifier: Apache-2.0

package index

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestTopic(t *testing.T) {
	tests := []struct {
		name    string
		pattern string
		matches []string
		misses  []string
		reason  string // why the row is here
	}{
		{"literal", "sensors.a", []string{"sensors.a"}, []string{"sensors", "sensors.a.b", "Sensors.a", "sensorsXa"}, "case-sensitive, and a dot is a dot"},
		{"one level", "sensors.*", []string{"sensors.a", "sensors.é"}, []string{"sensors", "sensors.secret.deep", "sensors_extra.x"}, "* never reaches deeper"},
		{"any levels", "sensors.#", []string{"sensors", "sensors.a", "sensors.a.b", "sensors."}, []string{"sensors_extra.x", "sensorsa", "a.sensors"}, "# may be nothing, and ends at a dot"},
		{"any levels within", "a.#.c", []string{"a.c", "a.b.c", "a.b.b.c", "a.c.c", "a..c"}, []string{"a", "c", "ac", "a.b", "a.c.b", "x.a.c"}, "# may be nothing here too"},
		{"star in a segment", "sensors*", []string{"sensors*"}, []string{"sensors", "sensors1", "sensors.a"}, "an ordinary character unless it is the segment"},
		{"hash in a segment", "a.b#", []string{"a.b#"}, []string{"a.b", "a.bc"}, "an ordinary character unless it is the segment"},
		{"two stars in a segment", "a.**", []string{"a.**"}, []string{"a.b", "a.b.c"}, "not a wildcard of its own"},
		{"glob characters", `a?\b`, []string{`a?\b`}, []string{"axb", "a?b"}, "neither ? nor \\ means anything here"},
		{"everything", "#", []string{"a", "a.b", ".", "a."}, nil, "any number of levels"},
		{"everything twice", "#.#", []string{"a", "a.b", "."}, nil, "the second # may be nothing"},
		{"top level", "*", []string{"a", "a*", "#"}, []string{"a.b", "."}, "one level, whatever it holds"},
		{"two levels", "*.*", []string{"a.b", "."}, []string{"a", "a.b.c"}, "each exactly one"},
		{"at least one level", "#.*", []string{"a", "a.b", "a.b.c"}, nil, "# gives back what * needs"},
		{"suffix", "#.celsius", []string{"celsius", "a.celsius", "a.b.celsius", "celsius.celsius"}, []string{"acelsius", "celsius.a"}, "# in front"},
		{"two hashes", "a.#.#.b", []string{"a.b", "a.x.b", "a.b.b"}, []string{"a", "a.b.c"}, "as one"},
		{"hash and star", "a.#.*.b", []string{"a.x.b", "a.x.y.b"}, []string{"a.b"}, "at least one level between"},
		{"hashes apart", "#.a.#.b.#", []string{"a.b", "x.a.b.y", "a.a.b.b", "b.a.b"}, []string{"b.a", "a", "ab"}, "the first # must be able to give back"},
		{"empty segments", "a..b", []string{"a..b"}, []string{"a.b", "a.x.b"}, "an empty segment is a segment"},
		{"star on an empty segment", "a.*.b", []string{"a..b", "a.x.b"}, []string{"a.b"}, "which * takes"},
		{"leading dot", ".*", []string{".a", "."}, []string{"a", "a.b", "..a"}, "an empty segment in front"},
		{"trailing dot", "a.", []string{"a."}, []string{"a", "a.b"}, "an empty segment behind"},
	}
	for _, test := range tests {
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
		{"literal", "a.b", "a.b", true, "one look-up instead of a walk"},
		{"star in a segment", "a.b*", "a.b*", true, "no wildcard"},
		{"one level", "a.b.*", "a.b.", false, "with the dot, which keeps a.bc out"},
		{"any levels", "a.b.#", "a.b", false, "without the dot, since a.b matches"},
		{"any levels twice", "a.#.#", "a", false, "without the dot, since a matches"},
		{"any levels within", "a.#.c", "a.", false, "with the dot, since a alone does not match"},
		{"leading wildcard", "*.a", "", false, "nothing to seek"},
		{"leading hash", "#.a", "", false, "nothing to seek"},
		{"leading dot", ".*", ".", false, "an empty segment is a segment"},
		{"leading dot and hash", ".#", "", false, "the empty segment alone is no name, but a match"},
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
		{"too long", strings.Repeat("#.", MaxPatternLen/2) + "#", "the cost of matching grows with it"},
		{"latin-1", "caf\xe9.#", "no name is anything but UTF-8"},
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
		segments, levels := patterns.Draw(t, "pattern"), subjects.Draw(t, "name")
		pattern, name := strings.Join(segments, "."), strings.Join(levels, ".")
		p, err := CompileTopic(pattern)
		if err != nil {
			return // it is empty
		}
		want := referenceTopic(levels, segments)
		if got := p.Match(name); got != want {
			t.Errorf("CompileTopic(%q).Match(%q): got %v, want %v", pattern, name, got, want)
		}
		if want && !strings.HasPrefix(name, p.Prefix()) {
			t.Errorf("%q matches %q, which does not start with its prefix %q", pattern, name, p.Prefix())
		}
		if p.Exact() && want != (name == p.Prefix()) {
			t.Errorf("%q is the exact name %q; on %q it says %v", pattern, p.Prefix(), name, want)
		}
	})
}

// referenceTopic tries everything.
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

// TestHostileTopics would not end within a lifetime if the matcher tried every way to share out a name
// among the hashes.
func TestHostileTopics(t *testing.T) {
	name := strings.Repeat("a.", 510) + "a"
	tests := []struct {
		name    string
		pattern string
		want    bool
		reason  string // why the row is here
	}{
		{"fails at the end", strings.Repeat("#.a.", 500) + "b", false, "every way to share out the name fails"},
		{"fails within", strings.Repeat("#.a.", 500) + "b.#", false, "every way to share out the name fails"},
		{"matches", strings.Repeat("#.a.", 500) + "#", true, "the answer is not given up for the bound"},
		{"stars", strings.Repeat("#.*.", 511) + "#", true, "as many levels as there are"},
		{"too many stars", strings.Repeat("#.*.", 512) + "#", false, "one more than there are"},
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
