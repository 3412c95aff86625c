// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/index"
	"github.com/daybook-db/daybook/proof/testenv"
)

// TestCopyStored copies the values that were stored after a number, or that a hold spares. They lie
// anywhere among the values of a record, and many have the same time.
func TestCopyStored(t *testing.T) {
	held, err := index.CompileGlob("1")
	if err != nil {
		t.Fatal(err)
	}
	parent := testenv.TempDir(t)
	runs := 0
	rapid.Check(t, func(t *rapid.T) {
		runs++
		tree, err := openAt(t, filepath.Join(parent, fmt.Sprint(runs, ".db")), options())
		if err != nil {
			t.Fatal(err)
		}
		defer tree.Close()
		times := rapid.SampledFrom([]uint64{0, 2, 50}).Draw(t, "times")
		rule := Rule{
			StoredThrough: rapid.Uint64Range(0, 60).Draw(t, "after"),
			KeepNewest:    rapid.SampledFrom([]uint64{0, 0, 1, 2, 7}).Draw(t, "keep"),
		}
		hold := Hold{Pattern: held, At: rapid.Uint64Range(0, 60).Draw(t, "at")}
		hold.From = hold.At + rapid.Uint64Range(0, 20).Draw(t, "from")
		h, sequence := make(history), uint64(0)
		values, bytes, wantLost := uint64(0), uint64(0), uint64(0)
		for range rapid.IntRange(0, 60).Draw(t, "values") {
			sequence++
			record := fmt.Sprint(rapid.IntRange(1, 3).Draw(t, "record"))
			value := []byte(fmt.Sprint(sequence * 1_000_003))
			at := rapid.Uint64Range(0, times).Draw(t, "time")
			h[record] = append(h[record], codec.Entry{Timestamp: at, Sequence: sequence, Value: value})
		}
		for record, run := range h {
			slices.SortFunc(run, codec.Entry.Compare)
			for i, e := range run {
				isHeld, isNewest := record == "1" && e.Sequence > hold.From, uint64(len(run)-i) <= rule.KeepNewest
				switch {
				case e.Sequence > rule.StoredThrough || isHeld || isNewest:
					values, bytes = values+1, bytes+uint64(len(e.Value))
				case record == "1" && e.Sequence > hold.At:
					wantLost++
				}
			}
		}
		if err := h.post(tree, sequence); err != nil {
			t.Fatal(err)
		}
		with := Pruning{Holds: Holds{hold}, NotesOf: func(lost []uint64) Notes {
			return Notes{"hold": fmt.Append(nil, lost[0])}
		}}
		path := filepath.Join(parent, fmt.Sprint(runs, ".copy.db"))
		stored, lost, err := tree.CopyStored(ctx, path, rule, 1<<20, with)
		if err != nil {
			t.Fatal(err)
		}
		defer stored.Close()
		state, err := stored.State()
		if err != nil || state.Values != values || state.Bytes != bytes || state.Watermark != sequence {
			t.Fatalf("the copy has %+v, %v; want %d values of %d bytes", state, err, values, bytes)
		}
		notes, err := stored.Notes()
		if want := fmt.Sprint(wantLost); lost[0] != wantLost || string(notes["hold"]) != want || err != nil {
			t.Fatalf("the hold lost %d, noted %q, %v; want %s", lost[0], notes["hold"], err, want)
		}
		if err := stored.Check(ctx); err != nil {
			t.Fatal(err)
		}
	})
}
