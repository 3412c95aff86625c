// SPDX-License-Identifier: Apache-2.0

package backendtest

import (
	"fmt"
	"math"

	"github.com/daybook-db/daybook"
)

var errorCases = []testCase{
	{"malformed patterns",
		"a malformed pattern is daybook.ErrInvalidPattern in every method that takes one, and changes nothing",
		malformedPatterns},
	{"impossible parameters",
		"impossible parameters are daybook.ErrInvalidParams, and change nothing",
		impossibleParams},
	{"in an empty backend", "invalid input is an error whether there are records or not", errorsWhenEmpty},
}

var initializeCases = []testCase{
	{"again", "Initialize may be called again, and changes nothing then", initializeAgain},
}

func malformedPatterns(s *subject) {
	tests := []struct {
		pattern string
		syntax  daybook.PatternSyntax
		reason  string // why the row is here
	}{
		{"", daybook.Glob, "no name is empty"},
		{"", daybook.Topic, "no name is empty"},
		{`\`, daybook.Glob, "it escapes nothing"},
		{`r\`, daybook.Glob, "it escapes nothing"},
		{`*\`, daybook.Glob, "it escapes nothing, also after a wildcard"},
		{`r\\\`, daybook.Glob, "the third backslash escapes nothing"},
	}
	s.store(row{"r", `"before"`, 5})
	for _, test := range tests {
		for _, call := range patternCalls(s, test.pattern, test.syntax) {
			what := fmt.Sprintf("%s with the %s pattern %q (%s)", call.name, test.syntax, test.pattern, test.reason)
			s.wantError(what, call.do(), daybook.ErrInvalidPattern)
		}
	}
	s.want("*", daybook.QueryParams{}, row{"r", `"before"`, 5})
}

// call is a call of a method, with its arguments.
type call struct {
	name string
	do   func() error
}

// patternCalls returns a call of each method that takes a pattern. That of Prune would delete
// everything.
func patternCalls(s *subject, pattern string, syntax daybook.PatternSyntax) []call {
	ctx := s.Context()
	calls := []call{{"Query", func() error {
		_, err := s.backend.Query(ctx, pattern, daybook.QueryParams{Syntax: syntax})
		return err
	}}}
	if b, ok := daybook.As[daybook.Scanner](s.backend); ok {
		calls = append(calls, call{"Scan", func() error {
			return drain(s, "Scan", b.Scan(ctx, pattern, daybook.QueryParams{Syntax: syntax}))
		}})
	}
	if b, ok := daybook.As[daybook.RecordLister](s.backend); ok {
		calls = append(calls, call{"Records", func() error {
			return drain(s, "Records", b.Records(ctx, pattern, syntax))
		}})
	}
	if b, ok := daybook.As[daybook.Pruner](s.backend); ok {
		calls = append(calls, call{"Prune", func() error {
			_, err := b.Prune(ctx, pattern, daybook.PruneParams{Syntax: syntax, OlderThan: math.MaxUint64})
			return err
		}})
	}
	return calls
}

func impossibleParams(s *subject) {
	tests := []struct {
		name   string
		params daybook.QueryParams
	}{
		{"negative limit", daybook.Latest(-1)},
		{"smallest limit", daybook.Latest(math.MinInt)},
		{"unknown order", daybook.QueryParams{Order: 7}},
		{"negative order", daybook.QueryParams{Order: -1}},
		{"unknown syntax", daybook.QueryParams{Syntax: 7}},
		{"negative syntax", daybook.QueryParams{Syntax: -1}},
	}
	s.store(row{"r", `"before"`, 5})
	for _, test := range tests {
		_, err := s.backend.Query(s.Context(), "*", test.params)
		s.wantError("Query with "+test.name, err, daybook.ErrInvalidParams)
		if b, ok := daybook.As[daybook.Scanner](s.backend); ok {
			err := drain(s, "Scan", b.Scan(s.Context(), "*", test.params))
			s.wantError("Scan with "+test.name, err, daybook.ErrInvalidParams)
		}
	}
	for _, call := range patternCalls(s, "*", 7) {
		s.wantError(call.name+" with an unknown syntax", call.do(), daybook.ErrInvalidParams)
	}
	s.want("*", daybook.QueryParams{}, row{"r", `"before"`, 5})
}

func errorsWhenEmpty(s *subject) {
	_, err := s.backend.Query(s.Context(), `\`, daybook.QueryParams{})
	s.wantError(`Query of \`, err, daybook.ErrInvalidPattern)
	_, err = s.backend.Query(s.Context(), "*", daybook.Latest(-1))
	s.wantError("Query with a negative limit", err, daybook.ErrInvalidParams)
	_, err = s.backend.Query(s.Context(), "", daybook.Between(2, 1))
	s.wantError("Query of an empty pattern and an empty range", err, daybook.ErrInvalidPattern)
}

func initializeAgain(s *subject) {
	s.store(row{"r", "1", 1})
	for range 2 {
		if err := s.backend.Initialize(s.Context()); err != nil {
			s.wrong("Initialize again: %v", err)
		}
	}
	s.store(row{"r", "2", 2})
	s.want("*", daybook.QueryParams{}, row{"r", "2", 2}, row{"r", "1", 1})
}
