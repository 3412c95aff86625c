// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/daybook-db/daybook"
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

// TestChunksAreBounded posts values of a third of a chunk that do not compress, singly and all at
// once. No chunk of several values may have more JSON than Options allow.
func TestChunksAreBounded(t *testing.T) {
	opts := options()
	opts.ChunkValues, opts.ChunkBytes = 100, 1000
	random := rand.New(rand.NewPCG(1, 2))
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
					value = append(value, 'a'+byte(random.IntN(26)))
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

// TestBackupVerifyEndsWithItsContext ends the context at each time that Verify asks for its error:
// at each chunk and each catalogue entry.
func TestBackupVerifyEndsWithItsContext(t *testing.T) {
	tree := mustOpen(t, makeVerbTree(t))
	backup, err := tree.Backup()
	if err != nil {
		t.Fatal(err)
	}
	defer backup.Close()
	h, _ := verbHistory()
	for n := 0; ; n++ {
		end := &countdown{ctx, n}
		err := backup.Verify(end)
		if err == nil {
			if end.left < 0 || n < 2*len(h) { // each record has a chunk at least, and an entry
				t.Errorf("without an end, the context was asked %d times; want once for each element", n)
			}
			return
		}
		if end.left >= 0 || !errors.Is(err, context.Canceled) {
			t.Errorf("the context ended after %d checks: got %v", n, err)
		}
	}
}

// TestOpenBesideNamesTheFile damages pages of a file and opens that beside its writer. Each error
// must say where the damage is.
func TestOpenBesideNamesTheFile(t *testing.T) {
	path := makeVerbTree(t)
	good, found := mustRead(t, path), 0
	for at := 2 * pageSize; at < len(good); at += pageSize {
		for _, byteOf := range []int{8, 10} { // the kind of the page, and the number of its elements
			damaged := bytes.Clone(good)
			damaged[at+byteOf] ^= 1
			copyOf(t, path, damaged)
			tree, err := OpenBeside(openDirectory(t, filepath.Dir(path)), path, options())
			if err == nil {
				err = tree.Close()
			} else if found++; !errors.Is(err, daybook.ErrCorrupt) || !strings.Contains(err.Error(), path) {
				t.Errorf("byte %d is damaged: got %v; want ErrCorrupt with the path", at+byteOf, err)
			}
			if err != nil && !errors.Is(err, daybook.ErrCorrupt) {
				t.Error(err)
			}
		}
	}
	if found < 2 {
		t.Errorf("damage was found %d times; want more", found)
	}
}

// TestSizeOfABrokenTree asks for the size when bbolt can begin no transaction.
func TestSizeOfABrokenTree(t *testing.T) {
	tree := mustOpen(t, makeVerbTree(t))
	tree.broken.Store(true)
	defer tree.broken.Store(false)
	if used, err := tree.usedBytes(); !errors.Is(err, daybook.ErrCorrupt) {
		t.Errorf("got %d, %v; want ErrCorrupt", used, err)
	}
}

// TestNamesThatDoNotMatch reads a catalogue of many names, of which none matches, and ends the
// context in the midst of them.
func TestNamesThatDoNotMatch(t *testing.T) {
	tree, h := mustOpen(t, filepath.Join(testenv.TempDir(t), "tree")), make(history)
	const names, checks = 40 * namesPerCheck, 30
	for i := range uint64(names) {
		h[fmt.Sprintf("r%05d", i)] = []codec.Entry{{Timestamp: 1, Sequence: i + 1, Value: []byte("1")}}
	}
	if err := h.post(tree, names); err != nil {
		t.Fatal(err)
	}
	s := mustSnapshot(t, tree)
	defer s.Close()
	_, _, found, err := s.Records(mustPattern(t, "*x")).Next(&countdown{ctx, checks})
	if found || !errors.Is(err, context.Canceled) {
		t.Errorf("the context ended after %d checks: got %t, %v; want its error", checks, found, err)
	}
}

// TestCommitCountsNotes compares what a commit may write with a note and without.
func TestCommitCountsNotes(t *testing.T) {
	tree := mustOpen(t, makeVerbTree(t))
	grown := func(notes Notes) int64 {
		if err := tree.PutNotes(notes); err != nil {
			t.Fatal(err)
		}
		return tree.maxUsed
	}
	small := grown(Notes{"a": []byte("note")})
	if large := grown(Notes{"a": bytes.Repeat([]byte("n"), 100_000)}); large < small+100_000 {
		t.Errorf("the file may grow to %d with a note of 100000 bytes, and to %d without", large, small)
	}
}

// memoryFault is the panic over a part of a mapped file that cannot be read.
type memoryFault struct{ error }

func (memoryFault) Addr() uintptr { return 1 }

// TestPanicErrors: a fault is told from a page that makes no sense.
func TestPanicErrors(t *testing.T) {
	dir := testenv.TempDir(t)
	path := filepath.Join(dir, "tree")
	if err := os.WriteFile(path, make([]byte, 77), 0o600); err != nil {
		t.Fatal(err)
	}
	f := mappedFile{fs: openDirectory(t, dir), path: path}
	for want, cause := range map[string]any{
		"of 77 bytes, has been cut off": memoryFault{},
		"makes no sense: invalid page":  errors.New("invalid page"),
	} {
		if err := f.panicError(cause); !errors.Is(err, daybook.ErrCorrupt) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v; want ErrCorrupt: %s", err, want)
		}
	}
}

// TestNotesAreSealed: after PutNotes, both meta pages lead to the notes.
func TestNotesAreSealed(t *testing.T) {
	tree := mustOpen(t, filepath.Join(testenv.TempDir(t), "tree"))
	defer tree.Close()
	if err := tree.PutNotes(Notes{"a": []byte("note")}); err != nil || !tree.sealed {
		t.Errorf("PutNotes: got %v, sealed: %v", err, tree.sealed)
	}
}
