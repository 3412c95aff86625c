// SPDX-License-Identifier: Apache-2.0

package peers

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"unsafe"

	"github.com/tidwall/buntdb"

	"github.com/daybook-db/daybook"
)

// buntdbHistory is a buntdb: everything in memory, and an append-only file. Buntdb has no snapshots, so that a
// Store waits until the Scans that are running have ended. It drops the error of its fsync, and after a crash
// loads what had been written of a batch.
type buntdbHistory struct {
	history
	db        *buntdb.DB
	sequences sequencer
	deleted   bool // guarded by the lock of a write transaction, and read when there are none any more
}

func openBuntdb(dir string) (Store, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	db, err := buntdb.Open(filepath.Join(dir, "history.buntdb"))
	if err != nil {
		return nil, err
	}
	b := &buntdbHistory{db: db}
	b.history = history{gate: newGate(), layout: newestFirst, view: b.view}
	if err := errors.Join(configureBuntdb(db), db.Update(b.countOpening)); err != nil {
		db.Close()
		return nil, err
	}
	return b, nil
}

// configureBuntdb makes each commit durable. Rewriting the file now and then would be for nothing, because
// nothing is overwritten; Close does it after deletions.
func configureBuntdb(db *buntdb.DB) error {
	var config buntdb.Config
	if err := db.ReadConfig(&config); err != nil {
		return err
	}
	config.SyncPolicy = buntdb.Always
	config.AutoShrinkDisabled = true
	return db.SetConfig(config)
}

func (b *buntdbHistory) countOpening(tx *buntdb.Tx) error {
	stored, err := tx.Get(string(openingsKey))
	if err != nil && !errors.Is(err, buntdb.ErrNotFound) {
		return err
	}
	_, _, err = tx.Set(string(openingsKey), string(b.sequences.start([]byte(stored))), nil)
	return err
}

// Store implements daybook.Backend.
func (b *buntdbHistory) Store(ctx context.Context, recordName string, value json.RawMessage, timestamp uint64) error {
	return b.StoreBatch(ctx, []daybook.StoredValue{{RecordName: recordName, Value: value, StoredAt: timestamp}})
}

// StoreBatch implements daybook.BatchStorer.
func (b *buntdbHistory) StoreBatch(ctx context.Context, values []daybook.StoredValue) error {
	if err := b.gate.enter(ctx); err != nil {
		return err
	}
	defer b.gate.leave()
	if len(values) == 0 {
		return nil
	}
	return b.db.Update(func(tx *buntdb.Tx) error {
		var key []byte
		sequence := b.sequences.take(len(values))
		for i, v := range values {
			key = b.layout.appendKey(key[:0], v.RecordName, v.StoredAt, sequence+uint64(i))
			if _, _, err := tx.Set(string(key), string(v.Value), nil); err != nil {
				return err
			}
		}
		return nil
	})
}

// Cleanup implements daybook.Backend in one transaction. The keys are gathered first, because buntdb deletes
// nothing within an iteration.
func (b *buntdbHistory) Cleanup(ctx context.Context, olderThan uint64) (deleted uint64, err error) {
	if err := b.gate.enter(ctx); err != nil {
		return 0, err
	}
	defer b.gate.leave()
	if olderThan == 0 {
		return 0, nil
	}
	err = b.db.Update(func(tx *buntdb.Tx) error {
		var doomed []string
		s := scan{selection: b.older(olderThan), ctx: ctx, keys: buntdbKeys{tx}, layout: b.layout}
		s.emit = func(_ string, key, _ []byte) bool {
			doomed = append(doomed, text(key)) // the tree's own string
			return true
		}
		if err := s.run(); err != nil {
			return err
		}
		deleted = uint64(len(doomed))
		b.deleted = b.deleted || deleted > 0
		return deleteKeys(ctx, tx, doomed)
	})
	if err != nil {
		return 0, err
	}
	return deleted, nil
}

func deleteKeys(ctx context.Context, tx *buntdb.Tx, keys []string) error {
	for i, key := range keys {
		if i%contextInterval == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if _, err := tx.Delete(key); err != nil {
			return err
		}
	}
	return nil
}

// Close implements io.Closer. After deletions it rewrites the file without what they left.
func (b *buntdbHistory) Close() error {
	return b.gate.close(func() error {
		var err error
		if b.deleted {
			err = b.db.Shrink()
		}
		return errors.Join(err, b.db.Close())
	})
}

func (b *buntdbHistory) view(_ []byte, _ bool, read func(snapshot) error) error {
	return b.db.View(func(tx *buntdb.Tx) error { return read(buntdbKeys{tx}) })
}

// buntdbKeys shows the strings of buntdb's tree as slices without copying them, which the rules of snapshot
// allow.
type buntdbKeys struct{ tx *buntdb.Tx }

func (k buntdbKeys) ascend(from []byte, visit func(key, value []byte) bool) error {
	return k.tx.AscendGreaterOrEqual("", string(from), func(key, value string) bool {
		return visit(octets(key), octets(value))
	})
}

// descend relies on before not being a key: it is shorter than those of its record.
func (k buntdbKeys) descend(before []byte, visit func(key, value []byte) bool) error {
	return k.tx.DescendLessOrEqual("", string(before), func(key, value string) bool {
		return visit(octets(key), octets(value))
	})
}

func octets(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

func text(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
