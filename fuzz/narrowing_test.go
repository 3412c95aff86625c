// SPDX-License-Identifier: Apache-2.0

package fuzz

import (
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine"
)

// namesDB is a store of names that are hard to narrow a scan to. It is open while a fuzz target
// runs.
type namesDB struct {
	db    *engine.DB
	names []string // sorted
}

func openNames(f *testing.F) *namesDB {
	f.Helper()
	db, err := engine.Open(f.TempDir(),
		&engine.Options{Durability: engine.DurabilityOS, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() {
		if err := db.Close(); err != nil {
			f.Error(err)
		}
	})
	n := &namesDB{db: db, names: hardNames()}
	for _, name := range n.names {
		if err := db.Store(ctx, name, json.RawMessage("1"), 1); err != nil {
			f.Fatal(err)
		}
	}
	if err := db.Checkpoint(ctx); err != nil {
		f.Fatal(err)
	}
	return n
}

// hardNames returns all names of up to four of a few characters, many of which have a common
// prefix, and some names that end in a character whose successor is hard to find.
func hardNames() (names []string) {
	last := []string{""}
	for range 4 {
		var longer []string
		for _, name := range last {
			for _, char := range []string{"a", "b", ".", "*"} {
				longer = append(longer, name+char)
			}
		}
		names, last = append(names, longer...), longer
	}
	names = append(names, "\x01", "a\x01", "a.\x01", "a\x7f", "é", "aé", "aé.b", "ÿ", "aÿ", "漢", "a漢b",
		"\ufffd", "\U0010ffff", "a\U0010ffff",
		"a\U0010ffff\U0010ffff", "a#", "#", "a?", `a\`, `\`, `a\*`, "sensors.a", "sensors", "sensors*", "sensorsX.a",
		strings.Repeat("a", 1024), strings.Repeat("a.", 511)+"aa", strings.Repeat("\U0010ffff", 256))
	slices.Sort(names)
	return names
}

// check also stores name, lists and queries the records that the pattern matches, and compares them
// with the names for which matches returns true. The name is in the tree if its length is even,
// otherwise in the head.
func (n *namesDB) check(
	t *testing.T, pattern string, syntax daybook.PatternSyntax, name string, matches func(name string) bool,
) {
	t.Helper()
	all := n.names
	if at, found := slices.BinarySearch(all, name); !found {
		all = slices.Insert(slices.Clone(all), at, name)
		n.store(t, name)
		defer n.remove(t, name)
	}
	var want, listed, queried []string
	for _, name := range all {
		if matches(name) {
			want = append(want, name)
		}
	}
	for info, err := range n.db.Records(ctx, pattern, syntax) {
		if err != nil {
			t.Fatalf("Records(%q, %s): %v", pattern, syntax, err)
		}
		listed = append(listed, info.RecordName)
	}
	values, err := n.db.Query(ctx, pattern, daybook.QueryParams{Syntax: syntax, LimitPerRecord: 1})
	if err != nil {
		t.Fatalf("Query(%q, %s): %v", pattern, syntax, err)
	}
	for _, v := range values {
		queried = append(queried, v.RecordName)
	}
	if diff := cmp.Diff(want, listed); diff != "" {
		t.Errorf("records that the %s %q matches, %q among them all (-want +listed):\n%s", syntax, pattern, name, diff)
	}
	if diff := cmp.Diff(want, queried); diff != "" {
		t.Errorf("records that the %s %q matches, %q among them all (-want +queried):\n%s", syntax, pattern, name, diff)
	}
}

func (n *namesDB) store(t *testing.T, name string) {
	t.Helper()
	if err := n.db.Store(ctx, name, json.RawMessage("1"), 1); err != nil {
		t.Fatal(err)
	}
	if len(name)%2 == 0 {
		if err := n.db.Checkpoint(ctx); err != nil {
			t.Fatal(err)
		}
	}
}

func (n *namesDB) remove(t *testing.T, name string) {
	t.Helper()
	exactly := strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`).Replace(name)
	if deleted, err := n.db.Prune(ctx, exactly, daybook.PruneParams{OlderThan: 2}); deleted != 1 || err != nil {
		t.Fatalf("Prune(%q) = %d, %v; want 1", exactly, deleted, err)
	}
}
