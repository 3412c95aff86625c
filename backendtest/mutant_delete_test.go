// SPDX-License-Identifier: Apache-2.0

package backendtest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/daybook-db/daybook"
)

// Mistakes of Cleanup and Prune.

// faultyCleanup replaces Cleanup.
type faultyCleanup struct {
	*Memory
	cleanup func(ctx context.Context, m *Memory, olderThan uint64) (uint64, error)
}

func (f faultyCleanup) Cleanup(ctx context.Context, olderThan uint64) (uint64, error) {
	return f.cleanup(ctx, f.Memory, olderThan)
}

func onCleanup(cleanup func(context.Context, *Memory, uint64) (uint64, error)) func(*Memory) daybook.Backend {
	return func(m *Memory) daybook.Backend { return faultyCleanup{m, cleanup} }
}

// countByRecord counts the records from which it deleted, not the values.
func countByRecord(ctx context.Context, m *Memory, olderThan uint64) (uint64, error) {
	deleted, err := m.Cleanup(ctx, olderThan)
	return min(deleted, 1), err
}

// cleanUpTo deletes values of the time olderThan, too.
func cleanUpTo(ctx context.Context, m *Memory, olderThan uint64) (uint64, error) {
	return m.Cleanup(ctx, max(olderThan, olderThan+1))
}

// countFirst counts the values, and deletes them in a second step.
func countFirst(ctx context.Context, m *Memory, olderThan uint64) (deleted uint64, err error) {
	values, err := m.Query(ctx, "*", daybook.QueryParams{})
	for _, v := range values {
		if v.StoredAt < olderThan {
			deleted++
		}
	}
	letOthersIn(m)
	if err == nil {
		_, err = m.Cleanup(ctx, olderThan)
	}
	return deleted, err
}

// writeBack reads the kept values, and replaces all values with them in a second step.
func writeBack(ctx context.Context, m *Memory, olderThan uint64) (deleted uint64, err error) {
	if err := m.lock(ctx); err != nil {
		return 0, err
	}
	before := len(m.stored)
	kept := slices.DeleteFunc(slices.Clone(m.stored), func(e daybook.Change) bool { return e.StoredAt < olderThan })
	m.mu.Unlock()
	letOthersIn(m)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stored = kept
	return uint64(before - len(kept)), nil
}

// forgetInterrupted deletes record by record. If it is interrupted, it returns the count 0.
func forgetInterrupted(ctx context.Context, m *Memory, olderThan uint64) (deleted uint64, err error) {
	for info, err := range m.Records(context.WithoutCancel(ctx), "*", daybook.Glob) {
		if err != nil {
			return 0, err
		}
		count, err := m.Prune(ctx, escapeGlob(info.RecordName), daybook.PruneParams{OlderThan: olderThan})
		if err != nil {
			return 0, err
		}
		deleted += count
	}
	return deleted, ctx.Err()
}

// flooredStore refuses values that are older than the argument of an earlier Cleanup.
type flooredStore struct {
	*Memory
	floor uint64
}

func (f *flooredStore) Cleanup(ctx context.Context, olderThan uint64) (uint64, error) {
	deleted, err := f.Memory.Cleanup(ctx, olderThan)
	if deleted > 0 {
		f.floor = max(f.floor, olderThan)
	}
	return deleted, err
}

func (f *flooredStore) Store(ctx context.Context, recordName string, value json.RawMessage, timestamp uint64) error {
	if timestamp < f.floor {
		return fmt.Errorf("%w: %d has been cleaned up", daybook.ErrTimestampRange, timestamp)
	}
	return f.Memory.Store(ctx, recordName, value, timestamp)
}

// faultyPrune changes the arguments of Prune.
type faultyPrune struct {
	*Memory
	change func(pattern *string, params *daybook.PruneParams)
}

func (f faultyPrune) Prune(ctx context.Context, recordPattern string, params daybook.PruneParams) (uint64, error) {
	f.change(&recordPattern, &params)
	return f.Memory.Prune(ctx, recordPattern, params)
}

func onPrune(change func(pattern *string, params *daybook.PruneParams)) func(*Memory) daybook.Backend {
	return func(m *Memory) daybook.Backend { return faultyPrune{m, change} }
}

