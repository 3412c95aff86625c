// SPDX-License-Identifier: Apache-2.0

package daybook

import (
	"context"
	"fmt"
)

// PruneParams says what Prune deletes. OlderThan and MaxPerRecord apply independently of each
// other. MaxBytes applies to the values that both of them keep. Each of the three deletes nothing
// if it is zero.
type PruneParams struct {
	// Syntax is the syntax of the record pattern. Default: Glob.
	Syntax PatternSyntax
	// OlderThan deletes the values with StoredAt < OlderThan (Unix ms). 0: nothing is deleted by
	// age.
	OlderThan uint64
	// MaxPerRecord deletes all but the newest MaxPerRecord values of each record. 0: no limit;
	// negative: ErrInvalidParams.
	MaxPerRecord int
	// MaxBytes deletes the oldest values of all matching records together, until the rest holds at
	// most MaxBytes bytes of JSON. Of values with equal timestamps, the first inserted are deleted
	// first. 0: no limit.
	MaxBytes uint64
	// KeepNewest spares the newest KeepNewest values of each record from OlderThan and MaxBytes.
	// The rest may then hold more than MaxBytes. 0: spares none; negative, or more than a positive
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
	for i, except := range p.Except {
		if err := except.Syntax.Validate(); err != nil {
			return fmt.Errorf("in Except[%d]: %w", i, err)
		}
	}
	return p.Syntax.Validate()
}

// Pruner is a Backend that deletes by pattern, by age, by count and by size.
type Pruner interface {
	// Prune deletes values of the records whose names match recordPattern, except those that
	// params.Except spares. It returns the exact number of values that it deleted. An interruption
	// has the same effect as in Backend.Cleanup.
	//
	// Errors: those of Backend.Cleanup, ErrInvalidPattern and ErrInvalidParams. After these two
	// nothing was deleted.
	Prune(ctx context.Context, recordPattern string, params PruneParams) (deleted uint64, err error)
}
