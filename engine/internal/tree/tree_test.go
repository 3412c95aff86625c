// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"iter"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/bbolt"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/pages"
	"github.com/daybook-db/daybook/index"
)

var ctx = context.Background()

const pageSize = 4096

func options() Options {
	return Options{LockTimeout: -1, ChunkValues: 4, ChunkBytes: 1000, TransactionBytes: 64 << 10}
}

// dirInMemory returns a temporary directory on a file system in memory if there is one. A test that commits
// thousands of times spends most of its time in syncs on a disk.
func dirInMemory(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "daybook-tree-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// history is what a tree is to hold.
type history map[string][]codec.Entry

// posting is one of what is in h, some of it beside others and some alone.
func (h history) posting(watermark uint64) Posting {
	asked := 0
	alone := func() bool {
		asked++
		return asked%3 > 0
	}
	return Posting{Watermark: watermark, UseAllProcessors: alone, Runs: func(after string) iter.Seq[Run] {
		return func(yield func(Run) bool) {
			for _, name := range slices.Sorted(maps.Keys(h)) {
				if name > after && !yield(Run{Record: name, Values: h[name]}) {
					return
				}
			}
		}
	}}
}

// post posts what is in h in one transaction.
func (h history) post(tree *Tree, watermark uint64) error {
	_, err := tree.Post(h.posting(watermark))
	return err
}

// posts is how many values of each record a round posts.
const posts = 10

// round returns values of many records, whose sequence numbers follow those of the round before.
func round(number int) (h history, watermark uint64) {
	h = make(history)
	sequence := uint64(number * 300 * posts)
	for record := range 300 {
		name := fmt.Sprintf("record.%03d", record)
		for i := range posts {
			sequence++
			h[name] = append(h[name], codec.Entry{
				Timestamp: uint64(number*1000 + i), Sequence: sequence, Value: fmt.Appendf(nil, `{"round":%d,"n":%d,"of":"%s"}`, number, i, name),
			})
		}
	}
	return h, sequence
}

func mustOpen(t *testing.T, path string) *Tree {
	t.Helper()
	tree, err := Open(path, options())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tree.bolt.Close() })
	return tree
}

func mustPost(t *testing.T, tree *Tree, number int) {
	t.Helper()
	h, watermark := round(number)
	if err := h.post(tree, watermark); err != nil {
		t.Fatal(err)
	}
}

// read returns all values of a record, or the error that comes up.
func read(tree *Tree, record string) (entries []codec.Entry, err error) {
	s, err := tree.Snapshot()
	if err != nil {
		return nil, err
	}
	defer s.Close()
	s.Seek(record, codec.All)
	for {
		chunk, err := s.Next()
		if err != nil || chunk == nil {
			return entries, err
		}
		for _, e := range chunk {
			e.Value = bytes.Clone(e.Value)
			entries = append(entries, e)
		}
	}
}

// wantRounds wants the values of so many rounds, and a clean check.
func wantRounds(t *testing.T, tree *Tree, rounds int) {
	t.Helper()
	for _, record := range []string{"record.000", "record.150", "record.299"} {
		var want []codec.Entry
		for number := range rounds {
			h, _ := round(number)
			want = append(want, h[record]...)
		}
		got, err := read(tree, record)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s after %d rounds: %v (-want +got):\n%s", record, rounds, err, diff)
		}
	}
	if err := tree.Check(ctx); err != nil {
		t.Errorf("Check: %v", err)
	}
	// And what bbolt has to say, which does not know of ours.
	err := tree.bolt.View(func(tx *bbolt.Tx) (err error) {
		for fault := range tx.Check() {
			err = errors.Join(err, fault)
		}
		return err
	})
	if err != nil {
		t.Errorf("bbolt's own check: %v", err)
	}
}

// TestUnsealed stops between a commit and its seal, as a crash does, and goes on.
func TestUnsealed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tree")
	tree := mustOpen(t, path)
	mustPost(t, tree, 0)
	for number := 1; number < 4; number++ {
		h, watermark := round(number)
		err := tree.update(func(w *writer) error {
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
			t.Error("Open has not sealed what a crash left")
		}
		wantRounds(t, tree, number+1)
	}
}

func wantReadOnly(t *testing.T, path string, rounds int) {
	t.Helper()
	opts := options()
	opts.ReadOnly = true
	tree, err := Open(path, opts)
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	wantRounds(t, tree, rounds)
}

