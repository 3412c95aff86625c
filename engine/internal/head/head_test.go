// SPDX-License-Identifier: Apache-2.0

package head

import (
	"bytes"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/daybook-db/daybook/codec"
)

// model holds the values that a head should have: the sorted entries of each record.
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
	return wanted
}

// capture is a view and the entries that it must have for ever.
type capture struct {
	view View
	want []codec.Entry
}

func (c *capture) check(t rapid.TB, r codec.Range) {
	t.Helper()
	got := c.view.Entries(nil, r)
	if diff := cmp.Diff(wantedOf(c.want, r), got, cmpopts.EquateEmpty(), cmp.Comparer(bytes.Equal)); diff != "" {
		t.Fatalf("%q within %+v (-want +got):\n%s", c.view.Record, r, diff)
	}
	want := wantedOf(c.want, r)
	if r.Newest {
		slices.Reverse(want)
	}
	for _, piece := range []int{1, 3, 16, 1000} {
		got := walk(r, piece, &c.view)
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty(), cmp.Comparer(bytes.Equal)); diff != "" {
			t.Fatalf("%q within %+v, %d at a time (-want +got):\n%s", c.view.Record, r, piece, diff)
		}
	}
}

// walk returns the values of a walk that yields some at a time.
func walk(wanted codec.Range, piece int, views ...*View) (all []codec.Entry) {
	var w Walk
	w.Begin(wanted, views...)
	for {
		before := len(all)
		if all = w.Next(all, piece); len(all) == before {
			return all
		}
		if len(all) > before+piece {
			panic("a walk yields more values than it was asked for")
		}
	}
}

func (c *capture) checkWhole(t rapid.TB) {
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
		t.Fatalf("%q: bounds %d and %d; want %d and %d",
			c.view.Record, oldest, newest, c.want[0].Timestamp, c.want[len(c.want)-1].Timestamp)
	}
}

func valueBytes(entries []codec.Entry) (total uint64) {
	for _, e := range entries {
		total += uint64(len(e.Value))
	}
	return total
}

// TestAgainstModel adds values in any order and captures views meanwhile. At the end it checks
// every view again.
func TestAgainstModel(t *testing.T) {
	timestamps := rapid.OneOf(
		rapid.Uint64Range(100, 120), rapid.SampledFrom([]uint64{0, 1, math.MaxUint64}), rapid.Uint64())
	records := rapid.SampledFrom([]string{"a", "a.b", "b"})
	lengths := rapid.OneOf(rapid.IntRange(1, 30), rapid.SampledFrom([]int{4095, 4096, 4097, 10000}))
	rapid.Check(t, func(t *rapid.T) {
		h, m := New(1<<10), make(model)
		disorder := rapid.SampledFrom([]int{0, 1, 10}).Draw(t, "number of ten values that are out of order")
		var views []capture
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
			if name := h.Add(record, e.Timestamp, sequence, value).Name(); name != record {
				t.Fatalf("a value of %q was added to %q", record, name)
			}
			clear(value) // the head has its own copy
			m.add(record, e)
			if rapid.IntRange(0, 5).Draw(t, "capture") == 0 {
				record := records.Draw(t, "of")
				views = append(views, capture{captureOf(h, record), slices.Clone(m[record])})
			}
		}
		for record, entries := range m {
			views = append(views, capture{captureOf(h, record), entries})
		}
		for i := range views {
			views[i].checkWhole(t)
			views[i].check(t, codec.Range{
				Start: timestamps.Draw(t, "start"), End: timestamps.Draw(t, "end"),
				Newest: rapid.Bool().Draw(t, "newest"),
			})
		}
		checkTotals(t, h, m, count)
		checkSince(t, h, m, rapid.Uint64Range(0, uint64(count)+1).Draw(t, "since"))
	})
}

func checkTotals(t *rapid.T, h *Head, m model, count int) {
	t.Helper()
	total, names, oldest := uint64(0), uint64(0), uint64(math.MaxUint64)
	for record, entries := range m {
		total += valueBytes(entries)
		names += uint64(len(record))
		oldest = min(oldest, entries[0].Timestamp)
	}
	first := uint64(min(count, 1))
	if h.Values() != count || h.Bytes() != total || h.FirstSequence() != first || h.LastSequence() != uint64(count) {
		t.Fatalf("%d values of %d bytes, sequences %d to %d; want %d of %d, %d to %d",
			h.Values(), h.Bytes(), h.FirstSequence(), h.LastSequence(), count, total, first, count)
	}
	if h.NameBytes() != names {
		t.Fatalf("names of %d bytes; want %d", h.NameBytes(), names)
	}
	if h.Oldest() != oldest {
		t.Fatalf("the oldest timestamp is %d; want %d", h.Oldest(), oldest)
	}
	if h.Size() < int64(total) {
		t.Fatalf("size %d; want at least %d, the length of the JSON", h.Size(), total)
	}
}

