// SPDX-License-Identifier: Apache-2.0

package daybook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"log/slog"
)

// Typed is a stored value that was decoded as T.
type Typed[T any] struct {
	RecordName string `json:"record_name"`
	Value      T      `json:"value"`
	StoredAt   uint64 `json:"stored_at"` // Unix ms
}

// QueryLatest returns the newest n values of every record that matches the glob pattern, decoded as
// T with encoding/json. The values of each record are ordered newest first. n < 1 is
// ErrInvalidParams.
//
// A value that does not decode as T is logged with slog and skipped. It is not an error, and it
// counts as one of the n.
//
// Errors: ErrNotConfigured for a nil backend, and those of Backend.Query.
func QueryLatest[T any](ctx context.Context, backend Backend, pattern string, n int) ([]Typed[T], error) {
	if n < 1 {
		return nil, fmt.Errorf("%w: got n = %d; want 1 or more (QueryAs without a limit returns all values)",
			ErrInvalidParams, n)
	}
	return QueryAs[T](ctx, backend, pattern, Latest(n))
}

// QueryRange returns the values with timestamps from start to end (Unix ms, both inclusive) of
// every record that matches the glob pattern, decoded as T. The values of each record are ordered
// newest first. Values that do not decode, and errors, are treated as in QueryLatest. It holds all
// values in memory; ScanAs does not.
func QueryRange[T any](ctx context.Context, backend Backend, pattern string, start, end uint64) ([]Typed[T], error) {
	return QueryAs[T](ctx, backend, pattern, Between(start, end))
}

// QueryAs returns the result of Backend.Query, with each value decoded as T. Values that do not
// decode, and errors, are treated as in QueryLatest: they count for the limit, and the result has
// fewer. A sum that must not leave out a value decodes the values itself. QueryAs holds all values
// in memory; ScanAs does not.
func QueryAs[T any](ctx context.Context, backend Backend, pattern string, params QueryParams) ([]Typed[T], error) {
	typed := []Typed[T]{}
	for t, err := range ScanAs[T](ctx, backend, pattern, params) {
		if err != nil {
			return nil, err
		}
		typed = append(typed, t)
	}
	return typed, nil
}

// ScanAs yields the values that QueryAs would return, in the same order, without holding all of
// them in memory if the backend itself is a Scanner. They come from one snapshot. Values that do
// not decode are logged with slog and skipped. An error is yielded once, as the last element.
//
// Errors: ErrNotConfigured for a nil backend, and those of Backend.Query.
func ScanAs[T any](
	ctx context.Context, backend Backend, pattern string, params QueryParams,
) iter.Seq2[Typed[T], error] {
	return func(yield func(Typed[T], error) bool) {
		for stored, err := range scan(ctx, backend, pattern, params) {
			if err != nil {
				yield(Typed[T]{}, err)
				return
			}
			if t, ok := decodeOrLog[T](ctx, &stored); ok && !yield(t, nil) {
				return
			}
		}
	}
}

// scan yields the result of Scan, or else of Query. It does not use As: a wrapper's own Query must
// see the call.
func scan(ctx context.Context, backend Backend, pattern string, params QueryParams) iter.Seq2[StoredValue, error] {
	if scanner, ok := backend.(Scanner); ok {
		return scanner.Scan(ctx, pattern, params)
	}
	return func(yield func(StoredValue, error) bool) {
		if backend == nil {
			yield(StoredValue{}, ErrNotConfigured)
			return
		}
		values, err := backend.Query(ctx, pattern, params)
		if err != nil {
			yield(StoredValue{}, err)
			return
		}
		for i := range values {
			if !yield(values[i], nil) {
				return
			}
		}
	}
}

// decodeOrLog decodes a value, or logs why it does not decode.
func decodeOrLog[T any](ctx context.Context, stored *StoredValue) (t Typed[T], ok bool) {
	t = Typed[T]{RecordName: stored.RecordName, StoredAt: stored.StoredAt}
	if err := json.Unmarshal(stored.Value, &t.Value); err != nil {
		slog.WarnContext(ctx, "daybook: skipped a value that does not decode",
			"record", stored.RecordName, "stored_at", stored.StoredAt, "type", fmt.Sprintf("%T", t.Value), "error", err)
		return Typed[T]{}, false
	}
	return t, true
}

// TypedEvent is an Event whose value was decoded as T.
type TypedEvent[T any] struct {
	Typed[T]
	Cursor Cursor `json:"cursor"`           // the place of the value
	Missed uint64 `json:"missed,omitempty"` // as in Event
}

// WatchAs returns a channel of the values that the backend's Watch sends, decoded as T. Values that
// do not decode are logged with slog and skipped. The channel is closed when that of Watch is, or
// when ctx ends. End ctx when you stop receiving.
//
// Errors: ErrNotConfigured for a nil backend, errors.ErrUnsupported for one that is no Watcher, and
// those of Watch.
func WatchAs[T any](
	ctx context.Context, backend Backend, pattern string, params WatchParams,
) (<-chan TypedEvent[T], error) {
	if backend == nil {
		return nil, ErrNotConfigured
	}
	watcher, ok := As[Watcher](backend)
	if !ok {
		return nil, fmt.Errorf("%T is no Watcher: %w", backend, errors.ErrUnsupported)
	}
	events, err := watcher.Watch(ctx, pattern, params)
	if err != nil {
		return nil, err
	}
	decoded := make(chan TypedEvent[T])
	go func() {
		defer close(decoded)
		missed := uint64(0) // before a value that was skipped
		for event := range events {
			missed += event.Missed
			t, ok := decodeOrLog[T](ctx, &event.StoredValue)
			if !ok {
				continue
			}
			select {
			case decoded <- TypedEvent[T]{Typed: t, Cursor: event.Cursor, Missed: missed}:
				missed = 0
			case <-ctx.Done():
				return
			}
		}
	}()
	return decoded, nil
}

// NewValue encodes a value with encoding/json, for StoreBatch. Errors: those of json.Marshal.
func NewValue[T any](recordName string, value T, timestamp uint64) (StoredValue, error) {
	encoded, err := json.Marshal(value)
	if err != nil {
		return StoredValue{}, fmt.Errorf("a value of record %q: %w", recordName, err)
	}
	return StoredValue{RecordName: recordName, Value: encoded, StoredAt: timestamp}, nil
}

// StoreAs encodes a value with encoding/json and stores it.
// Errors: ErrNotConfigured for a nil backend, and those of NewValue and Backend.Store.
func StoreAs[T any](ctx context.Context, backend Backend, recordName string, value T, timestamp uint64) error {
	if backend == nil {
		return ErrNotConfigured
	}
	stored, err := NewValue(recordName, value, timestamp)
	if err != nil {
		return err
	}
	return backend.Store(ctx, recordName, stored.Value, timestamp)
}
