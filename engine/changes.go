// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"errors"
	"iter"
	"sync"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/head"
	"github.com/daybook-db/daybook/engine/internal/tree"
	"github.com/daybook-db/daybook/index"
)

// Changes yields the values after the place in params, in the order in which they were stored, and
// then the place that it has reached. It ends with the last value that was acknowledged when the
// iteration began; with params.Durable, with the last one of these that is on stable storage. It
// leaves out values that are deleted meanwhile. Cursors stay the same across restarts, compactions
// and restored backups, so a program that forwards values remembers the last cursor that has
// arrived, and continues after it. Watch says when there are new values.
//
// Changes holds no snapshot while the loop runs: the loop may take any time, and may call other
// methods, Close too. It has up to 524,288 values and 32 MiB in memory, and up to 12 MiB that say
// where the others are. A value that was stored under Interval or OS may be lost in a power cut
// after it was yielded. Its cursor is then daybook.ErrForked.
//
// The first value comes after a look at the header of each chunk. The tree has values in the order
// of records and times. So where many chunks have values of all numbers, each is decoded once for
// every 32 MiB that are yielded.
//
// Damage does not stop a consumer for good. Changes yields all values that it can read up to the
// end of the damaged range, and then a *daybook.DamagedChangesError, after whose Through a consumer
// can go on. An error is yielded once, as the last element.
// Errors: daybook.ErrForked, ErrInvalidPattern, ErrInvalidParams, ErrCorrupt, ErrClosed, or ctx's.
func (db *DB) Changes(ctx context.Context, params daybook.ChangesParams) iter.Seq2[daybook.Change, error] {
	return func(yield func(daybook.Change, error) bool) {
		if err := db.yieldChanges(ctx, params, yield); err != nil {
			yield(daybook.Change{}, err)
		}
	}
}

// yieldChanges yields changes until there are no more, or yield returns false. It does not yield
// the error that it returns. Between two batches, no call is running: so the loop may call Close.
func (db *DB) yieldChanges(
	ctx context.Context, params daybook.ChangesParams, yield func(daybook.Change, error) bool,
) error {
	r, err := db.newChangesReader(ctx, params)
	if err != nil {
		return err
	}
	for r.after < r.last {
		batch, failed := r.next(ctx)
		if more, err := r.yieldAll(ctx, batch, yield); !more || err != nil {
			return err
		}
		if failed != nil {
			return r.describe(failed)
		}
	}
	if err := db.checkOpen(ctx); err != nil {
		return err
	}
	yield(daybook.Change{Cursor: db.cursorAt(r.last)}, nil)
	return nil
}

// changesReader reads the values of one iteration, in batches.
type changesReader struct {
	db      *DB
	pattern *index.Pattern
	after   uint64 // values up to this number have been read
	last    uint64 // number of the last value to read
	inTree  *tree.ChangeReader
}

func (db *DB) newChangesReader(ctx context.Context, params daybook.ChangesParams) (*changesReader, error) {
	if err := db.enter(ctx); err != nil {
		return nil, err
	}
	defer db.gate.leave()
	if err := db.refuseBeside("Changes"); err != nil {
		return nil, err
	}
	if err := params.Validate(); err != nil {
		return nil, err
	}
	pattern, err := compileOrAll(params.Pattern)
	if err != nil {
		return nil, err
	}
	last, err := db.lastToYield(params.Durable)
	if err != nil {
		return nil, err
	}
	after, err := db.resolve(params.After)
	if err != nil {
		return nil, err
	}
	return &changesReader{db: db, pattern: pattern, after: after, last: max(last, after),
		inTree: tree.NewChangeReader(pattern, after)}, nil
}

// lastToYield returns the sequence number of the last value that Changes yields.
func (db *DB) lastToYield(durable bool) (last uint64, err error) {
	last = db.heads.last()
	if !durable {
		return last, nil
	}
	state, err := db.trees.state()
	inLog := uint64(0)
	if db.log != nil { // otherwise the log's end may be durable or not
		inLog = db.log.DurableSequence()
	}
	return min(last, max(state.Watermark, inLog)), err
}

// next reads the next values, or some of them, and moves after. With an error it returns the values
// before the damage.
//
// All values up to the tree's watermark are in the tree. The heads are looked at only for those
// that follow.
func (r *changesReader) next(ctx context.Context) (batch []tree.Change, err error) {
	if err := r.db.enter(ctx); err != nil {
		return nil, err
	}
	defer r.db.gate.leave()
	ctx = r.db.reading(ctx)
	state, err := r.db.trees.state()
	if err != nil {
		return nil, err
	}
	if state.Watermark > r.after {
		return r.nextInTree(ctx)
	}
	return r.nextInHeads(ctx)
}

func (r *changesReader) nextInTree(ctx context.Context) (batch []tree.Change, err error) {
	s, err := r.db.trees.snapshot()
	if err != nil {
		return nil, err
	}
	defer r.db.trees.snapshotClosed()
	defer s.Close()
	r.inTree.Skip(r.after)
	batch, err = r.inTree.Read(ctx, s, min(r.last, s.State.Watermark))
	r.after = r.inTree.After()
	return batch, err
}

// nextInHeads reads values of the heads, and those that a partial post has moved to the tree.
func (r *changesReader) nextInHeads(ctx context.Context) (batch []tree.Change, err error) {
	s, err := r.db.snapshotWith(r.pattern, func(h *head.Head, lock sync.Locker) *head.Reader {
		return h.ReadSince(lock, r.after)
	})
	if err != nil {
		return nil, err
	}
	defer s.close()
	w := newChangeWindow(r.after, r.last)
	err = s.eachView(ctx, func(view *head.View) bool {
		for entry := range view.Since(r.after) {
			w.add(view.Record, entry)
		}
		return true
	})
	if err != nil {
		return nil, err
	}
	if posted := s.tree.State.MaxPosted(); posted > r.after {
		inTree := tree.NewChangeReader(r.pattern, r.after)
		var values []tree.Change
		values, err = inTree.Read(ctx, s.tree, min(w.through, posted))
		if damage := (*tree.DamagedChanges)(nil); err != nil && !errors.As(err, &damage) {
			return nil, err
		}
		if inTree.After() < posted || err != nil { // the tree may have values after those
			w.endAt(inTree.After())
		}
		w.changes = append(w.changes, values...)
	}
	batch, r.after = w.take()
	return batch, err
}

// yieldAll yields a batch, and reports whether the loop goes on.
func (r *changesReader) yieldAll(
	ctx context.Context, batch []tree.Change, yield func(daybook.Change, error) bool,
) (more bool, err error) {
	const valuesPerCheck = 64
	history := r.db.identity.get()
	for i := range batch {
		if i%valuesPerCheck == 0 {
			if err := r.db.checkOpen(ctx); err != nil {
				return false, err
			}
		}
		c := &batch[i]
		value := daybook.StoredValue{RecordName: c.Record, Value: c.Value, StoredAt: c.Timestamp}
		if !yield(daybook.Change{StoredValue: value, Cursor: history.CursorAt(c.Sequence)}, nil) {
			return false, nil
		}
	}
	return true, nil
}

// describe returns damage of a range of values as a *daybook.DamagedChangesError, and other errors
// unchanged.
func (r *changesReader) describe(err error) error {
	var damage *tree.DamagedChanges
	if !errors.As(err, &damage) {
		return err
	}
	return &daybook.DamagedChangesError{Record: damage.Record, From: r.db.cursorAt(damage.From),
		Through: r.db.cursorAt(damage.Through), Err: damage.Err}
}
