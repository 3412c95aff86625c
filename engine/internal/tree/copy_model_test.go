// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/index"
	"github.com/daybook-db/daybook/proof/testenv"
)

// copyTest is a tree that is being copied, and the values that it should have.
type copyTest struct {
	tree     *Tree
	copy     *Copy // nil: not begun
	model    history
	sequence uint64
	times    *rapid.Generator[uint64]
	records  []string
}

// TestCopyModel posts and prunes before a copy and between its steps. Transactions may be full at
// once, and timestamps may be equal. After each step the copy must have exactly the values up to
// its position.
func TestCopyModel(t *testing.T) {
	parent := testenv.TempDir(t)
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp(parent, "")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		opts := options()
		opts.TransactionBytes = rapid.SampledFrom([]int{1, 5000, 20_000}).Draw(t, "transaction")
		opts.ChunkValues = rapid.IntRange(1, 4).Draw(t, "chunk")
		tree, err := Open(filepath.Join(dir, "a.db"), opts)
		if err != nil {
			t.Fatal(err)
		}
		defer tree.bolt.Close()
		c := &copyTest{tree: tree, model: make(history)}
		c.records = []string{"a", "a0", "b", "c"}[:rapid.IntRange(1, 4).Draw(t, "records")]
		c.times = rapid.SampledFrom([]*rapid.Generator[uint64]{
			rapid.Just(uint64(0)), rapid.Uint64Range(0, 3), rapid.Uint64Range(0, 300),
			rapid.Uint64Range(math.MaxUint64-2, math.MaxUint64),
		}).Draw(t, "times")
		for range rapid.IntRange(0, 10).Draw(t, "before") {
			c.change(t)
		}
		if c.copy, err = tree.Copy(filepath.Join(dir, "copy.db")); err != nil {
			t.Fatal(err)
		}
		defer c.copy.to.bolt.Close()
		for done := false; !done; {
			if done, err = c.copy.Step(ctx); err != nil {
				t.Fatal(err)
			}
			c.wantPrefix(t)
			for range rapid.IntRange(0, 2).Draw(t, "between") {
				c.change(t)
			}
		}
		c.wantPrefix(t)
		complete, err := c.copy.Finish()
		if err == nil {
			err = complete.Check(ctx)
		}
		if err != nil {
			t.Fatal(err)
		}
	})
}

// change posts or prunes, and repeats that on the copy.
func (c *copyTest) change(t *rapid.T) {
	if rapid.IntRange(0, 2).Draw(t, "prune") == 0 {
		c.prune(t)
		return
	}
	posted := make(history)
	for range rapid.IntRange(1, 20).Draw(t, "values") {
		c.sequence++
		value := strings.Repeat("1", rapid.SampledFrom([]int{1, 200, 2000}).Draw(t, "bytes"))
		record := rapid.SampledFrom(c.records).Draw(t, "record")
		posted[record] = append(posted[record],
			codec.Entry{Timestamp: c.times.Draw(t, "at"), Sequence: c.sequence, Value: []byte(value)})
	}
	for record, run := range posted {
		slices.SortFunc(run, codec.Entry.Compare)
		c.model[record] = codec.Merge(c.model[record], run, codec.Entry.Compare)
	}
	p := posted.posting(c.sequence)
	p.AllowParts = rapid.Bool().Draw(t, "in parts")
	_, err := c.tree.Post(p)
	if err == nil && c.copy != nil {
		err = c.copy.Post(p)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (c *copyTest) prune(t *rapid.T) {
	rule := Rule{
		OlderThan:    c.times.Draw(t, "older than"),
		StoredBefore: rapid.Uint64Range(0, c.sequence+1).Draw(t, "stored before"),
		KeepNewest:   rapid.Uint64Range(0, 5).Draw(t, "keep newest"),
		MaxPerRecord: rapid.SampledFrom([]uint64{0, 0, 8, 20}).Draw(t, "max per record"),
	}
	pattern, err := index.CompileGlob(rapid.SampledFrom([]string{"*", "a*", "b"}).Draw(t, "pattern"))
	if err != nil {
		t.Fatal(err)
	}
	want := uint64(0)
	for record, values := range c.model {
		if pattern.Match(record) {
			deleted := min(len(rule.deleted(values)), max(len(values)-int(rule.KeepNewest), 0))
			if rule.MaxPerRecord > 0 {
				deleted = max(deleted, len(values)-int(rule.MaxPerRecord))
			}
			want += uint64(deleted)
			c.model[record] = values[deleted:]
		}
	}
	var copyErr error
	got, err := c.tree.Prune(ctx, pattern, rule, pruning(func(deletions []Deletion) {
		if c.copy != nil && copyErr == nil {
			copyErr = c.copy.Prune(deletions)
		}
	}))
	if got != want || err != nil || copyErr != nil {
		t.Fatalf("Prune by %+v deleted %d, %v; want %d; of the copy: %v", rule, got, err, want, copyErr)
	}
}

// wantPrefix checks that the copy has the values up to its position, and nothing else.
func (c *copyTest) wantPrefix(t *rapid.T) {
	for _, record := range c.records {
		want := c.model[record]
		switch at := c.copy.position; {
		case record > at.record:
			want = nil
		case record == at.record:
			want = at.before.deleted(want)
		}
		got, err := read(c.copy.to, record)
		if err != nil || !slices.EqualFunc(got, want, sameEntry) {
			t.Fatalf("%s has %d values, %v; want %d at position %+v", record, len(got), err, len(want), c.copy.position)
		}
	}
}

func sameEntry(a, b codec.Entry) bool { return a.Compare(b) == 0 && bytes.Equal(a.Value, b.Value) }
