// SPDX-License-Identifier: Apache-2.0

package peers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	"github.com/cockroachdb/pebble/v2"

	"github.com/daybook-db/daybook"
)

// pebbleHistory is a Pebble store.
type pebbleHistory struct {
	history
	dir       string
	db        *pebble.DB
	sequences sequencer

	// Cleanup counts the values of a range and then deletes the range. A value stored in between
	// would be deleted without being counted. So a Store of a value that is older than the cutoff
	// waits until Cleanup is done.
	cleaning sync.Mutex    // held during Cleanup
	deleting sync.RWMutex  // shared by the running Stores; guards cutoff and cleaned
	cutoff   uint64        // of the running Cleanup; 0: none is running
	cleaned  chan struct{} // closed when the running Cleanup ends
}

// pebbleCache is the default size of Badger's block cache, so that both have the same memory.
const pebbleCache = 256 << 20

// pebbleOptions are the options that Pebble's authors use for their benchmarks in cmd/pebble,
// without the parts that are for CockroachDB only (comparer, merger, key schema), and without Bloom
// filters, which help Get only: nothing here calls Get for a value.
func pebbleOptions() *pebble.Options {
	options := &pebble.Options{
		CacheSize:                   pebbleCache,
		FormatMajorVersion:          pebble.FormatNewest,
		L0CompactionThreshold:       2,
		L0StopWritesThreshold:       1000,
		LBaseMaxBytes:               64 << 20,
		MaxOpenFiles:                16384,
		MemTableSize:                64 << 20,
		MemTableStopWritesThreshold: 4,
		CompactionConcurrencyRange:  func() (lower, upper int) { return 1, min(3, runtime.GOMAXPROCS(0)) },
		Logger:                      quietLogger{},
	}
	for i := range options.Levels {
		options.Levels[i].BlockSize = 32 << 10
		options.Levels[i].IndexBlockSize = 256 << 10
	}
	return options
}

// quietLogger drops messages about ordinary work, and about errors that Pebble returns as well.
type quietLogger struct{}

func (quietLogger) Infof(string, ...any)  {}
func (quietLogger) Errorf(string, ...any) {}

// Fatalf must not return.
func (quietLogger) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

func openPebble(dir string) (Store, error) {
	db, err := pebble.Open(dir, pebbleOptions())
	if err != nil {
		return nil, err
	}
	p := &pebbleHistory{dir: dir, db: db}
	p.history = history{gate: newGate(), layout: newestFirst, view: p.view}
	if err := p.countOpening(); err != nil {
		db.Close()
		return nil, err
	}
	return p, nil
}

func (p *pebbleHistory) countOpening() error {
	stored, closer, err := p.db.Get(openingsKey)
	if errors.Is(err, pebble.ErrNotFound) {
		return p.db.Set(openingsKey, p.sequences.start(nil), pebble.Sync)
	}
	if err != nil {
		return err
	}
	openings := p.sequences.start(stored)
	if err := closer.Close(); err != nil {
		return err
	}
	return p.db.Set(openingsKey, openings, pebble.Sync)
}

// Store implements daybook.Backend.
func (p *pebbleHistory) Store(ctx context.Context, recordName string, value json.RawMessage, timestamp uint64) error {
	if err := p.gate.enter(ctx); err != nil {
		return err
	}
	defer p.gate.leave()
	defer p.beginStoring(timestamp)()
	key := p.layout.appendKey(make([]byte, 0, keyLen(recordName)), recordName, timestamp, p.sequences.take(1))
	return p.db.Set(key, value, pebble.Sync)
}

// StoreBatch implements daybook.BatchStorer.
func (p *pebbleHistory) StoreBatch(ctx context.Context, values []daybook.StoredValue) error {
	if err := p.gate.enter(ctx); err != nil {
		return err
	}
	defer p.gate.leave()
	if len(values) == 0 {
		return nil
	}
	oldest := uint64(math.MaxUint64)
	for i := range values {
		oldest = min(oldest, values[i].StoredAt)
	}
	defer p.beginStoring(oldest)()
	batch := p.db.NewBatchWithSize(batchSize(values))
	defer batch.Close()
	sequence := p.sequences.take(len(values))
	var key []byte
	for i, v := range values {
		key = p.layout.appendKey(key[:0], v.RecordName, v.StoredAt, sequence+uint64(i))
		if err := batch.Set(key, v.Value, nil); err != nil {
			return err
		}
	}
	return batch.Commit(pebble.Sync)
}

// beginStoring waits until no Cleanup with a later cutoff is running, and holds later ones off
// until done is called. oldest is the least timestamp of the values that will be stored.
func (p *pebbleHistory) beginStoring(oldest uint64) (done func()) {
	for {
		p.deleting.RLock()
		cutoff, cleaned := p.cutoff, p.cleaned
		if oldest >= cutoff {
			return p.deleting.RUnlock
		}
		p.deleting.RUnlock()
		<-cleaned
	}
}

