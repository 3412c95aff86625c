// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/pages"
)

// TestKeysOfMeta flips bits in the keys of the bucket "meta", in its page within the root page, and
// in its own leaves and branches. A key that is renamed or not found must never look like one that
// was not written: the file must not open, neither for reading nor for writing.
func TestKeysOfMeta(t *testing.T) {
	for _, test := range []struct {
		name  string
		notes int
		bits  []int // that are flipped in each byte
		step  int   // one key in step is tried, and each one of a branch
	}{
		{"inline", 2, []int{0, 1, 2, 3, 4, 5, 6, 7}, 1},
		{"leaf", 40, []int{0, 3}, 3},
		{"branch", 200, []int{1}, 8},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "tree")
			tree := mustOpen(t, path)
			notes := Notes{}
			for i := range test.notes {
				notes[fmt.Sprintf("%03d%s", i*i, strings.Repeat("-", min(i, 12)))] = []byte("a note")
			}
			h, watermark := round(0)
			if err := errors.Join(tree.PutNotes(notes), postHalf(h.posting(watermark), tree)); err != nil {
				t.Fatal(err)
			}
			places := placesOfKeys(t, tree)
			if err := tree.Close(); err != nil {
				t.Fatal(err)
			}
			if last := places[len(places)-1]; last.branch != (test.name == "branch") {
				t.Fatalf("with %d notes, a place is %+v", test.notes, last)
			}
			for i, place := range places {
				if place.branch || i%test.step == 0 {
					wantFoundAt(t, path, place, test.bits)
				}
			}
		})
	}
}

// postHalf posts a part of the values, so that the key "part" is there.
func postHalf(p Posting, tree *Tree) error {
	crash := errors.New("the crash")
	p.AllowParts, p.Interrupted = true, func() error { return crash }
	tree.opts.TransactionBytes = 1
	if _, err := tree.Post(p); !errors.Is(err, crash) {
		return fmt.Errorf("the post ended with %v", err)
	}
	return tree.seal()
}

// wantFoundAt flips bits in each byte of a key.
func wantFoundAt(t *testing.T, path string, place metaKeyPlace, bits []int) {
	t.Helper()
	good, reader := mustRead(t, path), options()
	reader.ReadOnly = true
	for i := range place.length {
		for _, bit := range bits {
			damaged := bytes.Clone(good)
			damaged[place.offset+i] ^= 1 << bit
			overwrite(t, path, damaged[place.offset+i:][:1], place.offset+i)
			for _, opts := range []Options{reader, options()} {
				opened, err := openAt(t, path, opts)
				if err == nil {
					_ = opened.Close()
				}
				if !errors.Is(err, daybook.ErrCorrupt) {
					t.Errorf("%+v, bit %d of byte %d: Open: got %v; want ErrCorrupt", place, bit, i, err)
				}
			}
			if !bytes.Equal(mustRead(t, path), damaged) {
				t.Errorf("%+v, bit %d of byte %d: Open has changed the file", place, bit, i)
			}
			overwrite(t, path, good, 0)
		}
	}
}

