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

// faultyChanges changes the results of Changes.
type faultyChanges struct {
	*Memory
	change func(all []daybook.Change, after uint64) []daybook.Change // of all changes, to those after a number
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

// fromNumber yields the value with the given number, too.
func fromNumber(all []daybook.Change, after uint64) []daybook.Change {
	return newerThan(all, max(after, 1)-1)
}

// renumber numbers the remaining values from 1.
func renumber(all []daybook.Change, after uint64) []daybook.Change {
	for i := range all {
		all[i].Sequence = uint64(i) + 1
	}
	return newerThan(all, after)
}

// countFromNumber numbers the yielded values from the given number on.
func countFromNumber(all []daybook.Change, after uint64) []daybook.Change {
	all = newerThan(all, after)
	for i := range all {
		all[i].Sequence = after + uint64(i) + 1
	}
	return all
}

// numberedBatches gives all values of a batch the number of the first value.
type numberedBatches struct {
	*Memory
	firsts map[uint64]uint64 // by the number that Memory gave
}

func (n *numberedBatches) StoreBatch(ctx context.Context, values []daybook.StoredValue) error {
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

func (n *numberedBatches) Changes(ctx context.Context, params daybook.ChangesParams) iter.Seq2[daybook.Change, error] {
	return func(yield func(daybook.Change, error) bool) {
		all, err := n.collect(ctx)
		for i := range all {
			all[i].Sequence = cmp.Or(n.firsts[all[i].Sequence], all[i].Sequence)
		}
		yieldAll(ctx, newerThan(all, params.After), err, yield)
	}
}

// followingChanges yields values that are stored during the loop, too.
type followingChanges struct{ *Memory }

func (f followingChanges) Changes(ctx context.Context, params daybook.ChangesParams) iter.Seq2[daybook.Change, error] {
	return func(yield func(daybook.Change, error) bool) {
		for more := true; more; {
			more = false
			for change, err := range f.Memory.Changes(ctx, params) {
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

// sharedChanges yields values that share memory with the stored ones.
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

// recycledChanges yields each value in the memory of the value before it.
type recycledChanges struct{ *Memory }

func (r recycledChanges) Changes(ctx context.Context, params daybook.ChangesParams) iter.Seq2[daybook.Change, error] {
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

// shiftNumbers gives the values other numbers than Watch does.
func shiftNumbers(all []daybook.Change, after uint64) []daybook.Change {
	for i := range all {
		all[i].Sequence += 100
	}
	return newerThan(all, after)
}

// silentChanges ends without an error when its context ends.
type silentChanges struct{ *Memory }

func (s silentChanges) Changes(ctx context.Context, params daybook.ChangesParams) iter.Seq2[daybook.Change, error] {
	return func(yield func(daybook.Change, error) bool) {
		for change, err := range s.Memory.Changes(context.WithoutCancel(ctx), params) {
			if !yield(change, err) {
				return
			}
			if ctx.Err() != nil {
				return
			}
		}
	}
}
