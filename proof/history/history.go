// SPDX-License-Identifier: Apache-2.0

// Package history knows what a daybook was asked to do and when it said that it had, and judges what it
// shows after a crash.
//
// A test numbers its actions, and notes in the disk's journal when each begins and when it is done (Begin,
// Done). Since the notes are in order with the disk's own operations, any first part of the journal says
// what had been attempted and acknowledged when the power was cut there.
//
// # The rule
//
// After any crash, acknowledged ⊆ visible ⊆ attempted, batches are whole, and the order is kept:
//
//   - What is visible was attempted, is byte for byte what was attempted, and is there once.
//   - Of a batch, all values are visible or none is, save those that a deletion may have taken.
//   - If one store is visible, so is each that had been acknowledged before it began.
//   - What was durable is visible: each acknowledged store where that is what an acknowledgement means,
//     and in any case what had been acknowledged before a sync, checkpoint, deletion or close began that
//     is done.
//   - Only what a deletion that has begun applies to may be missing, and after it is done, must be.
//   - What was visible after a recovery stays so, and what was not never comes back.
package history

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/daybook-db/daybook"
)

// Kind is what an action does.
type Kind int

const (
	// Store is Store or StoreBatch.
	Store Kind = iota + 1
	// Delete is Cleanup or Prune. It also makes durable what was stored before.
	Delete
	// Sync is Sync, Checkpoint or Close.
	Sync
	// Recover is an Open that found what it found.
	Recover
)

// Action is something a daybook was asked to do.
type Action struct {
	Kind    Kind
	Values  []daybook.StoredValue // of a Store; for Recover: what was visible
	Pattern string                // of a Delete, a glob
	Params  daybook.PruneParams   // of a Delete
}

// Ref is a value: the index-th of an action's.
type Ref struct{ Action, Index int }

// Text returns the JSON of a value, which says which one it is. It is padded with some text.
func (r Ref) Text(padding string) []byte {
	return fmt.Appendf(nil, `{"action":%d,"index":%d,"text":%q}`, r.Action, r.Index, padding)
}

// refOf returns which value a JSON is of.
func refOf(value []byte) (r Ref, ok bool) {
	rest, found := strings.CutPrefix(string(value[:min(len(value), 60)]), `{"action":`)
	action, rest, cut := strings.Cut(rest, `,"index":`)
	index, _, cutAgain := strings.Cut(rest, `,`)
	r.Action, r.Index = number(action), number(index)
	return r, found && cut && cutAgain && r.Action >= 0 && r.Index >= 0
}

func number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		return -1
	}
	return n
}

// Begin and Done are the notes that an action begins, and that it is done. Begin is noted before the call,
// Done after it has returned without an error.
func Begin(action int) string { return "begin " + strconv.Itoa(action) }

// Done is the other note.
func Done(action int) string { return "done " + strconv.Itoa(action) }

// Never is the time of what has not happened.
const Never = math.MaxInt

// Times says when something happened to one action.
type Times struct {
	Began   int
	Done    int
	Durable int // from when on it must be visible, for a Store
}

// History is what is known at one moment. Time is any number that grows, such as a place in the journal.
type History struct {
	// Always: an acknowledged store is durable.
	Always bool
	// Actions are all there will be, by their number.
	Actions []Action
	// Times has one element for each of them.
	Times []Times
	// Gone are values that were not visible after a recovery.
	Gone map[Ref]bool
}

// New returns the history in which nothing has happened yet.
func New(actions []Action, always bool) *History {
	h := &History{Always: always, Actions: actions, Gone: make(map[Ref]bool)}
	for range actions {
		h.Times = append(h.Times, Times{Never, Never, Never})
	}
	return h
}

// Note takes note of a mark in the journal. Others than Begin and Done are ignored.
func (h *History) Note(mark string, at int) {
	if text, ok := strings.CutPrefix(mark, "begin "); ok {
		h.Times[number(text)].Began = at
	}
	if text, ok := strings.CutPrefix(mark, "done "); ok {
		h.done(number(text), at)
	}
}

func (h *History) done(action, at int) {
	t := &h.Times[action]
	t.Done = at
	switch h.Actions[action].Kind {
	case Store:
		if h.Always {
			t.Durable = at
		}
	case Delete, Sync:
		for other := range h.Times {
			if o := &h.Times[other]; h.Actions[other].Kind == Store && o.Done < t.Began {
				o.Durable = min(o.Durable, at)
			}
		}
	case Recover:
		h.recovered(h.Actions[action].Values, at)
	}
}

// recovered takes note of what a recovery found: nothing else will ever be found again.
func (h *History) recovered(visible []daybook.StoredValue, at int) {
	found := make(map[Ref]bool, len(visible))
	for i := range visible {
		if r, ok := refOf(visible[i].Value); ok && r.Action < len(h.Times) {
			found[r] = true
			t := &h.Times[r.Action]
			t.Durable = min(t.Durable, at)
		}
	}
	for action := range h.Times {
		if h.Times[action].Began == Never {
			continue
		}
		for index := range h.Actions[action].Values {
			if r := (Ref{action, index}); !found[r] {
				h.Gone[r] = true
			}
		}
	}
}

// Begun reports whether anything has been attempted.
func (h *History) Begun() bool {
	return slices.ContainsFunc(h.Times, func(t Times) bool { return t.Began != Never })
}

// Later returns a history that goes on from this one with more actions, whose times may begin at 0 again.
func (h *History) Later(more ...Action) *History {
	later := &History{Always: h.Always, Actions: append(slices.Clone(h.Actions), more...), Gone: make(map[Ref]bool)}
	earlier := func(at int) int {
		if at == Never {
			return Never
		}
		return at - math.MaxInt/4
	}
	for _, t := range h.Times {
		later.Times = append(later.Times, Times{earlier(t.Began), earlier(t.Done), earlier(t.Durable)})
	}
	for range more {
		later.Times = append(later.Times, Times{Never, Never, Never})
	}
	for r := range h.Gone {
		later.Gone[r] = true
	}
	return later
}