func mustRead(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// metaKeyPlace is the place of a key in a tree's file.
type metaKeyPlace struct {
	key            string
	offset, length int
	branch         bool // the page is a branch
}

// placesOfKeys returns the places of all keys of the bucket "meta", those in branches last.
func placesOfKeys(t *testing.T, tree *Tree) (leaves []metaKeyPlace) {
	t.Helper()
	var branches []metaKeyPlace
	err := tree.view(func(tx *bbolt.Tx, image *pages.Image) error {
		meta, err := image.Bucket(metaBucket)
		if err != nil {
			return err
		}
		add := func(key, _ []byte) error {
			leaves = append(leaves, metaKeyPlace{string(key), int(image.Offset(key)), len(key), false})
			return nil
		}
		if err := meta.Walk(add, func(err error) error { return err }); err != nil {
			return err
		}
		root := tx.Bucket([]byte(metaBucket)).Root()
		if root == 0 {
			return nil
		}
		data := image.Part(0, int(image.Size()))[int(root)*pageSize:]
		if isLeaf := data[8] == 2; isLeaf {
			return nil
		}
		for i := range int(binary.NativeEndian.Uint16(data[10:])) {
			element := 16 + 16*i
			at := element + int(binary.NativeEndian.Uint32(data[element:]))
			length := int(binary.NativeEndian.Uint32(data[element+4:]))
			branches = append(branches,
				metaKeyPlace{string(data[at:][:length]), int(root)*pageSize + at, length, true})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return append(leaves, branches...)
}

// makeFormer makes a file of the format before, which has no digest of the keys.
func makeFormer(t *testing.T) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "tree")
	tree := mustOpen(t, path)
	mustPost(t, tree, 0)
	former := uint64(keysFormat - 1)
	if err := tree.Close(); err != nil {
		t.Fatal(err)
	}
	file, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = file.Update(func(tx *bbolt.Tx) error {
		meta := tx.Bucket([]byte(metaBucket))
		return errors.Join(meta.Delete(keysKey), meta.Put(formatKey, encodeFields([]*uint64{&former})))
	})
	if err := errors.Join(err, file.Close()); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestKeysOfFormerInOrder renames a key of a file of the format before, so that the keys are out of
// order, and a search may not find them.
func TestKeysOfFormerInOrder(t *testing.T) {
	path := makeFormer(t)
	tree := mustOpen(t, path)
	places := placesOfKeys(t, tree)
	if err := tree.bolt.Close(); err != nil {
		t.Fatal(err)
	}
	for _, place := range places[len(places)-2:] { // "format" must be found
		good := mustRead(t, path)
		overwrite(t, path, bytes.Repeat([]byte("a"), place.length), place.offset)
		tree, err := openAt(t, path, options())
		if !errors.Is(err, daybook.ErrCorrupt) || !strings.Contains(err.Error(), "follows key") {
			t.Errorf("the key %q is renamed: Open: got %v; want keys that are out of order", place.key, err)
		}
		if err == nil {
			_ = tree.bolt.Close()
		}
		overwrite(t, path, good, 0)
	}
}

// TestKeysOfFormer opens a file of the format before. It gets a digest of the keys with the first
// commit.
func TestKeysOfFormer(t *testing.T) {
	path := makeFormer(t)
	if opened := mustOpen(t, path); opened.Check(ctx) != nil || opened.Close() != nil {
		t.Error("it does not open as it is")
	}
	opened := mustOpen(t, path)
	mustPost(t, opened, 1)
	wantRounds(t, opened, 2)
	err := opened.view(func(_ *bbolt.Tx, image *pages.Image) error {
		format, err := readFormat(image)
		if err == nil && format != formatVersion {
			err = fmt.Errorf("it has format %d after a commit; want %d", format, formatVersion)
		}
		return errors.Join(err, checkKeys(image))
	})
	if err != nil {
		t.Error(err)
	}
}

// TestKeysOfFirstCommit opens a new file as a power cut leaves it after its first commit: without
// the second one, which writes the digest again.
func TestKeysOfFirstCommit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tree")
	if err := mustOpen(t, path).Close(); err != nil {
		t.Fatal(err)
	}
	first := mustRead(t, path)[:pageSize] // the meta page of transaction 2
	const transactionAt, checksumAt = 64, 72
	if id := binary.NativeEndian.Uint64(first[transactionAt:]); id != 2 {
		t.Fatalf("the first meta page is of transaction %d; want 2", id)
	}
	former := bytes.Clone(first)
	binary.NativeEndian.PutUint64(former, 1) // the number of the page
	binary.NativeEndian.PutUint64(former[transactionAt:], 1)
	sum := fnv.New64a()
	sum.Write(former[16:checksumAt])
	binary.NativeEndian.PutUint64(former[checksumAt:], sum.Sum64())
	overwrite(t, path, former, pageSize)
	opened := mustOpen(t, path)
	if err := errors.Join(opened.Check(ctx), opened.Close()); err != nil {
		t.Error(err)
	}
}
