// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/pages"
	"github.com/daybook-db/daybook/index"
	"github.com/daybook-db/daybook/proof/testenv"
)

// mustCopy begins a copy and takes all steps. It calls between after each step.
func mustCopy(t *testing.T, tree *Tree, between func(*Copy)) *Copy {
	t.Helper()
	c, err := tree.Copy(filepath.Join(filepath.Dir(tree.mapped.path), "copy.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.to.bolt.Close() })
	for done := false; !done; {
		if done, err = c.Step(ctx); err != nil {
			t.Fatal(err)
		}
		between(c)
	}
	return c
}

// TestCopy posts and prunes between the steps of a copy, and repeats that on the copy. In the end
// the copy must have the same values.
func TestCopy(t *testing.T) {
	opts := options()
	opts.TransactionBytes = 16 << 10
	t.Run("large mapping", func(t *testing.T) { testCopy(t, opts) })
	opts.SmallMapping = true
	t.Run("small mapping", func(t *testing.T) { testCopy(t, opts) })
}

func testCopy(t *testing.T, opts Options) {
	tree, err := openAt(t, filepath.Join(testenv.TempDir(t), "a.db"), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tree.bolt.Close() })
	mustPost(t, tree, 0)
	everything, err := index.CompileGlob("*")
	if err != nil {
		t.Fatal(err)
	}
	rounds := 1
	c := mustCopy(t, tree, func(c *Copy) {
		h, watermark := round(rounds)
		rounds++
		if err := errors.Join(h.post(tree, watermark), c.Post(h.posting(watermark))); err != nil {
			t.Fatal(err)
		}
		with := pruning(func(deletions []Deletion) {
			before := slices.Clone(deletions)
			if err = c.Prune(deletions); !slices.Equal(deletions, before) {
				t.Errorf("Prune changed its argument to %v; it was %v", deletions, before)
			}
		})
		_, pruneErr := tree.Prune(ctx, everything, Rule{MaxPerRecord: 2*valuesPerRound - 3}, with)
		if pruneErr != nil || err != nil {
			t.Fatal(pruneErr, err)
		}
	})
	if rounds < 4 {
		t.Fatalf("the copy took %d steps, too few for this test", rounds-1)
	}
	copied, err := c.Finish()
	if err != nil {
		t.Fatal(err)
	}
	if err := copied.Check(ctx); err != nil {
		t.Error(err)
	}
	for record := range 300 {
		name := fmt.Sprintf("record.%03d", record)
		want, err := read(tree, name)
		got, copyErr := read(copied, name)
		if err != nil || copyErr != nil || len(got) != 2*valuesPerRound-3 || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %d values, %v; want %d, %v", name, len(got), copyErr, len(want), err)
		}
	}
}

// TestIncompleteCopy does not repeat a post on the copy. Finish must refuse the copy.
func TestIncompleteCopy(t *testing.T) {
	tree := mustOpen(t, filepath.Join(testenv.TempDir(t), "a.db"))
	mustPost(t, tree, 0)
	posted := false
	c := mustCopy(t, tree, func(*Copy) {
		if !posted {
			mustPost(t, tree, 1)
			posted = true
		}
	})
	if _, err := c.Finish(); !errors.Is(err, daybook.ErrCorrupt) {
		t.Errorf("Finish: %v; want ErrCorrupt", err)
	}
}

// TestCopyFillsChunks prunes a chunk. The copy must join the rest with the next chunk.
func TestCopyFillsChunks(t *testing.T) {
	tree := mustOpen(t, filepath.Join(testenv.TempDir(t), "a.db"))
	const record = "record"
	for part := range uint64(3) { // three chunks of three values; two of them do not fit into one of four
		var run []codec.Entry
		for i := range uint64(3) {
			run = append(run, codec.Entry{Timestamp: 10*part + i, Sequence: 3*part + i + 1, Value: []byte("1")})
		}
		if err := (history{record: run}).post(tree, 3*part+3); err != nil {
			t.Fatal(err)
		}
	}
	if got := chunksOf(t, tree, record); got != 3 {
		t.Fatalf("%d chunks; want 3", got)
	}
	pattern, err := index.CompileGlob(record)
	if err != nil {
		t.Fatal(err)
	}
	deleted, err := tree.Prune(ctx, pattern, Rule{OlderThan: 2}, pruning(func([]Deletion) {}))
	if deleted != 2 || err != nil {
		t.Fatal(deleted, err)
	}
	copied, err := mustCopy(t, tree, func(*Copy) {}).Finish()
	if err != nil {
		t.Fatal(err)
	}
	if got := chunksOf(t, copied, record); got != 2 {
		t.Errorf("chunks of 1, 3 and 3 values are copied to %d chunks; want 2, of 4 and 3", got)
	}
	if got, err := read(copied, record); len(got) != 7 || err != nil {
		t.Errorf("%d values, %v; want 7", len(got), err)
	}
}

func chunksOf(t *testing.T, tree *Tree, record string) (count int) {
	t.Helper()
	err := tree.view(func(_ *bbolt.Tx, image *pages.Image) error {
		values, _, err := dataBuckets(image)
		if err != nil {
			return err
		}
		cursor := values.Cursor()
		key, _, err := cursor.Seek(codec.AppendLowerBound(nil, record, 0))
		for ; err == nil && codec.HasRecord(key, record); key, _, err = cursor.Next() {
			count++
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return count
}

// TestFinishCompares completes a copy of a tree whose sums do not agree with its chunks. Such a
// copy must not take the place of the tree.
func TestFinishCompares(t *testing.T) {
	for name, change := range map[string]func(*State){
		"records": func(s *State) { s.Records++ },
		"values":  func(s *State) { s.Values++ },
		"bytes":   func(s *State) { s.Bytes++ },
	} {
		tree := mustOpen(t, filepath.Join(testenv.TempDir(t), "tree"))
		mustPost(t, tree, 0)
		err := tree.update(func(w *writeTx) error { change(&w.state); return nil })
		if err != nil {
			t.Fatal(err)
		}
		c := mustCopy(t, tree, func(*Copy) {})
		if _, err := c.Finish(); !errors.Is(err, daybook.ErrCorrupt) {
			t.Errorf("another number of %s: got %v; want ErrCorrupt", name, err)
		}
	}
}

// TestCopyToNowhere copies to a directory that does not exist. The tree must stay as it is.
func TestCopyToNowhere(t *testing.T) {
	dir := testenv.TempDir(t)
	tree := mustOpen(t, filepath.Join(dir, "tree"))
	mustPost(t, tree, 0)
	path := filepath.Join(dir, "missing", "copy")
	if _, err := tree.Copy(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Copy: got %v; want ErrNotExist", err)
	}
	with := Pruning{NotesOf: func([]uint64) Notes { return nil }}
	if _, _, err := tree.CopyStored(ctx, path, Rule{StoredThrough: 100}, 1<<20, with); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("CopyStored: got %v; want ErrNotExist", err)
	}
	wantRounds(t, tree, 1)
}
