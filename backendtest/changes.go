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
	{"after a cursor", "Changes yields exactly the values that were stored after the one with the cursor After",
		changesAfter},
	{"of a pattern", "Changes yields only the values of records that the pattern matches", changesOfPattern},
	{"the place reached", "Changes ends with a place without a value, which is that of the last acknowledged value, " +
		"whether or not that matched; nothing follows it until more is stored", changesReach},
	{"durable values", "with Durable, Changes ends early, or as without it", changesDurable},
	{"a forked cursor", "a cursor of another history, or beyond the last value, is a *daybook.ForkedError with the " +
		"last place that both share", changesForked},
	{"impossible parameters", "a malformed pattern is daybook.ErrInvalidPattern, and impossible parameters are " +
		"daybook.ErrInvalidParams", changesImpossible},
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
	{"the cursors of Watch", "Watch and Changes give a value the same cursor", changesAgreeWithWatch},
}

// changes returns the changes after a place.
func (s *subject) changes(after daybook.Cursor) []daybook.Change {
	s.Helper()
	changes, _ := s.changesAndPlace(daybook.ChangesParams{After: after})
	return changes
}

// changesAndPlace returns the changes that params ask for, and the place that Changes reaches.
func (s *subject) changesAndPlace(params daybook.ChangesParams) (changes []daybook.Change, place daybook.Cursor) {
	s.Helper()
	changes, places := []daybook.Change{}, 0
	for change, err := range abilityOf[daybook.ChangeSource](s).Changes(s.Context(), params) {
		switch {
		case err != nil:
			s.Fatalf("Changes(%+v): %v\nwhy: %s", params, err, s.why)
		case places > 0:
			s.wrong("Changes(%+v) yields %+v after the place that it has reached", params, change)
		case change.IsPlace():
			places, place = 1, change.Cursor
		default:
			changes = append(changes, change)
		}
	}
	last := params.After.Sequence
	if len(changes) > 0 {
		last = changes[len(changes)-1].Cursor.Sequence
	}
	if places == 0 || place.Sequence < last {
		s.wrong("Changes(%+v) yields the place %v at its end; want one, not before number %d", params, place, last)
	}
	return changes, place
}

// wantChanges compares the changes after a place with rows, and verifies that their numbers ascend.
func (s *subject) wantChanges(after daybook.Cursor, want ...row) []daybook.Change {
	s.Helper()
	return s.wantChangesOf(daybook.ChangesParams{After: after}, want...)
}

func (s *subject) wantChangesOf(params daybook.ChangesParams, want ...row) []daybook.Change {
	s.Helper()
	changes, _ := s.changesAndPlace(params)
	values, last := []daybook.StoredValue{}, params.After.Sequence
	for _, change := range changes {
		if change.Cursor.Sequence <= last {
			s.wrong("Changes(%+v): number %d follows %d", params, change.Cursor.Sequence, last)
		}
		last = change.Cursor.Sequence
		values = append(values, change.StoredValue)
	}
	if diff := cmp.Diff(s.comparable(want), s.rows(values)); diff != "" {
		s.wrong("Changes(%+v) (-want +got):\n%s", params, diff)
	}
	return changes
}

