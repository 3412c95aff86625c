// SPDX-License-Identifier: Apache-2.0

package index

import (
	"errors"
	"fmt"
	"slices"
	"sort"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

// sortedKeys is a KeyCursor over sorted names. The value of a name is "value of " and the name.
type sortedKeys struct {
	names []string
	next  int // index of the name that Next returns
	reads int
}

func (k *sortedKeys) Seek(wanted []byte) (key, value []byte, err error) {
	k.next = sort.SearchStrings(k.names, string(wanted))
	return k.Next()
}

func (k *sortedKeys) Next() (key, value []byte, err error) {
	k.reads++
	if k.next == len(k.names) {
		return nil, nil, nil
	}
	name := k.names[k.next]
	k.next++
	return []byte(name), []byte("value of " + name), nil
}

// TestNameCursorError: an error of the KeyCursor ends the walk.
func TestNameCursorError(t *testing.T) {
	p, err := CompileGlob("a*")
	if err != nil {
		t.Fatal(err)
	}
	c := NewNameCursor(failingKeys{}, p, "")
	if name, _, _, err := c.Next(); string(name) != "a" || err != nil {
		t.Fatalf("first: got %q, %v", name, err)
	}
	if name, _, _, err := c.Next(); name != nil || !errors.Is(err, errRead) {
		t.Errorf("second: got %q, %v; want the error of the KeyCursor", name, err)
	}
	if name, _, _, err := c.Next(); name != nil || err != nil {
		t.Errorf("after the error: got %q, %v; want the end", name, err)
	}
}

var errRead = errors.New("read error")

// failingKeys is a KeyCursor with one key, after which it fails.
type failingKeys struct{}

func (failingKeys) Seek([]byte) (key, value []byte, err error) { return []byte("a"), nil, nil }
func (failingKeys) Next() (key, value []byte, err error)       { return nil, nil, errRead }

// TestNameCursor: a cursor visits exactly the matching names from the given one on, in order, with
// their values.
func TestNameCursor(t *testing.T) {
	names := []string{"a", "a.b", "a.b.c", "a*", "aa", "ab", "b", "b.a", "ba", "é", "é.a", "\U0010ffff"}
	slices.Sort(names)
	patterns := []struct {
		text    string
		compile compiler
	}{
		{"*", CompileGlob}, {"a*", CompileGlob}, {"a.*", CompileGlob}, {"*a", CompileGlob}, {"?", CompileGlob},
		{"a", CompileGlob}, {`a\*`, CompileGlob}, {"c*", CompileGlob}, {"nothing", CompileGlob},
		{"é*", CompileGlob}, {"\U0010ffff*", CompileGlob},
		{"#", CompileTopic}, {"a.#", CompileTopic}, {"*.a", CompileTopic}, {"a.*", CompileTopic}, {"b", CompileTopic},
	}
	for _, pattern := range patterns {
		p, err := pattern.compile(pattern.text)
		if err != nil {
			t.Fatal(err)
		}
		for _, from := range append([]string{"", "a.", "a\xff", "zzz"}, names...) {
			var want []string
			for _, name := range names {
				if name >= from && p.Match(name) {
					want = append(want, name)
				}
			}
			got := matchingNames(t, NewNameCursor(&sortedKeys{names: names}, p, from))
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%q from %q (-want +got):\n%s", pattern.text, from, diff)
			}
		}
	}
}

// matchingNames moves a cursor to its end, and once more, and returns the names that match.
func matchingNames(t rapid.TB, cursor *NameCursor) (names []string) {
	t.Helper()
	for {
		name, value, matches, err := cursor.Next()
		if err != nil {
			t.Fatal(err)
		}
		if name == nil {
			break
		}
		if !matches {
			continue
		}
		if want := "value of " + string(name); string(value) != want {
			t.Errorf("%q comes with %q; want %q", name, value, want)
		}
		names = append(names, string(name))
	}
	if name, _, _, _ := cursor.Next(); name != nil {
		t.Errorf("after the end: got %q, want the end again", name)
	}
	return names
}

// TestNameCursorStaysWithinThePrefix: the matcher is asked about no name outside the prefix.
func TestNameCursorStaysWithinThePrefix(t *testing.T) {
	var names []string
	for i := range 3000 {
		names = append(names, fmt.Sprintf("device%04d.celsius", i))
	}
	tests := []struct {
		name         string
		prefix, from string
		want         []string // the names that the matcher is asked about
		reason       string   // why the row is here
	}{
		{"in the middle", "device150", "", names[1500:1510], "a seek, not a walk"},
		{"resumed", "device150", "device1507", names[1507:1510], "the walk resumes at the given name"},
		{"resumed after the prefix", "device150", "device2", nil, "no name with the prefix follows"},
		{"resumed before the prefix", "device150", "device1", names[1500:1510],
			"the walk starts at the greater of the two"},
		{"no such name", "device15000", "", nil, "the first name after the prefix ends the walk"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var asked []string
			p := &Pattern{prefix: test.prefix, match: func(name string) bool {
				asked = append(asked, name)
				return false
			}}
			if matching := matchingNames(t, NewNameCursor(&sortedKeys{names: names}, p, test.from)); matching != nil {
				t.Errorf("got %q; want no name", matching)
			}
			if diff := cmp.Diff(test.want, asked, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("names that the matcher was asked about (-want +got; %s):\n%s", test.reason, diff)
			}
		})
	}
}

// TestNameCursorReads: a cursor reads at most one key that does not have the prefix, and none after
// that.
func TestNameCursorReads(t *testing.T) {
	names := []string{"a", "a.b", "a.c", "b", "c.a", "c.b"}
	tests := []struct {
		pattern string
		reads   int
		reason  string // why the row is here
	}{
		{"a.*", 3, "two names, and the one after them"},
		{"c*", 3, "two names, and the end of the keys"},
		{"*.a", 7, "all names, and the end of the keys"},
		{"a.b", 1, "one lookup, because no second name can match"},
		{"a.d", 1, "one lookup, which finds another name"},
		{"d", 1, "one lookup, which finds the end of the keys"},
	}
	for _, test := range tests {
		t.Run(test.pattern, func(t *testing.T) {
			keys := &sortedKeys{names: names}
			cursor := NewNameCursor(keys, mustCompile(t, CompileGlob, test.pattern), "")
			matchingNames(t, cursor)
			if keys.reads != test.reads {
				t.Errorf("%d reads; want %d: %s", keys.reads, test.reads, test.reason)
			}
		})
	}
}
