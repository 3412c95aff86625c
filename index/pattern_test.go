// SPDX-License-Identifier: Apache-2.0

package index

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/daybook-db/daybook"
)

// compiler is CompileGlob or CompileTopic.
type compiler func(pattern string) (*Pattern, error)

func mustCompile(t rapid.TB, compile compiler, pattern string) *Pattern {
	t.Helper()
	p, err := compile(pattern)
	if err != nil {
		t.Fatalf("compiling %q: %v", pattern, err)
	}
	return p
}

func checkMatches(t *testing.T, p *Pattern, matches, misses []string, reason string) {
	t.Helper()
	for _, name := range matches {
		if !p.Match(name) {
			t.Errorf("%q: got no match (%s)", name, reason)
		}
	}
	for _, name := range misses {
		if p.Match(name) {
			t.Errorf("%q: got a match (%s)", name, reason)
		}
	}
}

func checkPrefix(t *testing.T, compile compiler, pattern, prefix string, exact bool, reason string) {
	t.Helper()
	p := mustCompile(t, compile, pattern)
	if p.Prefix() != prefix || p.Exact() != exact {
		t.Errorf("%q: got prefix %q, exact %v; want %q, %v (%s)", pattern, p.Prefix(), p.Exact(), prefix, exact, reason)
	}
}

func checkMalformed(t *testing.T, compile compiler, pattern, reason string) {
	t.Helper()
	if p, err := compile(pattern); !errors.Is(err, daybook.ErrInvalidPattern) {
		t.Errorf("compiling %.40q: got %v, %v; want ErrInvalidPattern (%s)", pattern, p, err, reason)
	}
}

func TestWithout(t *testing.T) {
	tests := []struct {
		name    string
		pattern string
		without []string
		prefix  string
		exact   bool
		matches []string
		misses  []string
		reason  string // why the row is here
	}{
		{"all but a prefix", "*", []string{"a*"}, "", false, []string{"b"}, []string{"a", "ab"}, "the usual exception"},
		{"one name of many", "a*", []string{"ab"}, "a", false, []string{"a", "abc"}, []string{"ab", "b"},
			"the prefix stays"},
		{"two exceptions", "*", []string{"a", "b"}, "", false, []string{"c"}, []string{"a", "b"},
			"each exception counts"},
		{"unrelated", "a*", []string{"b*"}, "a", false, []string{"a", "ab"}, []string{"b"},
			"an exception without effect"},
		{"itself", "a*", []string{"a*"}, "a", false, nil, []string{"a", "ab", "b", ""}, "no name remains"},
		{"one name, spared", "a", []string{"a*"}, "", true, nil, []string{"a", "ab"},
			"no name remains, and none needs to be read"},
		{"one name, not spared", "a", []string{"b*"}, "a", true, []string{"a"}, []string{"b"},
			"it still needs one look-up"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			original := mustCompile(t, CompileGlob, test.pattern)
			p := original
			for _, other := range test.without {
				p = p.Without(mustCompile(t, CompileGlob, other))
			}
			if p.Prefix() != test.prefix || p.Exact() != test.exact {
				t.Errorf("got prefix %q, exact %v; want %q, %v (%s)",
					p.Prefix(), p.Exact(), test.prefix, test.exact, test.reason)
			}
			checkMatches(t, p, test.matches, test.misses, test.reason)
			if len(original.except) > 0 {
				t.Errorf("the original pattern has exceptions: Without must not change it")
			}
		})
	}
}

// TestWithoutBranches: two patterns made from the same third one do not share their exceptions.
func TestWithoutBranches(t *testing.T) {
	all := mustCompile(t, CompileGlob, "*")
	for _, spared := range []string{"a", "b", "c"} {
		all = all.Without(mustCompile(t, CompileGlob, spared))
	}
	d := all.Without(mustCompile(t, CompileGlob, "d"))
	e := all.Without(mustCompile(t, CompileGlob, "e"))
	checkMatches(t, d, []string{"e"}, []string{"a", "b", "c", "d"}, "d is excepted here")
	checkMatches(t, e, []string{"d"}, []string{"a", "b", "c", "e"}, "e is excepted there")
}

// TestWithoutIsDifference compares Without, by Match and by a NameCursor, with the difference of
// the names that two patterns match.
func TestWithoutIsDifference(t *testing.T) {
	names := []string{"a", "a.a", "a.b", "ab", "b", "b.a", "ba"}
	patterns := rapid.SampledFrom([]string{"*", "a*", "a.*", "a", "*a", "?", "b.a", "c"})
	rapid.Check(t, func(t *rapid.T) {
		text, other := patterns.Draw(t, "pattern"), patterns.Draw(t, "without")
		p, except := mustCompile(t, CompileGlob, text), mustCompile(t, CompileGlob, other)
		want := slices.DeleteFunc(slices.Clone(names), func(name string) bool {
			return !p.Match(name) || except.Match(name)
		})
		less := p.Without(except)
		got := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !less.Match(name) })
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%q without %q (-want +got):\n%s", text, other, diff)
		}
		walked := matchingNames(t, NewNameCursor(&sortedKeys{names: names}, less, ""))
		if diff := cmp.Diff(want, walked, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%q without %q, walked (-want +got):\n%s", text, other, diff)
		}
	})
}
