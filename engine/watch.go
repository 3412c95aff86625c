// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bytes"
	"cmp"
	"context"
	"sync"
	"time"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/index"
)

const (
	defaultWatchBuffer = 1024    // values that may wait for a watcher, unless it asks for another number
	maxWatchedBytes    = 4 << 20 // of the JSON of values that wait for a watcher, unless one value has more

	maxPassWait = 100 * time.Millisecond // for which a receiver waits until values are passed on
)

// Watch returns a channel of the values that are stored after the call for the records that
// recordPattern matches, in the order in which they are stored. Each is sent once it is as durable
// as Options.Durability says. At most params.Buffer values, and 4 MiB, wait for a slow receiver. Of
// more, the oldest are missed, and the next event says how many. Stores never wait for a receiver,
// nor until patterns are matched: values are also missed when they are stored so fast that 8 MiB of
// them have not been matched.
// The channel is closed when ctx ends, and after Close when the waiting values have been received.
// End ctx when you stop receiving.
//
// A program that must not miss a value uses Changes.
// Errors: daybook.ErrInvalidPattern, ErrInvalidParams, ErrClosed, ErrLocked beside a writer, or
// ctx's.
func (db *DB) Watch(
	ctx context.Context, recordPattern string, params daybook.WatchParams,
) (<-chan daybook.Event, error) {
	if err := db.enter(ctx); err != nil {
		return nil, err
	}
	defer db.gate.leave()
	if err := db.refuseBeside("Watch"); err != nil { // it would be silent while the writer stores
		return nil, err
	}
	if err := params.Validate(); err != nil {
		return nil, err
	}
	pattern, err := index.Compile(daybook.Pattern{Text: recordPattern, Syntax: params.Syntax})
	if err != nil {
		return nil, err
	}
	w := &watcher{pattern: pattern, maxWaiting: cmp.Or(params.Buffer, defaultWatchBuffer),
		wake: make(chan struct{}, 1)}
	if err := db.watchers.add(ctx, w); err != nil {
		return nil, err
	}
	events := make(chan daybook.Event)
	go func() {
		defer close(events)
		defer db.watchers.remove(w)
		w.run(ctx, &db.watchers, events)
	}()
	return events, nil
}

// watcher passes values to one receiver.
type watcher struct {
	pattern    *index.Pattern
	after      uint64        // only values with greater sequence numbers count
	maxWaiting int           // events
	wake       chan struct{} // holds one element

	mu      sync.Mutex // guards the fields below
	waiting []waitingEvent
	size    int    // of the waiting values, in bytes
	missed  uint64 // number of values that were missed after the last waiting one
	ended   bool
	removed bool // nobody receives any more
}

// waitingEvent is an event that waits for its receiver.
type waitingEvent struct {
	daybook.Event
	shared bool // other watchers have the bytes of its value, too
}

// add adds an event. If the watcher has no room for it, the oldest ones are missed.
func (w *watcher) add(e waitingEvent) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if e.Cursor.Sequence <= w.after || w.removed {
		return
	}
	for len(w.waiting) > 0 && (len(w.waiting) >= w.maxWaiting || w.size+len(e.Value) > maxWatchedBytes) {
		first := w.takeFirst()
		w.missBefore(first.Missed + 1)
	}
	e.Missed, w.missed = w.missed, 0
	w.waiting = append(w.waiting, e)
	w.size += len(e.Value)
	w.nudge()
}

// missBefore counts values that were missed before the first waiting event.
func (w *watcher) missBefore(values uint64) {
	if len(w.waiting) > 0 {
		w.waiting[0].Missed += values
	} else {
		w.missed += values
	}
}

// miss counts values that were missed after the last waiting event.
func (w *watcher) miss(values uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.missed += values
}

func (w *watcher) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = true
	w.nudge()
}

// discard forgets the waiting events of a watcher that was removed. The records that it matched
// refer to it as long as they are in a head.
func (w *watcher) discard() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waiting, w.removed = nil, true
}

func (w *watcher) nudge() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// takeFirst removes and returns the first waiting event.
func (w *watcher) takeFirst() (first waitingEvent) {
	first, w.waiting[0] = w.waiting[0], waitingEvent{}
	w.waiting = w.waiting[1:]
	w.size -= len(first.Value)
	return first
}

// next returns the next event, if one waits, and whether more may come.
func (w *watcher) next() (event daybook.Event, found, more bool) {
	w.mu.Lock()
	if len(w.waiting) == 0 {
		defer w.mu.Unlock()
		return daybook.Event{}, false, !w.ended
	}
	first := w.takeFirst()
	w.mu.Unlock()
	if first.shared {
		first.Value = bytes.Clone(first.Value) // the receiver owns its event
	}
	return first.Event, true, true
}

// run sends waiting events until the watcher has ended, or ctx ends.
func (w *watcher) run(ctx context.Context, from *watchers, events chan<- daybook.Event) {
	var passed time.Time
	for {
		// Not more values may wait for the receiver than its buffer takes. But values can be stored
		// faster than they are passed on. Then the receiver waits for that half of the time.
		if !from.recent.empty() && time.Since(passed) >= maxPassWait {
			waiting, end := context.WithTimeout(ctx, maxPassWait)
			if from.passAll(waiting) != nil {
				passed = time.Now()
			}
			end()
		}
		if ctx.Err() != nil {
			return
		}
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
