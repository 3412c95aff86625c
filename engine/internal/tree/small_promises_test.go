// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/proof/testenv"
)

// TestCloseReturnsTheErrorOfTheFile closes trees whose file cannot be closed.
func TestCloseReturnsTheErrorOfTheFile(t *testing.T) {
	for name, open := range map[string]func(path string) (*Tree, error){
		"a tree that bbolt can read no more": func(path string) (*Tree, error) {
			tree, err := openAt(t, path, options())
			if err == nil {
				t.Cleanup(func() { _ = tree.bolt.Close() })
				tree.broken.Store(true)
			}
			return tree, err
		},
		"a tree beside its writer": func(path string) (*Tree, error) {
			return OpenBeside(openDirectory(t, filepath.Dir(path)), path, options())
		},
	} {
		tree, err := open(makeVerbTree(t))
		if err != nil {
			t.Fatal(err)
		}
		if err := tree.file.Close(); err != nil {
			t.Fatal(err)
		}
		if err := tree.Close(); !errors.Is(err, os.ErrClosed) {
			t.Errorf("%s: got %v; want the error of its file", name, err)
		}
	}
}

// TestPruneGivesWay counts the pauses of a Prune: one after each chunk that it changes, so that
// other work is not held up.
func TestPruneGivesWay(t *testing.T) {
	for name, rule := range map[string]Rule{
		"by age":          {OlderThan: 18},
		"by a span":       {NewerThan: 1, OlderThan: 18},
		"by what is held": {StoredThrough: 18},
	} {
		tree, pauses := mustOpen(t, filepath.Join(testenv.TempDir(t), "tree")), 0
		h := make(history)
		for sequence := uint64(1); sequence <= 20; sequence++ { // five chunks
			h["r"] = append(h["r"], codec.Entry{Timestamp: sequence, Sequence: sequence, Value: []byte("1")})
		}
		if err := h.post(tree, 20); err != nil {
			t.Fatal(err)
		}
		with := pruning(func([]Deletion) {})
		with.Pause = func() { pauses++ }
		if _, err := tree.Prune(ctx, mustPattern(t, "*"), rule, with); err != nil || pauses != 5 {
			t.Errorf("%s: %d pauses, %v; want one for each of five chunks", name, pauses, err)
		}
	}
}

// TestChunksAreBounded posts values of a third of a chunk, singly and all at once. No chunk of
// several values may have more JSON than Options allow.
func TestChunksAreBounded(t *testing.T) {
	opts := options()
	opts.ChunkValues, opts.ChunkBytes = 100, 1000
	for _, atOnce := range []int{1, 7, 20} {
		tree, err := openAt(t, filepath.Join(testenv.TempDir(t), "tree"), opts)
		if err != nil {
			t.Fatal(err)
		}
		defer tree.Close()
		for sequence := uint64(0); sequence < 20; {
			h := make(history)
			for range min(atOnce, 20-int(sequence)) {
				sequence++
				value := append(make([]byte, 0, 300), '"')
				for len(value) < 299 {
					value = append(value, 'a'+byte(sequence))
				}
				h["r"] = append(h["r"], codec.Entry{Timestamp: sequence, Sequence: sequence, Value: append(value, '"')})
			}
			if err := h.post(tree, sequence); err != nil {
				t.Fatal(err)
			}
		}
		wantBoundedChunks(t, tree)
	}
}

// wantBoundedChunks checks that no chunk of several values has more JSON than ChunkBytes.
func wantBoundedChunks(t *testing.T, tree *Tree) {
	t.Helper()
	s := mustSnapshot(t, tree)
	defer s.Close()
	s.Seek("r", codec.All)
	for {
		rows, err := s.Next()
		if err != nil || rows == nil {
			if err != nil {
				t.Error(err)
			}
			return
		}
		if size := len(rows.Text()); rows.Len() > 1 && size > tree.opts.ChunkBytes {
			t.Errorf("a chunk has %d values of %d bytes; want at most %d bytes",
				rows.Len(), size, tree.opts.ChunkBytes)
		}
	}
}
