// SPDX-License-Identifier: Apache-2.0

package daybook_test

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook"
)

// paramsTest is a parameter struct and whether its Validate accepts it.
type paramsTest struct {
	name   string
	params interface{ Validate() error }
	ok     bool
	reason string
}

var somePlace = daybook.Cursor{Epoch: [16]byte{1}, Sequence: 7}

var paramsTests = []paramsTest{
	{"prune nothing", daybook.PruneParams{}, true, "each limit deletes nothing if it is zero"},
	{"prune all but one", daybook.PruneParams{MaxPerRecord: 1}, true, "the smallest limit"},
	{"prune to a negative number", daybook.PruneParams{MaxPerRecord: -1}, false, "there is no such number"},
	{"keep one", daybook.PruneParams{OlderThan: 5, KeepNewest: 1}, true, "the smallest number"},
	{"keep a negative number", daybook.PruneParams{OlderThan: 5, KeepNewest: -1}, false, "there is no such number"},
	{"keep as many as may stay", daybook.PruneParams{MaxPerRecord: 3, KeepNewest: 3}, true, "they agree"},
	{"keep more than may stay", daybook.PruneParams{MaxPerRecord: 3, KeepNewest: 4}, false,
		"they contradict each other"},
	{"keep some without a limit", daybook.PruneParams{KeepNewest: 4}, true, "a MaxPerRecord of 0 is no limit"},
	{"newer than", daybook.PruneParams{NewerThan: 1}, true, "the smallest time"},
	{"one time between", daybook.PruneParams{NewerThan: 5, OlderThan: 7}, true, "6 is between them"},
	{"no time between", daybook.PruneParams{NewerThan: 5, OlderThan: 6}, false, "nothing is between them"},
	{"the same time", daybook.PruneParams{NewerThan: 5, OlderThan: 5}, false, "nothing is between them"},
	{"the wrong way round", daybook.PruneParams{NewerThan: 9, OlderThan: 5}, false, "nothing is between them"},
	{"between the extremes", daybook.PruneParams{NewerThan: 1, OlderThan: math.MaxUint64}, true, "the widest range"},
	{"stored through", daybook.PruneParams{OlderThan: 1, StoredThrough: &somePlace}, true, "its only use"},
	{"stored through, and keep", daybook.PruneParams{OlderThan: 1, StoredThrough: &somePlace, KeepNewest: 1}, true,
		"KeepNewest only spares"},
	{"stored through the beginning", daybook.PruneParams{OlderThan: 1, StoredThrough: &daybook.Cursor{}}, true,
		"it deletes nothing"},
	{"stored through alone", daybook.PruneParams{StoredThrough: &somePlace}, false, "it needs OlderThan"},
	{"stored through, by time", daybook.PruneParams{OlderThan: 9, StoredThrough: &somePlace, NewerThan: 1}, false,
		"OlderThan alone"},
	{"stored through, by count", daybook.PruneParams{OlderThan: 1, StoredThrough: &somePlace, MaxPerRecord: 1}, false,
		"OlderThan alone"},
	{"stored through, by size", daybook.PruneParams{OlderThan: 1, StoredThrough: &somePlace, MaxBytes: 1}, false,
		"OlderThan alone"},
	{"stored through no epoch", daybook.PruneParams{OlderThan: 1, StoredThrough: &daybook.Cursor{Sequence: 1}}, false,
		"no backend gives such a cursor"},
	{"prune, unknown syntax", daybook.PruneParams{Syntax: 2}, false, "there are two"},
	{"prune, exception of an unknown syntax",
		daybook.PruneParams{Except: []daybook.Pattern{{Text: "a"}, {Text: "b", Syntax: -1}}}, false, "there are two"},

	{"watch", daybook.WatchParams{}, true, "the default"},
	{"watch, one value", daybook.WatchParams{Buffer: 1}, true, "the smallest buffer"},
	{"watch, a negative buffer", daybook.WatchParams{Buffer: -1}, false, "there is no such number"},
	{"watch, topic", daybook.WatchParams{Syntax: daybook.Topic}, true, "the last syntax"},
	{"watch, unknown syntax", daybook.WatchParams{Syntax: daybook.Topic + 1}, false, "there are two"},

	{"changes", daybook.ChangesParams{}, true, "all values"},
	{"changes after a place", daybook.ChangesParams{After: somePlace}, true, "a cursor that a backend gave"},
	{"changes after a number", daybook.ChangesParams{After: daybook.Cursor{Sequence: 7}}, false,
		"a number without epoch may mean several values"},
	{"changes, unknown syntax", daybook.ChangesParams{Pattern: daybook.Pattern{Text: "*", Syntax: 9}}, false,
		"there are two"},

	{"hold by bytes", daybook.Hold{Name: "h", MaxBytes: 1}, true, "one bound"},
	{"hold by age", daybook.Hold{Name: "h", MaxAge: 1}, true, "one bound"},
	{"hold by nothing", daybook.Hold{Name: "h"}, false, "it would hold for ever"},
	{"hold by a negative age", daybook.Hold{Name: "h", MaxBytes: 1, MaxAge: -time.Second}, false,
		"there is no such age"},
	{"hold with the longest name", daybook.Hold{Name: strings.Repeat("n", daybook.MaxHoldNameLen), MaxBytes: 1}, true,
		"the limit is inclusive"},
	{"hold with a space", daybook.Hold{Name: "a b", MaxBytes: 1}, true, "a space is no control character"},
	{"hold with a tab", daybook.Hold{Name: "a\tb", MaxBytes: 1}, false, "a control character"},
	{"hold with a delete", daybook.Hold{Name: "a\x7f", MaxBytes: 1}, false, "a control character"},
	{"hold with a unit separator", daybook.Hold{Name: "a\x1f", MaxBytes: 1}, false,
		"the last control character before the space"},
}

