// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bytes"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/head"
)

// passPause is the time after which the next values are passed on. Without it each Store would wake
// the goroutine that does so, which takes longer than a Store that does not sync.
const passPause = time.Millisecond

// watchers are the watchers of a DB. The leader of a group only copies the values into recent. A
// goroutine matches the records' names, and passes the values on.
type watchers struct {
	exist  atomic.Bool // list is not empty; otherwise a commit takes no lock
	recent recentValues

	mu       sync.Mutex // guards the fields below; it is locked before recent's and a watcher's
	list     []*watcher
	matched  *matched      // is new with each change of list
	stopping chan struct{} // nil: no goroutine passes values on
}

func (ws *watchers) add(w *watcher) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	ws.passAllLocked() // w must not receive the values that were stored before
	ws.setList(append(ws.list, w))
	if ws.stopping == nil {
		ws.stopping = make(chan struct{})
		ws.recent.wake = make(chan struct{}, 1)
		go ws.passWhenWoken(ws.stopping)
	}
	ws.exist.Store(true) // last: it makes recent.wake visible to leaders
}

func (ws *watchers) remove(w *watcher) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	ws.setList(slices.DeleteFunc(slices.Clone(ws.list), func(other *watcher) bool { return other == w }))
	ws.exist.Store(len(ws.list) > 0)
}

func (ws *watchers) setList(list []*watcher) {
	ws.list = list
	ws.matched = &matched{} // answers about the former list are void
}

// addedFunc is called with a value that was added to a record in the head.
type addedFunc = func(record *head.Record, value *daybook.StoredValue, sequence uint64)

// tell calls addAll, which calls its argument for the values of a group, and takes copies of the
// values, to be passed to all watchers. It is called for groups in their order.
func (ws *watchers) tell(epoch [16]byte, addAll func(addedFunc)) {
	ws.recent.addGroup(epoch, addAll)
	select {
	case ws.recent.wake <- struct{}{}:
	default:
	}
}

// end lets each watcher receive the values that wait for it, and no more. Nothing is stored any
// more.
func (ws *watchers) end() {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	ws.passAllLocked()
	for _, w := range ws.list {
		w.end()
	}
	if ws.stopping != nil {
		close(ws.stopping)
	}
}

// passWhenWoken is the goroutine that passes values on.
func (ws *watchers) passWhenWoken(stopping <-chan struct{}) {
	for {
		select {
		case <-stopping:
			return
		case <-ws.recent.wake:
		}
		ws.passAll()
		time.Sleep(passPause)
	}
}

// passAll passes all recent values to the watchers. It waits if another goroutine does so.
func (ws *watchers) passAll() {
	if ws.recent.empty.Load() {
		return
	}
	ws.mu.Lock()
	defer ws.mu.Unlock()
	ws.passAllLocked()
}

func (ws *watchers) passAllLocked() {
	for {
		lost, part := ws.recent.take()
		for record, values := range lost {
			for _, w := range ws.matching(record) {
				w.miss(values)
			}
		}
		if part == nil {
			return
		}
		ws.pass(part)
		ws.recent.release(part)
	}
}

// pass passes values to the watchers whose patterns match.
func (ws *watchers) pass(part *recentPart) {
	start := 0
	for _, v := range part.values {
		value := part.bytes[start:v.end]
		start = v.end
		to := ws.matching(v.record)
		if len(to) == 0 {
			continue
		}
		cursor := daybook.Cursor{Epoch: part.epoch, Sequence: v.sequence}
		stored := daybook.StoredValue{RecordName: v.record.Name(), Value: bytes.Clone(value), StoredAt: v.storedAt}
		e := waitingEvent{
			Event:  daybook.Event{Change: daybook.Change{StoredValue: stored, Cursor: cursor}},
			shared: len(to) > 1,
		}
		for _, w := range to {
			w.add(e)
		}
	}
}

// matched are the watchers that match a record. The record's Tag keeps them, so that patterns are
// matched once per record and head.
type matched struct {
	by  []*watcher
	all *matched // the list of watchers in which they were found: watchers.matched at that time
}

// matching returns the watchers whose patterns match a record.
func (ws *watchers) matching(record *head.Record) []*watcher {
	known, _ := record.Tag.(*matched)
	if known == ws.matched { // most records match no watcher
		return nil
	}
	if known != nil && known.all == ws.matched {
		return known.by
	}
	var by []*watcher
	for _, w := range ws.list {
		if w.pattern.Match(record.Name()) {
			by = append(by, w)
		}
	}
	if record.Tag = ws.matched; by != nil {
		record.Tag = &matched{by, ws.matched}
	}
	return by
}
