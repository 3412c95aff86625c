// SPDX-License-Identifier: Apache-2.0

package retention

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/daybook-db/daybook"
)

// DefaultInterval is how often a Keeper sweeps unless it is told otherwise, as in AimDB's persistence layer.
const DefaultInterval = 24 * time.Hour

// ErrClock is what a sweep ends with that deleted nothing by age, since the clock cannot be believed.
var ErrClock = errors.New("nothing was deleted by age, since the clock cannot be believed")

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
	// Logger is told of each sweep, also of one that was stopped in the middle: at info level if it deleted values, and
	// otherwise at debug level; of each that does not believe the clock, as a warning, and of each that failed, at error
	// level. Default: slog.Default().
	Logger *slog.Logger
}

// Run sweeps at once, and then every Interval until ctx ends, when it returns nil. A sweep that fails is
// logged, and the next one tries again. It returns an error only for a Keeper that cannot work, or cannot any more:
// daybook.ErrNotConfigured without a backend, ErrInvalidParams or ErrInvalidPattern for an impossible policy or
// interval, errors.ErrUnsupported for rules or MaxBytes with a backend that is no daybook.Pruner, and ErrReadOnly, ErrClosed
// and ErrFailed of a backend, which stays like that.
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
// then. For a clock that is behind what was stored, the error is ErrClock; what goes by count or by size is gone then.
// Errors: ErrClock, and those of Run and of Policy.Apply.
func (k *Keeper) Sweep(ctx context.Context) (deleted uint64, err error) {
	if err := k.Policy.suits(k.Backend); err != nil {
		return 0, err
	}
	return k.apply(ctx, k.newClock())
}

func (k *Keeper) run(ctx context.Context, interval time.Duration, c *clock) error {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for ctx.Err() == nil {
		if err := k.sweep(ctx, c); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
	}
	return nil
}

// sweep sweeps once and logs it. It returns an error only if the next sweep would not go better.
func (k *Keeper) sweep(ctx context.Context, c *clock) error {
	logger, start := cmp.Or(k.Logger, slog.Default()), time.Now()
	deleted, err := k.apply(ctx, c)
	level := slog.LevelDebug
	if deleted > 0 {
		level = slog.LevelInfo
	}
	switch {
	case err != nil && ctx.Err() != nil: // which is no failure
		logger.Log(ctx, level, "daybook: a retention sweep was stopped before its end", "deleted", deleted, "took", time.Since(start))
	case errors.Is(err, daybook.ErrClosed):
		return err
	case errors.Is(err, daybook.ErrReadOnly) || errors.Is(err, daybook.ErrFailed):
		logger.ErrorContext(ctx, "daybook: a retention sweep failed, and there will be no more of them", "deleted", deleted, "error", err)
		return err
	case errors.Is(err, ErrClock):
		err = fmt.Errorf("%w; it is believed once it has gone on for %s without a jump", err, c.settle)
		logger.WarnContext(ctx, "daybook: a retention sweep did not delete by age", "deleted", deleted, "error", err)
	case err != nil:
		logger.ErrorContext(ctx, "daybook: a retention sweep failed; the next one will try again",
			"deleted", deleted, "error", err)
	default:
		logger.Log(ctx, level, "daybook: swept", "deleted", deleted, "took", time.Since(start))
	}
	return nil
}

func (k *Keeper) apply(ctx context.Context, c *clock) (deleted uint64, err error) {
	var now time.Time
	var doubted error
	if k.Policy.byAge() {
		var doubt string
		if now, doubt, err = c.now(ctx, k.Backend); err != nil {
			return 0, err
		}
		if doubt != "" {
			doubted = fmt.Errorf("%w: at %s %s", ErrClock, now.Format(time.RFC3339), doubt)
			now = time.Time{}
		}
	}
	if deleted, err = k.Policy.Apply(ctx, k.Backend, now); err == nil {
		err = doubted
	}
	return deleted, err
}