func TestParamsValidate(t *testing.T) {
	for _, test := range paramsTests {
		t.Run(test.name, func(t *testing.T) {
			err := test.params.Validate()
			if test.ok && err != nil || !test.ok && !errors.Is(err, daybook.ErrInvalidParams) {
				t.Errorf("%+v: got %v; want valid: %v (%s)", test.params, err, test.ok, test.reason)
			}
		})
	}
}

func TestPatternSyntaxText(t *testing.T) {
	for syntax, want := range map[daybook.PatternSyntax]string{
		daybook.Glob: "glob", daybook.Topic: "topic", 2: "PatternSyntax(2)", -1: "PatternSyntax(-1)",
	} {
		if got := syntax.String(); got != want {
			t.Errorf("got %q; want %q", got, want)
		}
	}
}

func TestDurations(t *testing.T) {
	var d daybook.Durations
	if got := d.Mean(); got != 0 {
		t.Errorf("mean of none: got %v; want 0", got)
	}
	for _, took := range []time.Duration{2 * time.Second, 9 * time.Second, time.Second} {
		d.Add(took)
	}
	want := daybook.Durations{Count: 3, Total: 12 * time.Second, Max: 9 * time.Second}
	if diff := cmp.Diff(want, d); diff != "" || d.Mean() != 4*time.Second {
		t.Errorf("mean %v; want 4s (-want +got):\n%s", d.Mean(), diff)
	}
}

func TestValuesPerCommit(t *testing.T) {
	for _, test := range []struct {
		stats daybook.Stats
		want  float64
	}{
		{daybook.Stats{}, 0},
		{daybook.Stats{Commits: 4, CommitValues: 10}, 2.5},
		{daybook.Stats{Commits: 1, CommitValues: 1}, 1},
	} {
		if got := test.stats.ValuesPerCommit(); got != test.want {
			t.Errorf("%d values in %d commits: got %v; want %v",
				test.stats.CommitValues, test.stats.Commits, got, test.want)
		}
	}
}
