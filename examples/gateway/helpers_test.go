// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync/atomic"
	"testing"

	"github.com/daybook-db/daybook"
)

func quiet() *status { return newStatus(slog.New(slog.DiscardHandler)) }

// start runs a part until stop is called, which waits for its end.
func start(t *testing.T, part func(context.Context) error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- part(ctx) }()
	return func() {
		t.Helper()
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the part ended with %v; want nil when its context ends", err)
		}
	}
}

// values returns the values of all records that match, oldest first, as text.
func values(t *testing.T, backend daybook.Backend, pattern string) (texts []string) {
	t.Helper()
	found, err := backend.Query(t.Context(), pattern, daybook.QueryParams{}.OldestFirst())
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range found {
		texts = append(texts, v.RecordName+" "+string(v.Value))
	}
	return texts
}

// badDisk wraps a backend. Its stores fail while err is set. Unwrap keeps the other abilities.
type badDisk struct {
	daybook.Backend
	err atomic.Pointer[error]
}

func (b *badDisk) Unwrap() daybook.Backend { return b.Backend }

func (b *badDisk) fail(err error) { b.err.Store(&err) }

func (b *badDisk) Store(ctx context.Context, recordName string, value json.RawMessage, timestamp uint64) error {
	if err := b.err.Load(); err != nil && *err != nil {
		return *err
	}
	return b.Backend.Store(ctx, recordName, value, timestamp)
}

func (b *badDisk) StoreBatch(ctx context.Context, values []daybook.StoredValue) error {
	for _, v := range values {
		if err := b.Store(ctx, v.RecordName, v.Value, v.StoredAt); err != nil {
			return err
		}
	}
	return nil
}
