// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/proof/testenv"
)

func mustWatch(
	t *testing.T, ctx context.Context, db *DB, pattern string, params daybook.WatchParams,
) <-chan daybook.Event {
	t.Helper()
	events, err := db.Watch(ctx, pattern, params)
	if err != nil {
		t.Fatal(err)
	}
	return events
}

// TestWatch stores from several goroutines, in batches too, and wants each matching value once, in
// the order of the sequence numbers, which is that of Changes.
func TestWatch(t *testing.T) {
	db := mustOpen(t, t.TempDir(), &Options{Durability: DurabilityOS})
	mustStore(t, db, "a.early", "0", 1)
	all := mustWatch(t, ctx, db, "*", daybook.WatchParams{Buffer: 10_000})
	some := mustWatch(t, ctx, db, "#.temperature", daybook.WatchParams{Syntax: daybook.Topic, Buffer: 10_000})
	const writers, each = 4, 200
	var writing sync.WaitGroup
	for w := range writers {
		writing.Go(func() {
			for i := range each {
				err := db.StoreBatch(ctx, []daybook.StoredValue{
					{RecordName: fmt.Sprintf("a.%d.temperature", w), Value: json.RawMessage(fmt.Sprint(i)),
						StoredAt: uint64(i)},
					{RecordName: fmt.Sprintf("a.%d.humidity", w), Value: json.RawMessage(fmt.Sprint(i)),
						StoredAt: uint64(i)},
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	writing.Wait()
	mustClose(t, db)
	var changes []daybook.Change
	db = mustOpen(t, db.dir.path, nil)
	for change, err := range db.Changes(ctx, daybook.ChangesParams{After: db.cursorAt(1)}) {
		if err != nil {
			t.Fatal(err)
		}
		changes = append(changes, change)
	}
	changes = changes[:len(changes)-1] // without the place
	if len(changes) != 2*writers*each {
		t.Fatalf("Changes yielded %d values; want %d", len(changes), 2*writers*each)
	}
	for event := range all {
		if event.Missed != 0 || fmt.Sprint(event.Change) != fmt.Sprint(changes[0]) {
			t.Fatalf("got %v; want %v", event, changes[0])
		}
		changes = changes[1:]
	}
	if len(changes) > 0 {
		t.Errorf("%d values are missing, the first %v", len(changes), changes[0])
	}
	next := make(map[string]int)
	for event := range some {
		if event.RecordName[3:] != ".temperature" || string(event.Value) != fmt.Sprint(next[event.RecordName]) {
			t.Errorf("got %v; want value %d of a temperature", event, next[event.RecordName])
		}
		next[event.RecordName]++
	}
	if len(next) != writers {
		t.Errorf("%d records were watched; want %d", len(next), writers)
	}
}

// TestWatchSlowly does not receive while it stores. It must be told the exact number of missed
// values, whether the buffer is full by number or by bytes.
func TestWatchSlowly(t *testing.T) {
	db := mustOpen(t, testenv.TempDir(t), &Options{Durability: DurabilityOS})
	few := mustWatch(t, ctx, db, "r", daybook.WatchParams{Buffer: 3})
	many := mustWatch(t, ctx, db, "*", daybook.WatchParams{Buffer: 1 << 30})
	const stored = 1000
	value := json.RawMessage(`"` + digits(64<<10) + `"`)
	for i := range uint64(stored) {
		if err := db.Store(ctx, "r", value, i); err != nil {
			t.Fatal(err)
		}
		mustStore(t, db, "other", "1", i)
	}
	mustClose(t, db)
	for name, events := range map[string]<-chan daybook.Event{"few": few, "many": many} {
		var last daybook.Event
		received, missed := uint64(0), uint64(0)
		for event := range events {
			if event.Cursor.Sequence <= last.Cursor.Sequence {
				t.Errorf("%s: %d came after %d", name, event.Cursor.Sequence, last.Cursor.Sequence)
			}
			received, missed, last = received+1, missed+event.Missed, event
		}
		want, maxReceived, lastWanted := uint64(stored), uint64(4), uint64(2*stored-1)
		if name == "many" {
			want, maxReceived, lastWanted = 2*stored, 2*(maxWatchedBytes>>16)+3, 2*stored
		}
		if received+missed != want || received > maxReceived || last.Cursor.Sequence != lastWanted {
			t.Errorf("%s: received %d and missed %d, the last one %d; want %d in all, of them at most %d, and the "+
				"last one %d",
				name, received, missed, last.Cursor.Sequence, want, maxReceived, lastWanted)
		}
	}
}

func TestWatchEnds(t *testing.T) {
	db := mustOpen(t, t.TempDir(), nil)
	ending, end := context.WithCancel(ctx)
	events := mustWatch(t, ending, db, "*", daybook.WatchParams{})
	mustStore(t, db, "r", "1", 1)
	end()
	for range events { // at most the waiting events, and then the end
	}
	if len(db.watchers.list) != 0 {
		t.Errorf("%d watchers are left", len(db.watchers.list))
	}
	if _, err := db.Watch(ctx, "", daybook.WatchParams{}); !errors.Is(err, daybook.ErrInvalidPattern) {
		t.Errorf("an empty pattern: got %v", err)
	}
	if _, err := db.Watch(ctx, "*", daybook.WatchParams{Buffer: -1}); !errors.Is(err, daybook.ErrInvalidParams) {
		t.Errorf("a negative buffer: got %v", err)
	}
	if _, err := db.Watch(ending, "*", daybook.WatchParams{}); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that has ended: got %v", err)
	}
	mustClose(t, db)
	if _, err := db.Watch(ctx, "*", daybook.WatchParams{}); !errors.Is(err, daybook.ErrClosed) {
		t.Errorf("a closed DB: got %v", err)
	}
}

// TestWatchBehind stores more than the 8 MiB of values that may wait to be matched. Stores must go
// on meanwhile, and each watcher must be told exactly how many of its values it has missed.
func TestWatchBehind(t *testing.T) {
	db := mustOpen(t, testenv.TempDir(t), &Options{Durability: DurabilityOS, Tuning: Tuning{HeadSize: 4 << 20}})
	patterns := map[string]uint64{"*": 0, "r1*": 0, "r7": 0}
	watches := make(map[string]<-chan daybook.Event)
	for pattern := range patterns {
		watches[pattern] = mustWatch(t, ctx, db, pattern, daybook.WatchParams{Buffer: 50})
	}
	value := json.RawMessage(`"` + digits(1000) + `"`)
	store := func(i uint64) {
		t.Helper()
		if err := db.Store(ctx, fmt.Sprint("r", i%20), value, i); err != nil {
			t.Fatal(err)
		}
	}
	db.watchers.passing <- struct{}{} // as if a hostile pattern took all this time
	const stored = 20_000
	for i := range uint64(stored) {
		store(i)
	}
	if parts := len(db.watchers.recent.parts); parts != maxParts {
		t.Errorf("%d parts wait to be matched; want %d", parts, maxParts)
	}
	<-db.watchers.passing
	for i := range uint64(20) { // the next event of each watcher says what it has missed
		store(stored + i)
	}
	mustClose(t, db)
	patterns = map[string]uint64{"*": stored + 20, "r1*": (stored + 20) * 11 / 20, "r7": (stored + 20) / 20}
	for pattern, events := range watches {
		received, missed, last := uint64(0), uint64(0), uint64(0)
		for event := range events {
			if event.Cursor.Sequence <= last {
				t.Errorf("%s: %d came after %d", pattern, event.Cursor.Sequence, last)
			}
			received, missed, last = received+1, missed+event.Missed, event.Cursor.Sequence
		}
		if received+missed != patterns[pattern] || received > 52 {
			t.Errorf("%s: received %d and missed %d; want %d in all, and at most 52 received",
				pattern, received, missed, patterns[pattern])
		}
	}
}

// TestWatchersAreSmall wants watchers to take less than 64 KiB each, however many records there
// are, and whatever their patterns.
func TestWatchersAreSmall(t *testing.T) {
	db := mustOpen(t, testenv.TempDir(t), &Options{Durability: DurabilityOS})
	batch := make([]daybook.StoredValue, 20_000)
	for i := range batch {
		batch[i] = daybook.StoredValue{RecordName: fmt.Sprintf("%s.%d", digits(200), i), Value: json.RawMessage(`1`)}
	}
	store := func() {
		t.Helper()
		if err := db.StoreBatch(ctx, batch); err != nil {
			t.Fatal(err)
		}
		if err := db.watchers.passAll(ctx); err != nil {
			t.Fatal(err)
		}
	}
	inUse := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc + m.StackInuse)
	}
	first := mustWatch(t, ctx, db, "none", daybook.WatchParams{}) // with the memory that all share
	store()
	before := inUse()
	const watchers, limit = 50, 64 << 10
	watching, end := context.WithCancel(ctx)
	defer end()
	var all []<-chan daybook.Event
	for i := range watchers / 2 {
		all = append(all, mustWatch(t, watching, db, fmt.Sprint("*.none", i), daybook.WatchParams{}),
			mustWatch(t, watching, db, "*", daybook.WatchParams{Buffer: 1}))
	}
	store()
	// The values that were stored in the head since the first measurement do not count.
	perWatcher := (inUse() - before - int64(len(batch))*20) / watchers
	if perWatcher > limit {
		t.Errorf("a watcher takes %d bytes; want at most %d", perWatcher, limit)
	}
	runtime.KeepAlive(first)
	runtime.KeepAlive(all)
	mustClose(t, db)
}

// TestWatchFlood stores values faster than they can be passed to all watchers. Each must receive
// some of them meanwhile.
func TestWatchFlood(t *testing.T) {
	db := mustOpen(t, testenv.TempDir(t), &Options{Durability: DurabilityOS})
	watching, end := context.WithCancel(ctx)
	defer end()
	var receiving, first sync.WaitGroup
	for range 50 {
		events := mustWatch(t, watching, db, "*", daybook.WatchParams{})
		first.Add(1)
		receiving.Go(func() {
			<-events
			first.Done()
			for range events {
			}
		})
	}
	all := make(chan struct{})
	go func() { first.Wait(); close(all) }()
	batch := make([]daybook.StoredValue, 1000)
	for i := range batch {
		batch[i] = daybook.StoredValue{RecordName: fmt.Sprint("r", i%100), Value: json.RawMessage("1")}
	}
	flood := func(stop <-chan struct{}) (stopped bool) {
		for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); {
			select {
			case <-stop:
				return true
			default:
			}
			if err := db.StoreBatch(ctx, batch); err != nil {
				t.Fatal(err)
			}
		}
		return false
	}
	db.watchers.passing <- struct{}{} // so that they are late from the beginning
	for len(db.watchers.recent.parts) < maxParts {
		if err := db.StoreBatch(ctx, batch); err != nil {
			t.Fatal(err)
		}
	}
	<-db.watchers.passing
	if !flood(all) {
		t.Error("some watchers have received nothing while values were stored")
	}
	end()
	receiving.Wait()
}

// TestWatchBehindOfLarge stores large values that cannot be passed on. At most 8 MiB of them may
// wait.
func TestWatchBehindOfLarge(t *testing.T) {
	db := mustOpen(t, testenv.TempDir(t), &Options{Durability: DurabilityOS})
	mustWatch(t, ctx, db, "*", daybook.WatchParams{})
	db.watchers.passing <- struct{}{}
	for range uint64(8) {
		mustStore(t, db, "r", `"`+digits(3<<20)+`"`, 1)
	}
	size := 0
	for _, p := range db.watchers.recent.parts {
		size += len(p.bytes)
	}
	if size > maxRecentBytes {
		t.Errorf("%d bytes wait to be passed on; want at most %d", size, maxRecentBytes)
	}
	<-db.watchers.passing
}

// TestWatchFromNow watches while earlier values wait to be passed on, which are too many then. They
// must not count as missed.
func TestWatchFromNow(t *testing.T) {
	db := mustOpen(t, testenv.TempDir(t), &Options{Durability: DurabilityOS})
	mustWatch(t, ctx, db, "*", daybook.WatchParams{})
	store := func(n int) {
		t.Helper()
		for range n {
			mustStore(t, db, "r", `"`+digits(64<<10)+`"`, 1)
		}
	}
	db.watchers.passing <- struct{}{}
	store(50)
	watched := make(chan (<-chan daybook.Event))
	go func() { watched <- mustWatch(t, ctx, db, "*", daybook.WatchParams{Buffer: 10}) }()
	time.Sleep(10 * time.Millisecond)
	select {
	case <-watched:
		t.Error("Watch has returned before the earlier values were passed on")
	default:
		<-db.watchers.passing
	}
	events := <-watched
	const stored = 200 // more than 8 MiB
	store(stored)
	mustClose(t, db)
	all := uint64(0)
	for event := range events {
		all += event.Missed + 1
	}
	if all != stored {
		t.Errorf("%d values were received or missed; want %d", all, stored)
	}
}

// TestWatchRemoved ends a watcher for which values wait. They must not stay in memory, nor may
// others be added.
func TestWatchRemoved(t *testing.T) {
	db := mustOpen(t, testenv.TempDir(t), &Options{Durability: DurabilityOS})
	watching, end := context.WithCancel(ctx)
	events := mustWatch(t, watching, db, "*", daybook.WatchParams{})
	mustStore(t, db, "r", "1", 1)
	mustStore(t, db, "r", "2", 2)
	if err := db.watchers.passAll(ctx); err != nil {
		t.Fatal(err)
	}
	w := db.watchers.list[0]
	end()
	for range events {
	}
	w.add(waitingEvent{Event: daybook.Event{Change: daybook.Change{Cursor: daybook.Cursor{Sequence: 3}}}})
	if len(w.waiting) > 0 {
		t.Errorf("%d events wait for a watcher that was removed", len(w.waiting))
	}
}

// TestWatcherWithRoomForOne adds events to a watcher that holds one. Each event that is received
// says how many were missed since the one before.
func TestWatcherWithRoomForOne(t *testing.T) {
	w := &watcher{maxWaiting: 1, wake: make(chan struct{}, 1)}
	add := func(sequence uint64) {
		e := waitingEvent{}
		e.Cursor.Sequence = sequence
		w.add(e)
	}
	for sequence := range uint64(5) {
		add(sequence + 1)
	}
	if event, found, _ := w.next(); !found || event.Cursor.Sequence != 5 || event.Missed != 4 {
		t.Errorf("got event %d, %v, with %d missed; want 5 with 4", event.Cursor.Sequence, found, event.Missed)
	}
	w.miss(3)
	add(9)
	if event, found, _ := w.next(); !found || event.Cursor.Sequence != 9 || event.Missed != 3 {
		t.Errorf("got event %d, %v, with %d missed; want 9 with 3", event.Cursor.Sequence, found, event.Missed)
	}
}
