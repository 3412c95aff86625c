// SPDX-License-Identifier: Apache-2.0

// Package retention bounds how much history a backend keeps: a [Policy] says what is kept, and a [Keeper]
// applies it, at once and then at an interval, for as long as its context lasts.
//
//	keeper := retention.Keeper{Backend: db, Policy: retention.Policy{
//		Rules: []retention.Rule{
//			{Pattern: "alarm.*", MaxAge: 365 * 24 * time.Hour, KeepNewest: 10},
//			{Pattern: "config.*", MaxPerRecord: 100},
//		},
//		MaxAge: 7 * 24 * time.Hour, // of everything else
//	}}
//	go keeper.Run(ctx)
//
// It knows no engine: a policy of a MaxAge alone works with any daybook.Backend, one with rules or MaxBytes with those
// that are a daybook.Pruner. What a sweep deletes is gone for good; a sweep that was interrupted has deleted a part, and the next
// one finishes the work.
//
// The age of a value is the keeper's clock minus the timestamp it was stored with, so a clock that is wrong would delete
// what is young. A Keeper does not believe one that is earlier than what has been stored, or that jumps ahead: see
// [Keeper].
package retention

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/index"
)

// Policy says what is kept. The zero value keeps everything.
type Policy struct {
	// Rules are for the records that their patterns match; where several match one, the first counts.
	Rules []Rule
	// MaxAge is how long a value is kept of the records that no rule matches. 0: for ever; negative: ErrInvalidParams.
	MaxAge time.Duration
	// MaxBytes is how much is kept of all records together, in bytes of JSON: what the rules and MaxAge leave beyond that
	// goes, the oldest first. It depends on no clock. 0: any amount.
	MaxBytes uint64
}

// Rule says what is kept of the records that its pattern matches. With no limit it keeps everything of those.
type Rule struct {
	// Pattern is a record pattern. Required.
	Pattern string
	// Syntax is how it is read. Default: daybook.Glob.
	Syntax daybook.PatternSyntax
	// MaxAge is how long a value is kept, by the timestamp it was stored with. 0: for ever; negative: ErrInvalidParams.
	// It is rounded down to milliseconds.
	MaxAge time.Duration
	// MaxPerRecord is how many values are kept of each record, the newest ones. 0: any number; negative: ErrInvalidParams.
	MaxPerRecord int
	// KeepNewest is how many values of each record are kept however old they are. Default: 0; negative, or more than a
	// positive MaxPerRecord: ErrInvalidParams.
	KeepNewest int
}

// Validate returns an error when the policy is impossible. It matches daybook.ErrInvalidParams, or ErrInvalidPattern.
func (p Policy) Validate() error {
	if p.MaxAge < 0 {
		return fmt.Errorf("%w: MaxAge is %v; want 0 (keep for ever) or more", daybook.ErrInvalidParams, p.MaxAge)
	}
	for i, rule := range p.Rules {
		if err := rule.validate(); err != nil {
			return fmt.Errorf("in Rules[%d] (%q): %w", i, rule.Pattern, err)
		}
	}
	return nil
}

func (r Rule) validate() error {
	if r.Pattern == "" {
		return fmt.Errorf("%w: Pattern is empty", daybook.ErrInvalidParams)
	}
	if r.MaxAge < 0 {
		return fmt.Errorf("%w: MaxAge is %v; want 0 (keep for ever) or more", daybook.ErrInvalidParams, r.MaxAge)
	}
	if err := r.params(time.Time{}).Validate(); err != nil {
		return err
	}
	_, err := index.Compile(r.Pattern, r.Syntax)
	return err
}

// Apply deletes from backend what the policy does not keep at the time now, and returns how many values
// that were. It takes now for what it is, see Keeper for clocks that are wrong; if it is the zero time, nothing is deleted
// by age.
// Errors: daybook.ErrNotConfigured for a nil backend, ErrInvalidParams, ErrInvalidPattern, errors.ErrUnsupported for
// rules or MaxBytes with a backend that is no daybook.Pruner, and those of its Cleanup or Prune. After one, what the rules before
// deleted is gone.
func (p Policy) Apply(ctx context.Context, backend daybook.Backend, now time.Time) (deleted uint64, err error) {
	if err := p.suits(backend); err != nil {
		return 0, err
	}
	if deleted, err = p.applyRules(ctx, backend, now); err != nil || p.MaxBytes == 0 {
		return deleted, err
	}
	oldest, err := backend.(daybook.Pruner).Prune(ctx, "*", daybook.PruneParams{MaxBytes: p.MaxBytes})
	if err != nil {
		err = fmt.Errorf("MaxBytes: %w", err)
	}
	return deleted + oldest, err
}

func (p Policy) applyRules(ctx context.Context, backend daybook.Backend, now time.Time) (deleted uint64, err error) {
	if len(p.Rules) == 0 {
		cutoff := cutoff(now, p.MaxAge)
		if cutoff == 0 {
			return 0, nil
		}
		return backend.Cleanup(ctx, cutoff)
	}
	rules := append(p.Rules[:len(p.Rules):len(p.Rules)], Rule{Pattern: "*", MaxAge: p.MaxAge})
	var before []daybook.Pattern
	for _, rule := range rules {
		if params := rule.params(now); params.OlderThan > 0 || params.MaxPerRecord > 0 {
			params.Except = before
			n, err := backend.(daybook.Pruner).Prune(ctx, rule.Pattern, params)
			if deleted += n; err != nil {
				return deleted, fmt.Errorf("the rule for %q: %w", rule.Pattern, err)
			}
		}
		before = append(before, daybook.Pattern{Text: rule.Pattern, Syntax: rule.Syntax})
	}
	return deleted, nil
}

// suits returns an error if the policy is impossible, or is so with a backend.
func (p Policy) suits(backend daybook.Backend) error {
	if backend == nil {
		return daybook.ErrNotConfigured
	}
	if err := p.Validate(); err != nil {
		return err
	}
	if _, ok := backend.(daybook.Pruner); !ok && (len(p.Rules) > 0 || p.MaxBytes > 0) {
		return fmt.Errorf("%w: %T is no daybook.Pruner, so there can be no rules by record, and no MaxBytes: use MaxAge alone", errors.ErrUnsupported, backend)
	}
	return nil
}

// params says what the rule deletes at a time; if that is zero, nothing by age.
func (r Rule) params(now time.Time) daybook.PruneParams {
	return daybook.PruneParams{
		Syntax:       r.Syntax,
		OlderThan:    cutoff(now, r.MaxAge),
		MaxPerRecord: r.MaxPerRecord,
		KeepNewest:   r.KeepNewest,
	}
}

// cutoff is the timestamp (Unix ms) below which values are older than an age; 0: none are.
func cutoff(now time.Time, age time.Duration) uint64 {
	if age == 0 || now.IsZero() {
		return 0
	}
	return uint64(max(now.Add(-age).UnixMilli(), 0)) // nothing is older than the epoch
}

// byAge reports whether anything is deleted by its age.
func (p Policy) byAge() bool {
	for _, rule := range p.Rules {
		if rule.MaxAge > 0 {
			return true
		}
	}
	return p.MaxAge > 0
}
