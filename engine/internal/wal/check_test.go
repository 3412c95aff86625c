// SPDX-License-Identifier: Apache-2.0

package wal

import (
	"bytes"
	"context"
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
	"github.com/daybook-db/daybook/engine/internal/identity"
)

// firstDamaged returns the offset that Check must name after the bytes of a segment have been
// replaced by damaged. It returns -1 if Check must find nothing.
func (l *layout) firstDamaged(path string, damaged []byte) int64 {
	undamaged := l.disk.cached[path].cached
	parts := slices.Concat([]place{{path: path, end: segmentHeaderLen}}, l.places, l.seals)
	parts = slices.DeleteFunc(parts, func(p place) bool { return p.path != path })
	if len(parts) == 1 {
		return -1 // the segment is not in use
	}
	if len(damaged) < len(undamaged) {
		return int64(len(damaged))
	}
	for _, p := range parts { // the seal is the last
		if !bytes.Equal(damaged[p.start:p.end], undamaged[p.start:p.end]) {
			return p.start
		}
	}
	return -1
}

// TestCheckFindsEveryDamage flips a bit of each byte of each segment of an open log, and cuts each
// segment off at each offset.
func TestCheckFindsEveryDamage(t *testing.T) {
	l := newLayout(t)
	l.append(8, 30)
	l.reopen() // the first segment is sealed by recovery
	l.appendUntil(4, true)
	l.append(8, 100) // Check reads frames that are not synced too
	l.prepare()
	if err := l.log.Check(context.Background()); err != nil {
		t.Fatalf("undamaged: %v", err)
	}
	check := func(damage, path string, damaged []byte) {
		t.Helper()
		want := l.firstDamaged(path, damaged)
		file := l.disk.cached[path]
		undamaged := file.cached
		file.cached = damaged
		err := l.log.Check(context.Background())
		file.cached = undamaged
		if want < 0 && err != nil || want >= 0 && !isCorruptAt(err, path, want) {
			t.Errorf("%s, %s: got %v; want ErrCorrupt at offset %d (-1: none)", filepath.Base(path), damage, err, want)
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

// TestCheckNamesEverySegment checks that damage to one segment does not hide the damage to another.
func TestCheckNamesEverySegment(t *testing.T) {
	l := newLayout(t)
	l.appendUntil(4, true)
	segments := segmentsOf(t, l.disk)
	l.disk.cached[segments[0]].cached[segmentHeaderLen]++
	delete(l.disk.cached, segments[1])
	l.disk.cached[segments[3]].cached[0]++
	err := l.log.Check(context.Background())
	for i, path := range segments {
		if named := strings.Contains(fmt.Sprint(err), path+" at offset"); named != (i != 2) {
			t.Errorf("segment %d is named: %t; want %t in %v", i, named, i != 2, err)
		}
	}
	if !errors.Is(err, daybook.ErrCorrupt) {
		t.Errorf("got %v; want ErrCorrupt", err)
	}
}

// TestCheckOfOtherBytes replaces a segment by valid bytes that are not the bytes that were written.
func TestCheckOfOtherBytes(t *testing.T) {
	header := func(l *layout, number, firstSequence uint64, origin identity.Origin) {
		segment := l.disk.cached[l.places[0].path].cached
		other := segmentHeader{
			number: number, firstSequence: firstSequence, size: int64(len(segment)), origin: origin,
		}
		copy(segment, other.append(nil))
	}
	origin := testIdentity.Origin()
	tests := []struct {
		name   string
		change func(l *layout)
		want   int64  // the offset that Check names; -1: the offset of the seal
		reason string // why the row is here
	}{
		{"another segment", func(l *layout) {
			l.disk.cached[l.places[0].path] = l.disk.cached[l.log.active.path]
		}, 0, "a file copied over another"},
		{"another number", func(l *layout) { header(l, 2, 1, origin) }, 0, "only the header is wrong"},
		{"another sequence", func(l *layout) { header(l, 1, 2, origin) }, 0, "only the header is wrong"},
		{"another epoch", func(l *layout) { header(l, 1, 1, identity.New().Origin()) }, 0, "a log of another store"},
		{"prepared", func(l *layout) { header(l, 1, 0, origin) }, 0, "the segment looks unused"},
		{"another count of values", func(l *layout) {
			other := frame{payload: l.frames[0].Payload, values: 7}
			copy(l.disk.cached[l.places[0].path].cached[segmentHeaderLen:], other.append(nil, 1, segmentHeaderLen))
		}, -1, "all checksums match"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			l := newLayout(t)
			l.appendUntil(3, true)
			want := test.want
			if want < 0 {
				want = l.seals[0].start // Check only knows that a frame before the seal is wrong
			}
			test.change(l)
			if err := l.log.Check(context.Background()); !isCorruptAt(err, l.places[0].path, want) {
				t.Errorf("got %v; want ErrCorrupt at offset %d (%s)", err, want, test.reason)
			}
		})
	}
}

// TestCheckWithoutNeed checks an empty log, and a log whose damaged values were in the tree when
// the log was opened. Check must return nil.
func TestCheckWithoutNeed(t *testing.T) {
	l := newLayout(t)
	if err := l.log.Check(context.Background()); err != nil {
		t.Errorf("an empty log: %v", err)
	}
	l.appendUntil(3, true)
	l.posted = len(l.frames)
	l.close()
	l.open()
	l.disk.cached[segmentsOf(t, l.disk)[0]].cached[segmentHeaderLen]++
	if err := l.log.Check(context.Background()); err != nil {
		t.Errorf("damage to values that are in the tree: %v", err)
	}
}

// TestCheckReportsReadErrors checks that an error of reading a segment is not reported as
// corruption.
func TestCheckReportsReadErrors(t *testing.T) {
	fsys := faultfs.New(newMemDisk())
	log := mustOpen(t, fsys, 0, 0)
	mustAppend(t, log, numbered(1, 10, 1))
	fsys.SetHook(failAll(faultfs.Read, faultfs.ErrInjected))
	err := log.Check(context.Background())
	if !errors.Is(err, faultfs.ErrInjected) || errors.Is(err, daybook.ErrCorrupt) {
		t.Errorf("got %v; want ErrInjected, and not ErrCorrupt", err)
	}
}

// TestCheckOfReleasedSegments has a segment released while Check reads it, and then recycled or
// removed. Check must return nil.
func TestCheckOfReleasedSegments(t *testing.T) {
	tests := []struct {
		name   string
		keep   int64 // Options.KeepReleased
		reused bool
		reason string // why the row is here
	}{
		{"renamed", 12 << 10, false, "the file is missing under its name"},
		{"overwritten", 12 << 10, true, "the file has another header and other frames"},
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
				mustAppend(t, log, numbered(3, 1500, 1)) // recycles the released segment if it is kept
				if test.reused {
					// The file was opened under its old name and is read after the recycling.
					d.cached[first] = d.cached[log.active.path]
				}
				return nil
			})
			if err := log.Check(context.Background()); err != nil || !released {
				t.Errorf("released: %t, %v; want true, nil (%s)", released, err, test.reason)
			}
			fsys.SetHook(nil)
			if err := log.Check(context.Background()); err != nil {
				t.Errorf("the second Check: %v", err)
			}
		})
	}
}

// TestCheckDuringAppends has several goroutines check the log while one appends, syncs and
// releases. The race detector must find nothing.
func TestCheckDuringAppends(t *testing.T) {
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
				if err := log.Check(context.Background()); err != nil {
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
