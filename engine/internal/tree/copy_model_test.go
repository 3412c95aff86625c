// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
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
		opts.SmallMapping = rapid.Bool().Draw(t, "small mapping")
		opts.ChunkValues = rapid.IntRange(1, 4).Draw(t, "chunk")
		tree, err := openAt(t, filepath.Join(dir, "a.db"), opts)
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
			err = errors.Join(tree.Check(ctx), complete.Check(ctx))
		}
		if err != nil {
			t.Fatal(err)
		}
		want, err := tree.Notes()
		if got, copyErr := complete.Notes(); !cmp.Equal(got, want) || err != nil || copyErr != nil {
			t.Fatalf("the copy has the notes %q, %v; want %q, %v", got, copyErr, want, err)
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
	switch rapid.IntRange(0, 3).Draw(t, "kind") {
	case 0:
		rule = Rule{NewerThan: max(c.times.Draw(t, "newer than"), 1)}
		if end := c.times.Draw(t, "older than"); end > rule.NewerThan {
			rule.OlderThan = end
		}
	case 1:
		rule = Rule{StoredThrough: rapid.Uint64Range(1, c.sequence+1).Draw(t, "through"), KeepNewest: rule.KeepNewest}
	}
	pattern, err := index.CompileGlob(rapid.SampledFrom([]string{"*", "a*", "b"}).Draw(t, "pattern"))
	if err != nil {
		t.Fatal(err)
	}
	holds := c.holds(t)
	want, wantLost := uint64(0), make([]uint64, len(holds))
	for record, values := range c.model {
		if pattern.Match(record) {
			kept := keptBy(rule, holds, record, values, wantLost)
			want += uint64(len(values) - len(kept))
			c.model[record] = kept
		}
	}
	var copyErr error
	with := pruning(func(deletions []Deletion) {
		if c.copy != nil && copyErr == nil {
			copyErr = c.copy.Prune(deletions)
		}
	})
	lost := make([]uint64, len(holds))
	with.Holds = holds
	with.Lost = func(more []uint64) {
		for i := range lost {
			lost[i] += more[i]
		}
	}
	with.NotesOf = func(more []uint64) Notes {
		note := Notes{}
		for i := range lost {
			note[fmt.Sprint("hold ", i)] = fmt.Append(nil, lost[i]+more[i])
		}
		return note
	}
	got, err := c.tree.Prune(ctx, pattern, rule, with)
	if got != want || err != nil || copyErr != nil || !slices.Equal(lost, wantLost) {
		t.Fatalf("Prune by %+v with holds %+v deleted %d and lost %v, %v; want %d, %v; of the copy: %v",
			rule, holds, got, lost, err, want, wantLost, copyErr)
	}
	c.wantNotes(t, lost)
}

// wantNotes checks that the last transaction that lost values has noted the sums.
func (c *copyTest) wantNotes(t *rapid.T, lost []uint64) {
	if !slices.ContainsFunc(lost, func(n uint64) bool { return n > 0 }) {
		return
	}
	notes, err := c.tree.Notes()
	for i := range lost {
		if got, want := string(notes[fmt.Sprint("hold ", i)]), fmt.Sprint(lost[i]); got != want || err != nil {
			t.Fatalf("the note of hold %d is %q, %v; want %q", i, got, err, want)
		}
	}
}

func (c *copyTest) holds(t *rapid.T) (holds Holds) {
	for range rapid.SampledFrom([]int{0, 1, 1, 2, 3}).Draw(t, "holds") {
		pattern, err := index.CompileGlob(rapid.SampledFrom([]string{"*", "a*", "b"}).Draw(t, "held"))
		if err != nil {
			t.Fatal(err)
		}
		at := rapid.Uint64Range(0, c.sequence).Draw(t, "at")
		from := rapid.Uint64Range(at, c.sequence).Draw(t, "from")
		holds = append(holds, Hold{Pattern: pattern, At: at, From: from})
	}
	return holds
}

// keptBy returns the values of a record that a rule and holds keep, and adds up what each hold
// loses.
func keptBy(rule Rule, holds Holds, record string, values []codec.Entry, lost []uint64) (kept []codec.Entry) {
	if rule.NewerThan > 0 {
		return keptOutside(rule, holds, record, values, lost)
	}
	affected := max(len(values)-int(rule.KeepNewest), 0)
	if rule.StoredThrough > 0 {
		return keptOf(values, holds, record, lost, func(i int) bool {
			return i < affected && values[i].Sequence <= rule.StoredThrough
		})
	}
	affected = min(len(rule.deleted(values)), affected)
	if rule.MaxPerRecord > 0 {
		affected = max(affected, len(values)-int(rule.MaxPerRecord))
	}
	return keptOf(values, holds, record, lost, func(i int) bool { return i < affected })
}

// keptOutside is keptBy for a rule that deletes a span of time.
func keptOutside(rule Rule, holds Holds, record string, values []codec.Entry, lost []uint64) []codec.Entry {
	return keptOf(values, holds, record, lost, func(i int) bool {
		at := values[i].Timestamp
		return at > rule.NewerThan && (rule.OlderThan == 0 || at < rule.OlderThan)
	})
}

// keptOf returns the values that holds or an index keep.
func keptOf(
	values []codec.Entry, holds Holds, record string, lost []uint64, affected func(i int) bool,
) (kept []codec.Entry) {
	for i, e := range values {
		isHeld := slices.ContainsFunc(holds, func(h Hold) bool {
			return h.Pattern.Match(record) && e.Sequence > h.From
		})
		if !affected(i) || isHeld {
			kept = append(kept, e)
			continue
		}
		for j, h := range holds {
			if h.Pattern.Match(record) && e.Sequence > h.At {
				lost[j]++
			}
		}
	}
	return kept
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
