// SPDX-License-Identifier: Apache-2.0

package peers

import (
	"context"
	"iter"
	"sync"

	"github.com/daybook-db/daybook"
)

// keyValue returns the key-value peers.
func keyValue() []Peer {
	return []Peer{
		{Name: "bbolt", Open: openBbolt},
		{Name: "pebble", Open: openPebble},
		{Name: "badger", Open: openBadger},
		{Name: "buntdb", Open: openBuntdb},
	}
}

// history is the part that the key-value peers share: reading.
type history struct {
	gate   gate
	layout layout
	// view calls read with a snapshot of the keys that have the prefix, which may be empty. With
	// keysOnly the snapshot may leave out the values.
	view func(prefix []byte, keysOnly bool, read func(snapshot) error) error
}

// Initialize does nothing, because opening has prepared the peer.
func (h *history) Initialize(ctx context.Context) error {
	if err := h.gate.enter(ctx); err != nil {
		return err
	}
	h.gate.leave()
	return nil
}

// Query implements daybook.Backend.
func (h *history) Query(
	ctx context.Context, recordPattern string, params daybook.QueryParams,
) ([]daybook.StoredValue, error) {
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
func (h *history) Scan(
	ctx context.Context, recordPattern string, params daybook.QueryParams,
) iter.Seq2[daybook.StoredValue, error] {
	return func(yield func(daybook.StoredValue, error) bool) {
		err := h.read(ctx, recordPattern, params, func(value daybook.StoredValue) bool { return yield(value, nil) })
		if err != nil {
			yield(daybook.StoredValue{}, err)
		}
	}
}

// read yields values until there are no more or yield returns false. An error is returned and not
// yielded.
func (h *history) read(
	ctx context.Context, recordPattern string, params daybook.QueryParams, yield func(daybook.StoredValue) bool,
) error {
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
		at := h.layout.timestamp(key)
		return yield(daybook.StoredValue{RecordName: record, Value: values.copy(value), StoredAt: at})
	})
}

// scan emits the keys of a selection, and their values unless keysOnly is set.
func (h *history) scan(
	ctx context.Context, wanted selection, keysOnly bool, emit func(record string, key, value []byte) bool,
) error {
	return h.view(wanted.keyPrefix(), keysOnly, func(keys snapshot) error {
		s := scan{selection: wanted, ctx: ctx, keys: keys, layout: h.layout, emit: emit}
		return s.run()
	})
}

// older selects the values before a timestamp, which is not 0, in the order of their keys.
func (h *history) older(than uint64) selection {
	wanted, err := newSelection("*", daybook.QueryParams{})
	if err != nil {
		panic(err) // the pattern is valid
	}
	wanted.to = than - 1
	if h.layout == oldestFirst {
		wanted.order = daybook.OldestFirst
	}
	return wanted
}

// gate counts the calls that are running, so that Close can wait for them and refuse later ones.
// With an RWMutex instead, a Store in the loop of a Scan would wait for a Close that waits for the
// Scan.
type gate struct {
	mu     sync.Mutex // guards the other fields
	inside int        // number of calls that are running
	shut   bool
	empty  chan struct{} // closed when the gate is shut and no call is running
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

// close shuts the gate, and calls end when no call is running. A later close only waits.
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

// arena copies values into blocks of memory, so that a result of many small values takes few
// allocations.
type arena struct {
	block []byte
	size  int // of the last block
}

const (
	minBlock = 512
	maxBlock = 64 << 10
)

// copy returns a copy that the caller may keep, change and append to.
func (a *arena) copy(value []byte) []byte {
	if len(value) > maxBlock/4 {
		return append([]byte(nil), value...)
	}
	if len(value) > cap(a.block)-len(a.block) {
		a.size = max(min(2*a.size, maxBlock), minBlock, len(value))
		a.block = make([]byte, 0, a.size)
	}
	start := len(a.block)
	a.block = append(a.block, value...)
	return a.block[start:len(a.block):len(a.block)]
}
