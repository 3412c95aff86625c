// SPDX-License-Identifier: Apache-2.0

package backendtest

import (
	"bytes"
	"cmp"
	"context"
	"sync"

	"github.com/daybook-db/daybook"
)

// Watch implements daybook.Watcher.
func (m *Memory) Watch(
	ctx context.Context, recordPattern string, params daybook.WatchParams,
) (<-chan daybook.Event, error) {
	if err := m.lock(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	if err := params.Validate(); err != nil {
		return nil, err
	}
	matches, err := compile(recordPattern, params.Syntax)
	if err != nil {
		return nil, err
	}
	w := &memoryWatcher{
		matches: whileRunning(ctx, matches),
		buffer:  cmp.Or(params.Buffer, 1024),
		next:    len(m.watched),
		changed: sync.NewCond(m.mu),
	}
	m.watchers = append(m.watchers, w)
	stop := context.AfterFunc(ctx, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		w.ended = true
		w.changed.Broadcast()
	})
	events := make(chan daybook.Event)
	go func() {
		defer stop()
		m.sendEvents(ctx, w, events)
	}()
	return events, nil
}

// memoryWatcher reads Memory.watched at its own pace. It skips values that are more than buffer
// values old.
type memoryWatcher struct {
	matches func(name string) bool
	buffer  int
	next    int // index in Memory.watched of the next value to look at
	changed *sync.Cond
	ended   bool
}

// sendEvents sends events until ctx ends or m is closed, and then closes the channel.
func (m *Memory) sendEvents(ctx context.Context, w *memoryWatcher, events chan<- daybook.Event) {
	defer close(events)
	for {
		event, ok := m.awaitEvent(ctx, w)
		if !ok {
			return
		}
		select {
		case events <- event:
		case <-ctx.Done():
			return
		}
	}
}

// awaitEvent returns the next event for a watcher. It returns false if there will be no more
// events.
func (m *Memory) awaitEvent(ctx context.Context, w *memoryWatcher) (daybook.Event, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for {
		var found []daybook.Change
		for _, change := range m.watched[w.next:] {
			if w.matches(change.RecordName) {
				found = append(found, change)
			}
		}
		if len(found) > 0 && !w.ended && ctx.Err() == nil {
			missed := max(len(found)-w.buffer, 0)
			m.advanceLocked(w, missed+1)
			event := daybook.Event{Change: found[missed], Missed: uint64(missed)}
			event.Value = bytes.Clone(event.Value)
			return event, true
		}
		if w.ended || m.closed {
			return daybook.Event{}, false
		}
		w.changed.Wait()
	}
}

// advanceLocked skips a number of matching values, and the other values before them. There may be
// fewer when the watcher's context ends.
func (m *Memory) advanceLocked(w *memoryWatcher, matching int) {
	for ; matching > 0 && w.next < len(m.watched); w.next++ {
		if w.matches(m.watched[w.next].RecordName) {
			matching--
		}
	}
}
