// SPDX-License-Identifier: Apache-2.0

package head

import (
	"bytes"
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/daybook-db/daybook/codec"
)

// model is what a head should hold: per record, entries in order.
type model map[string][]codec.Entry

func (m model) add(record string, e codec.Entry) {
	at, _ := slices.BinarySearchFunc(m[record], e, codec.Entry.Compare)
	m[record] = slices.Insert(m[record], at, e)
}

// wantedOf is the reference for View.Entries.
func wantedOf(entries []codec.Entry, r codec.Range) (wanted []codec.Entry) {
	for _, e := range entries {
		if r.Start <= e.Timestamp && e.Timestamp <= r.End {
			wanted = append(wanted, e)
		}
	}
	switch {
	case r.Limit <= 0 || len(wanted) <= r.Limit:
		return wanted
	case r.Newest:
		return wanted[len(wanted)-r.Limit:]
	}
	return wanted[:r.Limit]
}

// captured is a view and what it must go on saying.
type captured struct {
	view View
	want []codec.Entry
}

func (c *captured) check(t rapid.TB, r codec.Range) {
	t.Helper()
	got := c.view.Entries(nil, r)
	if diff := cmp.Diff(wantedOf(c.want, r), got, cmpopts.EquateEmpty(), cmp.Comparer(bytes.Equal)); diff != "" {
		t.Fatalf("%q within %+v (-want +got):\n%s", c.view.Record, r, diff)
	}
}

func (c *captured) checkWhole(t rapid.TB) {
	t.Helper()
	c.check(t, codec.All)
	if c.view.Empty() != (len(c.want) == 0) || c.view.Count() != len(c.want) || c.view.Bytes() != valueBytes(c.want) {
		t.Fatalf("%q: empty %v, %d values of %d bytes; want %d of %d",
			c.view.Record, c.view.Empty(), c.view.Count(), c.view.Bytes(), len(c.want), valueBytes(c.want))
	}
	if len(c.want) == 0 {
		return
	}
	if oldest, newest := c.view.Bounds(); oldest != c.want[0].Timestamp || newest != c.want[len(c.want)-1].Timestamp {
		t.Fatalf("%q: bounds %d and %d; want %d and %d", c.view.Record, oldest, newest, c.want[0].Timestamp, c.want[len(c.want)-1].Timestamp)
	}
}

func valueBytes(entries []codec.Entry) (total uint64) {
	for _, e := range entries {
		total += uint64(len(e.Value))
	}
	return total
}

// TestAgainstModel adds in any order, captures on the way, and looks at every view again in the end.
func TestAgainstModel(t *testing.T) {
	timestamps := rapid.OneOf(rapid.Uint64Range(100, 120), rapid.SampledFrom([]uint64{0, 1, math.MaxUint64}), rapid.Uint64())
	records := rapid.SampledFrom([]string{"a", "a.b", "b"})
	lengths := rapid.OneOf(rapid.IntRange(1, 30), rapid.SampledFrom([]int{4095, 4096, 4097, 10000}))
	rapid.Check(t, func(t *rapid.T) {
		h, m := New(1<<10), make(model)
		disorder := rapid.SampledFrom([]int{0, 1, 10}).Draw(t, "of ten values so many are out of order")
		var views []captured
		count := rapid.IntRange(0, 200).Draw(t, "count")
		for sequence := uint64(1); sequence <= uint64(count); sequence++ {
			record := records.Draw(t, "record")
			timestamp := 100 + sequence/3
			if rapid.IntRange(0, 9).Draw(t, "order") < disorder {
				timestamp = timestamps.Draw(t, "timestamp")
			}
			e := codec.Entry{Timestamp: timestamp, Sequence: sequence,
				Value: bytes.Repeat([]byte{byte(sequence)}, lengths.Draw(t, "length"))}
			value := slices.Clone(e.Value)
			h.Add(record, e.Timestamp, sequence, value)
			clear(value) // the head has its own copy
			m.add(record, e)
			if rapid.IntRange(0, 5).Draw(t, "capture") == 0 {
				record := records.Draw(t, "of")
				views = append(views, captured{h.Capture(record), slices.Clone(m[record])})
			}
		}
		for record, entries := range m {
			views = append(views, captured{h.Capture(record), entries})
		}
		for i := range views {
			views[i].checkWhole(t)
			views[i].check(t, codec.Range{
				Start: timestamps.Draw(t, "start"), End: timestamps.Draw(t, "end"),
				Limit: rapid.OneOf(rapid.IntRange(0, 40), rapid.SampledFrom([]int{100, math.MaxInt})).Draw(t, "limit"), Newest: rapid.Bool().Draw(t, "newest"),
			})
		}
		checkTotals(t, h, m, count)
	})
}

