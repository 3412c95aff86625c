// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"encoding/json"
	"iter"
	"sync"
	"testing"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/backendtest"
	"github.com/daybook-db/daybook/proof/testenv"
)

// TestBackend runs the conformance suite under options that lead the same operations to the same
// history on different ways. It makes no difference whether values are in the head, in the tree, in
// both, or only in the log. Every store is checked when it is closed.
func TestBackend(t *testing.T) {
	small := Options{Durability: DurabilityOS, Tuning: Tuning{ChunkValues: 2}}
	cheap := small // to open, because its log is short
	cheap.Tuning.HeadSize = 64 << 10
	tests := []struct {
		name   string
		reason string
		opts   Options
		wrap   func(t *testing.T, db *DB) daybook.Backend
		can    backendtest.Capabilities
		isLong bool // the row adds little to the others, and runs with -long
	}{
		{"always", "the defaults: all that a case stores is in the head", Options{}, checked,
			backendtest.Capabilities{}, false},
		{"interval", "the log is synced by another goroutine", Options{Durability: DurabilityInterval}, checked,
			backendtest.Capabilities{}, false},
		{"os", "the log is not synced", Options{Durability: DurabilityOS}, checked, backendtest.Capabilities{}, true},
		{"tiny heads", "heads are frozen and posted under the operations",
			Options{Durability: DurabilityOS,
				Tuning: Tuning{HeadSize: MinHeadSize, TransactionSize: MinTransactionSize, ChunkValues: 2}}, checked,
			backendtest.Capabilities{}, false},
		{"tiny chunks", "each value has a chunk of its own",
			Options{Durability: DurabilityOS, Tuning: Tuning{HeadSize: MinHeadSize, ChunkBytes: 1}}, checked,
			backendtest.Capabilities{}, false},
		{"in the tree", "a checkpoint follows each operation", small, postedEvery(1),
			backendtest.Capabilities{}, false},
		{"in both", "a checkpoint follows every second operation", small, postedEvery(2),
			backendtest.Capabilities{}, false},
		{"reopened", "a close and an open follow each operation", cheap, reopenedAfter(1, (*DB).Close),
			backendtest.Capabilities{ScanBlocksWrites: true}, false},
		{"killed", "every fourth operation is the last before a crash; each would take the race detector minutes",
			cheap, reopenedAfter(4, (*DB).abandon), backendtest.Capabilities{ScanBlocksWrites: true}, false},
	}
	for _, test := range tests {
		if test.isLong && !testenv.Long() {
			continue
		}
		t.Run(test.name, func(t *testing.T) {
			t.Parallel() // most of the time is spent waiting for the disk
			backendtest.Run(t, func(t *testing.T) daybook.Backend {
				test.opts.Logger = discard
				dir := t.TempDir()
				if test.opts.Tuning != (Tuning{}) { // then the tree is committed, and synced, again and again
					dir = testenv.TempDir(t)
				}
				return test.wrap(t, mustOpen(t, dir, &test.opts))
			}, test.can)
		})
	}
}

// checkedDB checks itself when it is closed.
type checkedDB struct {
	*DB
	t *testing.T
}

func checked(t *testing.T, db *DB) daybook.Backend { return checkedDB{db, t} }

func (db checkedDB) Close() error {
	mustClose(db.t, db.DB)
	return db.DB.Close()
}

// postedDB makes a checkpoint after every few operations that store.
type postedDB struct {
	checkedDB
	every int

	mu     sync.Mutex // guards stored
	stored int
}

func postedEvery(every int) func(t *testing.T, db *DB) daybook.Backend {
	return func(t *testing.T, db *DB) daybook.Backend {
		return &postedDB{checkedDB: checkedDB{db, t}, every: every}
	}
}

func (db *postedDB) Store(ctx context.Context, recordName string, value json.RawMessage, timestamp uint64) error {
	return db.post(ctx, db.checkedDB.Store(ctx, recordName, value, timestamp))
}

func (db *postedDB) StoreBatch(ctx context.Context, values []daybook.StoredValue) error {
	return db.post(ctx, db.checkedDB.StoreBatch(ctx, values))
}

func (db *postedDB) StoreBatchFrom(ctx context.Context, b daybook.Batch) (daybook.Position, error) {
	at, err := db.checkedDB.StoreBatchFrom(ctx, b)
	return at, db.post(ctx, err)
}

// post makes a checkpoint if one is due after an operation that returned err. The first operation
// is followed by one, so that the tree has values from then on.
func (db *postedDB) post(ctx context.Context, err error) error {
	if err != nil {
		return err
	}
	db.mu.Lock()
	due := db.stored%db.every == 0
	db.stored++
	db.mu.Unlock()
	if due {
		return db.Checkpoint(ctx)
	}
	return nil
}

