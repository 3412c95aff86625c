// SPDX-License-Identifier: Apache-2.0

package backendtest

import (
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/daybook-db/daybook"
)

var concurrencyCases = []testCase{
	{"parallel stores are all there", "methods may be called from any number of goroutines: what each stored is there, once, in its order", parallelStores},
	{"parallel stores of one record", "values of equal record and time are all kept, whoever stores them", parallelStoresOfOne},
	{"a query beside stores", "every Query that begins after a Store returned sees its value, and one consistent snapshot", queryBesideStores},
	{"stores beside cleanups", "what is stored beside a Cleanup, and not old enough for it, stays; the count is exact all the same", storesBesideCleanups},
	{"parallel cleanups", "each value is deleted, and counted, once", parallelCleanups},
}

// inParallel runs do from several goroutines at once.
func inParallel(goroutines int, do func(goroutine int)) {
	var running sync.WaitGroup
	for goroutine := range goroutines {
		running.Go(func() { do(goroutine) })
	}
	running.Wait()
}

// tryStore stores from a goroutine that must not end the test.
func (s *subject) tryStore(name, value string, at uint64) bool {
	err := s.backend.Store(s.Context(), name, json.RawMessage(value), at)
	if err != nil {
		s.wrong("Store(%q, %s, %d) beside others: %v", name, value, at, err)
	}
	return err == nil
}

func parallelStores(s *subject) {
	const writers, each = 8, 12
	inParallel(writers, func(writer int) {
		for i := range each {
			s.tryStore(fmt.Sprintf("writer.%d", writer), fmt.Sprint(i), 7)
		}
	})
	var want []row
	for writer := range writers {
		for i := range each {
			want = append(want, row{fmt.Sprintf("writer.%d", writer), fmt.Sprint(i), 7})
		}
	}
	s.want("*", daybook.QueryParams{Order: daybook.OldestFirst}, want...)
}

func parallelStoresOfOne(s *subject) {
	const writers, each = 8, 12
	inParallel(writers, func(writer int) {
		for i := range each {
			s.tryStore("r", fmt.Sprint(writer*each+i), 7)
		}
	})
	seen := map[string]int{}
	for _, v := range s.query("r", daybook.QueryParams{}) {
		seen[string(v.Value)]++
	}
	for i := range writers * each {
		if count := seen[fmt.Sprint(i)]; count != 1 {
			s.wrong("value %d is there %d times; want once", i, count)
		}
	}
}

func queryBesideStores(s *subject) {
	const each = 60
	var acknowledged atomic.Int64
	done := make(chan struct{})
	var writing sync.WaitGroup
	writing.Go(func() {
		defer close(done)
		for i := range each {
			if !s.tryStore("r", fmt.Sprint(i), uint64(i)) {
				return
			}
			acknowledged.Add(1)
		}
	})
	defer writing.Wait()
	for running := true; running; {
		select {
		case <-done:
			running = false // one more look
		default:
		}
		least := int(acknowledged.Load())
		values := s.query("r", daybook.QueryParams{Order: daybook.OldestFirst})
		if len(values) < least {
			s.wrong("a query sees %d values; %d had been acknowledged before", len(values), least)
			return
		}
		for i, v := range values {
			if v.StoredAt != uint64(i) {
				s.wrong("a query sees value %d without value %d, which was stored before it", v.StoredAt, i)
				return
			}
		}
	}
}

func parallelCleanups(s *subject) {
	const values = 60
	for i := range uint64(values) {
		s.store(row{fmt.Sprintf("record.%d", i%4), "1", i})
	}
	var deleted atomic.Uint64
	inParallel(4, func(goroutine int) {
		count, err := s.backend.Cleanup(s.Context(), values)
		if err != nil {
			s.wrong("Cleanup beside others: %v", err)
		}
		deleted.Add(count)
		s.tryStore("new", "1", values+uint64(goroutine))
	})
	s.wantCount("the sum of what 4 Cleanups at once counted", deleted.Load(), nil, values)
	s.want("*", daybook.Latest(0), row{"new", "1", values + 3}, row{"new", "1", values + 2}, row{"new", "1", values + 1}, row{"new", "1", values})
}

func storesBesideCleanups(s *subject) {
	const writers, each, limit = 3, 20, 100
	var deleted atomic.Uint64
	inParallel(writers+1, func(goroutine int) {
		name := fmt.Sprintf("writer.%d", goroutine)
		for i := range uint64(each) {
			if goroutine < writers {
				s.tryStore(name, "1", i)
				s.tryStore(name, "2", limit+i)
				continue
			}
			count, err := s.backend.Cleanup(s.Context(), limit)
			if err != nil {
				s.wrong("Cleanup beside stores: %v", err)
			}
			deleted.Add(count)
		}
	})
	last, err := s.backend.Cleanup(s.Context(), limit)
	s.wantCount("the sum of what all Cleanups beside stores counted", deleted.Load()+last, err, writers*each)
	var want []row
	for writer := range writers {
		for i := range uint64(each) {
			want = append(want, row{fmt.Sprintf("writer.%d", writer), "2", limit + i})
		}
	}
	s.want("*", daybook.QueryParams{Order: daybook.OldestFirst}, want...)
}
