// SPDX-License-Identifier: Apache-2.0

package backendtest

import (
	"bytes"
	"context"

	"github.com/daybook-db/daybook"
)

var clockCases = []testCase{
	{"remembers the last state", "ClockState returns what SetClockState was given last, byte for byte; nil at first",
		clockRemembers},
	{"keeps no slice", "the state is the backend's own: the caller may change what it gave and what it got",
		clockKeepsNoSlice},
	{"beside the values", "the state is no value: no query and no deletion sees it", clockBesideValues},
	{"too long", "a state of more than MaxClockStateLen bytes is daybook.ErrValueTooLarge, and changes nothing",
		clockTooLong},
}

func (s *subject) clock() daybook.ClockMemory { return abilityOf[daybook.ClockMemory](s) }

// clockCalls returns a call of each method of daybook.ClockMemory.
func clockCalls(ctx context.Context, s *subject) []call {
	b, ok := daybook.As[daybook.ClockMemory](s.backend)
	if !ok {
		return nil
	}
	return []call{
		{"SetClockState", func() error { return b.SetClockState(ctx, []byte("1")) }},
		{"ClockState", func() error { _, err := b.ClockState(ctx); return err }},
	}
}

func (s *subject) setClock(state []byte) {
	s.Helper()
	if err := s.clock().SetClockState(s.Context(), state); err != nil {
		s.Fatalf("SetClockState: %v\nwhy: %s", err, s.why)
	}
}

func (s *subject) wantClock(want []byte) {
	s.Helper()
	got, err := s.clock().ClockState(s.Context())
	if err != nil || !bytes.Equal(got, want) || (got == nil) != (want == nil) {
		s.wrong("ClockState returns %q, %v; want %q", got, err, want)
	}
}

func clockRemembers(s *subject) {
	s.wantClock(nil)
	s.setClock([]byte("a state\x00\xff"))
	s.wantClock([]byte("a state\x00\xff"))
	s.setClock([]byte("b"))
	s.wantClock([]byte("b"))
	s.setClock(bytes.Repeat([]byte("c"), daybook.MaxClockStateLen))
	s.wantClock(bytes.Repeat([]byte("c"), daybook.MaxClockStateLen))
	s.setClock(nil)
	s.wantClock(nil)
}

func clockKeepsNoSlice(s *subject) {
	given := []byte("state")
	s.setClock(given)
	given[0] = 'X'
	s.wantClock([]byte("state"))
	got, err := s.clock().ClockState(s.Context())
	if err == nil && len(got) > 0 {
		got[0] = 'X'
	}
	s.wantClock([]byte("state"))
}

func clockBesideValues(s *subject) {
	s.setClock([]byte("state"))
	s.want("*", daybook.QueryParams{})
	s.store(row{"r", "1", 1})
	s.cleanup(2, 1)
	s.want("*", daybook.QueryParams{})
	s.wantClock([]byte("state"))
}

func clockTooLong(s *subject) {
	s.setClock([]byte("state"))
	err := s.clock().SetClockState(s.Context(), make([]byte, daybook.MaxClockStateLen+1))
	s.wantError("SetClockState with a long state", err, daybook.ErrValueTooLarge)
	s.wantClock([]byte("state"))
}
