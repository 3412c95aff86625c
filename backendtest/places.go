// SPDX-License-Identifier: Apache-2.0

package backendtest

import (
	"fmt"
	"math"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook"
)

var placeCases = []testCase{
	{"the pieces are the whole",
		"a result that is read in pieces has each value once, in the same order as the result at once",
		piecesAreWhole},
	{"a limit counts from the place", "LimitPerRecord counts the values of a record after the place", limitAfterPlace},
	{"within equal times", "a place may be between values with equal timestamps", placeWithinTies},
	{"where no value is", "a place stays a place when its value is deleted, and may be anywhere", placeWithoutValue},
	{"with the extreme timestamps", "any uint64 may be the time of a place", placeAtExtremes},
	{"values stored meanwhile",
		"a value that is stored between two pieces is in the next one if it comes after the place",
		storedBetweenPieces},
	{"impossible places", "a malformed place is daybook.ErrInvalidParams", impossiblePlaces},
}

// someHistory stores values of records whose names are prefixes of one another. Many have equal
// timestamps.
func someHistory(s *subject) {
	for i := range uint64(12) {
		s.store(row{"a", fmt.Sprint(i), i * 7 % 5}, row{"a.b", fmt.Sprint(i), i / 4})
		s.store(row{"a0", "0", 9}, row{"z", "1", 12 - i})
	}
}

func piecesAreWhole(s *subject) {
	someHistory(s)
	for _, params := range []daybook.QueryParams{{}, daybook.Between(2, 9), daybook.Since(3), daybook.Until(0)} {
		for _, order := range []daybook.Order{daybook.NewestFirst, daybook.OldestFirst} {
			for _, pattern := range []string{"*", "a", "a.*", "?", "z"} {
				for _, piece := range []int{1, 2, 5, 100} {
					params.Order = order
					s.piecesAre(pattern, params, piece, s.rows(s.query(pattern, params)))
				}
			}
		}
	}
}

// piecesAre reads a result in pieces of some values, by Query and by Scan, and compares them.
func (s *subject) piecesAre(pattern string, params daybook.QueryParams, piece int, want []row) {
	s.Helper()
	place, got := &daybook.Place{}, []daybook.StoredValue{}
	for {
		params.After = place
		values := s.query(pattern, params)
		if scanner.of(s.backend) {
			s.scanIsQuery(pattern, params)
		}
		values = values[:min(piece, len(values))]
		if got = append(got, values...); len(values) == 0 || len(got) > len(want) {
			break
		}
		for _, v := range values {
			place.Advance(v.RecordName, v.StoredAt)
		}
	}
	if diff := cmp.Diff(want, s.rows(got)); diff != "" {
		s.wrong("%q, %s, in pieces of %d (-want +got):\n%s", pattern, describe(params), piece, diff)
	}
}

func limitAfterPlace(s *subject) {
	s.store(row{"a", "1", 1}, row{"a", "2", 2}, row{"a", "3", 2}, row{"a", "4", 3}, row{"b", "5", 1}, row{"b", "6", 9})
	params := daybook.Latest(1)
	params.After = &daybook.Place{RecordName: "a", StoredAt: 3, Ties: 1}
	s.want("*", params, row{"a", "3", 2}, row{"b", "6", 9})
	params.After = &daybook.Place{RecordName: "a", StoredAt: 2, Ties: 1}
	s.want("*", params, row{"a", "2", 2}, row{"b", "6", 9})
	params.LimitPerRecord = 2
	s.want("*", params, row{"a", "2", 2}, row{"a", "1", 1}, row{"b", "6", 9}, row{"b", "5", 1})
	s.want("*", params.OldestFirst(), row{"a", "3", 2}, row{"a", "4", 3}, row{"b", "5", 1}, row{"b", "6", 9})
	params.LimitPerRecord = math.MaxInt
	s.want("a", params, row{"a", "2", 2}, row{"a", "1", 1})
}

