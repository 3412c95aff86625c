// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"fmt"
	"math"
	"path/filepath"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/proof/testenv"
)

// TestSparseRecordsShareLeaves posts few values of each of many records again and again, as a head
// has them that is full of records. Each record must keep one chunk, and the leaves must not become
// mostly empty.
func TestSparseRecordsShareLeaves(t *testing.T) {
	const records, rounds = 3000, 10
	opts := options()
	opts.ChunkValues, opts.ChunkBytes = 512, 32<<10
	tree, err := openAt(t, filepath.Join(testenv.TempDir(t), "tree"), opts)
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	for round := range uint64(rounds) {
		h := make(history)
		for i := range uint64(records) {
			number := (i*7919 + round*104729) % uint64(math.Pow10(int(i+round*i)%15))
			value := fmt.Appendf(nil, `{"celsius":%d,"unit":"C"}`, number)
			e := codec.Entry{Timestamp: 10 * round, Sequence: round*records + i + 1, Value: value}
			h[fmt.Sprintf("plant.line.%05d", i)] = []codec.Entry{e}
		}
		if err := h.post(tree, (round+1)*records); err != nil {
			t.Fatal(err)
		}
		wantFullLeaves(t, tree, int(round), records)
	}
	if err := tree.Check(ctx); err != nil {
		t.Error(err)
	}
}

// TestNewRecordsShareLeaves posts new records again and again, as those of sessions and orders. The
// leaves must not become mostly empty.
func TestNewRecordsShareLeaves(t *testing.T) {
	tests := []struct {
		name   string
		number func(n uint32) uint32 // in the name of the record with number n
		reason string                // why the row is here
	}{
		{"ascending", func(n uint32) uint32 { return n }, "names that follow all others, such as numbers of orders"},
		{"spread", func(n uint32) uint32 { return n * 2654435769 }, "names between the others, such as random ones"},
		{"mixed", func(n uint32) uint32 { return n * (1 + n%2*2654435768) }, "both"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			tree := mustOpen(t, filepath.Join(testenv.TempDir(t), "tree"))
			defer tree.Close()
			postNewRecords(t, tree, test.number)
			if err := tree.Check(ctx); err != nil {
				t.Error(err)
			}
		})
	}
}

// postNewRecords posts new records in many rounds. The number in their names is that of a function.
func postNewRecords(t *testing.T, tree *Tree, number func(n uint32) uint32) {
	t.Helper()
	const perRound, rounds = 100, 60
	for round := range uint64(rounds) {
		h := make(history)
		for i := range uint64(perRound) {
			sequence := round*perRound + i + 1
			e := codec.Entry{Timestamp: round, Sequence: sequence, Value: fmt.Appendf(nil, `{"total":%d}`, sequence)}
			h[fmt.Sprintf("session.%08x", number(uint32(sequence)))] = []codec.Entry{e}
		}
		if err := h.post(tree, (round+1)*perRound); err != nil {
			t.Fatal(err)
		}
		wantFullLeaves(t, tree, int(round), len(h)*int(round+1))
	}
}

// wantFullLeaves checks the number of chunks, and how full the leaves of both buckets are.
func wantFullLeaves(t *testing.T, tree *Tree, round, chunks int) {
	t.Helper()
	err := tree.viewBolt(func(tx *bbolt.Tx) error {
		for _, name := range []string{valuesBucket, recordsBucket} {
			s := tx.Bucket([]byte(name)).Stats()
			if s.KeyN != chunks || 2*s.LeafInuse < s.LeafAlloc {
				t.Errorf("round %d, bucket %q: %d keys, %d of %d bytes in use; want %d keys, and at least half",
					round, name, s.KeyN, s.LeafInuse, s.LeafAlloc, chunks)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestFillAfterNewRecords compares how full the leaves of the catalogue are made.
func TestFillAfterNewRecords(t *testing.T) {
	tests := []struct {
		name            string
		appended, grown int
		want            float64
		reason          string // why the row is here
	}{
		{"nothing", 0, 0, recordsFill, "leaves that do not grow are not split"},
		{"shrunk", 0, -10, recordsFill, "as after entries have lost their newest values"},
		{"appended", 100, 0, recordsFill, "the leaves before the new ones need no room"},
		{"mostly appended", 100, 90, recordsFill, "most leaves that are split are at the end"},
		{"between others", 90, 100, 0.5125, "two halves"},
		{"many between others", 0, 4000, recordsFill, "never full, because entries grow"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := catalogue{appended: test.appended, grown: test.grown}
			if got := c.fillAfter(4000); math.Abs(got-test.want) > 1e-9 {
				t.Errorf("got %v, want %v: %s", got, test.want, test.reason)
			}
		})
	}
}

func TestFillAfter(t *testing.T) {
	tests := []struct {
		name        string
		grown, used int
		want        float64
		reason      string // why the row is here
	}{
		{"nothing", 0, 4000, 1, "leaves that do not grow are not split"},
		{"shrunk", -10, 4000, 1, "as after a deletion"},
		{"new", 4000, 0, 1, "the first post of a new tree appends"},
		{"a little", 40, 4000, 0.505, "two halves"},
		{"by half", 2000, 4000, 0.75, "two equal parts"},
		{"doubled", 4000, 4000, 1, "two full leaves"},
		{"more than doubled", 5000, 4000, 0.75, "three equal parts"},
		{"many appended", 4_000_000, 4000, 1, "nearly all chunks are new ones"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := fillAfter(test.grown, test.used); math.Abs(got-test.want) > 1e-9 {
				t.Errorf("got %v, want %v: %s", got, test.want, test.reason)
			}
		})
	}
}
