// SPDX-License-Identifier: Apache-2.0

package backendtest

import (
	"context"
	"errors"
	"io"

	"github.com/daybook-db/daybook"
)

var maintenanceCases = []testCase{
	{"changes no value", "Check, Backup, Compact and Checkpoint work in an undamaged backend, and change no value",
		maintainUnchanged},
}

// maintenanceCalls returns a call of each of these methods that the backend has, and logs which it
// does not have.
func maintenanceCalls(ctx context.Context, s *subject) []call {
	calls := []call{}
	if b, ok := daybook.As[daybook.Checkpointer](s.backend); ok {
		calls = append(calls, call{"Checkpoint", func() error { return b.Checkpoint(ctx) }})
	} else {
		s.logMissing("daybook.Checkpointer")
	}
	if b, ok := daybook.As[daybook.Compacter](s.backend); ok {
		calls = append(calls, call{"Compact", func() error { return b.Compact(ctx) }})
	} else {
		s.logMissing("daybook.Compacter")
	}
	if b, ok := daybook.As[daybook.BackerUp](s.backend); ok {
		calls = append(calls, call{"Backup", func() error { return b.Backup(ctx, io.Discard) }})
	} else {
		s.logMissing("daybook.BackerUp")
	}
	if b, ok := daybook.As[daybook.Checker](s.backend); ok {
		calls = append(calls, call{"Check", func() error { return b.Check(ctx) }})
	} else {
		s.logMissing("daybook.Checker")
	}
	return calls
}

// logMissing logs that the backend does not have an optional interface.
func (s *subject) logMissing(name string) {
	s.Helper()
	s.Logf("left out: %T is no %s", s.backend, name)
}

func maintainUnchanged(s *subject) {
	want := []row{{"a", "1", 1}, {"a", "2", 1}, {"b", `"three"`, 0}, {"b", "4", s.limits.maxTimestamp()}}
	s.store(want...)
	for _, call := range maintenanceCalls(s.Context(), s) {
		if err := call.do(); err != nil && !(call.name == "Compact" && errors.Is(err, errors.ErrUnsupported)) {
			s.wrong("%s: %v", call.name, err)
		}
		s.want("*", daybook.QueryParams{Order: daybook.OldestFirst}, want...)
	}
	s.store(row{"c", "5", 5})
	s.want("c", daybook.QueryParams{}, row{"c", "5", 5})
}