func checkTotals(t *rapid.T, h *Head, m model, count int) {
	t.Helper()
	total := uint64(0)
	for _, entries := range m {
		total += valueBytes(entries)
	}
	first := uint64(min(count, 1))
	if h.Values() != count || h.Bytes() != total || h.FirstSequence() != first || h.LastSequence() != uint64(count) {
		t.Fatalf("%d values of %d bytes, sequences %d to %d; want %d of %d, %d to %d",
			h.Values(), h.Bytes(), h.FirstSequence(), h.LastSequence(), count, total, first, count)
	}
	if h.Size() < int64(total) {
		t.Fatalf("size %d; it holds %d bytes of JSON", h.Size(), total)
	}
}

func TestCaptureAll(t *testing.T) {
	h := New(1 << 20)
	for i, record := range []string{"b", "a.b", "a", "ab", "a.c", "é"} {
		h.Add(record, 1, uint64(i+1), []byte("1"))
	}
	tests := []struct {
		name   string
		prefix string
		want   []string
		reason string // why the row is here
	}{
		{"all", "", []string{"a", "a.b", "a.c", "ab", "b", "é"}, "by name, whatever order they came in"},
		{"prefix", "a.", []string{"a.b", "a.c"}, "nothing before it and nothing behind it"},
		{"prefix that is a name", "a", []string{"a", "a.b", "a.c", "ab"}, "the name itself is within"},
		{"none", "c", nil, "between two names"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			for _, view := range h.CapturePrefix(test.prefix) {
				got = append(got, view.Record)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("records (-want +got; %s):\n%s", test.reason, diff)
			}
		})
	}
	var all []string
	for view := range h.ViewsFrom("") {
		if all = append(all, view.Record); len(all) == 2 {
			break
		}
	}
	if diff := cmp.Diff([]string{"a", "a.b"}, all); diff != "" {
		t.Errorf("All, broken off after two (-want +got):\n%s", diff)
	}
	if view := h.Capture("nobody"); !view.Empty() || view.Record != "nobody" || len(view.Entries(nil, codec.All)) > 0 {
		t.Errorf("Capture of a record that is not there: got %+v", view)
	}
}

// TestRunsStayFew: the cost of an add and of a read grows with the number of runs, so no order of
// timestamps may make more than about log n of them.
func TestRunsStayFew(t *testing.T) {
	const n = 100_000
	random := rand.New(rand.NewPCG(1, 2))
	shuffled := random.Perm(n)
	tests := []struct {
		name      string
		timestamp func(i int) uint64
		most      int
		reason    string // why the row is here
	}{
		{"in order", func(i int) uint64 { return uint64(i) }, 1, "the usual case costs nothing"},
		{"equal", func(int) uint64 { return 7 }, 1, "equal timestamps are in order"},
		{"reversed", func(i int) uint64 { return uint64(n - i) }, bits.Len(n), "each precedes all before it"},
		{"shuffled", func(i int) uint64 { return uint64(shuffled[i]) }, bits.Len(n), "no order at all"},
		{"pages, newest first", func(i int) uint64 { return uint64((n/3-i/3)*3 + i%3) }, bits.Len(n), "a backfill in pages of three, each in order"},
		{"longer pages", func(i int) uint64 { return uint64((n/100-i/100)*100 + i%100) }, bits.Len(n), "a run that has grown must not stay a run for ever"},
		{"two streams", func(i int) uint64 { return uint64(i%2*n + i) }, bits.Len(n), "a live stream and a backfill at once"},
		{"saw", func(i int) uint64 { return uint64(i % 317) }, bits.Len(n), "it starts again and again"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s, memory, most := newSeries("record"), &slab{size: 64}, 0
			for i := range n {
				s.add(item{timestamp: test.timestamp(i), number: uint32(i)}, 2, memory)
				most = max(most, len(s.runs))
				if most > test.most {
					t.Fatalf("%d runs after %d values; want at most %d (%s)", most, i+1, test.most, test.reason)
				}
			}
			merged := s.viewOf().within(0, math.MaxUint64).items()
			if len(merged) != n || !slices.IsSortedFunc(merged, item.compare) {
				t.Errorf("%d values, sorted: %v; want %d", len(merged), slices.IsSortedFunc(merged, item.compare), n)
			}
		})
	}
}

