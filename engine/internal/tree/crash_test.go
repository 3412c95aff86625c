// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/pages"
	"github.com/daybook-db/daybook/proof/testenv"
)

// TestUnsealed stops between a commit and its seal, as a crash does, and continues.
func TestUnsealed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tree")
	tree := mustOpen(t, path)
	mustPost(t, tree, 0)
	for number := 1; number < 4; number++ {
		h, watermark := round(number)
		err := tree.update(func(w *writeTx) error {
			posting := h.posting(watermark)
			_, _, err := w.postPart(&posting)
			return err
		})
		if err := errors.Join(err, tree.bolt.Close()); err != nil {
			t.Fatal(err)
		}
		wantReadOnly(t, path, number+1)
		tree = mustOpen(t, path)
		if !tree.sealed {
			t.Error("Open did not seal the tree")
		}
		wantRounds(t, tree, number+1)
	}
}

// TestUnsealedDamage verifies that without a seal the pages that the last commit did not write are
// still verified.
func TestUnsealedDamage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tree")
	tree := mustOpen(t, path)
	mustPost(t, tree, 0)
	run := []codec.Entry{{Timestamp: 1, Sequence: 1 << 20, Value: []byte("1")}}
	err := tree.update(func(w *writeTx) error { return w.post("zzz", run) })
	if err := errors.Join(err, tree.bolt.Close()); err != nil {
		t.Fatal(err)
	}
	damageLeaf(t, path, "record.100")
	tree = mustOpen(t, path)
	if entries, err := read(tree, "record.100"); !errors.Is(err, daybook.ErrCorrupt) {
		t.Errorf("a record with a damaged page: got %d values, %v; want ErrCorrupt", len(entries), err)
	}
	if entries, err := read(tree, "zzz"); len(entries) != 1 || err != nil {
		t.Errorf("a record without one: got %d values, %v", len(entries), err)
	}
}

// TestUnsealedFreelist changes the freelist of an unsealed tree so that it lists a page without a
// checksum.
func TestUnsealedFreelist(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tree")
	tree := mustOpen(t, path)
	s := structure{path: path, records: 3}
	for s.rounds = range 4 {
		s.mustPost(t, tree)
	}
	err := tree.update(func(w *writeTx) error {
		return w.post("a", []codec.Entry{{Timestamp: 1000, Sequence: 1000, Value: []byte("1")}})
	})
	if err != nil {
		t.Fatal(err)
	}
	var root uint64
	err = tree.bolt.View(func(tx *bbolt.Tx) error {
		root = uint64(tx.Cursor().Bucket().Root())
		return nil
	})
	if err := errors.Join(err, tree.bolt.Close()); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	list := freelistOf(good)
	free := make([]uint64, binary.NativeEndian.Uint16(good[list+10:]))
	if _, err := binary.Decode(good[list+16:], binary.NativeEndian, free); err != nil {
		t.Fatal(err)
	}
	for _, id := range []uint64{root, uint64(list / pageSize)} {
		damaged := slices.Clone(free)
		damaged[0] = id
		slices.Sort(damaged)
		data := bytes.Clone(good)
		if _, err := binary.Encode(data[list+16:], binary.NativeEndian, damaged); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := openAt(t, path, options()); !errors.Is(err, daybook.ErrCorrupt) {
			t.Errorf("page %d, the root or the freelist, is listed as free: got %v; want ErrCorrupt", id, err)
		}
	}
}

// TestUnfinished opens files that have some sectors of a new bbolt file, and a file with other
// content.
func TestUnfinished(t *testing.T) {
	const sector = 512
	path := filepath.Join(testenv.TempDir(t), "tree")
	created := pages.NewFile(os.Getpagesize())
	open := func(data []byte) error {
		t.Helper()
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		tree, err := openAt(t, path, options())
		if err == nil {
			mustPost(t, tree, 0)
			err = tree.Close()
		}
		return err
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 40 {
		torn := bytes.Clone(created)
		for at := 0; at < len(torn); at += sector {
			if random.IntN(2) == 0 {
				clear(torn[at : at+sector])
			}
		}
		if err := open(torn); err != nil {
			t.Fatalf("some sectors of a new file: %v", err)
		}
	}
	for _, length := range []int{1, 100, sector, len(created) - sector, len(created)} {
		if err := open(created[:length]); err != nil {
			t.Errorf("cut off at %d: %v", length, err)
		}
	}
	other := bytes.Clone(created)
	clear(other[:2*os.Getpagesize()])
	other[3*os.Getpagesize()+100] = 'x'
	if err := open(other); !errors.Is(err, daybook.ErrCorrupt) {
		t.Errorf("a file with other content: got %v; want ErrCorrupt", err)
	}
	if data, err := os.ReadFile(path); err != nil || !bytes.Equal(data, other) {
		t.Errorf("the file with other content was changed: %v", err)
	}
}

// TestUnfinishedIsLocked opens a file whose creation was interrupted in two programs. The second
// must not empty the file that the first has completed.
func TestUnfinishedIsLocked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tree")
	bolt, err := bbolt.Open(path, 0o600, nil) // the file before the first commit
	if err != nil {
		t.Fatal(err)
	}
	file := mappedFile{fs: openDirectory(t, filepath.Dir(path)), path: path}
	if erased, err := eraseUnfinished(file); erased || !errors.Is(err, daybook.ErrLocked) {
		t.Errorf("while another program has it open: %t, %v; want ErrLocked", erased, err)
	}
	if err := bolt.Close(); err != nil {
		t.Fatal(err)
	}
	if erased, err := eraseUnfinished(file); !erased || err != nil {
		t.Errorf("after it was closed: %t, %v; want an empty file", erased, err)
	}
}