// beginCleanup waits for the running Stores, and makes Stores of values before the cutoff wait
// until done is called.
func (p *pebbleHistory) beginCleanup(cutoff uint64) (done func()) {
	p.cleaning.Lock()
	p.deleting.Lock()
	p.cutoff, p.cleaned = cutoff, make(chan struct{})
	p.deleting.Unlock()
	return func() {
		p.deleting.Lock()
		p.cutoff = 0
		close(p.cleaned)
		p.deleting.Unlock()
		p.cleaning.Unlock()
	}
}

// batchSize is an upper bound of the length of Pebble's encoding of a batch.
func batchSize(values []daybook.StoredValue) int {
	const header, perValue = 12, 1 + 2 + 4 // per value: a kind, and the lengths of key and value
	size := header
	for _, v := range values {
		size += perValue + keyLen(v.RecordName) + len(v.Value)
	}
	return size
}

// Cleanup implements daybook.Backend with one deletion of a range for each record, all in one
// commit.
func (p *pebbleHistory) Cleanup(ctx context.Context, olderThan uint64) (deleted uint64, err error) {
	if err := p.gate.enter(ctx); err != nil {
		return 0, err
	}
	defer p.gate.leave()
	if olderThan == 0 {
		return 0, nil
	}
	defer p.beginCleanup(olderThan)()
	batch := p.db.NewBatch()
	defer batch.Close()
	deleted, err = p.deleteOlder(ctx, batch, olderThan)
	if err == nil && deleted > 0 {
		err = batch.Commit(pebble.Sync)
	}
	if err != nil {
		return 0, err
	}
	return deleted, nil
}

// deleteOlder counts the older values, and adds their deletion to batch.
func (p *pebbleHistory) deleteOlder(ctx context.Context, batch *pebble.Batch, than uint64) (deleted uint64, err error) {
	last, wanted := "", p.older(than)
	var failed error
	err = p.scan(ctx, wanted, true, func(record string, _, _ []byte) bool {
		if record != last {
			last = record
			lower, upper := p.layout.bounds(record, wanted.from, wanted.to)
			failed = batch.DeleteRange(lower, upper, nil)
		}
		deleted++
		return failed == nil
	})
	return deleted, errors.Join(err, failed)
}

// Close implements io.Closer. It flushes the memtable, so that the log has nothing that the tables
// lack, and then removes the log. Pebble itself would remove the log when it is opened again, and
// until then keep files of 72 MB to reuse them.
func (p *pebbleHistory) Close() error {
	return p.gate.close(func() error {
		if err := errors.Join(p.db.Flush(), p.db.Close()); err != nil {
			return err
		}
		return removeLogs(p.dir)
	})
}

func removeLogs(dir string) error {
	files, err := os.ReadDir(dir)
	for _, file := range files {
		if filepath.Ext(file.Name()) == ".log" {
			err = errors.Join(err, os.Remove(filepath.Join(dir, file.Name())))
		}
	}
	return err
}

func (p *pebbleHistory) view(prefix []byte, keysOnly bool, read func(snapshot) error) (err error) {
	options := &pebble.IterOptions{LowerBound: firstKey}
	if len(prefix) > 0 {
		options.LowerBound, options.UpperBound = prefix, prefixEnd(prefix)
	}
	iterator, err := p.db.NewIter(options)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, iterator.Close()) }()
	return read(pebbleKeys{iterator, keysOnly})
}

// prefixEnd returns the least key that is greater than all keys with the prefix. The prefix does
// not end in 0xff, because names are UTF-8.
func prefixEnd(prefix []byte) []byte {
	end := append([]byte(nil), prefix...)
	end[len(end)-1]++
	return end
}

type pebbleKeys struct {
	iterator *pebble.Iterator
	keysOnly bool
}

func (k pebbleKeys) ascend(from []byte, visit func(key, value []byte) bool) error {
	return k.walk(k.iterator.SeekGE(from), k.iterator.Next, visit)
}

func (k pebbleKeys) descend(before []byte, visit func(key, value []byte) bool) error {
	return k.walk(k.iterator.SeekLT(before), k.iterator.Prev, visit)
}

func (k pebbleKeys) walk(valid bool, step func() bool, visit func(key, value []byte) bool) (err error) {
	for ; valid; valid = step() {
		var value []byte
		if !k.keysOnly {
			if value, err = k.iterator.ValueAndErr(); err != nil {
				return err
			}
		}
		if !visit(k.iterator.Key(), value) {
			return nil
		}
	}
	return k.iterator.Error()
}
