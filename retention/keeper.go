// SPDX-License-Identifier: Apache-2.0

package retention

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/daybook-db/daybook"
)

// DefaultInterval is how often a Keeper sweeps unless it is told otherwise, as in AimDB's persistence layer.
const DefaultInterval = 24 * time.Hour

// DefaultMaxJump is how far the clock may jump ahead between two sweeps unless a Keeper is told otherwise.
const DefaultMaxJump = 24 * time.Hour

// Keeper sweeps a backend. Its fields must not be changed while it runs.
//
// A sweep deletes nothing by age, and logs why, while the clock is earlier than the newest values of most records (where
// the backend is a daybook.RecordLister; single values from the future do not stop it), or after it jumped ahead by more
// than MaxJump. What goes by count goes all the same.
type Keeper struct {
	// Backend is what is swept. Required.
	Backend daybook.Backend
	// Policy is what is applied.
	Policy Policy
	// Interval is the time between sweeps. Default: 24 h; negative: ErrInvalidParams.
	Interval time.Duration
	// MaxJump is by how much more the clock may be ahead than time has passed since the last sweep. A clock that is not
	// believed is so again when it has been set right, or has gone on for as long as MaxJump without a jump. Some systems'
	// steady clock, Linux's among them, stands still while the machine sleeps, which looks like a jump: a device that
	// sleeps for longer than MaxJump, again and again, needs more of it. Default: 24 h; negative: any jump is believed.
	MaxJump time.Duration
	// Logger is told of each sweep, at debug level, of each that does not believe the clock, as a warning, and of each that
	// failed, at error level. Default:
	// slog.Default().
	Logger *slog.Logger
}

// Run sweeps at once, and then every Interval until ctx ends, when it returns nil. A sweep that fails is
// logged, and the next one tries again. It returns an error only for a Keeper that cannot work:
// daybook.ErrNotConfigured without a backend, daybook.ErrInvalidParams for an impossible policy or
// interval, errors.ErrUnsupported for rules or MaxBytes with a backend that is no daybook.Pruner.
func (k *Keeper) Run(ctx context.Context) error {
	if err := k.Policy.suits(k.Backend); err != nil {
		return err
	}
	if k.Interval < 0 {
		return fmt.Errorf("%w: Interval is %v; want 0 (every 24 h) or more", daybook.ErrInvalidParams, k.Interval)
	}
	return k.run(ctx, cmp.Or(k.Interval, DefaultInterval), k.newClock())
}

func (k *Keeper) newClock() *clock { return newClock(cmp.Or(k.MaxJump, DefaultMaxJump)) }

// Sweep sweeps once, and returns how many values that deleted. It knows of no sweep before, so of no jump of the clock since
// then. A clock that is behind what was stored is logged, and no error.
// Errors: those of Run and of Policy.Apply.
func (k *Keeper) Sweep(ctx context.Context) (deleted uint64, err error) {
	if err := k.Policy.suits(k.Backend); err != nil {
		return 0, err
	}
	return k.apply(ctx, k.newClock(), k.logger())
}

func (k *Keeper) run(ctx context.Context, interval time.Duration, c *clock) error {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for ctx.Err() == nil {
		k.sweep(ctx, c)
		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
	}
	return nil
}

func (k *Keeper) sweep(ctx context.Context, c *clock) {
	logger, start := k.logger(), time.Now()
	deleted, err := k.apply(ctx, c, logger)
	switch {
	case ctx.Err() != nil: // stopped in the middle of it, which is no failure
	case err != nil:
		logger.ErrorContext(ctx, "daybook: a retention sweep failed; the next one will try again",
			"deleted", deleted, "error", err)
	default:
		logger.DebugContext(ctx, "daybook: swept", "deleted", deleted, "took", time.Since(start))
	}
}

func (k *Keeper) logger() *slog.Logger { return cmp.Or(k.Logger, slog.Default()) }

func (k *Keeper) apply(ctx context.Context, c *clock, logger *slog.Logger) (deleted uint64, err error) {
	var now time.Time
	if k.Policy.byAge() {
		var doubt string
		if now, doubt, err = c.now(ctx, k.Backend); err != nil {
			return 0, err
		}
		if doubt != "" {
			logger.WarnContext(ctx, "daybook: a retention sweep deletes nothing by age, since the clock cannot be believed",
				"clock", now, "why", doubt)
			now = time.Time{}
		}
	}
	return k.Policy.Apply(ctx, k.Backend, now)
}
