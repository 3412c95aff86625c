// SPDX-License-Identifier: Apache-2.0

package head

import (
	"cmp"
	"fmt"
	"math"
	"runtime"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/daybook-db/daybook/codec"
)

// TestTable adds names in several orders, and finds each by its hash and by its place among the
// sorted names. Hashes of few bits collide.
func TestTable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		table := newTable(rapid.UintRange(0, 4).Draw(t, "shift"))
		table.hashMask = rapid.SampledFrom([]uint32{0, 7, math.MaxUint32}).Draw(t, "mask")
		names := make([]string, rapid.IntRange(0, 5*maxLeaf).Draw(t, "names"))
		for i := range names {
			names[i] = fmt.Sprintf("record%04d", 2*i)
		}
		sorted := slices.Clone(names)
		switch rapid.SampledFrom([]string{"ascending", "descending", "any"}).Draw(t, "order") {
		case "descending":
			slices.Reverse(names)
		case "any":
			names = rapid.Permutation(names).Draw(t, "added")
		}
		for i, name := range names {
			if s := table.get(name); s != nil {
				t.Fatalf("%q is there before it was added", name)
			}
			if number := table.add(name); number != uint32(i) {
				t.Fatalf("%q got the number %d; want %d", name, number, i)
			}
		}
		checkTable(t, &table, names, sorted)
		checkTableSize(t, &table)
	})
}

// checkTableSize compares the size of a table with the memory of its parts.
func checkTableSize(t *rapid.T, table *table) {
	t.Helper()
	want := table.names.Allocated() + hashBytes*int64(table.count) + int64(cap(table.sorted.leaves))*leafSize
	for _, chunk := range table.chunks {
		want += int64(len(chunk)) * seriesSize
	}
	for _, l := range table.sorted.leaves {
		want += int64(cap(l.numbers)) * numberSize
	}
	if got := table.size(); got != want {
		t.Fatalf("a table of %d records takes %d bytes; want %d", table.count, got, want)
	}
}

func checkTable(t *rapid.T, table *table, names, sorted []string) {
	t.Helper()
	for i, name := range names {
		if number, found := table.find(name); !found || number != uint32(i) || table.at(number).record != name {
			t.Fatalf("%q: number %d, found: %v; want %d", name, number, found, i)
		}
	}
	for place, name := range sorted {
		if got := table.at(table.sorted.at(place)).record; got != name {
			t.Fatalf("place %d has %q; want %q", place, got, name)
		}
	}
	from := fmt.Sprintf("record%04d", rapid.IntRange(0, 2*len(names)+1).Draw(t, "from"))
	first, _ := slices.BinarySearchFunc(sorted, from, cmp.Compare[string])
	limit := rapid.IntRange(1, len(names)+1).Draw(t, "limit")
	var got []string
	table.sorted.ascend(table, from, func(s *series) bool {
		got = append(got, s.record)
		return len(got) < limit
	})
	if want := sorted[first:min(first+limit, len(sorted))]; !slices.Equal(got, want) {
		t.Fatalf("from %q: %q; want %q", from, got, want)
	}
}

// TestSortedNamesFillLeaves adds names in order, as devices often report them.
func TestSortedNamesFillLeaves(t *testing.T) {
	table := newTable(4)
	for i := range 10 * maxLeaf {
		table.add(fmt.Sprintf("record%06d", i))
	}
	if got := len(table.sorted.leaves); got != 10 {
		t.Errorf("%d names are in %d leaves; want 10", 10*maxLeaf, got)
	}
}

// TestMemoryOfManyRecords compares Size with the memory that a head takes, and bounds the memory of
// a record apart from its name and its values.
func TestMemoryOfManyRecords(t *testing.T) {
	const records = 20_000
	for _, test := range []struct {
		values, max int    // number of values and of bytes per record
		reason      string // why the row is here
	}{
		{1, 120, "the parts that each record has"},
		{7, 240, "three full blocks"},
		{maxSmall, 380, "as many as fit into a small"},
		{maxSmall + 1, 1000, "runs that have memory of their own"},
	} {
		t.Run(fmt.Sprint(test.values), func(t *testing.T) {
			names := make([]string, records)
			for i := range names {
				names[i] = fmt.Sprintf("record.%08d", i*7919%records)
			}
			before := heapInUse()
			h := New(4 << 20)
			for sequence := range uint64(records * test.values) {
				h.Add(names[sequence%records], sequence, sequence+1, []byte("12.3"))
			}
			heap, size := heapInUse()-before, h.Size()
			runtime.KeepAlive(names)
			content := int64(h.NameBytes() + h.Bytes())
			if heap > content+records*int64(test.max) {
				t.Errorf("a record takes %d bytes; want %d (%s)", (heap-content)/records, test.max, test.reason)
			}
			if size < heap*9/10 || size > heap*11/10 {
				t.Errorf("Size is %d; the head takes %d", size, heap)
			}
		})
	}
}

// TestSmallBecomesLarge adds values in order, one of which does not fit into a small. The views of
// each moment must not change.
func TestSmallBecomesLarge(t *testing.T) {
	for _, late := range []uint64{1, 3, maxSmall - 1, maxSmall, maxSmall + 1, maxSmall + 5} {
		h, m := New(1<<10), make(model)
		var views []capture
		for sequence := uint64(1); sequence <= 3*maxSmall; sequence++ {
			e := codec.Entry{Timestamp: 100 + sequence, Sequence: sequence, Value: fmt.Append(nil, sequence)}
			if sequence == late {
				e.Timestamp = 50
			}
			h.Add("record", e.Timestamp, e.Sequence, e.Value)
			m.add("record", e)
			views = append(views, capture{captureOf(h, "record"), slices.Clone(m["record"])})
		}
		for i := range views {
			views[i].checkWhole(t)
		}
	}
}
