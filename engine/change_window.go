// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"cmp"
	"slices"

	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/arena"
	"github.com/daybook-db/daybook/engine/internal/tree"
)

// Bounds of a window. It may have twice as many values before it is shortened.
const (
	maxWindowValues = 64 << 10
	maxWindowBytes  = 8 << 20 // of JSON
)

// changeWindow collects those values of the heads whose sequence numbers are in a window, in no
// order.
type changeWindow struct {
	after, through uint64 // the window: greater than after, up to through
	nextAfter      uint64 // the least sequence number after the window that has been seen
	changes        []tree.Change
	bytes          int // of their JSON
	values         arena.Values
}

// newChangeWindow returns a window of numbers after one, up to last.
func newChangeWindow(after, last uint64) *changeWindow {
	return &changeWindow{after: after, through: after + min(maxWindowValues, last-after), nextAfter: last + 1}
}

// add adds a value if it is in the window. If the values are twice as many or as large as they
// should be, it ends the window earlier and keeps the first half of them.
func (w *changeWindow) add(record string, e codec.Entry) {
	if e.Sequence > w.through {
		w.nextAfter = min(w.nextAfter, e.Sequence)
		return
	}
	e.Value = w.values.Copy(e.Value)
	w.changes = append(w.changes, tree.Change{Record: record, Entry: e})
	if w.bytes += len(e.Value); w.bytes >= 2*maxWindowBytes {
		w.shorten()
	}
}

// shorten keeps the first of the values, in new memory, and ends the window with them.
func (w *changeWindow) shorten() {
	w.sort()
	all := w.changes
	w.changes, w.bytes, w.values = nil, 0, arena.Values{}
	for _, change := range all {
		if len(w.changes) > 0 && w.bytes+len(change.Value) > maxWindowBytes {
			break
		}
		change.Value = w.values.Copy(change.Value)
		w.changes, w.bytes = append(w.changes, change), w.bytes+len(change.Value)
	}
	w.endAt(w.changes[len(w.changes)-1].Sequence)
}

// endAt ends the window earlier.
func (w *changeWindow) endAt(through uint64) {
	w.through, w.nextAfter = through, through+1
	w.changes = slices.DeleteFunc(w.changes, func(c tree.Change) bool { return c.Sequence > through })
}

// take returns the values in order, and the number up to which there are no others.
func (w *changeWindow) take() (changes []tree.Change, through uint64) {
	w.sort()
	if len(w.changes) == 0 {
		return nil, max(w.through, w.nextAfter-1)
	}
	return w.changes, w.through
}

func (w *changeWindow) sort() {
	slices.SortFunc(w.changes, func(a, b tree.Change) int { return cmp.Compare(a.Sequence, b.Sequence) })
}
