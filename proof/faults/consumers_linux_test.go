// SPDX-License-Identifier: Apache-2.0

//go:build amd64 || arm64

package faults

import (
	"context"
	"errors"
	"fmt"

	"github.com/daybook-db/daybook"
)

// The store has a hold on one record, and receives one stream into another.
const (
	heldRecord   = "held"
	streamRecord = "stream"
)

var streamOf = daybook.Batch{Store: [16]byte{1}, Epoch: [16]byte{2}, Stream: "faults"}

// heldState is what is known of the hold. The zero heldState: there is none.
type heldState struct {
	maxBytes uint64
	at       daybook.Cursor
	taken    int // the consumer has the values of the record whose ids are less
}

// twoStates are the state that is visible now, and the one that the next Open may show instead,
// because a call returned ErrFailed; nil if there is none.
type twoStates[T any] struct {
	now   T
	maybe *T
}

// settle makes the other state the visible one if isVisible says so.
func (s *twoStates[T]) settle(isVisible func(T) bool) {
	if s.maybe != nil && !isVisible(s.now) && isVisible(*s.maybe) {
		s.now, *s.maybe = *s.maybe, s.now
	}
}

// try notes the result of a call that was to lead to another state. failed says that it returned
// ErrFailed for the first time.
func (s *twoStates[T]) try(to T, err error, failed bool) {
	switch {
	case err == nil:
		s.now, s.maybe = to, nil
	case failed:
		s.maybe = &to
	}
}

// consumers are what is known of the hold and the stream.
type consumers struct {
	hold          twoStates[heldState]
	position      twoStates[daybook.Position]
	receivedBatch int // that moves the position to the other state; -1: none, it has no values
}

// clone returns a copy that shares nothing.
func (c consumers) clone() consumers {
	if c.hold.maybe != nil {
		c.hold.maybe = new(*c.hold.maybe)
	}
	if c.position.maybe != nil {
		c.position.maybe = new(*c.position.maybe)
	}
	return c
}

// spared returns the ids of the values that a hold spares: those that were stored last, up to its
// bound, and that its consumer has not taken.
func (l ledger) spared(h heldState) map[int]bool {
	spared, size := make(map[int]bool), uint64(0)
	for id := len(l) - 1; id >= h.taken; id-- {
		if e := &l[id]; e.RecordName == heldRecord && e.fate == present {
			if size += uint64(len(e.Value)); size > h.maxBytes {
				break
			}
			spared[id] = true
		}
	}
	return spared
}

// lost returns the number of values that a hold has lost.
func (l ledger) lost() (n uint64) {
	for id := range l {
		if l[id].lost && l[id].fate != present {
			n++
		}
	}
	return n
}

// setHold makes a hold, or gives it another bound.
func (s *faultyStore) setHold(maxBytes uint64) {
	if s.db == nil || s.wrong != nil {
		return
	}
	to := s.hold.now
	to.maxBytes = maxBytes
	hold := daybook.Hold{Name: "faults", Pattern: daybook.Pattern{Text: heldRecord}, MaxBytes: maxBytes, At: to.at}
	s.moveHold(fmt.Sprintf("set a hold of %d bytes", maxBytes), to, func(ctx context.Context) error {
		return s.db.SetHold(ctx, hold)
	})
}

// advance tells the hold that its consumer has all values but the last.
func (s *faultyStore) advance() {
	if s.db == nil || s.wrong != nil || s.hold.now.maxBytes == 0 {
		return
	}
	to, previous := s.hold.now, daybook.Cursor{}
	params := daybook.ChangesParams{After: to.at, Pattern: daybook.Pattern{Text: heldRecord}}
	for change, err := range s.db.Changes(context.Background(), params) {
		if err != nil {
			s.blame("changes after %v: %w", to.at, err)
			return
		}
		if change.IsPlace() {
			break
		}
		ids, err := s.ledger.identify([]daybook.StoredValue{change.StoredValue})
		if err != nil {
			s.blame("changes after %v: %w", to.at, err)
			return
		}
		if !previous.IsZero() {
			to.at, to.taken = previous, ids[0]
		}
		previous = change.Cursor
	}
	s.moveHold(fmt.Sprintf("advance the hold to %v", to.at), to, func(ctx context.Context) error {
		return s.db.AdvanceHold(ctx, "faults", to.at)
	})
}

// moveHold makes a call that changes the hold.
func (s *faultyStore) moveHold(name string, to heldState, call func(context.Context) error) {
	failedBefore := s.treeFailed
	err := s.call(name, func() error { return call(context.Background()) })
	s.noteTreeWrite(name, err)
	s.hold.try(to, err, errors.Is(err, daybook.ErrFailed) && !failedBefore)
	s.settleConsumers()
	s.verify()
}

