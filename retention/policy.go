// SPDX-License-Identifier: Apache-2.0

package retention

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/index"
)

// Policy says which values are kept. The zero value keeps all of them.
type Policy struct {
	// Rules apply to the records that their patterns match. If several rules match a record, the
	// first one applies.
	Rules []Rule
	// MaxAge is the maximum age of a value, for the records that no rule matches. It is rounded
	// down to milliseconds. 0: no maximum; negative: ErrInvalidParams.
	MaxAge time.Duration
	// MaxBytes is the maximum size of all values together, in bytes of JSON. Of the values that the
	// rules and MaxAge keep, it deletes the oldest. It spares the records of a rule without a
	// limit, which do not count, and the newest values of each other record: one, or as many as the
	// greatest KeepNewest of a rule. These may pass the maximum. It depends on no clock. 0: no
	// maximum.
	MaxBytes uint64
}

// Rule says which values are kept of the records that its pattern matches. A rule without a limit
// keeps all of them.
type Rule struct {
	// Pattern is the record pattern. Required.
	Pattern daybook.Pattern
	// MaxAge is the maximum age of a value, by its timestamp. It is rounded down to milliseconds.
	// 0: no maximum; negative: ErrInvalidParams.
	MaxAge time.Duration
	// MaxPerRecord is the maximum number of values of each record. The newest are kept. 0: no
	// maximum; negative: ErrInvalidParams.
	MaxPerRecord int
	// KeepNewest is the number of values of each record that MaxAge spares, the newest ones.
	// Default: 0; negative, more than a positive MaxPerRecord, or without a MaxAge:
	// ErrInvalidParams.
	KeepNewest int
}

// Validate returns an error that matches daybook.ErrInvalidParams or ErrInvalidPattern if a field
// has a value that its comment excludes.
func (p Policy) Validate() error {
	if err := validateMaxAge(p.MaxAge); err != nil {
		return err
	}
	for i, rule := range p.Rules {
		if err := rule.validate(); err != nil {
			return fmt.Errorf("in Rules[%d] (%q): %w", i, rule.Pattern.Text, err)
		}
	}
	return nil
}

func (r Rule) validate() error {
	if r.Pattern.Text == "" {
		return fmt.Errorf("%w: got an empty Pattern; want one, such as * for all records", daybook.ErrInvalidParams)
	}
	if err := validateMaxAge(r.MaxAge); err != nil {
		return err
	}
	if err := r.limits().Validate(); err != nil {
		return err
	}
	if r.KeepNewest > 0 && r.MaxAge == 0 {
		return fmt.Errorf("%w: got KeepNewest %d without a MaxAge, from which it spares values; want both or neither",
			daybook.ErrInvalidParams, r.KeepNewest)
	}
	_, err := index.Compile(r.Pattern)
	return err
}

func validateMaxAge(age time.Duration) error {
	if age < 0 {
		return fmt.Errorf("%w: got MaxAge %v; want 0 (no maximum) or more", daybook.ErrInvalidParams, age)
	}
	return nil
}

// Apply deletes all values from backend that the policy does not keep at the time now. It returns
// the number of values that it deleted. It does not doubt now, as a Keeper does. If now is the zero
// time, nothing is deleted by age.
//
// Errors: daybook.ErrNotConfigured for a nil backend, ErrInvalidParams, ErrInvalidPattern,
// errors.ErrUnsupported for rules or MaxBytes with a backend that is no daybook.Pruner, and the
// errors of its Cleanup or Prune. After one of these last errors, a part of the values is deleted.
func (p Policy) Apply(ctx context.Context, backend daybook.Backend, now time.Time) (deleted uint64, err error) {
	if err := p.validateFor(backend); err != nil {
		return 0, err
	}
	pruner, _ := daybook.As[daybook.Pruner](backend) // nil if the policy needs none
	if len(p.Rules) == 0 {
		deleted, err = p.applyMaxAge(ctx, backend, now)
	} else {
		deleted, err = p.applyRules(ctx, pruner, now)
	}
	if err != nil || p.MaxBytes == 0 {
		return deleted, err
	}
	beyond, err := pruner.Prune(ctx, "*", p.sizeParams())
	if err != nil {
		err = fmt.Errorf("MaxBytes: %w", err)
	}
	return deleted + beyond, err
}

