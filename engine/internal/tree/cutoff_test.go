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
)

// TestCutoff holds the rule against what sorting all values says: those that it takes are the oldest, as many as must go.
func TestCutoff(t *testing.T) {
	everything, err := index.CompileGlob("*")
	if err != nil {
		t.Fatal(err)
	}
	parent := dirInMemory(t)
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp(parent, "")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		tree, err := Open(filepath.Join(dir, "a.db"), options())
		if err != nil {
			t.Fatal(err)
		}
		defer tree.Close()
		times := rapid.SampledFrom([]*rapid.Generator[uint64]{
			rapid.Just(uint64(0)), rapid.Just(uint64(math.MaxUint64)), rapid.Uint64Range(0, 3), rapid.Uint64Range(1e12, 1e12+1e6), rapid.Uint64(),
		}).Draw(t, "times")
		h, sequence := make(history), uint64(0)
		var all, beside []codec.Entry
		for range rapid.IntRange(0, 60).Draw(t, "values") {
			sequence += rapid.SampledFrom([]uint64{1, 1, 1, 7, 1 << 40}).Draw(t, "gap")
			e := codec.Entry{Timestamp: times.Draw(t, "at"), Sequence: sequence, Value: []byte(strings.Repeat("1", rapid.IntRange(1, 30).Draw(t, "bytes")))}
			all = append(all, e)
			if record := rapid.IntRange(0, 3).Draw(t, "record"); record == 0 {
				beside = append(beside, e)
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
		slices.SortFunc(all, codec.Entry.Compare)
		keep := rapid.Uint64Range(0, valueBytes(all)+1).Draw(t, "keep")
		rule, unread, err := tree.Cutoff(ctx, everything, func(uint64) uint64 { return keep }, slices.Values(beside))
		if err != nil || unread != nil {
			t.Fatal(err, unread)
		}
		left := valueBytes(all)
		for _, e := range all {
			if got, want := rule.takes(e.Timestamp, e.Sequence), left > keep; got != want {
				t.Fatalf("keeping %d bytes, with %d of them from %d, %d on: %+v takes it: %v; want %v", keep, left, e.Timestamp, e.Sequence, rule, got, want)
			}
			left -= uint64(len(e.Value))
		}
	})
}
