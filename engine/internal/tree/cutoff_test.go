// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/index"
	"github.com/daybook-db/daybook/proof/testenv"
)

// TestCutoff compares the rule with a sorted list of all values: it must take the oldest ones, and
// just enough.
func TestCutoff(t *testing.T) {
	everything, err := index.CompileGlob("*")
	if err != nil {
		t.Fatal(err)
	}
	parent := testenv.TempDir(t)
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp(parent, "")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		tree, err := openAt(filepath.Join(dir, "a.db"), options())
		if err != nil {
			t.Fatal(err)
		}
		defer tree.Close()
		times := rapid.SampledFrom([]*rapid.Generator[uint64]{
			rapid.Just(uint64(0)), rapid.Just(uint64(math.MaxUint64)),
			rapid.Uint64Range(0, 3), rapid.Uint64Range(1e12, 1e12+1e6), rapid.Uint64(),
		}).Draw(t, "times")
		h, sequence := make(history), uint64(0)
		var all, others []codec.Entry
		for range rapid.IntRange(0, 60).Draw(t, "values") {
			sequence += rapid.SampledFrom([]uint64{1, 1, 1, 7, 1 << 40}).Draw(t, "gap")
			value := strings.Repeat("1", rapid.IntRange(1, 30).Draw(t, "bytes"))
			e := codec.Entry{Timestamp: times.Draw(t, "at"), Sequence: sequence, Value: []byte(value)}
			all = append(all, e)
			if record := rapid.IntRange(0, 3).Draw(t, "record"); record == 0 {
				others = append(others, e)
			} else {
				h[fmt.Sprint(record)] = append(h[fmt.Sprint(record)], e)
			}
		}
		for _, run := range h {
			slices.SortFunc(run, codec.Entry.Compare)
		}
		if err := h.post(tree, sequence); err != nil {
			t.Fatal(err)
		}
		order := rapid.SampledFrom([]Order{ByTime, ByStored}).Draw(t, "order")
		if order == ByTime { // all is in the order of the sequence numbers
			slices.SortFunc(all, codec.Entry.Compare)
		}
		keep := rapid.Uint64Range(0, valueBytes(all)+1).Draw(t, "keep")
		rule, skipped, err := tree.Cutoff(ctx, everything, order, func(uint64) uint64 { return keep },
			slices.Values(others))
		if err != nil || skipped != nil {
			t.Fatal(err, skipped)
		}
		rest := valueBytes(all)
		for _, e := range all {
			got := rule.deletes(e.Timestamp, e.Sequence) || e.Sequence <= rule.StoredThrough
			if want := rest > keep; got != want {
				t.Fatalf("keep %d bytes, of %d from (%d, %d) on: %+v deletes the value there: %v; want %v",
					keep, rest, e.Timestamp, e.Sequence, rule, got, want)
			}
			rest -= uint64(len(e.Value))
		}
	})
}
