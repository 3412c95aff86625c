// SPDX-License-Identifier: Apache-2.0

package peers

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"

	"github.com/daybook-db/daybook"
)

// bboltHistory is a bbolt file with all values in one bucket, because bbolt's README advises large
// buckets.
type bboltHistory struct {
	history
	db      *bbolt.DB
	storing atomic.Int64 // number of Stores that are running
}

var valuesName = []byte("values")

// values returns the bucket. The documentation of FillPercent advises to raise it if most writes
// append, as they do at the end of each record: pages are fuller, and writes are no slower.
func values(tx *bbolt.Tx) *bbolt.Bucket {
	bucket := tx.Bucket(valuesName)
	bucket.FillPercent = 0.9
	return bucket
}

// bboltMapSize is address space, and takes neither memory nor disk. The documentation of
// InitialMmapSize says that a write which has to map more waits for the running reads; while the
// file fits, none has to.
const bboltMapSize = min(10<<30, math.MaxInt>>2)

// bboltBatchDelay is how long a Store waits for others to share its commit. The default of 10 ms is
// longer than a commit on a solid-state disk.
const bboltBatchDelay = time.Millisecond

// bboltBatchSize is the number of Stores that share a commit without waiting for more. The default
// of 1,000 is more than run at once in any benchmark of the race.
const bboltBatchSize = 32

func openBbolt(dir string) (Store, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	db, err := bbolt.Open(filepath.Join(dir, "history.bbolt"), 0o600, &bbolt.Options{
		Timeout: time.Second,
		// Both are documented to make writes faster. With the second, Open has to read the file's
		// pages. etcd, for which bbolt is maintained, sets it too.
		FreelistType:    bbolt.FreelistMapType,
		NoFreelistSync:  true,
		InitialMmapSize: bboltMapSize,
		NoStatistics:    true,
	})
	if err != nil {
		return nil, err
	}
	db.MaxBatchDelay, db.MaxBatchSize = bboltBatchDelay, bboltBatchSize
	err = db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucketIfNotExists(valuesName)
		return err
	})
	if err != nil {
		db.Close()
		return nil, err
	}
	b := &bboltHistory{db: db}
	b.history = history{gate: newGate(), layout: oldestFirst, view: b.view}
	return b, nil
}

// Store implements daybook.Backend. The documentation of Batch says that it helps only if several
// goroutines call it. A Store that is alone would wait for others in vain, so it uses Update.
func (b *bboltHistory) Store(ctx context.Context, recordName string, value json.RawMessage, timestamp uint64) error {
	if err := b.gate.enter(ctx); err != nil {
		return err
	}
	defer b.gate.leave()
	commit := b.db.Batch
	if b.storing.Add(1) == 1 {
		commit = b.db.Update
	}
	defer b.storing.Add(-1)
	return commit(func(tx *bbolt.Tx) error {
		return b.put(values(tx), recordName, value, timestamp)
	})
}

// put numbers a value with the bucket's sequence, which is part of the transaction.
func (b *bboltHistory) put(bucket *bbolt.Bucket, recordName string, value []byte, timestamp uint64) error {
	sequence, err := bucket.NextSequence()
	if err != nil {
		return err
	}
	key := b.layout.appendKey(make([]byte, 0, keyLen(recordName)), recordName, timestamp, sequence)
	return bucket.Put(key, value)
}

// StoreBatch implements daybook.BatchStorer.
func (b *bboltHistory) StoreBatch(ctx context.Context, batch []daybook.StoredValue) error {
	if err := b.gate.enter(ctx); err != nil {
		return err
	}
	defer b.gate.leave()
	if len(batch) == 0 {
		return nil
	}
	return b.db.Update(func(tx *bbolt.Tx) error {
		bucket := values(tx)
		for _, v := range batch {
			if err := b.put(bucket, v.RecordName, v.Value, v.StoredAt); err != nil {
				return err
			}
		}
		return nil
	})
}

// Cleanup implements daybook.Backend in one transaction. It collects the keys first, because a
// cursor does not keep its place while keys are deleted.
func (b *bboltHistory) Cleanup(ctx context.Context, olderThan uint64) (deleted uint64, err error) {
	if err := b.gate.enter(ctx); err != nil {
		return 0, err
	}
	defer b.gate.leave()
	if olderThan == 0 {
		return 0, nil
	}
	err = b.db.Update(func(tx *bbolt.Tx) error {
		bucket := values(tx)
		var doomed [][]byte // valid until the transaction ends
		s := scan{selection: b.older(olderThan), ctx: ctx, keys: bboltKeys{bucket.Cursor()}, layout: b.layout}
		s.emit = func(_ string, key, _ []byte) bool {
			doomed = append(doomed, key)
			return true
		}
		if err := s.run(); err != nil {
			return err
		}
		deleted = uint64(len(doomed))
		return deleteAll(ctx, bucket, doomed)
	})
	if err != nil {
		return 0, err
	}
	return deleted, nil
}

func deleteAll(ctx context.Context, bucket *bbolt.Bucket, keys [][]byte) error {
	for i, key := range keys {
		if i%contextInterval == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if err := bucket.Delete(key); err != nil {
			return err
		}
	}
	return nil
}

// Close implements io.Closer.
func (b *bboltHistory) Close() error { return b.gate.close(b.db.Close) }

func (b *bboltHistory) view(_ []byte, _ bool, read func(snapshot) error) error {
	return b.db.View(func(tx *bbolt.Tx) error {
		return read(bboltKeys{values(tx).Cursor()})
	})
}

type bboltKeys struct{ cursor *bbolt.Cursor }

func (k bboltKeys) ascend(from []byte, visit func(key, value []byte) bool) error {
	key, value := k.cursor.Seek(from)
	for key != nil && visit(key, value) {
		key, value = k.cursor.Next()
	}
	return nil
}

func (k bboltKeys) descend(before []byte, visit func(key, value []byte) bool) error {
	key, value := k.cursor.Seek(before)
	if key == nil {
		key, value = k.cursor.Last()
	} else {
		key, value = k.cursor.Prev()
	}
	for key != nil && bytes.Compare(key, before) < 0 && visit(key, value) {
		key, value = k.cursor.Prev()
	}
	return nil
}
