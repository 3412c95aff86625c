// SPDX-License-Identifier: Apache-2.0

package backendtest

import (
	"context"
	"errors"
	"fmt"

	"github.com/daybook-db/daybook"
)

var watchCases = []testCase{
	{"what matches, in order",
		"Watch sends the values of matching records that are stored after the call, in the order " +
			"in which they were stored",
		watchMatches},
	{"a slow watcher",
		"a watcher that is too slow misses the oldest values, is told how many, and slows no writer down",
		watchSlowly},
	{"ends with its context", "the channel is closed when the context ends", watchEnds},
	{"impossible parameters",
		"a malformed pattern is daybook.ErrInvalidPattern, and impossible parameters are daybook.ErrInvalidParams",
		watchImpossible},
}

func (s *subject) watch(ctx context.Context, pattern string, params daybook.WatchParams) <-chan daybook.Event {
	s.Helper()
	events, err := abilityOf[daybook.Watcher](s).Watch(ctx, pattern, params)
	if err != nil {
		s.Fatalf("Watch(%q, %+v): %v\nwhy: %s", pattern, params, err, s.why)
	}
	return events
}

func watchMatches(s *subject) {
	s.store(row{"a.x", "0", 9})
	events := s.watch(s.Context(), "a.*", daybook.WatchParams{})
	s.store(row{"b", "1", 1}, row{"a.x", "2", 5}, row{"a.y.z", "3", 4})
	s.storeTogether(row{"a.x", "4", 4}, row{"c", "5", 4}, row{"a.y", "6", 0})
	sequence := uint64(0)
	for _, want := range []row{{"a.x", "2", 5}, {"a.y.z", "3", 4}, {"a.x", "4", 4}, {"a.y", "6", 0}} {
		event := <-events
		if got := (row{event.RecordName, string(event.Value), event.StoredAt}); got != want || event.Missed > 0 {
			s.wrong("received %v after %d missed; want %v after none", got, event.Missed, want)
		}
		if event.Cursor.Sequence <= sequence {
			s.wrong("sequence number %d follows %d", event.Cursor.Sequence, sequence)
		}
		sequence = event.Cursor.Sequence
	}
}

func watchSlowly(s *subject) {
	const stored = 100
	events := s.watch(s.Context(), "*", daybook.WatchParams{Buffer: 3})
	for i := range uint64(stored) {
		s.store(row{"r", fmt.Sprint(i), i})
	}
	received, missed := uint64(0), uint64(0)
	for {
		event := <-events
		received, missed = received+1, missed+event.Missed
		if event.StoredAt+1 != received+missed {
			s.wrong("value %d came after %d were received and %d were missed", event.StoredAt, received-1, missed)
			return
		}
		if event.StoredAt == stored-1 {
			break
		}
	}
	if received > 3+1 { // one may have left the buffer
		s.wrong("received %d values with a buffer of 3; want at most 4", received)
	}
}

func watchEnds(s *subject) {
	ctx, cancel := context.WithCancel(s.Context())
	events := s.watch(ctx, "*", daybook.WatchParams{})
	cancel()
	for range events {
	}
	s.store(row{"r", "1", 1})
}

func watchImpossible(s *subject) {
	watcher := abilityOf[daybook.Watcher](s)
	_, err := watcher.Watch(s.Context(), "", daybook.WatchParams{})
	s.wantError("Watch with an empty pattern", err, daybook.ErrInvalidPattern)
	_, err = watcher.Watch(s.Context(), "*", daybook.WatchParams{Buffer: -1})
	s.wantError("Watch with a negative buffer", err, daybook.ErrInvalidParams)
	_, err = watcher.Watch(s.Context(), "*", daybook.WatchParams{Syntax: 7})
	s.wantError("Watch with an unknown syntax", err, daybook.ErrInvalidParams)
	cancelled, cancel := context.WithCancel(s.Context())
	cancel()
	if _, err = watcher.Watch(cancelled, "*", daybook.WatchParams{}); !errors.Is(err, context.Canceled) {
		s.wrong("Watch with a cancelled context: got %v; want context.Canceled", err)
	}
}
