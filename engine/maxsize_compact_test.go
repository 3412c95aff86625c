// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"testing"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/proof/testenv"
)

// TestMaxSizeCompact compacts without room for a copy below the maximum, and then with room.
func TestMaxSizeCompact(t *testing.T) {
	t.Parallel()
	dir := testenv.TempDir(t)
	db := mustOpen(t, dir, &Options{Durability: DurabilityOS, MaxSize: 4 * MinMaxSize, Logger: discard})
	i := uint64(0)
	for ; ; i++ {
		if err := db.Store(ctx, "r", json.RawMessage(`"`+digits(4000)+`"`), i); err != nil {
			break
		}
	}
	if err := db.Compact(ctx); !errors.Is(err, daybook.ErrNoSpace) {
		t.Errorf("Compact of a full directory: got %v; want ErrNoSpace", err)
	}
	if _, err := db.Cleanup(ctx, i-i/8); err != nil {
		t.Fatal(err)
	}
	if err := db.Compact(ctx); err != nil {
		t.Errorf("Compact after Cleanup: %v", err)
	}
	if size := occupied(t, dir); size > 3*MinMaxSize {
		t.Errorf("the directory still has %d bytes", size)
	}
}

// TestMaxSizeSmaller opens a store that is several times as large as the maximum. Refuse refuses
// until values are deleted and the tree is compacted. DropOldest does both by itself.
func TestMaxSizeSmaller(t *testing.T) {
	t.Parallel()
	dir := testenv.TempDir(t)
	opts := &Options{Durability: DurabilityOS, Logger: discard}
	db := mustOpen(t, dir, opts)
	last := fillUp(t, db, 8_000)
	mustClose(t, db)
	opts.MaxSize = MinMaxSize
	db = mustOpen(t, dir, opts)
	if err := db.Store(ctx, "r", json.RawMessage("1"), last); !errors.Is(err, daybook.ErrNoSpace) {
		t.Errorf("Refuse: got %v; want ErrNoSpace", err)
	}
	if got := len(mustQuery(t, db, "*", daybook.QueryParams{})); got != int(last) {
		t.Errorf("%d values are left of %d", got, last)
	}
	mustClose(t, db)
	opts.WhenFull = WhenFullDropOldest
	db = mustOpen(t, dir, opts)
	if err := db.Store(ctx, "r", json.RawMessage("1"), last); err != nil {
		t.Errorf("DropOldest: %v", err)
	}
	wantFilesSoon(t, dir, "daybook.db") // on Windows the old one is there for a moment
	if size := occupied(t, dir); size > MinMaxSize {
		t.Errorf("the directory has %d bytes", size)
	}
	if got := len(mustQuery(t, db, "*", daybook.QueryParams{})); got < 1000 || got > 3000 {
		t.Errorf("%d values of 2,000 bytes are left in %d bytes", got, MinMaxSize)
	}
}

// TestMaxSizeSmallerRefuses deletes values of a store that is larger than the maximum, and compacts
// it.
func TestMaxSizeSmallerRefuses(t *testing.T) {
	t.Parallel()
	dir := testenv.TempDir(t)
	db := mustOpen(t, dir, &Options{Durability: DurabilityOS, Logger: discard})
	last := fillUp(t, db, 8_000)
	mustClose(t, db)
	db = mustOpen(t, dir, &Options{Durability: DurabilityOS, MaxSize: MinMaxSize, Logger: discard})
	if _, err := db.Cleanup(ctx, last-100); err != nil {
		t.Fatal(err)
	}
	if err := db.Compact(ctx); err != nil {
		t.Fatal(err)
	}
	if err := db.Store(ctx, "r", json.RawMessage("1"), last); err != nil || occupied(t, dir) > MinMaxSize {
		t.Errorf("after: %v, and the directory has %d bytes", err, occupied(t, dir))
	}
}

// TestMaxSizeBesideCopy stores between the last step of a compaction and its end, to records that
// the copy has too.
func TestMaxSizeBesideCopy(t *testing.T) {
	t.Parallel()
	dir := testenv.TempDir(t)
	db := mustOpen(t, dir, &Options{Durability: DurabilityOS, MaxSize: MinMaxSize, Logger: discard})
	last := fillUp(t, db, 10_000)
	copied := 0
	for kept := uint64(0); kept < 600; kept += 100 {
		if _, err := db.Cleanup(ctx, last-kept); err != nil {
			t.Fatal(err)
		}
		err := db.withTurn(ctx, beginCopy)
		for done := false; err == nil && !done; {
			err = db.withTurn(ctx, func(t *turn) (err error) { done, err = t.copyStep(ctx); return err })
		}
		for n := 0; err == nil && n < 3000 && copyUnderWay(t, db); n++ {
			copied++
			err = db.Store(ctx, fmt.Sprintf("a%d", n%500), json.RawMessage(`"`+digits(2000)+`"`), last)
			last++
			if size := occupied(t, dir); size > MinMaxSize {
				t.Fatalf("the directory has %d bytes", size)
			}
		}
		if err != nil && !errors.Is(err, daybook.ErrNoSpace) {
			t.Fatal(err)
		}
		mustGiveUpCopy(t, db)
	}
	if copied == 0 {
		t.Error("no copy was ever made")
	}
}