// reopenedDB ends its DB, in one way or another, after every few operations that change something,
// and opens the directory again.
type reopenedDB struct {
	t     *testing.T
	every int
	end   func(*DB) error

	// mu is locked for writing by operations that change something, and guards the fields below.
	mu      sync.RWMutex
	db      *DB
	changes int
	closed  bool
}

func reopenedAfter(every int, end func(*DB) error) func(t *testing.T, db *DB) daybook.Backend {
	return func(t *testing.T, db *DB) daybook.Backend { return &reopenedDB{t: t, every: every, end: end, db: db} }
}

// change runs an operation, and reopens the directory when that is due.
func (r *reopenedDB) change(operation func(*DB) error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	outcome := operation(r.db)
	if r.closed || outcome != nil {
		return outcome
	}
	if r.changes++; r.changes%r.every != 0 {
		return nil
	}
	if err := r.end(r.db); err != nil {
		return err
	}
	opts := r.db.opts
	db, err := Open(r.db.dir.path, &opts)
	if err == nil {
		r.db = db
	}
	return err
}

func (r *reopenedDB) Store(ctx context.Context, recordName string, value json.RawMessage, timestamp uint64) error {
	return r.change(func(db *DB) error { return db.Store(ctx, recordName, value, timestamp) })
}

func (r *reopenedDB) StoreBatch(ctx context.Context, values []daybook.StoredValue) error {
	return r.change(func(db *DB) error { return db.StoreBatch(ctx, values) })
}

func (r *reopenedDB) Cleanup(ctx context.Context, olderThan uint64) (deleted uint64, err error) {
	err = r.change(func(db *DB) (err error) { deleted, err = db.Cleanup(ctx, olderThan); return err })
	return deleted, err
}

func (r *reopenedDB) Prune(
	ctx context.Context, recordPattern string, params daybook.PruneParams,
) (deleted uint64, err error) {
	err = r.change(func(db *DB) (err error) { deleted, err = db.Prune(ctx, recordPattern, params); return err })
	return deleted, err
}

func (r *reopenedDB) StoreBatchFrom(ctx context.Context, b daybook.Batch) (at daybook.Position, err error) {
	err = r.change(func(db *DB) (err error) { at, err = db.StoreBatchFrom(ctx, b); return err })
	return at, err
}

func (r *reopenedDB) Position(ctx context.Context, store, epoch [16]byte, name string) (daybook.Position, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.db.Position(ctx, store, epoch, name)
}

func (r *reopenedDB) SetHold(ctx context.Context, h daybook.Hold) error {
	return r.change(func(db *DB) error { return db.SetHold(ctx, h) })
}

func (r *reopenedDB) AdvanceHold(ctx context.Context, name string, at daybook.Cursor) error {
	return r.change(func(db *DB) error { return db.AdvanceHold(ctx, name, at) })
}

func (r *reopenedDB) ReleaseHold(ctx context.Context, name string) error {
	return r.change(func(db *DB) error { return db.ReleaseHold(ctx, name) })
}

func (r *reopenedDB) Holds(ctx context.Context) ([]daybook.HoldInfo, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.db.Holds(ctx)
}

func (r *reopenedDB) Initialize(ctx context.Context) error {
	return r.change(func(db *DB) error { return db.Initialize(ctx) })
}

func (r *reopenedDB) Query(
	ctx context.Context, recordPattern string, params daybook.QueryParams,
) ([]daybook.StoredValue, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.db.Query(ctx, recordPattern, params)
}

func (r *reopenedDB) Scan(
	ctx context.Context, recordPattern string, params daybook.QueryParams,
) iter.Seq2[daybook.StoredValue, error] {
	return func(yield func(daybook.StoredValue, error) bool) {
		r.mu.RLock()
		defer r.mu.RUnlock()
		r.db.Scan(ctx, recordPattern, params)(yield)
	}
}

func (r *reopenedDB) Records(
	ctx context.Context, recordPattern string, syntax daybook.PatternSyntax,
) iter.Seq2[daybook.RecordInfo, error] {
	return func(yield func(daybook.RecordInfo, error) bool) {
		r.mu.RLock()
		defer r.mu.RUnlock()
		r.db.Records(ctx, recordPattern, syntax)(yield)
	}
}

// Changes collects the changes before it yields them, so that the loop may store.
func (r *reopenedDB) Changes(ctx context.Context, params daybook.ChangesParams) iter.Seq2[daybook.Change, error] {
	return func(yield func(daybook.Change, error) bool) {
		for _, element := range r.collectChanges(ctx, params) {
			if !yield(element.change, element.err) {
				return
			}
		}
	}
}

type yieldedChange struct {
	change daybook.Change
	err    error
}

func (r *reopenedDB) collectChanges(ctx context.Context, params daybook.ChangesParams) (all []yieldedChange) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for change, err := range r.db.Changes(ctx, params) {
		all = append(all, yieldedChange{change, err})
	}
	return all
}

func (r *reopenedDB) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	mustClose(r.t, r.db)
	return r.db.Close()
}
