// SPDX-License-Identifier: Apache-2.0

//go:build amd64 || arm64

package powercut

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine"
	"github.com/daybook-db/daybook/proof/fusedisk"
	"github.com/daybook-db/daybook/proof/history"
)

// dbDir is the directory of the daybook, relative to the disk's root. It is not there at first.
const dbDir = "site/db"

// workload drives a daybook on a disk, and notes in the disk's journal what it does.
type workload struct {
	t       testing.TB
	disk    *fusedisk.Disk
	scratch string
	opts    engine.Options
	random  *rand.Rand // for the main goroutine
	db      *engine.DB

	mu      sync.Mutex // guards what follows
	actions []history.Action
	counted uint64 // last timestamp in the records that are pruned by count
}

// smallTransactions has a checkpoint and a Cleanup take several, in bytes.
const smallTransactions = 16 << 10

// cutOptions are small, so that a short run fills heads, splits chunks and reuses segments.
func cutOptions(durability engine.Durability, random *rand.Rand) engine.Options {
	return engine.Options{
		Durability:   durability,
		SyncInterval: time.Millisecond,
		Tuning: engine.Tuning{
			HeadSize:        engine.MinHeadSize << random.IntN(5),
			TransactionSize: smallTransactions,
			ChunkValues:     4 + random.IntN(13),
			ChunkBytes:      4 << 10,
		},
		Logger: quiet,
	}
}

// run does so many steps, and ends with a Close.
func (w *workload) run(steps int) {
	w.mustOpen()
	for range steps {
		w.step()
	}
	w.close()
}

func (w *workload) step() {
	switch n := w.random.IntN(100); {
	case n < 30:
		w.store(w.random, 1)
	case n < 45:
		w.store(w.random, 2+w.random.IntN(6))
	case n < 55:
		w.storeLarge()
	case n < 65:
		w.storeConcurrently()
	case n < 75:
		w.storeCounted()
	case n < 80:
		w.synced(func(ctx context.Context) error { return w.db.Checkpoint(ctx) })
	case n < 85:
		w.synced(func(ctx context.Context) error { return w.db.Sync(ctx) })
	case n < 90:
		w.cleanUp()
	case n < 95:
		w.prune()
	case n < 97:
		w.compact()
	case n < 98:
		w.backUp()
	default:
		w.close()
		w.mustOpen()
	}
}

// compact changes nothing that anybody sees.
func (w *workload) compact() {
	if err := w.db.Compact(context.Background()); err != nil {
		w.t.Errorf("Compact failed on a disk that does not: %v", err)
	}
}

