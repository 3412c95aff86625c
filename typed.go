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

// Typed is a stored value that was decoded as T.
type Typed[T any] struct {
	RecordName string
	Value      T
	StoredAt   uint64 // Unix ms
}

// QueryLatest returns the newest n values of every record that matches the glob pattern, decoded as
// T with encoding/json. The values of each record are ordered newest first. n = 0 means all values;
// a negative n is ErrInvalidParams.
//
// A value that does not decode as T is logged with slog and skipped. It is not an error, and it
// counts as one of the n.
//
// Errors: ErrNotConfigured for a nil backend, and those of Backend.Query.
func QueryLatest[T any](ctx context.Context, backend Backend, pattern string, n int) ([]Typed[T], error) {
	return QueryAs[T](ctx, backend, pattern, Latest(n))
}

// QueryRange returns the values with timestamps from start to end (Unix ms, both inclusive) of
// every record that matches the glob pattern, decoded as T. The values of each record are ordered
// newest first. Values that do not decode, and errors, are treated as in QueryLatest.
func QueryRange[T any](ctx context.Context, backend Backend, pattern string, start, end uint64) ([]Typed[T], error) {
	return QueryAs[T](ctx, backend, pattern, Between(start, end))
}

// QueryAs returns the result of Backend.Query, with each value decoded as T. Values that do not
// decode, and errors, are treated as in QueryLatest.
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

// Persist stores every value that it receives from values, under recordName. It encodes the value
// with encoding/json, and takes the wall clock's time as the timestamp. It returns nil when the
// channel is closed, and ctx's error when ctx ends.
//
// A value that cannot be encoded or stored is logged with slog and skipped, so that Persist
// outlasts a full disk. Persist ends only with an error that all later values would meet, too:
// ErrNotConfigured for a nil backend, ErrInvalidName, ErrReadOnly, ErrFailed, or ErrClosed.
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
			if err := storeEncoded(ctx, backend, recordName, value); err != nil {
				if ctx.Err() != nil || isPermanent(err) {
					return err
				}
				slog.WarnContext(ctx, "daybook: a value was not stored", "record", recordName, "error", err)
			}
		}
	}
}

func storeEncoded(ctx context.Context, backend Backend, recordName string, value any) error {
	encoded, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return backend.Store(ctx, recordName, encoded, Now())
}

// isPermanent reports whether a Store of any later value would return the same error.
func isPermanent(err error) bool {
	permanent := []error{ErrInvalidName, ErrReadOnly, ErrFailed, ErrClosed}
	return slices.ContainsFunc(permanent, func(target error) bool { return errors.Is(err, target) })
}
