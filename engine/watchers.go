// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bytes"
	"context"
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

// watchers are the watchers of a DB. The leader of a group only copies the values into recent,
// except those of records that are known to match no watcher. A goroutine matches the records'
// names, and passes the values on. Hostile patterns can take long,
// so none of the locks is held while a name is matched, except passing, for which every caller
// waits with its context.
type watchers struct {
	exist   atomic.Bool   // list is not empty; otherwise a commit takes no lock
	version atomic.Uint64 // of list; the Mark of a record that no watcher in it matches
	recent  recentValues

	passing chan struct{} // holds one element while a goroutine passes values on

	mu       sync.Mutex // guards the fields below
	list     []*watcher // is replaced, never changed
	matched  *matched   // is new with each change of list
	stopping chan struct{}
	begun    bool // the goroutine that passes values on was started
}

func newWatchers() watchers {
	return watchers{
		recent:   recentValues{wake: make(chan struct{}, 1)},
		passing:  make(chan struct{}, 1),
		stopping: make(chan struct{}),
	}
}

// add adds a watcher, which receives the values that are stored from now on.
// Errors: ctx's.
func (ws *watchers) add(ctx context.Context, w *watcher) error {
	var lost bool
	if w.after, lost = ws.recent.state(); lost { // they must not count as missed by w
		if err := ws.passAll(ctx); err != nil {
			return err
		}
	}
	ws.mu.Lock()
	defer ws.mu.Unlock()
	ws.setList(append(slices.Clone(ws.list), w))
	ws.exist.Store(true)
	if !ws.begun {
		ws.begun = true
		go ws.passWhenWoken()
	}
	return nil
}

func (ws *watchers) remove(w *watcher) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	ws.setList(slices.DeleteFunc(slices.Clone(ws.list), func(other *watcher) bool { return other == w }))
	ws.exist.Store(len(ws.list) > 0)
}

func (ws *watchers) setList(list []*watcher) {
	ws.list = list
	ws.matched = &matched{version: ws.version.Add(1)} // answers about the former list are void
}

// addedFunc is called with a value that was added to a record in the head.
type addedFunc = func(record *head.Record, value *daybook.StoredValue, sequence uint64)

// tell calls addAll, which calls its argument for the values of a group, and takes copies of the
// values, to be passed to all watchers. It is called for groups in their order.
func (ws *watchers) tell(epoch [16]byte, addAll func(addedFunc)) {
	if !ws.recent.addGroup(epoch, ws.version.Load(), addAll) {
		return
	}
	select {
	case ws.recent.wake <- struct{}{}:
	default:
	}
}

// end lets each watcher receive the values that wait for it, and no more. Nothing is stored any
// more.
func (ws *watchers) end() { close(ws.stopping) }

// passWhenWoken is the goroutine that passes values on. After end it passes on the last ones.
func (ws *watchers) passWhenWoken() {
	for ended := false; !ended; {
		select {
		case <-ws.stopping:
			ended = true
		case <-ws.recent.wake:
		}
		_ = ws.passAll(context.Background())
		time.Sleep(passPause)
	}
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for _, w := range ws.list {
		w.end()
	}
}

// passAll passes all recent values to the watchers. It waits if another goroutine does so.
// Errors: ctx's.
func (ws *watchers) passAll(ctx context.Context) error {
	if ws.recent.empty() {
		return nil
	}
	select {
	case ws.passing <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-ws.passing }()
	for {
		lost, part := ws.recent.take()
		for record, values := range lost {
			for _, w := range ws.matching(record) {
				w.miss(values)
			}
		}
		if part == nil {
			return nil
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
	by      []*watcher
	all     *matched // the list of watchers in which they were found: watchers.matched at that time
	version uint64   // of that list, if this is its watchers.matched
}

// matching returns the watchers whose patterns match a record. Only the goroutine that passes
// values on calls it, so it alone uses the records' Tags.
func (ws *watchers) matching(record *head.Record) []*watcher {
	ws.mu.Lock()
	list, all := ws.list, ws.matched
	ws.mu.Unlock()
	known, _ := record.Tag.(*matched)
	if known == all { // most records match no watcher
		return nil
	}
	if known != nil && known.all == all {
		return known.by
	}
	var by []*watcher
	for _, w := range list {
		if w.pattern.Match(record.Name()) {
			by = append(by, w)
		}
	}
	if by != nil {
		record.Tag = &matched{by: by, all: all}
	} else {
		record.Tag = all
		record.Mark.Store(all.version)
	}
	return by
}