// receive stores the batch that follows the stream's position. Without a size it has no values.
func (s *faultyStore) receive(sizes ...int) {
	if s.db == nil || s.wrong != nil {
		return
	}
	b := streamOf
	b.From, b.Previous = s.position.now.Through, s.position.now.Digest
	b.Through = b.From + 10
	for _, size := range sizes {
		s.clock += 10
		b.Values = append(b.Values, s.ledger.add(streamRecord, s.clock, s.batches, size))
	}
	b.Digest = daybook.DigestOf(&b)
	s.batches++
	failedBefore := s.storeFailed || s.syncFailed || len(sizes) == 0 && (s.treeFailed || s.moveFailed)
	name := fmt.Sprintf("receive %d values after %d", len(sizes), b.From)
	err := s.call(name, func() error { _, err := s.db.StoreBatchFrom(context.Background(), b); return err })
	if len(sizes) == 0 {
		// It fails with the tree, and with the log, which may have another batch from there.
		s.moveFailed = s.moveFailed || s.treeFailed || s.storeFailed || s.syncFailed
		if failed := s.moveFailed; err != nil || failed {
			s.requireFailed(&s.moveFailed, name, err)
		}
	} else {
		s.storeFailed = s.storeFailed || s.syncFailed
		s.requireFailed(&s.storeFailed, name, err)
	}
	failed := errors.Is(err, daybook.ErrFailed) && !failedBefore
	if s.position.try(b.Position(), err, failed); failed {
		s.receivedBatch = -1
		if len(sizes) > 0 {
			s.receivedBatch = s.batches - 1
		}
	}
	s.settleConsumers()
	switch {
	case s.position.now == b.Position(): // under Interval the values are visible before they are synced
		s.ledger.set(len(sizes), present)
	case failed:
		s.ledger.set(len(sizes), maybeStored)
	}
	s.verify()
}

// settleConsumers finds out which state is visible after a call that returned ErrFailed.
func (s *faultyStore) settleConsumers() {
	if s.db == nil || s.wrong != nil {
		return
	}
	info, position := s.visibleConsumers()
	s.hold.settle(func(h heldState) bool { return h.maxBytes == info.MaxBytes && h.at == info.At })
	s.position.settle(func(p daybook.Position) bool { return p == position })
}

// visibleConsumers returns the hold and the position. Both calls must succeed whatever the disk
// does.
func (s *faultyStore) visibleConsumers() (info daybook.HoldInfo, position daybook.Position) {
	ctx := context.Background()
	infos, err := s.db.Holds(ctx)
	if err != nil || len(infos) > 1 {
		s.blame("holds: got %+v, %w; want at most one", infos, err)
		return info, position
	}
	if len(infos) == 1 {
		info = infos[0]
	}
	if position, err = s.db.Position(ctx, streamOf.Store, streamOf.Epoch, streamOf.Stream); err != nil {
		s.blame("position: %w", err)
	}
	return info, position
}

// verifyConsumers compares the hold, its counts, and the position with what is known.
func (s *faultyStore) verifyConsumers() {
	if s.db == nil || s.wrong != nil {
		return
	}
	info, position := s.visibleConsumers()
	last, want := s.calls[len(s.calls)-1], s.hold.now
	if info.MaxBytes != want.maxBytes || info.At != want.at {
		s.blame("after %s: the hold is %d bytes at %v; want %+v", last, info.MaxBytes, info.At, want)
	}
	if spared, lost := uint64(len(s.ledger.spared(want))), s.ledger.lost(); info.Values != spared || info.Lost != lost {
		s.blame("after %s: the hold spares %d values and has lost %d; want %d and %d",
			last, info.Values, info.Lost, spared, lost)
	}
	if position != s.position.now {
		s.blame("after %s: the position is %d; want %d", last, position.Through, s.position.now.Through)
	}
}

// reopened is called after an Open. The hold and the position are what they were, or what the call
// would have made of them that returned ErrFailed. The position moved with its values or not at
// all.
func (s *faultyStore) reopened() {
	s.settleConsumers()
	if s.position.maybe != nil && s.receivedBatch >= 0 {
		moved := s.position.now.Through > s.position.maybe.Through
		for id := range s.ledger {
			e := &s.ledger[id]
			wasStored := e.fate == present || e.deleted
			if e.batch == s.receivedBatch && wasStored != moved {
				s.blame("after Open: the position is %d, but it is %t that its value %d was stored",
					s.position.now.Through, wasStored, id)
			}
		}
	}
	s.hold.maybe, s.position.maybe = nil, nil
	s.verifyConsumers()
}
