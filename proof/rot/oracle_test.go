// SPDX-License-Identifier: Apache-2.0

package rot

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/daybook-db/daybook"
)

// oracle knows the right answers to all questions about a store.
type oracle struct {
	records      []string
	values       map[string][]modelValue // oldest first
	count        uint64
	bytes        uint64
	lastSequence uint64
	position     daybook.Position                 // of the stream in the log
	answers      map[string][]daybook.StoredValue // to the questions that are asked in every case
}

// newOracle returns the oracle of a store that has the model's values up to the sequence number
// keep.
func newOracle(m model, keep uint64) *oracle {
	o := &oracle{values: make(map[string][]modelValue), answers: make(map[string][]daybook.StoredValue)}
	o.lastSequence = min(keep, m.LastSequence)
	for _, v := range m.Values {
		if v.Sequence <= keep {
			o.values[v.Record] = append(o.values[v.Record], v)
			o.count++
			o.bytes += uint64(len(v.Value))
		}
	}
	for _, p := range m.Positions {
		if p.Sequence <= keep {
			o.position = p.Position
		}
	}
	for _, values := range o.values {
		slices.SortStableFunc(values, func(a, b modelValue) int {
			return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.Sequence, b.Sequence))
		})
	}
	o.records = slices.Sorted(maps.Keys(o.values))
	return o
}

// question has the arguments of a query. The pattern is a name, or a prefix and "*".
type question struct {
	pattern string
	params  daybook.QueryParams
}

func (q question) String() string {
	s := fmt.Sprintf("Query(%.40q, limit %d, %v", q.pattern, q.params.LimitPerRecord, q.params.Order)
	if q.params.StartTime != nil {
		s += fmt.Sprintf(", from %d", *q.params.StartTime)
	}
	if q.params.EndTime != nil {
		s += fmt.Sprintf(", to %d", *q.params.EndTime)
	}
	return s + ")"
}

func (q question) matches(record string) bool {
	if prefix, ok := strings.CutSuffix(q.pattern, "*"); ok {
		return strings.HasPrefix(record, prefix)
	}
	return record == q.pattern
}

// answer computes the answer to a question.
func (o *oracle) answer(q question) (answer []daybook.StoredValue) {
	start, end, limit := uint64(0), uint64(math.MaxUint64), math.MaxInt
	if q.params.StartTime != nil {
		start = *q.params.StartTime
	}
	if q.params.EndTime != nil {
		end = *q.params.EndTime
	}
	if q.params.LimitPerRecord > 0 {
		limit = q.params.LimitPerRecord
	}
	for _, record := range o.records {
		if !q.matches(record) {
			continue
		}
		values := slices.Clone(o.values[record])
		if q.params.Order == daybook.NewestFirst {
			slices.Reverse(values)
		}
		remaining := limit
		for _, v := range values {
			if start <= v.At && v.At <= end && remaining > 0 {
				value := daybook.StoredValue{RecordName: record, Value: []byte(v.Value), StoredAt: v.At}
				answer = append(answer, value)
				remaining--
			}
		}
	}
	return answer
}

// always returns the questions that are asked in every case.
func (o *oracle) always() []question {
	questions := []question{
		{"*", daybook.QueryParams{Order: daybook.OldestFirst}},
		{"*", daybook.QueryParams{}},
		{"*", daybook.Latest(1)},
		{"*", daybook.Latest(3)},
		{"*", daybook.QueryParams{LimitPerRecord: 2, Order: daybook.OldestFirst}},
	}
	middle := o.records[len(o.records)/2]
	questions = append(questions,
		question{middle[:len(middle)-1] + "*", daybook.Latest(1)},
		question{middle[:1] + "*", daybook.Latest(3)},
		question{"*", daybook.Between(1085, 1120)})
	for _, absent := range []string{"", "0", "zzz", middle + "0", middle[:len(middle)-1]} {
		if _, found := o.values[absent]; !found && absent != "" {
			questions = append(questions, question{absent, daybook.QueryParams{}}, question{absent, daybook.Latest(1)})
		}
	}
	return questions
}

// about returns questions about one record: all its values, limits from both ends, ranges within a
// chunk, and the newest values before a time.
func (o *oracle) about(record string) []question {
	values := o.values[record]
	questions := []question{
		{record, daybook.QueryParams{}},
		{record, daybook.QueryParams{Order: daybook.OldestFirst}},
		{record, daybook.Latest(1)},
		{record, daybook.Latest(3)},
		{record, daybook.QueryParams{LimitPerRecord: 3, Order: daybook.OldestFirst}},
		{record + "0", daybook.Latest(1)},
	}
	for i := 0; i < len(values); i += 3 {
		from, to := values[i].At, values[min(i+2, len(values)-1)].At
		until := daybook.QueryParams{EndTime: &from, LimitPerRecord: 2}
		questions = append(questions, question{record, daybook.Between(from, to)}, question{record, until})
	}
	return questions
}
