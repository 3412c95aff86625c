// SPDX-License-Identifier: Apache-2.0

package backendtest

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"iter"
	"slices"
	"sync"

	"github.com/daybook-db/daybook"
)

// faultyChanges changes the results of Changes.
type faultyChanges struct {
	*Memory
	change func(all []daybook.Change, after uint64) []daybook.Change // of all changes, to those after a number
}

func (f faultyChanges) Changes(ctx context.Context, params daybook.ChangesParams) iter.Seq2[daybook.Change, error] {
	return f.changesOf(ctx, params, f.change)
}

// changesOf yields the values that change returns for all values of the pattern, and then the place
// that the Memory has reached.
func (m *Memory) changesOf(ctx context.Context, params daybook.ChangesParams,
	change func(all []daybook.Change, after uint64) []daybook.Change) iter.Seq2[daybook.Change, error] {
	return func(yield func(daybook.Change, error) bool) {
		changes, err := m.changesAfter(ctx, params) // refuses what Memory refuses
		if err == nil {
			place, after := changes[len(changes)-1], params.After.Sequence
			params.After = daybook.Cursor{}
			all, _ := m.changesAfter(ctx, params)
			changes = append(change(all[:len(all)-1], after), place)
		}
		yieldAll(ctx, changes, err, yield)
	}
}

func onChanges(change func([]daybook.Change, uint64) []daybook.Change) func(*Memory) daybook.Backend {
	return func(m *Memory) daybook.Backend { return faultyChanges{m, change} }
}

func newerThan(all []daybook.Change, after uint64) []daybook.Change {
	return slices.DeleteFunc(all, func(c daybook.Change) bool { return c.Cursor.Sequence <= after })
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
		all[i].Cursor.Sequence = uint64(i) + 1
	}
	return newerThan(all, after)
}

// countFromNumber numbers the yielded values from the given number on.
func countFromNumber(all []daybook.Change, after uint64) []daybook.Change {
	all = newerThan(all, after)
	for i := range all {
		all[i].Cursor.Sequence = after + uint64(i) + 1
	}
	return all
}

// numberedBatches gives all values of a batch the number of the first value.
type numberedBatches struct {
	*Memory
	storing sync.Mutex        // held by a StoreBatch, whose numbers are those that no other takes meanwhile
	firsts  map[uint64]uint64 // by the number that Memory gave; guarded by Memory's lock
}

func (n *numberedBatches) StoreBatch(ctx context.Context, values []daybook.StoredValue) error {
	n.storing.Lock()
	defer n.storing.Unlock()
	var before uint64
	n.locked(func() { before = n.sequence })
	err := n.Memory.StoreBatch(ctx, values)
	n.locked(func() {
		if n.firsts == nil {
			n.firsts = map[uint64]uint64{}
		}
		for sequence := before + 1; sequence <= n.sequence; sequence++ {
			n.firsts[sequence] = before + 1
		}
	})
	return err
}

func (n *numberedBatches) Changes(ctx context.Context, params daybook.ChangesParams) iter.Seq2[daybook.Change, error] {
	return n.changesOf(ctx, params, func(all []daybook.Change, after uint64) []daybook.Change {
		n.locked(func() {
			for i := range all {
				all[i].Cursor.Sequence = cmp.Or(n.firsts[all[i].Cursor.Sequence], all[i].Cursor.Sequence)
			}
		})
		return newerThan(all, after)
	})
}

// followingChanges yields values that are stored during the loop, too.
type followingChanges struct{ *Memory }

func (f followingChanges) Changes(ctx context.Context, params daybook.ChangesParams) iter.Seq2[daybook.Change, error] {
	return func(yield func(daybook.Change, error) bool) {
		for more := true; more; {
			more = false
			for change, err := range f.Memory.Changes(ctx, params) {
				if change.IsPlace() && more {
					break
				}
				if !yield(change, err) || err != nil {
					return
				}
				params.After, more = change.Cursor, !change.IsPlace()
			}
		}
	}
}

