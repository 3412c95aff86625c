// SPDX-License-Identifier: Apache-2.0

package daybook

import (
	"context"
	"fmt"
)

// PruneParams says what Prune deletes: first by time (NewerThan, OlderThan), then by number
// (MaxPerRecord), then by size (MaxBytes). Each step applies to the values that remain after the
// step before it. A limit of zero deletes nothing.
type PruneParams struct {
	// Syntax is the syntax of the record pattern. Default: Glob.
	Syntax PatternSyntax
	// NewerThan deletes the values with StoredAt > NewerThan (Unix ms), such as those that a wrong
	// clock has given a time in the future. Together with OlderThan it deletes only the values
	// between both: NewerThan < StoredAt < OlderThan. No timestamp between them: ErrInvalidParams.
	// 0: nothing is deleted for being too new.
	NewerThan uint64
	// OlderThan deletes the values with StoredAt < OlderThan (Unix ms). 0: nothing is deleted by
	// age.
	OlderThan uint64
	// StoredThrough spares from OlderThan the values that were stored after this place. It needs
	// OlderThan, without NewerThan, MaxPerRecord and MaxBytes: ErrInvalidParams otherwise. It needs
	// a backend that is a ChangeSource. A cursor that is no place in its history: a *ForkedError.
	// The zero Cursor is the beginning, so it spares all; nil: none is spared.
	StoredThrough *Cursor
	// MaxPerRecord deletes all but the newest MaxPerRecord values of each record. 0: no limit;
	// negative: ErrInvalidParams.
	MaxPerRecord int
	// MaxBytes deletes the oldest values of all matching records together, until the rest holds at
	// most MaxBytes bytes of JSON. Of values with equal timestamps, the first inserted are deleted
	// first. 0: no limit.
	MaxBytes uint64
	// KeepNewest spares the newest KeepNewest values of each record from OlderThan and MaxBytes.
	// The rest may then hold more than MaxBytes. It spares nothing from NewerThan, and counts only
	// the values that NewerThan leaves. 0: spares none; negative, or more than a positive
	// MaxPerRecord: ErrInvalidParams.
	KeepNewest int
	// Except spares the records that match one of these patterns. A malformed pattern:
	// ErrInvalidPattern.
	Except []Pattern
}

// Validate returns an error that matches ErrInvalidParams if a field has a value that its comment
// excludes. It does not look at the texts of patterns.
func (p PruneParams) Validate() error {
	if p.MaxPerRecord < 0 {
		return fmt.Errorf("%w: got MaxPerRecord %d; want 0 (no limit) or more", ErrInvalidParams, p.MaxPerRecord)
	}
	if p.KeepNewest < 0 {
		return fmt.Errorf("%w: got KeepNewest %d; want 0 or more", ErrInvalidParams, p.KeepNewest)
	}
	if p.MaxPerRecord > 0 && p.KeepNewest > p.MaxPerRecord {
		return fmt.Errorf("%w: got KeepNewest %d; want at most MaxPerRecord, %d",
			ErrInvalidParams, p.KeepNewest, p.MaxPerRecord)
	}
	if p.NewerThan > 0 && p.OlderThan > 0 && p.OlderThan-min(p.OlderThan, p.NewerThan) <= 1 {
		return fmt.Errorf("%w: got NewerThan %d and OlderThan %d; want a timestamp between them",
			ErrInvalidParams, p.NewerThan, p.OlderThan)
	}
	if err := p.validateStoredThrough(); err != nil {
		return err
	}
	for i, except := range p.Except {
		if err := except.Syntax.Validate(); err != nil {
			return fmt.Errorf("in Except[%d]: %w", i, err)
		}
	}
	return p.Syntax.Validate()
}

func (p PruneParams) validateStoredThrough() error {
	if p.StoredThrough == nil {
		return nil
	}
	if p.OlderThan == 0 || p.NewerThan > 0 || p.MaxPerRecord > 0 || p.MaxBytes > 0 {
		return fmt.Errorf("%w: got StoredThrough with NewerThan, MaxPerRecord or MaxBytes, or without OlderThan; "+
			"want it with OlderThan alone", ErrInvalidParams)
	}
	return p.StoredThrough.validate()
}

// Pruner is a Backend that deletes by pattern, by time, by count and by size.
type Pruner interface {
	// Prune deletes values of the records whose names match recordPattern, except those that
	// params.Except or a Hold spares. It returns the exact number of values that it deleted. A held
	// value counts among the newest of its record, and for MaxBytes. An interruption
	// has the same effect as in Backend.Cleanup.
	//
	// Errors: those of Backend.Cleanup, ErrInvalidPattern, ErrInvalidParams and a *ForkedError.
	// After these three nothing was deleted.
	Prune(ctx context.Context, recordPattern string, params PruneParams) (deleted uint64, err error)
}
