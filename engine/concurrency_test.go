// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/disk/faultfs"
	"github.com/daybook-db/daybook/proof/testenv"
)

const (
	consistentWriters = 3
	consistentRecords = 5 // values in each batch, one of each record

	// A cleanup keeps a number of batches of each writer, and no writer is further ahead of it than
	// that. Otherwise on a slow machine there would be more and more values to read, and the
	// readers would slow down the cleanups that they wait for.
	consistentLeft  = 300
	consistentAhead = 1000
)

// traffic is several writers. Each stores batches at timestamps that identify the writer and the
// batch.
type traffic struct {
	db    *DB
	acked [consistentWriters]atomic.Int64 // how many batches of each writer have been acknowledged
	floor atomic.Uint64                   // no cleanup deletes from here on

	cleanups atomic.Int64 // that have ended, and deleted something
}

func stamp(writer, number int) uint64 { return uint64(number*consistentWriters + writer) }

func (tr *traffic) write(ctx context.Context, writer int) error {
	for number := 0; ctx.Err() == nil; number++ {
		for ctx.Err() == nil && number > int(tr.floor.Load())/consistentWriters+consistentAhead {
			time.Sleep(time.Millisecond)
		}
		var batch []daybook.StoredValue
		for record := range consistentRecords {
			batch = append(batch, daybook.StoredValue{
				RecordName: fmt.Sprintf("record.%d", record),
				Value:      json.RawMessage(fmt.Sprintf(`{"writer":%d,"number":%d}`, writer, number)),
				StoredAt:   stamp(writer, number),
			})
		}
		if err := tr.db.StoreBatch(context.Background(), batch); err != nil {
			return err
		}
		tr.acked[writer].Add(1)
	}
	return nil
}

// read takes one snapshot and returns what is wrong with it.
func (tr *traffic) read() error {
	var acked [consistentWriters]int
	for writer := range acked {
		acked[writer] = int(tr.acked[writer].Load())
	}
	seen := map[uint64]int{}
	for value, err := range tr.db.Scan(ctx, "record.*", daybook.QueryParams{}) {
		if err != nil {
			return err
		}
		seen[value.StoredAt]++
	}
	floor := tr.floor.Load() // after the scan: a cleanup that began during it may show
	for at, count := range seen {
		if at >= floor && count != consistentRecords {
			return fmt.Errorf("a batch is there with %d of %d values (timestamp %d)", count, consistentRecords, at)
		}
	}
	for writer, batches := range acked {
		for number := range batches {
			if at := stamp(writer, number); at >= floor && seen[at] == 0 {
				return fmt.Errorf("batch %d of writer %d is missing, of %d acknowledged", number, writer, batches)
			}
		}
	}
	return nil
}

// maintain makes checkpoints, compacts and cleans up, so that heads are posted, trees are replaced
// and chunks are cut while the readers run.
func (tr *traffic) maintain(ctx context.Context) error {
	for round := 0; ctx.Err() == nil; round++ {
		if err := tr.db.Checkpoint(ctx); err != nil {
			return err
		}
		if round%3 == 2 {
			if err := tr.db.Compact(ctx); err != nil {
				return err
			}
		}
		if round%5 == 4 {
			floor := stamp(0, max(int(tr.acked[0].Load())-consistentLeft, 0))
			tr.floor.Store(floor)
			deleted, err := tr.db.Cleanup(ctx, floor)
			if err != nil {
				return err
			}
			if deleted > 0 {
				tr.cleanups.Add(1)
			}
		}
	}
	return nil
}

// TestConsistentSnapshots runs readers beside writers, checkpoints, compactions and cleanups.
func TestConsistentSnapshots(t *testing.T) {
	reads, cleanups := 50, int64(2) // at least
	if testenv.Long() {
		reads, cleanups = 300, 20
	}
	db := mustOpen(t, testenv.TempDir(t),
		&Options{Durability: DurabilityOS,
			Tuning: Tuning{HeadSize: 16 << 10, TransactionSize: MinTransactionSize, ChunkValues: 8}})
	tr := &traffic{db: db}
	running, stop := context.WithCancel(ctx)
	var others sync.WaitGroup
	report := func(what string, err error) {
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for writer := range consistentWriters {
		others.Go(func() { report("writer", tr.write(running, writer)) })
	}
	others.Go(func() { report("maintenance", tr.maintain(running)) })
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for n := 0; n < reads || tr.cleanups.Load() < cleanups; n++ {
				if t.Failed() {
					return
				}
				report("reader", tr.read())
			}
		})
	}
	readers.Wait()
	stop()
	others.Wait()
	report("last read", tr.read())
	t.Logf("%d batches, %d cleanups", tr.acked[0].Load()+tr.acked[1].Load()+tr.acked[2].Load(), tr.cleanups.Load())
}