// sizeParams returns what MaxBytes deletes of all records. One call of Prune goes by time over all
// records, so each record keeps as many values as the rule with the greatest KeepNewest says.
func (p Policy) sizeParams() daybook.PruneParams {
	params := daybook.PruneParams{MaxBytes: p.MaxBytes, KeepNewest: 1}
	for _, rule := range p.Rules {
		params.KeepNewest = max(params.KeepNewest, rule.KeepNewest)
		if rule.keepsAll() {
			params.Except = append(params.Except, rule.Pattern)
		}
	}
	return params
}

// keepsAll reports whether the rule has no limit.
func (r Rule) keepsAll() bool { return r.MaxAge == 0 && r.MaxPerRecord == 0 }

func (p Policy) applyMaxAge(ctx context.Context, backend daybook.Backend, now time.Time) (deleted uint64, err error) {
	olderThan := cutoff(now, p.MaxAge)
	if olderThan == 0 {
		return 0, nil
	}
	return backend.Cleanup(ctx, olderThan)
}

// applyRules applies the rules and then MaxAge.
func (p Policy) applyRules(ctx context.Context, pruner daybook.Pruner, now time.Time) (deleted uint64, err error) {
	return p.pruneByRules(func(r Rule) daybook.PruneParams { return r.params(now) },
		func(pattern string, params daybook.PruneParams) (uint64, error) {
			return pruner.Prune(ctx, pattern, params)
		})
}

// pruneByRules calls prune for each rule, with what paramsOf returns, and then for MaxAge, as a
// last rule for the records that none of the others matches. It leaves out those that delete
// nothing.
func (p Policy) pruneByRules(
	paramsOf func(Rule) daybook.PruneParams, prune func(pattern string, params daybook.PruneParams) (uint64, error),
) (deleted uint64, err error) {
	rules := append(slices.Clone(p.Rules), Rule{Pattern: daybook.Pattern{Text: "*"}, MaxAge: p.MaxAge})
	var earlier []daybook.Pattern // of the rules before this one
	for _, rule := range rules {
		if params := paramsOf(rule); params.OlderThan > 0 || params.MaxPerRecord > 0 {
			params.Except = earlier
			n, err := prune(rule.Pattern.Text, params)
			if deleted += n; err != nil {
				return deleted, fmt.Errorf("the rule for %q: %w", rule.Pattern.Text, err)
			}
		}
		earlier = append(earlier, rule.Pattern)
	}
	return deleted, nil
}

// validateFor returns an error if the policy is invalid, or cannot be applied to backend.
func (p Policy) validateFor(backend daybook.Backend) error {
	if backend == nil {
		return daybook.ErrNotConfigured
	}
	if err := p.Validate(); err != nil {
		return err
	}
	if _, ok := daybook.As[daybook.Pruner](backend); !ok && (len(p.Rules) > 0 || p.MaxBytes > 0) {
		return fmt.Errorf("%w: got Rules or MaxBytes for a %T, which is no daybook.Pruner; want MaxAge alone",
			errors.ErrUnsupported, backend)
	}
	return nil
}

// limits returns the part of the rule that depends on no time.
func (r Rule) limits() daybook.PruneParams {
	return daybook.PruneParams{Syntax: r.Pattern.Syntax, MaxPerRecord: r.MaxPerRecord, KeepNewest: r.KeepNewest}
}

// params returns what the rule deletes at a time. The zero time is an unknown one: the policy does
// not need the time, or the clock is not believed. Then the rule deletes nothing by age.
func (r Rule) params(now time.Time) daybook.PruneParams {
	params := r.limits()
	params.OlderThan = cutoff(now, r.MaxAge)
	return params
}

// cutoff returns the smallest timestamp (Unix ms) of a value that is not older than maxAge. 0: no
// value is older.
func cutoff(now time.Time, maxAge time.Duration) uint64 {
	if maxAge == 0 || now.IsZero() {
		return 0
	}
	return uint64(max(now.Add(-maxAge).UnixMilli(), 0)) // no timestamp is before 1970
}

// longestAge returns the greatest MaxAge.
func (p Policy) longestAge() time.Duration {
	longest := p.MaxAge
	for _, r := range p.Rules {
		longest = max(longest, r.MaxAge)
	}
	return longest
}

// needsTime reports whether what the policy deletes depends on the time. A keeper asks the clock
// only then.
func (p Policy) needsTime() bool { return p.longestAge() > 0 }
