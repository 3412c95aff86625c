// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/disk/faultfs"
	"github.com/daybook-db/daybook/proof/smalldisk"
)

// TestFullDisk fills a real disk. Store returns ErrNoSpace, reads go on, Cleanup makes room, and
// Store works again without a reopen. A restart on the full disk loses nothing either.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(smalldisk.Mount(t, 12<<20), "store")
	opts := &Options{Tuning: Tuning{HeadSize: 256 << 10}, Logger: discard}
	db := mustOpen(t, dir, opts)
	random := rand.New(rand.NewPCG(1, 2))
	acked := storeUntilFull(t, db, random, 0)
	wantCount(t, db, acked)

	takeTheRest(t, filepath.Dir(dir))
	wantCount(t, db, acked)

	if err := db.abandon(); err != nil {
		t.Fatal(err)
	}
	db = mustOpen(t, dir, opts)
	wantCount(t, db, acked)

	deleted, err := db.Cleanup(ctx, uint64(acked/2))
	if err != nil || deleted != uint64(acked/2) {
		t.Fatalf("Cleanup on a full disk = %d, %v; want %d", deleted, err, acked/2)
	}
	wantCount(t, db, acked-int(deleted))
	mustStore(t, db, "again", "1", uint64(acked))
	if more := storeUntilFull(t, db, random, acked+1); more < acked/4 {
		t.Errorf("only %d more values fit after %d were deleted", more, deleted)
	}
	if _, err := db.Cleanup(ctx, math.MaxUint64); err != nil { // or Close would find no room to post the head
		t.Errorf("Cleanup of allRecords: %v", err)
	}
}

// takeTheRest fills the rest of a disk with another file.
func takeTheRest(t *testing.T, dir string) {
	t.Helper()
	ballast, err := os.OpenFile(filepath.Join(dir, "ballast"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer ballast.Close()
	for err == nil {
		_, err = ballast.Write(make([]byte, 4096))
	}
	if !errors.Is(err, unix.ENOSPC) {
		t.Fatal(err)
	}
}

// waitForNextSegment waits until the log has its next segment, which it makes in the background. If
// the disk is full meanwhile, the log removes the unfinished file, and then there is room again.
func waitForNextSegment(t *testing.T, db *DB) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		last := db.log.LastSegment()
		_, err := os.Stat(filepath.Join(db.dir.path, logName, fmt.Sprintf("%020d.log", last)))
		if err == nil && last > db.log.LastUsed() {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the log has not made segment %d, or has it in use: %v", last, err)
		}
	}
}

