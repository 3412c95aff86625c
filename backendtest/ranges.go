// SPDX-License-Identifier: Apache-2.0

package backendtest

import (
	"encoding/json"
	"fmt"
	"math"

	"github.com/daybook-db/daybook"
)

var rangeCases = []testCase{
	{"both ends are included", "StartTime and EndTime are both inclusive", inclusiveRange},
	{"a start after the end is an empty result",
		"if the start is after the end, the result is empty and the error is nil",
		emptyRange},
	{"the same range in both orders", "the order does not change which values are in the range", rangeInBothOrders},
}

var limitCases = []testCase{
	{"the latest of each of two records",
		"the limit bounds the values of each record, not the result",
		latestOfTwoRecords},
	{"counted from the front of the order",
		"the limit counts from the first value in the requested order and range",
		limitFromFront},
	{"the latest within a range",
		"the limit counts only values in the range, which may end before the newest value",
		latestWithinRange},
	{"a limit greater than the record", "the limit is a maximum, and 0 means no limit", generousLimit},
}

var timestampCases = []testCase{
	{"zero and the greatest", "every timestamp that the backend can hold is legal", extremeTimestamps},
	{"around the powers of two",
		"timestamps are unsigned integers: none is rounded, cut or read as negative",
		powersOfTwo},
	{"greater than the backend holds",
		"a timestamp that the backend cannot hold is daybook.ErrTimestampRange, and changes nothing",
		beyondTimestamps},
	{"bounds greater than the backend holds",
		"the bounds of a query and the argument of Cleanup may be any uint64",
		boundsBeyond},
}

func inclusiveRange(s *subject) {
	s.store(row{"r", "1", 10}, row{"r", "2", 20}, row{"r", "3", 30}, row{"r", "4", 40})
	end := uint64(20)
	s.want("r", daybook.Between(20, 30), row{"r", "3", 30}, row{"r", "2", 20})
	s.want("r", daybook.Between(20, 20), row{"r", "2", 20})
	s.want("r", daybook.Since(30), row{"r", "4", 40}, row{"r", "3", 30})
	s.want("r", daybook.QueryParams{EndTime: &end}, row{"r", "2", 20}, row{"r", "1", 10})
	s.want("r", daybook.Between(11, 19))
	s.want("r", daybook.Between(0, 9))
	s.want("r", daybook.Since(41))
}

func emptyRange(s *subject) {
	s.store(row{"r", "1", 10})
	s.want("r", daybook.Between(11, 9))
	s.want("r", daybook.Between(math.MaxUint64, 0))
}

func rangeInBothOrders(s *subject) {
	var want []row
	for i := range uint64(20) {
		s.store(row{"a", "0", i}, row{"r", fmt.Sprint(i), i}, row{"z", "0", i})
		if 5 <= i && i <= 13 {
			want = append(want, row{"r", fmt.Sprint(i), i})
		}
	}
	params := daybook.Between(5, 13)
	params.Order = daybook.OldestFirst
	s.want("r", params, want...)
	params.LimitPerRecord = 4
	s.want("r", params, want[:4]...)
	params.Order = daybook.NewestFirst
	s.want("r", params, want[8], want[7], want[6], want[5])
}

func latestOfTwoRecords(s *subject) {
	s.store(row{"temp.a", "1", 10}, row{"temp.b", "2", 20}, row{"temp.a", "3", 30}, row{"temp.b", "4", 40})
	s.store(row{"hum.a", "5", 50})
	s.want("temp.*", daybook.Latest(1), row{"temp.a", "3", 30}, row{"temp.b", "4", 40})
	s.want("*", daybook.Latest(1), row{"hum.a", "5", 50}, row{"temp.a", "3", 30}, row{"temp.b", "4", 40})
}

func limitFromFront(s *subject) {
	s.store(row{"r", "1", 1}, row{"r", "2", 2}, row{"r", "3", 3}, row{"r", "4", 4}, row{"r", "5", 5})
	end := uint64(4)
	s.want("r", daybook.QueryParams{LimitPerRecord: 2, EndTime: &end}, row{"r", "4", 4}, row{"r", "3", 3})
	s.want("r", daybook.QueryParams{LimitPerRecord: 2, EndTime: &end, Order: daybook.OldestFirst},
		row{"r", "1", 1}, row{"r", "2", 2})
}

