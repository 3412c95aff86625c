// SPDX-License-Identifier: Apache-2.0

package wal

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/disk/faultfs"
)

// firstDamaged works out which offset Check must name once a segment's bytes are damaged; -1: none.
func (l *laidOut) firstDamaged(path string, damaged []byte) int64 {
	whole := l.disk.cached[path].cached
	parts := slices.Concat([]place{{path: path, end: segmentHeaderLen}}, l.places, l.seals)
	parts = slices.DeleteFunc(parts, func(p place) bool { return p.path != path })
	if len(parts) == 1 {
		return -1 // it is not in use
	}
	if len(damaged) < len(whole) {
		return int64(len(damaged))
	}
	for _, p := range parts { // the seal is the last
		if !bytes.Equal(damaged[p.start:p.end], whole[p.start:p.end]) {
			return p.start
		}
	}
	return -1
}

// TestCheckFindsEveryDamage flips a bit of each byte of each segment of a log in use, and cuts off
// at each.
func TestCheckFindsEveryDamage(t *testing.T) {
	l := layOut(t)
	l.append(8, 30)
	l.reopen() // one segment that recovery has sealed
	l.appendUntil(4, true)
	l.append(8, 100) // not synced, but read
	l.prepare()
	if err := l.log.Check(); err != nil {
		t.Fatalf("undamaged: %v", err)
	}
	check := func(what, path string, damaged []byte) {
		t.Helper()
		want := l.firstDamaged(path, damaged)
		file := l.disk.cached[path]
		whole := file.cached
		file.cached = damaged
		err := l.log.Check()
		file.cached = whole
		place := fmt.Sprintf("%s at offset %d:", path, want)
		if want < 0 && err != nil || want >= 0 && (!errors.Is(err, daybook.ErrCorrupt) || !strings.Contains(err.Error(), place)) {
			t.Errorf("%s, %s: got %v; want one at offset %d", filepath.Base(path), what, err, want)
		}
	}
	for _, path := range slices.Sorted(maps.Keys(l.disk.cached)) {
		data := l.disk.cached[path].cached
		for at := range data {
			flipped := slices.Clone(data)
			flipped[at] ^= 1 << (at % 8)
			check(fmt.Sprintf("byte %d flipped", at), path, flipped)
			check(fmt.Sprintf("cut off at %d", at), path, data[:at:at])
		}
	}
}

// TestCheckNamesEverySegment: damage to one does not hide that to another.
func TestCheckNamesEverySegment(t *testing.T) {
	l := layOut(t)
	l.appendUntil(4, true)
	segments := segmentsOf(t, l.disk)
	l.disk.cached[segments[0]].cached[segmentHeaderLen]++
	delete(l.disk.cached, segments[1])
	l.disk.cached[segments[3]].cached[0]++
	err := l.log.Check()
	for i, path := range segments {
		if named := strings.Contains(fmt.Sprint(err), path+" at offset"); named != (i != 2) {
			t.Errorf("segment %d is named: %t, in %v", i, named, err)
		}
	}
	if !errors.Is(err, daybook.ErrCorrupt) {
		t.Errorf("got %v; want ErrCorrupt", err)
	}
}

// TestCheckOfOtherBytes: a segment that is whole, but not what was written.
func TestCheckOfOtherBytes(t *testing.T) {
	header := func(l *laidOut, number, firstSequence uint64) {
		segment := l.disk.cached[l.places[0].path].cached
		copy(segment, segmentHeader{number: number, firstSequence: firstSequence, size: int64(len(segment))}.append(nil))
	}
	tests := []struct {
		name   string
		change func(l *laidOut)
		want   int64  // the offset that is named
		reason string // why the row is here
	}{
		{"another segment", func(l *laidOut) {
			l.disk.cached[l.places[0].path] = l.disk.cached[l.log.active.path]
		}, 0, "a file copied over another"},
		{"another number", func(l *laidOut) { header(l, 2, 1) }, 0, "the header alone, and nothing else is wrong"},
		{"another sequence", func(l *laidOut) { header(l, 1, 2) }, 0, "the header alone, and nothing else is wrong"},
		{"prepared", func(l *laidOut) { header(l, 1, 0) }, 0, "as if it had never been used"},
		{"another count of values", func(l *laidOut) {
			other := frame{payload: l.frames[0].Payload, values: 7}
			copy(l.disk.cached[l.places[0].path].cached[segmentHeaderLen:], other.append(nil, 1, segmentHeaderLen))
		}, -1, "every checksum is right"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			l := layOut(t)
			l.appendUntil(3, true)
			want := test.want
			if want < 0 {
				want = l.seals[0].start // all that is known is that something before it is wrong
			}
			test.change(l)
			place := fmt.Sprintf("%s at offset %d:", l.places[0].path, want)
			if err := l.log.Check(); !errors.Is(err, daybook.ErrCorrupt) || !strings.Contains(err.Error(), place) {
				t.Errorf("got %v; want ErrCorrupt and %q (%s)", err, place, test.reason)
			}
		})
	}
}

