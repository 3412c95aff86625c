// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/bbolt"

	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/disk"
)

var ctx = context.Background()

const pageSize = 4096

func options() Options {
	return Options{LockTimeout: -1, ChunkValues: 4, ChunkBytes: 1000, TransactionBytes: 64 << 10}
}

// history has the values that a tree should have.
type history map[string][]codec.Entry

// posting returns a posting of all values. It alternates between one processor and all.
func (h history) posting(watermark uint64) Posting {
	calls := 0
	useAll := func() bool {
		calls++
		return calls%3 > 0
	}
	return Posting{Watermark: watermark, UseAllProcessors: useAll, Runs: func(after string) iter.Seq[Run] {
		return func(yield func(Run) bool) {
			for _, name := range slices.Sorted(maps.Keys(h)) {
				if name > after && !yield(Run{Record: name, Values: h[name]}) {
					return
				}
			}
		}
	}}
}

// post posts all values in one transaction.
func (h history) post(tree *Tree, watermark uint64) error {
	_, err := tree.Post(h.posting(watermark))
	return err
}

// valuesPerRound is the number of values of each record in a round.
const valuesPerRound = 10

// round returns values of 300 records. Their sequence numbers follow those of the previous round.
func round(number int) (h history, watermark uint64) {
	h = make(history)
	sequence := uint64(number * 300 * valuesPerRound)
	for record := range 300 {
		name := fmt.Sprintf("record.%03d", record)
		for i := range valuesPerRound {
			sequence++
			h[name] = append(h[name], codec.Entry{
				Timestamp: uint64(number*1000 + i), Sequence: sequence,
				Value: fmt.Appendf(nil, `{"round":%d,"n":%d,"of":"%s"}`, number, i, name),
			})
		}
	}
	return h, sequence
}

func openDirectory(t *testing.T, path string) disk.FS {
	t.Helper()
	dir, err := (disk.OS{}).OpenDirectory(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = dir.Close() })
	return dir
}

// openAt opens the directory of a file until the test ends, and in it the file.
func openAt(t interface{ Cleanup(func()) }, path string, opts Options) (*Tree, error) {
	dir, err := (disk.OS{}).OpenDirectory(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { _ = dir.Close() })
	return Open(dir, path, opts)
}

func mustOpen(t *testing.T, path string) *Tree {
	t.Helper()
	tree, err := openAt(t, path, options())
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

// mustSnapshot begins a snapshot, which the caller closes.
func mustSnapshot(t testing.TB, tree *Tree) *Snapshot {
	t.Helper()
	s, err := tree.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// read returns all values of a record.
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
		for i := range chunk.Len() {
			e := chunk.Entry(i)
			e.Value = bytes.Clone(e.Value)
			entries = append(entries, e)
		}
	}
}

// wantRounds checks that the tree has the values of a number of rounds, and that it is undamaged.
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
	// bbolt's own check knows nothing of the checksums.
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

func wantReadOnly(t *testing.T, path string, rounds int) {
	t.Helper()
	opts := options()
	opts.ReadOnly = true
	tree, err := openAt(t, path, opts)
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	wantRounds(t, tree, rounds)
}

// pruning returns the functions for a Prune during which nothing else happens.
func pruning(deleted func([]Deletion)) Pruning {
	return Pruning{
		Deleted: deleted, BetweenTransactions: func() {}, Pause: func() {}, FreeSpace: func() bool { return false },
	}
}

// second returns the second result of a call.
func second[T any](_ T, err error) error { return err }
