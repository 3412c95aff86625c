// SPDX-License-Identifier: Apache-2.0

package head

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/daybook-db/daybook/codec"
)

// captureOf returns the view of a record; an empty one if the head does not have it.
func captureOf(h *Head, record string) View { return next(h.ReadRecord(new(sync.Mutex), record)) }

// next returns the next view of a reader.
func next(r *Reader) View { return nextOf(r, nil) }

// some is a filter: the records whose names end in an even digit.
type some struct{}

func (some) Match(record string) bool { return (record[len(record)-1]-'0')%2 == 0 }

// nextOf returns the next view of a reader that the filter wants.
func nextOf(r *Reader, wanted Filter) View {
	view, err := r.Next(context.Background(), wanted)
	if err != nil {
		panic(err)
	}
	return view
}

// all returns the remaining views of a reader.
func all(r *Reader) []View { return allOf(r, nil) }

func allOf(r *Reader, wanted Filter) (views []View) {
	for view := nextOf(r, wanted); !view.Empty(); view = nextOf(r, wanted) {
		views = append(views, keep(view))
	}
	return views
}

// keep returns a view that stays valid when the reader goes on.
func keep(view View) View {
	view.runs = slices.Clone(view.runs)
	for i := range view.runs {
		view.runs[i].full = slices.Clone(view.runs[i].full)
	}
	return view
}

func (m model) clone() model {
	copied := make(model)
	for record, entries := range m {
		copied[record] = slices.Clone(entries)
	}
	return copied
}

// TestReaderShowsOneMoment makes readers at some moments, and reads a part of their views at once
// and the rest later, while values are added in any order, also of new records. Each reader must
// yield the values of the moment when it was made.
func TestReaderShowsOneMoment(t *testing.T) {
	type reading struct {
		reader *Reader
		wanted Filter
		last   uint64 // sequence number of the last value at that moment
		views  []View
		want   model
	}
	rapid.Check(t, func(t *rapid.T) {
		h, m := New(1<<10), make(model)
		count := rapid.IntRange(1, 250).Draw(t, "values")
		records := rapid.IntRange(1, 3*stepRecords).Draw(t, "records")
		disorder := rapid.SampledFrom([]int{0, 1, 5}).Draw(t, "number of ten values that are out of order")
		readings := []*reading{ // of the moment before the first value
			{reader: h.ReadPrefix(new(sync.Mutex), "")}, {reader: h.ReadRecord(new(sync.Mutex), "r0")},
			{reader: h.ReadSince(new(sync.Mutex), 0)},
		}
		for sequence := uint64(1); sequence <= uint64(count); sequence++ {
			e := codec.Entry{Timestamp: 1000 + sequence, Sequence: sequence + 7, Value: fmt.Append(nil, sequence)}
			if rapid.IntRange(0, 9).Draw(t, "order") < disorder {
				e.Timestamp = rapid.Uint64Range(0, 2000).Draw(t, "timestamp")
			}
			record := fmt.Sprint("r", rapid.IntRange(0, records-1).Draw(t, "record"))
			h.Add(record, e.Timestamp, e.Sequence, e.Value)
			m.add(record, e)
			switch rapid.IntRange(0, 29).Draw(t, "then") {
			case 0:
				reader := h.ReadPrefix(new(sync.Mutex), "r")
				readings = append(readings, &reading{reader: reader, last: e.Sequence, want: m.clone()})
			case 5:
				want := m.clone()
				maps.DeleteFunc(want, func(record string, _ []codec.Entry) bool { return !some{}.Match(record) })
				reader := h.ReadPrefix(new(sync.Mutex), "r")
				readings = append(readings, &reading{reader: reader, wanted: some{}, last: e.Sequence, want: want})
			case 1:
				of := fmt.Sprint("r", rapid.IntRange(0, records-1).Draw(t, "of"))
				want := make(model)
				if entries, found := m[of]; found {
					want[of] = slices.Clone(entries)
				}
				reader := h.ReadRecord(new(sync.Mutex), of)
				readings = append(readings, &reading{reader: reader, last: e.Sequence, want: want})
			case 2, 3, 4:
				for _, r := range readings {
					if view := nextOf(r.reader, r.wanted); !view.Empty() {
						r.views = append(r.views, keep(view))
					}
				}
			}
		}
		for _, r := range readings {
			if r.reader.Last() != r.last {
				t.Fatalf("Last is %d; want %d, the last value when the reader was made", r.reader.Last(), r.last)
			}
			checkReading(t, append(r.views, allOf(r.reader, r.wanted)...), r.want)
			checkReading(t, allOf(r.reader.Again(), r.wanted), r.want)
		}
	})
}

