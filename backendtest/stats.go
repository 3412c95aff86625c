// SPDX-License-Identifier: Apache-2.0

package backendtest

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook"
)

var statsCases = []testCase{
	{"of an empty backend", "Stats of an empty backend counts nothing", statsWhenEmpty},
	{"values, bytes and records", "Stats returns the number of values, their bytes, and the number of records",
		statsCount},
	{"after deletions", "the numbers of Stats follow every deletion", statsAfterDeletions},
	{"the last sequence number",
		"LastSequence and LastCursor are those of the last acknowledged value, also if that value is deleted",
		statsLastSequence},
	{"the number of deletions", "ValuesDeleted is the number of values that Cleanup and Prune have deleted",
		statsDeletions},
	{"calls that stored nothing",
		"a call with a wrong argument, or whose context has ended, counts, and the backend is well", statsFailures},
}

// wantStats compares the numbers that each backend knows.
func (s *subject) wantStats(values, bytes, records uint64) {
	s.Helper()
	stats := s.stats()
	got := []uint64{stats.Values, stats.ValueBytes, stats.Records}
	if s.limits.EqualJSON {
		got[1], bytes = 0, 0
	}
	if diff := cmp.Diff([]uint64{values, bytes, records}, got); diff != "" {
		s.wrong("values, bytes and records of Stats (-want +got):\n%s", diff)
	}
}

func (s *subject) stats() daybook.Stats {
	s.Helper()
	stats, err := abilityOf[daybook.Statser](s).Stats(s.Context())
	if err != nil {
		s.Fatalf("Stats: %v\nwhy: %s", err, s.why)
	}
	return stats
}

func statsWhenEmpty(s *subject) {
	s.wantStats(0, 0, 0)
	if got := s.stats(); got.LastSequence != 0 || !got.LastCursor.IsZero() {
		s.wrong("LastSequence and LastCursor of an empty backend: got %d and %v; want 0",
			got.LastSequence, got.LastCursor)
	}
}

func statsCount(s *subject) {
	s.store(row{"a", "1", 1}, row{"b", " 22 ", 1}, row{"a", "333", 0})
	s.wantStats(3, 8, 2)
	s.storeTogether(row{"c", `"four"`, 9}, row{"a", "1", 1})
	s.wantStats(5, 15, 3)
}

func statsAfterDeletions(s *subject) {
	for i := range uint64(9) {
		s.store(row{fmt.Sprintf("record.%d", i%3), "10", i})
	}
	s.wantStats(9, 18, 3)
	s.cleanup(7, 7)
	s.wantStats(2, 4, 2)
	s.cleanup(9, 2)
	s.wantStats(0, 0, 0)
	s.store(row{"record.0", "100", 0})
	s.wantStats(1, 3, 1)
}

func statsDeletions(s *subject) {
	for i := range uint64(6) {
		s.store(row{fmt.Sprintf("record.%d", i%2), "10", i})
	}
	s.wantDeletions(0)
	s.cleanup(2, 2)
	s.wantDeletions(2)
	s.cleanup(2, 0)
	s.wantDeletions(2)
	if _, ok := s.backend.(daybook.Pruner); ok {
		s.prune("record.1", daybook.PruneParams{MaxPerRecord: 1}, 1)
		s.wantDeletions(3)
	}
}

func (s *subject) wantDeletions(want uint64) {
	s.Helper()
	if got := s.stats().ValuesDeleted; got != want {
		s.wrong("ValuesDeleted: got %d, want %d", got, want)
	}
}

func statsFailures(s *subject) {
	s.store(row{"a", "1", 1})
	ended, cancel := context.WithCancel(s.Context())
	cancel()
	s.wantError("Store of no JSON", s.backend.Store(s.Context(), "a", []byte("no JSON"), 1), daybook.ErrInvalidValue)
	s.wantError("Store of no record", s.backend.Store(s.Context(), "", []byte("1"), 1), daybook.ErrInvalidName)
	if err := s.backend.Store(ended, "a", []byte("1"), 1); !errors.Is(err, context.Canceled) {
		s.wrong("Store after its context: got %v, want context.Canceled", err)
	}
	want := daybook.StoreFailures{Invalid: 2, Canceled: 1}
	if _, ok := s.backend.(daybook.BatchStorer); ok {
		batch := []daybook.StoredValue{{RecordName: "a"}, {RecordName: "b"}}
		s.wantError("StoreBatch of no JSON", s.storeBatch(batch...), daybook.ErrInvalidValue)
		want.Invalid++
	}
	if diff := cmp.Diff(want, s.stats().StoreFailures); diff != "" {
		s.wrong("StoreFailures (-want +got):\n%s", diff)
	}
}

func statsLastSequence(s *subject) {
	if _, ok := daybook.As[daybook.ChangeSource](s.backend); !ok {
		s.Logf("left out: %T is no daybook.ChangeSource", s.backend)
		return
	}
	s.store(row{"a", "1", 9})
	s.storeTogether(row{"b", "2", 1}, row{"a", "3", 2})
	changes := s.changes(daybook.Cursor{})
	for range 2 {
		if got, want := s.stats(), changes[2].Cursor; got.LastSequence != want.Sequence || got.LastCursor != want {
			s.wrong("LastSequence and LastCursor: got %d and %v; want those of %v",
				got.LastSequence, got.LastCursor, want)
		}
		s.cleanup(5, uint64(len(s.changes(daybook.Cursor{}))-1)) // all values except the first
	}
}
