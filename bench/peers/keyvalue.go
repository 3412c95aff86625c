// SPDX-License-Identifier: Apache-2.0

package peers

import (
	"context"
	"iter"
	"sync"

	"github.com/daybook-db/daybook"
)

// keyValue returns the peers that keep each value under a key of its own.
func keyValue() []Peer {
	return []Peer{
		{Name: "bbolt", Open: openBbolt},
		{Name: "pebble", Open: openPebble},
		{Name: "badger", Open: openBadger},
		{Name: "buntdb", Open: openBuntdb},
	}
}

// history is what the key-value peers have in common: reading.
type history struct {
	gate   gate
	layout layout
	// view calls read with a snapshot of the keys that start with prefix, which may be empty. It may leave
	// out the values for one that reads keys only.
	view func(prefix []byte, keysOnly bool, read func(snapshot) error) error
}

// Initialize does nothing: opening did it.
func (h *history) Initialize(ctx context.Context) error {
	if err := h.gate.enter(ctx); err != nil {
		return err
	}
	h.gate.leave()
	return nil
}

// Query implements daybook.Backend.
func (h *history) Query(ctx context.Context, recordPattern string, params daybook.QueryParams) ([]daybook.StoredValue, error) {
	var values []daybook.StoredValue
	err := h.read(ctx, recordPattern, params, func(value daybook.StoredValue) bool {
		values = append(values, value)
		return true
	})
	if err != nil {
		return nil, err
	}
	return values, nil
}

// Scan implements daybook.Scanner.
func (h *history) Scan(ctx context.Context, recordPattern string, params daybook.QueryParams) iter.Seq2[daybook.StoredValue, error] {
	return func(yield func(daybook.StoredValue, error) bool) {
		err := h.read(ctx, recordPattern, params, func(value daybook.StoredValue) bool { return yield(value, nil) })
		if err != nil {
			yield(daybook.StoredValue{}, err)
		}
	}
}

// read yields values until there are no more or yield returns false. An error it returns has not been yielded.
func (h *history) read(ctx context.Context, recordPattern string, params daybook.QueryParams, yield func(daybook.StoredValue) bool) error {
	if err := h.gate.enter(ctx); err != nil {
		return err
	}
	defer h.gate.leave()
	wanted, err := newSelection(recordPattern, params)
	if err != nil || wanted.from > wanted.to {
		return err
	}
	var values arena
	return h.scan(ctx, wanted, false, func(record string, key, value []byte) bool {
		return yield(daybook.StoredValue{RecordName: record, Value: values.copy(value), StoredAt: h.layout.timestamp(key)})
	})
}

// scan emits the keys, and unless keysOnly the values, of a selection.
func (h *history) scan(ctx context.Context, wanted selection, keysOnly bool, emit func(record string, key, value []byte) bool) error {
	return h.view(wanted.span(), keysOnly, func(keys snapshot) error {
		s := scan{selection: wanted, ctx: ctx, keys: keys, layout: h.layout, emit: emit}
		return s.run()
	})
}

// older selects the values before a timestamp other than 0, in the order of their keys.
func (h *history) older(than uint64) selection {
	wanted, err := newSelection("*", daybook.QueryParams{})
	if err != nil {
		panic(err) // there is nothing wrong with it
	}
	wanted.to = than - 1
	if h.layout == oldestFirst {
		wanted.order = daybook.OldestFirst
	}
	return wanted
}

// gate lets calls in until it is shut, and then waits for those inside. An RWMutex would not do: a Store
// within the loop of a Scan would wait for a Close that waits for the Scan.
type gate struct {
	mu     sync.Mutex // guards what follows
	inside int
	shut   bool
	empty  chan struct{} // closed when the gate is shut and nobody is inside
}

func newGate() gate { return gate{empty: make(chan struct{})} }

// enter begins a call. When it returns nil, the call ends with leave.
func (g *gate) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut {
		return daybook.ErrClosed
	}
	g.inside++
	return nil
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.inside--; g.inside == 0 && g.shut {
		close(g.empty)
	}
}

// close shuts the gate, and runs end when nobody is inside, once.
func (g *gate) close(end func() error) error {
	g.mu.Lock()
	again := g.shut
	if g.shut = true; !again && g.inside == 0 {
		close(g.empty)
	}
	g.mu.Unlock()
	<-g.empty
	if again {
		return nil
	}
	return end()
}

// arena copies values into chunks, so that a result of many small values is few allocations.
type arena struct {
	chunk []byte
	size  int // of the last chunk
}

const (
	firstChunk = 512
	maxChunk   = 64 << 10
)

// copy returns a copy that the caller may keep, change and append to.
func (a *arena) copy(value []byte) []byte {
	if len(value) > maxChunk/4 {
		return append([]byte(nil), value...)
	}
	if len(value) > cap(a.chunk)-len(a.chunk) {
		a.size = max(min(2*a.size, maxChunk), firstChunk, len(value))
		a.chunk = make([]byte, 0, a.size)
	}
	start := len(a.chunk)
	a.chunk = append(a.chunk, value...)
	return a.chunk[start:len(a.chunk):len(a.chunk)]
}
