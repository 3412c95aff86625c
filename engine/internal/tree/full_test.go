// SPDX-License-Identifier: Apache-2.0

package tree

import "testing"

// TestFull has a transaction that has read leaves of chunks and of names, and has put chunks. It is
// full as soon as these have as many bytes together as Options say.
func TestFull(t *testing.T) {
	tree := mustOpen(t, makeVerbTree(t))
	key, encoded := elementOf(t, tree, func([]byte, []byte) bool { return true })
	err := tree.update(func(w *writeTx) error {
		if _, err := w.next("a", nil); err != nil {
			return err
		}
		if _, _, err := w.entry("a"); err != nil {
			return err
		}
		if err := w.put(key, encoded); err != nil {
			return err
		}
		leaves := w.chunkGuard.LeafBytes() + w.nameGuard.LeafBytes()
		bytes := leaves + len(key) + len(encoded)
		if w.chunkGuard.LeafBytes() < pageSize || w.nameGuard.LeafBytes() < pageSize {
			t.Fatalf("the leaves have %d bytes; want at least a page of each bucket", leaves)
		}
		for limit, want := range map[int]bool{bytes - 1: true, bytes: true, bytes + 1: false} {
			if w.opts.TransactionBytes = limit; w.full() != want {
				t.Errorf("%d bytes of at most %d: full: %v; want %v", bytes, limit, !want, want)
			}
		}
		w.opts = tree.opts
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
