// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/index"
)

const (
	defaultWatchBuffer = 1024    // values that may wait for a watcher, unless it asks for another number
	maxWatchedBytes    = 4 << 20 // of the JSON of values that wait for a watcher, unless one value has more
	maxMatchedNames    = 64 << 10
)

// Watch returns a channel of the values that are stored after the call for the records that
// recordPattern matches, in the order in which they are stored. Each is sent once it is as durable
// as Options.Durability says. At most params.Buffer values, and 4 MiB, wait for a slow receiver. Of
// more, the oldest are missed, and the next event says how many. Stores never wait for a receiver.
// The channel is closed when ctx ends, and after Close when the waiting values have been received.
// End ctx when you stop receiving.
//
// A program that must not miss a value uses Changes.
// Errors: daybook.ErrInvalidPattern, ErrInvalidParams, ErrClosed, or ctx's.
func (db *DB) Watch(
	ctx context.Context, recordPattern string, params daybook.WatchParams,
) (<-chan daybook.Event, error) {
	if err := db.enter(ctx); err != nil {
		return nil, err
	}
	defer db.gate.leave()
	if err := params.Validate(); err != nil {
		return nil, err
	}
	pattern, err := index.Compile(recordPattern, params.Syntax)
	if err != nil {
		return nil, err
	}
	w := &watcher{pattern: pattern, matched: make(map[string]bool),
		maxWaiting: cmp.Or(params.Buffer, defaultWatchBuffer), wake: make(chan struct{}, 1)}
	db.watchers.add(w)
	events := make(chan daybook.Event)
	go func() {
		defer close(events)
		defer db.watchers.remove(w)
		w.run(ctx, events)
	}()
	return events, nil
}

// watchers are the watchers of a DB.
type watchers struct {
	exist atomic.Bool // list is not empty; otherwise a commit takes no lock
	mu    sync.Mutex  // guards list
	list  []*watcher
}

func (ws *watchers) add(w *watcher) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	ws.list = append(ws.list, w)
	ws.exist.Store(true)
}

func (ws *watchers) remove(w *watcher) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	ws.list = slices.DeleteFunc(ws.list, func(other *watcher) bool { return other == w })
	ws.exist.Store(len(ws.list) > 0)
}

// tell passes a group of commits, whose first value has the given cursor, to all watchers. It is
// called for groups in their order.
func (ws *watchers) tell(group []*commit, first daybook.Cursor) {
	if !ws.exist.Load() {
		return
	}
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for _, c := range group {
		for _, w := range ws.list {
			w.tell(c.values, first.Epoch, first.Sequence)
		}
		first.Sequence += uint64(len(c.values))
	}
}

// end lets each watcher receive the values that wait for it, and no more.
func (ws *watchers) end() {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for _, w := range ws.list {
		w.end()
	}
}

// watcher passes values to one receiver.
type watcher struct {
	pattern    *index.Pattern
	matched    map[string]bool // of names: whether pattern matches. Matching a hostile pattern would slow writers
	maxWaiting int             // events
	wake       chan struct{}   // holds one element

	mu      sync.Mutex // guards the fields below
	waiting []daybook.Event
	size    int    // of the waiting values, in bytes
	missed  uint64 // number of values that were missed before the first waiting one
	ended   bool
}

func (w *watcher) tell(values []daybook.StoredValue, epoch [16]byte, sequence uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range values {
		v := values[i]
		if !w.matches(v.RecordName) {
			continue
		}
		for len(w.waiting) == w.maxWaiting || len(w.waiting) > 0 && w.size+len(v.Value) > maxWatchedBytes {
			w.takeFirst()
			w.missed++
		}
		v.Value = bytes.Clone(v.Value) // the caller keeps the original
		cursor := daybook.Cursor{Epoch: epoch, Sequence: sequence + uint64(i)}
		w.waiting = append(w.waiting, daybook.Event{Change: daybook.Change{StoredValue: v, Cursor: cursor}})
		w.size += len(v.Value)
	}
	w.nudge()
}

// matches reports whether the pattern matches a name, and remembers the answer for many names.
func (w *watcher) matches(name string) bool {
	matches, known := w.matched[name]
	if !known {
		if len(w.matched) >= maxMatchedNames {
			clear(w.matched)
		}
		matches = w.pattern.Match(name)
		w.matched[strings.Clone(name)] = matches
	}
	return matches
}

func (w *watcher) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = true
	w.nudge()
}

func (w *watcher) nudge() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// takeFirst removes and returns the first waiting event.
func (w *watcher) takeFirst() (first daybook.Event) {
	first, w.waiting[0] = w.waiting[0], daybook.Event{}
	w.waiting = w.waiting[1:]
	w.size -= len(first.Value)
	return first
}

// next returns the next event, if one waits, and whether more may come.
func (w *watcher) next() (event daybook.Event, found, more bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.waiting) == 0 {
		return daybook.Event{}, false, !w.ended
	}
	event = w.takeFirst()
	event.Missed, w.missed = w.missed, 0
	return event, true, true
}

// run sends waiting events until the watcher has ended, or ctx ends.
func (w *watcher) run(ctx context.Context, events chan<- daybook.Event) {
	for {
		event, found, more := w.next()
		if !more {
			return
		}
		if found {
			select {
			case events <- event:
			case <-ctx.Done():
				return
			}
			continue
		}
		select {
		case <-w.wake:
		case <-ctx.Done():
			return
		}
	}
}
