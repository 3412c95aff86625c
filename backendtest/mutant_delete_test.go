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
