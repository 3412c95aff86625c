// SPDX-License-Identifier: Apache-2.0

package rot

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine"
)

// rotWanted is what a store must hold: the answers to hold its own against.
type rotWanted struct {
	records      []string
	values       map[string][]rotValue // oldest first
	count        uint64
	bytes        uint64
	lastSequence uint64
	answers      map[string][]daybook.StoredValue // of the questions that are asked each time
}

func newRotWanted(contents rotContents, keep uint64) *rotWanted {
	w := &rotWanted{values: make(map[string][]rotValue), answers: make(map[string][]daybook.StoredValue)}
	w.lastSequence = min(keep, contents.LastSequence)
	for _, v := range contents.Values {
		if v.Sequence <= keep {
			w.values[v.Record] = append(w.values[v.Record], v)
			w.count++
			w.bytes += uint64(len(v.Value))
		}
	}
	for _, values := range w.values {
		slices.SortStableFunc(values, func(a, b rotValue) int {
			return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.Sequence, b.Sequence))
		})
	}
	w.records = slices.Sorted(maps.Keys(w.values))
	return w
}

// rotQuestion is a query. Its pattern is "*", a prefix and "*", or a name.
type rotQuestion struct {
	pattern string
	params  daybook.QueryParams
}

func (q rotQuestion) String() string {
	s := fmt.Sprintf("Query(%.40q, limit %d, %v", q.pattern, q.params.LimitPerRecord, q.params.Order)
	if q.params.StartTime != nil {
		s += fmt.Sprintf(", from %d", *q.params.StartTime)
	}
	if q.params.EndTime != nil {
		s += fmt.Sprintf(", to %d", *q.params.EndTime)
	}
	return s + ")"
}

func (q rotQuestion) matches(record string) bool {
	if prefix, ok := strings.CutSuffix(q.pattern, "*"); ok {
		return strings.HasPrefix(record, prefix)
	}
	return record == q.pattern
}

// answer computes what a question's answer is.
func (w *rotWanted) answer(q rotQuestion) (answer []daybook.StoredValue) {
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
	for _, record := range w.records {
		if !q.matches(record) {
			continue
		}
		values := slices.Clone(w.values[record])
		if q.params.Order == daybook.NewestFirst {
			slices.Reverse(values)
		}
		left := limit
		for _, v := range values {
			if start <= v.At && v.At <= end && left > 0 {
				answer = append(answer, daybook.StoredValue{RecordName: record, Value: []byte(v.Value), StoredAt: v.At})
				left--
			}
		}
	}
	return answer
}

// always are the questions that are asked of every damaged store.
func (w *rotWanted) always() []rotQuestion {
	questions := []rotQuestion{
		{"*", daybook.QueryParams{Order: daybook.OldestFirst}},
		{"*", daybook.QueryParams{}},
		{"*", daybook.Latest(1)},
		{"*", daybook.Latest(3)},
		{"*", daybook.QueryParams{LimitPerRecord: 2, Order: daybook.OldestFirst}},
	}
	middle := w.records[len(w.records)/2]
	questions = append(questions,
		rotQuestion{middle[:len(middle)-1] + "*", daybook.Latest(1)},
		rotQuestion{middle[:1] + "*", daybook.Latest(3)},
		rotQuestion{"*", daybook.Between(1085, 1120)})
	for _, absent := range []string{"", "0", "zzz", middle + "0", middle[:len(middle)-1]} {
		if _, found := w.values[absent]; !found && absent != "" {
			questions = append(questions, rotQuestion{absent, daybook.QueryParams{}}, rotQuestion{absent, daybook.Latest(1)})
		}
	}
	return questions
}

// about are the questions that are asked about one record: ranges that lie within a chunk, each value's neighbours,
// limits from both ends.
func (w *rotWanted) about(record string) []rotQuestion {
	values := w.values[record]
	questions := []rotQuestion{
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
		questions = append(questions, rotQuestion{record, daybook.Between(from, to)}, rotQuestion{record, until})
	}
	return questions
}

// rotJudge asks, and collects what is wrong with the answers.
type rotJudge struct {
	ctx    context.Context
	damage *rotCase
	db     *engine.DB
	stage  string
	faults *[]rotFault
}

func (j *rotJudge) fault(what, format string, args ...any) {
	*j.faults = append(*j.faults, rotFault{what, j.stage + ": " + fmt.Sprintf(format, args...)})
}

