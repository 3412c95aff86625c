// SPDX-License-Identifier: Apache-2.0

package backendtest

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"time"

	"github.com/daybook-db/daybook"
)

var contextCases = []testCase{
	{"cancelled before",
		"a call with a cancelled context changes nothing, and returns the context's error",
		cancelledBefore},
	{"past its deadline",
		"a call after its context's deadline changes nothing, and returns the context's error",
		pastDeadline},
}

// everyCall returns a call of each method of the backend. Each call that may change something does
// so, unless it is refused.
func everyCall(ctx context.Context, s *subject) []call {
	calls := []call{
		{"Store", func() error { return s.backend.Store(ctx, "new", json.RawMessage("1"), 1) }},
		{"Query", func() error { _, err := s.backend.Query(ctx, "*", daybook.QueryParams{}); return err }},
		{"Initialize", func() error { return s.backend.Initialize(ctx) }},
		{"Cleanup", func() error { _, err := s.backend.Cleanup(ctx, math.MaxUint64); return err }},
	}
	if b, ok := s.backend.(daybook.BatchStorer); ok {
		calls = append(calls, call{"StoreBatch", func() error {
			return b.StoreBatch(ctx, []daybook.StoredValue{stored("new", "1", 1), stored("new", "2", 2)})
		}})
	}
	if b, ok := s.backend.(daybook.Scanner); ok {
		calls = append(calls, call{"Scan", func() error {
			return drain(s, "Scan", b.Scan(ctx, "*", daybook.QueryParams{}))
		}})
	}
	if b, ok := s.backend.(daybook.RecordLister); ok {
		calls = append(calls, call{"Records", func() error {
			return drain(s, "Records", b.Records(ctx, "*", daybook.Glob))
		}})
	}
	if b, ok := s.backend.(daybook.Pruner); ok {
		calls = append(calls, call{"Prune", func() error {
			_, err := b.Prune(ctx, "*", daybook.PruneParams{OlderThan: math.MaxUint64})
			return err
		}})
	}
	if b, ok := s.backend.(daybook.Watcher); ok {
		calls = append(calls, call{"Watch", func() error {
			_, err := b.Watch(ctx, "*", daybook.WatchParams{})
			return err
		}})
	}
	if b, ok := s.backend.(daybook.ChangeSource); ok {
		calls = append(calls, call{"Changes", func() error {
			return drain(s, "Changes", b.Changes(ctx, daybook.ChangesParams{}))
		}})
	}
	if b, ok := s.backend.(daybook.Statser); ok {
		calls = append(calls, call{"Stats", func() error { _, err := b.Stats(ctx); return err }})
	}
	calls = append(append(calls, holdCalls(ctx, s)...), receiveCalls(ctx, s)...)
	calls = append(calls, clockCalls(ctx, s)...)
	return append(calls, maintenanceCalls(ctx, s)...)
}

func cancelledBefore(s *subject) {
	ctx, cancel := context.WithCancel(s.Context())
	cancel()
	s.wantRefused(ctx, context.Canceled)
}

func pastDeadline(s *subject) {
	ctx, cancel := context.WithDeadline(s.Context(), time.Unix(0, 0))
	defer cancel()
	s.wantRefused(ctx, context.DeadlineExceeded)
}

// wantRefused verifies that every method returns the error of ctx and changes nothing.
func (s *subject) wantRefused(ctx context.Context, want error) {
	s.Helper()
	s.store(row{"r", `"before"`, 5}, row{"r", `"before"`, 6})
	for _, call := range everyCall(ctx, s) {
		if err := call.do(); !errors.Is(err, want) {
			s.wrong("%s: got error %v; want %v", call.name, err, want)
		}
	}
	s.want("*", daybook.QueryParams{}, row{"r", `"before"`, 6}, row{"r", `"before"`, 5})
}
