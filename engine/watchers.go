// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bytes"
	"context"
	"slices"
	"strings"
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
	passed  uint64        // sequence number of the last value that was passed on; that goroutine alone uses it

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
	w.after = ws.recent.lastAdded()
	if err := ws.passAll(ctx); err != nil { // values up to there must not count as missed by w
		return err
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
	w.discard()
}

func (ws *watchers) setList(list []*watcher) {
	ws.list = list
	// Answers about the former list are void.
	ws.matched = newMatched(ws.version.Add(1))
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

// passAll passes the values to the watchers that were stored before the call. It waits if another
// goroutine does so. It leaves those that are stored meanwhile: otherwise it would never return
// while values are stored faster than they are passed on.
// Errors: ctx's.
func (ws *watchers) passAll(ctx context.Context) error {
	if ws.recent.empty() {
		return nil
	}
	last := ws.recent.lastAdded()
	select {
	case ws.passing <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-ws.passing }()
	for ws.passed < last {
		if err := ctx.Err(); err != nil {
			return err
		}
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
		ws.passed = part.values[len(part.values)-1].sequence
		ws.recent.release(part)
	}
	return nil
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

// matched are the watchers that match a record. The record's notes keep them, so that patterns are
// matched once per record. A new head has new records, whose names were matched before.
type matched struct {
	by      []*watcher
	all     *matched            // the list of watchers in which they were found: watchers.matched at that time
	version uint64              // of that list, if this is its watchers.matched
	found   map[string]*matched // of that list, too: each set of watchers once, by the bits of their indices
	names   map[string]*matched // of that list, too: of at most maxMatchedNames records, by name
}

// maxMatchedNames bounds the memory of names whose watchers are known.
const maxMatchedNames = 64 << 10

func newMatched(version uint64) *matched {
	return &matched{version: version, found: make(map[string]*matched), names: make(map[string]*matched)}
}

// matching returns the watchers whose patterns match a record. Only the goroutine that passes
// values on calls it, so it alone uses the records' notes.
func (ws *watchers) matching(record *head.Record) []*watcher {
	ws.mu.Lock()
	list, all := ws.list, ws.matched
	ws.mu.Unlock()
	notes := record.Notes()
	known, _ := notes.Tag.(*matched)
	if known == all { // most records match no watcher
		return nil
	}
	if known == nil || known.all != all {
		if known = all.names[record.Name()]; known == nil {
			known = all.match(list, record.Name())
			all.remember(record.Name(), known)
		}
		notes.Tag = known
		if known == all {
			notes.Mark.Store(all.version)
		}
	}
	return known.by
}

// match returns those of all watchers that match a name; all itself if there are none.
func (all *matched) match(list []*watcher, name string) *matched {
	var by []*watcher
	set := make([]byte, len(list)/8+1)
	for i, w := range list {
		if w.pattern.Match(name) {
			by = append(by, w)
			set[i/8] |= 1 << (i % 8)
		}
	}
	if by == nil {
		return all
	}
	found := all.found[string(set)]
	if found == nil {
		found = &matched{by: by, all: all}
		all.found[string(set)] = found
	}
	return found
}

// remember remembers what matches a name. The name's memory may belong to a head.
func (all *matched) remember(name string, m *matched) {
	if len(all.names) == maxMatchedNames {
		clear(all.names)
	}
	all.names[strings.Clone(name)] = m
}