// TestUnsealedRotten shows that a page that the commit before the crash had nothing to do with is still held
// against its checksum.
func TestUnsealedRotten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tree")
	tree := mustOpen(t, path)
	mustPost(t, tree, 0)
	run := []codec.Entry{{Timestamp: 1, Sequence: 1 << 20, Value: []byte("1")}}
	err := tree.update(func(w *writer) error { return w.post("zzz", run) })
	if err := errors.Join(err, tree.bolt.Close()); err != nil {
		t.Fatal(err)
	}
	hide(t, path, "record.100")
	tree = mustOpen(t, path)
	if entries, err := read(tree, "record.100"); !errors.Is(err, daybook.ErrCorrupt) {
		t.Errorf("a record with a damaged page: got %d values, %v; want ErrCorrupt", len(entries), err)
	}
	if entries, err := read(tree, "zzz"); len(entries) != 1 || err != nil {
		t.Errorf("a record with none: got %d values, %v", len(entries), err)
	}
}

// hide makes the leaf that holds a record's first chunk say that it has one element only, wherever it is in the
// file.
func hide(t *testing.T, path, record string) (offset int) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	key := append([]byte(record), 0)
	for page := 2 * pageSize; page < len(data); page += pageSize {
		if data[page+8] != 2 || !bytes.Contains(data[page:page+pageSize], key) {
			continue
		}
		if count := binary.NativeEndian.Uint16(data[page+10:]); count > 1 {
			binary.NativeEndian.PutUint16(data[page+10:], 1)
			offset = page
		}
	}
	if offset == 0 {
		t.Fatalf("no page holds %s", record)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return offset
}

