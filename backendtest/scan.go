// SPDX-License-Identifier: Apache-2.0

package backendtest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook"
)

var scanCases = []testCase{
	{"equals query", "Scan yields the values that Query would return, in the same order", scanEqualsQuery},
	{"leaving early", "a loop may end early, and the backend still works", leaveScanEarly},
	{"panicking within", "a panic in the loop reaches the caller, and the backend still works", panicWithinScan},
	{"begins with the loop",
		"the snapshot is taken when the iteration starts, and each iteration takes a new one",
		scanStartsLate},
	{"is a snapshot",
		"a scan yields one snapshot, without the values that its loop stores, and with those that it deletes",
		scanIsSnapshot},
	{"what it yields may be kept", "the caller may keep the yielded values", scanMayBeKept},
	{"cancelled within",
		"a scan whose context is cancelled ends early with the context's error, or at its end",
		cancelWithinScan},
}

// drain iterates to the end of a sequence and returns its error. The error must be yielded once, as
// the last element.
func drain[T any](s *subject, what string, sequence iter.Seq2[T, error]) error {
	s.Helper()
	var last error
	for element, err := range sequence {
		if last != nil {
			s.wrong("%s yields %+v, %v after the error %v; want an error once, as the last element",
				what, element, err, last)
			return last
		}
		last = err
	}
	return last
}

// scan returns the values that a scan yields.
func (s *subject) scan(pattern string, params daybook.QueryParams) []daybook.StoredValue {
	s.Helper()
	var values []daybook.StoredValue
	for v, err := range abilityOf[daybook.Scanner](s).Scan(s.Context(), pattern, params) {
		if err != nil {
			s.Fatalf("Scan(%q, %s): %v\nwhy: %s", pattern, describe(params), err, s.why)
		}
		values = append(values, v)
	}
	return values
}

func scanEqualsQuery(s *subject) {
	for i := range uint64(15) {
		at := i * 7 % 11 // some timestamps are equal
		s.store(row{"a", fmt.Sprint(i), at}, row{"a.b", fmt.Sprint(i), at + 3}, row{"z", fmt.Sprint(i), 100 - i})
	}
	start, end := uint64(4), uint64(95)
	ranges := [][2]*uint64{{nil, nil}, {&start, nil}, {nil, &end}, {&start, &end}, {&end, &start}}
	for _, pattern := range []string{"*", "a", "a*", "z", "nothing"} {
		for _, limit := range []int{0, 1, 4, 100} {
			for _, order := range []daybook.Order{daybook.NewestFirst, daybook.OldestFirst} {
				for _, bounds := range ranges {
					s.scanIsQuery(pattern, daybook.QueryParams{
						LimitPerRecord: limit, Order: order, StartTime: bounds[0], EndTime: bounds[1],
					})
				}
			}
		}
	}
	s.scanIsQuery("*", daybook.QueryParams{Syntax: daybook.Topic})
}

// scanIsQuery compares a scan with a query.
func (s *subject) scanIsQuery(pattern string, params daybook.QueryParams) {
	s.Helper()
	if diff := cmp.Diff(s.rows(s.query(pattern, params)), s.rows(s.scan(pattern, params))); diff != "" {
		s.wrong("Scan(%q, %s) differs from Query (-query +scan):\n%s", pattern, describe(params), diff)
	}
}

func leaveScanEarly(s *subject) {
	s.store(row{"a", "1", 1}, row{"a", "2", 2}, row{"b", "3", 3})
	for leaveAfter := 1; leaveAfter <= 3; leaveAfter++ {
		seen := 0
		for _, err := range abilityOf[daybook.Scanner](s).Scan(s.Context(), "*", daybook.QueryParams{}) {
			if err != nil {
				s.Fatalf("Scan: %v", err)
			}
			if seen++; seen == leaveAfter {
				break
			}
		}
		if seen != leaveAfter {
			s.wrong("Scan yielded %d values to a loop that leaves after %d", seen, leaveAfter)
		}
	}
	s.cleanup(3, 2)
	s.want("*", daybook.QueryParams{}, row{"b", "3", 3})
}

func panicWithinScan(s *subject) {
	s.store(row{"r", "1", 1})
	func() {
		defer func() {
			if cause := recover(); cause != "mine" {
				s.wrong("recovered %v; want the panic of the loop", cause)
			}
		}()
		for range abilityOf[daybook.Scanner](s).Scan(s.Context(), "*", daybook.QueryParams{}) {
			panic("mine")
		}
	}()
	s.store(row{"r", "2", 2})
	s.cleanup(2, 1)
	s.want("*", daybook.QueryParams{}, row{"r", "2", 2})
}

func scanStartsLate(s *subject) {
	s.store(row{"r", "1", 1})
	sequence := abilityOf[daybook.Scanner](s).Scan(s.Context(), "*", daybook.QueryParams{})
	for i := range uint64(2) {
		s.store(row{"r", "2", 2 + i})
		seen := 0
		for range sequence {
			seen++
		}
		if want := int(2 + i); seen != want {
			s.wrong("a loop over the result of an earlier call yields %d values; want %d", seen, want)
		}
	}
}

func scanIsSnapshot(s *subject) {
	if s.limits.ScanBlocksWrites {
		s.Log("left out: Capabilities.ScanBlocksWrites")
		return
	}
	want := []row{{"a", "1", 1}, {"b", "2", 2}, {"c", "3", 3}}
	s.store(want...)
	got := []daybook.StoredValue{}
	for v, err := range abilityOf[daybook.Scanner](s).Scan(s.Context(), "*", daybook.QueryParams{}) {
		if err != nil {
			s.Fatalf("Scan: %v", err)
		}
		got = append(got, v)
		switch v.RecordName {
		case "a":
			s.store(row{"a", "4", 0}, row{"b", "5", 5}, row{"c", "6", 6}, row{"d", "7", 7})
		case "b":
			s.cleanup(6, 5)
		}
	}
	if diff := cmp.Diff(s.comparable(want), s.rows(got)); diff != "" {
		s.wrong("Scan with a Store and a Cleanup within its loop (-want +got):\n%s", diff)
	}
	s.wantNames("*", daybook.Glob, "c", "d")
}

func scanMayBeKept(s *subject) {
	var want []row
	for i := range 50 {
		want = append(want, row{"r", `"` + pseudoText(i*20) + `"`, uint64(i)})
	}
	s.store(want...)
	kept := s.scan("r", daybook.QueryParams{Order: daybook.OldestFirst})
	s.scan("r", daybook.QueryParams{})
	s.cleanup(50, 50)
	s.store(row{"r", `"` + pseudoText(3000) + `"`, 1})
	if !slices.Equal(s.comparable(want), s.rows(kept)) {
		s.wrong("yielded values have changed: got %v; want %v", s.rows(kept), s.comparable(want))
	}
}

func cancelWithinScan(s *subject) {
	for i := range uint64(50) {
		s.store(row{"r", "1", i})
	}
	ctx, cancel := context.WithCancel(s.Context())
	defer cancel()
	seen := 0
	err := drain(s, "Scan", func(yield func(daybook.StoredValue, error) bool) {
		for v, err := range abilityOf[daybook.Scanner](s).Scan(ctx, "*", daybook.QueryParams{}) {
			if cancel(); err == nil {
				seen++
			}
			if !yield(v, err) {
				return
			}
		}
	})
	if seen != 50 && !errors.Is(err, context.Canceled) || err != nil && !errors.Is(err, context.Canceled) {
		s.wrong("a cancelled scan yielded %d of 50 values and ended with %v; want all of them, or context.Canceled",
			seen, err)
	}
}
