// SPDX-License-Identifier: Apache-2.0

package peers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/dgraph-io/badger/v4"

	"github.com/daybook-db/daybook"
)

// badgerHistory is a Badger store. Badger reserves the keys that start with "!badger!", so a record
// of such a name is daybook.ErrInvalidName. A batch has to fit one of its transactions, of 9.6 MB
// or about 100,000 values; a larger one is daybook.ErrValueTooLarge.
type badgerHistory struct {
	history
	db        *badger.DB
	sequences sequencer
	deleting  sync.Mutex // held during Cleanup, so that two of them do not count the same value
}

// badgerOptions are Badger's defaults, which its documentation recommends, made durable. No two
// transactions write the same key, and none reads a key that it writes, so there are no conflicts
// to detect.
func badgerOptions(dir string) badger.Options {
	return badger.DefaultOptions(dir).
		WithSyncWrites(true).
		WithDetectConflicts(false).
		WithMetricsEnabled(false).
		WithLogger(nil)
}

func openBadger(dir string) (Store, error) {
	db, err := badger.Open(badgerOptions(dir))
	if err != nil {
		return nil, err
	}
	b := &badgerHistory{db: db}
	b.history = history{gate: newGate(), layout: newestFirst, view: b.view}
	if err := db.Update(b.countOpening); err != nil {
		db.Close()
		return nil, err
	}
	return b, nil
}

func (b *badgerHistory) countOpening(txn *badger.Txn) error {
	item, err := txn.Get(openingsKey)
	if errors.Is(err, badger.ErrKeyNotFound) {
		return txn.Set(openingsKey, b.sequences.start(nil))
	}
	if err != nil {
		return err
	}
	stored, err := item.ValueCopy(nil)
	if err != nil {
		return err
	}
	return txn.Set(openingsKey, b.sequences.start(stored))
}

// Store implements daybook.Backend.
func (b *badgerHistory) Store(ctx context.Context, recordName string, value json.RawMessage, timestamp uint64) error {
	return b.StoreBatch(ctx, []daybook.StoredValue{{RecordName: recordName, Value: value, StoredAt: timestamp}})
}

// StoreBatch implements daybook.BatchStorer with a transaction, because Badger's WriteBatch may
// commit a part.
func (b *badgerHistory) StoreBatch(ctx context.Context, values []daybook.StoredValue) error {
	if err := b.gate.enter(ctx); err != nil {
		return err
	}
	defer b.gate.leave()
	if len(values) == 0 {
		return nil
	}
	txn := b.db.NewTransaction(true)
	defer txn.Discard()
	if err := b.set(txn, values); err != nil {
		return err
	}
	return txn.Commit()
}

// set adds values to a transaction, which keeps the slices until it is committed.
func (b *badgerHistory) set(txn *badger.Txn, values []daybook.StoredValue) error {
	total := 0
	for _, v := range values {
		total += keyLen(v.RecordName)
	}
	keys, sequence := make([]byte, 0, total), b.sequences.take(len(values))
	for i, v := range values {
		start := len(keys)
		keys = b.layout.appendKey(keys, v.RecordName, v.StoredAt, sequence+uint64(i))
		if err := txn.Set(keys[start:len(keys):len(keys)], v.Value); err != nil {
			return fmt.Errorf("batch element %d of %d: %w", i, len(values), badgerError(err))
		}
	}
	return nil
}

// badgerError translates Badger's refusals into Daybook's errors.
func badgerError(err error) error {
	switch {
	case errors.Is(err, badger.ErrTxnTooBig):
		return fmt.Errorf("%w: %w", daybook.ErrValueTooLarge, err)
	case errors.Is(err, badger.ErrInvalidKey):
		return fmt.Errorf("%w: %w", daybook.ErrInvalidName, err)
	}
	return err
}

// Cleanup implements daybook.Backend with a WriteBatch, which makes several transactions and does
// not wait for each. After an error of Badger, the count includes values that may not have been
// deleted.
func (b *badgerHistory) Cleanup(ctx context.Context, olderThan uint64) (deleted uint64, err error) {
	if err := b.gate.enter(ctx); err != nil {
		return 0, err
	}
	defer b.gate.leave()
	if olderThan == 0 {
		return 0, nil
	}
	b.deleting.Lock()
	defer b.deleting.Unlock()
	batch := b.db.NewWriteBatch()
	defer batch.Cancel()
	deleted, err = b.deleteOlder(ctx, batch, olderThan)
	return deleted, errors.Join(err, batch.Flush())
}

// deleteOlder counts the older values, and adds their deletion to batch.
func (b *badgerHistory) deleteOlder(
	ctx context.Context, batch *badger.WriteBatch, than uint64,
) (deleted uint64, err error) {
	var failed error
	var keys arena // the batch keeps them
	err = b.scan(ctx, b.older(than), true, func(_ string, key, _ []byte) bool {
		if failed = batch.Delete(keys.copy(key)); failed == nil {
			deleted++
		}
		return failed == nil
	})
	return deleted, errors.Join(err, failed)
}

// Close implements io.Closer. Badger flushes its memtable.
func (b *badgerHistory) Close() error { return b.gate.close(b.db.Close) }

func (b *badgerHistory) view(prefix []byte, keysOnly bool, read func(snapshot) error) error {
	return b.db.View(func(txn *badger.Txn) error {
		keys := badgerKeys{txn: txn, prefix: prefix, keysOnly: keysOnly}
		defer keys.close()
		return read(&keys)
	})
}

// badgerKeys has an iterator for each direction, opened when it is first needed. The iterators do
// not prefetch values: values below ValueThreshold, 1 MB, are next to their keys and are read with
// them, and a prefetch starts a goroutine for each.
type badgerKeys struct {
	txn                *badger.Txn
	prefix             []byte
	keysOnly           bool
	forwards, backward *badger.Iterator
}

func (k *badgerKeys) iterator(reverse bool) *badger.Iterator {
	return k.txn.NewIterator(badger.IteratorOptions{Reverse: reverse, Prefix: k.prefix})
}

func (k *badgerKeys) close() {
	for _, iterator := range []*badger.Iterator{k.forwards, k.backward} {
		if iterator != nil {
			iterator.Close()
		}
	}
}

func (k *badgerKeys) ascend(from []byte, visit func(key, value []byte) bool) error {
	if k.forwards == nil {
		k.forwards = k.iterator(false)
	}
	return k.walk(k.forwards, from, visit)
}

// descend relies on before not being a key: it is shorter than the keys of its record.
func (k *badgerKeys) descend(before []byte, visit func(key, value []byte) bool) error {
	if k.backward == nil {
		k.backward = k.iterator(true)
	}
	return k.walk(k.backward, before, visit)
}

func (k *badgerKeys) walk(iterator *badger.Iterator, from []byte, visit func(key, value []byte) bool) error {
	more := true
	for iterator.Seek(from); more && iterator.Valid(); iterator.Next() {
		item := iterator.Item()
		if k.keysOnly {
			more = visit(item.Key(), nil)
			continue
		}
		err := item.Value(func(value []byte) error {
			more = visit(item.Key(), value)
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
