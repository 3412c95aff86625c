// SPDX-License-Identifier: Apache-2.0

package backendtest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook"
)

var changeCases = []testCase{
	{"in the order of storing", "Changes yields the values of all records in the order in which they were stored, " +
		"whatever their timestamps, with ascending sequence numbers", changesInOrder},
	{"after a number", "Changes yields exactly the values with greater sequence numbers than After", changesAfter},
	{"without deleted values", "deleted values are missing, the other values keep their numbers, " +
		"and no number is used again", changesAfterDeletions},
	{"ends with the last value before it began", "Changes ends after the last value that was acknowledged " +
		"before the iteration began; the loop may store", storeWithinChanges},
	{"begins with the loop", "the iteration begins with the loop, and each loop begins at the same number again",
		changesBeginLate},
	{"leaving early", "a loop may end early, and the backend still works", leaveChangesEarly},
	{"what it yields may be kept", "the caller may keep the yielded values", changesMayBeKept},
	{"cancelled within", "an iteration whose context is cancelled ends early with the context's error, or at its end",
		cancelWithinChanges},
	{"the numbers of Watch", "Watch and Changes give a value the same sequence number", changesAgreeWithWatch},
}

// changes returns the changes after a sequence number.
func (s *subject) changes(after uint64) []daybook.Change {
	s.Helper()
	changes := []daybook.Change{}
	source, params := s.backend.(daybook.ChangeSource), daybook.ChangesParams{After: after}
	for change, err := range source.Changes(s.Context(), params) {
		if err != nil {
			s.Fatalf("Changes after %d: %v\nwhy: %s", after, err, s.why)
		}
		changes = append(changes, change)
	}
	return changes
}

// wantChanges compares the changes after a sequence number with rows, and verifies that their
// numbers ascend.
func (s *subject) wantChanges(after uint64, want ...row) []daybook.Change {
	s.Helper()
	changes := s.changes(after)
	values, last := []daybook.StoredValue{}, after
	for _, change := range changes {
		if change.Sequence <= last {
			s.wrong("Changes after %d: number %d follows %d", after, change.Sequence, last)
		}
		last = change.Sequence
		values = append(values, change.StoredValue)
	}
	if diff := cmp.Diff(s.comparable(want), s.rows(values)); diff != "" {
		s.wrong("Changes after %d (-want +got):\n%s", after, diff)
	}
	return changes
}

// storeTogether stores rows in one batch, or one by one if the backend has no batches.
func (s *subject) storeTogether(rows ...row) {
	s.Helper()
	if _, ok := s.backend.(daybook.BatchStorer); !ok {
		s.store(rows...)
		return
	}
	var batch []daybook.StoredValue
	for _, r := range rows {
		batch = append(batch, stored(r.Name, r.Value, r.At))
	}
	s.mustStoreBatch(batch...)
}

func changesInOrder(s *subject) {
	s.wantChanges(0)
	first := []row{{"b", "1", 50}, {"a", "2", 60}, {"b", "3", 40}, {"b", "4", 40}, {"c", "5", 0}}
	batch := []row{{"b", "6", 10}, {"a", "7", 10}, {"b", "8", 5}, {"b", "8", 5}}
	last := []row{{"a", "9", 1}, {"c", "10", s.limits.maxTimestamp()}}
	s.store(first...)
	s.storeTogether(batch...)
	s.store(last...)
	s.wantChanges(0, slices.Concat(first, batch, last)...)
}

func changesAfter(s *subject) {
	rows := []row{{"a", "1", 9}, {"b", "2", 8}, {"a", "3", 7}, {"c", "4", 9}, {"b", "5", 1}, {"a", "6", 9}}
	s.store(rows[:3]...)
	s.storeTogether(rows[3:]...)
	all := s.wantChanges(0, rows...)
	for i, change := range all {
		rest := s.wantChanges(change.Sequence, rows[i+1:]...)
		if diff := cmp.Diff(all[i+1:], rest); diff != "" {
			s.wrong("Changes after %d gives other numbers than Changes from the beginning (-want +got):\n%s",
				change.Sequence, diff)
		}
	}
	s.wantChanges(math.MaxUint64)
	s.store(row{"d", "7", 0})
	s.wantChanges(all[len(all)-1].Sequence, row{"d", "7", 0})
}

func changesAfterDeletions(s *subject) {
	for i := range uint64(12) {
		s.store(row{fmt.Sprintf("record.%d", i%3), fmt.Sprint(i), i})
	}
	before := s.changes(0)
	s.cleanup(10, 10)
	if diff := cmp.Diff(before[10:], s.changes(0)); diff != "" {
		s.wrong("Changes after a Cleanup (-want +got):\n%s", diff)
	}
	s.cleanup(12, 2)
	s.wantChanges(0)
	s.store(row{"record.0", `"new"`, 3})
	s.wantChanges(before[11].Sequence, row{"record.0", `"new"`, 3})
}

