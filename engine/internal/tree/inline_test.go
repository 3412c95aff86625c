// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/pages"
	"github.com/daybook-db/daybook/proof/testenv"
)

// makeInlineTree writes a tree that is so small that bbolt keeps the data buckets within the root
// page. The checksum of that page covers only the beginning of each. It returns the tree's path,
// and offsets in both buckets.
func makeInlineTree(t *testing.T) (path string, offsets []int) {
	t.Helper()
	path, h := filepath.Join(testenv.TempDir(t), "tree"), make(history)
	tree := mustOpen(t, path)
	for i := range uint64(4) {
		for _, record := range []string{"a", "b", "c"} {
			last := uint64(len(h["a"])+len(h["b"])+len(h["c"])) + 101
			e := codec.Entry{Timestamp: 5 * i, Sequence: last, Value: fmt.Appendf(nil, "%d", last)}
			h[record] = append(h[record], e)
		}
	}
	if err := h.post(tree, 112); err != nil {
		t.Fatal(err)
	}
	offsets = inlineBytes(t, tree)
	if err := tree.Close(); err != nil {
		t.Fatal(err)
	}
	return path, offsets
}

// TestOpenMeetsInlineDamage damages the data buckets within the root page, and opens the tree.
func TestOpenMeetsInlineDamage(t *testing.T) {
	path, damaged := makeInlineTree(t)
	file := mustRead(t, path)
	for _, at := range damaged {
		overwrite(t, path, []byte{file[at] ^ 1}, at)
		for _, opts := range []Options{options(), {ReadOnly: true, LockTimeout: -1}} {
			tree, err := openAt(t, path, opts)
			if err == nil {
				err = errors.Join(errors.New("no error"), tree.Close())
			}
			if !isDamage(err) {
				t.Errorf("the byte at %d is damaged, read-only: %v: got %v; want ErrCorrupt", at, opts.ReadOnly, err)
			}
		}
		overwrite(t, path, file[at:at+1], at)
	}
}

// TestVerbsMeetInlineDamage damages the data buckets within the root page while verbs run.
func TestVerbsMeetInlineDamage(t *testing.T) {
	path, damaged := makeInlineTree(t)
	file := mustRead(t, path)
	for _, v := range verbs(t) {
		want, err := v.do(t, ctx, file, func(*Tree) {})
		if err != nil {
			t.Fatalf("%s: %v", v.name, err)
		}
		for _, at := range damaged {
			got, err := v.do(t, ctx, file, func(tree *Tree) {
				overwrite(t, tree.mapped.path, []byte{file[at] ^ 1}, at)
			})
			switch {
			case err != nil && !isDamage(err):
				t.Errorf("%s: the byte at %d is damaged: %v", v.name, at, err)
			case err == nil && got != want && !v.passesOver:
				t.Errorf("%s: the byte at %d is damaged: got another result, and no error", v.name, at)
			}
		}
	}
}

// inlineBytes returns offsets in the headers of the inline pages of both data buckets, and in their
// first and last elements.
func inlineBytes(t *testing.T, tree *Tree) (offsets []int) {
	t.Helper()
	for _, name := range []string{valuesBucket, recordsBucket} {
		var firstKey, count int
		err := tree.view(func(_ *bbolt.Tx, image *pages.Image) error {
			b, err := image.Bucket(name)
			if err != nil {
				return err
			}
			return b.Walk(func(key, _ []byte) error {
				if count++; count == 1 {
					firstKey = int(image.Offset(key))
				}
				return nil
			}, func(err error) error { return err })
		})
		if err != nil || count != 3 {
			t.Fatalf("%s: %d elements, %v; want 3", name, count, err)
		}
		const size = 16 // of bbolt's header of a page, and of an element
		page := firstKey - (1+count)*size
		offsets = append(offsets, page+8, page+10, page+12) // flags, count, overflow
		for _, element := range []int{page + size, page + count*size} {
			offsets = append(offsets, element, element+4, element+8, element+12) // flags, position, lengths
		}
	}
	return offsets
}
