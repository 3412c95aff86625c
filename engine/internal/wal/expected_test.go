// SPDX-License-Identifier: Apache-2.0

package wal

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/disk"
	"github.com/daybook-db/daybook/engine/internal/disk/faultfs"
)

// sixSegments returns a disk with a log of a value in each of six segments.
func sixSegments(t *testing.T) *memDisk {
	t.Helper()
	d := newMemDisk()
	log := mustOpen(t, d, 0, 0)
	log.pool.stop()
	for i := range 6 {
		mustAppend(t, log, numbered(i, 3000, 1))
	}
	mustSync(t, log)
	mustClose(t, log)
	if n := len(segmentsOf(t, d)); n != 6 {
		t.Fatalf("the log has %d segments; want 6", n)
	}
	return d
}

// TestScanMissesValues scans a log of which another file tells how far it has come.
func TestScanMissesValues(t *testing.T) {
	known, later := testIdentity.BeginRandom(6, true)
	for _, test := range []struct {
		name         string
		remove       []int // indexes of segments
		want         Expected
		text         string // of the error; "": none
		lastAssigned uint64
		hasLater     bool // the epoch of later is known afterwards
	}{
		{"nothing is expected", nil, Expected{}, "", 6, false},
		{"all is there", nil, Expected{6, 5, testIdentity.Origin()}, "", 6, false},
		{"all values are there", nil, Expected{0, 6, testIdentity.Origin()}, "", 6, false},
		{"one value is missing", nil, Expected{0, 7, testIdentity.Origin()}, "values from 7 on are missing", 7, false},
		{"the last file is missing", []int{5}, Expected{6, 5, testIdentity.Origin()},
			"000006.log is missing, in which values after 5 ", 5, false},
		{"the last files are missing", []int{4, 5}, Expected{6, 5, testIdentity.Origin()},
			"000006.log is missing, in which values after 5 ", 5, false},
		{"a file before the last one is missing, too", []int{4}, Expected{0, 9, testIdentity.Origin()},
			"want 5, so a segment before it is missing", 9, false},
		{"a file that began another epoch is missing", nil, Expected{7, 6, later},
			"000007.log is missing, in which values after 6 ", 6, true},
	} {
		d := sixSegments(t)
		paths := segmentsOf(t, d)
		for _, i := range test.remove {
			if err := d.Remove(paths[i]); err != nil {
				t.Fatal(err)
			}
		}
		expecting := knownAt(0)
		expecting.Expected = test.want
		r, damage, err := ScanUpToDamage(crashDir, d, expecting)
		if err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		isRight := errors.Is(damage, daybook.ErrCorrupt) && strings.Contains(damage.Error(), test.text)
		if test.text == "" && damage != nil || test.text != "" && !isRight {
			t.Errorf("%s: got %v; want %q", test.name, damage, test.text)
		}
		if r.LastAssigned() != test.lastAssigned || r.LastSegment() != max(6, test.want.Segment) {
			t.Errorf("%s: value %d was assigned last, and segment %d; want %d and %d", test.name, r.LastAssigned(),
				r.LastSegment(), test.lastAssigned, max(6, test.want.Segment))
		}
		if has := r.Identity().Has(later.Epoch); has != test.hasLater || has && !r.Identity().Equal(known) {
			t.Errorf("%s: the epoch that was expected is known: %t; want %t", test.name, has, test.hasLater)
		}
	}
}

// TestScanOfAMissingLog scans a log whose directory is missing. It was moved away on purpose, so
// nothing is missed.
func TestScanOfAMissingLog(t *testing.T) {
	fsys := faultfs.New(sixSegments(t))
	fsys.SetHook(failAll(faultfs.ReadDir, fs.ErrNotExist))
	expecting := knownAt(4)
	expecting.Expected = Expected{9, 8, testIdentity.Origin()}
	if r, damage, err := ScanUpToDamage(crashDir, fsys, expecting); err != nil || damage != nil || !r.IsLost() {
		t.Errorf("got %v, %v; want a log that is lost, and no error", damage, err)
	}
}

