// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"testing"
	"unsafe"

	"go.etcd.io/bbolt"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/pages"
	"github.com/daybook-db/daybook/proof/testenv"
)

// TestFindersMeetFailedReads lets each read of a page fail while a chunk's neighbours are looked
// for. A finder must say so, and not that there is no neighbour.
func TestFindersMeetFailedReads(t *testing.T) {
	tree := mustOpen(t, makeVerbTree(t))
	finders := map[string]func(w *writeTx) chunkFinder{
		"transaction": func(w *writeTx) chunkFinder { return w },
		"image":       func(w *writeTx) chunkFinder { return &w.finder },
	}
	ways := map[string]func(f chunkFinder, c *chunk) (*chunk, error){
		"previous": func(f chunkFinder, c *chunk) (*chunk, error) { return f.previous("b", c) },
		"next":     func(f chunkFinder, c *chunk) (*chunk, error) { return f.next("b", c) },
		"around": func(f chunkFinder, c *chunk) (*chunk, error) {
			_, right, err := f.around("b", c.First)
			return right, err
		},
	}
	for _, finder := range finders {
		for name, find := range ways {
			for n, all := 0, false; !all; n++ {
				err := tree.update(func(w *writeTx) error {
					chunk, _, err := w.around("b", 10)
					if err != nil {
						return err
					}
					lift := failRead(n)
					found, err := find(finder(w), chunk)
					all = lift()
					if err == nil && found == nil || err != nil && !errors.Is(err, daybook.ErrCorrupt) {
						t.Errorf("%s, read %d failed: found %v, %v; want a chunk or ErrCorrupt", name, n, found, err)
					}
					return errNothing
				})
				if !errors.Is(err, errNothing) {
					t.Fatal(err)
				}
			}
		}
	}
}

// TestFirstChunkIsVerified looks for the first chunk of a record in a transaction that has read
// nothing yet. bbolt reads the page, so it must be verified first.
func TestFirstChunkIsVerified(t *testing.T) {
	tree := mustOpen(t, makeVerbTree(t))
	err := tree.update(func(w *writeTx) error {
		lift := pages.FailReads(func(uint64) string { return aFault })
		defer lift()
		if c, err := w.next("b", nil); err == nil {
			t.Errorf("got %+v; want the error of the page", c)
		}
		return errNothing
	})
	if !errors.Is(err, errNothing) {
		t.Fatal(err)
	}
}

// TestFindTheGreatestOrdinal looks for a chunk whose key has the greatest ordinal, which is the
// bound of a search.
func TestFindTheGreatestOrdinal(t *testing.T) {
	tree := mustOpen(t, makeVerbTree(t))
	old, encoded := elementOf(t, tree, func(key, _ []byte) bool { return codec.HasRecord(key, "b") })
	key := codec.Key{Record: "b", Timestamp: 10, Ordinal: math.MaxUint32}.Append(nil)
	encoded, err := codec.Rekey(old, encoded, key)
	if err != nil {
		t.Fatal(err)
	}
	putElement(t, tree, valuesBucket, key, encoded)
	err = tree.update(func(w *writeTx) error {
		for name, f := range map[string]chunkFinder{"transaction": w, "image": &w.finder} {
			left, right, err := f.around("b", 10)
			if err != nil || left == nil || right == nil || !bytes.Equal(left.key, key) || right.First <= 10 {
				t.Errorf("%s: found %+v and %+v, %v; want the chunk and the next one", name, left, right, err)
			}
		}
		return errNothing
	})
	if !errors.Is(err, errNothing) {
		t.Fatal(err)
	}
}

// TestTakeThrough takes the values of a pool up to a number.
func TestTakeThrough(t *testing.T) {
	p := changePool{max: changeBounds{values: 10, memory: 1000}}
	p.addSource(changeSource{"r", noPlace})
	for sequence := uint64(1); sequence <= 5; sequence++ {
		p.values = append(p.values, pooledValue{sequence: sequence, json: p.json.add([]byte("1")), length: 1})
	}
	p.sort()
	for _, test := range []struct{ through, first, last uint64 }{{3, 1, 3}, {3, 0, 0}, {9, 4, 5}} {
		batch := p.take(test.through)
		if want := int(test.last - test.first); test.first > 0 && (len(batch) != want+1 ||
			batch[0].Sequence != test.first || batch[want].Sequence != test.last) || test.first == 0 && len(batch) > 0 {
			t.Errorf("through %d: got %v; want %d to %d", test.through, batch, test.first, test.last)
		}
	}
}

