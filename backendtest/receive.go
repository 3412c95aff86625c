// SPDX-License-Identifier: Apache-2.0

package backendtest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync/atomic"

	"github.com/daybook-db/daybook"
)

var receiveCases = []testCase{
	{"batches in step", "StoreBatchFrom stores the values of each batch, in order, and returns the position after it",
		receiveInStep},
	{"the same batch again", "the last batch may come again: it is not stored again, and there is no error",
		receiveAgain},
	{"out of step", "a batch that does not begin at the position is a *daybook.OutOfStepError with the position, and " +
		"changes nothing", receiveOutOfStep},
	{"without values", "a batch without values moves the position", receiveNothing},
	{"each stream for itself", "each stream of each epoch of each store has a position of its own", receiveStreams},
	{"invalid batches", "a wrong digest, an impossible range and an invalid value are refused, and change nothing",
		receiveInvalid},
	{"from many senders at once", "of equal batches that arrive at the same time, one is stored", receiveAtOnce},
}

// stream makes the batches of a stream.
type stream struct {
	daybook.Batch // the last one
}

func newStream(name string) *stream {
	return &stream{daybook.Batch{Store: [16]byte{1, 2}, Epoch: [16]byte{3, 4}, Stream: name}}
}

// next returns the batch that follows the last one.
func (st *stream) next(through uint64, rows ...row) daybook.Batch {
	b := &st.Batch
	b.From, b.Previous, b.Through, b.Values = b.Through, b.Digest, through, nil
	for _, r := range rows {
		b.Values = append(b.Values, stored(r.Name, r.Value, r.At))
	}
	b.Digest = daybook.DigestOf(b)
	return *b
}

// receiveCalls returns a call of each method of daybook.Receiver.
func receiveCalls(ctx context.Context, s *subject) []call {
	b, ok := daybook.As[daybook.Receiver](s.backend)
	if !ok {
		return nil
	}
	batch := newStream("new").next(1, row{"new", "1", 1})
	return []call{
		{"StoreBatchFrom", func() error { _, err := b.StoreBatchFrom(ctx, batch); return err }},
		{"Position", func() error { _, err := b.Position(ctx, batch.Store, batch.Epoch, "new"); return err }},
	}
}

func (s *subject) receiver() daybook.Receiver { return abilityOf[daybook.Receiver](s) }

// receive stores a batch, and verifies the position after it.
func (s *subject) receive(b daybook.Batch) {
	s.Helper()
	got, err := s.receiver().StoreBatchFrom(s.Context(), b)
	if want := b.Position(); got != want || err != nil {
		s.wrong("StoreBatchFrom from %d through %d returns %+v, %v; want %+v", b.From, b.Through, got, err, want)
	}
	s.wantPosition(b, b.Position())
}

func (s *subject) wantPosition(of daybook.Batch, want daybook.Position) {
	s.Helper()
	got, err := s.receiver().Position(s.Context(), of.Store, of.Epoch, of.Stream)
	if got != want || err != nil {
		s.wrong("Position of stream %q is %+v, %v; want %+v", of.Stream, got, err, want)
	}
}

func (s *subject) wantOutOfStep(b daybook.Batch, want daybook.Position) {
	s.Helper()
	_, err := s.receiver().StoreBatchFrom(s.Context(), b)
	var outOfStep *daybook.OutOfStepError
	if !errors.As(err, &outOfStep) || outOfStep.Position != want {
		s.wrong("StoreBatchFrom from %d through %d: got error %v; want one with the position %+v",
			b.From, b.Through, err, want)
	}
	s.wantPosition(b, want)
}

func receiveInStep(s *subject) {
	st := newStream("all")
	s.wantPosition(st.Batch, daybook.Position{})
	s.receive(st.next(3, row{"b", "1", 5}, row{"a", "2", 5}, row{"b", "3", 5}))
	s.store(row{"b", "4", 5})
	s.receive(st.next(10, row{"b", `{"n": 5}`, 5}))
	s.receive(st.next(math.MaxUint64, row{"b", "6", 4}, row{"c", "7", s.limits.maxTimestamp()}))
	s.want("*", daybook.QueryParams{Order: daybook.OldestFirst}, row{"a", "2", 5},
		row{"b", "6", 4}, row{"b", "1", 5}, row{"b", "3", 5}, row{"b", "4", 5}, row{"b", `{"n": 5}`, 5},
		row{"c", "7", s.limits.maxTimestamp()})
}

func receiveAgain(s *subject) {
	st := newStream("all")
	for through := uint64(2); through < 8; through += 2 {
		b := st.next(through, row{"a", fmt.Sprint(through), 5})
		s.receive(b)
		s.receive(b)
		s.receive(b)
	}
	empty := st.next(9)
	s.receive(empty)
	s.receive(empty)
	s.want("*", daybook.QueryParams{}, row{"a", "6", 5}, row{"a", "4", 5}, row{"a", "2", 5})
}

