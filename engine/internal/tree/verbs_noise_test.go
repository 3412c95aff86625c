// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/proof/testenv"
)

// noiseHistory has values that cannot be compressed, so that a leaf has few chunks, and a record
// takes several transactions. The chunks of one record have no equal times.
func noiseHistory() (h history, last uint64) {
	h = make(history)
	for i := range uint64(24) {
		for _, record := range []string{"a", "b"} {
			last++
			h[record] = append(h[record], noiseAt(i/3, last))
		}
	}
	for i := range uint64(12) {
		last++
		h["d"] = append(h["d"], noiseAt(i, last))
	}
	return h, last
}

// laterNoiseHistory has values between those of noiseHistory.
func laterNoiseHistory() (h history, last uint64) {
	h = make(history)
	_, last = noiseHistory()
	for _, record := range []string{"a", "b"} {
		for _, at := range []uint64{0, 1, 1, 3, 4, 5, 5, 7} {
			last++
			h[record] = append(h[record], noiseAt(at, last))
		}
	}
	return h, last
}

func noiseAt(at, sequence uint64) codec.Entry {
	noise := make([]byte, 210)
	_, _ = rand.NewChaCha8([32]byte{byte(sequence)}).Read(noise)
	text := base64.StdEncoding.EncodeToString(noise)
	return codec.Entry{Timestamp: at, Sequence: sequence, Value: fmt.Appendf(nil, "%q", text)}
}

// makeNoiseTree writes a tree with noiseHistory, of which it deletes some values within chunks. It
// returns the path.
func makeNoiseTree(t *testing.T) (path string) {
	t.Helper()
	path = filepath.Join(testenv.TempDir(t), "tree")
	tree := mustOpen(t, path)
	h, last := noiseHistory()
	if err := h.post(tree, last); err != nil {
		t.Fatal(err)
	}
	notes := Notes{}
	for i := range 40 { // then their bucket has pages of its own
		notes[fmt.Sprintf("noted.%02d", i)] = []byte("a note that takes some bytes")
	}
	rule := Rule{NewerThan: 4, OlderThan: 6}
	_, err := tree.Prune(ctx, mustPattern(t, "*"), rule, pruning(func([]Deletion) {}))
	if err := errors.Join(err, tree.PutNotes(notes), tree.Close()); err != nil {
		t.Fatal(err)
	}
	return path
}

// verbsOnNoise returns verbs for the tree of makeNoiseTree.
func verbsOnNoise(t *testing.T) (all []verb) {
	post := func(tree *Tree, c *Copy) error {
		h, last := laterNoiseHistory()
		return postOnce(tree, c, h, last)
	}
	add := func(v verb, transactionBytes int, run func(context.Context, *Tree) (string, error)) {
		v.run = func(ctx context.Context, tree *Tree) (string, error) {
			tree.opts.TransactionBytes = transactionBytes
			return run(ctx, tree)
		}
		all = append(all, v)
	}
	posting := func(_ context.Context, tree *Tree) (string, error) { return "", post(tree, nil) }
	add(verb{name: "Post between", writes: true}, 64<<10, posting)
	add(verb{name: "Post between in parts", writes: true, inParts: true}, 2<<10, posting)
	add(verb{name: "Copy in parts"}, 2<<10, copyAll)
	add(verb{name: "CopyStored in parts"}, 2<<10, copyStored20)
	add(verb{name: "Salvage in parts", passesOver: true}, 2<<10, salvageAll)
	add(verb{name: "Copy meanwhile", writes: true, inParts: true}, 2<<10,
		func(ctx context.Context, tree *Tree) (string, error) { return "", copyMeanwhile(ctx, tree, post) })
	for _, test := range []struct {
		what string
		rule Rule
	}{
		{"oldest", Rule{OlderThan: 5}}, {"first", Rule{OlderThan: 1}}, {"span", Rule{NewerThan: 1, OlderThan: 7}},
		{"newest", Rule{NewerThan: 3}}, {"first stored", Rule{StoredThrough: 21}},
		{"all but three", Rule{MaxPerRecord: 3}},
	} {
		for _, bytes := range []int{1 << 10, 64 << 10} {
			name := fmt.Sprintf("Prune the %s, %d bytes at a time", test.what, bytes)
			v := verb{name: name, writes: true, inParts: true}
			add(v, bytes, func(ctx context.Context, tree *Tree) (string, error) {
				with := pruning(func([]Deletion) {})
				with.Holds = Holds{{Pattern: mustPattern(t, "a"), At: 9, From: 13}}
				with.Lost, with.NotesOf = func([]uint64) {}, func([]uint64) Notes { return nil }
				return "", second(tree.Prune(ctx, mustPattern(t, "*"), test.rule, with))
			})
		}
	}
	return all
}
