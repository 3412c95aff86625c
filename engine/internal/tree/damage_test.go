// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/index"
	"github.com/daybook-db/daybook/proof/testenv"
)

// TestMetaFallback damages one meta page and then the other. In both cases the tree has the same
// values, and Check reports the damage that Open found.
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
		mustPost(t, tree, 2) // the commit or its seal writes the page again
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		leaf := damageLeaf(t, path, "record.100")
		for _, at := range []int{meta * pageSize, leaf} { // other damage hides none
			if err := tree.Check(ctx); !strings.Contains(fmt.Sprint(err), fmt.Sprintf("at offset %d", at)) {
				t.Errorf("meta page %d and a leaf damaged: Check: got %v; want offset %d", meta, err, at)
			}
		}
		overwrite(t, path, whole, 0)
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

// offsetIn returns the offset in an error that matches ErrCorrupt; -1 if there is none.
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

// TestDamageIsNotWrittenAgain damages a leaf, and then posts to and prunes records on the leaf and
// on its neighbours. Nothing may be written because of the leaf's damaged content.
func TestDamageIsNotWrittenAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tree")
	tree := mustOpen(t, path)
	mustPost(t, tree, 0)
	offset := damageLeaf(t, path, "record.100")
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
		t.Errorf("Post to a record on undamaged pages: %v", err)
	}
	everything, err := index.CompileGlob("*")
	if err != nil {
		t.Fatal(err)
	}
	reported := uint64(0)
	with := pruning(func(deletions []Deletion) {
		for _, d := range deletions {
			reported += d.Values
		}
	})
	deleted, err := tree.Prune(ctx, everything, Rule{OlderThan: 5}, with)
	isDamage := errors.Is(err, daybook.ErrCorrupt) && offsetIn(err) == offset
	if !isDamage || deleted < 5*200 || deleted > 5*299 || deleted != reported {
		t.Errorf("Prune: got %d, of which it reported %d, %v; want most of %d, and ErrCorrupt at offset %d",
			deleted, reported, err, 5*300, offset)
	}
	all := uint64(0)
	noted := func(total uint64) uint64 { all = total; return 0 }
	some := mustPattern(t, "record.1*")
	rule, skipped, err := tree.Cutoff(ctx, some, ByTime, noted, nil, 0, slices.Values([]codec.Entry(nil)))
	if whole := bytesOf(t, tree, "record.1"); offsetIn(skipped) != offset || err != nil || rule == (Rule{}) ||
		all < whole/2 || all > whole {
		t.Errorf("Cutoff: got %+v of %d bytes, %v, %v; want up to %d bytes, and ErrCorrupt at offset %d",
			rule, all, skipped, err, whole, offset)
	}
	if after, err = os.ReadFile(path); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(before[offset:offset+pageSize], after[offset:offset+pageSize]) {
		t.Error("the damaged page was changed")
	}
	for record, want := range map[string]int{
		"record.000": valuesPerRound - 5, "record.200": valuesPerRound - 5, "record.290": 2*valuesPerRound - 5,
	} {
		if got, err := read(tree, record); len(got) != want || err != nil {
			t.Errorf("after Prune %s has %d values, %v; want %d", record, len(got), err, want)
		}
	}
}

// bytesOf returns the sum that the catalogue entries of the records with a prefix have.
func bytesOf(t *testing.T, tree *Tree, prefix string) (sum uint64) {
	t.Helper()
	s, err := tree.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for names := s.Records(mustPattern(t, prefix+"*")); ; {
		_, entry, found, err := names.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if !found {
			return sum
		}
		sum += entry.Bytes
	}
}

// damageLeaf changes the header of the leaf that has a record's first chunk so that the leaf seems
// to have one element only. It returns the leaf's offset.
func damageLeaf(t *testing.T, path, record string) (offset int) {
	t.Helper()
	data := mustRead(t, path)
	for _, leaf := range leavesOf(t, data, record) {
		if binary.NativeEndian.Uint16(data[leaf+10:]) > 1 {
			overwrite(t, path, []byte{1, 0}, leaf+10)
			return leaf
		}
	}
	t.Fatalf("no page has several chunks, one of them of %s", record)
	return 0
}