// TestSealOfAFailedTree seals when a commit fails.
func TestSealOfAFailedTree(t *testing.T) {
	tree := mustOpen(t, makeVerbTree(t))
	putElement(t, tree, recordsBucket, []byte("d"), []byte("1"))
	tree.sealed = false
	_ = tree.Fail(errors.New("a fault"))
	if err := tree.Seal(); !errors.Is(err, daybook.ErrFailed) {
		t.Errorf("got %v; want ErrFailed", err)
	}
}

// TestFailedCommitIsNoDamage ends a commit over which bbolt panicked. The pages on the disk are not
// damaged because of that.
func TestFailedCommitIsNoDamage(t *testing.T) {
	tree := mustOpen(t, makeVerbTree(t))
	err := tree.endCommit(math.MaxInt, metaPages{}, fmt.Errorf("%w: a page makes no sense", daybook.ErrCorrupt))
	if !errors.Is(err, daybook.ErrFailed) || errors.Is(err, daybook.ErrCorrupt) {
		t.Errorf("got %v; want ErrFailed alone", err)
	}
}

// TestSalvageMeetsRecordsOutOfOrder collects a record after one with a greater name.
func TestSalvageMeetsRecordsOutOfOrder(t *testing.T) {
	tree := mustOpen(t, makeVerbTree(t))
	s := &salvage{ctx: ctx, to: tree, skip: func(err error) error { return err }}
	key, encoded := elementOf(t, tree, func(key, _ []byte) bool { return codec.HasRecord(key, "b") })
	if err := s.chunk(key, encoded); err != nil {
		t.Fatal(err)
	}
	key, encoded = elementOf(t, tree, func(key, _ []byte) bool { return codec.HasRecord(key, "a") })
	if err := s.chunk(key, encoded); !errors.Is(err, daybook.ErrCorrupt) {
		t.Errorf("record a after b: got %v; want ErrCorrupt", err)
	}
}

// TestBeginPanics begins a transaction over which bbolt panics, and keeps its locks. The tree is
// not usable then.
func TestBeginPanics(t *testing.T) {
	tree := mustOpen(t, makeVerbTree(t))
	open := tree.bolt
	tree.bolt = nil
	err := tree.viewBolt(func(*bbolt.Tx) error { return nil })
	tree.bolt = open
	if isBroken := tree.broken.Load(); err == nil || !isBroken {
		t.Errorf("got %v, broken: %v; want an error and a broken tree", err, isBroken)
	}
	tree.broken.Store(false)
}

// TestSizeOfDeferredChunks: the size counts the entries and their values.
func TestSizeOfDeferredChunks(t *testing.T) {
	var d deferredChunks
	want := 0
	for _, n := range []int{1, 3} {
		d.add([]byte("key"), slices.Repeat([]codec.Entry{{Value: []byte("12345")}}, n))
		if want += n * (5 + int(unsafe.Sizeof(codec.Entry{}))); d.size != want {
			t.Errorf("got %d bytes; want %d", d.size, want)
		}
	}
}

// TestLookedUpEntries: a catalogue counts an entry that is to be replaced, and notes whether a
// record follows all others.
func TestLookedUpEntries(t *testing.T) {
	inUpdate(t, func(w *writeTx) {
		for _, test := range []struct {
			record         string
			after, replace bool
		}{{"a", false, true}, {"aa", false, false}, {"zz", true, false}, {"one.149", false, true}} {
			w.catalogue.grown = 0
			_, found, err := w.entry(test.record)
			if err != nil || found != test.replace || w.catalogue.afterAll != test.after {
				t.Errorf("%s: found: %v, after all others: %v, %v", test.record, found, w.catalogue.afterAll, err)
			}
			if (w.catalogue.grown < 0) != test.replace {
				t.Errorf("%s: the leaves grow by %d", test.record, w.catalogue.grown)
			}
		}
	})
}

// TestPageInUseTakenForFree commits after a commit that failed on a full disk, when bbolt takes
// pages for free that the tree has in use.
func TestPageInUseTakenForFree(t *testing.T) {
	tree := mustOpen(t, filepath.Join(testenv.TempDir(t), "tree"))
	mustPost(t, tree, 0)
	earlier := tree.committed.Load()
	for number := range 3 {
		mustPost(t, tree, number+1)
	}
	wrong := newCommittedTable(earlier.table)
	last := tree.committed.Load()
	wrong.from, wrong.to, wrong.others = last.from, last.to, last.others
	tree.committed.Store(wrong)
	tree.lastFull = errors.New("a full disk")
	err := tree.commitMapped(func(*bbolt.Tx) error { t.Error("the commit goes on"); return errNothing })
	if !errors.Is(err, daybook.ErrFailed) || !errors.Is(err, tree.lastFull) || tree.Failure() == nil {
		t.Errorf("got %v, and later writes fail with %v; want ErrFailed", err, tree.Failure())
	}
	tree.committed.Store(last)
}
