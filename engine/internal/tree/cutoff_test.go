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
		tree, err := openAt(t, filepath.Join(dir, "a.db"), options())
		if err != nil {
			t.Fatal(err)
		}
		defer tree.Close()
		times := rapid.SampledFrom([]*rapid.Generator[uint64]{
			rapid.Just(uint64(0)), rapid.Just(uint64(math.MaxUint64)),
			rapid.Uint64Range(0, 3), rapid.Uint64Range(1e12, 1e12+1e6), rapid.Uint64(),
		}).Draw(t, "times")
		h, sequence := make(history), uint64(0)
		holds := drawHolds(t)
		keepNewest, minBytes := rapid.SampledFrom([]uint64{0, 0, 1, 5}).Draw(t, "keep newest"), 1
		if keepNewest > 0 {
			minBytes = 30 // values of one length: the estimate is exact then
		}
		var all, held, others []codec.Entry // all: what no hold spares, and is not among the newest
		for range rapid.IntRange(0, 60).Draw(t, "values") {
			sequence += rapid.SampledFrom([]uint64{1, 1, 1, 7, 1 << 40}).Draw(t, "gap")
			value := strings.Repeat("1", rapid.IntRange(minBytes, 30).Draw(t, "bytes"))
			e := codec.Entry{Timestamp: times.Draw(t, "at"), Sequence: sequence, Value: []byte(value)}
			record := rapid.IntRange(0, 3).Draw(t, "record")
			if spare := holds.of(fmt.Sprint(record), make([]uint64, len(holds))); spare.spares(sequence) {
				held = append(held, e)
			} else {
				all = append(all, e)
			}
			if record > 0 {
				h[fmt.Sprint(record)] = append(h[fmt.Sprint(record)], e)
			} else if len(held) == 0 || held[len(held)-1].Sequence != sequence {
				others = append(others, e)
			}
		}
		for _, run := range h {
			slices.SortFunc(run, codec.Entry.Compare)
			for _, newest := range run[len(run)-min(len(run), int(keepNewest)):] {
				all = slices.DeleteFunc(all, func(e codec.Entry) bool { return e.Sequence == newest.Sequence })
			}
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
			holds, keepNewest, slices.Values(others))
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

// drawHolds draws holds on the records 0 to 3, whose sequence numbers are small or large.
func drawHolds(t *rapid.T) (holds Holds) {
	for range rapid.SampledFrom([]int{0, 0, 1, 2}).Draw(t, "holds") {
		pattern, err := index.CompileGlob(rapid.SampledFrom([]string{"*", "1", "?"}).Draw(t, "held"))
		if err != nil {
			t.Fatal(err)
		}
		from := rapid.OneOf(rapid.Uint64Range(0, 60), rapid.Uint64Range(0, 1<<44)).Draw(t, "held from")
		holds = append(holds, Hold{Pattern: pattern, From: from})
	}
	return holds
}

// TestLastStored compares the bound of a hold, and the sums after it, with a list of all values.
func TestLastStored(t *testing.T) {
	pattern, err := index.CompileGlob("r?")
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
		tree, err := openAt(t, filepath.Join(dir, "a.db"), options())
		if err != nil {
			t.Fatal(err)
		}
		defer tree.Close()
		h, sequence := make(history), uint64(0)
		var all, others []codec.Entry // those that the pattern matches
		for range rapid.IntRange(0, 60).Draw(t, "values") {
			sequence += rapid.SampledFrom([]uint64{1, 1, 1, 7, 1 << 40}).Draw(t, "gap")
			value := strings.Repeat("1", rapid.IntRange(1, 30).Draw(t, "bytes"))
			at := rapid.Uint64Range(0, 100).Draw(t, "at")
			e := codec.Entry{Timestamp: at, Sequence: sequence, Value: []byte(value)}
			switch record := rapid.SampledFrom([]string{"others", "r1", "r2", "unmatched"}).Draw(t, "record"); record {
			case "others":
				all, others = append(all, e), append(others, e)
			case "unmatched":
				h[record] = append(h[record], e)
			default:
				all, h[record] = append(all, e), append(h[record], e)
			}
		}
		for _, run := range h {
			slices.SortFunc(run, codec.Entry.Compare)
		}
		if err := h.post(tree, sequence); err != nil {
			t.Fatal(err)
		}
		s, err := tree.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		after := rapid.OneOf(rapid.Just(uint64(0)), rapid.Uint64Range(0, sequence)).Draw(t, "after")
		maxBytes := rapid.Uint64Range(0, valueBytes(all)+1).Draw(t, "bytes")
		from, err := s.LastStored(ctx, pattern, after, maxBytes, slices.Values(others))
		if err != nil {
			t.Fatal(err)
		}
		rest := func(after uint64) (values, bytes uint64) {
			for _, e := range all {
				if e.Sequence > after {
					values, bytes = values+1, bytes+uint64(len(e.Value))
				}
			}
			return values, bytes
		}
		_, bytes := rest(from)
		_, before := rest(max(from, 1) - 1)
		if from < after || bytes > maxBytes || from > after && before <= maxBytes {
			t.Fatalf("from %d, after %d: the rest has %d bytes, with one more %d; want at most %d",
				from, after, bytes, before, maxBytes)
		}
		values, size, err := s.StoredAfter(ctx, pattern, from, slices.Values(others))
		if wantValues, wantBytes := rest(from); values != wantValues || size != wantBytes || err != nil {
			t.Fatalf("after %d: %d values of %d bytes, %v; want %d of %d",
				from, values, size, err, wantValues, wantBytes)
		}
	})
}

// TestCutoffKeepsNewest asks for the cut of records whose newest values do not count. All values
// have one length, so that the estimate for a chunk of which some count is exact.
func TestCutoffKeepsNewest(t *testing.T) {
	const values, length = 30, 100 // of each of two records
	tree, h, last := mustOpen(t, filepath.Join(testenv.TempDir(t), "tree")), make(history), uint64(0)
	for range values {
		for _, record := range []string{"a", "b"} {
			last++
			value := fmt.Appendf(nil, `"%0*d"`, length-2, last)
			h[record] = append(h[record], codec.Entry{Timestamp: last, Sequence: last, Value: value})
		}
	}
	if err := h.post(tree, last); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name                 string
		keepNewest, excess   uint64 // excess: number of values too many
		counting, olderCount uint64 // number of values that count, and that the rule deletes by age
	}{
		{"none is kept", 0, 5, 60, 5},
		{"one of each is kept", 1, 5, 58, 5},
		{"a part of a chunk is kept", 6, 5, 48, 5},
		{"the first value is too many", 6, 1, 48, 1},
		{"all but one of each are kept", 29, 2, 2, 2},
		{"all are kept", 30, 0, 0, 0},
		{"more than all are kept", 100, 0, 0, 0},
	} {
		all := uint64(0)
		keep := func(of uint64) uint64 { all = of; return of - test.excess*length }
		rule, skipped, err := tree.Cutoff(
			ctx, mustPattern(t, "*"), ByTime, keep, nil, test.keepNewest, slices.Values([]codec.Entry(nil)))
		if err != nil || skipped != nil {
			t.Fatalf("%s: %v, %v", test.name, skipped, err)
		}
		older := uint64(0)
		for _, entries := range h {
			older += uint64(len(rule.deleted(entries)))
		}
		if all != test.counting*length || older != test.olderCount {
			t.Errorf("%s: got %d bytes, of which %+v deletes %d values; want %d bytes, and %d values",
				test.name, all, rule, older, test.counting*length, test.olderCount)
		}
	}
}
