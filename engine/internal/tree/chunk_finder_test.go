// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"fmt"
	"math"
	"path/filepath"
	"testing"

	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/proof/testenv"
)

// TestFindersAgree looks for the chunks around each timestamp of records with no, one and several
// chunks, of which some start at the same timestamp. The image before a transaction must show what
// the transaction shows that has changed nothing.
func TestFindersAgree(t *testing.T) {
	opts := options()
	opts.ChunkValues = 2
	tree, err := openAt(t, filepath.Join(testenv.TempDir(t), "tree"), opts)
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	h, sequence := make(history), uint64(0)
	for i, record := range []string{"a", "b", "b.b", "c", "d"} {
		for n := range 40 * i {
			sequence++
			timestamp := uint64(n / 6 * 10)
			if i == 4 && n >= 150 {
				timestamp = math.MaxUint64
			}
			h[record] = append(h[record], codec.Entry{Timestamp: timestamp, Sequence: sequence, Value: []byte("1")})
		}
	}
	if err := h.post(tree, sequence); err != nil {
		t.Fatal(err)
	}
	seen := 0
	err = tree.update(func(w *writeTx) error {
		for _, record := range []string{"", "a", "b", "b.a", "b.b", "c", "d", "e"} {
			for at := range uint64(280) {
				seen += sameChunks(t, w, record, at)
			}
			seen += sameChunks(t, w, record, math.MaxUint64)
		}
		return errNothing
	})
	if err != errNothing || seen < 1000 {
		t.Fatalf("%d chunks were compared, %v; want some 2000", seen, err)
	}
}

// sameChunks compares the chunks around a timestamp, and the neighbours of those, and returns how
// many there are.
func sameChunks(t *testing.T, w *writeTx, record string, at uint64) (seen int) {
	t.Helper()
	describe := func(f chunkFinder) (keys []string) {
		left, right, err := f.around(record, at)
		add := func(c *chunk, errs ...error) {
			if c != nil {
				seen++
				keys = append(keys, fmt.Sprintf("%x %d", c.key, c.Count))
			}
			keys = append(keys, fmt.Sprint(c == nil, err, errs))
		}
		for _, c := range []*chunk{left, right} {
			if add(c); c != nil {
				previous, err := f.previous(record, c)
				add(previous, err)
				next, err := f.next(record, c)
				add(next, err)
			}
		}
		return keys
	}
	if got, want := fmt.Sprint(describe(&w.finder)), fmt.Sprint(describe(w)); got != want {
		t.Errorf("record %q around %d: the image shows %s; the transaction %s", record, at, got, want)
	}
	return seen / 2
}
