// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"sync"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/tree"
)

// StoreBatchFrom stores the values of a batch of another store, and moves the position of its
// stream, both or neither: they are one frame of the log. They are on stable storage when it
// returns nil, under every Durability. A batch without values moves the position in a transaction
// of the tree, which takes longer than a frame. So a sender should put several of them into one.
// Errors: a *daybook.OutOfStepError, daybook.ErrInvalidParams, and those of StoreBatch.
func (db *DB) StoreBatchFrom(ctx context.Context, b daybook.Batch) (daybook.Position, error) {
	position, err := db.storeBatchFrom(ctx, b)
	return position, db.countStore(err)
}

func (db *DB) storeBatchFrom(ctx context.Context, b daybook.Batch) (daybook.Position, error) {
	if err := db.enterWriting(ctx); err != nil {
		return daybook.Position{}, err
	}
	defer db.gate.leave()
	if err := b.Validate(); err != nil {
		return daybook.Position{}, err
	}
	if err := validateBatch(b.Values, db.limits()); err != nil {
		return daybook.Position{}, err
	}
	of := newStream(b.Store, b.Epoch, b.Stream)
	unlock, err := db.streams.lock(ctx, of)
	if err != nil {
		return daybook.Position{}, err
	}
	defer unlock()
	before := db.heads.position(of)
	next, isDuplicate, err := before.Next(&b)
	switch {
	case err != nil:
		return before, err
	case isDuplicate: // the first one may have failed to wait for its sync
	case len(b.Values) == 0:
		err = db.movePosition(ctx, received{of, next})
	default:
		err = db.storeReceived(ctx, b.Values, received{of, next})
	}
	if err == nil && db.opts.Durability != DurabilityAlways {
		err = db.log.Sync()
	}
	if err != nil {
		return before, err
	}
	return next, nil
}

// Position returns the position of a stream, the zero Position if nothing was received.
// Errors: daybook.ErrInvalidParams, ErrClosed, or ctx's.
func (db *DB) Position(ctx context.Context, store, epoch [16]byte, stream string) (daybook.Position, error) {
	if err := db.enter(ctx); err != nil {
		return daybook.Position{}, err
	}
	defer db.gate.leave()
	if err := daybook.ValidateStream(store, epoch, stream); err != nil {
		return daybook.Position{}, err
	}
	return db.heads.position(newStream(store, epoch, stream)), nil
}

// storeReceived stores values together with the position that they move.
func (db *DB) storeReceived(ctx context.Context, values []daybook.StoredValue, r received) error {
	c := db.commits.newCommit()
	defer db.commits.free(c)
	c.values, c.received = values, &r
	return db.commit(ctx, c)
}

// movePosition moves a position without values. A position that has not been posted is posted
// before, together with its values: a position in the tree must not stand for values that only the
// log has. After the log has failed, nothing is moved: the next Open may find a batch in the log
// that was to begin at the same position.
func (db *DB) movePosition(ctx context.Context, r received) error {
	return db.withTurn(ctx, func(t *turn) error {
		if err := db.log.Failure(); err != nil {
			return err
		}
		if db.heads.hasUnposted(r.stream) {
			if err := t.checkpoint(ctx); err != nil {
				return err
			}
		}
		if err := t.putNotes(tree.Notes{r.note(): r.encodePosition()}); err != nil {
			return err
		}
		db.heads.addPosted(r)
		return nil
	})
}

// notesOfPosting returns the notes that are true when the frozen head is posted.
func (t *turn) notesOfPosting() tree.Notes {
	notes := t.unsavedHolds()
	for of, position := range t.db.heads.frozenPositions() {
		if notes == nil {
			notes = tree.Notes{}
		}
		r := received{of, position}
		notes[r.note()] = r.encodePosition()
	}
	return notes
}

// streamLocks let one batch of each stream at a time be compared with the position and stored.
// Batches of different streams are stored together.
type streamLocks struct {
	mu     sync.Mutex // guards locked
	locked map[stream]chan struct{}
}

// lock waits until no other batch of the stream is being stored.
func (l *streamLocks) lock(ctx context.Context, of stream) (unlock func(), err error) {
	for {
		busy := l.tryLock(of)
		if busy == nil {
			return func() { l.unlock(of) }, nil
		}
		select {
		case <-busy:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// tryLock locks a stream, or returns a channel that is closed when it is unlocked.
func (l *streamLocks) tryLock(of stream) (busy <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if busy, ok := l.locked[of]; ok {
		return busy
	}
	if l.locked == nil {
		l.locked = map[stream]chan struct{}{}
	}
	l.locked[of] = make(chan struct{})
	return nil
}

func (l *streamLocks) unlock(of stream) {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.locked[of])
	delete(l.locked, of)
}
