// SPDX-License-Identifier: Apache-2.0

// Package retention bounds how much history a backend keeps: a [Policy] says how long, and a [Keeper]
// applies it, at once and then at an interval, for as long as its context lasts.
//
//	keeper := retention.Keeper{Backend: db, Policy: retention.Policy{MaxAge: 7 * 24 * time.Hour}}
//	go keeper.Run(ctx)
//
// It works with any daybook.Backend, and knows no engine. What a sweep deletes is gone for good; a sweep
// that was interrupted has deleted a part, and the next one finishes the work.
//
// The age of a value is the keeper's clock minus the timestamp it was stored with. On a device whose clock
// is wrong, so are ages: a clock that runs ahead makes everything look old.
package retention

import (
	"context"
	"fmt"
	"time"

	"github.com/daybook-db/daybook"
)

// Policy says what is kept. The zero value keeps everything.
type Policy struct {
	// MaxAge is how long a value is kept, by the timestamp it was stored with. 0: for ever; negative:
	// ErrInvalidParams. It is rounded down to milliseconds.
	MaxAge time.Duration
}

// Validate returns an error that matches daybook.ErrInvalidParams when the policy is impossible.
func (p Policy) Validate() error {
	if p.MaxAge < 0 {
		return fmt.Errorf("%w: MaxAge is %v; want 0 (keep for ever) or more", daybook.ErrInvalidParams, p.MaxAge)
	}
	return nil
}

// Apply deletes from backend what the policy does not keep at the time now, and returns how many values
// that were.
// Errors: daybook.ErrNotConfigured for a nil backend, ErrInvalidParams, and those of Backend.Cleanup.
func (p Policy) Apply(ctx context.Context, backend daybook.Backend, now time.Time) (deleted uint64, err error) {
	if backend == nil {
		return 0, daybook.ErrNotConfigured
	}
	if err := p.Validate(); err != nil {
		return 0, err
	}
	cutoff := now.Add(-p.MaxAge).UnixMilli()
	if p.MaxAge == 0 || cutoff <= 0 {
		return 0, nil // nothing is older than the epoch
	}
	return backend.Cleanup(ctx, uint64(cutoff))
}
