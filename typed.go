// SPDX-License-Identifier: Apache-2.0

package daybook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
)

// Typed is a stored value decoded as T.
type Typed[T any] struct {
	RecordName string
	Value      T
	StoredAt   uint64 // Unix ms
}

// QueryLatest returns the newest n values of every record that the glob pattern matches, decoded as
// T, newest first in each record. n counts stored values: one that does not decode as T is skipped
// and logged with slog, never fails the query, and is not made up for. n = 0 means all.
// Errors: ErrNotConfigured for a nil backend, and those of Backend.Query.
func QueryLatest[T any](ctx context.Context, backend Backend, pattern string, n int) ([]Typed[T], error) {
	return QueryAs[T](ctx, backend, pattern, Latest(n))
}

// QueryRange returns the values stored from start to end (Unix ms, both inclusive) of every record
// that the glob pattern matches, decoded as T, newest first in each record. Values that do not decode
// are treated as in QueryLatest.
func QueryRange[T any](ctx context.Context, backend Backend, pattern string, start, end uint64) ([]Typed[T], error) {
	return QueryAs[T](ctx, backend, pattern, Between(start, end))
}

// QueryAs is Backend.Query with the values decoded as T. Values that do not decode are treated as in
// QueryLatest.
func QueryAs[T any](ctx context.Context, backend Backend, pattern string, params QueryParams) ([]Typed[T], error) {
	if backend == nil {
		return nil, ErrNotConfigured
	}
	stored, err := backend.Query(ctx, pattern, params)
	if err != nil {
		return nil, err
	}
	typed := make([]Typed[T], 0, len(stored))
	for _, s := range stored {
		t := Typed[T]{RecordName: s.RecordName, StoredAt: s.StoredAt}
		if err := json.Unmarshal(s.Value, &t.Value); err != nil {
			slog.WarnContext(ctx, "daybook: skipped a value that does not decode",
				"record", s.RecordName, "stored_at", s.StoredAt, "type", fmt.Sprintf("%T", t.Value), "error", err)
			continue
		}
		typed = append(typed, t)
	}
	return typed, nil
}

// Persist stores every value that arrives on values under recordName, encoded with encoding/json and
// stamped with the wall clock, until the channel closes (nil) or ctx ends (its error). A value that
// cannot be encoded or stored is logged with slog and skipped, so that a full disk does not end the
// subscription; an error that no later value can escape (ErrNotConfigured, ErrInvalidName, ErrReadOnly,
// ErrFailed, ErrClosed) ends it and is returned.
func Persist[T any](ctx context.Context, backend Backend, recordName string, values <-chan T) error {
	if backend == nil {
		return ErrNotConfigured
	}
	if err := ValidateRecordName(recordName); err != nil {
		return err
	}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case value, open := <-values:
			if !open {
				return nil
			}
			if err := persist(ctx, backend, recordName, value); err != nil {
				if endsSubscription(ctx, err) {
					return err
				}
				slog.WarnContext(ctx, "daybook: a value was not stored", "record", recordName, "error", err)
			}
		}
	}
}

func persist(ctx context.Context, backend Backend, recordName string, value any) error {
	encoded, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return backend.Store(ctx, recordName, encoded, Now())
}

func endsSubscription(ctx context.Context, err error) bool {
	return ctx.Err() != nil || slices.ContainsFunc([]error{ErrInvalidName, ErrReadOnly, ErrFailed, ErrClosed}, func(final error) bool {
		return errors.Is(err, final)
	})
}
