// SPDX-License-Identifier: Apache-2.0

package head

import (
	"fmt"
	"testing"
)

// TestRecords asks for the number of records, for the presence of some, and for each by its place.
func TestRecords(t *testing.T) {
	h, want := New(1<<10), []string(nil)
	for i := range 3 * maxLeaf {
		name := fmt.Sprintf("record%03d", i)
		if h.Records() != i || h.Has(name) {
			t.Fatalf("%d records, among them %q: %v; want %d without it", h.Records(), name, h.Has(name), i)
		}
		h.Add(name, 1, uint64(2*i+1), []byte("1"))
		h.Add(name, 2, uint64(2*i+2), []byte("2"))
		want = append(want, name)
		if !h.Has(name) {
			t.Fatalf("%q is missing", name)
		}
	}
	if h.Records() != len(want) || h.Has("record") || h.Has("") {
		t.Errorf("%d records; want %d", h.Records(), len(want))
	}
	for place, name := range want {
		if got := h.NameAt(place); got != name {
			t.Errorf("place %d has %q; want %q", place, got, name)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("there is no place after the last record; want a panic")
		}
	}()
	h.NameAt(len(want))
}

// TestNotes sets what an owner knows of two records. Each has its own, from the first call on.
func TestNotes(t *testing.T) {
	h := New(1 << 10)
	a, b := h.Add("a", 1, 1, []byte("1")), h.Add("b", 1, 2, []byte("1"))
	if a.Mark() != 0 || a.Notes().Tag != nil || a.Mark() != 0 {
		t.Errorf("new notes: mark %d, tag %v; want none", a.Mark(), a.Notes().Tag)
	}
	a.Notes().Tag = "tag"
	a.Notes().Mark.Store(7)
	if again := h.Add("a", 2, 3, []byte("2")); again.Mark() != 7 || again.Notes().Tag != "tag" {
		t.Errorf("notes after another value: mark %d, tag %v; want 7 and the tag", again.Mark(), again.Notes().Tag)
	}
	if b.Mark() != 0 || b.Notes().Tag != nil {
		t.Errorf("another record: mark %d, tag %v; want none", b.Mark(), b.Notes().Tag)
	}
}
