// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/index"
)

// TestSize compares the sizes that a tree says with its file: while it grows, after values were
// deleted, and while a snapshot keeps their pages.
func TestSize(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	tree := mustOpen(t, path)
	defer tree.Close()
	const values, size = 40, 10_000
	h, random := make(history), rand.New(rand.NewPCG(1, 2))
	for i := range uint64(values) {
		value := bytes.Repeat([]byte{'1'}, size)
		for at := range value {
			value[at] = byte('1' + random.IntN(9))
		}
		h["r"] = append(h["r"], codec.Entry{Timestamp: i, Sequence: i + 1, Value: value})
	}
	if err := h.post(tree, values); err != nil {
		t.Fatal(err)
	}
	file, used, err := tree.Size()
	info, statErr := os.Stat(path)
	if err != nil || statErr != nil || file != info.Size() || used > file || used < file/2 {
		t.Fatalf("got a file of %d bytes, %d in use, %v; the file has %d, %v", file, used, err, info.Size(), statErr)
	}
	snapshot, err := tree.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	everything, err := index.CompileGlob("*")
	if err == nil {
		_, err = tree.Prune(ctx, everything, Rule{OlderThan: math.MaxUint64}, pruning(func([]Deletion) {}))
	}
	if err != nil {
		snapshot.Close() // tree.Close waits for it
		t.Fatal(err)
	}
	if after, usedAfter, err := tree.Size(); err != nil || after < file || usedAfter > used/2 {
		t.Errorf("after a deletion: a file of %d bytes, %d in use, %v; before: %d, %d", after, usedAfter, err, file,
			used)
	}
	_, freeBeside, pinned, err := tree.RoomForNext()
	if err != nil || pinned < used/2 {
		t.Errorf("beside a snapshot %d bytes are pinned, %v; want nearly %d", pinned, err, used)
	}
	snapshot.Close()
	if _, free, pinned, err := tree.RoomForNext(); err != nil || pinned != 0 || free < freeBeside+used/2 {
		t.Errorf("after the snapshot %d bytes are free and %d pinned, %v; beside it %d were free", free, pinned, err,
			freeBeside)
	}
}

// TestSizeReadOnly compares the sizes that a reader says with those that the writer said, and
// damages the list of free pages, from which the reader knows them.
func TestSizeReadOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	tree := mustOpen(t, path)
	mustPost(t, tree, 0)
	everything, none := mustPattern(t, "*"), func([]Deletion) {}
	if _, err := tree.Prune(ctx, everything, Rule{MaxPerRecord: 1}, pruning(none)); err != nil {
		t.Fatal(err)
	}
	_, free, _, err := tree.RoomForNext()
	file, _, sizeErr := tree.Size()
	if err := errors.Join(err, sizeErr, tree.Close()); err != nil {
		t.Fatal(err)
	}
	opts := options()
	opts.ReadOnly = true
	for _, damaged := range []bool{false, true} {
		reader, err := openAt(t, path, opts)
		if err != nil {
			t.Fatal(err)
		}
		if damaged {
			data := mustRead(t, path)
			at := freelistOf(data) + 8 // the kind of page
			overwrite(t, path, []byte{data[at] ^ 4}, at)
		}
		for call := range 2 {
			gotFile, gotFree, pending, err := reader.Room()
			switch {
			case damaged && !errors.Is(err, daybook.ErrCorrupt):
				t.Errorf("call %d with a damaged list: got %d, %v; want ErrCorrupt", call, gotFree, err)
			case damaged:
			case err != nil || gotFile != file || gotFree < free || gotFree > free+8*pageSize || pending != 0:
				t.Errorf("call %d: got %d bytes, %d free, %d pending, %v; want %d and about %d free",
					call, gotFile, gotFree, pending, err, file, free)
			}
		}
		if err := reader.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
