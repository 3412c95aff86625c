// SPDX-License-Identifier: Apache-2.0

package backendtest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync/atomic"

	"github.com/daybook-db/daybook"
)

var cleanupCases = []testCase{
	{"deletes older values and counts them",
		"Cleanup deletes every value with StoredAt < olderThan, and returns their exact number",
		cleanupCount},
	{"of nothing", "a Cleanup that deletes nothing returns 0", cleanupNothing},
	{"of equal timestamps", "values with equal timestamps are each deleted and counted", cleanupEqualTimes},
	{"of all but the greatest timestamp",
		"no olderThan deletes a value with the greatest uint64 as its timestamp",
		cleanupAlmostAll},
	{"across records", "Cleanup deletes from every record, and its count is the sum", cleanupAcrossRecords},
	{"older values after it",
		"Cleanup deletes only stored values; an older value that is stored after it is kept",
		storeAfterCleanup},
	{"interrupted",
		"an interrupted Cleanup has deleted a part, returns the number of these values with the " +
			"error, and the same call deletes the rest",
		interruptedCleanup},
	{"of values of all sizes", "Cleanup counts values, whatever their size", cleanupSizes},
}

func cleanupCount(s *subject) {
	s.store(row{"r", "1", 10}, row{"r", "2", 20}, row{"r", "3", 30})
	s.cleanup(30, 2) // a value of time 30 is kept
	s.want("*", daybook.QueryParams{}, row{"r", "3", 30})
	s.cleanup(30, 0)
	s.want("*", daybook.QueryParams{}, row{"r", "3", 30})
}

func cleanupNothing(s *subject) {
	s.cleanup(math.MaxUint64, 0)
	s.store(row{"r", "1", 0}, row{"r", "2", 7})
	s.cleanup(0, 0)
	s.want("*", daybook.QueryParams{}, row{"r", "2", 7}, row{"r", "1", 0})
}

func cleanupEqualTimes(s *subject) {
	s.store(row{"r", "1", 5}, row{"r", "1", 5}, row{"r", "2", 6}, row{"r", "1", 5}, row{"r", "3", 6})
	s.cleanup(5, 0)
	s.cleanup(6, 3)
	s.want("*", daybook.QueryParams{}, row{"r", "3", 6}, row{"r", "2", 6})
}

func cleanupAlmostAll(s *subject) {
	last := s.limits.maxTimestamp()
	s.store(row{"r", "1", last}, row{"r", "2", last - 1}, row{"r", "3", 0})
	s.cleanup(last, 2)
	s.want("*", daybook.QueryParams{}, row{"r", "1", last})
}

func cleanupAcrossRecords(s *subject) {
	const records, each = 6, 10
	var want []row
	for record := range records {
		for at := range uint64(each) {
			r := row{fmt.Sprintf("record.%d", record), fmt.Sprint(at), at + uint64(record)}
			s.store(r)
			if r.At >= 7 {
				want = append(want, r)
			}
		}
	}
	s.cleanup(7, records*each-uint64(len(want)))
	s.want("*", daybook.QueryParams{Order: daybook.OldestFirst}, want...)
}

func storeAfterCleanup(s *subject) {
	s.store(row{"deleted", "1", 10}, row{"kept", "2", 20})
	s.cleanup(20, 1)
	s.want("deleted", daybook.QueryParams{})
	s.store(row{"deleted", "3", 5}, row{"kept", "4", 6})
	s.want("*", daybook.QueryParams{}, row{"deleted", "3", 5}, row{"kept", "2", 20}, row{"kept", "4", 6})
	s.cleanup(20, 2)
	s.want("*", daybook.QueryParams{}, row{"kept", "2", 20})
}

func cleanupSizes(s *subject) {
	var want []row
	for i := range 40 {
		r := row{"r", `"` + pseudoText(i*i*i) + `"`, uint64(i)}
		s.store(r)
		if i >= 25 {
			want = append(want, r)
		}
	}
	s.cleanup(25, 25)
	s.want("*", daybook.QueryParams{Order: daybook.OldestFirst}, want...)
}

// interruptedCleanup cancels the context of one cleanup after another, each time when it is asked
// for its error once more.
func interruptedCleanup(s *subject) {
	const records, each, maxAsked = 5, 4, 8
	for asked := range int64(maxAsked) {
		for i := range records * each {
			s.store(row{fmt.Sprintf("record.%d", i%records), "1", uint64(i)})
		}
		ctx, cancel := context.WithCancel(s.Context())
		counting := &countdown{Context: ctx, cancel: cancel}
		counting.remaining.Store(asked)
		deleted, err := s.backend.Cleanup(counting, records*each)
		cancel()
		what := fmt.Sprintf("Cleanup whose context ends when it is asked %d times", asked)
		switch {
		case err != nil && !errors.Is(err, context.Canceled):
			s.wrong("%s: got error %v; want none or context.Canceled", what, err)
		case err == nil && deleted != records*each:
			s.wrong("%s = %d, without an error; want %d", what, deleted, records*each)
		}
		if kept := len(s.query("*", daybook.QueryParams{})); deleted+uint64(kept) != records*each {
			s.wrong("%s = %d, %v; %d of %d values are kept", what, deleted, err, kept, records*each)
		}
		s.cleanup(records*each, records*each-deleted)
		s.want("*", daybook.QueryParams{})
	}
}

// countdown is a context that ends when it has been asked for its error a number of times.
type countdown struct {
	context.Context
	cancel    context.CancelFunc
	remaining atomic.Int64
}

func (c *countdown) Err() error {
	if c.remaining.Add(-1) < 0 {
		c.cancel()
	}
	return c.Context.Err()
}