// TestDamagedHeaders damages the headers of one or two segments. The error must name the first that
// has values that must be replayed, and those before it must be replayed.
func TestDamagedHeaders(t *testing.T) {
	for first := 1; first < 6; first++ { // indexes of segments
		for second := first; second < 6; second++ {
			for watermark := range uint64(3) {
				d := sixSegments(t)
				paths := segmentsOf(t, d)
				for _, i := range []int{first, second} {
					clear(d.cached[paths[i]].cached[8:plainHeaderLen])
				}
				r, damage, err := ScanUpToDamage(crashDir, d, knownAt(watermark))
				if err != nil {
					t.Fatal(err)
				}
				name := fmt.Sprintf("headers %d and %d are damaged, at watermark %d", first+1, second+1, watermark)
				if !errors.Is(damage, daybook.ErrCorrupt) || !strings.Contains(damage.Error(), paths[first]) {
					t.Errorf("%s: got %v; want the damage of %s", name, damage, paths[first])
				}
				// A segment after the damage counts if the tree has the values between.
				want := max(first, int(watermark))
				if got := len(replayAll(t, r)); got < want-int(watermark) || r.NextSequence() < uint64(want)+1 {
					t.Errorf("%s: %d values are replayed, and the next is %d", name, got, r.NextSequence())
				}
			}
		}
	}
}

// TestSpareCountsWhatFits counts the segments that can be used again. A segment of the first size
// is one of them.
func TestSpareCountsWhatFits(t *testing.T) {
	d := newMemDisk()
	log := mustOpen(t, d, 0, 0)
	defer mustClose(t, log)
	log.pool.stop()
	mustAppend(t, log, numbered(0, 900, 1), numbered(1, 900, 1)) // the first segment is full
	mustAppend(t, log, numbered(2, 900, 1))
	mustSync(t, log)
	before := log.Spare()
	log.Release(2)
	if sizes := log.pool.released; len(sizes) != 1 || sizes[0].size != testOptions().FirstSegmentSize {
		t.Fatalf("released are %+v; want one of the first size", sizes)
	}
	if got := log.Spare(); got != before+1 {
		t.Errorf("%d segments can be used; want %d", got, before+1)
	}
}

// TestFollowStopsAtEachFrame ends each Read after a frame. The next one must go on after it.
func TestFollowStopsAtEachFrame(t *testing.T) {
	log := newFollowedLog(t, testOptions())
	want := log.append("a", "b", strings.Repeat("c", 1000), strings.Repeat("d", 3000), "e", strings.Repeat("f", 3000))
	var got []string
	for range len(want) + 1 {
		calls := 0
		err := log.follower.Read(func(first, _ uint64, payload []byte, _ int) bool {
			calls++
			got = append(got, fmt.Sprintf("%d %.60s", first, payload))
			return false
		})
		if err != nil || calls > 1 {
			t.Fatalf("%d calls after the first was told to be the last, %v", calls-1, err)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q; want %q", got, want)
	}
}

// TestFollowBesideRotation fills a segment, and begins the next one, right before the follower
// would look for one. It must read what was written to the segment meanwhile.
func TestFollowBesideRotation(t *testing.T) {
	log := newFollowedLog(t, testOptions())
	system, once := faultfs.NewSystem(disk.OS{}), sync.Once{}
	log.follower = NewFollower(system, filepath.Dir(log.dir), "wal", 0)
	log.read(log.append("a")...)
	var want []string
	write := func() { want = log.append("b", strings.Repeat("c", 1000), strings.Repeat("d", 3000)) }
	system.SetHook(func(op faultfs.Op) error {
		if op.Name == faultfs.ReadDir {
			once.Do(write)
		}
		return nil
	})
	log.read() // a segment that is not full has none after it, so nothing is looked for
	once.Do(write)
	log.read(want...)
}
