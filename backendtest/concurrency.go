// SPDX-License-Identifier: Apache-2.0

package backendtest

import (
	"encoding/json"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/daybook-db/daybook"
)

var concurrencyCases = []testCase{
	{"parallel stores are all there",
		"methods may be called from any number of goroutines; each value is there once, in the " +
			"order of its goroutine",
		parallelStores},
	{"parallel stores of one record",
		"values with equal record and timestamp are all kept, from any goroutine",
		parallelStoresOfOne},
	{"queries during stores",
		"a Query that begins after a Store returned sees its value, in one consistent snapshot",
		queryDuringStores},
	{"stores during cleanups",
		"a value that is stored during a Cleanup, and is not old enough for it, is kept; the count is still exact",
		storesDuringCleanups},
	{"parallel cleanups", "each value is deleted once and counted once", parallelCleanups},
}

// inParallel calls do from several goroutines at once, and waits for all of them.
func inParallel(goroutines int, do func(goroutine int)) {
	var running sync.WaitGroup
	for goroutine := range goroutines {
		running.Go(func() { do(goroutine) })
	}
	running.Wait()
}

// tryStore stores a value and reports whether that worked. A goroutine of its own cannot end the
// test.
func (s *subject) tryStore(name, value string, at uint64) bool {
	err := s.backend.Store(s.Context(), name, json.RawMessage(value), at)
	if err != nil {
		s.wrong("Store(%q, %s, %d) during others: %v", name, value, at, err)
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
			s.wrong("value %d is stored %d times; want once", i, count)
		}
	}
}

func queryDuringStores(s *subject) {
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
			running = false // query once more
		default:
		}
		minSeen := int(acknowledged.Load())
		values := s.query("r", daybook.QueryParams{Order: daybook.OldestFirst})
		if len(values) < minSeen {
			s.wrong("a query sees %d values; want the %d that were acknowledged before it", len(values), minSeen)
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
	const rounds, values, goroutines = 5, 20, 4
	var want []row
	for round := range uint64(rounds) {
		for i := range uint64(values) {
			s.store(row{fmt.Sprintf("record.%d", i%4), "1", i})
		}
		var deleted atomic.Uint64
		inParallel(goroutines, func(goroutine int) {
			count, err := s.backend.Cleanup(s.Context(), values)
			if err != nil {
				s.wrong("Cleanup during others: %v", err)
			}
			deleted.Add(count)
			s.tryStore("new", "1", values+round*goroutines+uint64(goroutine))
		})
		what := fmt.Sprintf("the sum of the counts of %d parallel Cleanups", goroutines)
		s.wantCount(what, deleted.Load(), nil, values)
		for range goroutines {
			want = append(want, row{"new", "1", values + uint64(len(want))})
		}
		s.want("*", daybook.QueryParams{Order: daybook.OldestFirst}, want...)
	}
}

func storesDuringCleanups(s *subject) {
	const cleanups, maxStores, limit = 15, 100, 10_000
	var want []row
	deleted, doomed := uint64(0), uint64(0)
	for range cleanups {
		counted := make(chan uint64, 1)
		go func() {
			count, err := s.backend.Cleanup(s.Context(), limit)
			if err != nil {
				s.wrong("Cleanup during stores: %v", err)
			}
			counted <- count
		}()
		for range maxStores {
			kept := row{"r", "2", limit + uint64(len(want))}
			s.store(row{"r", "1", doomed}, kept)
			doomed++
			want = append(want, kept)
			if len(counted) > 0 {
				break
			}
			runtime.Gosched()
		}
		deleted += <-counted
	}
	last, err := s.backend.Cleanup(s.Context(), limit)
	s.wantCount("the sum of the counts of all Cleanups during stores", deleted+last, err, doomed)
	s.want("*", daybook.QueryParams{Order: daybook.OldestFirst}, want...)
}