// checkReading checks that views are those of a model, by name.
func checkReading(t *rapid.T, views []View, want model) {
	t.Helper()
	var names []string
	equal := func(a, b codec.Entry) bool { return a.Compare(b) == 0 && bytes.Equal(a.Value, b.Value) }
	for i := range views {
		view, want := &views[i], want[views[i].Record]
		names = append(names, view.Record)
		if got := view.Entries(nil, codec.All); !slices.EqualFunc(got, want, equal) {
			t.Fatalf("%q: got %v, want %v", view.Record, got, want)
		}
		if view.Count() != len(want) || view.Bytes() != valueBytes(want) {
			t.Fatalf("%q: %d values of %d bytes; want %d of %d",
				view.Record, view.Count(), view.Bytes(), len(want), valueBytes(want))
		}
	}
	if sorted := slices.Sorted(maps.Keys(want)); !slices.Equal(names, sorted) {
		t.Fatalf("records: got %q, want %q", names, sorted)
	}
}

// TestReaderSinceShowsOneMoment is TestReaderShowsOneMoment for a reader after a sequence number.
func TestReaderSinceShowsOneMoment(t *testing.T) {
	h := New(1 << 10)
	add := func(sequence uint64) { h.Add(fmt.Sprint("r", sequence%200), 1000-sequence, sequence, []byte("1")) }
	for sequence := range uint64(300) {
		add(sequence + 1)
	}
	reader := h.ReadSince(new(sync.Mutex), 250)
	for sequence := range uint64(100) {
		add(sequence + 301)
	}
	var got []uint64
	for _, view := range all(reader) {
		for e := range view.Since(250) {
			got = append(got, e.Sequence)
		}
	}
	slices.Sort(got)
	if len(got) != 50 || got[0] != 251 || got[49] != 300 {
		t.Errorf("got %d; want 251 to 300", got)
	}
}

// TestReaderAfterAdvance counts values as added that the head does not have, because they are in
// the tree. A reader that is made then has seen them.
func TestReaderAfterAdvance(t *testing.T) {
	h := New(1 << 10)
	h.Add("r", 1, 101, []byte("1"))
	h.AdvanceTo(110)
	reader := h.ReadSince(new(sync.Mutex), 105)
	if h.LastSequence() != 110 || reader.Last() != 110 || h.Values() != 1 || h.FirstSequence() != 101 {
		t.Errorf("%d values up to %d, read up to %d; want one, and 110", h.Values(), h.LastSequence(), reader.Last())
	}
	h.Add("r", 2, 111, []byte("2"))
	if views := all(reader); len(views) > 0 {
		t.Errorf("a reader after value 105 yields %d views; want none", len(views))
	}
	view := captureOf(h, "r")
	if got := view.Entries(nil, codec.All); len(got) != 2 || got[1].Sequence != 111 {
		t.Errorf("got %v; want values 101 and 111", got)
	}
}

// TestReaderGoesOnAfterItsContext ends the context of a read while names are matched. The next read
// goes on at the same place.
func TestReaderGoesOnAfterItsContext(t *testing.T) {
	h := New(1 << 10)
	for record := range 2 * stepRecords {
		h.Add(fmt.Sprintf("r%03d", record), 1, uint64(record+1), []byte("1"))
	}
	for at := range stepRecords {
		reader := h.ReadPrefix(new(sync.Mutex), "")
		ended, end := context.WithCancel(context.Background())
		matched := 0
		view, err := reader.Next(ended, filterFunc(func(record string) bool {
			if matched++; matched > at {
				end()
			}
			return some{}.Match(record)
		}))
		if at+1 < stepRecords && (err == nil || !view.Empty()) {
			t.Fatalf("ended after %d names: got a view of %q, %v", matched, view.Record, err)
		}
		if views := allOf(reader, some{}); view.Empty() && len(views) != stepRecords {
			t.Errorf("ended after %d names: %d views remain; want %d", matched, len(views), stepRecords)
		}
		end()
	}
}