func storeWithinChanges(s *subject) {
	const values = 5
	for i := range uint64(values) {
		s.store(row{"r", fmt.Sprint(i), i})
	}
	seen := 0
	for change, err := range s.backend.(daybook.ChangeSource).Changes(s.Context(), daybook.ChangesParams{}) {
		if err != nil {
			s.Fatalf("Changes: %v", err)
		}
		if seen++; seen > values {
			s.wrong("Changes yields %+v, which was stored within its loop", change)
			break
		}
		s.store(row{"s", fmt.Sprint(seen), 1})
	}
	if got := len(s.changes(0)); got != 2*values || seen < values {
		s.wrong("the loop saw %d values, and Changes after it yields %d; want %d and %d", seen, got, values, 2*values)
	}
}

func changesBeginLate(s *subject) {
	s.store(row{"r", "1", 1})
	sequence := s.backend.(daybook.ChangeSource).Changes(s.Context(), daybook.ChangesParams{})
	for want := 2; want <= 3; want++ {
		s.store(row{"r", "2", 1})
		seen := 0
		for _, err := range sequence {
			if err != nil {
				s.Fatalf("Changes: %v", err)
			}
			seen++
		}
		if seen != want {
			s.wrong("a loop over the result of an earlier call yields %d values; want %d", seen, want)
		}
	}
}

func leaveChangesEarly(s *subject) {
	s.store(row{"a", "1", 1}, row{"a", "2", 2}, row{"b", "3", 3})
	seen := 0
	for _, err := range s.backend.(daybook.ChangeSource).Changes(s.Context(), daybook.ChangesParams{}) {
		if err != nil {
			s.Fatalf("Changes: %v", err)
		}
		if seen++; seen == 2 {
			break
		}
	}
	s.cleanup(3, 2)
	s.store(row{"a", "4", 4})
	s.wantChanges(0, row{"b", "3", 3}, row{"a", "4", 4})
}

func changesMayBeKept(s *subject) {
	var want []row
	for i := range 30 {
		want = append(want, row{"r", `"` + pseudoText(i*30) + `"`, uint64(i)})
	}
	s.store(want...)
	var kept []daybook.StoredValue
	for _, change := range s.changes(0) {
		kept = append(kept, change.StoredValue)
	}
	for _, change := range s.changes(0) { // change the second result, and compare the first
		for i := range change.Value {
			change.Value[i] = 'X'
		}
	}
	s.wantChanges(0, want...)
	s.cleanup(30, 30)
	s.store(row{"r", `"` + pseudoText(3000) + `"`, 1})
	if !slices.Equal(s.comparable(want), s.rows(kept)) {
		s.wrong("yielded values have changed: got %v; want %v", s.rows(kept), s.comparable(want))
	}
}

func cancelWithinChanges(s *subject) {
	const values = 50
	for i := range uint64(values) {
		s.store(row{"r", "1", i})
	}
	ctx, cancel := context.WithCancel(s.Context())
	defer cancel()
	seen := 0
	err := drain(s, "Changes", func(yield func(daybook.Change, error) bool) {
		for change, err := range s.backend.(daybook.ChangeSource).Changes(ctx, daybook.ChangesParams{}) {
			if cancel(); err == nil {
				seen++
			}
			if !yield(change, err) {
				return
			}
		}
	})
	if seen != values && err == nil || err != nil && !errors.Is(err, context.Canceled) {
		s.wrong("a cancelled loop yielded %d of %d values and ended with %v; want all of them, or context.Canceled",
			seen, values, err)
	}
}

func changesAgreeWithWatch(s *subject) {
	if _, ok := s.backend.(daybook.Watcher); !ok {
		s.Logf("left out: %T is no daybook.Watcher", s.backend)
		return
	}
	s.store(row{"before", "1", 1})
	events := s.watch(s.Context(), "*", daybook.WatchParams{})
	s.store(row{"a", "2", 2}, row{"b", "3", 3})
	s.storeTogether(row{"a", "4", 4}, row{"b", "5", 5})
	for _, want := range s.changes(0)[1:] {
		if got := <-events; got.Sequence != want.Sequence || got.RecordName != want.RecordName {
			s.wrong("Watch gives record %s number %d; Changes gives record %s number %d",
				got.RecordName, got.Sequence, want.RecordName, want.Sequence)
		}
	}
}
