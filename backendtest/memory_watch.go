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
func (m *Memory) Watch(ctx context.Context, recordPattern string, params daybook.WatchParams) (<-chan daybook.Event, error) {
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
	w := &memoryWatcher{matches: matches, most: cmp.Or(params.Buffer, 1024), from: len(m.told), changed: sync.NewCond(&m.mu)}
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
		defer close(events)
		for {
			event, ok := m.await(w)
			if !ok {
				return
			}
			select {
			case events <- event:
			case <-ctx.Done():
				return
			}
		}
	}()
	return events, nil
}

// memoryWatcher reads what was stored at its own pace, and skips what lies too far back.
type memoryWatcher struct {
	matches func(name string) bool
	most    int
	from    int // where in Memory.told it reads on
	changed *sync.Cond
	ended   bool
}

// await returns the next event for a watcher; false when there will be none.
func (m *Memory) await(w *memoryWatcher) (daybook.Event, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for {
		var found []daybook.Change
		for _, change := range m.told[w.from:] {
			if w.matches(change.RecordName) {
				found = append(found, change)
			}
		}
		if len(found) > 0 && !w.ended {
			missed := max(len(found)-w.most, 0)
			for skip := missed + 1; skip > 0; w.from++ {
				if w.matches(m.told[w.from].RecordName) {
					skip--
				}
			}
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