// backUp makes a backup, which begins with a checkpoint, and compares what can be restored from it, elsewhere.
func (w *workload) backUp() {
	var backup bytes.Buffer
	w.synced(func(ctx context.Context) error { return w.db.Backup(ctx, &backup) })
	want, err := everything(w.db)
	if err != nil {
		w.t.Fatal(err)
	}
	dir, err := os.MkdirTemp(w.scratch, "restored")
	if err != nil {
		w.t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := engine.Restore(context.Background(), dir, &backup); err != nil {
		w.t.Fatalf("Restore: %v", err)
	}
	restored, err := engine.Open(dir, &w.opts)
	if err != nil {
		w.t.Fatalf("Open of what was restored: %v", err)
	}
	got, err := everything(restored)
	if err := errors.Join(err, restored.Close()); err != nil || !slices.EqualFunc(want, got, same) {
		w.t.Errorf("restored were %d values, or others, %v; want the same %d", len(got), err, len(want))
	}
}

// begin numbers an action and notes that it begins.
func (w *workload) begin(make func(number int) history.Action) (number int) {
	w.mu.Lock()
	number = len(w.actions)
	w.actions = append(w.actions, make(number))
	w.mu.Unlock()
	w.mark(history.Begin(number))
	return number
}

func (w *workload) done(number int, err error) {
	if err != nil {
		w.t.Errorf("action %d failed on a disk that does not: %v", number, err)
		return
	}
	w.mark(history.Done(number))
}

func (w *workload) mark(text string) {
	if _, err := w.disk.Mark(text); err != nil {
		w.t.Error(err)
	}
}

func (w *workload) mustOpen() {
	if err := w.open(); err != nil {
		w.t.Fatal(err)
	}
}

func (w *workload) open() (err error) {
	if w.db, err = engine.Open(filepath.Join(w.disk.Dir(), dbDir), &w.opts); err != nil {
		err = fmt.Errorf("Open: %w", err)
	}
	return err
}

// recover opens what a power cut left, and notes and returns what is visible.
func (w *workload) recover() (visible []daybook.StoredValue, err error) {
	if err := w.open(); err != nil {
		return nil, err
	}
	if visible, err = everything(w.db); err != nil {
		return nil, errors.Join(err, w.db.Close())
	}
	number := w.begin(func(int) history.Action { return history.Action{Kind: history.Recover, Values: visible} })
	w.done(number, nil)
	return visible, nil
}

func (w *workload) close() {
	w.synced(func(context.Context) error { return w.db.Close() })
}

// synced does what makes durable all that was stored before.
func (w *workload) synced(do func(context.Context) error) {
	number := w.begin(func(int) history.Action { return history.Action{Kind: history.Sync} })
	w.done(number, do(context.Background()))
}

// storeValues stores one value, or else a batch.
func (w *workload) storeValues(make func(number int) []daybook.StoredValue) {
	var values []daybook.StoredValue
	number := w.begin(func(number int) history.Action {
		values = make(number)
		return history.Action{Kind: history.Store, Values: values}
	})
	if len(values) == 1 {
		v := values[0]
		w.done(number, w.db.Store(context.Background(), v.RecordName, v.Value, v.StoredAt))
		return
	}
	w.done(number, w.db.StoreBatch(context.Background(), values))
}

// store stores so many values in some records, about in the order of their timestamps.
func (w *workload) store(random *rand.Rand, values int) {
	w.storeValues(func(number int) []daybook.StoredValue {
		batch := make([]daybook.StoredValue, values)
		for i := range batch {
			batch[i] = daybook.StoredValue{
				RecordName: fmt.Sprintf("plain.%d", random.IntN(5)),
				Value:      history.Ref{Action: number, Index: i}.Text(noise(random, random.IntN(800))),
				StoredAt:   uint64(1000 + 10*number + i + random.IntN(300)),
			}
		}
		return batch
	})
}

// storeLarge stores values that soon fill a segment of the log.
func (w *workload) storeLarge() {
	w.storeValues(func(number int) []daybook.StoredValue {
		batch := make([]daybook.StoredValue, 1+w.random.IntN(3))
		for i := range batch {
			batch[i] = daybook.StoredValue{
				RecordName: "large",
				Value:      history.Ref{Action: number, Index: i}.Text(noise(w.random, 20_000+w.random.IntN(60_000))),
				StoredAt:   uint64(1000 + 10*number + i),
			}
		}
		return batch
	})
}

// storeCounted stores in the records that are pruned by count, in the order of the timestamps.
func (w *workload) storeCounted() {
	w.storeValues(func(number int) []daybook.StoredValue {
		batch := make([]daybook.StoredValue, 1+w.random.IntN(4))
		for i := range batch {
			w.counted += 1 + uint64(w.random.IntN(20))
			batch[i] = daybook.StoredValue{
				RecordName: fmt.Sprintf("counted.%d", w.random.IntN(2)),
				Value:      history.Ref{Action: number, Index: i}.Text(noise(w.random, w.random.IntN(300))),
				StoredAt:   w.counted,
			}
		}
		return batch
	})
}

func (w *workload) storeConcurrently() {
	var writers sync.WaitGroup
	for range 3 {
		random := rand.New(rand.NewPCG(w.random.Uint64(), 0))
		writers.Go(func() {
			for range 1 + random.IntN(4) {
				w.store(random, 1+random.IntN(3))
			}
		})
	}
	writers.Wait()
}

// cleanUp deletes the older part of the values, now and then beside a writer.
func (w *workload) cleanUp() {
	var beside sync.WaitGroup
	alone := w.random.IntN(3) > 0
	if !alone {
		random := rand.New(rand.NewPCG(w.random.Uint64(), 0))
		beside.Go(func() { w.store(random, 3) })
	}
	w.mu.Lock()
	now := len(w.actions)
	w.mu.Unlock()
	params := daybook.PruneParams{OlderThan: uint64(1000 + 10*w.random.IntN(now+1))}
	doomed, err := w.db.Query(context.Background(), "*", daybook.Between(0, params.OlderThan-1))
	if err != nil {
		w.t.Error(err)
	}
	number := w.begin(func(int) history.Action {
		return history.Action{Kind: history.Delete, Pattern: "*", Params: params}
	})
	deleted, err := w.db.Cleanup(context.Background(), params.OlderThan)
	if alone && deleted != uint64(len(doomed)) {
		w.t.Errorf("Cleanup says that it deleted %d values; there were %d", deleted, len(doomed))
	}
	w.done(number, err)
	beside.Wait()
}

func (w *workload) prune() {
	params := daybook.PruneParams{MaxPerRecord: 3 + w.random.IntN(10)}
	if w.random.IntN(2) == 0 {
		params = daybook.PruneParams{OlderThan: w.counted, KeepNewest: 2}
	}
	number := w.begin(func(int) history.Action {
		return history.Action{Kind: history.Delete, Pattern: "counted.*", Params: params}
	})
	_, err := w.db.Prune(context.Background(), "counted.*", params)
	w.done(number, err)
}

// noise is text that does not compress away.
func noise(random *rand.Rand, length int) string {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
	var b strings.Builder
	for b.Len() < length {
		n := random.Uint64()
		for range 10 {
			b.WriteByte(letters[n&63])
			n >>= 6
		}
	}
	return b.String()
}