// leavesOf returns the offsets of the leaves that have chunks of a record in the newest commit of a
// file, in the order of the file. A free page, which may still have such chunks, is not among them:
// the next commit may write something else there.
func leavesOf(t *testing.T, file []byte, record string) (offsets []int) {
	t.Helper()
	path := filepath.Join(testenv.TempDir(t), "file")
	copyOf(t, path, file) // the file itself may be open, and locked
	bolt, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true, PreLoadFreelist: true})
	if err != nil {
		t.Fatal(err)
	}
	defer bolt.Close()
	err = bolt.View(func(tx *bbolt.Tx) error {
		for id := 2; id*pageSize < len(file); id++ {
			page, err := tx.Page(id)
			if err != nil || page == nil { // nil: the end of the pages that were ever used
				return err
			}
			if page.Type == "free" {
				continue
			}
			start := id * pageSize
			id += page.OverflowCount
			if page.Type == "leaf" && bytes.Contains(file[start:(id+1)*pageSize], append([]byte(record), 0)) {
				offsets = append(offsets, start)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return offsets
}

// TestMetaLost destroys both meta pages of an open tree. No call may wait for ever, and Close must
// release the lock.
func TestMetaLost(t *testing.T) {
	for name, destroy := range map[string]func(t *testing.T, path string){
		"zeroed": func(t *testing.T, path string) { overwrite(t, path, make([]byte, 2*pageSize), 0) },
		"cut off": func(t *testing.T, path string) {
			if err := os.Truncate(path, 0); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "cut off" && runtime.GOOS == "windows" {
				t.Skip("Windows does not cut off a file while a part of it is mapped")
			}
			path := filepath.Join(t.TempDir(), "tree")
			tree := mustOpen(t, path)
			mustPost(t, tree, 0)
			s, err := tree.Snapshot()
			if err != nil {
				t.Fatal(err)
			}
			destroy(t, path)
			s.Close()
			h, watermark := round(1)
			for what, call := range map[string]func() error{
				"Snapshot": func() error { return second(tree.Snapshot()) },
				"Post":     func() error { return h.post(tree, watermark) },
				"Check":    func() error { return tree.Check(ctx) },
			} {
				testenv.EndsWithin(t, time.Minute, func() {
					if err := call(); !errors.Is(err, daybook.ErrCorrupt) {
						t.Errorf("%s: got %v; want ErrCorrupt", what, err)
					}
				})
			}
			testenv.EndsWithin(t, time.Minute, func() {
				if err := tree.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
			})
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			mustPost(t, mustOpen(t, path), 0)
		})
	}
}

// TestWrongFreelist lists each page in use as free in turn. If Open believed that, the page would
// be overwritten.
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
		if id >= first { // with a page before the first free one, the list stays in order
			break
		}
		damaged := bytes.Clone(good)
		binary.NativeEndian.PutUint64(damaged[list+16:], id)
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := openAt(t, path, options()); !errors.Is(err, daybook.ErrCorrupt) {
			t.Errorf("page %d, which is in use, is listed as free: got %v; want ErrCorrupt", id, err)
		}
	}
}

// freelistOf returns the offset of the freelist in the newer of the undamaged meta pages.
func freelistOf(data []byte) int {
	var meta []byte
	for _, m := range [][]byte{data[16:80], data[pageSize+16 : pageSize+80]} {
		sum := fnv.New64a()
		_, _ = sum.Write(m[:56])
		undamaged := sum.Sum64() == binary.NativeEndian.Uint64(m[56:])
		if undamaged && (meta == nil || binary.NativeEndian.Uint64(m[48:]) > binary.NativeEndian.Uint64(meta[48:])) {
			meta = m
		}
	}
	return int(binary.NativeEndian.Uint64(meta[32:])) * pageSize
}

// TestManyFaults damages more pages than the number after which Check stops.
func TestManyFaults(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tree")
	tree := mustOpen(t, path)
	for number := range 6 {
		mustPost(t, tree, number)
	}
	if err := tree.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	damaged := 0
	for at := 2 * pageSize; at < len(data); at += pageSize {
		if binary.NativeEndian.Uint16(data[at+8:]) == 2 && bytes.Contains(data[at:at+pageSize], []byte("record.")) {
			data[at+16] ^= 2 // the flags of its first element
			damaged++
		}
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	tree = mustOpen(t, path)
	joined, ok := tree.Check(ctx).(interface{ Unwrap() []error })
	if !ok || damaged < 2*maxFaults {
		t.Fatalf("%d pages were damaged, and Check found no faults", damaged)
	}
	faults := joined.Unwrap()
	if got := len(faults); got > maxFaults+2 || !errors.Is(faults[got-1], errTooManyFaults) {
		t.Errorf("%d faults, the last %v; want %d, and the error that there are more", got, faults[got-1], maxFaults)
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if err := tree.Check(cancelled); !errors.Is(err, context.Canceled) {
		t.Errorf("Check with a cancelled context: %v", err)
	}
}

// TestDamageSaysWhere lists damages with their texts. An engineer looks for the place that they
// name.
func TestDamageSaysWhere(t *testing.T) {
	cause := errors.New("a fault")
	for _, test := range []struct {
		name   string
		damage Damage
		want   string
	}{
		{"chunk", Damage{Bucket: valuesBucket, Record: "r", Key: []byte{1, 2}, Offset: 7},
			`chunk of record "r" under key 0102 at offset 7: a fault`},
		{"chunk of no known record", Damage{Bucket: valuesBucket, Key: []byte{1, 2}, Offset: 7},
			`chunk under key 0102 at offset 7: a fault`},
		{"chunk that is not written yet", Damage{Bucket: valuesBucket, Record: "r", Key: []byte{1}},
			`chunk of record "r" under key 01: a fault`},
		{"entry", Damage{Bucket: recordsBucket, Record: "r", Offset: 7},
			`catalogue entry of record "r" at offset 7: a fault`},
		{"no bucket", Damage{Offset: 7}, `a fault`},
	} {
		test.damage.Kind, test.damage.Path, test.damage.cause = daybook.ErrCorrupt, "the file", cause
		if got, want := test.damage.Error(), "corrupt: the file: "+test.want; got != want {
			t.Errorf("%s: got %q; want %q", test.name, got, want)
		}
	}
}
