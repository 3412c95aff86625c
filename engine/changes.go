// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"cmp"
	"context"
	"iter"
	"math"
	"slices"
	"sync"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/head"
	"github.com/daybook-db/daybook/engine/internal/identity"
	"github.com/daybook-db/daybook/engine/internal/tree"
)

// Changes reads the tree in windows of sequence numbers. Each window costs a look at every chunk's
// header, and decodes the chunks that have values in it.
const (
	changesWindow   = 128 << 10 // sequence numbers; wider where many values were deleted
	maxChangesBytes = 8 << 20   // of JSON that one window yields, about
)

// Changes yields the values after the place in params, in the order in which they were stored, and
// then the place that it has reached. It ends with the last value that was acknowledged when the
// iteration began; with params.Durable, with the last one of these that is on stable storage. It
// leaves out values that are deleted meanwhile. Cursors stay the same across restarts, compactions
// and restored backups, so a program that forwards values remembers the last cursor that has
// arrived, and continues after it. Watch says when there are new values.
//
// Changes holds no snapshot while the loop runs: the loop may take any time, and may call other
// methods. A value that was stored under Interval or OS may be lost in a power cut after it was
// yielded. Its cursor is then daybook.ErrForked. An error is yielded once, as the last element.
// Errors: daybook.ErrForked, ErrInvalidPattern, ErrInvalidParams, ErrCorrupt, ErrClosed, or ctx's.
func (db *DB) Changes(ctx context.Context, params daybook.ChangesParams) iter.Seq2[daybook.Change, error] {
	return func(yield func(daybook.Change, error) bool) {
		if err := db.yieldChanges(ctx, params, yield); err != nil {
			yield(daybook.Change{}, err)
		}
	}
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

// yieldChanges yields changes until there are no more, or yield returns false. It does not yield
// the error that it returns.
func (db *DB) yieldChanges(
	ctx context.Context, params daybook.ChangesParams, yield func(daybook.Change, error) bool,
) error {
	if err := db.enter(ctx); err != nil {
		return err
	}
	defer db.gate.leave()
	if err := params.Validate(); err != nil {
		return err
	}
	pattern, err := compileOrAll(params.Pattern)
	if err != nil {
		return err
	}
	last, err := db.lastToYield(params.Durable)
	if err != nil {
		return err
	}
	after, err := db.resolve(params.After)
	if err != nil {
		return err
	}
	last = max(last, after)
	for width := uint64(changesWindow); after < last; {
		w := changeWindow{after: after, through: after + min(width, last-after), nextAfter: last + 1,
			history: db.identity.get()}
		if err := db.collectChanges(ctx, &w); err != nil {
			return err
		}
		for _, change := range w.changes {
			if err := ctx.Err(); err != nil {
				return err
			}
			if pattern.Match(change.RecordName) && !yield(change, nil) {
				return nil
			}
		}
		after = w.through
		if len(w.changes) == 0 {
			after = max(after, w.nextAfter-1)
		}
		if len(w.changes) < changesWindow/4 && w.bytes < maxChangesBytes/4 {
			width = min(2*width, math.MaxUint64/2) // much was deleted
		} else {
			width = changesWindow
		}
	}
	yield(daybook.Change{Cursor: db.cursorAt(last)}, nil)
	return nil
}

// collectChanges fills a window from one consistent snapshot.
func (db *DB) collectChanges(ctx context.Context, w *changeWindow) error {
	s, err := db.snapshotWith(allRecords, func(h *head.Head, lock sync.Locker) *head.Reader {
		return h.ReadSince(lock, w.after)
	})
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.eachView(ctx, func(view *head.View) bool {
		for entry := range view.Since(w.after) {
			w.add(view.Record, entry)
		}
		return true
	}); err != nil {
		return err
	}
	if s.tree.State.MaxPosted() > w.after {
		if err := w.addFromTree(ctx, s.tree); err != nil {
			return err
		}
	}
	w.sort()
	return nil
}

// changeWindow collects the values whose sequence numbers are in a window.
type changeWindow struct {
	after, through uint64 // the window: greater than after, up to through
	nextAfter      uint64 // the least sequence number after the window that has been seen
	changes        []daybook.Change
	bytes          int // of their JSON
	values         valueArena
	history        identity.Identity
}

func (w *changeWindow) addFromTree(ctx context.Context, s *tree.Snapshot) error {
	chunks, err := s.Changes(w.after, w.through)
	if err != nil {
		return err
	}
	for {
		record, entries, err := chunks.Read(ctx)
		if len(entries) == 0 || err != nil {
			w.nextAfter = min(w.nextAfter, chunks.Next)
			return err
		}
		for _, entry := range entries {
			w.add(record, entry)
		}
		chunks.Through = w.through
	}
}

// add adds a value if it is in the window. When the collected values are twice as large as they may
// be, it ends the window earlier and keeps the first half of them.
func (w *changeWindow) add(record string, e codec.Entry) {
	if e.Sequence <= w.after || e.Sequence > w.through {
		if e.Sequence > w.through {
			w.nextAfter = min(w.nextAfter, e.Sequence)
		}
		return
	}
	w.changes = append(w.changes, daybook.Change{
		StoredValue: daybook.StoredValue{RecordName: record, Value: w.values.copy(e.Value), StoredAt: e.Timestamp},
		Cursor:      w.history.CursorAt(e.Sequence),
	})
	if w.bytes += len(e.Value); w.bytes >= 2*maxChangesBytes {
		w.shorten()
	}
}

func (w *changeWindow) sort() {
	slices.SortFunc(w.changes, func(a, b daybook.Change) int {
		return cmp.Compare(a.Cursor.Sequence, b.Cursor.Sequence)
	})
}

// shorten keeps the first of the collected values, in new memory, and ends the window with them.
func (w *changeWindow) shorten() {
	w.sort()
	all := w.changes
	w.changes, w.bytes, w.values = nil, 0, valueArena{}
	for _, change := range all {
		if len(w.changes) > 0 && w.bytes+len(change.Value) > maxChangesBytes {
			break
		}
		change.Value = w.values.copy(change.Value)
		w.changes, w.bytes = append(w.changes, change), w.bytes+len(change.Value)
	}
	w.through = w.changes[len(w.changes)-1].Cursor.Sequence
}