// jsonNoise returns a JSON string of about n bytes that does not compress well.
func jsonNoise(t *testing.T, random *rand.Rand, n int) json.RawMessage {
	t.Helper()
	data := make([]byte, n*3/4)
	for i := range data {
		data[i] = byte(random.Uint32())
	}
	value, err := json.Marshal(data)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// TestPruneOnFullDisk prunes many records whose rewritten chunks together are far larger than the
// reserve. Before that, a cleanup finds nothing to delete.
func TestPruneOnFullDisk(t *testing.T) {
	t.Parallel()
	const records, each = 300, 12
	dir := filepath.Join(smalldisk.Mount(t, 32<<20), "store")
	db := mustOpen(t, dir, &Options{Tuning: Tuning{HeadSize: 1 << 20}, Logger: discard})
	random := rand.New(rand.NewPCG(1, 2))
	for at := range uint64(each) {
		for record := range records {
			mustStore(t, db, fmt.Sprintf("record.%03d", record), string(jsonNoise(t, random, 1500)), at)
		}
	}
	if err := db.Checkpoint(ctx); err != nil {
		t.Fatal(err)
	}
	fill := func() {
		takeTheRest(t, filepath.Dir(dir))
		storeUntilFull(t, db, random, 1000) // and all pages that are free within the file
	}
	fill()
	for range 2 {
		if deleted, err := db.Cleanup(ctx, 0); deleted != 0 || err != nil {
			t.Errorf("Cleanup of nothing = %d, %v; want 0", deleted, err)
		}
		fill()
	}
	if deleted, err := db.Cleanup(ctx, 3); deleted != 3*records || err != nil {
		t.Errorf("Cleanup on a full disk = %d, %v; want %d", deleted, err, 3*records)
	}
	if _, err := db.Cleanup(ctx, math.MaxUint64); err != nil {
		t.Errorf("Cleanup of allRecords: %v", err)
	}
}

// TestCompactOnFullDisk compacts without room for the copy, and with room that another file takes
// during the copy. Both times all values stay, and others can be stored. With room it works.
func TestCompactOnFullDisk(t *testing.T) {
	t.Parallel()
	const size = 40 << 20
	disk := smalldisk.Mount(t, size)
	dir := filepath.Join(disk, "store")
	db := mustOpen(t, dir, &Options{Tuning: Tuning{HeadSize: 256 << 10, TransactionSize: 1 << 20}, Logger: discard})
	random := rand.New(rand.NewPCG(1, 2))
	const values = 1000
	for i := range values {
		mustStore(t, db, fmt.Sprintf("record.%03d", i%100), string(jsonNoise(t, random, 12<<10)), uint64(i))
	}
	if err := db.Checkpoint(ctx); err != nil {
		t.Fatal(err)
	}
	before, err := db.Stats(ctx)
	if err != nil {
		t.Fatal(err)
	}
	ballast := filepath.Join(disk, "ballast")
	take := func(n int64) {
		t.Helper()
		if err := os.WriteFile(ballast, make([]byte, n), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	unchanged := func(when string) {
		t.Helper()
		if _, err := os.Stat(filepath.Join(dir, copyName)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: the copy is still there: %v", when, err)
		}
		after, err := db.Stats(ctx)
		if err != nil || after.TreeBytes != before.TreeBytes || after.Values != before.Values {
			t.Errorf("%s: the tree has %d bytes and %d values; want %d and %d as before (%v)", when, after.TreeBytes,
				after.Values, before.TreeBytes, before.Values, err)
		}
		wantCount(t, db, values)
	}

	take(size - before.TreeBytes - before.TreeUsedBytes/2 - 2<<20)
	if err := db.Compact(ctx); !errors.Is(err, daybook.ErrNoSpace) {
		t.Errorf("Compact without room for the copy: %v; want ErrNoSpace", err)
	}
	unchanged("without room")

	take(0)
	if err := db.withTurn(ctx, beginCopy); err != nil {
		t.Fatal(err)
	}
	if err := db.withTurn(ctx, func(t *turn) error { _, err := t.copy.Step(ctx); return err }); err != nil {
		t.Fatal(err)
	}
	waitForNextSegment(t, db)
	takeTheRest(t, disk)
	for i := range uint64(60) { // more than two heads, so that a checkpoint finds no room but the copy's
		mustStore(t, db, "more", string(jsonNoise(t, random, 12<<10)), values+i)
	}
	if err := db.Checkpoint(ctx); err != nil {
		t.Errorf("a checkpoint on a disk that is full except for a copy: %v", err)
	}
	if copyUnderWay(t, db) {
		t.Error("the copy has not made room for the checkpoint")
	}
	if deleted, err := db.Prune(ctx, "more", daybook.PruneParams{OlderThan: math.MaxUint64}); err != nil ||
		deleted == 0 {
		t.Errorf("Prune = %d, %v", deleted, err)
	}

	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Cleanup(ctx, values/2); err != nil {
		t.Fatal(err)
	}
	if err := db.Compact(ctx); err != nil {
		t.Error(err)
	}
	wantCount(t, db, values/2)
	if after := fileSize(t, dir); after > before.TreeBytes*2/3 {
		t.Errorf("the file has %d bytes; before half of it was deleted it had %d", after, before.TreeBytes)
	}
}

// TestOpenOnFullDisk opens a log of more than one head on a disk without room to post it.
func TestOpenOnFullDisk(t *testing.T) {
	dir := filepath.Join(smalldisk.Mount(t, 16<<20), "store")
	opts := &Options{Tuning: Tuning{HeadSize: 256 << 10}, Durability: DurabilityOS, Logger: discard}
	db := mustOpen(t, dir, opts)
	random := rand.New(rand.NewPCG(1, 2))
	waitForNextSegment(t, db)
	takeTheRest(t, filepath.Dir(dir))
	acked := storeUntilFull(t, db, random, 0)
	if acked == 0 {
		t.Fatal("the log has no values")
	}
	if err := db.abandon(); err != nil {
		t.Fatal(err)
	}
	db = mustOpen(t, dir, opts)
	wantCount(t, db, acked)
	if err := os.Remove(filepath.Join(filepath.Dir(dir), "ballast")); err != nil {
		t.Fatal(err)
	}
	mustStore(t, db, "again", "1", 1)
}

// storeUntilFull stores values that do not compress until the disk is full, and returns their
// number.
func storeUntilFull(t *testing.T, db *DB, random *rand.Rand, from int) (stored int) {
	t.Helper()
	for {
		err := db.Store(ctx, fmt.Sprintf("r.%d", stored%5), jsonNoise(t, random, 900), uint64(from+stored))
		if errors.Is(err, daybook.ErrNoSpace) {
			return stored
		}
		if err != nil {
			t.Fatalf("Store after %d values: got %v; want nil or ErrNoSpace", stored, err)
		}
		if stored++; stored > 1<<20 {
			t.Fatal("the disk does not fill")
		}
	}
}

func wantCount(t *testing.T, db *DB, want int) {
	t.Helper()
	got := 0
	for _, err := range db.Scan(ctx, "*", daybook.QueryParams{}) {
		if err != nil {
			t.Fatal(err)
		}
		got++
	}
	if got != want {
		t.Fatalf("%d values are there; want %d", got, want)
	}
}

// TestOpenNotWritable opens directories without the permission to write. Root does so as another
// user.
func TestOpenNotWritable(t *testing.T) {
	dir := t.TempDir()
	store := filepath.Join(dir, "store")
	db := mustOpen(t, store, nil)
	mustStore(t, db, "r", "1", 1)
	mustClose(t, db)
	for _, d := range []string{store, dir} {
		if err := os.Chmod(d, 0o500); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.Chmod(d, 0o700) })
	}
	if err := os.Chmod(filepath.Join(store, TreeFile), 0o400); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		// Only this thread gives up the rights of root, for the files that it opens.
		runtime.LockOSThread()
		if err := unix.Setfsuid(65534); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = unix.Setfsuid(0); runtime.UnlockOSThread() }()
	}
	for _, path := range []string{store, filepath.Join(dir, "new")} {
		if _, err := Open(path, nil); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("Open(%s): got %v; want a permission error that names it", path, err)
		}
	}
}

