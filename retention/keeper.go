// SPDX-License-Identifier: Apache-2.0

package retention

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/daybook-db/daybook"
)

// DefaultInterval is how often a Keeper sweeps unless it is told otherwise, as in AimDB's persistence layer.
const DefaultInterval = 24 * time.Hour

// Keeper sweeps a backend. Its fields must not be changed while it runs.
type Keeper struct {
	// Backend is what is swept. Required.
	Backend daybook.Backend
	// Policy is what is applied.
	Policy Policy
	// Interval is the time between sweeps. Default: 24 h; negative: ErrInvalidParams.
	Interval time.Duration
	// Logger is told of each sweep, at debug level, and of each that failed, at error level. Default:
	// slog.Default().
	Logger *slog.Logger
}

// Run sweeps at once, and then every Interval until ctx ends, when it returns nil. A sweep that fails is
// logged, and the next one tries again. It returns an error only for a Keeper that cannot work:
// daybook.ErrNotConfigured without a backend, daybook.ErrInvalidParams for an impossible policy or
// interval.
func (k *Keeper) Run(ctx context.Context) error {
	if k.Backend == nil {
		return daybook.ErrNotConfigured
	}
	if err := k.Policy.Validate(); err != nil {
		return err
	}
	if k.Interval < 0 {
		return fmt.Errorf("%w: Interval is %v; want 0 (every 24 h) or more", daybook.ErrInvalidParams, k.Interval)
	}
	interval := k.Interval
	if interval == 0 {
		interval = DefaultInterval
	}
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for ctx.Err() == nil {
		k.sweep(ctx)
		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
	}
	return nil
}

func (k *Keeper) sweep(ctx context.Context) {
	logger := k.Logger
	if logger == nil {
		logger = slog.Default()
	}
	start := time.Now()
	deleted, err := k.Policy.Apply(ctx, k.Backend, start)
	switch {
	case ctx.Err() != nil: // stopped in the middle of it, which is no failure
	case err != nil:
		logger.ErrorContext(ctx, "daybook: a retention sweep failed; the next one will try again",
			"deleted", deleted, "error", err)
	default:
		logger.DebugContext(ctx, "daybook: swept", "deleted", deleted, "took", time.Since(start))
	}
}