// eagerChanges collects the changes before the loop begins.
type eagerChanges struct{ *Memory }

func (e eagerChanges) Changes(ctx context.Context, params daybook.ChangesParams) iter.Seq2[daybook.Change, error] {
	changes, err := e.changesAfter(ctx, params)
	return func(yield func(daybook.Change, error) bool) { yieldAll(ctx, changes, err, yield) }
}

// sharedChanges yields values that share memory with the stored ones.
type sharedChanges struct{ *Memory }

func (s sharedChanges) Changes(ctx context.Context, params daybook.ChangesParams) iter.Seq2[daybook.Change, error] {
	return s.changesOf(ctx, params, func(all []daybook.Change, after uint64) []daybook.Change {
		s.mu.Lock()
		defer s.mu.Unlock()
		for i := range all {
			all[i].Value = s.stored[i].Value
		}
		return newerThan(all, after)
	})
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
		all[i].Cursor.Sequence += 100
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

// patternBlindChanges yields the values of all records.
type patternBlindChanges struct{ *Memory }

func (p patternBlindChanges) Changes(
	ctx context.Context, params daybook.ChangesParams,
) iter.Seq2[daybook.Change, error] {
	if _, err := compileOrAll(params.Pattern); err == nil {
		params.Pattern = daybook.Pattern{}
	}
	return p.Memory.Changes(ctx, params)
}

// onPlace changes what Changes yields in place of the place that it has reached.
type onPlace struct {
	*Memory
	change func(place daybook.Change, last daybook.Cursor) (daybook.Change, bool)
}

func (o onPlace) Changes(ctx context.Context, params daybook.ChangesParams) iter.Seq2[daybook.Change, error] {
	return func(yield func(daybook.Change, error) bool) {
		last := params.After
		for change, err := range o.Memory.Changes(ctx, params) {
			more := true
			if err == nil && change.IsPlace() {
				change, more = o.change(change, last)
			}
			last = change.Cursor
			if !more || !yield(change, err) {
				return
			}
		}
	}
}

func withoutPlace(place daybook.Change, _ daybook.Cursor) (daybook.Change, bool) { return place, false }

// placeOfMatch is the place of the last value that matches.
func placeOfMatch(_ daybook.Change, last daybook.Cursor) (daybook.Change, bool) {
	return daybook.Change{Cursor: last}, true
}

// forgivingChanges takes a cursor for a mere number.
type forgivingChanges struct{ *Memory }

func (f forgivingChanges) Changes(ctx context.Context, params daybook.ChangesParams) iter.Seq2[daybook.Change, error] {
	if f.lock(ctx) == nil {
		if !params.After.IsZero() && params.Validate() == nil {
			params.After = f.cursor(min(params.After.Sequence, f.sequence))
		}
		f.mu.Unlock()
	}
	return f.Memory.Changes(ctx, params)
}

// forkedAtOnce shares no value with any cursor that it does not know.
type forkedAtOnce struct{ *Memory }

func (f forkedAtOnce) Changes(ctx context.Context, params daybook.ChangesParams) iter.Seq2[daybook.Change, error] {
	return func(yield func(daybook.Change, error) bool) {
		for change, err := range f.Memory.Changes(ctx, params) {
			if forked := (*daybook.ForkedError)(nil); errors.As(err, &forked) {
				err = &daybook.ForkedError{Current: forked.Current}
			}
			if !yield(change, err) {
				return
			}
		}
	}
}

// lateDurable yields with Durable only the values after the first.
type lateDurable struct{ *Memory }

func (l lateDurable) Changes(ctx context.Context, params daybook.ChangesParams) iter.Seq2[daybook.Change, error] {
	if params.Durable && params.After.IsZero() && params.Validate() == nil {
		params.After = l.cursor(1)
	}
	return l.Memory.Changes(ctx, params)
}