// TestAccountOfCopy writes to the tree while a copy of it is complete, by a checkpoint and by a
// deletion. Meanwhile the account always has the size that the copy gets, or counts the values that
// it has yet to take.
func TestAccountOfCopy(t *testing.T) {
	dir := testenv.TempDir(t)
	db := mustOpen(t, dir, &Options{Durability: DurabilityOS, MaxSize: 2 * MinMaxSize, Logger: discard})
	last := fillUp(t, db, 700) // so that a file whose size is doubled grows, too
	copying := mustBeginCopy(t, db)
	var err error
	for done := false; err == nil && !done; {
		done, err = copying.copyStep(ctx)
	}
	copying.end()
	if err != nil {
		t.Fatal(err)
	}
	defer mustGiveUpCopy(t, db)
	for n := range 120 {
		mustStore(t, db, fmt.Sprintf("a%d", n), `"`+digits(2000)+`"`, last)
	}
	before := db.sizes().copy
	wantAccountOfCopy(t, db, func() error { return db.Checkpoint(ctx) })
	if after := db.sizes().copy; after <= before {
		t.Errorf("the copy has %d bytes; the test wants more than the %d before", after, before)
	}
	wantAccountOfCopy(t, db, func() error {
		_, err := db.Prune(ctx, "*", daybook.PruneParams{OlderThan: last, MaxPerRecord: 1})
		return err
	})
}

// wantAccountOfCopy reads the account all the time while it writes.
func wantAccountOfCopy(t *testing.T, db *DB, write func() error) {
	t.Helper()
	least := db.heads.demand().inTree() + db.sizes().copy
	written := make(chan error)
	go func() { written <- write() }()
	var err error
	for writing := true; writing; {
		select {
		case err = <-written:
			writing = false
		default:
		}
		least = min(least, db.heads.demand().inTree()+db.sizes().copy)
	}
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(db.dir.file(copyName))
	if err != nil {
		t.Fatal(err)
	}
	if size := db.sizes().copy; size != info.Size() {
		t.Errorf("the account has %d bytes of the copy; want %d", size, info.Size())
	}
	if least = db.opts.budget().fileSize(least + 2*db.opts.Tuning.TransactionSize); least < info.Size() {
		t.Errorf("meanwhile the account had %d bytes; want at least %d", least, info.Size())
	}
}

// TestMaxSizeBoundsCopy opens a store that is larger than its new maximum. Its copy may not exceed
// the maximum either.
func TestMaxSizeBoundsCopy(t *testing.T) {
	t.Parallel()
	dir := testenv.TempDir(t)
	db := mustOpen(t, dir, &Options{Durability: DurabilityOS, Logger: discard})
	fillUp(t, db, 10_000)
	mustClose(t, db)
	small := mustOpen(t, dir, &Options{Durability: DurabilityOS, MaxSize: MinMaxSize, Logger: discard})
	before := fileSize(t, dir)
	if before < 2*MinMaxSize {
		t.Fatalf("the tree has %d bytes; the test wants twice the maximum", before)
	}
	if err := small.Compact(ctx); !errors.Is(err, daybook.ErrNoSpace) {
		t.Errorf("Compact: %v; want ErrNoSpace", err)
	}
	if after := fileSize(t, dir); after != before {
		t.Errorf("the tree has %d bytes; want %d as before", after, before)
	}
}

// TestMaxSizeWhileReplaying replays a log that does not fit below the maximum. The tree may not
// grow into the space of the reserve, which is there.
func TestMaxSizeWhileReplaying(t *testing.T) {
	t.Parallel()
	dir := testenv.TempDir(t)
	db := mustOpen(t, dir, &Options{Durability: DurabilityOS, Logger: discard, Tuning: Tuning{HeadSize: 64 << 20}})
	fillUp(t, db, 10_000)
	if err := db.abandon(); err != nil {
		t.Fatal(err)
	}
	small, err := Open(dir, &Options{Durability: DurabilityOS, MaxSize: MinMaxSize, Logger: discard})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = small.abandon() }()
	_ = small.Checkpoint(ctx) // there is no room
	if part := small.opts.budget().treePart(); fileSize(t, dir) > part || small.reserve.size() != reserveSize {
		t.Errorf("the tree has %d bytes and the reserve %d; want at most %d and %d",
			fileSize(t, dir), small.reserve.size(), part, reserveSize)
	}
}

// TestCopyIsKeptWithSpace makes space for values that fit beside a compaction's copy. The copy must
// not be given up for them.
func TestCopyIsKeptWithSpace(t *testing.T) {
	db := mustOpen(t, testenv.TempDir(t), &Options{MaxSize: MinMaxSize, Logger: discard})
	copying := mustBeginCopy(t, db)
	err := copying.makeSpaceFor(ctx, demand{values: 1, valueBytes: 1, logBytes: 1})
	kept := copying.copy != nil
	copying.end()
	mustGiveUpCopy(t, db)
	if err != nil || !kept {
		t.Errorf("got %v, and the copy is kept: %v; want true", err, kept)
	}
}

// TestRoomOfAnEarlierCopy begins a copy after another that had to leave room on the disk. This one
// has not.
func TestRoomOfAnEarlierCopy(t *testing.T) {
	db := mustOpen(t, testenv.TempDir(t), nil)
	taken := mustTakeTurn(t, db)
	defer taken.end()
	taken.copyMargin = math.MaxInt64 / 2
	if err := beginCopy(taken); err != nil {
		t.Errorf("got %v; want room for a small copy", err)
	}
	taken.giveUpCopy(nil)
}
