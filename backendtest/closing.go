// SPDX-License-Identifier: Apache-2.0

package backendtest

import (
	"errors"
	"io"

	"github.com/daybook-db/daybook"
)

var closingCases = []testCase{
	{"every method after it", "every method of a closed backend returns daybook.ErrClosed", callAfterClose},
	{"closing twice", "Close may be called again, and returns nil or daybook.ErrClosed", closeTwice},
	{"an iteration that starts late",
		"an iteration over a Scan, Records or Changes from before Close that starts after it " +
			"yields daybook.ErrClosed",
		iterateClosed},
	{"the channel of a watcher",
		"the channel of a watcher is closed after Close, when the waiting events have been received",
		closeWatched},
}

func (s *subject) close() {
	s.Helper()
	if err := abilityOf[io.Closer](s).Close(); err != nil {
		s.Fatalf("Close: %v", err)
	}
}

func callAfterClose(s *subject) {
	s.store(row{"r", "1", 1})
	s.close()
	for _, call := range everyCall(s.Context(), s) {
		if err := call.do(); !errors.Is(err, daybook.ErrClosed) {
			s.wrong("%s after Close: got error %v; want daybook.ErrClosed", call.name, err)
		}
	}
}

func closeTwice(s *subject) {
	s.store(row{"r", "1", 1})
	s.close()
	if err := abilityOf[io.Closer](s).Close(); err != nil && !errors.Is(err, daybook.ErrClosed) {
		s.wrong("Close again: got error %v; want nil or daybook.ErrClosed", err)
	}
}

func iterateClosed(s *subject) {
	s.store(row{"r", "1", 1})
	calls := []call{}
	if b, ok := daybook.As[daybook.Scanner](s.backend); ok {
		sequence := b.Scan(s.Context(), "*", daybook.QueryParams{})
		calls = append(calls, call{"Scan", func() error { return drain(s, "Scan", sequence) }})
	}
	if b, ok := daybook.As[daybook.RecordLister](s.backend); ok {
		sequence := b.Records(s.Context(), "*", daybook.Glob)
		calls = append(calls, call{"Records", func() error { return drain(s, "Records", sequence) }})
	}
	if b, ok := daybook.As[daybook.ChangeSource](s.backend); ok {
		sequence := b.Changes(s.Context(), daybook.ChangesParams{})
		calls = append(calls, call{"Changes", func() error { return drain(s, "Changes", sequence) }})
	}
	s.close()
	for _, call := range calls {
		if err := call.do(); !errors.Is(err, daybook.ErrClosed) {
			s.wrong("the loop over %s after Close ends with error %v; want daybook.ErrClosed", call.name, err)
		}
	}
}

func closeWatched(s *subject) {
	var events <-chan daybook.Event
	_, watches := daybook.As[daybook.Watcher](s.backend)
	if watches {
		events = s.watch(s.Context(), "*", daybook.WatchParams{})
	}
	s.store(row{"r", "1", 1})
	s.close()
	if !watches {
		return
	}
	for range events {
	}
}
