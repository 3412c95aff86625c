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

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/bbolt"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/disk"
	"github.com/daybook-db/daybook/proof/testenv"
)

// TestStructure flips bits in the pages without a saved checksum, which bbolt believes when it
// writes: the meta pages, the root page, the freelist and the pages of the bucket of checksums. It
// flips all bits where bbolt verifies least, and about one in each byte of the rest; with -short
// fewer. The trees differ in where their pages are. Whatever is read must be right. A tree in which
// Open and Check find no damage must be usable.
func TestStructure(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	cases, found, layouts := 0, 0, 4
	if testing.Short() {
		layouts = 2
	}
	for records := range layouts {
		path := filepath.Join(testenv.TempDir(t), "tree")
		s := structure{dir: openDirectory(t, filepath.Dir(path)), path: path, records: records + 1}
		tree := mustOpen(t, path)
		for s.rounds = range 5 + records {
			s.mustPost(t, tree)
		}
		s.rounds++
		extents := s.extents(t, tree)
		if err := tree.Close(); err != nil {
			t.Fatal(err)
		}
		good, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, extent := range extents {
			bits := 8 * (extent.end - extent.from)
			for n := random.IntN(extent.step); n < bits; n += 1 + random.IntN(2*extent.step-1) {
				damaged, at, bit := bytes.Clone(good), extent.from+n/8, n%8
				damaged[at] ^= 1 << bit
				if err := os.WriteFile(path, damaged, 0o600); err != nil {
					t.Fatal(err)
				}
				wasFound, err := s.use()
				if err != nil {
					t.Errorf("%d records, bit %d of the byte at offset %d of the %s: %v (seed %d)",
						s.records, bit, at, extent.name, err, seed)
				}
				if cases++; wasFound {
					found++
				}
			}
		}
	}
	t.Logf("%d cases, %d of them found", cases, found)
}

// structure describes a tree with one value per round of each of a few records.
type structure struct {
	dir     disk.FS
	path    string
	records int
	rounds  int
}

func (s *structure) run(record, round int) []codec.Entry {
	sequence := uint64(round*s.records + record + 1)
	random, digits := rand.New(rand.NewPCG(sequence, 0)), []byte{'1'}
	for range 400 { // with more than this the buckets do not fit into the root page
		digits = append(digits, '0'+byte(random.IntN(10)))
	}
	return []codec.Entry{{Timestamp: sequence, Sequence: sequence, Value: digits}}
}

func (s *structure) post(tree *Tree) error {
	h := make(history)
	for record := range s.records {
		h[string(rune('a'+record))] = s.run(record, s.rounds)
	}
	return h.post(tree, uint64((s.rounds+1)*s.records))
}

func (s *structure) mustPost(t *testing.T, tree *Tree) {
	t.Helper()
	if err := s.post(tree); err != nil {
		t.Fatal(err)
	}
}

// extent is a range of bytes of the file. On average, one in step of its bits is flipped.
type extent struct {
	name      string
	from, end int
	step      int
}

// extents returns the extents of the pages without a saved checksum, as far as they have content.
func (s *structure) extents(t *testing.T, tree *Tree) (extents []extent) {
	t.Helper()
	all, some := 1, 8
	if testing.Short() {
		all, some = 6, 40
	}
	data, err := os.ReadFile(s.path)
	if err != nil {
		t.Fatal(err)
	}
	err = tree.bolt.View(func(tx *bbolt.Tx) error {
		list := freelistOf(data)
		free := int(binary.NativeEndian.Uint16(data[list+10:]))
		root := int(tx.Cursor().Bucket().Root()) * pageSize
		sums := int(tx.Bucket([]byte(pagesBucket)).Root()) * pageSize
		if sums == 0 {
			t.Fatal("the tree is so small that it has no checksums")
		}
		elements := 16 * int(binary.NativeEndian.Uint16(data[sums+10:]))
		extents = []extent{
			{"first meta page", 0, 80, some},
			{"second meta page", pageSize, pageSize + 80, some},
			{"freelist's header", list, list + 16, all},
			{"freelist", list + 16, list + 16 + 8*free, some},
			{"root page", root, endOf(data, root), some},
			{"structure of the checksums", sums, sums + 16 + elements, all},
			{"checksums", sums + 16 + elements, endOf(data, sums), 10 * some},
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return extents
}

// endOf returns the end of a leaf's last value.
func endOf(data []byte, page int) int {
	last := page + 16*int(binary.NativeEndian.Uint16(data[page+10:]))
	end := last
	for _, field := range []int{4, 8, 12} { // position, key, value
		end += int(binary.NativeEndian.Uint32(data[last+field:]))
	}
	return end
}

// use opens a damaged tree, and reads and posts. It reports whether the damage was found. If so,
// later calls may find more damage.
func (s *structure) use() (found bool, err error) {
	tree, err := Open(s.dir, s.path, options())
	if errors.Is(err, daybook.ErrCorrupt) {
		return true, nil
	} else if err != nil {
		return false, err
	}
	checked := tree.Check(ctx)
	allow := func(err error) error {
		if checked != nil && errors.Is(err, daybook.ErrCorrupt) {
			return nil
		}
		return err
	}
	more := *s
	err = errors.Join(allow(checked), allow(s.wantValues(tree)))
	for range 2 {
		if posted := more.post(tree); posted == nil {
			more.rounds++
		} else if checked == nil {
			err = errors.Join(err, posted)
		}
	}
	err = errors.Join(err, allow(tree.Check(ctx)), tree.Close())
	if tree, again := Open(s.dir, s.path, options()); again != nil {
		err = errors.Join(err, allow(again))
	} else {
		err = errors.Join(err, allow(tree.Check(ctx)), allow(more.wantValues(tree)), tree.Close())
	}
	return checked != nil, err
}

// wantValues compares the tree with the values of all rounds.
func (s *structure) wantValues(tree *Tree) error {
	for record := range s.records {
		got, err := read(tree, string(rune('a'+record)))
		if err != nil {
			return err
		}
		var want []codec.Entry
		for round := range s.rounds {
			want = append(want, s.run(record, round)...)
		}
		if !slices.EqualFunc(got, want, sameEntry) { // cmp.Diff takes a hundred times as long
			return errors.New(cmp.Diff(want, got))
		}
	}
	return nil
}
