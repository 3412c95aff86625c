// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/proof/testenv"
)

// TestSnapshotRanges reads random ranges of records whose timestamps have gaps and repetitions,
// from the oldest value on and from the newest, and compares with the values that were posted.
func TestSnapshotRanges(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 6))
	tree := mustOpen(t, filepath.Join(testenv.TempDir(t), "tree"))
	h, last := make(history), uint64(0)
	for record := range 12 {
		name, timestamp := fmt.Sprintf("r%02d", record), random.Uint64N(20)
		for range 1 + random.IntN(40) {
			last++
			timestamp += random.Uint64N(4) * random.Uint64N(4)
			value := fmt.Appendf(nil, `{"n":%d}`, last)
			h[name] = append(h[name], codec.Entry{Timestamp: timestamp, Sequence: last, Value: value})
		}
	}
	if err := h.post(tree, last); err != nil {
		t.Fatal(err)
	}
	s := mustSnapshot(t, tree)
	defer s.Close()
	for range 3000 {
		name := fmt.Sprintf("r%02d", random.IntN(13)) // the last one does not exist
		start := random.Uint64N(150)
		wanted := codec.Range{Start: start, End: start + random.Uint64N(60), Newest: random.IntN(2) == 0}
		if random.IntN(4) == 0 {
			wanted.Start = 0
		}
		got, err := readRange(s, name, wanted)
		var want []codec.Entry
		for _, e := range h[name] {
			if wanted.Contains(e.Timestamp) {
				want = append(want, e)
			}
		}
		if err != nil || !slices.EqualFunc(got, want, sameEntry) {
			t.Fatalf("%s, %+v: got %d values, %v; want %d", name, wanted, len(got), err, len(want))
		}
	}
}

// readRange returns the values in a range, the oldest first.
func readRange(s *Snapshot, record string, wanted codec.Range) (entries []codec.Entry, err error) {
	s.Seek(record, wanted)
	for {
		chunk, err := s.Next()
		if err != nil || chunk == nil {
			slices.SortFunc(entries, codec.Entry.Compare)
			return entries, err
		}
		for i := range chunk.Len() {
			e := chunk.Entry(i)
			e.Value = slices.Clone(e.Value)
			entries = append(entries, e)
		}
	}
}