func latestWithinRange(s *subject) {
	s.store(row{"r", "1", 10}, row{"r", "2", 20}, row{"r", "3", 30})
	tests := []struct {
		params daybook.QueryParams
		want   []row
	}{
		{daybook.Between(5, 29), []row{{"r", "2", 20}}},
		{daybook.Between(5, 30), []row{{"r", "3", 30}}},
		{daybook.Between(11, 19), nil},
		{daybook.Between(31, 40), nil},
		{daybook.Since(31), nil},
		{daybook.Since(30), []row{{"r", "3", 30}}},
	}
	for _, test := range tests {
		test.params.LimitPerRecord = 1
		s.want("r", test.params, test.want...)
	}
}

func generousLimit(s *subject) {
	s.store(row{"r", "1", 1}, row{"r", "2", 2})
	for _, limit := range []int{0, 2, 3, math.MaxInt} {
		s.want("r", daybook.Latest(limit), row{"r", "2", 2}, row{"r", "1", 1})
	}
}

func extremeTimestamps(s *subject) {
	last := s.limits.maxTimestamp()
	s.store(row{"r", "1", last}, row{"r", "2", 0}, row{"r", "3", 1}, row{"r", "4", last})
	s.want("r", daybook.QueryParams{}, row{"r", "4", last}, row{"r", "1", last}, row{"r", "3", 1}, row{"r", "2", 0})
	s.want("r", daybook.Between(0, 0), row{"r", "2", 0})
	s.want("r", daybook.Since(last), row{"r", "4", last}, row{"r", "1", last})
	s.want("r", daybook.Latest(1), row{"r", "4", last})
}

func powersOfTwo(s *subject) {
	var want []row
	for _, bits := range []int{8, 16, 31, 32, 48, 53, 63} { // 53: the precision of floats; 31 and 63: sign bits
		for at := uint64(1)<<bits - 1; at <= 1<<bits+1; at++ {
			if at <= s.limits.maxTimestamp() {
				want = append(want, row{"r", fmt.Sprint(bits), at})
			}
		}
	}
	for i := range want {
		s.store(want[len(want)-1-i])
	}
	s.want("r", daybook.QueryParams{Order: daybook.OldestFirst}, want...)
	for _, r := range want {
		s.want("r", daybook.Between(r.At, r.At), r)
	}
}

func beyondTimestamps(s *subject) {
	s.store(row{"r", "1", s.limits.maxTimestamp()})
	beyond := s.limits.maxTimestamp() + 1
	if beyond == 0 {
		return // the backend holds every uint64
	}
	for _, at := range []uint64{beyond, math.MaxUint64} {
		err := s.backend.Store(s.Context(), "r", json.RawMessage("2"), at)
		s.wantError(fmt.Sprintf("Store at %d", at), err, daybook.ErrTimestampRange)
		if batch, ok := daybook.As[daybook.BatchStorer](s.backend); ok {
			err := batch.StoreBatch(s.Context(), []daybook.StoredValue{stored("r", "3", 1), stored("r", "4", at)})
			s.wantError(fmt.Sprintf("StoreBatch at %d", at), err, daybook.ErrTimestampRange)
		}
	}
	s.want("*", daybook.QueryParams{}, row{"r", "1", s.limits.maxTimestamp()})
}

func boundsBeyond(s *subject) {
	s.store(row{"r", "1", 0}, row{"r", "2", s.limits.maxTimestamp() - 1})
	s.want("r", daybook.Between(0, math.MaxUint64), row{"r", "2", s.limits.maxTimestamp() - 1}, row{"r", "1", 0})
	s.want("r", daybook.Since(math.MaxUint64))
	s.cleanup(math.MaxUint64, 2)
	s.want("*", daybook.QueryParams{})
}

// stored returns a StoredValue.
func stored(name, value string, at uint64) daybook.StoredValue {
	return daybook.StoredValue{RecordName: name, Value: json.RawMessage(value), StoredAt: at}
}