// checkSince checks that ReadSince and View.Since return all values with a sequence number
// greater than sequence, and only those.
func checkSince(t *rapid.T, h *Head, m model, sequence uint64) {
	t.Helper()
	want, got := make(model), make(model)
	for record, entries := range m {
		for _, e := range entries {
			if e.Sequence > sequence {
				want.add(record, e)
			}
		}
	}
	var records []string
	for _, view := range all(h.ReadSince(new(sync.Mutex), sequence)) {
		records = append(records, view.Record)
		for e := range view.Since(sequence) {
			got.add(view.Record, e)
		}
	}
	if diff := cmp.Diff(want, got, cmp.Comparer(bytes.Equal)); diff != "" {
		t.Fatalf("values after sequence number %d (-want +got):\n%s", sequence, diff)
	}
	if sorted := slices.Sorted(maps.Keys(want)); !slices.Equal(records, sorted) {
		t.Fatalf("records with values after sequence number %d: got %q, want %q", sequence, records, sorted)
	}
}

// TestOldest checks the oldest timestamp of heads without and with values.
func TestOldest(t *testing.T) {
	h := New(1 << 10)
	for i, step := range []struct {
		timestamp, want uint64
		reason          string // why the row is here
	}{
		{math.MaxUint64, math.MaxUint64, "the greatest timestamp, which an empty head returns too"},
		{7, 7, "a value that is older than the first one"},
		{9, 7, "a value that is not older"},
		{0, 0, "the smallest timestamp"},
	} {
		if i == 0 && h.Oldest() != math.MaxUint64 {
			t.Errorf("of an empty head: got %d, want %d", h.Oldest(), uint64(math.MaxUint64))
		}
		h.Add(fmt.Sprint("record", i%2), step.timestamp, uint64(i+1), []byte("1"))
		if got := h.Oldest(); got != step.want {
			t.Errorf("after a value at %d: got %d, want %d (%s)", step.timestamp, got, step.want, step.reason)
		}
	}
}

// TestSince checks that a reader may stop early, and that the values of several runs are yielded.
func TestSince(t *testing.T) {
	h := New(1 << 10)
	for sequence, timestamp := range []uint64{5, 9, 7, 10, 1} {
		h.Add("record", timestamp, uint64(sequence)+101, []byte("1"))
	}
	view := captureOf(h, "record")
	if n := len(view.runs); n < 2 {
		t.Fatalf("%d runs; want at least 2", n)
	}
	tests := []struct {
		name     string
		sequence uint64
		want     []uint64 // sequence numbers
		reason   string   // why the row is here
	}{
		{"zero", 0, []uint64{101, 102, 103, 104, 105}, "the smallest sequence number of the head is 101"},
		{"before the first", 100, []uint64{101, 102, 103, 104, 105}, "the bound itself is excluded"},
		{"in the middle", 103, []uint64{104, 105}, "the order of timestamps does not matter"},
		{"the last", 105, nil, "no value is newer"},
		{"after the last", 200, nil, "a sequence number that the head does not have yet"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var got []uint64
			for e := range view.Since(test.sequence) {
				got = append(got, e.Sequence)
			}
			slices.Sort(got)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("sequence numbers (-want +got; %s):\n%s", test.reason, diff)
			}
			for range view.Since(test.sequence) {
				break
			}
		})
	}
}

func TestCapture(t *testing.T) {
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
		{"all", "", []string{"a", "a.b", "a.c", "ab", "b", "é"}, "sorted by name, not in the order of Add"},
		{"prefix", "a.", []string{"a.b", "a.c"}, "without the names before and after it"},
		{"prefix that is a name", "a", []string{"a", "a.b", "a.c", "ab"}, "a name is a prefix of itself"},
		{"none", "c", nil, "a place between two names"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			for _, view := range all(h.ReadPrefix(new(sync.Mutex), test.prefix)) {
				got = append(got, view.Record)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("records (-want +got; %s):\n%s", test.reason, diff)
			}
		})
	}
	var names []string
	for view := range h.ViewsFrom("") {
		if names = append(names, view.Record); len(names) == 2 {
			break
		}
	}
	if diff := cmp.Diff([]string{"a", "a.b"}, names); diff != "" {
		t.Errorf("ViewsFrom, stopped after two views (-want +got):\n%s", diff)
	}
	view := captureOf(h, "unknown")
	if !view.Empty() || len(view.Entries(nil, codec.All)) > 0 {
		t.Errorf("the view of a record that the head does not have: got %+v", view)
	}
}

