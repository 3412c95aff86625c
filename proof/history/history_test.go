// SPDX-License-Identifier: Apache-2.0

package history

import (
	"strings"
	"testing"

	"github.com/daybook-db/daybook"
	_ "github.com/daybook-db/daybook/proof/testenv" // go test ./proof/... -long gives the flag to all packages
)

// store is an action that stores values of one record at these times.
func store(number int, record string, times ...uint64) Action {
	a := Action{Kind: Store}
	for i, at := range times {
		a.Values = append(a.Values, daybook.StoredValue{RecordName: record, Value: Ref{number, i}.Text("x"), StoredAt: at})
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

// TestJudge holds what may and must be visible, and each way to break it.
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
		want    string // in the error; empty: no error
	}{
		{"nothing attempted, nothing there", true, stores, "", nil, ""},
		{"attempted: it may be there", true, stores, "begin 0", one.Values, ""},
		{"attempted: or not", true, stores, "begin 0", nil, ""},
		{"acknowledged and lost", true, stores, "begin 0, done 0", nil, "was durable"},
		{"acknowledged and lost where that means nothing", false, stores, "begin 0, done 0", nil, ""},
		{"lost before one that is there", false, stores, "begin 0, done 0, begin 2", later.Values, "before one began that is there"},
		{"lost beside one that is there", false, stores, "begin 0, begin 2, done 0", later.Values, ""},
		{"never attempted", true, stores, "begin 0", batch.Values, "before it was attempted"},
		{"never stored", true, stores, "begin 0", []daybook.StoredValue{{RecordName: "r", Value: []byte(`"?"`)}}, "nobody stored"},
		{"other bytes", true, stores, "begin 0", []daybook.StoredValue{altered}, "was stored in"},
		{"another time", true, stores, "begin 0", []daybook.StoredValue{moved}, "was stored in"},
		{"twice", true, stores, "begin 0", []daybook.StoredValue{one.Values[0], one.Values[0]}, "twice"},
		{"half a batch", true, stores, "begin 1", batch.Values[1:], "others of its batch"},
		{"lost though synced", false, append(stores, Action{Kind: Sync}), "begin 0, done 0, begin 3, done 3", nil, "was durable"},
		{"stored while it synced", false, append(stores, Action{Kind: Sync}), "begin 0, begin 3, done 0, done 3", nil, ""},
		{"a sync that is not done", false, append(stores, Action{Kind: Sync}), "begin 0, done 0, begin 3", nil, ""},
		{"deleted half", true, deletion(daybook.PruneParams{OlderThan: 21}), "begin 1, done 1, begin 3", batch.Values[1:], ""},
		{"deleted too much", true, deletion(daybook.PruneParams{OlderThan: 21}), "begin 1, done 1, begin 3", nil, "value 1 of 2 of action 1"},
		{"deleted too little", true, deletion(daybook.PruneParams{OlderThan: 21}), "begin 1, done 1, begin 3, done 3", newestFirst, "value 0 of 2 of action 1"},
		{"stored after the deletion", true, deletion(daybook.PruneParams{OlderThan: 21}), "begin 3, done 3, begin 0, done 0", nil, "was durable"},
		{"stored beside the deletion", true, deletion(daybook.PruneParams{OlderThan: 21}), "begin 3, begin 0, done 3, done 0", one.Values, ""},
		{"the newest are kept", true, deletion(daybook.PruneParams{OlderThan: 100, KeepNewest: 1}), "begin 1, done 1, begin 3, done 3", batch.Values[1:], ""},
		{"and no more", true, deletion(daybook.PruneParams{OlderThan: 100, KeepNewest: 1}), "begin 1, done 1, begin 3, done 3", newestFirst, "that deleted it"},
		{"too many", true, deletion(daybook.PruneParams{MaxPerRecord: 1}), "begin 1, done 1, begin 3, done 3", batch.Values[1:], ""},
		{"the oldest first", true, stores, "begin 1, done 1", batch.Values, "comes before"},
		{"the newest first", true, stores, "begin 1, done 1", newestFirst, ""},
		{"equal times: the first one first", true, equal, "begin 0, done 0, begin 1, done 1", equalTimes(Ref{0, 0}, Ref{1, 0}), "comes before"},
		{"equal times: the last one first", true, equal, "begin 0, done 0, begin 1, done 1", equalTimes(Ref{1, 0}, Ref{0, 0}), ""},
		{"equal times: stored at once", true, equal, "begin 0, begin 1, done 0, done 1", equalTimes(Ref{0, 0}, Ref{1, 0}), ""},
		{"equal times in a batch", true, equal, "begin 2, done 2", equalTimes(Ref{2, 0}, Ref{2, 1}), "comes before"},
		{"records out of order", true, equal, "begin 0, done 0, begin 2, done 2", equalTimes(Ref{0, 0}, Ref{2, 1}, Ref{2, 0}), "comes before"},
		{"records in order", true, equal, "begin 0, done 0, begin 2, done 2", equalTimes(Ref{2, 1}, Ref{2, 0}, Ref{0, 0}), ""},
		{"a newest one lost", true, deletion(daybook.PruneParams{MaxPerRecord: 1}), "begin 1, done 1, begin 3, done 3", nil, "was durable"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := after(c.always, c.actions, c.notes).Judge(c.visible)
			switch {
			case c.want == "" && err != nil:
				t.Errorf("it is not accepted: %v", err)
			case c.want != "" && err == nil:
				t.Errorf("it is accepted; want an error with %q", c.want)
			case c.want != "" && !strings.Contains(err.Error(), c.want):
				t.Errorf("got %v; want an error with %q", err, c.want)
			}
		})
	}
}

// TestRecovery shows that what a recovery found stays, and that what it did not find never comes back.
func TestRecovery(t *testing.T) {
	one, other := store(0, "r", 10), store(1, "r", 20)
	before := after(false, []Action{one, other}, "begin 0, done 0, begin 1, done 1")
	h := before.Later(Action{Kind: Recover, Values: one.Values}, store(3, "r", 30))
	for at, note := range []string{Begin(2), Done(2), Begin(3)} {
		h.Note(note, at)
	}
	if err := h.Judge(one.Values); err != nil {
		t.Errorf("what was found: %v", err)
	}
	if err := h.Judge(nil); err == nil || !strings.Contains(err.Error(), "was durable") {
		t.Errorf("what was found is lost: got %v", err)
	}
	if err := h.Judge(append(other.Values, one.Values...)); err == nil || !strings.Contains(err.Error(), "has come back") {
		t.Errorf("what was not found is there: got %v", err)
	}
	if err := h.Judge(append(h.Actions[3].Values, one.Values...)); err != nil {
		t.Errorf("with a new one: %v", err)
	}
}
