// SPDX-License-Identifier: Apache-2.0

package backendtest

import (
	"fmt"
	"runtime"
	"slices"
	"strings"

	"github.com/daybook-db/daybook"
)

var batchCases = []testCase{
	{"in the given order",
		"of two values with equal record and timestamp, the later element of a batch counts as inserted later",
		batchOrder},
	{"between stores", "a batch has its place in the order of insertion", batchBetweenStores},
	{"an empty batch", "an empty batch stores nothing, and the error is nil", emptyBatch},
	{"all or nothing",
		"a batch with an invalid element stores nothing, and the error names the element's index",
		batchAllOrNothing},
	{"a large batch", "a batch is stored whole, whatever its length", largeBatch},
	{"the caller's slice", "the backend does not keep the caller's slices after it returns", callersBatch},
	{"seen whole or not at all",
		"a batch is one commit: a concurrent query sees all of it or nothing",
		batchSeenWhole},
}

func (s *subject) storeBatch(values ...daybook.StoredValue) error {
	return abilityOf[daybook.BatchStorer](s).StoreBatch(s.Context(), values)
}

func (s *subject) mustStoreBatch(values ...daybook.StoredValue) {
	s.Helper()
	if err := s.storeBatch(values...); err != nil {
		s.Fatalf("StoreBatch of %d values: %v\nwhy: %s", len(values), err, s.why)
	}
}

func batchOrder(s *subject) {
	var batch []daybook.StoredValue
	for i := range 5 {
		batch = append(batch, stored("r", fmt.Sprint(i), 1))
	}
	s.mustStoreBatch(batch...)
	s.want("r", daybook.QueryParams{},
		row{"r", "4", 1}, row{"r", "3", 1}, row{"r", "2", 1}, row{"r", "1", 1}, row{"r", "0", 1})
	s.want("r", daybook.Latest(1), row{"r", "4", 1})
}

func batchBetweenStores(s *subject) {
	s.store(row{"r", "1", 5})
	s.mustStoreBatch(stored("r", "2", 5), stored("q", "3", 5), stored("r", "4", 4), stored("r", "5", 5))
	s.store(row{"r", "6", 5})
	s.want("*", daybook.QueryParams{}, row{"q", "3", 5},
		row{"r", "6", 5}, row{"r", "5", 5}, row{"r", "2", 5}, row{"r", "1", 5}, row{"r", "4", 4})
}

func emptyBatch(s *subject) {
	s.mustStoreBatch()
	if err := abilityOf[daybook.BatchStorer](s).StoreBatch(s.Context(), []daybook.StoredValue{}); err != nil {
		s.wrong("StoreBatch of an empty slice: %v", err)
	}
	s.want("*", daybook.QueryParams{})
}

func batchAllOrNothing(s *subject) {
	tests := []struct {
		bad    daybook.StoredValue
		want   error
		reason string // why the row is here
	}{
		{stored("bad", "{", 1), daybook.ErrInvalidValue, "it is not JSON"},
		{stored("bad", "", 1), daybook.ErrInvalidValue, "it has no value"},
		{stored("", "1", 1), daybook.ErrInvalidName, "it has no name"},
		{stored("b\x00d", "1", 1), daybook.ErrInvalidName, "its name has a NUL"},
		{stored("bad", `"`+strings.Repeat("x", daybook.MaxValueLen)+`"`, 1), daybook.ErrValueTooLarge,
			"its value is over the limit"},
	}
	s.store(row{"r", `"before"`, 5})
	for _, test := range tests {
		for _, index := range []int{0, 23, 46} {
			batch := slices.Repeat([]daybook.StoredValue{stored("good", "1", 1)}, 47)
			batch[index] = test.bad
			err := s.storeBatch(batch...)
			what := fmt.Sprintf("StoreBatch with a bad element %d of 47 (%s)", index, test.reason)
			s.wantError(what, err, test.want)
			if err != nil && !strings.Contains(err.Error(), fmt.Sprint(index)) {
				s.wrong("%s: the error %q does not name the index", what, err)
			}
		}
	}
	s.want("*", daybook.QueryParams{}, row{"r", `"before"`, 5})
}

func largeBatch(s *subject) {
	const values, records = 3000, 7
	var batch []daybook.StoredValue
	for i := range values {
		batch = append(batch, stored(fmt.Sprintf("record.%d", i%records), fmt.Sprintf(`{"n":%d}`, i), uint64(i)))
	}
	s.mustStoreBatch(batch...)
	var want []row
	for record := range records {
		for i := record; i < values; i += records {
			want = append(want, row{fmt.Sprintf("record.%d", record), fmt.Sprintf(`{"n":%d}`, i), uint64(i)})
		}
	}
	s.want("*", daybook.QueryParams{Order: daybook.OldestFirst}, want...)
}

func callersBatch(s *subject) {
	batch := []daybook.StoredValue{stored("r", `"one"`, 1), stored("r", `"two"`, 2)}
	s.mustStoreBatch(batch...)
	for i := range batch {
		copy(batch[i].Value, `"XXX"`)
		batch[i] = stored("other", "3", 3)
	}
	s.want("*", daybook.QueryParams{}, row{"r", `"two"`, 2}, row{"r", `"one"`, 1})
}

func batchSeenWhole(s *subject) {
	const batches, records = 60, 5
	for number := range uint64(batches) {
		var batch []daybook.StoredValue
		for record := range records {
			batch = append(batch, stored(fmt.Sprintf("record.%d", record), "1", number))
		}
		outcome := make(chan error, 1)
		go func() { outcome <- s.storeBatch(batch...) }()
		for running := true; running; {
			select {
			case err := <-outcome:
				if running = false; err != nil { // the queries look once more
					s.Fatalf("StoreBatch during queries: %v", err)
				}
			default:
				runtime.Gosched()
			}
			s.seeWholeBatches(records)
		}
	}
	if got := len(s.query("*", daybook.QueryParams{})); got != batches*records {
		s.wrong("%d values are stored; want %d", got, batches*records)
	}
}

// seeWholeBatches queries once, and wants all values of each batch that it sees.
func (s *subject) seeWholeBatches(size int) {
	s.Helper()
	seen := map[uint64]int{}
	for _, v := range s.query("*", daybook.QueryParams{}) {
		seen[v.StoredAt]++
	}
	for number, count := range seen {
		if count != size {
			s.Fatalf("a query sees %d of the %d values of batch %d\nwhy: %s", count, size, number, s.why)
		}
	}
}
