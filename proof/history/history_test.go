// SPDX-License-Identifier: Apache-2.0

package history

import (
	"strings"
	"testing"

	"github.com/daybook-db/daybook"
	_ "github.com/daybook-db/daybook/proof/testenv" // go test ./proof/... -long gives the flag to all packages
)

// store returns an action that stores values of one record with these timestamps.
func store(number int, record string, times ...uint64) Action {
	a := Action{Kind: Store}
	for i, at := range times {
		value := Ref{number, i}.Text("x")
		a.Values = append(a.Values, daybook.StoredValue{RecordName: record, Value: value, StoredAt: at})
	}
	return a
}

// after returns the history after these notes.
func after(always bool, actions []Action, notes string) *History {
	h := New(actions, always)
	for at, note := range strings.Split(notes, ", ") {
		h.Note(note, at)
	}
	return h
}

// TestJudge judges visible values that keep the rule, and some for each way to break it.
func TestJudge(t *testing.T) {
	one, batch, later := store(0, "r", 10), store(1, "r", 20, 21), store(2, "r", 30)
	stores := []Action{one, batch, later}
	deletion := func(params daybook.PruneParams) []Action {
		return []Action{one, batch, later, {Kind: Delete, Pattern: "*", Params: params}}
	}
	altered := one.Values[0]
	altered.Value = Ref{0, 0}.Text("y")
	moved := one.Values[0]
	moved.StoredAt++
	newestFirst := []daybook.StoredValue{batch.Values[1], batch.Values[0]}
	equal := []Action{store(0, "r", 10), store(1, "r", 10), store(2, "q", 10, 10)}
	equalTimes := func(refs ...Ref) (values []daybook.StoredValue) {
		for _, r := range refs {
			values = append(values, equal[r.Action].Values[r.Index])
		}
		return values
	}
	for _, c := range []struct {
		name    string
		always  bool
		actions []Action
		notes   string
		visible []daybook.StoredValue
		want    string // a part of the error; empty: no error
	}{
		{"nothing is attempted and nothing is visible", true, stores, "", nil, ""},
		{"an attempted value is visible", true, stores, "begin 0", one.Values, ""},
		{"an attempted value is not visible", true, stores, "begin 0", nil, ""},
		{"an acknowledged value is lost", true, stores, "begin 0, done 0", nil, "was durable"},
		{"an acknowledged value is lost without Always", false, stores, "begin 0, done 0", nil, ""},
		{"a value is lost and a later one is visible", false,
			stores, "begin 0, done 0, begin 2", later.Values, "before a visible store began"},
		{"a value is lost and a concurrent one is visible", false,
			stores, "begin 0, begin 2, done 0", later.Values, ""},
		{"a value is visible before it is attempted", true,
			stores, "begin 0", batch.Values, "before it was attempted"},
		{"a value is visible that was never stored", true,
			stores, "begin 0", []daybook.StoredValue{{RecordName: "r", Value: []byte(`"?"`)}}, "never stored"},
		{"a visible value has other bytes", true, stores, "begin 0", []daybook.StoredValue{altered}, "was stored in"},
		{"a visible value has another timestamp", true,
			stores, "begin 0", []daybook.StoredValue{moved}, "was stored in"},
		{"a value is visible twice", true,
			stores, "begin 0", []daybook.StoredValue{one.Values[0], one.Values[0]}, "twice"},
		{"half a batch is visible", true, stores, "begin 1", batch.Values[1:], "others of its batch"},
		{"a synced value is lost", false,
			append(stores, Action{Kind: Sync}), "begin 0, done 0, begin 3, done 3", nil, "was durable"},
		{"a value is lost that was stored during the sync", false,
			append(stores, Action{Kind: Sync}), "begin 0, begin 3, done 0, done 3", nil, ""},
		{"a value is lost whose sync is not done", false,
			append(stores, Action{Kind: Sync}), "begin 0, done 0, begin 3", nil, ""},
		{"a deletion removes the values that it selects", true,
			deletion(daybook.PruneParams{OlderThan: 21}), "begin 1, done 1, begin 3", batch.Values[1:], ""},
		{"a deletion removes more", true, deletion(daybook.PruneParams{OlderThan: 21}),
			"begin 1, done 1, begin 3", nil, "value 1 of 2 of action 1"},
		{"a deletion removes less", true, deletion(daybook.PruneParams{OlderThan: 21}),
			"begin 1, done 1, begin 3, done 3", newestFirst, "value 0 of 2 of action 1"},
		{"a value is lost that was stored after the deletion", true,
			deletion(daybook.PruneParams{OlderThan: 21}), "begin 3, done 3, begin 0, done 0", nil, "was durable"},
		{"a value is visible that was stored during the deletion", true,
			deletion(daybook.PruneParams{OlderThan: 21}), "begin 3, begin 0, done 3, done 0", one.Values, ""},
		{"a deletion keeps the newest values", true, deletion(daybook.PruneParams{OlderThan: 100, KeepNewest: 1}),
			"begin 1, done 1, begin 3, done 3", batch.Values[1:], ""},
		{"a deletion keeps more than the newest values", true,
			deletion(daybook.PruneParams{OlderThan: 100, KeepNewest: 1}),
			"begin 1, done 1, begin 3, done 3", newestFirst, "that deleted it"},
		{"a deletion by count removes the values beyond it", true,
			deletion(daybook.PruneParams{MaxPerRecord: 1}), "begin 1, done 1, begin 3, done 3", batch.Values[1:], ""},
		{"a deletion removes the values between two times", true,
			deletion(daybook.PruneParams{NewerThan: 19, OlderThan: 21}), "begin 1, done 1, begin 3, done 3",
			batch.Values[1:], ""},
		{"a deletion leaves a value between two times", true,
			deletion(daybook.PruneParams{NewerThan: 19, OlderThan: 21}), "begin 1, done 1, begin 3, done 3",
			newestFirst, "that deleted it"},
		{"a deletion of newer values removes an older one", true,
			deletion(daybook.PruneParams{NewerThan: 20}), "begin 1, done 1, begin 3, done 3", nil, "value 0 of 2"},
		{"a deletion counts the values that NewerThan leaves", true,
			deletion(daybook.PruneParams{NewerThan: 20, MaxPerRecord: 1}), "begin 1, done 1, begin 3, done 3",
			batch.Values[:1], ""},
		{"the oldest value comes first", true, stores, "begin 1, done 1", batch.Values, "comes before"},
		{"the newest value comes first", true, stores, "begin 1, done 1", newestFirst, ""},
		{"equal timestamps, and the one stored first comes first", true,
			equal, "begin 0, done 0, begin 1, done 1", equalTimes(Ref{0, 0}, Ref{1, 0}), "comes before"},
		{"equal timestamps, and the one stored last comes first", true,
			equal, "begin 0, done 0, begin 1, done 1", equalTimes(Ref{1, 0}, Ref{0, 0}), ""},
		{"equal timestamps of concurrent stores", true,
			equal, "begin 0, begin 1, done 0, done 1", equalTimes(Ref{0, 0}, Ref{1, 0}), ""},
		{"equal timestamps in a batch, and the first comes first", true,
			equal, "begin 2, done 2", equalTimes(Ref{2, 0}, Ref{2, 1}), "comes before"},
		{"records are out of order", true,
			equal, "begin 0, done 0, begin 2, done 2", equalTimes(Ref{0, 0}, Ref{2, 1}, Ref{2, 0}), "comes before"},
		{"records are in order", true,
			equal, "begin 0, done 0, begin 2, done 2", equalTimes(Ref{2, 1}, Ref{2, 0}, Ref{0, 0}), ""},
		{"a deletion by count removes the newest value", true,
			deletion(daybook.PruneParams{MaxPerRecord: 1}), "begin 1, done 1, begin 3, done 3", nil, "was durable"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := after(c.always, c.actions, c.notes).Judge(c.visible)
			switch {
			case c.want == "" && err != nil:
				t.Errorf("got %v; want no error", err)
			case c.want != "" && err == nil:
				t.Errorf("got no error; want one with %q", c.want)
			case c.want != "" && !strings.Contains(err.Error(), c.want):
				t.Errorf("got %v; want an error with %q", err, c.want)
			}
		})
	}
}

// TestRecovery judges values after a recovery. Those that it found must stay, and the others must
// not come back.
func TestRecovery(t *testing.T) {
	one, other := store(0, "r", 10), store(1, "r", 20)
	before := after(false, []Action{one, other}, "begin 0, done 0, begin 1, done 1")
	h := before.Later(Action{Kind: Recover, Values: one.Values}, store(3, "r", 30))
	for at, note := range []string{Begin(2), Done(2), Begin(3)} {
		h.Note(note, at)
	}
	if err := h.Judge(one.Values); err != nil {
		t.Errorf("the values that the recovery found: got %v; want no error", err)
	}
	if err := h.Judge(nil); err == nil || !strings.Contains(err.Error(), "was durable") {
		t.Errorf("a value that the recovery found is lost: got %v; want an error", err)
	}
	err := h.Judge(append(other.Values, one.Values...))
	if err == nil || !strings.Contains(err.Error(), "has come back") {
		t.Errorf("a value that the recovery did not find is visible: got %v; want an error", err)
	}
	if err := h.Judge(append(h.Actions[3].Values, one.Values...)); err != nil {
		t.Errorf("with a new value: got %v; want no error", err)
	}
}
