// SPDX-License-Identifier: Apache-2.0

package retention

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/daybook-db/daybook"
)

const (
	// DefaultInterval is the default of Keeper.Interval. It is that of AimDB's persistence layer.
	DefaultInterval = 24 * time.Hour
	// DefaultMaxJump is the default of Keeper.MaxJump.
	DefaultMaxJump = 24 * time.Hour
)

// ErrClock is returned by a sweep that deleted nothing by age because it cannot believe the clock.
// The sweep did delete by count and by size.
var ErrClock = errors.New("nothing was deleted by age, because the clock cannot be believed")

// Keeper applies a policy to a backend, in sweeps. Its methods copy the fields when they start.
//
// A keeper does not believe a clock that is earlier than the newest values of most records, or that
// jumped ahead by more than MaxJump after the last sweep. Then a sweep deletes nothing by age, and
// logs why. It still deletes by count and by size. The first check needs a backend that is a
// daybook.RecordLister. A few values from the future do not stop a sweep.
type Keeper struct {
	// Backend is the backend that is swept. Required; nil: daybook.ErrNotConfigured.
	Backend daybook.Backend
	// Policy is the policy that is applied. The zero policy deletes nothing.
	Policy Policy
	// Interval is the time from the start of one sweep to the start of the next. 0: 24 h; negative:
	// ErrInvalidParams.
	Interval time.Duration
	// MaxJump is how far the wall clock may jump ahead between two sweeps, as the steady clock
	// measures it. A clock that ran for MaxJump without a jump is believed again. A device that
	// often sleeps for longer than MaxJump needs a greater one. 0: 24 h; negative: no jump is
	// doubted, and a clock that is too early is believed after 24 h without a jump.
	MaxJump time.Duration
	// Logger gets one log line for each sweep: at info level if it deleted values, at debug level
	// if not, as a warning if it does not believe the clock, and as an error if it failed. nil:
	// slog.Default().
	Logger *slog.Logger
}

// Run sweeps at once, and then every Interval. It returns nil when ctx ends. A failed sweep is
// logged, and the next one tries again.
//
// Errors, for a keeper that cannot work: daybook.ErrNotConfigured without a backend,
// ErrInvalidParams or ErrInvalidPattern for an invalid policy or interval, and
// errors.ErrUnsupported for rules or MaxBytes with a backend that is no daybook.Pruner. Errors of
// the backend that end a running keeper, because all later sweeps would meet them, too:
// ErrReadOnly, ErrClosed, and ErrFailed. The embedded engine returns ErrFailed to a keeper only
// after its tree could not be written. After a failed sync of its log, a keeper goes on deleting.
func (k *Keeper) Run(ctx context.Context) error {
	keeper, err := k.withDefaults()
	if err != nil {
		return err
	}
	return keeper.sweepRepeatedly(ctx, newClock(keeper.MaxJump))
}

// Sweep sweeps once, and returns the number of values that it deleted. It does not notice a jump of
// the clock, because it knows no earlier sweep.
//
// Errors: ErrClock if the clock is earlier than the stored values, and those of Run and of
// Policy.Apply.
func (k *Keeper) Sweep(ctx context.Context) (deleted uint64, err error) {
	keeper, err := k.withDefaults()
	if err != nil {
		return 0, err
	}
	return keeper.sweep(ctx, newClock(keeper.MaxJump))
}

// withDefaults returns a copy of a keeper that can work, with defaults for the fields that are
// zero.
func (k *Keeper) withDefaults() (*Keeper, error) {
	if err := k.Policy.validateFor(k.Backend); err != nil {
		return nil, err
	}
	if k.Interval < 0 {
		return nil, fmt.Errorf("%w: got Interval %v; want 0 (every 24 h) or more", daybook.ErrInvalidParams, k.Interval)
	}
	keeper := *k
	keeper.Policy.Rules = slices.Clone(k.Policy.Rules)
	keeper.Interval = cmp.Or(k.Interval, DefaultInterval)
	keeper.MaxJump = cmp.Or(k.MaxJump, DefaultMaxJump)
	keeper.Logger = cmp.Or(k.Logger, slog.Default())
	return &keeper, nil
}

func (k *Keeper) sweepRepeatedly(ctx context.Context, c *clock) error {
	ticker := time.NewTicker(k.Interval)
	defer ticker.Stop()
	for ctx.Err() == nil {
		if err := k.sweepAndLog(ctx, c); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
	}
	return nil
}

// sweepAndLog returns an error only if the next sweep would fail as well.
func (k *Keeper) sweepAndLog(ctx context.Context, c *clock) error {
	start := time.Now()
	deleted, err := k.sweep(ctx, c)
	level := slog.LevelDebug
	if deleted > 0 {
		level = slog.LevelInfo
	}
	switch {
	case err != nil && ctx.Err() != nil: // an interruption is no failure
		k.Logger.Log(ctx, level, "daybook: a retention sweep was stopped before its end",
			"deleted", deleted, "took", time.Since(start))
	case errors.Is(err, daybook.ErrClosed):
		return err
	case errors.Is(err, daybook.ErrReadOnly) || errors.Is(err, daybook.ErrFailed):
		k.Logger.ErrorContext(ctx, "daybook: a retention sweep failed, and there will be no more of them",
			"deleted", deleted, "error", err)
		return err
	case errors.Is(err, ErrClock):
		err = fmt.Errorf("%w; the clock is believed when it has run for %s without a jump", err, c.settleTime)
		k.Logger.WarnContext(ctx, "daybook: a retention sweep did not delete by age", "deleted", deleted, "error", err)
	case err != nil:
		k.Logger.ErrorContext(ctx, "daybook: a retention sweep failed; the next one will try again",
			"deleted", deleted, "error", err)
	default:
		k.Logger.Log(ctx, level, "daybook: swept", "deleted", deleted, "took", time.Since(start))
	}
	return nil
}

// sweep applies the policy once. If it cannot believe the clock, it deletes nothing by age and
// returns ErrClock.
func (k *Keeper) sweep(ctx context.Context, c *clock) (deleted uint64, err error) {
	var now time.Time // zero: unknown
	var doubted error
	if k.Policy.needsTime() {
		read, doubt, err := c.read(ctx, k.Backend)
		if err != nil {
			return 0, err
		}
		if doubt == "" {
			now = read
		} else {
			doubted = fmt.Errorf("%w: at %s %s", ErrClock, read.Format(time.RFC3339), doubt)
		}
	}
	if deleted, err = k.Policy.Apply(ctx, k.Backend, now); err == nil {
		err = doubted
	}
	return deleted, err
}