// TestGroupCommit shows that commits that wait together are written together, and that each value
// is there once. The disk is slow, because on a fast one no commit waits.
func TestGroupCommit(t *testing.T) {
	const writers, each = 16, 50
	db, fsys := openFaulty(t, t.TempDir(), Options{})
	fsys.SetHook(func(op faultfs.Op) error {
		if op.Name == faultfs.Sync && inLog(op) {
			time.Sleep(time.Millisecond)
		}
		return nil
	})
	var wg sync.WaitGroup
	for writer := range writers {
		wg.Go(func() {
			for i := range each {
				mustStore(t, db, fmt.Sprintf("writer.%d", writer), fmt.Sprint(i), uint64(i))
			}
		})
	}
	wg.Wait()
	stats, err := db.Stats(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if stats.CommitValues != writers*each || stats.Commits >= writers*each || stats.ValuesPerCommit() <= 1 {
		t.Errorf("%d values in %d commits; want %d values in fewer commits", stats.CommitValues, stats.Commits,
			writers*each)
	}
	if got := len(mustQuery(t, db, "*", daybook.QueryParams{})); got != writers*each {
		t.Errorf("%d values are there; want %d", got, writers*each)
	}
}

// TestCancelWhileWaiting cancels stores that wait in the queue. Each value is there exactly if its
// Store returned nil.
func TestCancelWhileWaiting(t *testing.T) {
	const writers, each = 8, 60
	db := mustOpen(t, t.TempDir(), nil)
	var acked atomic.Int64
	var wg sync.WaitGroup
	for writer := range writers {
		wg.Go(func() {
			for i := range each {
				running, cancel := context.WithCancel(ctx)
				if writer%2 == 0 {
					go cancel()
				}
				err := db.Store(running, fmt.Sprintf("writer.%d", writer), json.RawMessage(fmt.Sprint(i)), uint64(i))
				if err == nil {
					acked.Add(1)
				} else if !errors.Is(err, context.Canceled) {
					t.Errorf("Store: %v", err)
				}
				cancel()
			}
		})
	}
	wg.Wait()
	if got := int64(len(mustQuery(t, db, "*", daybook.QueryParams{}))); got != acked.Load() {
		t.Errorf("%d values are there; %d were acknowledged", got, acked.Load())
	}
}

// TestCloseWhileStoring closes under load. Every acknowledged value is there afterwards, and every
// other Store has returned an error.
func TestCloseWhileStoring(t *testing.T) {
	dir := t.TempDir()
	db, err := Open(dir, &Options{Tuning: Tuning{HeadSize: 16 << 10}})
	if err != nil {
		t.Fatal(err)
	}
	var acked atomic.Int64
	var wg sync.WaitGroup
	started := make(chan struct{}, 4)
	for writer := range 4 {
		wg.Go(func() {
			for i := 0; ; i++ {
				err := db.Store(ctx, fmt.Sprintf("writer.%d", writer), json.RawMessage("1"), uint64(i))
				if err != nil {
					if !errors.Is(err, daybook.ErrClosed) {
						t.Errorf("Store: got %v; want ErrClosed", err)
					}
					return
				}
				acked.Add(1)
				if i == 50 {
					started <- struct{}{}
				}
			}
		})
	}
	for range 4 {
		<-started
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	again := mustOpen(t, dir, nil)
	if got := int64(len(mustQuery(t, again, "*", daybook.QueryParams{}))); got != acked.Load() {
		t.Errorf("%d values are there; %d were acknowledged", got, acked.Load())
	}
}

// TestHeadIsBounded stores large batches from many goroutines at once. A head exceeds its bound by
// one group, not by all waiting batches.
func TestHeadIsBounded(t *testing.T) {
	const writers, batchBytes = 8, 8 << 20
	db := mustOpen(t, testenv.TempDir(t), &Options{Tuning: Tuning{HeadSize: MinHeadSize}, Durability: DurabilityOS})
	var batch []daybook.StoredValue
	for i := range 8 {
		value := json.RawMessage(`"` + strings.Repeat("x", batchBytes/8-2) + `"`)
		batch = append(batch, daybook.StoredValue{RecordName: fmt.Sprint(i), Value: value, StoredAt: 1})
	}
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			if err := db.StoreBatch(ctx, batch); err != nil {
				t.Errorf("StoreBatch: %v", err)
			}
			db.heads.mu.RLock()
			defer db.heads.mu.RUnlock()
			if size := db.heads.active.Size(); size > 2*batchBytes {
				t.Errorf("a head of %d bytes has grown to %d", int64(MinHeadSize), size)
			}
		})
	}
	wg.Wait()
	if got := len(mustQuery(t, db, "*", daybook.QueryParams{})); got != writers*8 {
		t.Errorf("%d values are there; want %d", got, writers*8)
	}
}

// TestSecondCloseWaits shows that the directory can be opened again when a second Close returns.
func TestSecondCloseWaits(t *testing.T) {
	dir := testenv.TempDir(t)
	db, err := Open(dir, &Options{Durability: DurabilityOS})
	if err != nil {
		t.Fatal(err)
	}
	for i := range uint64(2000) {
		mustStore(t, db, fmt.Sprint(i), "1", i)
	}
	closed := make(chan error)
	for range 2 {
		go func() { closed <- db.Close() }()
	}
	if err := <-closed; err != nil { // the first to return, whichever it is
		t.Errorf("Close: %v", err)
	}
	mustOpen(t, dir, &Options{LockTimeout: -1})
	if err := <-closed; err != nil {
		t.Errorf("Close: %v", err)
	}
}

// TestStoreWithinScan stores from the loop of a scan until heads have been frozen and posted.
func TestStoreWithinScan(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there an open scan holds up a checkpoint: TestStoreWithinAScan")
	}
	db := mustOpen(t, testenv.TempDir(t), &Options{Durability: DurabilityOS, Tuning: Tuning{HeadSize: MinHeadSize}})
	for i := range uint64(200) {
		mustStore(t, db, "r", "1", i)
	}
	seen := 0
	for _, err := range db.Scan(ctx, "r", daybook.QueryParams{}) {
		if err != nil {
			t.Fatal(err)
		}
		seen++
		mustStore(t, db, "r", "2", uint64(1000+seen))
	}
	if seen != 200 {
		t.Errorf("the scan yielded %d values; want the 200 that were there when it began", seen)
	}
}