// TestPruneBySizeOnFullDisk prunes to a size while all values are in the heads, because the tree
// never had room for them.
func TestPruneBySizeOnFullDisk(t *testing.T) {
	dir := filepath.Join(smalldisk.Mount(t, 12<<20), "store")
	db := mustOpen(t, dir, &Options{Logger: discard})
	acked := storeUntilFull(t, db, rand.New(rand.NewPCG(1, 2)), 0)
	takeTheRest(t, filepath.Dir(dir))
	before, err := db.Stats(ctx)
	if err != nil {
		t.Fatal(err)
	}
	deleted, err := db.Prune(ctx, "*", daybook.PruneParams{MaxBytes: before.ValueBytes / 4})
	if err != nil {
		t.Fatal(err)
	}
	after, err := db.Stats(ctx)
	if err != nil || after.ValueBytes > before.ValueBytes/4 || after.ValueBytes < before.ValueBytes/5 ||
		after.Values+deleted != uint64(acked) {
		t.Errorf("%d bytes of %d are left, in %d values of %d, of which %d were deleted (%v)", after.ValueBytes,
			before.ValueBytes, after.Values, acked, deleted, err)
	}
	mustStore(t, db, "r", "1", 1)
}

// TestReserveInPrune prunes on a full disk. The reserve is given up once and taken back once, at
// the end.
func TestReserveInPrune(t *testing.T) {
	dir := filepath.Join(smalldisk.Mount(t, 12<<20), "store")
	db, fsys := openFaulty(t, dir, Options{Durability: DurabilityOS, Tuning: Tuning{HeadSize: 1 << 20}})
	for i := range uint64(40) {
		mustStore(t, db, "r", `"`+digits(8000)+`"`, i)
	}
	takeTheRest(t, filepath.Dir(dir))
	var created atomic.Int64
	fsys.SetHook(func(op faultfs.Op) error {
		if op.Name == faultfs.Create && strings.HasSuffix(op.Path, reserveName) {
			created.Add(1)
		}
		return nil
	})
	if deleted, err := db.Prune(ctx, "*", daybook.PruneParams{MaxPerRecord: 1}); deleted != 39 || err != nil {
		t.Errorf("Prune = %d, %v; want 39", deleted, err)
	}
	if got := created.Load(); got > 1 {
		t.Errorf("the reserve was written %d times; want at most once", got)
	}
}

