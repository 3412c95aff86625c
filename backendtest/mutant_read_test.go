// SPDX-License-Identifier: Apache-2.0

package backendtest

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"iter"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/daybook-db/daybook"
)

// Mistakes of reading and closing.

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

func cutLong(found []daybook.StoredValue, _ daybook.QueryParams) ([]daybook.StoredValue, error) {
	for i := range found {
		found[i].Value = found[i].Value[:min(len(found[i].Value), 64<<10)]
	}
	return found, nil
}

func swapEnds(params *daybook.QueryParams) {
	if params.StartTime != nil && params.EndTime != nil && *params.StartTime > *params.EndTime {
		params.StartTime, params.EndTime = params.EndTime, params.StartTime
	}
}

func newestFirst(params *daybook.QueryParams) {
	if params.Validate() == nil {
		params.Order = daybook.NewestFirst
	}
}

func noNegativeLimit(params *daybook.QueryParams) {
	params.LimitPerRecord = max(params.LimitPerRecord, 0)
}

func ignorePlace(params *daybook.QueryParams) {
	if params.Validate() == nil {
		params.After = nil
	}
}

// ignoreTies reads a place as if it was before the first value with its timestamp.
func ignoreTies(params *daybook.QueryParams) {
	changePlace(params, func(p *daybook.Place) { p.Ties = 0 })
}

// skipTies reads a place as if it was after the last value with its timestamp.
func skipTies(params *daybook.QueryParams) {
	changePlace(params, func(p *daybook.Place) { p.Ties = math.MaxInt })
}

func changePlace(params *daybook.QueryParams, change func(*daybook.Place)) {
	if params.Validate() == nil && !params.After.IsBeginning() {
		place := *params.After
		change(&place)
		params.After = &place
	}
}

func mendPlace(params *daybook.QueryParams) {
	if params.After != nil && params.Validate() != nil {
		params.After = nil
	}
}

// limitBeforePlace applies the limit, and then leaves out the values before the place.
type limitBeforePlace struct{ *Memory }

func (l limitBeforePlace) Query(
	ctx context.Context, recordPattern string, params daybook.QueryParams,
) ([]daybook.StoredValue, error) {
	from := params
	from.LimitPerRecord = 0
	rest, err := l.Memory.Query(ctx, recordPattern, from)
	if err != nil || params.After == nil || params.LimitPerRecord == 0 {
		return l.Memory.Query(ctx, recordPattern, params)
	}
	params.After = nil
	first, err := l.Memory.Query(ctx, recordPattern, params)
	return slices.DeleteFunc(first, func(v daybook.StoredValue) bool {
		isIt := func(r daybook.StoredValue) bool { return string(r.Value) == string(v.Value) }
		return !slices.ContainsFunc(rest, isIt)
	}), err
}

// limitBeforeRange applies the limit, and then the range to the rest.
type limitBeforeRange struct{ *Memory }

func (l limitBeforeRange) Query(
	ctx context.Context, recordPattern string, params daybook.QueryParams,
) ([]daybook.StoredValue, error) {
	everywhere := params
	everywhere.StartTime, everywhere.EndTime = nil, nil
	found, err := l.Memory.Query(ctx, recordPattern, everywhere)
	return slices.DeleteFunc(found, func(v daybook.StoredValue) bool {
		tooEarly := params.StartTime != nil && v.StoredAt < *params.StartTime
		tooLate := params.EndTime != nil && v.StoredAt > *params.EndTime
		return tooEarly || tooLate
	}), err
}

// sharedResults returns values that share memory with the stored ones.
type sharedResults struct{ *Memory }