func (s *series) viewOf() *View {
	v := new(Head).view(s, blocks{})
	return &v
}

// TestRunsStayFewInAnyOrder leaves it to chance to find an order.
func TestRunsStayFewInAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, memory := newSeries("record"), &slab{size: 64}
		count := 0
		pages := rapid.SliceOfN(rapid.IntRange(1, 40), 1, 100).Draw(t, "lengths of pages")
		for _, length := range pages {
			start := rapid.Uint64Range(0, 1000).Draw(t, "start")
			for i := range length {
				count++
				s.add(item{timestamp: start + uint64(i), number: uint32(count)}, 2, memory)
			}
			if got, most := len(s.runs), bits.Len(uint(count)); got > most {
				t.Fatalf("%d runs after %d values; want at most %d", got, count, most)
			}
		}
	})
}

// TestSizeFollowsMemory: the size is what the runs and blocks take up, in whatever order values came.
func TestSizeFollowsMemory(t *testing.T) {
	h := New(1 << 20)
	random := rand.New(rand.NewPCG(3, 4))
	for i := range uint64(20_000) {
		h.Add(fmt.Sprintf("record%d", i%7), random.Uint64N(50_000), i+1, []byte(`{"celsius":21.5}`))
	}
	want := h.slab.allocated
	for _, block := range h.arena.blocks {
		want += int64(len(block))
	}
	for record, s := range h.series {
		want += s.own() + seriesOverhead + int64(len(record))
	}
	if got := h.Size(); got != want {
		t.Errorf("Size is %d; the memory is %d", got, want)
	}
}

// TestLargeValues: a value longer than a block has one of its own, and those around it are where they were.
func TestLargeValues(t *testing.T) {
	h, m := New(1<<10), make(model)
	for i, length := range []int{3, 2, 1, 4096, 1, 4097, 1, 3 * 4096, 4095, 1, 4096 - 5, 1, 4096 - 4, 1, 1 << 20, 2} {
		e := codec.Entry{Timestamp: uint64(i), Sequence: uint64(i + 1), Value: bytes.Repeat([]byte{byte('a' + i)}, length)}
		h.Add("record", e.Timestamp, e.Sequence, e.Value)
		m.add("record", e)
	}
	c := captured{h.Capture("record"), m["record"]}
	c.checkWhole(t)
	entries := c.view.Entries(nil, codec.All)
	for i := range entries {
		entries[i].Value = append(entries[i].Value, "overwritten"...) // is a copy: the value's capacity ends with it
	}
	c.checkWhole(t)
}

// TestReadersWithoutLock: readers capture under the lock and read without, while the writer goes on. The
// race detector watches.
func TestReadersWithoutLock(t *testing.T) {
	const values, perCommit, readers, captures = 6000, 20, 3, 100
	var mu sync.RWMutex
	h := New(1 << 16)
	valueOf := func(sequence uint64) string { return fmt.Sprintf(`{"sequence":%d}`, sequence) }

	var group sync.WaitGroup
	group.Go(func() {
		random := rand.New(rand.NewPCG(5, 6))
		for sequence := uint64(1); sequence <= values; {
			mu.Lock()
			for range perCommit {
				timestamp := sequence
				if sequence%3 == 0 {
					timestamp = random.Uint64N(values)
				}
				h.Add(fmt.Sprintf("record%d", sequence%2), timestamp, sequence, []byte(valueOf(sequence)))
				sequence++
			}
			mu.Unlock()
		}
	})
	for range readers {
		group.Go(func() {
			for last := uint64(0); last < values; {
				mu.RLock()
				views := h.CapturePrefix("")
				last = h.LastSequence()
				mu.RUnlock()
				seen := uint64(0)
				for i := range views {
					entries := views[i].Entries(nil, codec.All)
					seen += uint64(len(entries))
					if !slices.IsSortedFunc(entries, codec.Entry.Compare) {
						t.Errorf("a view of %d values is not in order", len(entries))
						return
					}
					for _, e := range entries {
						if e.Sequence > last || string(e.Value) != valueOf(e.Sequence) {
							t.Errorf("value %d is %q, in a view up to %d", e.Sequence, e.Value, last)
							return
						}
					}
				}
				if seen != last {
					t.Errorf("a view up to %d holds %d values", last, seen)
					return
				}
			}
		})
	}
	group.Wait()
}
