// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"errors"
	"math"
	"testing"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/disk/faultfs"
)

// TestNoMappedMeta looks for a meta page in a mapping that there is not.
func TestNoMappedMeta(t *testing.T) {
	tree := mustOpen(t, makeVerbTree(t))
	if !tree.hasMappedMeta() {
		t.Error("no meta page was found")
	}
	open := tree.bolt
	tree.bolt = nil
	found := tree.hasMappedMeta()
	if tree.bolt = open; found {
		t.Error("a meta page was found without a mapping")
	}
}

// TestSalvageMeetsValueTwice collects a chunk of one value, and once more under the next key.
func TestSalvageMeetsValueTwice(t *testing.T) {
	tree := mustOpen(t, makeVerbTree(t))
	s := &salvage{ctx: ctx, to: tree, skip: func(err error) error { return err }}
	for ordinal := range uint32(2) {
		key := codec.Key{Record: "a", Timestamp: 5, Ordinal: ordinal}.Append(nil)
		chunk := tree.coder.AppendChunk(nil, key, []codec.Entry{{Timestamp: 5, Sequence: 1, Value: []byte("1")}})
		if err := s.chunk(key, chunk); errors.Is(err, daybook.ErrCorrupt) != (ordinal == 1) {
			t.Errorf("chunk %d: got %v; want ErrCorrupt for the second one", ordinal, err)
		}
	}
}

// TestCutoffSearchesTwiceAtMost: a search that meets damage is repeated once, for all chunks.
func TestCutoffSearchesTwiceAtMost(t *testing.T) {
	for _, test := range []struct {
		name         string
		err, skipped error
		want         int
	}{
		{"no damage", nil, nil, 1}, {"damage", nil, errNothing, 2}, {"an error", errNothing, errNothing, 1},
	} {
		s, calls := cutoffSearch{}, 0
		err := s.searchAll(func() error {
			calls++
			s.skipped = test.skipped
			return test.err
		})
		if calls != test.want || s.allChunks != (calls == 2) || !errors.Is(err, test.err) {
			t.Errorf("%s: %d searches, the last of all chunks: %v, %v; want %d", test.name, calls, s.allChunks, err,
				test.want)
		}
	}
}

// TestLimitFile sets the length of the file that bbolt keeps to.
func TestLimitFile(t *testing.T) {
	tree := mustOpen(t, makeVerbTree(t))
	before, maxBytes := tree.bolt.MaxSize, tree.maxBytes
	for _, test := range []struct{ max, limit, want int64 }{
		{0, 1 << 20, 1 << 20}, {0, math.MaxInt64, 0}, {5000, 1 << 20, 5000}, {5000, 100, 100},
		{5000, math.MaxInt64, 5000},
	} {
		tree.maxBytes = test.max
		if tree.limitFile(test.limit); int64(tree.bolt.MaxSize) != test.want {
			t.Errorf("MaxBytes of %d, and a limit of %d: got %d", test.max, test.limit, tree.bolt.MaxSize)
		}
	}
	tree.bolt.MaxSize, tree.maxBytes = before, maxBytes
}

// TestMaxBytesBeside has chunks of templates that take more bytes than their JSON, as many, fewer,
// and hardly any.
func TestMaxBytesBeside(t *testing.T) {
	tree := mustOpen(t, makeVerbTree(t))
	var entries []codec.Entry
	for i := range uint64(100) {
		entries = append(entries, codec.Entry{Timestamp: i, Sequence: i + 1, Value: []byte(`{"celsius":21.5}`)})
	}
	key := codec.Key{Record: "a"}.Append(nil)
	h, err := codec.ReadHeader(key, tree.coder.AppendChunk(nil, key, entries))
	if err != nil || !h.Joins() {
		t.Fatalf("chunks of templates join: %v, %v", h.Joins(), err)
	}
	h.ValueBytes = 6000
	opts := Options{ChunkBytes: 1000}
	for encoded, want := range map[int]uint64{
		12000: 1000, 6000: 1000, 3000: 2000, 2000: 3000, 1: maxTemplateFactor * 1000,
	} {
		if got := opts.maxBytesBeside(&h, encoded); got != want {
			t.Errorf("%d bytes of JSON in %d: got %d; want %d", h.ValueBytes, encoded, got, want)
		}
	}
}

// TestCommitOnFullDisk: the next commit looks for what bbolt may take for free by mistake.
func TestCommitOnFullDisk(t *testing.T) {
	tree := mustOpen(t, makeVerbTree(t))
	next := int(tree.committed.Load().to) + 1
	err := tree.endCommit(next, tree.readMetaPages(), faultfs.ErrDiskFull)
	if !errors.Is(err, daybook.ErrNoSpace) || !errors.Is(tree.lastFull, faultfs.ErrDiskFull) || tree.Failure() != nil {
		t.Errorf("got %v, the last commit without space is %v, and the tree fails with %v", err, tree.lastFull,
			tree.Failure())
	}
	mustPost(t, tree, 0)
	if tree.lastFull != nil {
		t.Errorf("after a commit: %v", tree.lastFull)
	}
}