type filterFunc func(string) bool

func (f filterFunc) Match(record string) bool { return f(record) }

// roomLock is the lock of a Reader. It checks that the Reader's views need no memory under it.
type roomLock struct {
	sync.Mutex
	t      *testing.T
	reader *Reader
	room   [3]int
	steps  int
}

func (l *roomLock) caps() [3]int {
	return [3]int{cap(l.reader.views), cap(l.reader.room.runs), cap(l.reader.room.blocks)}
}

func (l *roomLock) Lock() {
	l.Mutex.Lock()
	l.room = l.caps()
	l.steps++
}

func (l *roomLock) Unlock() {
	if now := l.caps(); now != l.room || now[0] > 2*stepRecords {
		l.t.Errorf("step %d: room for %d views, runs and blocks; under the lock it became %d", l.steps, l.room, now)
	}
	l.Mutex.Unlock()
}

// TestReaderMakesRoomWithoutLock reads records with 1 to 20 values each, some of which are in runs
// of their own. A Reader allocates the memory for views before it takes the lock, and uses it
// again.
func TestReaderMakesRoomWithoutLock(t *testing.T) {
	const records = 10 * stepRecords
	h, sequence := New(1<<10), uint64(0)
	for record := range records {
		for range 1 + record%20 {
			sequence++
			h.Add(fmt.Sprintf("r%04d", record), sequence, sequence, []byte("1"))
		}
	}
	lock := &roomLock{t: t}
	lock.reader = h.ReadPrefix(lock, "")
	count := 0
	for view := next(lock.reader); !view.Empty(); view = next(lock.reader) {
		if view.Count() != 1+count%20 {
			t.Fatalf("record %d has %d values; want %d", count, view.Count(), 1+count%20)
		}
		count++
	}
	if count != records || lock.steps < records/stepRecords {
		t.Errorf("got %d records in %d steps; want %d", count, lock.steps, records)
	}
}

// TestReaderUsesRoomAgain reads records with up to 20 values each. A Reader allocates memory for
// the views of its first steps, and none for each step.
func TestReaderUsesRoomAgain(t *testing.T) {
	const steps = 100
	h, sequence := New(1<<10), uint64(0)
	for record := range steps * stepRecords {
		for range 1 + record%20 {
			sequence++
			h.Add(fmt.Sprintf("r%04d", record), sequence, sequence, []byte("1"))
		}
	}
	allocations := testing.AllocsPerRun(1, func() {
		r := h.ReadPrefix(new(sync.Mutex), "")
		for view := next(r); !view.Empty(); view = next(r) {
		}
	})
	if allocations > steps/2 {
		t.Errorf("%v allocations in %d steps; want some at the beginning", allocations, steps)
	}
}

// TestReadPrefixFrom reads the names with a prefix from another name on.
func TestReadPrefixFrom(t *testing.T) {
	h := New(1 << 10)
	for i, record := range []string{"a", "b.1", "b.2", "b.3", "c"} {
		h.Add(record, 1, uint64(i+1), []byte("1"))
	}
	for _, test := range []struct {
		prefix, from, want string
		reason             string // why the row is here
	}{
		{"b.", "", "b.1 b.2 b.3", "no name is less than the empty one"},
		{"b.", "a", "b.1 b.2 b.3", "a name before all that have the prefix"},
		{"b.", "b.2", "b.2 b.3", "the name itself is read"},
		{"b.", "b.25", "b.3", "a name that is not there"},
		{"b.", "c", "", "a name after all that have the prefix"},
		{"", "b.3", "b.3 c", "without a prefix"},
	} {
		reader := h.ReadPrefixFrom(new(sync.Mutex), test.prefix, test.from)
		for _, r := range []*Reader{reader, reader.Again()} {
			var got []string
			for _, view := range all(r) {
				got = append(got, view.Record)
			}
			if got := strings.Join(got, " "); got != test.want {
				t.Errorf("prefix %q from %q: got %s; want %s (%s)", test.prefix, test.from, got, test.want, test.reason)
			}
		}
	}
}