// TestHoldOnFullDisk fills a disk with held values. AdvanceHold must work there again and again,
// because nothing else lets Cleanup make room.
func TestHoldOnFullDisk(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(smalldisk.Mount(t, 12<<20), "store")
	db := mustOpen(t, dir, &Options{Tuning: Tuning{HeadSize: 256 << 10}, Durability: DurabilityOS, Logger: discard})
	random := rand.New(rand.NewPCG(1, 2))
	mustSetHold(t, db, daybook.Hold{Name: "cloud", MaxBytes: 1 << 30})
	const before = 3000
	for i := range uint64(before) {
		mustStore(t, db, "before", string(jsonNoise(t, random, 900)), i)
	}
	waitForNextSegment(t, db)
	takeTheRest(t, filepath.Dir(dir))
	stored := before + uint64(storeUntilFull(t, db, random, before))
	mustCleanup(t, db, math.MaxUint64, 0)
	last := mustCursor(t, db)
	for part := range uint64(10) {
		at := last
		at.Sequence = stored * (part + 1) / 10
		if err := db.AdvanceHold(ctx, "cloud", at); err != nil {
			t.Fatalf("AdvanceHold to part %d of a full disk: %v", part, err)
		}
		takeTheRest(t, filepath.Dir(dir))
	}
	mustCleanup(t, db, math.MaxUint64, stored)
	mustStore(t, db, "again", "1", 1)
	if info := mustHold(t, db, "cloud"); info.Lost != 0 || info.Values != 1 {
		t.Errorf("got %+v; want one held value and none lost", info)
	}
}

// TestFullDiskDropsNothing fills a disk long before MaxSize is reached. DropOldest drops nothing:
// it is not the daybook that is too large.
func TestFullDiskDropsNothing(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(smalldisk.Mount(t, 12<<20), "store")
	db := mustOpen(t, dir, &Options{MaxSize: 1 << 30, WhenFull: WhenFullDropOldest, Logger: discard,
		Tuning: Tuning{HeadSize: 256 << 10}})
	random := rand.New(rand.NewPCG(1, 2))
	acked := storeUntilFull(t, db, random, 0)
	takeTheRest(t, filepath.Dir(dir))
	for i := range 20 {
		err := db.Store(ctx, "r", jsonNoise(t, random, 50_000), uint64(acked+i))
		if err == nil {
			acked++
		} else if !errors.Is(err, daybook.ErrNoSpace) {
			t.Fatal(err)
		}
	}
	wantCount(t, db, acked)
	if _, err := db.Cleanup(ctx, math.MaxUint64); err != nil { // or Close would find no room to post the head
		t.Errorf("Cleanup of allRecords: %v", err)
	}
}
