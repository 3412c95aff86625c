// SPDX-License-Identifier: Apache-2.0

package wal

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/daybook-db/daybook/engine/internal/disk"
	"github.com/daybook-db/daybook/engine/internal/disk/faultfs"
	"github.com/daybook-db/daybook/engine/internal/identity"
)

// TestSpareAfterAFailedSegment fails each step of making a segment. A segment that could not be
// made does not count as one that will be there.
func TestSpareAfterAFailedSegment(t *testing.T) {
	for _, name := range []string{faultfs.Create, faultfs.Write, faultfs.Sync, faultfs.Rename, faultfs.SyncDir} {
		d := newMemDisk()
		fsys := faultfs.New(d)
		log := mustOpen(t, fsys, 0, 0)
		log.pool.stop()
		mustAppend(t, log, numbered(0, 100, 1))
		before := log.Spare()
		fsys.SetHook(failExceptOn(log.active.path, faultfs.ErrInjected, name))
		if _, err := log.Append([]Frame{numbered(1, 3000, 1)}); !errors.Is(err, faultfs.ErrInjected) {
			t.Fatalf("%s: Append: got %v", name, err)
		}
		if got := log.Spare(); got != before {
			t.Errorf("%s failed: %d segments can be used; before it were %d", name, got, before)
		}
		fsys.SetHook(nil)
		mustClose(t, log)
	}
}

// TestLargestSegment: the largest segment that is not in use may be the one that is ready, or one
// that was released.
func TestLargestSegment(t *testing.T) {
	for _, test := range []struct {
		ready    int64 // 0: none is ready
		released []int64
		want     int64
	}{{0, nil, 0}, {7, nil, 7}, {7, []int64{5}, 7}, {7, []int64{5, 9, 8}, 9}, {0, []int64{5}, 5}} {
		p := pool{}
		if test.ready > 0 {
			p.ready = &segment{size: test.ready}
		}
		for _, size := range test.released {
			p.released = append(p.released, segment{size: size})
		}
		if got := p.largest(); got != test.want {
			t.Errorf("%+v: got %d", test, got)
		}
	}
}

// TestIsMissing scans a directory that does not exist, and one that does.
func TestIsMissing(t *testing.T) {
	parent := t.TempDir()
	fsys, err := (disk.OS{}).OpenDirectory(parent)
	if err != nil {
		t.Fatal(err)
	}
	defer fsys.Close()
	dir := filepath.Join(parent, "wal")
	for _, missing := range []bool{true, false} {
		r, err := Scan(dir, fsys, knownAt(0))
		if err != nil || r.IsMissing() != missing || r.IsLost() {
			t.Errorf("missing: %v, lost: %v, %v; want %v, and no value lost", r.IsMissing(), r.IsLost(), err, missing)
		}
		if err := fsys.Mkdir(dir); err != nil {
			t.Fatal(err)
		}
	}
}

// TestIsEarlier: a segment comes before the one that is read if its epoch does, or if the epoch is
// one that was read.
func TestIsEarlier(t *testing.T) {
	first := identity.New()
	second, _ := first.BeginRandom(10, true)
	other := identity.New().Origin()
	f := Follower{header: segmentHeader{number: 5, firstSequence: 11, version: originVersion, origin: second.Origin()}}
	f.Origins = []identity.Origin{second.Origin()}
	for _, test := range []struct {
		name     string
		sequence uint64
		origin   identity.Origin
		want     bool
	}{
		{"of the epoch before", 1, first.Origin(), true},
		{"of the same epoch", 11, second.Origin(), true},
		{"of the same epoch, and later", 12, second.Origin(), false},
		{"of another store", 1, other, false},
	} {
		header := segmentHeader{number: 3, firstSequence: test.sequence, version: originVersion, origin: test.origin}
		if got := f.isEarlier(header); got != test.want {
			t.Errorf("%s: got %v", test.name, got)
		}
	}
}

// TestValuesAfterTheirEpoch scans a log whose epoch ended, as the tree knows, before its last
// values. They belong to a copy of the directory in which the epoch went on.
func TestValuesAfterTheirEpoch(t *testing.T) {
	w := write(t)
	last := w.frames[0].last()
	ended, _ := testIdentity.BeginRandom(last, true)
	known := Known{Identity: ended, Tree: "/daybook.db"}
	_, err := Scan(crashDir, w.disk, known)
	if !isCorruptAt(err, w.segments[0], 0) {
		t.Fatalf("got %v; want ErrCorrupt at the beginning of %s", err, w.segments[0])
	}
	r, damage, err := ScanUpToDamage(crashDir, w.disk, known)
	if damage == nil || err != nil {
		t.Fatalf("got %v, %v; want the damage", damage, err)
	}
	err = r.Replay(func(first uint64, _ []byte, _ int) error {
		t.Errorf("the frame of value %d counts", first)
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
