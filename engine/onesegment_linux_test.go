// SPDX-License-Identifier: Apache-2.0

package engine

import (
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

// TestFullDiskAfterReboot kills a process again and again on a real disk that is full, and stays
// full. The log got room for one segment. Each time the daybook opens, a deletion makes room in the
// tree for more values than the segment holds.
func TestFullDiskAfterReboot(t *testing.T) {
	disk := smalldisk.Mount(t, 6<<20)
	dir := filepath.Join(disk, "store")
	opts := &Options{Tuning: Tuning{HeadSize: 256 << 10}, Durability: DurabilityOS, Logger: discard}
	random := rand.New(rand.NewPCG(1, 2))
	const held = 2000
	db := mustOpen(t, dir, opts)
	for i := range uint64(held) {
		mustStore(t, db, "r", string(jsonNoise(t, random, 900)), i)
	}
	mustClose(t, db)
	takeTheRest(t, disk)
	ballast := filepath.Join(disk, "ballast")
	if info, err := os.Stat(ballast); err != nil {
		t.Fatal(err)
	} else if err := os.Truncate(ballast, info.Size()-300<<10); err != nil {
		t.Fatal(err)
	}
	for reboot := range 4 {
		db := mustOpen(t, dir, opts)
		if reboot == 0 {
			mustStore(t, db, "first", "1", 1)
		}
		takeTheRest(t, disk)
		now := 10_000 * (1 + reboot)
		deleted, err := db.Cleanup(ctx, uint64(now))
		if err != nil {
			t.Fatal(err)
		}
		if stored := storeUntilFull(t, db, random, now); stored < held/2 {
			t.Errorf("after %d reboots, %d values can be stored in the place of %d", reboot, stored, deleted)
		}
		mustAbandon(t, db)
	}
}
