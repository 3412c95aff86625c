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

// buntdbHistory is a BuntDB store, which keeps everything in memory and in an append-only file. It
// promises less than the others. It has no snapshots, so a Store waits until all running Scans have
// ended. It ignores the error of its fsync, and after a crash it loads a part of a batch if a part
// was written.
type buntdbHistory struct {
	history
	db        *buntdb.DB
	sequences sequencer
	deleted   bool // whether values were deleted; guarded by the lock of a write transaction until Close
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

// configureBuntdb makes each commit durable. It turns the rewriting of the file off, which saves
// space only after keys were overwritten or deleted. Close rewrites the file after deletions.
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

// Cleanup implements daybook.Backend in one transaction. It collects the keys first, because BuntDB
// does not delete during an iteration.
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

// Close implements io.Closer. After deletions it rewrites the file without the deleted values.
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

// buntdbKeys passes the strings of BuntDB's tree on as slices, without a copy. That is safe because
// visitors of a snapshot do not change the slices.
type buntdbKeys struct{ tx *buntdb.Tx }

func (k buntdbKeys) ascend(from []byte, visit func(key, value []byte) bool) error {
	return k.tx.AscendGreaterOrEqual("", string(from), func(key, value string) bool {
		return visit(octets(key), octets(value))
	})
}

// descend relies on before not being a key: it is shorter than the keys of its record.
func (k buntdbKeys) descend(before []byte, visit func(key, value []byte) bool) error {
	return k.tx.DescendLessOrEqual("", string(before), func(key, value string) bool {
		return visit(octets(key), octets(value))
	})
}

// octets returns the bytes of s without a copy. They must not be changed.
func octets(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

// text returns b as a string without a copy. b must not be changed afterwards.
func text(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
