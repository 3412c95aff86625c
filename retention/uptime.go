// SPDX-License-Identifier: Apache-2.0

package retention

import (
	"context"

	"github.com/daybook-db/daybook"
)

// needsUptime reports whether the clock does not tell the age of all values: it is in doubt, or it
// is earlier than a clock has been. Old values may have timestamps that seem young to it then.
func (c *clock) needsUptime(j judgement) bool {
	return j.doubt != "" || c.Latest.Sub(j.now) > steadyTolerance
}

// pruneByUptime deletes the values that were stored at least their maximum age of uptime ago, by
// the marks of a clock. Such a value is older than that, whatever the clocks have said. It
// deletes no value whose timestamp is not that old for the latest clock of all.
func (p Policy) pruneByUptime(ctx context.Context, backend daybook.Backend, c *clock) (deleted uint64, err error) {
	pruner, ok := daybook.As[daybook.Pruner](backend)
	if !ok {
		return 0, nil
	}
	if err := c.raiseLatest(ctx, backend); err != nil {
		return 0, err
	}
	paramsOf := func(r Rule) daybook.PruneParams {
		at, ok := c.storedBefore(r.MaxAge)
		if !ok {
			return daybook.PruneParams{}
		}
		return daybook.PruneParams{
			Syntax: r.Pattern.Syntax, KeepNewest: r.KeepNewest,
			OlderThan: cutoff(c.Latest, r.MaxAge), StoredThrough: &at,
		}
	}
	return p.pruneByRules(paramsOf, func(pattern string, params daybook.PruneParams) (uint64, error) {
		return pruneShared(ctx, pruner, pattern, params)
	})
}

// pruneShared prunes up to a place. If the place is in another history, it prunes up to the last
// place that both share.
func pruneShared(
	ctx context.Context, pruner daybook.Pruner, pattern string, params daybook.PruneParams,
) (deleted uint64, err error) {
	deleted, err = pruner.Prune(ctx, pattern, params)
	common, isForked := commonPlace(err)
	switch {
	case !isForked:
		return deleted, err
	case common.IsZero():
		return 0, nil
	}
	params.StoredThrough = &common
	return pruner.Prune(ctx, pattern, params)
}