// TestMetaFallback damages one meta page and then the other: either way the same values are there, and Check says
// what is damaged, or was when the file was opened.
func TestMetaFallback(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tree")
	tree := mustOpen(t, path)
	mustPost(t, tree, 0)
	mustPost(t, tree, 1)
	if err := tree.Close(); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for meta := range 2 {
		damaged := bytes.Clone(good)
		damaged[meta*pageSize+16+48] ^= 1
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		tree := mustOpen(t, path)
		if err := tree.DamagedMeta(); meta*pageSize != offsetIn(err) {
			t.Errorf("meta page %d damaged: Open found %v", meta, err)
		}
		if err := tree.Check(ctx); meta*pageSize != offsetIn(err) {
			t.Errorf("meta page %d damaged: Check: got %v", meta, err)
		}
		mustPost(t, tree, 2) // a commit or its seal writes it anew
		if err := tree.Close(); err != nil {
			t.Fatal(err)
		}
		tree = mustOpen(t, path)
		wantRounds(t, tree, 3)
		if err := tree.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// offsetIn returns the offset that an error of a corrupt page names; -1 if there is none.
func offsetIn(err error) (offset int) {
	if !errors.Is(err, daybook.ErrCorrupt) {
		return -1
	}
	_, after, found := strings.Cut(err.Error(), "at offset ")
	if _, err := fmt.Sscan(after, &offset); !found || err != nil {
		return -1
	}
	return offset
}

// TestDamageIsNotWrittenAgain damages a leaf, and posts to and prunes what stands on it and beside it: nothing is
// changed on the grounds of what it seems to hold.
func TestDamageIsNotWrittenAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tree")
	tree := mustOpen(t, path)
	mustPost(t, tree, 0)
	offset := hide(t, path, "record.100")
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	h, _ := round(1)
	for _, record := range []string{"record.099", "record.100", "record.101"} {
		one := history{record: h[record]}
		if err := one.post(tree, 1<<20); !errors.Is(err, daybook.ErrCorrupt) || offsetIn(err) != offset {
			t.Errorf("Post to %s: got %v; want ErrCorrupt at offset %d", record, err, offset)
		}
	}
	after, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(before, after) {
		t.Error("the file was changed")
	}
	far := history{"record.290": h["record.290"]}
	if err := far.post(tree, 1<<20); err != nil {
		t.Errorf("Post to a record whose pages are whole: %v", err)
	}
	everything, err := index.CompileGlob("*")
	if err != nil {
		t.Fatal(err)
	}
	told := uint64(0)
	with := pruning(func(gone []Deletion) {
		for _, g := range gone {
			told += g.Values
		}
	})
	deleted, err := tree.Prune(ctx, everything, Rule{OlderThan: 5}, with)
	if !errors.Is(err, daybook.ErrCorrupt) || offsetIn(err) != offset || deleted < 5*200 || deleted > 5*299 || deleted != told {
		t.Errorf("Prune: got %d, of which it told %d, %v; want most of %d, and ErrCorrupt at offset %d", deleted, told, err, 5*300, offset)
	}
	if after, err = os.ReadFile(path); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(before[offset:offset+pageSize], after[offset:offset+pageSize]) {
		t.Error("the damaged page was changed")
	}
	for record, want := range map[string]int{"record.000": posts - 5, "record.200": posts - 5, "record.290": 2*posts - 5} {
		if got, err := read(tree, record); len(got) != want || err != nil {
			t.Errorf("after Prune %s has %d values, %v; want %d", record, len(got), err, want)
		}
	}
}

// pruning is for a Prune that nothing else happens beside.
func pruning(gone func([]Deletion)) Pruning {
	return Pruning{Deleted: gone, BetweenTransactions: func() {}, Pause: func() {}, FreeSpace: func() bool { return false }}
}

// TestUnfinished opens every part of a file that was being created, and what is not one.
func TestUnfinished(t *testing.T) {
	const sector = 512
	path := filepath.Join(dirInMemory(t), "tree")
	whole := pages.NewFile(os.Getpagesize())
	open := func(data []byte) error {
		t.Helper()
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		tree, err := Open(path, options())
		if err == nil {
			mustPost(t, tree, 0)
			err = tree.Close()
		}
		return err
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 40 {
		torn := bytes.Clone(whole)
		for at := 0; at < len(torn); at += sector {
			if random.IntN(2) == 0 {
				clear(torn[at : at+sector])
			}
		}
		if err := open(torn); err != nil {
			t.Fatalf("a part of what a file begins with: %v", err)
		}
	}
	for _, length := range []int{1, 100, sector, len(whole) - sector, len(whole)} {
		if err := open(whole[:length]); err != nil {
			t.Errorf("cut off at %d: %v", length, err)
		}
	}
	theirs := bytes.Clone(whole)
	clear(theirs[:2*os.Getpagesize()])
	theirs[3*os.Getpagesize()+100] = 'x'
	if err := open(theirs); !errors.Is(err, daybook.ErrCorrupt) {
		t.Errorf("something else: got %v; want ErrCorrupt", err)
	}
	if data, err := os.ReadFile(path); err != nil || !bytes.Equal(data, theirs) {
		t.Errorf("something else was changed: %v", err)
	}
}

// TestMetaGone takes both meta pages away under an open tree: nothing waits for ever, and the lock is given up.
func TestMetaGone(t *testing.T) {
	for name, spoil := range map[string]func(path string) error{
		"zeroed": func(path string) error {
			file, err := os.OpenFile(path, os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			_, err = file.WriteAt(make([]byte, 2*pageSize), 0)
			return errors.Join(err, file.Close())
		},
		"cut off": func(path string) error { return os.Truncate(path, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "tree")
			tree := mustOpen(t, path)
			mustPost(t, tree, 0)
			s, err := tree.Snapshot()
			if err != nil {
				t.Fatal(err)
			}
			if err := spoil(path); err != nil {
				t.Fatal(err)
			}
			s.Close()
			h, watermark := round(1)
			for what, err := range map[string]error{
				"Snapshot": second(tree.Snapshot()),
				"Post":     h.post(tree, watermark),
				"Check":    tree.Check(ctx),
			} {
				if !errors.Is(err, daybook.ErrCorrupt) {
					t.Errorf("%s: got %v; want ErrCorrupt", what, err)
				}
			}
			if err := tree.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			mustPost(t, mustOpen(t, path), 0)
		})
	}
}

func second[T any](_ T, err error) error { return err }

// TestWrongFreelist lists a page as free that is in use, each in turn: it would be written over.
func TestWrongFreelist(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tree")
	tree := mustOpen(t, path)
	mustPost(t, tree, 0)
	mustPost(t, tree, 1)
	var used []uint64
	err := tree.bolt.View(func(tx *bbolt.Tx) error {
		for id := 2; id < int(tx.Size()/pageSize); id++ {
			if page, err := tx.Page(id); err == nil && page.Type != "free" {
				used = append(used, uint64(id))
			}
		}
		return nil
	})
	if err := errors.Join(err, tree.Close()); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	list := freelistOf(good)
	first := binary.NativeEndian.Uint64(good[list+16:])
	for _, id := range used {
		if id >= first { // before the first that is free, so that the list stays in order
			break
		}
		damaged := bytes.Clone(good)
		binary.NativeEndian.PutUint64(damaged[list+16:], id)
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(path, options()); !errors.Is(err, daybook.ErrCorrupt) {
			t.Errorf("page %d, which is in use, is listed as free: got %v; want ErrCorrupt", id, err)
		}
	}
}

// freelistOf is where the newer meta page has the freelist; of those whose checksum agrees.
func freelistOf(data []byte) int {
	var meta []byte
	for _, m := range [][]byte{data[16:80], data[pageSize+16 : pageSize+80]} {
		sum := fnv.New64a()
		_, _ = sum.Write(m[:56])
		whole := sum.Sum64() == binary.NativeEndian.Uint64(m[56:])
		if whole && (meta == nil || binary.NativeEndian.Uint64(m[48:]) > binary.NativeEndian.Uint64(meta[48:])) {
			meta = m
		}
	}
	return int(binary.NativeEndian.Uint64(meta[32:])) * pageSize
}
