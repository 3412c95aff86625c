// SPDX-License-Identifier: Apache-2.0

package wal

import (
	"path/filepath"
	"slices"
	"testing"
)

// openBlank opens a log with one size of segments, and returns it with a function that appends a
// frame with a payload of a length, and returns the number of zeros that were written after it.
func openBlank(t *testing.T, d *memDisk, size int64) (log *Log, padding func(length int) int) {
	t.Helper()
	opts := testOptions()
	opts.FirstSegmentSize, opts.SegmentSize, opts.KeepReleased = size, size, 4*size
	log, err := mustScan(t, d, 0).Open(0, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { mustClose(t, log) })
	log.pool.stop() // Append makes the segments
	var last []byte
	d.written = func(f *memFile) { last = f.writes[len(f.writes)-1].data }
	return log, func(length int) int {
		t.Helper()
		mustAppend(t, log, numbered(1, length, 1))
		padding := last[frameHeaderLen+length:]
		if slices.ContainsFunc(padding, func(b byte) bool { return b != 0 }) {
			t.Errorf("%d bytes after a frame of %d are not all zeros", len(padding), length)
		}
		return len(padding)
	}
}

// TestZerosAhead appends frames to a segment that has never been written. Small ones write zeros
// ahead, once in a while, and large ones none.
func TestZerosAhead(t *testing.T) {
	const size = 1 << 20
	log, padding := openBlank(t, newMemDisk(), size)
	const perPadding = 1 + zerosAhead/(frameHeaderLen+1000) // frames, the last one ends in the zeros
	for i := range 3 * perPadding {
		want := 0
		if i%perPadding == 0 {
			want = zerosAhead
		}
		if got := padding(1000); got != want {
			t.Fatalf("frame %d: %d zeros; want %d", i, got, want)
		}
	}
	for _, tt := range []struct {
		name         string
		length, want int
		reason       string // why the row is here
	}{
		{"large", 2 * zerosAhead, 0, "zeros would be more than the metadata that they save"},
		{"small after it", 100, zerosAhead, "the large one has left no zeros"},
		{"small again", 100, 0, "it overwrites zeros"},
		{"longer over zeros", minUnpadded - 1000, 0, "it overwrites zeros"},
		{"large beyond zeros", zerosAhead, 0, "it is large"},
		{"largest small", minUnpadded - frameHeaderLen - 1, zerosAhead, "a byte less than a large one"},
		{"large again", 2 * zerosAhead, 0, "it ends beyond the zeros"},
		{"smallest large", minUnpadded - frameHeaderLen, 0, "with its header it is as long as a large one"},
	} {
		if got := padding(tt.length); got != tt.want {
			t.Errorf("%s: %d zeros; want %d (%s)", tt.name, got, tt.want, tt.reason)
		}
	}
	padding(int(log.active.size-log.active.end) - zerosAhead/2) // large
	rest := int(log.active.size-log.active.end) - frameHeaderLen - 100
	if got := padding(100); got != rest {
		t.Errorf("at the end of the segment: %d zeros; want %d, which fill it", got, rest)
	}
}

// TestRecycledIsBlank recycles a segment of which only the start has been written. Its rest is as
// in a new segment.
func TestRecycledIsBlank(t *testing.T) {
	const size = 256 << 10
	d := newMemDisk()
	log, padding := openBlank(t, d, size)
	padding(100)
	first, blank := log.active.number, log.active.blank
	padding(size) // needs a segment of its own
	mustSync(t, log)
	log.Release(1)
	if len(log.pool.released) != 1 || log.pool.released[0].blank != blank {
		t.Fatalf("released: %+v; want segment %d, blank from %d on", log.pool.released, first, blank)
	}
	if got := padding(100); got != 0 || log.active.blank != blank {
		t.Errorf("recycled: %d zeros and blank from %d on; want none, and %d", got, log.active.blank, blank)
	}
	padding(zerosAhead)
	if got := padding(100); got != zerosAhead {
		t.Errorf("%d zeros in the part that has not been written; want %d", got, zerosAhead)
	}
}

// TestCannotAllocate makes segments on a file system that gives no blocks that are not written. The
// segments begin as zeros then, and an Append writes none.
func TestCannotAllocate(t *testing.T) {
	d := newMemDisk()
	d.cannotAllocate = true
	log, padding := openBlank(t, d, 64<<10)
	for _, length := range []int{100, 100, 20 << 10, 100, 30 << 10, 100} {
		if got := padding(length); got != 0 {
			t.Errorf("a frame of %d bytes: %d zeros; want none", length, got)
		}
	}
	for path, file := range d.cached {
		if len(file.cached) != 64<<10 {
			t.Errorf("%s has %d bytes", filepath.Base(path), len(file.cached))
		}
	}
	if log.active.blank != 0 {
		t.Errorf("blank from %d on", log.active.blank)
	}
}
