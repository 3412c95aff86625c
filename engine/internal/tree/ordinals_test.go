// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/codec"
)

// inUpdate calls fn in a write transaction of a tree with verbHistory, and undoes it.
func inUpdate(t *testing.T, fn func(w *writeTx)) {
	t.Helper()
	tree, undone := mustOpen(t, makeVerbTree(t)), errors.New("undone")
	err := tree.update(func(w *writeTx) error { fn(w); return undone })
	if !errors.Is(err, undone) {
		t.Fatal(err)
	}
}

func wantTooManyChunks(t *testing.T, err error) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), "too many chunks") {
		t.Errorf("got %v; want too many chunks", err)
	}
}

// TestLastOrdinal needs a chunk after the one with the last ordinal that a key can have: by a chunk
// before it that gets longer, by a prune, and in a salvaged tree.
func TestLastOrdinal(t *testing.T) {
	last := codec.Key{Record: "a", Timestamp: 0, Ordinal: math.MaxUint32}
	before := chunk{ordinal: math.MaxUint32 - 1, Header: codec.Header{First: 0}}
	inUpdate(t, func(w *writeTx) {
		first, err := w.next("a", nil)
		if err != nil {
			t.Fatal(err)
		}
		wantTooManyChunks(t, w.raiseOrdinals("a", first, last))

		p := recordPrune{tx: w, record: "a", newest: &before, spare: spared{after: math.MaxUint64}}
		wantTooManyChunks(t, second(p.deleteUnspared(first, 1)))

		s := salvage{record: "a", key: codec.Key{Record: "a", Ordinal: math.MaxUint32 - 1}, spare: p.spare}
		s.sums.entry.Count = 1
		if err := w.coder.Decode(&s.buffer, first.key, first.encoded); err != nil {
			t.Fatal(err)
		}
		_, _, _, err = s.storedAfter(first.key, first.encoded)
		wantTooManyChunks(t, err)
	})
}

// TestRaiseDamagedOrdinals gives a new ordinal to a chunk whose header is damaged.
func TestRaiseDamagedOrdinals(t *testing.T) {
	inUpdate(t, func(w *writeTx) {
		first, err := w.next("a", nil)
		if err != nil {
			t.Fatal(err)
		}
		first.encoded = bytes.Clone(first.encoded)
		first.encoded[0] ^= 0x40
		err = w.raiseOrdinals("a", first, codec.Key{Record: "a"})
		if !errors.Is(err, daybook.ErrCorrupt) && !errors.Is(err, daybook.ErrVersion) {
			t.Errorf("got %v; want ErrCorrupt", err)
		}
	})
}