func (s sharedResults) Query(
	ctx context.Context, recordPattern string, params daybook.QueryParams,
) ([]daybook.StoredValue, error) {
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

// requeryingScan takes a new snapshot for each record.
type requeryingScan struct{ *Memory }

func (r requeryingScan) Scan(
	ctx context.Context, recordPattern string, params daybook.QueryParams,
) iter.Seq2[daybook.StoredValue, error] {
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

// unlimitedScan ignores LimitPerRecord.
type unlimitedScan struct{ *Memory }

func (u unlimitedScan) Scan(
	ctx context.Context, recordPattern string, params daybook.QueryParams,
) iter.Seq2[daybook.StoredValue, error] {
	params.LimitPerRecord = min(params.LimitPerRecord, 0)
	return u.Memory.Scan(ctx, recordPattern, params)
}

// eagerScan queries before the loop begins.
type eagerScan struct{ *Memory }

func (e eagerScan) Scan(
	ctx context.Context, recordPattern string, params daybook.QueryParams,
) iter.Seq2[daybook.StoredValue, error] {
	values, err := e.Query(ctx, recordPattern, params)
	return func(yield func(daybook.StoredValue, error) bool) { yieldAll(ctx, values, err, yield) }
}

// recycledScan yields each value in the memory of the value before it.
type recycledScan struct{ *Memory }

func (r recycledScan) Scan(
	ctx context.Context, recordPattern string, params daybook.QueryParams,
) iter.Seq2[daybook.StoredValue, error] {
	return func(yield func(daybook.StoredValue, error) bool) {
		var memory json.RawMessage
		for v, err := range r.Memory.Scan(ctx, recordPattern, params) {
			memory = append(memory[:0], v.Value...)
			v.Value = memory
			if !yield(v, err) {
				return
			}
		}
	}
}

func byAge(infos []daybook.RecordInfo) {
	slices.SortStableFunc(infos, func(a, b daybook.RecordInfo) int {
		return cmp.Or(cmp.Compare(a.Oldest, b.Oldest), cmp.Compare(len(a.RecordName), len(b.RecordName)))
	})
}

func fewerBytes(infos []daybook.RecordInfo) {
	for i := range infos {
		infos[i].Bytes -= min(infos[i].Bytes, 2)
	}
}

// ghostRecords lists every record that ever had a value.
type ghostRecords struct {
	*Memory
	seen map[string]bool
}

func (g *ghostRecords) Store(ctx context.Context, recordName string, value json.RawMessage, timestamp uint64) error {
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

func (g *ghostRecords) Records(
	ctx context.Context, recordPattern string, syntax daybook.PatternSyntax,
) iter.Seq2[daybook.RecordInfo, error] {
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

// deafStore ignores its context.
type deafStore struct{ *Memory }

func (d deafStore) Store(ctx context.Context, recordName string, value json.RawMessage, timestamp uint64) error {
	return d.Memory.Store(context.WithoutCancel(ctx), recordName, value, timestamp)
}

// deafQuery looks at its context only before it begins.
type deafQuery struct{ *Memory }

func (d deafQuery) Query(
	ctx context.Context, recordPattern string, params daybook.QueryParams,
) (values []daybook.StoredValue, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	all, err := d.Memory.Query(context.WithoutCancel(ctx), "*", daybook.QueryParams{Order: params.Order})
	matches, compileErr := compile(recordPattern, params.Syntax)
	if err := errors.Join(err, compileErr); err != nil {
		return nil, err
	}
	for _, v := range all {
		if matches(v.RecordName) {
			values = append(values, v)
		}
	}
	return values, nil
}

// patientStore waits for its turn, whatever its context says.
type patientStore struct{ *Memory }

func (p patientStore) Store(ctx context.Context, recordName string, value json.RawMessage, timestamp uint64) error {
	v := daybook.StoredValue{RecordName: recordName, Value: value, StoredAt: timestamp}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := errors.Join(ctx.Err(), validate(v)); err != nil || p.closed {
		return cmp.Or(err, daybook.ErrClosed)
	}
	p.insertLocked(v)
	return nil
}

// immortal ignores Close.
type immortal struct{ *Memory }

func (immortal) Close() error { return nil }

// closedOnce returns an error when it is closed again.
type closedOnce struct {
	*Memory
	done bool
}

func (c *closedOnce) Close() error {
	if c.done {
		return errors.New("closed already")
	}
	c.done = true
	return c.Memory.Close()
}

// forgetful deletes everything in Initialize, as if it created its tables anew.
type forgetful struct{ *Memory }

func (f forgetful) Initialize(ctx context.Context) error {
	f.mu.Lock()
	f.stored = nil
	f.mu.Unlock()
	return f.Memory.Initialize(ctx)
}

// repeatingErrors yields the error of a scan twice.
type repeatingErrors struct{ *Memory }

func (r repeatingErrors) Scan(
	ctx context.Context, recordPattern string, params daybook.QueryParams,
) iter.Seq2[daybook.StoredValue, error] {
	return func(yield func(daybook.StoredValue, error) bool) {
		for v, err := range r.Memory.Scan(ctx, recordPattern, params) {
			if !yield(v, err) || err != nil && !yield(v, err) {
				return
			}
		}
	}
}
