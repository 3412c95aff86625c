// SPDX-License-Identifier: Apache-2.0

package backendtest

import (
	"context"
	"slices"

	"github.com/daybook-db/daybook"
)

// Cleanup implements daybook.Backend.
func (m *Memory) Cleanup(ctx context.Context, olderThan uint64) (deleted uint64, err error) {
	return m.Prune(ctx, "*", daybook.PruneParams{OlderThan: olderThan})
}

// Prune implements daybook.Pruner.
func (m *Memory) Prune(
	ctx context.Context, recordPattern string, params daybook.PruneParams,
) (deleted uint64, err error) {
	if err := m.lock(ctx); err != nil {
		return 0, err
	}
	defer m.mu.Unlock()
	if err := params.Validate(); err != nil {
		return 0, err
	}
	matches, err := compileExcept(recordPattern, params)
	through := params.StoredThrough
	if err == nil && through != nil {
		err = m.resolveLocked(*through)
	}
	if err != nil {
		return 0, err
	}
	matches = memoized(whileRunning(ctx, matches))
	before := len(m.stored)
	if params.NewerThan > 0 {
		m.deleteLocked(ctx, matches, isBetween(params), 0, 0)
		params.OlderThan = 0 // it was only the end of the span
	}
	isOld := func(c daybook.Change) bool {
		return c.StoredAt < params.OlderThan && (through == nil || c.Cursor.Sequence <= through.Sequence)
	}
	m.deleteLocked(ctx, matches, isOld, params.KeepNewest, params.MaxPerRecord)
	if params.MaxBytes > 0 {
		beyond := m.beyondLocked(matches, params.MaxBytes)
		isBeyond := func(c daybook.Change) bool { return beyond[c.Cursor.Sequence] }
		m.deleteLocked(ctx, matches, isBeyond, params.KeepNewest, 0)
	}
	deleted = uint64(before - len(m.stored))
	m.deleted += deleted
	return deleted, ctx.Err()
}

// isBetween returns a function that reports whether a value is newer than NewerThan, and older than
// OlderThan unless that is 0.
func isBetween(params daybook.PruneParams) func(daybook.Change) bool {
	return func(c daybook.Change) bool {
		return c.StoredAt > params.NewerThan && (params.OlderThan == 0 || c.StoredAt < params.OlderThan)
	}
}

// compileExcept returns a function that reports whether Prune may delete from a record.
func compileExcept(recordPattern string, params daybook.PruneParams) (func(name string) bool, error) {
	matches, err := compile(recordPattern, params.Syntax)
	if err != nil {
		return nil, err
	}
	spares := make([]func(name string) bool, len(params.Except))
	for i, except := range params.Except {
		if spares[i], err = compile(except.Text, except.Syntax); err != nil {
			return nil, err
		}
	}
	return func(name string) bool {
		isSpared := slices.ContainsFunc(spares, func(spare func(string) bool) bool { return spare(name) })
		return matches(name) && !isSpared
	}, nil
}

// deleteLocked deletes expired values, except the newest keepNewest of each record. It also deletes
// all but the newest maxPerRecord values of each record, unless that is 0. It spares what is held.
// When ctx ends meanwhile, it deletes nothing.
func (m *Memory) deleteLocked(
	ctx context.Context, matches func(name string) bool, isExpired func(daybook.Change) bool,
	keepNewest, maxPerRecord int,
) {
	held, doomed, newer := m.heldLocked(ctx), map[uint64]bool{}, map[string]int{}
	for _, c := range m.selectLocked(matches, daybook.QueryParams{}) { // newest first
		expired := isExpired(c) && newer[c.RecordName] >= keepNewest
		tooMany := maxPerRecord > 0 && newer[c.RecordName] >= maxPerRecord
		doomed[c.Cursor.Sequence] = (expired || tooMany) && !held[c.Cursor.Sequence]
		newer[c.RecordName]++
	}
	lost := m.lostLocked(ctx, doomed)
	if ctx.Err() != nil { // what is known of the values and the holds may be a part
		return
	}
	m.stored = slices.DeleteFunc(m.stored, func(c daybook.Change) bool { return doomed[c.Cursor.Sequence] })
	for h, values := range lost {
		h.lost += values
	}
}

// beyondLocked returns the sequence numbers of the oldest values, without which the rest holds at
// most maxBytes.
func (m *Memory) beyondLocked(matches func(name string) bool, maxBytes uint64) map[uint64]bool {
	selected := m.selectLocked(matches, daybook.QueryParams{})
	slices.SortFunc(selected, func(a, b daybook.Change) int { return compareTimes(b, a) }) // newest first
	beyond, size := map[uint64]bool{}, uint64(0)
	for _, c := range selected {
		size += uint64(len(c.Value))
		beyond[c.Cursor.Sequence] = size > maxBytes
	}
	return beyond
}