// attempt runs one call. Whatever it returns but nil or ErrCorrupt is a fault, and so is a panic.
func (j *rotJudge) attempt(what string, call func() error) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("%w: a panic", daybook.ErrCorrupt)
			j.fault(rotPanic, "%s: %.200v", what, cause)
		}
	}()
	err = call()
	allowed := err == nil || errors.Is(err, daybook.ErrCorrupt)
	if !allowed {
		j.fault(rotError, "%s: %.300v", what, err)
	}
	return err
}

// query asks one question and holds the answer against the right one. What a scan yields before an error must be
// right too.
func (j *rotJudge) query(q rotQuestion, want []daybook.StoredValue) (readable bool) {
	var got []daybook.StoredValue
	err := j.attempt(q.String(), func() error {
		for value, err := range j.db.Scan(j.ctx, q.pattern, q.params) {
			if err != nil {
				return err
			}
			got = append(got, value)
			if len(got) > len(want) {
				return nil
			}
		}
		return nil
	})
	if difference := rotDiffer(got, want, err == nil); difference != "" {
		j.fault(rotWrong, "%v: %s", q, difference)
	}
	return err == nil
}

// rotDiffer says how an answer, or the beginning of one, differs from the right one.
func rotDiffer(got, want []daybook.StoredValue, whole bool) string {
	for i, v := range got {
		if i >= len(want) {
			return fmt.Sprintf("more than the right %d values", len(want))
		}
		if w := want[i]; v.RecordName != w.RecordName || v.StoredAt != w.StoredAt || string(v.Value) != string(w.Value) {
			return fmt.Sprintf("value %d is %.30q at %d: %.30s; want %.30q at %d: %.30s", i, v.RecordName, v.StoredAt, v.Value, w.RecordName, w.StoredAt, w.Value)
		}
	}
	if whole && len(got) < len(want) {
		return fmt.Sprintf("%d values; want %d", len(got), len(want))
	}
	return ""
}

// battery asks everything.
func (j *rotJudge) battery(w *rotWanted) {
	for _, q := range w.always() {
		want, known := w.answers[q.String()]
		if !known {
			want = w.answer(q)
			w.answers[q.String()] = want
		}
		j.query(q, want)
	}
	j.about(w)
	j.list(w)
	j.stats(w)
}

// about asks about the records that are read through what was damaged.
func (j *rotJudge) about(w *rotWanted) {
	for _, record := range j.damage.Hit {
		for _, q := range w.about(record) {
			j.query(q, w.answer(q))
		}
	}
}

// list holds the list of records against the right one.
func (j *rotJudge) list(w *rotWanted) {
	n := 0
	err := j.attempt("Records", func() error {
		for info, err := range j.db.Records(j.ctx, "*", daybook.Glob) {
			if err != nil {
				return err
			}
			if n >= len(w.records) || info != w.info(w.records[n]) {
				j.fault(rotWrong, "Records: record %d is %.200q", n, fmt.Sprint(info))
				return nil
			}
			n++
		}
		if n < len(w.records) {
			j.fault(rotWrong, "Records: %d records; want %d", n, len(w.records))
		}
		return nil
	})
	_ = err // judged already
}

func (w *rotWanted) info(record string) daybook.RecordInfo {
	values := w.values[record]
	info := daybook.RecordInfo{RecordName: record, Count: uint64(len(values)), Oldest: values[0].At, Newest: values[len(values)-1].At}
	for _, v := range values {
		info.Bytes += uint64(len(v.Value))
	}
	return info
}

func (j *rotJudge) stats(w *rotWanted) {
	var stats daybook.Stats
	err := j.attempt("Stats", func() (err error) {
		stats, err = j.db.Stats(j.ctx)
		return err
	})
	if err == nil && (stats.Values != w.count || stats.ValueBytes != w.bytes || stats.Records != uint64(len(w.records)) ||
		stats.LastSequence != w.lastSequence) {
		j.fault(rotWrong, "Stats: %d values of %d bytes in %d records, the last is %d; want %d of %d in %d, %d", stats.Values, stats.ValueBytes,
			stats.Records, stats.LastSequence, w.count, w.bytes, len(w.records), w.lastSequence)
	}
}

// readable returns the records that can be read on their own, and whether they hold what they must.
func (j *rotJudge) readable(w *rotWanted) map[string]bool {
	readable := make(map[string]bool)
	for _, record := range w.records {
		q := rotQuestion{record, daybook.QueryParams{}}
		readable[record] = j.query(q, w.answer(q))
	}
	return readable
}
