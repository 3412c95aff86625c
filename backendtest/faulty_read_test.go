// SPDX-License-Identifier: Apache-2.0

package backendtest

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"iter"
	"maps"
	"runtime"
	"slices"
	"strings"

	"github.com/daybook-db/daybook"
)

// Faults of reading, deleting and closing.

func firstInsertedFirst(found []daybook.StoredValue, params daybook.QueryParams) ([]daybook.StoredValue, error) {
	if params.Order == daybook.NewestFirst {
		slices.Reverse(found)
		slices.SortStableFunc(found, func(a, b daybook.StoredValue) int {
			return cmp.Or(cmp.Compare(a.RecordName, b.RecordName), cmp.Compare(b.StoredAt, a.StoredAt))
		})
	}
	return found, nil
}

func limitAll(found []daybook.StoredValue, params daybook.QueryParams) ([]daybook.StoredValue, error) {
	if params.LimitPerRecord > 0 {
		found = found[:min(params.LimitPerRecord, len(found))]
	}
	return found, nil
}

func excludeEnd(found []daybook.StoredValue, params daybook.QueryParams) ([]daybook.StoredValue, error) {
	return slices.DeleteFunc(found, func(v daybook.StoredValue) bool {
		return params.EndTime != nil && v.StoredAt == *params.EndTime
	}), nil
}

func dictionaryOrder(found []daybook.StoredValue, _ daybook.QueryParams) ([]daybook.StoredValue, error) {
	slices.SortStableFunc(found, func(a, b daybook.StoredValue) int {
		return cmp.Compare(strings.ToLower(a.RecordName), strings.ToLower(b.RecordName))
	})
	return found, nil
}

func noMatchIsError(found []daybook.StoredValue, _ daybook.QueryParams) ([]daybook.StoredValue, error) {
	if len(found) == 0 {
		return nil, errors.New("not found")
	}
	return found, nil
}

// sharing returns values in the memory in which it keeps them.
type sharing struct{ *Memory }

func (s sharing) Query(ctx context.Context, recordPattern string, params daybook.QueryParams) ([]daybook.StoredValue, error) {
	if _, err := s.Memory.Query(ctx, recordPattern, params); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	matches, err := compile(recordPattern, params.Syntax)
	if err != nil {
		return nil, err
	}
	var values []daybook.StoredValue
	for _, e := range s.selectLocked(matches, params) {
		values = append(values, e.StoredValue)
	}
	return values, nil
}

// miscounting returns how many records it deleted from.
type miscounting struct{ *Memory }

func (m miscounting) Cleanup(ctx context.Context, olderThan uint64) (uint64, error) {
	deleted, err := m.Memory.Cleanup(ctx, olderThan)
	return min(deleted, 1), err
}

// overeager deletes what is stored at olderThan too.
type overeager struct{ *Memory }

func (o overeager) Cleanup(ctx context.Context, olderThan uint64) (uint64, error) {
	return o.Memory.Cleanup(ctx, max(olderThan, olderThan+1))
}

// countingFirst counts, and then deletes.
type countingFirst struct{ *Memory }

func (c countingFirst) Cleanup(ctx context.Context, olderThan uint64) (deleted uint64, err error) {
	values, err := c.Query(ctx, "*", daybook.QueryParams{})
	for _, v := range values {
		if v.StoredAt < olderThan {
			deleted++
		}
	}
	for range 1000 {
		runtime.Gosched()
	}
	if err == nil {
		_, err = c.Memory.Cleanup(ctx, olderThan)
	}
	return deleted, err
}

// unsparing has not heard of KeepNewest.
type unsparing struct{ *Memory }

func (u unsparing) Prune(ctx context.Context, recordPattern string, params daybook.PruneParams) (uint64, error) {
	if err := params.Validate(); err != nil {
		return 0, err
	}
	params.KeepNewest = 0
	return u.Memory.Prune(ctx, recordPattern, params)
}

// rescanning queries anew for each record that it scans.
type rescanning struct{ *Memory }

func (r rescanning) Scan(ctx context.Context, recordPattern string, params daybook.QueryParams) iter.Seq2[daybook.StoredValue, error] {
	return func(yield func(daybook.StoredValue, error) bool) {
		for info, err := range r.Records(ctx, recordPattern, params.Syntax) {
			if err == nil {
				recordPattern, params.Syntax = escapeGlob(info.RecordName), daybook.Glob
			}
			for v, err := range r.Memory.Scan(ctx, recordPattern, params) {
				if !yield(v, err) {
					return
				}
			}
		}
	}
}

// unlimitedScan has not heard of LimitPerRecord in Scan.
type unlimitedScan struct{ *Memory }

func (u unlimitedScan) Scan(ctx context.Context, recordPattern string, params daybook.QueryParams) iter.Seq2[daybook.StoredValue, error] {
	params.LimitPerRecord = min(params.LimitPerRecord, 0)
	return u.Memory.Scan(ctx, recordPattern, params)
}

// ghosts remembers every record it ever listed.
type ghosts struct {
	*Memory
	seen map[string]bool
}

func (g *ghosts) Store(ctx context.Context, recordName string, value json.RawMessage, timestamp uint64) error {
	err := g.Memory.Store(ctx, recordName, value, timestamp)
	g.mu.Lock()
	defer g.mu.Unlock()
	if err == nil {
		if g.seen == nil {
			g.seen = map[string]bool{}
		}
		g.seen[recordName] = true
	}
	return err
}

func (g *ghosts) Records(ctx context.Context, recordPattern string, syntax daybook.PatternSyntax) iter.Seq2[daybook.RecordInfo, error] {
	return func(yield func(daybook.RecordInfo, error) bool) {
		infos := map[string]daybook.RecordInfo{}
		for name := range g.seen {
			if matches, _ := correctly(recordPattern, name, syntax); matches {
				infos[name] = daybook.RecordInfo{RecordName: name}
			}
		}
		for info, err := range g.Memory.Records(ctx, recordPattern, syntax) {
			if infos[info.RecordName] = info; err != nil {
				yield(info, err)
				return
			}
		}
		for _, name := range slices.Sorted(maps.Keys(infos)) {
			if !yield(infos[name], nil) {
				return
			}
		}
	}
}

// deaf does not look at its context.
type deaf struct{ *Memory }

func (d deaf) Store(ctx context.Context, recordName string, value json.RawMessage, timestamp uint64) error {
	return d.Memory.Store(context.WithoutCancel(ctx), recordName, value, timestamp)
}

// immortal cannot be closed.
type immortal struct{ *Memory }

func (immortal) Close() error { return nil }

// forgetful creates its tables anew.
type forgetful struct{ *Memory }

func (f forgetful) Initialize(ctx context.Context) error {
	f.mu.Lock()
	f.stored = nil
	f.mu.Unlock()
	return f.Memory.Initialize(ctx)
}
