// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"

	"github.com/daybook-db/daybook"
)

// existingValues finds the values of batches that a daybook has, for --skip-existing. Two values
// are the same if they have the same record, time and JSON text.
type existingValues struct {
	db    daybook.Scanner
	found int // values that were there
}

// valueKey is what makes a value the same as another one.
type valueKey struct {
	record, value string
	storedAt      uint64
}

func keyOf(v daybook.StoredValue) valueKey {
	return valueKey{v.RecordName, string(v.Value), v.StoredAt}
}

// drop returns the values of a batch that the daybook has not, in their order. It overwrites the
// batch.
func (e *existingValues) drop(ctx context.Context, batch []daybook.StoredValue) ([]daybook.StoredValue, error) {
	known, err := e.find(ctx, batch)
	if err != nil {
		return nil, fmt.Errorf("--skip-existing: %w", err)
	}
	kept := batch[:0]
	for _, v := range batch {
		key := keyOf(v)
		if known[key] {
			e.found++
			continue
		}
		known[key] = true
		kept = append(kept, v)
	}
	return kept, nil
}

// timeSpan is the times of a record's values in a batch.
type timeSpan struct {
	first, last uint64
	values      int
}

// find returns which values of a batch the daybook has.
func (e *existingValues) find(ctx context.Context, batch []daybook.StoredValue) (map[valueKey]bool, error) {
	spans := make(map[string]*timeSpan)
	for _, v := range batch {
		span := spans[v.RecordName]
		if span == nil {
			span = &timeSpan{first: v.StoredAt, last: v.StoredAt}
			spans[v.RecordName] = span
		}
		span.first, span.last = min(span.first, v.StoredAt), max(span.last, v.StoredAt)
		span.values++
	}
	known := make(map[valueKey]bool)
	for record, span := range spans {
		whole, err := e.collect(ctx, known, record, *span)
		if err == nil && !whole {
			err = e.findEach(ctx, known, record, batch)
		}
		if err != nil {
			return nil, err
		}
	}
	return known, nil
}

// collect adds the values of a span of time. It gives up, and returns false, where the daybook has
// many more values there than the batch: a file that is not sorted by time may span years in each
// batch.
func (e *existingValues) collect(
	ctx context.Context, known map[valueKey]bool, record string, span timeSpan,
) (whole bool, err error) {
	limit := 1000 + 4*span.values
	for v, err := range e.db.Scan(ctx, daybook.QuoteGlob(record), between(span.first, span.last)) {
		if err != nil {
			return false, err
		}
		if limit--; limit < 0 {
			return false, nil
		}
		known[keyOf(v)] = true
	}
	return true, nil
}

// findEach adds the values that have the time of a value of the batch.
func (e *existingValues) findEach(
	ctx context.Context, known map[valueKey]bool, record string, batch []daybook.StoredValue,
) error {
	for _, value := range batch {
		if value.RecordName != record {
			continue
		}
		for v, err := range e.db.Scan(ctx, daybook.QuoteGlob(record), between(value.StoredAt, value.StoredAt)) {
			if err != nil {
				return err
			}
			known[keyOf(v)] = true
		}
	}
	return nil
}

func between(first, last uint64) daybook.QueryParams {
	return daybook.QueryParams{StartTime: &first, EndTime: &last}
}
