// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"sync"
	"sync/atomic"

	"github.com/daybook-db/daybook"
)

// gate counts the calls that are running, so that Close can wait for them. Once Close has begun, it
// refuses further calls, also those from within a running call, such as Store in the loop of a
// Scan: otherwise Close and the call would wait for each other for ever.
type gate struct {
	mu      sync.Mutex // is held while closed is set, so that no call begins after it
	closed  atomic.Bool
	running sync.WaitGroup
}

// enter begins a call, which ends with leave.
func (g *gate) enter() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.isClosed() {
		return daybook.ErrClosed
	}
	g.running.Add(1)
	return nil
}

func (g *gate) leave() { g.running.Done() }

// isClosed reports whether close has been called.
func (g *gate) isClosed() bool { return g.closed.Load() }

// close refuses calls from now on, and waits for the calls that are running.
func (g *gate) close() {
	g.mu.Lock()
	g.closed.Store(true)
	g.mu.Unlock()
	g.running.Wait()
}

// background is a goroutine that works when it is nudged, until it is stopped. The zero value has
// not been started; nudging and stopping it has no effect.
type background struct {
	nudged   chan struct{} // holds one element
	stopping chan struct{}
	done     chan struct{}
}

func (b *background) start(run func(stopping <-chan struct{})) {
	b.nudged, b.stopping, b.done = make(chan struct{}, 1), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(b.done)
		run(b.stopping)
	}()
}

// nudge makes the goroutine work, at once or after its present work.
func (b *background) nudge() {
	select {
	case b.nudged <- struct{}{}:
	default:
	}
}

// stop makes the goroutine end, and waits for that.
func (b *background) stop() {
	if b.stopping != nil {
		close(b.stopping)
		<-b.done
	}
}
