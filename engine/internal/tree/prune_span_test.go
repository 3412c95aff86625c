// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/proof/testenv"
)

// TestPruneMovesTheNextChunk deletes 5 and 8, of chunks 5 7 and 7 8. The first chunk then begins at
// 7, where the second one begins already, so the second one gets another key.
func TestPruneMovesTheNextChunk(t *testing.T) {
	entry := func(timestamp, sequence uint64) codec.Entry {
		return codec.Entry{Timestamp: timestamp, Sequence: sequence, Value: []byte("1")}
	}
	for name, rule := range map[string]Rule{
		"a span": {NewerThan: 4}, "by age": {OlderThan: 9}, "by number": {StoredThrough: 2},
		"a number of values": {MaxPerRecord: 1, KeepNewest: 0},
	} {
		opts := options()
		opts.ChunkValues = 2
		tree, err := openAt(t, filepath.Join(testenv.TempDir(t), "tree"), opts)
		if err != nil {
			t.Fatal(err)
		}
		defer tree.Close()
		values := history{"r": {entry(5, 2), entry(7, 3), entry(7, 4), entry(8, 1), entry(9, 5)}}
		if err := values.post(tree, 5); err != nil {
			t.Fatal(err)
		}
		with := pruning(func([]Deletion) {})
		with.Holds = Holds{{Pattern: mustPattern(t, "*"), From: 2}}
		with.NotesOf, with.Lost = func([]uint64) Notes { return nil }, func([]uint64) {}
		deleted, err := tree.Prune(ctx, mustPattern(t, "*"), rule, with)
		if deleted != 2 || err != nil {
			t.Errorf("%s: deleted %d, %v; want 2", name, deleted, err)
		}
		got, err := read(tree, "r")
		want := []codec.Entry{entry(7, 3), entry(7, 4), entry(9, 5)}
		if !slices.EqualFunc(got, want, sameEntry) || err != nil {
			t.Errorf("%s: %v, %v remain; want %v", name, got, err, want)
		}
		if err := tree.Check(ctx); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestPruneSpans deletes random spans, whose bounds lie within chunks and between them, and
// compares the rest with the history.
func TestPruneSpans(t *testing.T) {
	file, random := mustRead(t, makeVerbTree(t)), rand.New(rand.NewPCG(1, 8))
	for range 60 {
		rule := Rule{NewerThan: 1 + random.Uint64N(20)}
		rule.OlderThan = rule.NewerThan + random.Uint64N(12)
		if random.IntN(4) == 0 {
			rule.OlderThan = 0
		}
		h, _ := verbHistory()
		want, wantDeleted := make(history), 0
		for name, entries := range h {
			for _, e := range entries {
				if e.Timestamp > rule.NewerThan && (rule.OlderThan == 0 || e.Timestamp < rule.OlderThan) {
					wantDeleted++
				} else {
					want[name] = append(want[name], e)
				}
			}
		}
		prune := verb{writes: true, run: func(ctx context.Context, tree *Tree) (string, error) {
			deleted, err := tree.Prune(ctx, mustPattern(t, "*"), rule, pruning(func([]Deletion) {}))
			return fmt.Sprint(deleted), errors.Join(err, tree.Check(ctx))
		}}
		got, err := prune.do(t, ctx, file, func(*Tree) {})
		if err != nil || got != fmt.Sprint(wantDeleted)+"\n"+textOf(want) {
			t.Errorf("%+v: %v, or another rest than wanted", rule, err)
		}
	}
}

// TestBetweenTransactions prunes in many transactions. Between two of them others may write.
func TestBetweenTransactions(t *testing.T) {
	tree := mustOpen(t, filepath.Join(testenv.TempDir(t), "tree"))
	defer tree.Close()
	mustPost(t, tree, 0)
	tree.opts.TransactionBytes = 1
	var events []string
	with := pruning(func([]Deletion) { events = append(events, "deleted") })
	with.BetweenTransactions = func() { events = append(events, "between") }
	if _, err := tree.Prune(ctx, mustPattern(t, "*"), Rule{OlderThan: 5}, with); err != nil {
		t.Fatal(err)
	}
	if len(events) < 5 {
		t.Errorf("there were %q; want many transactions", events)
	}
	for i := range events[1:] {
		if events[i] == "deleted" && events[i+1] == "deleted" {
			t.Fatalf("nothing is called between two transactions: %q", events)
		}
	}
}
