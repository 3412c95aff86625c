// SPDX-License-Identifier: Apache-2.0

package backendtest

import (
	"context"
	"encoding/json"
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
	{"calls that returned an error",
		"a call with a wrong argument, or whose context has ended, counts, and the backend is well", statsFailures},
	{"its holds", "Stats of a Holder tells its holds by name: their places, what they have lost, and at least the " +
		"number of the values that were not taken", statsHolds},
	{"the result is the caller's", "what a caller writes into the result of Stats changes no later result",
		statsAreTheCallers},
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
	if pruner.of(s.backend) {
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
	if batchStorer.of(s.backend) {
		batch := []daybook.StoredValue{{RecordName: "a"}, {RecordName: "b"}}
		s.wantError("StoreBatch of no JSON", s.storeBatch(batch...), daybook.ErrInvalidValue)
		want.Invalid++
	}
	if diff := cmp.Diff(want, s.stats().StoreFailures); diff != "" {
		s.wrong("StoreFailures (-want +got):\n%s", diff)
	}
}

func statsLastSequence(s *subject) {
	if !changeSource.of(s.backend) {
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

func statsHolds(s *subject) {
	if !holder.of(s.backend) {
		s.Logf("left out: %T is no %s", s.backend, holder.name)
		return
	}
	s.setHold(daybook.Hold{Name: "z", MaxBytes: 1})
	s.store(row{"a", "1", 1})
	s.setHold(daybook.Hold{Name: "b", At: s.place(), MaxBytes: 1000})
	s.store(row{"a", "2", 2}, row{"a", "3", 3})
	s.statsTellHolds()
	s.cleanup(100, 1) // beyond the bound of z
	s.statsTellHolds()
	s.advanceHold("b", s.place())
	s.statsTellHolds()
	if err := s.holder().ReleaseHold(s.Context(), "z"); err != nil {
		s.Fatalf("ReleaseHold: %v\nwhy: %s", err, s.why)
	}
	s.statsTellHolds()
}

// statsTellHolds compares what Stats says about the holds with what Holds says.
func (s *subject) statsTellHolds() {
	s.Helper()
	infos, err := s.holder().Holds(s.Context())
	if err != nil {
		s.Fatalf("Holds: %v\nwhy: %s", err, s.why)
	}
	want, got := []daybook.HoldStats{}, s.stats().Holds
	for _, info := range infos {
		want = append(want, daybook.HoldStats{Name: info.Name, At: info.At, Lost: info.Lost, Damaged: info.Damaged})
	}
	for i := range got {
		if i < len(infos) && got[i].Pending < infos[i].Values {
			s.wrong("Pending of the hold %q: got %d; want at least %d", got[i].Name, got[i].Pending, infos[i].Values)
		}
		got[i].Pending = 0
	}
	if diff := cmp.Diff(want, append([]daybook.HoldStats{}, got...)); diff != "" {
		s.wrong("Holds of Stats (-want +got):\n%s", diff)
	}
}

func statsAreTheCallers(s *subject) {
	s.store(row{"a", "1", 1})
	if holder.of(s.backend) {
		s.setHold(daybook.Hold{Name: "cloud", MaxBytes: 1000})
	}
	first, want := s.stats(), sharedParts(s.stats())
	for i := range first.Holds {
		first.Holds[i] = daybook.HoldStats{Name: "of the caller"}
	}
	for i := range first.Quarantined {
		first.Quarantined[i] = daybook.QuarantinedFile{Name: "of the caller"}
	}
	for _, failure := range []*daybook.Failure{
		first.StoreFailures.Last, first.CheckpointFailure, first.CompactionFailure,
	} {
		if failure != nil {
			*failure = daybook.Failure{Message: "of the caller"}
		}
	}
	if diff := cmp.Diff(want, sharedParts(s.stats())); diff != "" {
		s.wrong("Stats after the caller changed an earlier result (-want +got):\n%s", diff)
	}
}

// sharedParts returns, as JSON, the parts of a result that are not in the struct itself.
func sharedParts(stats daybook.Stats) string {
	text, err := json.Marshal(daybook.Stats{
		StoreFailures: stats.StoreFailures, CheckpointFailure: stats.CheckpointFailure,
		CompactionFailure: stats.CompactionFailure, Holds: stats.Holds, Quarantined: stats.Quarantined,
	})
	if err != nil {
		return err.Error()
	}
	return string(text)
}
