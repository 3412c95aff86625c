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

// lookInterval is how often a keeper looks at the clock between two sweeps. It counts uptime so,
// and notices soon that the clock was set.
const lookInterval = 5 * time.Minute

// ErrClock is returned by a sweep that could not take ages from the clock because it cannot believe
// it. The sweep did delete by count, by size, and what was old by the evidence.
var ErrClock = errors.New("ages were not taken from the clock, because it cannot be believed")

// Keeper applies a policy to a backend, in sweeps. Its methods copy the fields when they start.
//
// A keeper does not believe a clock that contradicts the evidence: see the package comment. Then a
// sweep does not take ages from the clock, and logs why. It still deletes by count and by size, and
// it deletes the values that are old by the evidence. What a keeper knows of the time survives
// restarts with a backend that is a daybook.ClockMemory. Otherwise each keeper begins anew, with
// the newest values of most records of a backend that is a daybook.RecordLister.
type Keeper struct {
	// Backend is the backend that is swept. Required; nil: daybook.ErrNotConfigured.
	Backend daybook.Backend
	// Policy is the policy that is applied. The zero policy deletes nothing.
	Policy Policy
	// Interval is the time from the start of one sweep to the start of the next. 0: 24 h; negative:
	// ErrInvalidParams.
	Interval time.Duration
	// MaxJump is how far the wall clock may jump ahead in a day of uptime and still be believed.
	// After a start it may be ahead by twice as much, because the device may have been off. A
	// device that is often off for longer than two days needs a greater one; a MaxAge of a few days
	// or less needs a smaller one, because within these limits nothing protects young values. 0: 24
	// h; negative: a clock that is ahead is always believed.
	MaxJump time.Duration
	// Logger gets one log line for each sweep: at info level if it deleted values, at debug level
	// if not, as a warning if it does not believe the clock, and as an error if it failed. nil:
	// slog.Default().
	Logger *slog.Logger
	// Now is the wall clock, for tests and for devices that get the time elsewhere. Uptime is
	// counted by time.Now. nil: time.Now.
	Now func() time.Time
	// OnSweep is called after each sweep, by the goroutine that runs the keeper. nil: nothing is
	// called.
	OnSweep func(Swept)
}

// Run sweeps at once, and then every Interval. It returns nil when ctx ends. A failed sweep is
// logged, and the next one tries again.
//
// Errors, for a keeper that cannot work: daybook.ErrNotConfigured without a backend or with a nil
// *engine.DB, ErrInvalidParams or ErrInvalidPattern for an invalid policy or interval, and
// errors.ErrUnsupported for rules or MaxBytes with a backend that is no daybook.Pruner. Errors of
// the backend that end a running keeper, because all later sweeps would meet them, too:
// ErrReadOnly, ErrClosed, and ErrFailed. The embedded engine returns ErrFailed to a keeper only
// after its tree could not be written. After a failed sync of its log, a keeper goes on deleting.
func (k *Keeper) Run(ctx context.Context) error {
	keeper, err := k.withDefaults()
	if err != nil {
		return err
	}
	return keeper.sweepRepeatedly(ctx, newClock(keeper))
}

// Sweep sweeps once, and returns the number of values that it deleted. With a backend that is a
// daybook.ClockMemory it knows what earlier sweeps knew of the time, and tells it to later ones.
//
// Errors: ErrClock if the clock cannot be believed, and those of Run and of Policy.Apply.
func (k *Keeper) Sweep(ctx context.Context) (deleted uint64, err error) {
	keeper, err := k.withDefaults()
	if err != nil {
		return 0, err
	}
	swept := keeper.sweep(ctx, newClock(keeper))
	return swept.Deleted, swept.Err
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
	if keeper.Now == nil {
		keeper.Now = time.Now
	}
	return &keeper, nil
}

func (k *Keeper) sweepRepeatedly(ctx context.Context, c *clock) error {
	sweeps := time.NewTicker(k.Interval)
	defer sweeps.Stop()
	looks := time.NewTicker(min(k.Interval, lookInterval))
	defer looks.Stop()
	for isDue := true; ctx.Err() == nil; {
		if !isDue {
			isDue = k.doubtEnds(ctx, c)
		}
		if isDue {
			if err := k.sweepAndLog(ctx, c); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
		case <-sweeps.C:
			isDue = true
		case <-looks.C:
			isDue = false
		}
	}
	return nil
}

// doubtEnds looks at the clock between two sweeps, and reports whether a doubt has ended, so that a
// sweep is due. The next sweep meets the error of a look, too.
func (k *Keeper) doubtEnds(ctx context.Context, c *clock) bool {
	if !k.Policy.needsTime() {
		return false
	}
	wasDoubted := c.doubted
	_, err := c.look(ctx, k.Backend)
	return err == nil && wasDoubted && !c.doubted
}

// sweepAndLog returns an error only if the next sweep would fail as well.
func (k *Keeper) sweepAndLog(ctx context.Context, c *clock) error {
	swept := k.sweep(ctx, c)
	deleted, took, err := swept.Deleted, swept.Took, swept.Err
	level := slog.LevelDebug
	if deleted > 0 {
		level = slog.LevelInfo
	}
	switch {
	case err != nil && ctx.Err() != nil: // an interruption is no failure
		k.Logger.Log(ctx, level, "daybook: a retention sweep was stopped before its end",
			"deleted", deleted, "took", took)
	case errors.Is(err, daybook.ErrClosed) || errors.Is(err, daybook.ErrNotConfigured):
		return err
	case errors.Is(err, daybook.ErrReadOnly) || errors.Is(err, daybook.ErrFailed):
		k.Logger.ErrorContext(ctx, "daybook: a retention sweep failed, and there will be no more of them",
			"deleted", deleted, "error", err)
		return err
	case errors.Is(err, ErrClock):
		k.Logger.WarnContext(ctx, "daybook: a retention sweep doubts the clock", "deleted", deleted, "error", err)
	case err != nil:
		k.Logger.ErrorContext(ctx, "daybook: a retention sweep failed; the next one will try again",
			"deleted", deleted, "error", err)
	default:
		k.Logger.Log(ctx, level, "daybook: swept", "deleted", deleted, "took", took)
	}
	return nil
}

// sweep sweeps once, and tells OnSweep.
func (k *Keeper) sweep(ctx context.Context, c *clock) Swept {
	start, swept := time.Now(), Swept{At: c.wall()}
	swept.Deleted, swept.Err = k.apply(ctx, c)
	swept.Took = time.Since(start)
	if k.OnSweep != nil {
		k.OnSweep(swept)
	}
	return swept
}

// apply applies the policy once. It deletes what is old by uptime, too, where the clock does not
// tell. If it cannot believe the clock, it returns ErrClock.
func (k *Keeper) apply(ctx context.Context, c *clock) (deleted uint64, err error) {
	var j judgement
	if k.Policy.needsTime() {
		if j, err = c.look(ctx, k.Backend); err != nil {
			return 0, err
		}
	}
	deleted, err = k.Policy.Apply(ctx, k.Backend, j.now)
	if err != nil || !k.Policy.needsTime() || !c.needsUptime(j) {
		return deleted, err
	}
	stored, err := k.Policy.pruneByUptime(ctx, k.Backend, c)
	if err == nil && j.doubt != "" {
		err = fmt.Errorf("%w: at %s %s", ErrClock, j.wall.Format(time.RFC3339), j.doubt)
	}
	return deleted + stored, err
}
