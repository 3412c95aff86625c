// SPDX-License-Identifier: Apache-2.0

package backendtest

import (
	"context"
	"errors"
	"math"

	"github.com/daybook-db/daybook"
)

// Mistakes of Stats, Check, Compact and Checkpoint. Memory has only the first of these.

// faultyStats changes the result of Stats.
type faultyStats struct {
	*Memory
	change func(m *Memory, stats *daybook.Stats)
}

func (f faultyStats) Stats(ctx context.Context) (daybook.Stats, error) {
	stats, err := f.Memory.Stats(ctx)
	if err == nil {
		f.change(f.Memory, &stats)
	}
	return stats, err
}

func onStats(change func(m *Memory, stats *daybook.Stats)) func(*Memory) daybook.Backend {
	return func(m *Memory) daybook.Backend { return faultyStats{m, change} }
}

func countInserted(m *Memory, stats *daybook.Stats) { stats.Values = m.sequence }

func countValuesAsRecords(_ *Memory, stats *daybook.Stats) { stats.Records = stats.Values }

func countLastDeletion(_ *Memory, stats *daybook.Stats) {
	stats.ValuesDeleted = min(stats.ValuesDeleted, 2)
}

func blameItself(_ *Memory, stats *daybook.Stats) {
	f := &stats.StoreFailures
	f.Invalid, f.Other = 0, f.Invalid
}

func forgetHolds(_ *Memory, stats *daybook.Stats) { stats.Holds = nil }

func countNoPending(_ *Memory, stats *daybook.Stats) {
	for i := range stats.Holds {
		stats.Holds[i].Pending = 0
	}
}

// sharedStats has failed once, and returns its own note of that.
type sharedStats struct {
	*Memory
	last *daybook.Failure
}

func (f sharedStats) Stats(ctx context.Context) (daybook.Stats, error) {
	stats, err := f.Memory.Stats(ctx)
	stats.CheckpointFailure = f.last
	return stats, err
}

func lastRemaining(m *Memory, stats *daybook.Stats) {
	stats.LastCursor = daybook.Cursor{}
	if len(m.stored) > 0 {
		stats.LastCursor = m.stored[len(m.stored)-1].Cursor
	}
	stats.LastSequence = stats.LastCursor.Sequence
}

// lossyCompact deletes all but the newest value of each record.
type lossyCompact struct{ *Memory }

func (l lossyCompact) Compact(ctx context.Context) error {
	_, err := l.Prune(ctx, "*", daybook.PruneParams{MaxPerRecord: 1})
	return err
}

// alarmingCheck finds damage in every backend that has values.
type alarmingCheck struct{ *Memory }

func (a alarmingCheck) Check(ctx context.Context) error {
	if values, err := a.Query(ctx, "*", daybook.QueryParams{}); len(values) == 0 || err != nil {
		return err
	}
	return errors.Join(daybook.ErrCorrupt)
}

// deafCheckpoint ignores its context, and whether the backend is closed.
type deafCheckpoint struct{ *Memory }

func (deafCheckpoint) Checkpoint(context.Context) error { return nil }

// cleaningCheckpoint deletes a value that it should move.
type cleaningCheckpoint struct{ *Memory }

func (c cleaningCheckpoint) Checkpoint(ctx context.Context) error {
	_, err := c.Cleanup(ctx, math.MaxUint64)
	return err
}
