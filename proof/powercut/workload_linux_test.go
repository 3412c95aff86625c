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
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine"
	"github.com/daybook-db/daybook/proof/fusedisk"
	"github.com/daybook-db/daybook/proof/history"
)

// dbDir is the directory of the daybook, relative to the root of the disk. The first Open creates
// it.
const dbDir = "site/db"

// workload uses a daybook on a disk, and notes its actions in the journal of the disk.
type workload struct {
	t       testing.TB
	disk    *fusedisk.Disk
	files   layout
	scratch string // directory for restored backups
	opts    engine.Options
	random  *rand.Rand // of the main goroutine
	db      *engine.DB

	mu       sync.Mutex // guards the fields below
	actions  []history.Action
	ledger   ledger         // what a consumer has read
	consumed daybook.Cursor // its place
	counted  uint64         // the newest timestamp in the records that are pruned by count
	held     uint64         // the newest timestamp in the records with a hold
}

// The sizes are small: a checkpoint and a Cleanup take several transactions, and chunks are split
// often.
const (
	transactionSize = 16 << 10
	chunkBytes      = 4 << 10
)

// workloadOptions returns options with which a short workload fills heads, splits chunks and reuses
// segments.
func workloadOptions(durability engine.Durability, random *rand.Rand) engine.Options {
	opts := engine.Options{
		Durability: durability,
		Tuning: engine.Tuning{
			HeadSize:        engine.MinHeadSize << random.IntN(5),
			TransactionSize: transactionSize,
			ChunkValues:     4 + random.IntN(13),
			ChunkBytes:      chunkBytes,
		},
		Logger: quiet,
	}
	if durability == engine.DurabilityInterval {
		opts.SyncInterval = time.Millisecond
	}
	return opts
}

// run opens the daybook, does a number of random steps, loses values of the hold, and closes it.
func (w *workload) run(steps int) {
	w.mustOpen()
	w.setHold()
	for range steps {
		w.step()
		w.consume()
	}
	w.loseHeld()
	w.close()
}

// loseHeld deletes more values than the hold may spare. Few random workloads do so.
func (w *workload) loseHeld() {
	for range 6 { // about 15 values of 150 bytes, which is more than maxHeld
		w.storeHeld()
	}
	w.cleanUp()
}

func (w *workload) step() {
	switch n := w.random.IntN(100); {
	case n < 25:
		w.store(w.random, 1)
	case n < 32:
		w.store(w.random, 2+w.random.IntN(6))
	case n < 40:
		w.storeHeld()
	case n < 45:
		w.receive()
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

// compact is not an action of the history, because it changes no values and makes none durable.
func (w *workload) compact() {
	if err := w.db.Compact(context.Background()); err != nil {
		w.t.Errorf("Compact failed, but the disk did not: %v", err)
	}
}

// backUp makes a backup, restores it elsewhere, and compares the values. A backup begins with a
// checkpoint.
func (w *workload) backUp() {
	var backup bytes.Buffer
	w.synced(func(ctx context.Context) error { return w.db.Backup(ctx, &backup) })
	want, err := queryAll(w.db)
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
		w.t.Fatalf("Open of the restored backup: %v", err)
	}
	got, err := queryAll(restored)
	if err := errors.Join(err, compare(got, want), restored.Close()); err != nil {
		w.t.Errorf("the restored backup: %v", err)
	}
}

// begin gives an action its number, and notes that it begins.
func (w *workload) begin(make func(number int) history.Action) (number int) {
	w.mu.Lock()
	number = len(w.actions)
	w.actions = append(w.actions, make(number))
	w.mu.Unlock()
	w.mark(history.Begin(number))
	return number
}

// done notes that an action is done. An action must not fail, because the disk does not.
func (w *workload) done(number int, err error) {
	if err != nil {
		w.t.Errorf("action %d failed, but the disk did not: %v", number, err)
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
	dir, err := w.files.open(w.disk.Dir(), filepath.Join(w.scratch, "links"))
	if err != nil {
		return err
	}
	if w.db, err = engine.Open(dir, &w.opts); err != nil {
		err = fmt.Errorf("Open: %w", err)
	}
	return err
}

// recover opens the daybook after a power cut. It notes the visible values and returns them.
func (w *workload) recover() (visible []daybook.StoredValue, err error) {
	if err := w.open(); err != nil {
		return nil, err
	}
	if visible, err = queryAll(w.db); err != nil {
		return nil, errors.Join(err, w.db.Close())
	}
	number := w.begin(func(int) history.Action { return history.Action{Kind: history.Recover, Values: visible} })
	w.done(number, nil)
	return visible, nil
}

func (w *workload) close() {
	w.synced(func(context.Context) error { return w.db.Close() })
}

// synced does an action that makes all earlier stores durable.
func (w *workload) synced(do func(context.Context) error) {
	number := w.begin(func(int) history.Action { return history.Action{Kind: history.Sync} })
	w.done(number, do(context.Background()))
}

// storeValues stores one value with Store, and several with StoreBatch.
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

// store stores values in some records, approximately in the order of their timestamps.
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

// storeLarge stores values of which a few fill a segment of the log.
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

// storeCounted stores values in the records that are pruned by count, in the order of their
// timestamps.
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

// storeConcurrently stores from several goroutines at once.
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

// cleanUp deletes old values, in a third of the cases while another goroutine stores.
func (w *workload) cleanUp() {
	var writer sync.WaitGroup
	alone := w.random.IntN(3) > 0
	if !alone {
		random := rand.New(rand.NewPCG(w.random.Uint64(), 0))
		writer.Go(func() { w.store(random, 3) })
	}
	w.mu.Lock()
	now := len(w.actions)
	w.mu.Unlock()
	params := daybook.PruneParams{OlderThan: uint64(1000 + 10*w.random.IntN(now+1))}
	doomed, err := w.db.Query(context.Background(), "*", daybook.Between(0, params.OlderThan-1))
	if err != nil {
		w.t.Error(err)
	}
	held := w.heldValues() // all of them are old
	number := w.begin(func(int) history.Action {
		return history.Action{Kind: history.Delete, Pattern: "*", Params: params}
	})
	deleted, err := w.db.Cleanup(context.Background(), params.OlderThan)
	if alone && deleted+held != uint64(len(doomed)) {
		w.t.Errorf("Cleanup returned %d deleted values; there were %d, %d of them held", deleted, len(doomed), held)
	}
	w.done(number, err)
	writer.Wait()
}

// prune deletes values by count, or old values except for the newest two of each record, or the
// values that are newer than a time.
func (w *workload) prune() {
	switch w.random.IntN(3) {
	case 0:
		w.pruneBy("counted.*", daybook.PruneParams{MaxPerRecord: 3 + w.random.IntN(10)})
	case 1:
		w.pruneBy("counted.*", daybook.PruneParams{OlderThan: w.counted, KeepNewest: 2})
	default:
		newerThan := uint64(1000 + 10*w.random.IntN(len(w.actions)+1))
		params := daybook.PruneParams{NewerThan: newerThan}
		if w.random.IntN(2) == 0 {
			params.OlderThan = newerThan + 2 + w.random.Uint64N(500)
		}
		w.pruneBy("plain.*", params)
	}
}

func (w *workload) pruneBy(pattern string, params daybook.PruneParams) {
	number := w.begin(func(int) history.Action {
		return history.Action{Kind: history.Delete, Pattern: pattern, Params: params}
	})
	_, err := w.db.Prune(context.Background(), pattern, params)
	w.done(number, err)
}

// noise returns random text, which compression makes only a little shorter.
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
