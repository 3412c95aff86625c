// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"bytes"
	"context"
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
)

// A few pages have no saved checksum: the meta pages, the root page, the freelist and the pages of the bucket of
// checksums. bbolt believes them when it writes.

// TestStructure flips bits in those pages, in trees whose pages lie differently: all where bbolt
// believes most, and about one in each byte elsewhere; with -short fewer. What is read is right, and what Open and
// Check find nothing wrong with can be gone on with.
func TestStructure(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	cases, found, layouts := 0, 0, 4
	if testing.Short() {
		layouts = 2
	}
	for records := range layouts {
		path := filepath.Join(dirInMemory(t), "tree")
		s := structure{path: path, records: records + 1}
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
				wasFound, err := s.survives()
				if err != nil {
					t.Errorf("%d records, bit %d of the byte at offset %d of the %s: %v (seed %d)", s.records, bit, at, extent.what, err, seed)
				}
				if cases++; wasFound {
					found++
				}
			}
		}
	}
	t.Logf("%d cases, %d of them found", cases, found)
}

// structure is a tree with a value per round of a few records.
type structure struct {
	path    string
	records int
	rounds  int
}

func (s *structure) run(record, round int) []codec.Entry {
	sequence := uint64(round*s.records + record + 1)
	random, digits := rand.New(rand.NewPCG(sequence, 0)), []byte{'1'}
	for range 400 { // so much that not all fits into the root page
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

// extent is a part of the file, and one in how many of its bits are flipped, on average.
type extent struct {
	what      string
	from, end int
	step      int
}

// extents are where the pages stand that have no saved checksum, as far as there is something on them.
func (s *structure) extents(t *testing.T, tree *Tree) (extents []extent) {
	t.Helper()
	most, few := 1, 8
	if testing.Short() {
		most, few = 6, 40
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
			{"first meta page", 0, 80, few},
			{"second meta page", pageSize, pageSize + 80, few},
			{"freelist's header", list, list + 16, most},
			{"freelist", list + 16, list + 16 + 8*free, few},
			{"root page", root, endOf(data, root), few},
			{"structure of the checksums", sums, sums + 16 + elements, most},
			{"checksums", sums + 16 + elements, endOf(data, sums), 10 * few},
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return extents
}

// endOf is where the last value of a leaf ends.
func endOf(data []byte, page int) int {
	last := page + 16*int(binary.NativeEndian.Uint16(data[page+10:]))
	end := last
	for _, field := range []int{4, 8, 12} { // position, key, value
		end += int(binary.NativeEndian.Uint32(data[last+field:]))
	}
	return end
}

// survives opens a damaged tree, and goes on with it. It reports whether the damage was found; if so, more of it may
// be found later.
func (s *structure) survives() (found bool, err error) {
	tree, err := Open(s.path, options())
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
	err = errors.Join(allow(checked), allow(s.holds(tree)))
	for range 2 {
		if posted := more.post(tree); posted == nil {
			more.rounds++
		} else if checked == nil {
			err = errors.Join(err, posted)
		}
	}
	err = errors.Join(err, allow(tree.Check(ctx)), tree.Close())
	if tree, again := Open(s.path, options()); again != nil {
		err = errors.Join(err, allow(again))
	} else {
		err = errors.Join(err, allow(tree.Check(ctx)), allow(more.holds(tree)), tree.Close())
	}
	return checked != nil, err
}

// holds wants the values of all rounds.
func (s *structure) holds(tree *Tree) error {
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

// TestManyFaults damages more pages than Check reports.
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
	pages := 0
	for at := 2 * pageSize; at < len(data); at += pageSize {
		if binary.NativeEndian.Uint16(data[at+8:]) == 2 && bytes.Contains(data[at:at+pageSize], []byte("record.")) {
			data[at+16] ^= 2 // the flags of its first element
			pages++
		}
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	tree = mustOpen(t, path)
	joined, ok := tree.Check(ctx).(interface{ Unwrap() []error })
	if !ok || pages < 2*mostFaults {
		t.Fatalf("%d pages were damaged, and Check found no faults", pages)
	}
	faults := joined.Unwrap()
	if got := len(faults); got > mostFaults+2 || !errors.Is(faults[got-1], errTooManyFaults) {
		t.Errorf("%d faults, the last %v; want %d, and that there are more", got, faults[got-1], mostFaults)
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if err := tree.Check(cancelled); !errors.Is(err, context.Canceled) {
		t.Errorf("Check with a cancelled context: %v", err)
	}
}

// TestUnfinishedElsewhere has two programs come upon a file whose creation was cut off: the second must not empty what
// the first has made of it.
func TestUnfinishedElsewhere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tree")
	bolt, err := bbolt.Open(path, 0o600, nil) // as it is before the first commit
	if err != nil {
		t.Fatal(err)
	}
	if erased, err := eraseUnfinished(path); erased || !errors.Is(err, daybook.ErrLocked) {
		t.Errorf("while another has it open: %t, %v; want ErrLocked", erased, err)
	}
	if err := bolt.Close(); err != nil {
		t.Fatal(err)
	}
	if erased, err := eraseUnfinished(path); !erased || err != nil {
		t.Errorf("once it is closed: %t, %v; want it emptied", erased, err)
	}
}

// TestUnsealedFreelist has the freelist of an unsealed tree list a page that has no checksum.
func TestUnsealedFreelist(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tree")
	tree := mustOpen(t, path)
	s := structure{path: path, records: 3}
	for s.rounds = range 4 {
		s.mustPost(t, tree)
	}
	err := tree.update(func(w *writer) error {
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
		if _, err := Open(path, options()); !errors.Is(err, daybook.ErrCorrupt) {
			t.Errorf("page %d, the root or the freelist, is listed as free: got %v; want ErrCorrupt", id, err)
		}
	}
}
