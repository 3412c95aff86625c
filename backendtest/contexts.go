// SPDX-License-Identifier: Apache-2.0

package backendtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
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
	{"ends during a call",
		"a call whose context ends meanwhile returns soon, and if it is not done, with the context's error; " +
			"a deletion returns the number of the values that it has deleted",
		endsDuring},
	{"ends during a wait", "a call whose context ends while another call runs returns soon", endsDuringWait},
}

// maxOverrun is how long after the end of its context a call may return. It is generous, because
// the machine has other work.
var maxOverrun = 5 * time.Second

// hostile is a pattern that takes a long time for each of the names of storeHostile.
var hostile = "*a" + strings.Repeat("?", 500) + "b*"

// storeHostile stores a value in each of many records, a part of which have long names.
func (s *subject) storeHostile() (values []daybook.StoredValue) {
	s.Helper()
	for i := range 10_000 {
		name := fmt.Sprint(i)
		if i%10 == 0 {
			name = strings.Repeat("a", 1000) + name
		}
		values = append(values, stored(name, "1", uint64(i)))
	}
	b, ok := daybook.As[daybook.BatchStorer](s.backend)
	if !ok {
		values = values[:1000]
		for _, v := range values {
			s.store(row{v.RecordName, string(v.Value), v.StoredAt})
		}
		return values
	}
	if err := b.StoreBatch(s.Context(), values); err != nil {
		s.Fatal(err)
	}
	return values
}

// longCalls returns calls that take long.
func longCalls(ctx context.Context, s *subject) []call {
	calls := []call{{"Query", func() error {
		_, err := s.backend.Query(ctx, hostile, daybook.QueryParams{})
		return err
	}}}
	if b, ok := daybook.As[daybook.Scanner](s.backend); ok {
		calls = append(calls, call{"Scan", func() error {
			return drain(s, "Scan", b.Scan(ctx, hostile, daybook.Latest(1)))
		}})
	}
	if b, ok := daybook.As[daybook.RecordLister](s.backend); ok {
		calls = append(calls, call{"Records", func() error {
			return drain(s, "Records", b.Records(ctx, hostile, daybook.Glob))
		}})
	}
	if b, ok := daybook.As[daybook.ChangeSource](s.backend); ok {
		params := daybook.ChangesParams{Pattern: daybook.Pattern{Text: hostile}}
		calls = append(calls, call{"Changes", func() error { return drain(s, "Changes", b.Changes(ctx, params)) }})
	}
	if b, ok := daybook.As[daybook.Holder](s.backend); ok {
		hold := daybook.Hold{Name: "long", Pattern: daybook.Pattern{Text: hostile}, MaxBytes: 1}
		calls = append(calls, call{"SetHold", func() error { return b.SetHold(ctx, hold) }})
		calls = append(calls, call{"Holds", func() error { _, err := b.Holds(ctx); return err }})
	}
	return calls
}

// longDeletions returns deletions that take long. Each adds what it has deleted to deleted.
func longDeletions(ctx context.Context, s *subject, deleted *uint64) (calls []call) {
	add := func(n uint64, err error) error { *deleted += n; return err }
	if b, ok := daybook.As[daybook.Pruner](s.backend); ok {
		by := func(pattern string, params daybook.PruneParams) func() error {
			return func() error { return add(b.Prune(ctx, pattern, params)) }
		}
		except := []daybook.Pattern{{Text: hostile}, {Text: "*1"}}
		calls = append(calls,
			call{"Prune by age", by(hostile, daybook.PruneParams{OlderThan: 5000})},
			call{"Prune by size", by(hostile, daybook.PruneParams{MaxBytes: 1})},
			call{"Prune from the future", by(hostile, daybook.PruneParams{NewerThan: 5000})},
			call{"Prune with exceptions", by("*", daybook.PruneParams{OlderThan: 5000, Except: except})})
	}
	return append(calls, call{"Cleanup", func() error { return add(s.backend.Cleanup(ctx, 9000)) }})
}

func endsDuring(s *subject) {
	before := len(s.storeHostile())
	deleted := uint64(0)
	for i := 0; ; i++ {
		ctx, cancel := context.WithTimeout(s.Context(), 20*time.Millisecond)
		calls := append(longCalls(ctx, s), longDeletions(ctx, s, &deleted)...)
		if i == len(calls) {
			cancel()
			break
		}
		err := s.returnsSoon(ctx, calls[i])
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			s.wrong("%s: got error %v; want the context's, or none", calls[i].name, err)
		}
		cancel()
	}
	if after := len(s.query("*", daybook.QueryParams{})); uint64(before-after) != deleted {
		s.wrong("of %d values %d are there; the deletions say that they deleted %d", before, after, deleted)
	}
}

// endsDuringWait makes calls while a query runs that takes long.
func endsDuringWait(s *subject) {
	s.storeHostile()
	long, end := context.WithCancel(s.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = s.backend.Query(long, hostile, daybook.QueryParams{})
	}()
	defer func() { end(); <-ended }()
	for i := 0; ; i++ {
		ctx, cancel := context.WithTimeout(s.Context(), 20*time.Millisecond)
		calls := everyCall(ctx, s)
		if i == 2*len(calls) { // the first calls may be made before the query begins
			cancel()
			break
		}
		_ = s.returnsSoon(ctx, calls[i%len(calls)])
		cancel()
	}
}

// returnsSoon makes a call, and ends the test if the call does not return soon after the end of its
// context.
func (s *subject) returnsSoon(ctx context.Context, c call) error {
	s.Helper()
	returned := make(chan error, 1)
	go func() { returned <- c.do() }()
	deadline, _ := ctx.Deadline()
	select {
	case err := <-returned:
		return err
	case <-time.After(time.Until(deadline) + maxOverrun):
		s.wrong("%s has not returned %v after the end of its context", c.name, maxOverrun)
		s.FailNow()
		return nil
	}
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
	if b, ok := daybook.As[daybook.BatchStorer](s.backend); ok {
		calls = append(calls, call{"StoreBatch", func() error {
			return b.StoreBatch(ctx, []daybook.StoredValue{stored("new", "1", 1), stored("new", "2", 2)})
		}})
	}
	if b, ok := daybook.As[daybook.Scanner](s.backend); ok {
		calls = append(calls, call{"Scan", func() error {
			return drain(s, "Scan", b.Scan(ctx, "*", daybook.QueryParams{}))
		}})
	}
	if b, ok := daybook.As[daybook.RecordLister](s.backend); ok {
		calls = append(calls, call{"Records", func() error {
			return drain(s, "Records", b.Records(ctx, "*", daybook.Glob))
		}})
	}
	if b, ok := daybook.As[daybook.Pruner](s.backend); ok {
		calls = append(calls, call{"Prune", func() error {
			_, err := b.Prune(ctx, "*", daybook.PruneParams{OlderThan: math.MaxUint64})
			return err
		}})
	}
	if b, ok := daybook.As[daybook.Watcher](s.backend); ok {
		calls = append(calls, call{"Watch", func() error {
			_, err := b.Watch(ctx, "*", daybook.WatchParams{})
			return err
		}})
	}
	if b, ok := daybook.As[daybook.ChangeSource](s.backend); ok {
		calls = append(calls, call{"Changes", func() error {
			return drain(s, "Changes", b.Changes(ctx, daybook.ChangesParams{}))
		}})
	}
	if b, ok := daybook.As[daybook.Statser](s.backend); ok {
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
