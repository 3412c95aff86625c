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
	// defaultWatched is how many values wait for a watcher unless it asks for another number, and mostWatched how many
	// bytes of JSON at most, beside one value.
	defaultWatched = 1024
	mostWatched    = 4 << 20
)

// Watch returns a channel of the values that are stored from now on for the records that recordPattern matches, in the
// order of their sequence numbers, each once it is as durable as Options.Durability says. At most params.Buffer of them,
// and 4 MiB, wait for a slow receiver; of more the oldest are missed, and the next event says how many. Stores never
// wait for it. The channel is closed when ctx ends, and, once what waits has been received, when the DB is closed: end
// ctx when the channel is not received from any more.
//
// For one that must not miss anything there is Changes.
// Errors: daybook.ErrInvalidPattern, ErrInvalidParams, ErrClosed, or ctx's.
func (db *DB) Watch(ctx context.Context, recordPattern string, params daybook.WatchParams) (<-chan daybook.Event, error) {
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
	w := &watcher{pattern: pattern, matched: make(map[string]bool), most: cmp.Or(params.Buffer, defaultWatched), wake: make(chan struct{}, 1)}
	db.watchers.add(w)
	events := make(chan daybook.Event)
	go func() {
		defer close(events)
		defer db.watchers.remove(w)
		w.run(ctx, events)
	}()
	return events, nil
}

// watchers are those who are told of what is stored.
type watchers struct {
	some atomic.Bool // there are some; without, a commit takes no lock
	mu   sync.Mutex
	list []*watcher
}

func (ws *watchers) add(w *watcher) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	ws.list = append(ws.list, w)
	ws.some.Store(true)
}

func (ws *watchers) remove(w *watcher) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	ws.list = slices.DeleteFunc(ws.list, func(other *watcher) bool { return other == w })
	ws.some.Store(len(ws.list) > 0)
}

// tell tells all of a group whose first value has that sequence number. Groups are told of in their order.
func (ws *watchers) tell(group []*commit, sequence uint64) {
	if !ws.some.Load() {
		return
	}
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for _, c := range group {
		for _, w := range ws.list {
			w.tell(c.values, sequence)
		}
		sequence += uint64(len(c.values))
	}
}

// end lets each receive what waits for it, and no more.
func (ws *watchers) end() {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for _, w := range ws.list {
		w.end()
	}
}

// watcher is one that is told.
type watcher struct {
	pattern *index.Pattern
	matched map[string]bool // what pattern says of names, since a hostile one would hold up whoever stores
	most    int             // events that wait
	wake    chan struct{}   // holds one

	// mu guards what follows.
	mu      sync.Mutex
	waiting []daybook.Event
	size    int    // of their values in bytes
	missed  uint64 // before the first of them
	ended   bool
}

func (w *watcher) tell(values []daybook.StoredValue, sequence uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range values {
		v := values[i]
		if !w.matches(v.RecordName) {
			continue
		}
		for len(w.waiting) == w.most || len(w.waiting) > 0 && w.size+len(v.Value) > mostWatched {
			w.take()
			w.missed++
		}
		v.Value = bytes.Clone(v.Value) // the caller's
		w.waiting = append(w.waiting, daybook.Event{Change: daybook.Change{StoredValue: v, Sequence: sequence + uint64(i)}})
		w.size += len(v.Value)
	}
	w.nudge()
}

// mostMatched is how many names a watcher remembers.
const mostMatched = 64 << 10

func (w *watcher) matches(name string) bool {
	matches, known := w.matched[name]
	if !known {
		if len(w.matched) >= mostMatched {
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

// take takes the first event that waits.
func (w *watcher) take() (first daybook.Event) {
	first, w.waiting[0] = w.waiting[0], daybook.Event{}
	w.waiting = w.waiting[1:]
	w.size -= len(first.Value)
	return first
}

// next returns the next event; none if nothing waits, and then whether more may come.
func (w *watcher) next() (event daybook.Event, found, more bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.waiting) == 0 {
		return daybook.Event{}, false, !w.ended
	}
	event = w.take()
	event.Missed, w.missed = w.missed, 0
	return event, true, true
}

// run sends what waits until there is no more.
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
