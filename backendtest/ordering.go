// SPDX-License-Identifier: Apache-2.0

package backendtest

import (
	"fmt"
	"slices"

	"github.com/daybook-db/daybook"
)

var orderingCases = []testCase{
	{"by name, then time",
		"results are ordered by record name, bytewise ascending, then by time in the requested order",
		resultOrder},
	{"names bytewise", "record names are compared byte by byte, whatever the language", nameOrder},
	{"names that are prefixes of one another", "a value belongs to the record with exactly its name", prefixNames},
	{"a backfill", "timestamps may be stored in any order", backfill},
	{"the latest has the greatest timestamp",
		"the latest value is the value with the greatest timestamp, not the last inserted one",
		latestIsGreatest},
	{"stored backwards and at random", "results are ordered by timestamp, whatever the order of insertion", shuffled},
	{"no match is an empty result", "if nothing matches, the result is empty and the error is nil", noMatch},
}

var equalTimeCases = []testCase{
	{"by insertion",
		"values with equal timestamps are ordered by insertion: newest first returns the last inserted first",
		equalTimes},
	{"nothing overwrites",
		"values with equal record and timestamp are all kept, also equal values",
		nothingOverwrites},
	{"inserted between others",
		"values with equal timestamps are ordered by insertion, however many are inserted between them",
		equalTimesApart},
}

func resultOrder(s *subject) {
	s.store(row{"b", "1", 2}, row{"a", "2", 1}, row{"b", "3", 1}, row{"a", "4", 2})
	s.want("*", daybook.QueryParams{}, row{"a", "4", 2}, row{"a", "2", 1}, row{"b", "1", 2}, row{"b", "3", 1})
	s.want("*", daybook.QueryParams{Order: daybook.OldestFirst},
		row{"a", "2", 1}, row{"a", "4", 2}, row{"b", "3", 1}, row{"b", "1", 2})
}

func nameOrder(s *subject) {
	ordered := []string{"\x01", " ", "B", "a", "a\x01", "a ", "a.", "a.b", "aa", "b", "~", "é", "ä.ö", "漢", "😀"}
	slices.Sort(ordered)
	for _, i := range []int{7, 2, 14, 0, 11, 4, 9, 1, 13, 6, 3, 12, 5, 10, 8} {
		s.storeNames(ordered[i])
	}
	s.wantNames("*", daybook.Glob, ordered...)
	s.wantNames("#", daybook.Topic, ordered...)
}

func prefixNames(s *subject) {
	last := s.limits.maxTimestamp()
	s.store(row{"a", "1", last}, row{"a\x01", "2", 0}, row{"aa", "3", 0}, row{"a", "4", 0}, row{"a.", "5", 5})
	s.want("a", daybook.QueryParams{}, row{"a", "1", last}, row{"a", "4", 0})
	s.want("a", daybook.Since(1), row{"a", "1", last})
	s.want("a\x01", daybook.Latest(1), row{"a\x01", "2", 0})
	s.want("*", daybook.Latest(1), row{"a", "1", last}, row{"a\x01", "2", 0}, row{"a.", "5", 5}, row{"aa", "3", 0})
}

func backfill(s *subject) {
	s.store(row{"r", "1", 100}, row{"r", "2", 200}, row{"r", "3", 50}, row{"r", "4", 40}, row{"r", "5", 150})
	s.want("r", daybook.QueryParams{Order: daybook.OldestFirst},
		row{"r", "4", 40}, row{"r", "3", 50}, row{"r", "1", 100}, row{"r", "5", 150}, row{"r", "2", 200})
	s.want("r", daybook.Latest(1), row{"r", "2", 200})
}

func latestIsGreatest(s *subject) {
	future := min(4_102_444_800_000, s.limits.maxTimestamp()) // the year 2100
	s.store(row{"r", `"future"`, future}, row{"r", `"now"`, 1_750_000_000})
	s.want("r", daybook.Latest(1), row{"r", `"future"`, future})
}

func shuffled(s *subject) {
	const values = 60
	var want []row
	for i := range uint64(values) {
		want = append(want, row{"r", fmt.Sprint(i), i * 10})
	}
	for i := range values {
		s.store(want[(values-1-i)*23%values]) // 23 and 60 have no common factor, so each index comes once
	}
	s.want("r", daybook.QueryParams{Order: daybook.OldestFirst}, want...)
	s.want("r", daybook.QueryParams{Order: daybook.OldestFirst, LimitPerRecord: 7}, want[:7]...)
	slices.Reverse(want)
	s.want("r", daybook.QueryParams{}, want...)
	s.want("r", daybook.Latest(7), want[:7]...)
}

func noMatch(s *subject) {
	s.store(row{"r", "1", 1})
	s.want("nothing", daybook.QueryParams{})
	s.want("nothing*", daybook.Latest(1))
	s.want("nothing.#", daybook.QueryParams{Syntax: daybook.Topic})
}

func equalTimes(s *subject) {
	s.store(row{"r", "1", 7}, row{"r", "2", 7}, row{"r", "3", 7}, row{"r", "4", 7}, row{"r", "5", 7})
	newestFirst := []row{{"r", "5", 7}, {"r", "4", 7}, {"r", "3", 7}, {"r", "2", 7}, {"r", "1", 7}}
	s.want("r", daybook.QueryParams{}, newestFirst...)
	s.want("r", daybook.QueryParams{Order: daybook.OldestFirst, LimitPerRecord: 2}, row{"r", "1", 7}, row{"r", "2", 7})
	s.want("r", daybook.Latest(1), row{"r", "5", 7})
	s.want("r", daybook.Latest(3), newestFirst[:3]...)
	s.want("r", daybook.Between(7, 7), newestFirst...)
}

func nothingOverwrites(s *subject) {
	s.store(row{"r", `"same"`, 7}, row{"r", `"same"`, 7}, row{"r", `"other"`, 7})
	s.want("r", daybook.QueryParams{}, row{"r", `"other"`, 7}, row{"r", `"same"`, 7}, row{"r", `"same"`, 7})
}

func equalTimesApart(s *subject) {
	for i := range uint64(8) {
		s.store(row{"r", fmt.Sprint(i), 50}, row{"r", `"before"`, i}, row{"r", `"after"`, 100 + i})
	}
	var want []row
	for i := range uint64(8) {
		want = append(want, row{"r", fmt.Sprint(i), 50})
	}
	params := daybook.Between(50, 50)
	params.Order = daybook.OldestFirst
	s.want("r", params, want...)
	slices.Reverse(want)
	s.want("r", daybook.Between(50, 50), want...)
}
