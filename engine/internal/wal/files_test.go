// SPDX-License-Identifier: Apache-2.0

package wal

import (
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/daybook-db/daybook/engine/internal/disk/faultfs"
)

// TestSizeAtEachOperation compares Size with the disk before each operation of a log, also of the
// segments that are made in the background, while segments are sealed, released, recycled and
// removed. Size may be more for a moment, and never less: otherwise the engine would give the same
// room to two values.
func TestSizeAtEachOperation(t *testing.T) {
	d := newMemDisk()
	fsys := faultfs.New(d)
	log := mustOpen(t, fsys, 0, 0)
	var looked, failed atomic.Int64
	fsys.SetHook(func(op faultfs.Op) error {
		looked.Add(1)
		if onDisk := d.size(); log.Size() < onDisk && failed.Add(1) == 1 {
			t.Errorf("before %s of %s, Size returned %d; the disk has %d bytes", op.Name, op.Path, log.Size(), onDisk)
		}
		return nil
	})
	last := uint64(0)
	for i, length := range []int{100, 3000, 500, 9000, 100, 20_000, 900, 900, 900, 40_000, 100, 3000, 3000, 100} {
		last = mustAppend(t, log, numbered(i, length, 1))
		mustSync(t, log)
		if i%3 == 2 {
			log.Release(last)
		}
		if i%6 == 5 {
			log.RemoveReleased()
		}
	}
	log.pool.background.Wait()
	mustClose(t, log)
	if looked.Load() < 50 {
		t.Errorf("there were %d operations", looked.Load())
	}
}

// size returns the total size of the files.
func (d *memDisk) size() (total int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, file := range d.cached {
		total += int64(len(file.cached))
	}
	return total
}

// TestSizeAfterFailedCreate: a file that could not be created does not count.
func TestSizeAfterFailedCreate(t *testing.T) {
	fsys := faultfs.New(newMemDisk())
	fsys.SetHook(fullAfter(0))
	counted := newFiles(fsys)
	if _, err := counted.Create(filepath.Join(crashDir, "file"), 5000); err == nil || counted.size() != 0 {
		t.Errorf("Create: got %v, %d bytes; want an error, and none", err, counted.size())
	}
}

// TestSizeOfEvidence opens a log of which only an unfinished segment is left. It is evidence, and
// counts until it is released.
func TestSizeOfEvidence(t *testing.T) {
	d := newMemDisk()
	put(t, d, temporaryNameOf(7), make([]byte, 5000))
	opts := testOptions()
	opts.KeepEvidence = true
	log, err := mustScan(t, d, 0).Open(0, opts)
	if err != nil {
		t.Fatal(err)
	}
	checkSize(t, log, d, "the evidence")
	log.ReleaseEvidence()
	checkSize(t, log, d, "without the evidence")
	mustClose(t, log)
}
