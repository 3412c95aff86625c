// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/daybook-db/daybook"
)

// Store implements [daybook.Backend]. It shares its transaction with the calls that came while the
// transaction before was committed: the first of them that gets the writer commits for all.
func (db *DB) Store(ctx context.Context, recordName string, value json.RawMessage, timestamp uint64) error {
	stored := daybook.StoredValue{RecordName: recordName, Value: value, StoredAt: timestamp}
	if err := validate(stored); err != nil {
		return err
	}
	if err := db.gate.enter(ctx); err != nil {
		return err
	}
	defer db.gate.leave()
	return db.writer.store(ctx, stored)
}

// StoreBatch implements [daybook.BatchStorer] with one transaction.
func (db *DB) StoreBatch(ctx context.Context, values []daybook.StoredValue) error {
	for i, v := range values {
		if err := validate(v); err != nil {
			return fmt.Errorf("values[%d] of %d in the batch: %w", i, len(values), err)
		}
	}
	if err := db.gate.enter(ctx); err != nil {
		return err
	}
	defer db.gate.leave()
	if err := db.writer.acquire(ctx); err != nil {
		return err
	}
	defer db.writer.release()
	return db.writer.commit(ctx, values)
}

// Cleanup implements [daybook.Backend] with one transaction. Interrupted, it has deleted nothing.
func (db *DB) Cleanup(ctx context.Context, olderThan uint64) (deleted uint64, err error) {
	if err := db.gate.enter(ctx); err != nil {
		return 0, err
	}
	defer db.gate.leave()
	if olderThan == 0 {
		return 0, nil
	}
	if err := db.writer.acquire(ctx); err != nil {
		return 0, err
	}
	defer db.writer.release()
	newest := min(olderThan-1, math.MaxInt64)
	err = db.writer.transact(ctx, func() error {
		result, err := db.writer.remove.ExecContext(ctx, int64(newest))
		if err != nil {
			return err
		}
		count, err := result.RowsAffected()
		deleted = uint64(count)
		return err
	})
	if err != nil {
		return 0, err
	}
	return deleted, nil
}

func validate(v daybook.StoredValue) error {
	if err := daybook.ValidateRecordName(v.RecordName); err != nil {
		return err
	}
	if err := daybook.ValidateValue(v.Value); err != nil {
		return err
	}
	if v.StoredAt > math.MaxInt64 {
		return fmt.Errorf("%w: %d; at most %d", daybook.ErrTimestampRange, v.StoredAt, int64(math.MaxInt64))
	}
	return nil
}

// queue holds the values of the calls of Store that wait for the writer.
type queue struct {
	mu      sync.Mutex // guards pending
	pending []*pendingValue
}

// pendingValue is the value of one call of Store.
type pendingValue struct {
	value daybook.StoredValue
	done  chan error // has room for the one result
}

func (q *queue) add(p *pendingValue) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.pending = append(q.pending, p)
}

// remove reports whether p was in the queue. If not, a commit of p has begun.
func (q *queue) remove(p *pendingValue) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	i := slices.Index(q.pending, p)
	if i < 0 {
		return false
	}
	q.pending = slices.Delete(q.pending, i, i+1)
	return true
}

// takeOnly removes p if it is the only one in the queue, and reports whether it was.
func (q *queue) takeOnly(p *pendingValue) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	isOnly := len(q.pending) == 1 && q.pending[0] == p
	if isOnly {
		q.pending = nil
	}
	return isOnly
}

// takeAll empties the queue.
func (q *queue) takeAll() []*pendingValue {
	q.mu.Lock()
	defer q.mu.Unlock()
	all := q.pending
	q.pending = nil
	return all
}

// store returns when value is committed, by this call or by another one.
func (w *writer) store(ctx context.Context, value daybook.StoredValue) error {
	p := &pendingValue{value: value, done: make(chan error, 1)}
	w.waiting.add(p)
	select {
	case <-w.free:
		w.commitPending(ctx, p)
		w.release()
	case err := <-p.done:
		return err
	case <-ctx.Done():
		if w.waiting.remove(p) {
			return ctx.Err()
		}
	}
	return <-p.done
}

// commitPending commits all values in the queue. own is that of the caller, who has acquired w; it
// may be committed already. The values leave the queue only when no other process writes to the
// file: until then the end of a call's context takes its value back. After that the commit is for
// all of them, so the end of one call's context does not cancel it.
func (w *writer) commitPending(ctx context.Context, own *pendingValue) {
	if w.waiting.takeOnly(own) {
		own.done <- w.commit(ctx, []daybook.StoredValue{own.value})
		return
	}
	var group []*pendingValue
	err := w.transact(ctx, func() error {
		group = w.waiting.takeAll()
		values := make([]daybook.StoredValue, len(group))
		for i, p := range group {
			values[i] = p.value
		}
		return w.insertAll(context.Background(), values)
	})
	if cancelled := ctx.Err(); err != nil && len(group) == 0 && cancelled != nil {
		if w.waiting.remove(own) {
			own.done <- cancelled
		}
		return // the others wait on
	}
	if err != nil && len(group) == 0 {
		group = w.waiting.takeAll()
	}
	for _, p := range group {
		p.done <- err
	}
}