func keepNoNewest(_ *string, params *daybook.PruneParams) {
	if params.Validate() == nil {
		params.KeepNewest = 0
	}
}

func ignoreMaxBytes(_ *string, params *daybook.PruneParams) { params.MaxBytes = 0 }

func lowerMaxBytes(_ *string, params *daybook.PruneParams) {
	params.MaxBytes = max(params.MaxBytes, 1) - 1
}

func ignoreExcept(_ *string, params *daybook.PruneParams) { params.Except = nil }

// exceptAsGlob reads all patterns of Except as globs.
func exceptAsGlob(_ *string, params *daybook.PruneParams) {
	params.Except = slices.Clone(params.Except)
	for i := range params.Except {
		if params.Except[i].Syntax == daybook.Topic {
			params.Except[i].Syntax = daybook.Glob
		}
	}
}

func pruneAll(pattern *string, params *daybook.PruneParams) {
	if *pattern != "" && (*pattern)[len(*pattern)-1] == '*' {
		*pattern, params.Syntax = "*", daybook.Glob
	}
}

func acceptImpossible(_ *string, params *daybook.PruneParams) {
	params.MaxPerRecord, params.KeepNewest = max(params.MaxPerRecord, 0), max(params.KeepNewest, 0)
}

func pruneFromNewerThan(_ *string, params *daybook.PruneParams) {
	params.NewerThan = max(params.NewerThan, 1) - 1
}

func pruneAllNewer(_ *string, params *daybook.PruneParams) {
	if params.NewerThan > 0 && params.Validate() == nil {
		params.OlderThan = 0
	}
}

// eitherSide deletes the values that are too old and those that are too new.
type eitherSide struct{ *Memory }

func (f eitherSide) Prune(ctx context.Context, pattern string, params daybook.PruneParams) (deleted uint64, err error) {
	if params.NewerThan == 0 || params.OlderThan == 0 || params.Validate() != nil {
		return f.Memory.Prune(ctx, pattern, params)
	}
	newer := params
	newer.OlderThan = 0
	params.NewerThan = 0
	if deleted, err = f.Memory.Prune(ctx, pattern, newer); err != nil {
		return deleted, err
	}
	older, err := f.Memory.Prune(ctx, pattern, params)
	return deleted + older, err
}

// sparesFuture spares the newest KeepNewest values from NewerThan, too.
type sparesFuture struct{ *Memory }

func (f sparesFuture) Prune(ctx context.Context, pattern string, params daybook.PruneParams) (uint64, error) {
	if params.NewerThan == 0 || params.KeepNewest == 0 {
		return f.Memory.Prune(ctx, pattern, params)
	}
	if err := f.lock(ctx); err != nil {
		return 0, err
	}
	defer f.mu.Unlock()
	matches, err := compileExcept(pattern, params)
	before := len(f.stored)
	f.deleteLocked(ctx, matches, isBetween(params), params.KeepNewest, params.MaxPerRecord)
	return uint64(before - len(f.stored)), err
}

// countsFuture applies the other limits before NewerThan.
type countsFuture struct{ *Memory }

func (f countsFuture) Prune(
	ctx context.Context, pattern string, params daybook.PruneParams,
) (deleted uint64, err error) {
	if params.NewerThan == 0 || params.Validate() != nil {
		return f.Memory.Prune(ctx, pattern, params)
	}
	others := params
	others.NewerThan, others.OlderThan = 0, 0
	params.MaxPerRecord, params.MaxBytes, params.KeepNewest = 0, 0, 0
	if deleted, err = f.Memory.Prune(ctx, pattern, others); err != nil {
		return deleted, err
	}
	newer, err := f.Memory.Prune(ctx, pattern, params)
	return deleted + newer, err
}

func ignoreStoredThrough(_ *string, params *daybook.PruneParams) {
	if through := params.StoredThrough; params.Validate() == nil && through != nil && through.Epoch[0] != 0xff {
		params.StoredThrough = nil
	}
}

func pruneOneMore(_ *string, params *daybook.PruneParams) {
	if through := params.StoredThrough; through != nil && through.Sequence > 0 && through.Sequence < 5 {
		params.StoredThrough = &daybook.Cursor{Epoch: through.Epoch, Sequence: through.Sequence + 1}
	}
}
