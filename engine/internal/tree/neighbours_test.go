// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/proof/testenv"
)

// TestMergeMeetsDamagedLeaves posts values that are merged with short chunks before them, which lie
// on several leaves, while one of the leaves is damaged. Post must refuse, or the values must be
// right when the leaf is as it was again.
func TestMergeMeetsDamagedLeaves(t *testing.T) {
	path, opts := filepath.Join(testenv.TempDir(t), "tree"), options()
	opts.ChunkValues, opts.ChunkBytes = 1, 1<<20
	tree, err := openAt(t, path, opts)
	if err != nil {
		t.Fatal(err)
	}
	first := make(history)
	for sequence := uint64(1); sequence <= 12; sequence++ { // two chunks in a leaf
		first["r"] = append(first["r"], longNoiseAt(sequence, sequence))
	}
	if err := errors.Join(first.post(tree, 12), tree.Close()); err != nil {
		t.Fatal(err)
	}
	good, refused := mustRead(t, path), 0
	opts.ChunkValues = 8
	more := history{"r": {longNoiseAt(20, 13), longNoiseAt(21, 14), longNoiseAt(22, 15)}}
	for _, at := range leavesOf(t, good, "r") {
		overwrite(t, path, good, 0)
		tree, err := openAt(t, path, opts)
		if err != nil {
			t.Fatal(err)
		}
		count := binary.NativeEndian.Uint16(good[at+10:])
		overwrite(t, path, binary.NativeEndian.AppendUint16(nil, count-1), at+10)
		want := slices.Concat(first["r"], more["r"])
		if err := more.post(tree, 15); err != nil {
			refused, want = refused+1, first["r"]
			if !errors.Is(err, daybook.ErrCorrupt) {
				t.Errorf("the leaf at %d is damaged: got %v; want ErrCorrupt", at, err)
			}
		}
		overwrite(t, path, good[at+10:at+12], at+10)
		got, err := read(tree, "r")
		if err := errors.Join(err, tree.Check(ctx)); err != nil || !slices.EqualFunc(got, want, sameEntry) {
			t.Errorf("the leaf at %d was damaged: then %d values, %v; want %d", at, len(got), err, len(want))
		}
		if err := tree.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if refused < 2 {
		t.Errorf("Post refused %d times; want two at least", refused)
	}
}

// longNoiseAt returns a value of which two fit into a leaf.
func longNoiseAt(at, sequence uint64) codec.Entry {
	e := noiseAt(at, sequence)
	for range 4 {
		next := noiseAt(at, uint64(len(e.Value)))
		e.Value = append(e.Value[:len(e.Value)-1], next.Value[1:]...)
	}
	return e
}

// TestPruneBesideADamagedHeader damages the header of each chunk of a record, and prunes that.
// Prune must say so and leave the record as it is, or not need the chunk.
func TestPruneBesideADamagedHeader(t *testing.T) {
	file := mustRead(t, makeVerbTree(t))
	path := filepath.Join(testenv.TempDir(t), "tree")
	damages := 0
	for number := range 12 {
		for _, rule := range []Rule{{NewerThan: 1, OlderThan: 4}, {OlderThan: 3}, {StoredThrough: 20}} {
			copyOf(t, path, file)
			tree, seen := mustOpen(t, path), -1
			key, good := elementOf(t, tree, func(_, _ []byte) bool { seen++; return seen == number })
			bad := bytes.Clone(good)
			bad[len(bad)/4] ^= 1
			bad[2] ^= 0x40
			putElement(t, tree, valuesBucket, key, bad)
			_, err := tree.Prune(ctx, mustPattern(t, "a"), rule, pruning(func([]Deletion) {}))
			if err != nil {
				damages++
			}
			if err != nil && !errors.Is(err, daybook.ErrCorrupt) && !errors.Is(err, daybook.ErrVersion) {
				t.Errorf("chunk %d is damaged, %+v: got %v; want ErrCorrupt", number, rule, err)
			}
			putElement(t, tree, valuesBucket, key, good)
			if err := errors.Join(tree.Check(ctx), tree.Close()); err != nil {
				t.Errorf("chunk %d was damaged, %+v: then %v", number, rule, err)
			}
		}
	}
	if damages < 6 {
		t.Errorf("Prune found the damage %d times; want more", damages)
	}
}

// TestPruneWithinADamagedChunk damages bytes of a chunk of which a prune deletes a part. Prune must
// say so, or delete what it would delete without the damage.
func TestPruneWithinADamagedChunk(t *testing.T) {
	file := mustRead(t, makeVerbTree(t))
	path := filepath.Join(testenv.TempDir(t), "tree")
	prune := func(at int) (deleted uint64, length int, err error) {
		copyOf(t, path, file)
		tree, seen := mustOpen(t, path), -1
		key, chunk := elementOf(t, tree, func(_, _ []byte) bool { seen++; return seen == 2 })
		if at >= 0 {
			chunk[at] ^= 4
			putElement(t, tree, valuesBucket, key, chunk)
		}
		deleted, err = tree.Prune(ctx, mustPattern(t, "a"), Rule{OlderThan: 3}, pruning(func([]Deletion) {}))
		return deleted, len(chunk), errors.Join(err, tree.bolt.Close())
	}
	want, length, err := prune(-1)
	if err != nil || want != 9 {
		t.Fatalf("without damage: %d deleted, %v; want 9", want, err)
	}
	damages := 0
	for at := 0; at < length; at += 2 {
		deleted, _, err := prune(at)
		if err != nil {
			damages++
		}
		if err == nil && deleted != want {
			t.Errorf("byte %d is damaged: got %d deleted, and no error; want %d", at, deleted, want)
		}
	}
	if damages < 5 {
		t.Errorf("Prune found the damage %d times; want more", damages)
	}
}

func copyOf(t *testing.T, path string, file []byte) {
	t.Helper()
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
}