// TestCheckOfWhatNeedsNone: what holds no values, and what the tree held already when the log was
// opened.
func TestCheckOfWhatNeedsNone(t *testing.T) {
	l := layOut(t)
	if err := l.log.Check(); err != nil {
		t.Errorf("an empty log: %v", err)
	}
	l.appendUntil(3, true)
	l.posted = len(l.frames)
	l.close()
	l.open()
	l.disk.cached[segmentsOf(t, l.disk)[0]].cached[segmentHeaderLen]++
	if err := l.log.Check(); err != nil {
		t.Errorf("damage to what is in the tree: %v", err)
	}
}

// TestCheckReportsReadErrors: a segment that cannot be read is neither whole nor corrupt.
func TestCheckReportsReadErrors(t *testing.T) {
	fsys := faultfs.New(newMemDisk())
	log := mustOpen(t, fsys, 0, 0)
	mustAppend(t, log, numbered(1, 10, 1))
	fsys.SetHook(failAll(faultfs.Read, faultfs.ErrInjected))
	if err := log.Check(); !errors.Is(err, faultfs.ErrInjected) || errors.Is(err, daybook.ErrCorrupt) {
		t.Errorf("got %v; want the error of reading", err)
	}
}

// TestCheckOfReleasedSegments: while a segment is read it is released, and used again, or removed.
func TestCheckOfReleasedSegments(t *testing.T) {
	tests := []struct {
		name   string
		keep   int64 // Options.KeepReleased
		reused bool
		reason string
	}{
		{"renamed", 12 << 10, false, "the file is missing under its name"},
		{"written over", 12 << 10, true, "another header and other frames"},
		{"removed", 0, false, "the file is missing"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d := newMemDisk()
			fsys := faultfs.New(d)
			opts := testOptions()
			opts.KeepReleased = test.keep
			log, err := mustScan(t, fsys, 0).Open(0, opts)
			if err != nil {
				t.Fatal(err)
			}
			log.pool.stop()
			for i := range 3 {
				mustAppend(t, log, numbered(i, 1500, 1))
				mustSync(t, log)
			}
			first := log.sealed[0].path
			released := false
			fsys.SetHook(func(op faultfs.Op) error {
				if op.Name != faultfs.Read || op.Path != first || released {
					return nil
				}
				released = true
				log.Release(2)
				mustAppend(t, log, numbered(3, 1500, 1)) // takes a released segment, where one is kept
				if test.reused {
					// Reading began under the old name, and goes on in the file that has another
					// now.
					d.cached[first] = d.cached[log.active.path]
				}
				return nil
			})
			if err := log.Check(); err != nil || !released {
				t.Errorf("released: %t, %v; want nothing reported (%s)", released, err, test.reason)
			}
			fsys.SetHook(nil)
			if err := log.Check(); err != nil {
				t.Errorf("a second time: %v", err)
			}
		})
	}
}

// TestCheckBesideEverything: several check while one appends, syncs and releases. The race detector
// watches.
func TestCheckBesideEverything(t *testing.T) {
	log := mustOpen(t, newMemDisk(), 0, 0)
	stop := make(chan struct{})
	var group sync.WaitGroup
	var checks atomic.Int64
	for range 3 {
		group.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if err := log.Check(); err != nil {
					t.Error(err)
					return
				}
				checks.Add(1)
			}
		})
	}
	next := uint64(1)
	for i := 0; !t.Failed() && (i < 600 || checks.Load() < 20); i++ {
		mustAppend(t, log, numbered(i, 10+i%600, 1))
		next++
		if i%2 == 0 {
			mustSync(t, log)
		}
		if i%7 == 0 {
			log.Release(next - min(next, 5))
		}
	}
	close(stop)
	group.Wait()
	mustClose(t, log)
}
