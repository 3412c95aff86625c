// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"bytes"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/proof/testenv"
)

// TestPreviousChunkPastEmptyLeaves deletes chunks one after another in one transaction, so that
// leaves become empty, and looks for the chunk before one that remains. bbolt's Prev stops at an
// empty leaf.
func TestPreviousChunkPastEmptyLeaves(t *testing.T) {
	const values = 40
	opts := options()
	opts.ChunkValues = 1
	tree, err := openAt(t, filepath.Join(testenv.TempDir(t), "tree"), opts)
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	random := rand.NewChaCha8([32]byte{})
	h := make(history)
	for i := range uint64(values) { // about two chunks in a leaf
		value := make([]byte, 1500)
		_, _ = random.Read(value)
		h["r"] = append(h["r"], codec.Entry{Timestamp: 10 * i, Sequence: i + 1, Value: value})
	}
	if err := h.post(tree, values); err != nil {
		t.Fatal(err)
	}
	err = tree.update(func(w *writeTx) error {
		for i := uint64(values - 2); i > 0; i-- { // the first and the last chunk remain
			chunk, err := w.lastStartingBy("r", 10*i)
			if err != nil || chunk == nil || chunk.First != 10*i {
				t.Fatalf("the chunk at %d: %+v, %v", 10*i, chunk, err)
			}
			if err := w.delete(bytes.Clone(chunk.key)); err != nil {
				return err
			}
			want := 10 * (i - 1)
			if chunk, err = w.lastStartingBy("r", 10*(values-1)-1); err != nil || chunk == nil || chunk.First != want {
				t.Errorf("after the deletion at %d the chunk before the last: %+v, %v; want that at %d",
					10*i, chunk, err, want)
			}
			last, err := w.lastStartingBy("r", 10*(values-1))
			if err != nil {
				return err
			}
			if chunk, err = w.previous("r", last); err != nil || chunk == nil || chunk.First != want {
				t.Errorf("previous after the deletion at %d: %+v, %v; want the chunk at %d", 10*i, chunk, err, want)
			}
		}
		if chunk, err := w.lastStartingBy("q", 10); chunk != nil || err != nil {
			t.Errorf("a record before the first: %+v, %v; want none", chunk, err)
		}
		w.state.Values, w.state.Bytes = 2, 3000
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
