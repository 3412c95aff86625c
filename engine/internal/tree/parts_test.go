// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"errors"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/daybook-db/daybook/codec"
)

// TestPostInParts stops after each part, as a crash does, and continues: with the rest of the same
// values, or with those and values that were stored later.
func TestPostInParts(t *testing.T) {
	names := []string{"a", "b", strings.Repeat("c", 1024), "d", "e"}
	values := func(timestamp, from uint64) history {
		h := make(history)
		for i, name := range names {
			h[name] = []codec.Entry{{Timestamp: timestamp, Sequence: from + uint64(i), Value: []byte(`"` + name + `"`)}}
		}
		return h
	}
	const before, watermark, later = 5, 10, 15 // sequence numbers
	for _, others := range []bool{false, true} {
		for stopAfter := 1; stopAfter < len(names); stopAfter++ {
			path := filepath.Join(t.TempDir(), "tree")
			tree := mustOpen(t, path)
			first, second, third := values(1, 1), values(2, before+1), values(3, watermark+1)
			if err := first.post(tree, before); err != nil {
				t.Fatal(err)
			}
			for range stopAfter {
				mustPostPart(t, tree, second.posting(watermark))
			}
			if err := tree.bolt.Close(); err != nil {
				t.Fatal(err)
			}

			tree = mustOpen(t, path)
			state, err := tree.State()
			isPartial := state.MaxPosted() == watermark && state.Partial.Through == names[stopAfter-1]
			if err != nil || state.Watermark != before || !isPartial {
				t.Fatalf("after %d parts: %+v, %v", stopAfter, state, err)
			}
			wantValues(t, tree, stopAfter, first, second)
			rest := make(history)
			for name, entries := range second {
				if entries[0].Sequence > state.PostedThrough(name) {
					rest[name] = entries
				}
			}
			if len(rest) != len(names)-stopAfter {
				t.Fatalf("after %d parts %d records have no new values; want %d",
					stopAfter, len(rest), len(names)-stopAfter)
			}
			posting, want := second.posting(watermark), []history{first, second}
			if others {
				for name := range third {
					rest[name] = slices.Concat(rest[name], third[name])
				}
				posting, want = rest.posting(later), append(want, third)
			}
			posting.AllowParts = true
			if _, err := tree.Post(posting); err != nil {
				t.Fatal(err)
			}
			wantValues(t, tree, len(names), want...)
			state, err = tree.State()
			if err != nil || state.Watermark != posting.Watermark || state.Partial != (PartialPost{}) {
				t.Errorf("in the end: %+v, %v; want watermark %d and no partial post", state, err, posting.Watermark)
			}
		}
	}
}

// mustPostPart posts the next part of a posting, in one transaction.
func mustPostPart(t *testing.T, tree *Tree, p Posting) {
	t.Helper()
	p.AllowParts = true
	err := tree.update(func(w *writeTx) error {
		w.opts.TransactionBytes = 1
		_, more, err := w.postPart(&p)
		if !more {
			err = errors.Join(err, errors.New("the part was the last one"))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// wantValues checks that the tree has the values of the histories, but of the last history only
// those of the first records, and that the tree is undamaged.
func wantValues(t *testing.T, tree *Tree, records int, histories ...history) {
	t.Helper()
	names := slices.Sorted(maps.Keys(histories[0]))
	for i, name := range names {
		var want []codec.Entry
		for n, h := range histories {
			if n < len(histories)-1 || i < records {
				want = append(want, h[name]...)
			}
		}
		got, err := read(tree, name)
		if err != nil || !slices.EqualFunc(got, want, sameEntry) {
			t.Errorf("%.5s: got %d values, %v; want %d", name, len(got), err, len(want))
		}
	}
	if err := tree.Check(ctx); err != nil {
		t.Errorf("Check: %v", err)
	}
}
