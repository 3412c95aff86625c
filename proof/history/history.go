// SPDX-License-Identifier: Apache-2.0

// Package history judges what a daybook shows after a crash. A [History] knows which actions a
// daybook was asked for and which of them it has acknowledged, and [History.Judge] compares that
// with the visible values.
//
// A test numbers its actions. In the journal of the disk it notes when each action begins ([Begin])
// and when it is done ([Done]). The notes are in order with the operations of the disk. So every
// first part of the journal tells what had been attempted and what had been acknowledged when the
// power was cut there.
//
// # The rule
//
// After any crash, acknowledged ⊆ visible ⊆ attempted, batches are whole, and the order is kept:
//
//   - A visible value was attempted, has the bytes that were attempted, and is visible once.
//   - Of a batch all values are visible, or none, except for those that a deletion may have
//     removed.
//   - If a store is visible, so is every store that had been acknowledged before it began.
//   - A durable store is visible. Under Always every acknowledged store is durable. Otherwise a
//     store becomes durable when a later sync, checkpoint, deletion or close is done.
//   - A value may be missing if a deletion that has begun applies to it. It must be missing when
//     the deletion is done.
//   - A value that was visible after a recovery stays visible. A value that was not never comes
//     back.
package history

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/daybook-db/daybook"
)

// ActionKind says what an action does.
type ActionKind int

const (
	// Store is Store or StoreBatch.
	Store ActionKind = iota + 1
	// Delete is Cleanup or Prune. It also makes all earlier stores durable.
	Delete
	// Sync is Sync, Checkpoint, Backup or Close.
	Sync
	// Recover is an Open after a crash.
	Recover
)

// Action is one call of a daybook's methods.
type Action struct {
	Kind    ActionKind
	Values  []daybook.StoredValue // the values of a Store; the visible values after a Recover
	Pattern string                // the glob of a Delete
	Params  daybook.PruneParams   // of a Delete
}

// Ref identifies a value by the number of its action and its index there.
type Ref struct{ Action, Index int }

// Text returns a JSON text that contains the Ref and some padding.
func (r Ref) Text(padding string) []byte {
	return fmt.Appendf(nil, `{"action":%d,"index":%d,"text":%q}`, r.Action, r.Index, padding)
}

// RefOf returns the Ref in a JSON text that Text returned.
func RefOf(value []byte) (r Ref, ok bool) {
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

// Begin returns the note that an action begins. It is noted before the call.
func Begin(action int) string { return "begin " + strconv.Itoa(action) }

// Done returns the note that an action is done. It is noted after the call has returned without an
// error.
func Done(action int) string { return "done " + strconv.Itoa(action) }

// Never is the time of an event that has not happened.
const Never = math.MaxInt

// Times are the times of the events of one action.
type Times struct {
	Began   int
	Done    int
	Durable int // of a Store: it must be visible from then on
}

// History is the knowledge of one moment. Times are numbers that grow, such as places in the
// journal.
type History struct {
	// Always says that an acknowledged store is durable.
	Always bool
	// Actions are all actions that there will be, by number.
	Actions []Action
	// Times has one element for each action.
	Times []Times
	// Gone contains the values that were not visible after a recovery.
	Gone map[Ref]bool
	// Held is a glob of the records with a hold: a deletion may leave their values. "": none.
	Held string
}

// New returns a history in which no action has begun.
func New(actions []Action, always bool) *History {
	h := &History{Always: always, Actions: actions, Gone: make(map[Ref]bool)}
	for range actions {
		h.Times = append(h.Times, Times{Never, Never, Never})
	}
	return h
}

// Note adds the knowledge from a mark in the journal. It ignores marks that neither Begin nor Done
// returned.
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

// recovered notes which values a recovery found. They stay, and the others never come back.
func (h *History) recovered(visible []daybook.StoredValue, at int) {
	found := make(map[Ref]bool, len(visible))
	for i := range visible {
		if r, ok := RefOf(visible[i].Value); ok && r.Action < len(h.Times) {
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

// Begun reports whether any action has begun.
func (h *History) Begun() bool {
	return slices.ContainsFunc(h.Times, func(t Times) bool { return t.Began != Never })
}

// Later returns a history that continues this one with more actions. Their times may begin at 0
// again.
func (h *History) Later(more ...Action) *History {
	later := &History{
		Always: h.Always, Actions: append(slices.Clone(h.Actions), more...), Gone: make(map[Ref]bool), Held: h.Held,
	}
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