func receiveOutOfStep(s *subject) {
	st := newStream("all")
	first := st.next(3, row{"a", "1", 5})
	second := st.next(6, row{"a", "2", 5})
	third := st.next(9, row{"a", "3", 5})
	s.wantOutOfStep(second, daybook.Position{})
	s.receive(first)
	s.wantOutOfStep(third, first.Position())
	s.receive(second)
	s.wantOutOfStep(first, second.Position())
	s.receive(third)
	s.wantOutOfStep(second, third.Position())

	other := newStream("all") // the same numbers, after another content
	other.next(3, row{"a", "4", 5})
	other.next(6, row{"a", "2", 5})
	s.wantOutOfStep(other.next(9, row{"a", "3", 5}), third.Position())
	s.wantOutOfStep(other.next(12, row{"a", "3", 5}), third.Position())
	s.want("*", daybook.QueryParams{}, row{"a", "3", 5}, row{"a", "2", 5}, row{"a", "1", 5})
}

func receiveNothing(s *subject) {
	st := newStream("all")
	s.receive(st.next(5))
	s.receive(st.next(6))
	s.receive(st.next(7, row{"a", "1", 5}))
	s.receive(st.next(100))
	s.receive(st.next(101, row{"a", "2", 5}))
	s.wantOutOfStep(newStream("all").next(5), st.Position())
	s.want("*", daybook.QueryParams{}, row{"a", "2", 5}, row{"a", "1", 5})
}

func receiveStreams(s *subject) {
	streams := []*stream{newStream(""), newStream("a"), newStream("b"), newStream("a"), newStream("a")}
	streams[3].Store[15]++
	streams[4].Epoch[15]++
	var want []row
	for round := range 3 {
		for i, st := range streams {
			through := st.Through + uint64(i) + 1
			at := uint64(round*len(streams) + i)
			s.receive(st.next(through, row{"r", fmt.Sprint(i), at}))
			want = append(want, row{"r", fmt.Sprint(i), at})
		}
	}
	for _, st := range streams {
		s.wantPosition(st.Batch, st.Position())
	}
	s.want("r", daybook.QueryParams{Order: daybook.OldestFirst}, want...)
}

func receiveInvalid(s *subject) {
	valid := newStream("all")
	s.receive(valid.next(3, row{"a", "1", 5}))
	tests := []struct {
		change func(b *daybook.Batch)
		want   error
		reason string // why the row is here
	}{
		{func(b *daybook.Batch) { b.Digest[0]++ }, daybook.ErrInvalidParams, "the digest is wrong"},
		{func(b *daybook.Batch) { b.Values[0].StoredAt++ }, daybook.ErrInvalidParams, "a value has changed on the way"},
		{func(b *daybook.Batch) { b.Through = b.From }, daybook.ErrInvalidParams, "there are no numbers"},
		{func(b *daybook.Batch) { b.Through = b.From + 1 }, daybook.ErrInvalidParams, "there are too few numbers"},
		{func(b *daybook.Batch) { b.Store = [16]byte{} }, daybook.ErrInvalidParams, "the store has no identity"},
		{func(b *daybook.Batch) { b.Values[1].Value = []byte("{") }, daybook.ErrInvalidValue, "a value is not JSON"},
		{func(b *daybook.Batch) { b.Values[1].RecordName = "" }, daybook.ErrInvalidName, "a record has no name"},
	}
	for i, test := range tests {
		st := *valid
		b := st.next(9, row{"a", "2", 5}, row{"b", "3", 5})
		test.change(&b)
		if i >= 2 {
			b.Digest = daybook.DigestOf(&b)
		}
		_, err := s.receiver().StoreBatchFrom(s.Context(), b)
		s.wantError("StoreBatchFrom: "+test.reason, err, test.want)
	}
	s.wantPosition(valid.Batch, valid.Position())
	s.want("*", daybook.QueryParams{}, row{"a", "1", 5})
	_, err := s.receiver().Position(s.Context(), [16]byte{}, [16]byte{1}, "all")
	s.wantError("Position of a store without identity", err, daybook.ErrInvalidParams)
}

func receiveAtOnce(s *subject) {
	const senders = 4
	st := newStream("all")
	var want []row
	for round := range uint64(20) {
		b := st.next(st.Through+1, row{"a", fmt.Sprint(round), round})
		want = append(want, row{"a", fmt.Sprint(round), round})
		var failed atomic.Int64
		inParallel(senders, func(int) {
			if _, err := s.receiver().StoreBatchFrom(s.Context(), b); err != nil {
				failed.Add(1)
			}
		})
		if failed.Load() > 0 {
			s.wrong("%d of %d senders of the same batch failed; want none", failed.Load(), senders)
		}
	}
	s.wantPosition(st.Batch, st.Position())
	s.want("a", daybook.QueryParams{Order: daybook.OldestFirst}, want...)
}
