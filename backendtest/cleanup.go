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
	{"deletes what is older and counts it", "Cleanup deletes every value with StoredAt < olderThan, and returns how many, exactly", cleanupCount},
	{"of nothing", "Cleanup that deletes nothing returns 0", cleanupNothing},
	{"of equal times", "values of equal time are each deleted and counted", cleanupEqualTimes},
	{"of all but the greatest timestamp", "StoredAt < olderThan holds for no value at the greatest uint64", cleanupAlmostAll},
	{"across records", "Cleanup reaches every record, and its count is the sum", cleanupAcrossRecords},
	{"is no floor", "Cleanup deletes what is there; a backfill after it is kept", storeAfterCleanup},
	{"interrupted", "interrupted, Cleanup has deleted a part, returns that part's count with the error, and the same call finishes the work", interruptedCleanup},
	{"of values of all sizes", "Cleanup counts values, whatever their size", cleanupSizes},
}

func cleanupCount(s *subject) {
	s.store(row{"r", "1", 10}, row{"r", "2", 20}, row{"r", "3", 30})
	s.cleanup(30, 2) // what is stored at 30 stays
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
	last := s.can.maxTimestamp()
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
	s.store(row{"gone", "1", 10}, row{"stays", "2", 20})
	s.cleanup(20, 1)
	s.want("gone", daybook.QueryParams{})
	s.store(row{"gone", "3", 5}, row{"stays", "4", 6})
	s.want("*", daybook.QueryParams{}, row{"gone", "3", 5}, row{"stays", "2", 20}, row{"stays", "4", 6})
	s.cleanup(20, 2)
	s.want("*", daybook.QueryParams{}, row{"stays", "2", 20})
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

// interruptedCleanup cancels a cleanup's context at one look at it after another.
func interruptedCleanup(s *subject) {
	const records, each, looks = 5, 4, 8
	for look := range int64(looks) {
		for i := range records * each {
			s.store(row{fmt.Sprintf("record.%d", i%records), "1", uint64(i)})
		}
		ctx, cancel := context.WithCancel(s.Context())
		counting := &countdown{Context: ctx, cancel: cancel}
		counting.left.Store(look)
		deleted, err := s.backend.Cleanup(counting, records*each)
		cancel()
		switch {
		case err != nil && !errors.Is(err, context.Canceled):
			s.wrong("Cleanup whose context ends at look %d: got error %v; want none or context.Canceled", look, err)
		case err == nil && deleted != records*each:
			s.wrong("Cleanup whose context ends at look %d = %d, without an error; want %d", look, deleted, records*each)
		}
		if left := len(s.query("*", daybook.QueryParams{})); deleted+uint64(left) != records*each {
			s.wrong("Cleanup whose context ends at look %d = %d, %v; %d of %d values are left", look, deleted, err, left, records*each)
		}
		s.cleanup(records*each, records*each-deleted)
		s.want("*", daybook.QueryParams{})
	}
}

// countdown is a context that ends when it has been asked for its error so many times.
type countdown struct {
	context.Context
	cancel context.CancelFunc
	left   atomic.Int64
}

func (c *countdown) Err() error {
	if c.left.Add(-1) < 0 {
		c.cancel()
	}
	return c.Context.Err()
}