// TestSizeFollowsMemory checks that Size returns the memory of the runs and blocks when values come
// in random order, and in order.
func TestSizeFollowsMemory(t *testing.T) {
	h := New(1 << 20)
	random := rand.New(rand.NewPCG(3, 4))
	for i := range uint64(20_000) {
		timestamp := i
		if i%7 > 1 {
			timestamp = random.Uint64N(50_000)
		}
		h.Add(fmt.Sprintf("record%d", i%7), timestamp, i+1, []byte(`{"celsius":21.5}`))
	}
	// Values share blocks: of 64 KiB here, and a value takes 17 bytes.
	if blocks := len(h.arena.blocks); blocks > 20_000*17>>15+2 {
		t.Errorf("the values take %d blocks; want fewer", blocks)
	}
	want := h.slab.allocated
	for _, block := range h.arena.blocks {
		want += int64(len(block))
	}
	want += h.records.size()
	for number := range h.records.count {
		want += memoryOf(t, h.records.at(uint32(number)))
	}
	if got := h.Size(); got != want {
		t.Errorf("Size is %d; want %d, the memory that is used", got, want)
	}
}

// memoryOf returns the memory of a series outside the slab: the lists of full blocks, and the items
// of merged runs. All other items are in small blocks, which are neighbours of those of other
// records.
func memoryOf(t *testing.T, s *series) (total int64) {
	t.Helper()
	if s.large == nil {
		return 0
	}
	total = int64(unsafe.Sizeof(*s.large))
	for _, r := range s.large.list {
		total += int64(cap(r.full)) * int64(unsafe.Sizeof(r.last))
		blocks := r.full
		if len(blocks) > 0 && cap(blocks[0]) > maxBlockItems { // of a merged run
			total += int64(cap(blocks[0])) * itemSize
			blocks = blocks[1:]
		}
		for i, block := range append(blocks[:len(blocks):len(blocks)], r.last) {
			if cap(block) > maxBlockItems || i < len(blocks) && len(block) < min(1<<i, maxBlockItems) {
				t.Errorf("block %d of %d has %d items, and room for %d", i, len(blocks), len(block), cap(block))
			}
		}
	}
	return total
}

// TestSizeOfANewHead checks that a head with one value takes a small part of the memory that a full
// one takes.
func TestSizeOfANewHead(t *testing.T) {
	for _, test := range []struct {
		size  int64 // that the head will hold
		block int64 // size of its first block
	}{
		{0, 4 << 10}, {64 << 10, 4 << 10}, {1 << 20, 64 << 10}, {8 << 20, 512 << 10}, {1 << 40, 1 << 20},
	} {
		h := New(test.size)
		h.Add("record", 1, 1, []byte("1"))
		got, limit := h.Size(), test.block+test.block/2+1024 // the items and the names take less than the JSON
		if got < test.block+test.block/4 || got > limit {
			t.Errorf("one value in a head for %d bytes takes %d; want %d to %d", test.size, got, test.block, limit)
		}
		items, records := h.slab.allocated, int64(len(h.records.chunks[0]))*seriesSize
		if items != test.block/4 || records > test.block/8 || 2*records <= test.block/8 {
			t.Errorf("a head for %d bytes begins with %d bytes for items and %d for records; want %d and up to %d",
				test.size, items, records, test.block/4, test.block/8)
		}
	}
}

// TestLargeValues checks that a value longer than a block does not disturb the values before and
// after it.
func TestLargeValues(t *testing.T) {
	h, m := New(1<<10), make(model)
	for i, length := range []int{3, 2, 1, 4096, 1, 4097, 1, 3 * 4096, 4095, 1, 4096 - 5, 1, 4096 - 4, 1, 1 << 20, 2} {
		value := bytes.Repeat([]byte{byte('a' + i)}, length)
		e := codec.Entry{Timestamp: uint64(i), Sequence: uint64(i + 1), Value: value}
		h.Add("record", e.Timestamp, e.Sequence, e.Value)
		m.add("record", e)
	}
	c := capture{captureOf(h, "record"), m["record"]}
	c.checkWhole(t)
	entries := c.view.Entries(nil, codec.All)
	for i := range entries {
		// This makes a copy, because the capacity of a value is its length.
		entries[i].Value = append(entries[i].Value, "overwritten"...)
	}
	c.checkWhole(t)
}

// TestReadersWithoutLock has readers read views in steps, while the writer adds values. The race
// detector must find nothing.
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
				reader := h.ReadPrefix(mu.RLocker(), "")
				last = h.LastSequence()
				mu.RUnlock()
				views := all(reader)
				seen := uint64(0)
				for i := range views {
					entries := views[i].Entries(nil, codec.All)
					seen += uint64(len(entries))
					if !slices.IsSortedFunc(entries, codec.Entry.Compare) {
						t.Errorf("a view of %d values is not sorted", len(entries))
						return
					}
					for _, e := range entries {
						if e.Sequence > last || string(e.Value) != valueOf(e.Sequence) {
							t.Errorf("value %d is %q, in a view up to value %d", e.Sequence, e.Value, last)
							return
						}
					}
				}
				if seen != last {
					t.Errorf("a view up to value %d has %d values", last, seen)
					return
				}
			}
		})
	}
	group.Wait()
}