func placeWithinTies(s *subject) {
	for i := range 6 {
		s.store(row{"r", fmt.Sprint(i), 5})
	}
	s.store(row{"r", "6", 6}, row{"r", "7", 4})
	for ties := range 8 {
		params := daybook.QueryParams{After: &daybook.Place{RecordName: "r", StoredAt: 5, Ties: ties}}
		newest, oldest := []row{}, []row{}
		for i := ties; i < 6; i++ {
			newest, oldest = append(newest, row{"r", fmt.Sprint(5 - i), 5}), append(oldest, row{"r", fmt.Sprint(i), 5})
		}
		s.want("r", params, append(newest, row{"r", "7", 4})...)
		s.want("r", params.OldestFirst(), append(oldest, row{"r", "6", 6})...)
	}
}

func placeWithoutValue(s *subject) {
	s.store(row{"b", "1", 1}, row{"b", "3", 3}, row{"d", "4", 4})
	for _, test := range []struct {
		place  daybook.Place
		want   []row
		reason string
	}{
		{daybook.Place{}, []row{{"b", "3", 3}, {"b", "1", 1}, {"d", "4", 4}}, "the beginning"},
		{daybook.Place{RecordName: "a", Ties: 1}, []row{{"b", "3", 3}, {"b", "1", 1}, {"d", "4", 4}},
			"before the first record"},
		{daybook.Place{RecordName: "b", StoredAt: 9, Ties: 3}, []row{{"b", "3", 3}, {"b", "1", 1}, {"d", "4", 4}},
			"before the first value of the record"},
		{daybook.Place{RecordName: "b", StoredAt: 2, Ties: 3}, []row{{"b", "1", 1}, {"d", "4", 4}},
			"between two times"},
		{daybook.Place{RecordName: "b", StoredAt: 0}, []row{{"d", "4", 4}}, "after the last value of the record"},
		{daybook.Place{RecordName: "c", StoredAt: 4}, []row{{"d", "4", 4}}, "between two records"},
		{daybook.Place{RecordName: "d", StoredAt: 4, Ties: 1}, nil, "after the last value"},
		{daybook.Place{RecordName: "e", StoredAt: 4}, nil, "after the last record"},
	} {
		s.want("*", daybook.QueryParams{After: &test.place}, test.want...)
		s.want("nothing*", daybook.QueryParams{After: &test.place})
	}
	after := &daybook.Place{RecordName: "c"}
	s.want("b", daybook.QueryParams{After: after})
	s.want("d", daybook.QueryParams{After: after}, row{"d", "4", 4})
}

func placeAtExtremes(s *subject) {
	greatest := s.limits.maxTimestamp()
	s.store(row{"r", "1", 0}, row{"r", "2", greatest})
	for _, at := range []uint64{greatest, math.MaxUint64} {
		params := daybook.QueryParams{After: &daybook.Place{RecordName: "r", StoredAt: at}}
		s.want("r", params, row{"r", "2", greatest}, row{"r", "1", 0})
	}
	params := daybook.QueryParams{After: &daybook.Place{RecordName: "r", StoredAt: greatest, Ties: 1}}
	s.want("r", params, row{"r", "1", 0})
	s.want("r", params.OldestFirst())
	params.After = &daybook.Place{RecordName: "r", StoredAt: 0, Ties: 1}
	s.want("r", params)
	s.want("r", params.OldestFirst(), row{"r", "2", greatest})
}

func storedBetweenPieces(s *subject) {
	s.store(row{"b", "1", 10}, row{"b", "2", 20}, row{"c", "3", 5})
	params := daybook.QueryParams{After: &daybook.Place{RecordName: "b", StoredAt: 20, Ties: 1}}
	s.store(row{"a", "4", 1}, row{"b", "5", 30}, row{"b", "6", 15}, row{"bb", "7", 99})
	s.want("*", params, row{"b", "6", 15}, row{"b", "1", 10}, row{"bb", "7", 99}, row{"c", "3", 5})
	s.cleanup(16, 4)
	s.want("*", params, row{"bb", "7", 99})
}

func impossiblePlaces(s *subject) {
	s.store(row{"r", "1", 1})
	for _, place := range []daybook.Place{
		{RecordName: "r", StoredAt: 1, Ties: -1},
		{RecordName: "a\x00b", StoredAt: 1},
		{RecordName: "\xff", StoredAt: 1},
		{StoredAt: 1}, // not the beginning: its record has been forgotten
		{Ties: 1},
	} {
		_, err := s.backend.Query(s.Context(), "*", daybook.QueryParams{After: &place})
		s.wantError(fmt.Sprintf("Query after %+v", place), err, daybook.ErrInvalidParams)
	}
}
