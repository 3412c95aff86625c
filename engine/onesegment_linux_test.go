// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/daybook-db/daybook/engine/internal/disk"
	"github.com/daybook-db/daybook/engine/internal/disk/faultfs"
	"github.com/daybook-db/daybook/proof/smalldisk"
)

// openWithoutRoomForLog opens a store on a disk on which the log can make no more than a number of
// files.
func openWithoutRoomForLog(t *testing.T, dir string, files int) *DB {
	t.Helper()
	opts, err := (&Options{Durability: DurabilityOS, Logger: discard}).withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	fsys := faultfs.NewSystem(disk.OS{})
	var made atomic.Int64
	fsys.SetHook(func(op faultfs.Op) error {
		if op.Name == faultfs.Create && inLog(op) && made.Add(1) > int64(files) {
			return faultfs.ErrDiskFull
		}
		return nil
	})
	db, err := open(dir, opts, fsys)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.abandon() })
	return db
}

// TestStoreInOneSegment opens a daybook on a disk that has no room for a segment of the log, beside
// the one that an earlier process has left or that Open has made. While the tree has room, Store
// works: the log uses its one segment again and again.
func TestStoreInOneSegment(t *testing.T) {
	const values = 100
	for _, test := range []struct {
		name   string
		before func(t *testing.T, dir string) (stored int)
		reason string
	}{
		{"killed", func(t *testing.T, dir string) int {
			db := openWithoutRoomForLog(t, dir, 1)
			storeFromSeveral(t, db, 1, 20)
			mustAbandon(t, db)
			return 20
		}, "the segment has values that are not in the tree yet"},
		{"killed after a checkpoint", func(t *testing.T, dir string) int {
			db := openWithoutRoomForLog(t, dir, 1)
			storeFromSeveral(t, db, 1, 20)
			if err := db.Checkpoint(ctx); err != nil {
				t.Fatal(err)
			}
			mustAbandon(t, db)
			return 20
		}, "the segment is only the evidence of an unclean end, and there is nothing to post"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			stored := test.before(t, dir)
			for range 3 {
				db := openWithoutRoomForLog(t, dir, 0)
				storeFromSeveral(t, db, 1, values)
				if stored += values; db.heads.last() != uint64(stored) {
					t.Errorf("the last sequence number is %d; want %d", db.heads.last(), stored)
				}
				wantCount(t, db, stored)
				if t.Failed() {
					t.Fatal(test.reason)
				}
				mustAbandon(t, db)
			}
		})
	}
}

func mustAbandon(t *testing.T, db *DB) {
	t.Helper()
	if err := db.abandon(); err != nil {
		t.Fatal(err)
	}
}

// fullDiskWith closes a daybook with old values, on a real disk that other files have filled except
// for a number of bytes. Until it is closed, the disk has room for all segments that the log makes
// while posts are slow.
func fullDiskWith(t *testing.T, free int64) (dir string, opts *Options) {
	t.Helper()
	disk := smalldisk.Mount(t, 16<<20)
	dir = filepath.Join(disk, "store")
	opts = &Options{Tuning: Tuning{HeadSize: 256 << 10}, Durability: DurabilityOS, Logger: discard}
	db := mustOpen(t, dir, opts)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range uint64(2000) {
		mustStore(t, db, "r", string(jsonNoise(t, random, 900)), i)
	}
	mustClose(t, db)
	takeTheRest(t, disk)
	ballast := filepath.Join(disk, "ballast")
	if info, err := os.Stat(ballast); err != nil {
		t.Fatal(err)
	} else if err := os.Truncate(ballast, info.Size()-free); err != nil {
		t.Fatal(err)
	}
	return dir, opts
}

// TestSparesMakeRoom posts on a full disk on which the log has made its next segment in advance.
// The tree gets the space of that segment. The log goes on in the one that has been posted.
func TestSparesMakeRoom(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(smalldisk.Mount(t, 6<<20), "store")
	db := mustOpen(t, dir, &Options{Tuning: Tuning{HeadSize: 1 << 20}, Durability: DurabilityOS, Logger: discard})
	random := rand.New(rand.NewPCG(1, 2))
	const values = 600 // more than a segment of 256 KiB, less than that and one of 512
	for i := range uint64(values) {
		mustStore(t, db, "r", string(jsonNoise(t, random, 900)), i)
	}
	waitForNextSegment(t, db)
	takeTheRest(t, filepath.Dir(dir))
	if err := db.Checkpoint(ctx); err != nil {
		t.Errorf("Checkpoint beside a spare segment: %v", err)
	}
	if more := storeUntilFull(t, db, random, values); more < 200 {
		t.Errorf("%d more values can be stored; want as many as the log's first segment holds", more)
	}
	if _, err := db.Cleanup(ctx, math.MaxUint64); err != nil { // or Close would find no room for the head
		t.Error(err)
	}
}

// TestFullDiskAfterReboot restarts a daybook again and again on a real disk that is full, and stays
// full. The log got room for one segment at most. Each time the daybook opens, a deletion makes
// room in the tree for more values than a segment holds.
func TestFullDiskAfterReboot(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		free   int64
		closed bool
		reason string
	}{
		{"killed", 300 << 10, false, "the log keeps its segment"},
		{"closed", 300 << 10, true, "another program takes the segment's room, and later ones are made of the reserve"},
		{"killed without a segment", 0, false, "the first one is made of the reserve, and stays"},
		{"closed without a segment", 0, true, "the reserve gets back its part each time"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir, opts := fullDiskWith(t, test.free)
			random := rand.New(rand.NewPCG(1, 2))
			for reboot := range 4 {
				db := mustOpen(t, dir, opts)
				if reboot == 0 && test.free > 0 {
					mustStore(t, db, "first", "1", 1)
				}
				takeTheRest(t, filepath.Dir(dir))
				now := 10_000 * (1 + reboot)
				deleted, err := db.Cleanup(ctx, uint64(now))
				if err != nil {
					t.Fatal(err)
				}
				if stored := storeUntilFull(t, db, random, now); stored < 1000 {
					t.Errorf("after %d reboots, %d values can be stored in the place of %d, but %s", reboot, stored,
						deleted, test.reason)
				}
				if !test.closed {
					mustAbandon(t, db)
					continue
				}
				if _, err := db.Cleanup(ctx, math.MaxUint64); err != nil { // or Close would find no room for the head
					t.Fatal(err)
				}
				mustClose(t, db)
				takeTheRest(t, filepath.Dir(dir))
			}
		})
	}
}
