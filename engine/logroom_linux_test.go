// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/disk/faultfs"
)

// openWithoutRoomForSegments opens a store with two segments, on a disk without room for more.
func openWithoutRoomForSegments(t *testing.T, durability Durability) *DB {
	t.Helper()
	db, fsys := openFaulty(t, t.TempDir(), Options{Durability: durability})
	mustStore(t, db, "first", "1", 0)
	waitForNextSegment(t, db)
	fsys.SetHook(func(op faultfs.Op) error {
		if op.Name == faultfs.Create && inLog(op) {
			return faultfs.ErrDiskFull
		}
		return nil
	})
	return db
}

// storeFromSeveral stores values that do not compress, from several goroutines.
func storeFromSeveral(t *testing.T, db *DB, writers, each int) {
	t.Helper()
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(w)))
			for i := range uint64(each) {
				if err := db.Store(ctx, fmt.Sprintf("r.%d", w), jsonNoise(t, random, 9000), i); err != nil {
					t.Errorf("Store of value %d: %v", i, err)
					return
				}
			}
		})
	}
	all.Wait()
}

// TestStoreReleasesLog stores many times what the log has room for, on a disk that has room in the
// tree alone. The heads are never full, so nothing else posts them.
func TestStoreReleasesLog(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name          string
		durability    Durability
		writers, each int
		reason        string
	}{
		{"one", DurabilityOS, 1, 600, "each commit is refused alone"},
		{"several", DurabilityOS, 8, 80, "a group is refused, and its commits wait in the queue again"},
		{"synced", DurabilityAlways, 4, 80, "commits gather in groups during a sync"},
	} {
		t.Run(test.name, func(t *testing.T) {
			db := openWithoutRoomForSegments(t, test.durability)
			storeFromSeveral(t, db, test.writers, test.each)
			wantCount(t, db, 1+test.writers*test.each)
			if last := db.heads.last(); last != uint64(1+test.writers*test.each) {
				t.Errorf("the last sequence number is %d: refused values have got some, when %s", last, test.reason)
			}
		})
	}
}

