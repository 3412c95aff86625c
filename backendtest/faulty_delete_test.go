// SPDX-License-Identifier: Apache-2.0

package backendtest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/daybook-db/daybook"
)

// Faults of deleting.

// faultyCleanup does Memory.Cleanup wrongly.
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

// countByRecord returns how many records it deleted from.
func countByRecord(ctx context.Context, m *Memory, olderThan uint64) (uint64, error) {
	deleted, err := m.Cleanup(ctx, olderThan)
	return min(deleted, 1), err
}

// cleanUpTo deletes what is stored at olderThan too.
func cleanUpTo(ctx context.Context, m *Memory, olderThan uint64) (uint64, error) {
	return m.Cleanup(ctx, max(olderThan, olderThan+1))
}

// countFirst counts, and then deletes.
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

// writeBack reads what stays, and puts it in the place of what is there by then.
func writeBack(ctx context.Context, m *Memory, olderThan uint64) (deleted uint64, err error) {
	if err := m.lock(ctx); err != nil {
		return 0, err
	}
	before := len(m.stored)
	stay := slices.DeleteFunc(slices.Clone(m.stored), func(e daybook.Change) bool { return e.StoredAt < olderThan })
	m.mu.Unlock()
	letOthersIn(m)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stored = stay
	return uint64(before - len(stay)), nil
}

// forgetInterrupted deletes record by record, and when it is interrupted has counted nothing.
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

// floored refuses what is older than a cleanup was.
type floored struct {
	*Memory
	floor uint64
}

func (f *floored) Cleanup(ctx context.Context, olderThan uint64) (uint64, error) {
	deleted, err := f.Memory.Cleanup(ctx, olderThan)
	if deleted > 0 {
		f.floor = max(f.floor, olderThan)
	}
	return deleted, err
}

func (f *floored) Store(ctx context.Context, recordName string, value json.RawMessage, timestamp uint64) error {
	if timestamp < f.floor {
		return fmt.Errorf("%w: %d has been cleaned up", daybook.ErrTimestampRange, timestamp)
	}
	return f.Memory.Store(ctx, recordName, value, timestamp)
}

// faultyPrune prunes with other parameters than it is given.
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

func spareNothing(_ *string, params *daybook.PruneParams) {
	if params.Validate() == nil {
		params.KeepNewest = 0
	}
}

func anySize(_ *string, params *daybook.PruneParams) { params.MaxBytes = 0 }

func sizeBelow(_ *string, params *daybook.PruneParams) { params.MaxBytes = max(params.MaxBytes, 1) - 1 }

func exceptNothing(_ *string, params *daybook.PruneParams) { params.Except = nil }

// exceptAsGlob reads every pattern of Except as a glob.
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

func takeImpossible(_ *string, params *daybook.PruneParams) {
	params.MaxPerRecord, params.KeepNewest = max(params.MaxPerRecord, 0), max(params.KeepNewest, 0)
}
