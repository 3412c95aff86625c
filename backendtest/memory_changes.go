// SPDX-License-Identifier: Apache-2.0

package backendtest

import (
	"bytes"
	"context"
	"iter"

	"github.com/daybook-db/daybook"
)

// Changes implements daybook.ChangeSource. It copies all changes when the loop begins.
func (m *Memory) Changes(ctx context.Context, params daybook.ChangesParams) iter.Seq2[daybook.Change, error] {
	return func(yield func(daybook.Change, error) bool) {
		changes, err := m.changesAfter(ctx, params)
		yieldAll(ctx, changes, err, yield)
	}
}

// changesAfter returns the changes that params ask for, and the place that they reach.
func (m *Memory) changesAfter(
	ctx context.Context, params daybook.ChangesParams,
) (changes []daybook.Change, err error) {
	if err := m.lock(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	if err := params.Validate(); err != nil {
		return nil, err
	}
	matches, err := compileOrAll(params.Pattern)
	if err == nil {
		err = m.resolveLocked(params.After)
	}
	if err != nil {
		return nil, err
	}
	matches = memoized(whileRunning(ctx, matches))
	for _, c := range m.stored {
		if c.Cursor.Sequence > params.After.Sequence && matches(c.RecordName) {
			c.Value = bytes.Clone(c.Value)
			changes = append(changes, c)
		}
	}
	return append(changes, daybook.Change{Cursor: m.cursor(m.sequence)}), ctx.Err()
}

// cursor returns the place of the value with a number.
func (m *Memory) cursor(sequence uint64) daybook.Cursor {
	if sequence == 0 {
		return daybook.Cursor{}
	}
	return daybook.Cursor{Epoch: m.epoch, Sequence: sequence}
}

// resolveLocked returns a *daybook.ForkedError if a cursor is no place in the history.
func (m *Memory) resolveLocked(c daybook.Cursor) error {
	forked := &daybook.ForkedError{Current: m.cursor(m.sequence)}
	switch {
	case c.IsZero() || c.Epoch == m.epoch && c.Sequence <= m.sequence:
		return nil
	case c.Epoch == m.epoch:
		forked.Common = forked.Current
	}
	return forked
}