// storeTogether stores rows in one batch, or one by one if the backend has no batches.
func (s *subject) storeTogether(rows ...row) {
	s.Helper()
	if _, ok := daybook.As[daybook.BatchStorer](s.backend); !ok {
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
	s.wantChanges(daybook.Cursor{})
	first := []row{{"b", "1", 50}, {"a", "2", 60}, {"b", "3", 40}, {"b", "4", 40}, {"c", "5", 0}}
	batch := []row{{"b", "6", 10}, {"a", "7", 10}, {"b", "8", 5}, {"b", "8", 5}}
	last := []row{{"a", "9", 1}, {"c", "10", s.limits.maxTimestamp()}}
	s.store(first...)
	s.storeTogether(batch...)
	s.store(last...)
	s.wantChanges(daybook.Cursor{}, slices.Concat(first, batch, last)...)
}

func changesAfter(s *subject) {
	rows := []row{{"a", "1", 9}, {"b", "2", 8}, {"a", "3", 7}, {"c", "4", 9}, {"b", "5", 1}, {"a", "6", 9}}
	s.store(rows[:3]...)
	s.storeTogether(rows[3:]...)
	all := s.wantChanges(daybook.Cursor{}, rows...)
	for i, change := range all {
		rest := s.wantChanges(change.Cursor, rows[i+1:]...)
		if diff := cmp.Diff(all[i+1:], rest); diff != "" {
			s.wrong("Changes after %v gives other numbers than Changes from the beginning (-want +got):\n%s",
				change.Cursor, diff)
		}
	}
	s.store(row{"d", "7", 0})
	s.wantChanges(all[len(all)-1].Cursor, row{"d", "7", 0})
}

func changesOfPattern(s *subject) {
	s.store(row{"a.x", "1", 9}, row{"b.x", "2", 8}, row{"a.y", "3", 7}, row{"a", "4", 9})
	s.storeTogether(row{"c", "5", 1}, row{"a.x", "6", 9})
	of := func(text string, syntax daybook.PatternSyntax) daybook.ChangesParams {
		return daybook.ChangesParams{Pattern: daybook.Pattern{Text: text, Syntax: syntax}}
	}
	s.wantChangesOf(of("a.*", daybook.Glob), row{"a.x", "1", 9}, row{"a.y", "3", 7}, row{"a.x", "6", 9})
	s.wantChangesOf(of("#.x", daybook.Topic), row{"a.x", "1", 9}, row{"b.x", "2", 8}, row{"a.x", "6", 9})
	s.wantChangesOf(of("a", daybook.Glob), row{"a", "4", 9})
	s.wantChangesOf(of("d*", daybook.Glob))
	later := of("a.*", daybook.Glob)
	later.After = s.changes(daybook.Cursor{})[2].Cursor
	s.wantChangesOf(later, row{"a.x", "6", 9})
}

func changesReach(s *subject) {
	if _, place := s.changesAndPlace(daybook.ChangesParams{}); !place.IsZero() {
		s.wrong("Changes of an empty backend reaches %v; want the beginning", place)
	}
	s.store(row{"a", "1", 1}, row{"b", "2", 2}, row{"b", "3", 3})
	all := s.changes(daybook.Cursor{})
	params := daybook.ChangesParams{}
	for _, text := range []string{"", "*", "a", "none"} {
		params.Pattern.Text = text
		if _, place := s.changesAndPlace(params); place != all[2].Cursor {
			s.wrong("Changes of %q reaches %v; want the place of the last value, %v", text, place, all[2].Cursor)
		}
	}
	params.After = all[2].Cursor
	if changes, place := s.changesAndPlace(params); len(changes) > 0 || place != params.After {
		s.wrong("Changes after the last value yields %v and reaches %v; want nothing, and %v",
			changes, place, params.After)
	}
	s.store(row{"none", "4", 4})
	s.wantChangesOf(params, row{"none", "4", 4})
}

// changesDurable cannot know which values are on stable storage.
func changesDurable(s *subject) {
	s.store(row{"a", "1", 1}, row{"b", "2", 2}, row{"a", "3", 3})
	all := s.changes(daybook.Cursor{})
	durable, place := s.changesAndPlace(daybook.ChangesParams{Durable: true})
	if diff := cmp.Diff(all[:min(len(durable), len(all))], durable); diff != "" {
		s.wrong("with Durable, Changes does not yield the first of all changes (-want +got):\n%s", diff)
	}
	if last := len(durable) - 1; last >= 0 && place != durable[last].Cursor {
		s.wrong("with Durable, Changes ends with %v and reaches %v; want the same place", durable[last].Cursor, place)
	}
}

func changesForked(s *subject) {
	s.store(row{"a", "1", 1}, row{"a", "2", 2})
	current := s.changes(daybook.Cursor{})[1].Cursor
	foreign := daybook.Cursor{Epoch: current.Epoch, Sequence: 1}
	foreign.Epoch[3] ^= 1
	beyond := current
	beyond.Sequence++
	for _, test := range []struct {
		after, common daybook.Cursor
		reason        string
	}{
		{foreign, daybook.Cursor{}, "of another history"},
		{beyond, current, "beyond the last value"},
		{daybook.Cursor{Epoch: current.Epoch, Sequence: math.MaxUint64}, current, "far beyond the last value"},
	} {
		err := drain(s, "Changes", abilityOf[daybook.ChangeSource](s).Changes(s.Context(),
			daybook.ChangesParams{After: test.after}))
		var forked *daybook.ForkedError
		if !errors.Is(err, daybook.ErrForked) || !errors.As(err, &forked) {
			s.wrong("Changes after a cursor %s: got error %v; want a *daybook.ForkedError", test.reason, err)
		} else if forked.Common != test.common || forked.Current != current {
			s.wrong("Changes after a cursor %s: got common place %v and current place %v; want %v and %v",
				test.reason, forked.Common, forked.Current, test.common, current)
		}
		s.changes(test.common)
	}
}

func changesImpossible(s *subject) {
	for _, test := range []struct {
		params daybook.ChangesParams
		want   error
	}{
		{daybook.ChangesParams{Pattern: daybook.Pattern{Text: "\xff"}}, daybook.ErrInvalidPattern},
		{daybook.ChangesParams{Pattern: daybook.Pattern{Text: `a\`}}, daybook.ErrInvalidPattern},
		{daybook.ChangesParams{Pattern: daybook.Pattern{Text: "a", Syntax: 7}}, daybook.ErrInvalidParams},
		{daybook.ChangesParams{Pattern: daybook.Pattern{Syntax: -1}}, daybook.ErrInvalidParams},
		{daybook.ChangesParams{After: daybook.Cursor{Sequence: 1}}, daybook.ErrInvalidParams},
	} {
		err := drain(s, "Changes", abilityOf[daybook.ChangeSource](s).Changes(s.Context(), test.params))
		s.wantError(fmt.Sprintf("Changes(%+v)", test.params), err, test.want)
	}
}

func changesAfterDeletions(s *subject) {
	for i := range uint64(12) {
		s.store(row{fmt.Sprintf("record.%d", i%3), fmt.Sprint(i), i})
	}
	before := s.changes(daybook.Cursor{})
	s.cleanup(10, 10)
	if diff := cmp.Diff(before[10:], s.changes(daybook.Cursor{})); diff != "" {
		s.wrong("Changes after a Cleanup (-want +got):\n%s", diff)
	}
	s.cleanup(12, 2)
	s.wantChanges(daybook.Cursor{})
	s.store(row{"record.0", `"new"`, 3})
	s.wantChanges(before[11].Cursor, row{"record.0", `"new"`, 3})
}

func storeWithinChanges(s *subject) {
	const values = 5
	for i := range uint64(values) {
		s.store(row{"r", fmt.Sprint(i), i})
	}
	seen := 0
	for change, err := range abilityOf[daybook.ChangeSource](s).Changes(s.Context(), daybook.ChangesParams{}) {
		if err != nil {
			s.Fatalf("Changes: %v", err)
		}
		if change.IsPlace() {
			break
		}
		if seen++; seen > values {
			s.wrong("Changes yields %+v, which was stored within its loop", change)
			break
		}
		s.store(row{"s", fmt.Sprint(seen), 1})
	}
	if got := len(s.changes(daybook.Cursor{})); got != 2*values || seen < values {
		s.wrong("the loop saw %d values, and Changes after it yields %d; want %d and %d", seen, got, values, 2*values)
	}
}

func changesBeginLate(s *subject) {
	s.store(row{"r", "1", 1})
	sequence := abilityOf[daybook.ChangeSource](s).Changes(s.Context(), daybook.ChangesParams{})
	for want := 2; want <= 3; want++ {
		s.store(row{"r", "2", 1})
		seen := 0
		for change, err := range sequence {
			if err != nil {
				s.Fatalf("Changes: %v", err)
			}
			if !change.IsPlace() {
				seen++
			}
		}
		if seen != want {
			s.wrong("a loop over the result of an earlier call yields %d values; want %d", seen, want)
		}
	}
}

func leaveChangesEarly(s *subject) {
	s.store(row{"a", "1", 1}, row{"a", "2", 2}, row{"b", "3", 3})
	seen := 0
	for _, err := range abilityOf[daybook.ChangeSource](s).Changes(s.Context(), daybook.ChangesParams{}) {
		if err != nil {
			s.Fatalf("Changes: %v", err)
		}
		if seen++; seen == 2 {
			break
		}
	}
	s.cleanup(3, 2)
	s.store(row{"a", "4", 4})
	s.wantChanges(daybook.Cursor{}, row{"b", "3", 3}, row{"a", "4", 4})
}

func changesMayBeKept(s *subject) {
	var want []row
	for i := range 30 {
		want = append(want, row{"r", `"` + pseudoText(i*30) + `"`, uint64(i)})
	}
	s.store(want...)
	var kept []daybook.StoredValue
	for _, change := range s.changes(daybook.Cursor{}) {
		kept = append(kept, change.StoredValue)
	}
	for _, change := range s.changes(daybook.Cursor{}) { // change the second result, and compare the first
		for i := range change.Value {
			change.Value[i] = 'X'
		}
	}
	s.wantChanges(daybook.Cursor{}, want...)
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
		for change, err := range abilityOf[daybook.ChangeSource](s).Changes(ctx, daybook.ChangesParams{}) {
			if cancel(); err == nil && !change.IsPlace() {
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
	if _, ok := daybook.As[daybook.Watcher](s.backend); !ok {
		s.Logf("left out: %T is no daybook.Watcher", s.backend)
		return
	}
	s.store(row{"before", "1", 1})
	events := s.watch(s.Context(), "*", daybook.WatchParams{})
	s.store(row{"a", "2", 2}, row{"b", "3", 3})
	s.storeTogether(row{"a", "4", 4}, row{"b", "5", 5})
	for _, want := range s.changes(daybook.Cursor{})[1:] {
		if got := <-events; got.Cursor != want.Cursor || got.RecordName != want.RecordName {
			s.wrong("Watch gives record %s the cursor %v; Changes gives record %s the cursor %v",
				got.RecordName, got.Cursor, want.RecordName, want.Cursor)
		}
	}
}
