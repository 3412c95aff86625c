// SPDX-License-Identifier: Apache-2.0

package backendtest

import (
	"cmp"
	"context"
	"encoding/json"
	"iter"
	"slices"

	"github.com/daybook-db/daybook"
)

// faultyChanges yields something else than Memory.Changes does.
type faultyChanges struct {
	*Memory
	change func(all []daybook.Change, after uint64) []daybook.Change // from all changes
}

func (f faultyChanges) Changes(ctx context.Context, params daybook.ChangesParams) iter.Seq2[daybook.Change, error] {
	return func(yield func(daybook.Change, error) bool) {
		all, err := f.collect(ctx)
		yieldAll(ctx, f.change(all, params.After), err, yield)
	}
}

// collect returns all changes of a Memory.
func (m *Memory) collect(ctx context.Context) (all []daybook.Change, err error) {
	for change, err := range m.Changes(ctx, daybook.ChangesParams{}) {
		if err != nil {
			return nil, err
		}
		all = append(all, change)
	}
	return all, nil
}

func onChanges(change func([]daybook.Change, uint64) []daybook.Change) func(*Memory) daybook.Backend {
	return func(m *Memory) daybook.Backend { return faultyChanges{m, change} }
}

func newerThan(all []daybook.Change, after uint64) []daybook.Change {
	return slices.DeleteFunc(all, func(c daybook.Change) bool { return c.Sequence <= after })
}

func byTimestamp(all []daybook.Change, after uint64) []daybook.Change {
	slices.SortStableFunc(all, func(a, b daybook.Change) int { return cmp.Compare(a.StoredAt, b.StoredAt) })
	return newerThan(all, after)
}

func byRecord(all []daybook.Change, after uint64) []daybook.Change {
	slices.SortStableFunc(all, func(a, b daybook.Change) int { return cmp.Compare(a.RecordName, b.RecordName) })
	return newerThan(all, after)
}

// fromPlace yields the value at the place, too.
func fromPlace(all []daybook.Change, after uint64) []daybook.Change {
	return newerThan(all, max(after, 1)-1)
}

// renumber numbers the remaining values from 1.
func renumber(all []daybook.Change, after uint64) []daybook.Change {
	for i := range all {
		all[i].Sequence = uint64(i) + 1
	}
	return newerThan(all, after)
}

// countFromPlace numbers what it yields from the place on.
func countFromPlace(all []daybook.Change, after uint64) []daybook.Change {
	all = newerThan(all, after)
	for i := range all {
		all[i].Sequence = after + uint64(i) + 1
	}
	return all
}

// numberBatches gives all values of a batch the number of its first one.
type numberBatches struct {
	*Memory
	firsts map[uint64]uint64 // by the number that Memory gives
}

func (n *numberBatches) StoreBatch(ctx context.Context, values []daybook.StoredValue) error {
	before := n.Memory.sequence
	err := n.Memory.StoreBatch(ctx, values)
	if n.firsts == nil {
		n.firsts = map[uint64]uint64{}
	}
	for sequence := before + 1; sequence <= n.Memory.sequence; sequence++ {
		n.firsts[sequence] = before + 1
	}
	return err
}

func (n *numberBatches) Changes(ctx context.Context, params daybook.ChangesParams) iter.Seq2[daybook.Change, error] {
	return func(yield func(daybook.Change, error) bool) {
		all, err := n.collect(ctx)
		for i := range all {
			all[i].Sequence = cmp.Or(n.firsts[all[i].Sequence], all[i].Sequence)
		}
		yieldAll(ctx, newerThan(all, params.After), err, yield)
	}
}

// endless yields what is stored within the loop, too.
type endless struct{ *Memory }

func (e endless) Changes(ctx context.Context, params daybook.ChangesParams) iter.Seq2[daybook.Change, error] {
	return func(yield func(daybook.Change, error) bool) {
		for more := true; more; {
			more = false
			for change, err := range e.Memory.Changes(ctx, params) {
				if !yield(change, err) || err != nil {
					return
				}
				params.After, more = change.Sequence, true
			}
		}
	}
}

// eagerChanges collects the changes before the loop begins.
type eagerChanges struct{ *Memory }

func (e eagerChanges) Changes(ctx context.Context, params daybook.ChangesParams) iter.Seq2[daybook.Change, error] {
	all, err := e.collect(ctx)
	return func(yield func(daybook.Change, error) bool) {
		yieldAll(ctx, newerThan(slices.Clone(all), params.After), err, yield)
	}
}

// sharedChanges yields values in the memory in which it keeps them.
type sharedChanges struct{ *Memory }

func (s sharedChanges) Changes(ctx context.Context, params daybook.ChangesParams) iter.Seq2[daybook.Change, error] {
	return func(yield func(daybook.Change, error) bool) {
		all, err := s.collect(ctx)
		s.mu.Lock()
		for i := range all {
			all[i].Value = s.stored[i].Value
		}
		s.mu.Unlock()
		yieldAll(ctx, newerThan(all, params.After), err, yield)
	}
}

// recycling yields each value in the memory of the one before.
type recycling struct{ *Memory }

func (r recycling) Changes(ctx context.Context, params daybook.ChangesParams) iter.Seq2[daybook.Change, error] {
	return func(yield func(daybook.Change, error) bool) {
		var memory json.RawMessage
		for change, err := range r.Memory.Changes(ctx, params) {
			memory = append(memory[:0], change.Value...)
			change.Value = memory
			if !yield(change, err) {
				return
			}
		}
	}
}

// lateNumbers numbers the values that Changes yields otherwise than those that Watch sends.
func lateNumbers(all []daybook.Change, after uint64) []daybook.Change {
	for i := range all {
		all[i].Sequence += 100
	}
	return newerThan(all, after)
}

// inattentive yields on when its context has ended.
func inattentive(m *Memory) daybook.Backend { return inattentiveChanges{m} }

type inattentiveChanges struct{ *Memory }

func (i inattentiveChanges) Changes(ctx context.Context, params daybook.ChangesParams) iter.Seq2[daybook.Change, error] {
	return func(yield func(daybook.Change, error) bool) {
		for change, err := range i.Memory.Changes(context.WithoutCancel(ctx), params) {
			if !yield(change, err) {
				return
			}
			if ctx.Err() != nil {
				return // early, and without an error
			}
		}
	}
}