// TestStoreOnFullTree fills the log beside a tree that is full, too. Store says so at once, without
// another attempt to post each time. When Cleanup has made room in the tree, Store works again.
func TestStoreOnFullTree(t *testing.T) {
	const old = 100
	db := openWithoutRoomForSegments(t, DurabilityOS)
	storeFromSeveral(t, db, 1, old)
	if err := db.Checkpoint(ctx); err != nil {
		t.Fatal(err)
	}
	if err := db.withTurn(ctx, func(turn *turn) error {
		size, _, err := turn.tree().Size()
		turn.tree().SetMaxBytes(size)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	stored := storeUntilFull(t, db, rand.New(rand.NewPCG(1, 2)), 1000)
	const tries = 20
	before := checkpointFailures(t, db)
	large := jsonNoise(t, rand.New(rand.NewPCG(1, 2)), 9000)
	for range tries {
		if err := db.Store(ctx, "r", large, 1); !errors.Is(err, daybook.ErrNoSpace) {
			t.Fatalf("Store without room: got %v; want ErrNoSpace", err)
		}
	}
	if more := checkpointFailures(t, db) - before; before == 0 || more > tries/2 {
		t.Errorf("posting has failed %d times before, and %d times in %d stores; want some, and then few", before, more,
			tries)
	}
	wantCount(t, db, 1+old+stored)
	mustCleanup(t, db, 1000, 1+old)
	mustStore(t, db, "again", string(large), 2000)
	if last := db.heads.last(); last != uint64(1+old+stored+1) {
		t.Errorf("the last sequence number is %d; want %d: refused values have none", last, 1+old+stored+1)
	}
}

// TestStoreAfterSnapshotEnds deletes values while a snapshot keeps their pages in use, so that the
// heads cannot be posted into a full tree. When the snapshot ends, the next Store works.
func TestStoreAfterSnapshotEnds(t *testing.T) {
	const old = 100
	db := openWithoutRoomForSegments(t, DurabilityOS)
	storeFromSeveral(t, db, 1, old)
	if err := db.Checkpoint(ctx); err != nil {
		t.Fatal(err)
	}
	snapshot, err := db.trees.snapshot()
	if err != nil {
		t.Fatal(err)
	}
	mustCleanup(t, db, 1000, 1+old)
	if err := db.withTurn(ctx, func(turn *turn) error {
		size, _, err := turn.tree().Size()
		turn.tree().SetMaxBytes(size)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	storeUntilFull(t, db, rand.New(rand.NewPCG(1, 2)), 1000)
	large := jsonNoise(t, rand.New(rand.NewPCG(1, 2)), 9000)
	for range 3 {
		if err := db.Store(ctx, "r", large, 1); !errors.Is(err, daybook.ErrNoSpace) {
			t.Fatalf("Store while a snapshot keeps the pages in use: got %v; want ErrNoSpace", err)
		}
	}
	snapshot.Close()
	db.trees.snapshotClosed()
	mustStore(t, db, "again", string(large), 2000)
}

func checkpointFailures(t *testing.T, db *DB) uint64 {
	t.Helper()
	stats, err := db.Stats(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if stats.CheckpointFailure == nil {
		return 0
	}
	return stats.CheckpointFailure.Count
}

// TestStoreWithoutLogRoomHonoursContext keeps the heads from being posted while the log has no
// room. A Store ends with its deadline; one with time enough waits, and succeeds.
func TestStoreWithoutLogRoomHonoursContext(t *testing.T) {
	db := openWithoutRoomForSegments(t, DurabilityOS)
	turn, err := db.turns.take(ctx)
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	store := func(deadline time.Duration) error {
		ctx, cancel := context.WithTimeout(ctx, deadline)
		defer cancel()
		return db.Store(ctx, "r", jsonNoise(t, random, 9000), 1)
	}
	stored := 1
	for err = nil; err == nil; stored++ {
		err = store(200 * time.Millisecond)
	}
	stored--
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("Store without room in the log: got %v; want the error of its context", err)
	}
	patient := make(chan error, 1)
	value := jsonNoise(t, random, 9000)
	go func() {
		ctx, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		patient <- db.Store(ctx, "patient", value, 1)
	}()
	for !db.commits.isLed() {
		time.Sleep(time.Millisecond)
	}
	if err := store(20 * time.Millisecond); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Store beside one that waits for room: got %v; want the error of its context", err)
	}
	turn.end()
	if err := <-patient; err != nil {
		t.Errorf("Store after the heads could be posted: %v", err)
	}
	wantCount(t, db, stored+1)
}

func (q *commitQueue) isLed() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.leading
}

// TestPutBack puts a group back into the queue, of which one commit's context has ended meanwhile,
// and one was put back too often.
func TestPutBack(t *testing.T) {
	q := new(commitQueue)
	var all []*commit
	for range 5 {
		c := q.newCommit()
		q.join(c)
		all = append(all, c)
	}
	group := q.take()
	later := q.newCommit()
	q.join(later)
	if q.withdraw(all[2]) {
		t.Error("a commit in a group has left the queue")
	}
	for _, c := range all {
		c.refused = true
	}
	all[1].refused, all[3].retries, all[4].retries = false, maxRetries, 1
	all[3].err = daybook.ErrNoSpace
	done := q.putBack(group)
	if len(done) != 2 || done[0] != all[1] || done[1] != all[3] {
		t.Errorf("%d commits are done; want the written one, and the one that was put back too often", len(done))
	}
	if q.withdraw(all[2]) || len(all[2].wake) != 1 || <-all[2].wake != withdrawn {
		t.Error("the commit whose context has ended is in the queue, or does not know that it is not")
	}
	if len(q.waiting) != 3 || q.waiting[0] != all[0] || q.waiting[1] != all[4] || q.waiting[2] != later {
		t.Errorf("%d commits wait; want the refused ones, and then the later one", len(q.waiting))
	}
	if all[0].retries != 1 || all[4].retries != 0 {
		t.Errorf("retries are %d before the written commit, and %d after it; want 1 and 0", all[0].retries,
			all[4].retries)
	}
}

// TestLogLeavesReserveAlone lets the log want another segment while the reserve's space is the
// tree's. It must make none in the background before the reserve is back, and one after that.
func TestLogLeavesReserveAlone(t *testing.T) {
	var disk struct {
		sync.Mutex
		isFull, isReleased bool
		during, after      int // segments that were begun while the reserve was released, and later
	}
	db, fsys := openFaulty(t, t.TempDir(), Options{Durability: DurabilityOS})
	mustStore(t, db, "first", "1", 0)
	waitForNextSegment(t, db)
	disk.isFull = true
	fsys.SetHook(func(op faultfs.Op) error {
		disk.Lock()
		defer disk.Unlock()
		switch isReserve := strings.HasSuffix(op.Path, reserveName); {
		case op.Name == faultfs.Remove && isReserve:
			disk.isReleased = true
		case op.Name == faultfs.Create && isReserve:
			disk.isReleased = false
		case op.Name == faultfs.Create && inLog(op) && disk.isReleased:
			disk.during++
		case op.Name == faultfs.Create && inLog(op) && disk.isFull:
			return faultfs.ErrDiskFull
		case op.Name == faultfs.Create && inLog(op):
			disk.after++
		}
		return nil
	})
	storeFromSeveral(t, db, 1, 50) // begins the second segment, so the log wants a third one
	if err := db.withTurn(ctx, func(turn *turn) error {
		if !turn.releaseReserve() {
			t.Error("there was no reserve")
		}
		db.log.PrepareSegment()
		time.Sleep(50 * time.Millisecond)
		disk.Lock()
		disk.isFull = false
		disk.Unlock()
		turn.takeReserve()
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	waitForNextSegment(t, db)
	disk.Lock()
	defer disk.Unlock()
	if disk.during != 0 || disk.after == 0 {
		t.Errorf("%d segments were begun while the reserve was released, and %d later; want none, and then one",
			disk.during, disk.after)
	}
}

// TestStoreInTooLargeGroups stores from many goroutines, so that a group is larger than the
// segments that the log can use again. Each commit alone fits into them.
func TestStoreInTooLargeGroups(t *testing.T) {
	const writers, each = 16, 4
	db := openWithoutRoomForSegments(t, DurabilityAlways)
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(w)))
			for i := range uint64(each) {
				if err := db.Store(ctx, fmt.Sprintf("r.%d", w), jsonNoise(t, random, 100_000), i); err != nil {
					t.Errorf("Store of value %d of writer %d: %v", i, w, err)
				}
			}
		})
	}
	all.Wait()
	if !t.Failed() {
		wantCount(t, db, 1+writers*each)
	}
}
