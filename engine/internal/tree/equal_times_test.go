// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/codec"
)

// TestDamageAmongEqualTimestamps posts to a record whose chunks all have one timestamp and lie on
// several leaves, while one of the leaves is damaged. An unreadable chunk must not be taken for
// none: the new values would get a place before it. Either Post refuses, or the order is right when
// the leaf is as it was again.
func TestDamageAmongEqualTimestamps(t *testing.T) {
	const timestamp = 5
	values := func(from, to int) (entries []codec.Entry) {
		for i := from; i < to; i++ {
			noise := make([]byte, 300)
			rand.NewChaCha8([32]byte{byte(i)}).Read(noise)
			text := fmt.Appendf(nil, `"%x"`, noise)
			entries = append(entries, codec.Entry{Timestamp: timestamp, Sequence: uint64(i + 1), Value: text})
		}
		return entries
	}
	first := history{"r": values(0, 40)}
	path := filepath.Join(t.TempDir(), "tree")
	tree := mustOpen(t, path)
	if err := errors.Join(first.post(tree, 40), tree.Close()); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	leaves, refused := 0, 0
	for _, at := range leavesOf(t, good, "r") {
		if binary.NativeEndian.Uint16(good[at+10:]) < 2 {
			continue
		}
		leaves++
		overwrite(t, path, good, 0)
		if err := os.Truncate(path, int64(len(good))); err != nil {
			t.Fatal(err)
		}
		tree := mustOpen(t, path)
		overwrite(t, path, []byte{1, 0}, at+10) // the leaf seems to have one chunk
		more := history{"r": values(40, 43)}
		want := values(0, 43)
		if err := more.post(tree, 43); err != nil {
			refused, want = refused+1, values(0, 40)
			if !errors.Is(err, daybook.ErrCorrupt) {
				t.Errorf("the leaf at %d is damaged: Post: got %v; want ErrCorrupt", at, err)
			}
		}
		overwrite(t, path, good[at+10:at+12], at+10)
		got, err := read(tree, "r")
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("the leaf at %d was damaged during Post: %v (-want +got):\n%s", at, err, diff)
		}
		if err := errors.Join(tree.Check(ctx), tree.Close()); err != nil {
			t.Errorf("the leaf at %d was damaged during Post: %v", at, err)
		}
	}
	if leaves < 3 || refused == 0 {
		t.Errorf("%d leaves, and %d of them made Post refuse; want at least three, and one", leaves, refused)
	}
}

// TestTooManyChunksAtATime has a chunk with the last ordinal that a key can have. A post that would
// need another chunk after it, or before it, must change nothing.
func TestTooManyChunksAtATime(t *testing.T) {
	tree := mustOpen(t, filepath.Join(t.TempDir(), "tree"))
	var entries []codec.Entry
	for sequence := range uint64(options().ChunkValues) {
		entries = append(entries, codec.Entry{Timestamp: 5, Sequence: sequence + 10, Value: []byte("1")})
	}
	key := codec.Key{Record: "r", Timestamp: 5, Ordinal: math.MaxUint32 - 1}.Append(nil)
	err := tree.update(func(w *writeTx) error {
		entry := codec.CatalogueEntry{Oldest: 5, Count: uint64(len(entries)), Bytes: valueBytes(entries)}
		entry.SetNewest(5, entries[len(entries)-1].Sequence, []byte("1"))
		w.state.Watermark, w.state.Records, w.state.Values, w.state.Bytes = 20, 1, entry.Count, entry.Bytes
		return errors.Join(w.put(key, w.coder.AppendChunk(nil, key, entries)), w.catalogue.put("r", &entry))
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, timestamps := range [][]uint64{{5, 5, 5, 5}, {4, 4, 4, 4, 4, 5, 5, 5}} {
		h := make(history)
		for i, at := range timestamps {
			h["r"] = append(h["r"], codec.Entry{Timestamp: at, Sequence: 21 + uint64(i), Value: []byte("2")})
		}
		if err := h.post(tree, 30); err == nil || !strings.Contains(err.Error(), "too many chunks") {
			t.Errorf("a post at %v: got %v; want too many chunks", timestamps, err)
		}
	}
	got, err := read(tree, "r")
	if err = errors.Join(err, tree.Check(ctx)); err != nil || !slices.EqualFunc(got, entries, sameEntry) {
		t.Errorf("after that: %d values, %v; want the %d before it", len(got), err, len(entries))
	}
}
