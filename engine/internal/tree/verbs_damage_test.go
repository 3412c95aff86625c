// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/pages"
)

// TestVerbsMeetDamage damages each page of the file of an open tree, each chunk, and catalogue
// entries. Each verb must find the damage, or do what it would do without it.
func TestVerbsMeetDamage(t *testing.T) {
	path := makeVerbTree(t)
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	damages := append(damagedPages(len(file)/pageSize), damagedElements(t, path)...)
	for _, v := range verbs(t) {
		want, err := v.do(t, ctx, file, func(*Tree) {})
		if err != nil {
			t.Fatalf("%s: %v", v.name, err)
		}
		for _, d := range damages {
			got, err := v.do(t, ctx, file, func(tree *Tree) { d.to(t, tree) })
			switch {
			case err != nil && !errors.Is(err, daybook.ErrCorrupt):
				t.Errorf("%s: %s is damaged: %v", v.name, d.name, err)
			case err == nil && got != want && !v.passesOver:
				t.Errorf("%s: %s is damaged: got another result, and no error", v.name, d.name)
			}
		}
	}
}

// damage is a change of an open tree.
type damage struct {
	name string
	to   func(*testing.T, *Tree)
}

// damagedPages returns the damage of each page but the meta pages.
func damagedPages(count int) (all []damage) {
	for page := 2; page < count; page++ {
		for _, at := range []int{page*pageSize + 10, page*pageSize + 16 + 61*page%200} { // the count, the content
			all = append(all, damage{fmt.Sprintf("the byte at offset %d", at), func(t *testing.T, tree *Tree) {
				data, err := os.ReadFile(tree.mapped.path)
				if err != nil {
					t.Fatal(err)
				}
				overwrite(t, tree.mapped.path, []byte{data[at] ^ 4}, at)
			}})
		}
	}
	return all
}

// damagedElements returns the damage of some chunks and catalogue entries, on pages whose checksums
// match.
func damagedElements(t *testing.T, path string) (all []damage) {
	t.Helper()
	tree := mustOpen(t, path)
	defer tree.Close()
	add := func(bucket string, every int) {
		seen := 0
		err := tree.view(func(_ *bbolt.Tx, image *pages.Image) error {
			b, err := image.Bucket(bucket)
			if err != nil {
				return err
			}
			return b.Walk(func(key, data []byte) error {
				if seen++; seen%every == 0 {
					key, data = bytes.Clone(key), bytes.Clone(data)
					data[len(data)/2] ^= 4
					name := fmt.Sprintf("the element %q of %s", key, bucket)
					all = append(all, damage{name, func(t *testing.T, tree *Tree) {
						putElement(t, tree, bucket, key, data)
					}})
				}
				return nil
			}, func(err error) error { return err })
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	add(valuesBucket, 13)
	add(recordsBucket, 50)
	return all
}

func putElement(t *testing.T, tree *Tree, bucket string, key, data []byte) {
	t.Helper()
	err := tree.update(func(w *writeTx) error { return w.tx.Bucket([]byte(bucket)).Put(key, data) })
	if err := errors.Join(err, tree.seal()); err != nil {
		t.Fatal(err)
	}
}

// TestVerbsOfAFailedTree runs each verb on a tree whose writes fail, and on one whose file is
// closed. Those that write must say so; what the others read must be right.
func TestVerbsOfAFailedTree(t *testing.T) {
	file, err := os.ReadFile(makeVerbTree(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range verbs(t) {
		want, err := v.do(t, ctx, file, func(*Tree) {})
		if err != nil {
			t.Fatalf("%s: %v", v.name, err)
		}
		for name, fail := range map[string]func(*Tree){
			"failed":           func(tree *Tree) { _ = tree.Fail(errors.New("a fault")) },
			"with closed file": func(tree *Tree) { _ = tree.file.Close() },
		} {
			got, err := v.do(t, ctx, file, fail)
			switch {
			case v.writes && (err == nil || name == "failed" && !errors.Is(err, daybook.ErrFailed)):
				t.Errorf("%s of a tree %s: got %v; want an error, of a failed one ErrFailed", v.name, name, err)
			case err == nil && got != want:
				t.Errorf("%s of a tree %s: got another result, and no error", v.name, name)
			case err != nil && !v.writes && name == "failed" && !(v.copies && errors.Is(err, daybook.ErrFailed)):
				t.Errorf("%s of a tree %s: %v; want no error, as for all that reads", v.name, name, err)
			}
		}
	}
}
