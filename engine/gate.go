// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"cmp"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/daybook-db/daybook"
)

// gate counts the calls that are running, so that Close can wait for them. Once Close has begun, it
// refuses further calls, also those from within a running call.
//
// A loop over a Scan may run for ever, and its body may call Close. So an iteration counts as
// running only while it reads its snapshot. Close ends the others, and their loops end with
// ErrClosed. In the same way expire ends those that keep space from being used.
type gate struct {
	mu         sync.Mutex // guards iterations, and is held while closed is set, so that nothing begins after it
	closed     atomic.Bool
	running    sync.WaitGroup
	iterations map[*iteration]bool
	parked     sync.Cond // an iteration has stopped reading after closed was set; its L is mu
}

// iteration is a loop over a snapshot.
type iteration struct {
	gate    *gate
	state   atomic.Int32 // an iterationState
	began   time.Time
	expired atomic.Bool // it ends with ErrSnapshotEnded when it reads again
	end     func()      // closes the snapshot
}

// errExpired is the error of an iteration that expire has ended.
var errExpired = fmt.Errorf("%w: MaxSize is reached, and it held space for too long: "+
	"go on after the last value with QueryParams.After", daybook.ErrSnapshotEnded)

type iterationState = int32

const (
	isParked  iterationState = iota // the body of the loop runs
	isReading                       // the snapshot is read
	hasEnded                        // the snapshot is closed
)

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

// close refuses calls from now on, ends the iterations, and waits for the calls that are running.
func (g *gate) close() {
	g.mu.Lock()
	g.closed.Store(true)
	if g.parked.L == nil { // another Close may be waiting
		g.parked.L = &g.mu
	}
	for len(g.iterations) > 0 {
		for it := range g.iterations {
			it.endIfParked()
		}
		if len(g.iterations) > 0 {
			g.parked.Wait()
		}
	}
	g.mu.Unlock()
	g.running.Wait()
}

// loops returns the number of iterations.
func (g *gate) loops() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.iterations)
}

// expire ends the iterations that began before a time. Those that are reading their snapshot end
// after that. It returns the number of those that it has not ended before.
func (g *gate) expire(before time.Time) (ended int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for it := range g.iterations {
		if it.began.Before(before) {
			if !it.expired.Swap(true) {
				ended++
			}
			it.endIfParked()
		}
	}
	return ended
}

// iterate makes an iteration of a running call, which leaves the gate. end closes its snapshot. If
// Close has begun, the call goes on as it is, and iterate returns nil.
func (g *gate) iterate(end func()) *iteration {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.isClosed() {
		return nil
	}
	if g.iterations == nil {
		g.iterations = make(map[*iteration]bool)
	}
	it := &iteration{gate: g, began: time.Now(), end: end}
	g.iterations[it] = true
	g.running.Done()
	return it
}

// endIfParked closes the snapshot unless it is being read, or has been closed before. The caller
// holds gate.mu.
func (it *iteration) endIfParked() {
	if it.state.CompareAndSwap(isParked, hasEnded) {
		it.end()
		delete(it.gate.iterations, it)
	}
}

// read calls fn, which reads the snapshot, unless the iteration has ended. The body of the loop
// must not run within fn. A nil iteration is a call, which Close waits for.
func (it *iteration) read(fn func() error) error {
	if it == nil {
		return fn()
	}
	// An iteration that reads again and again, with little in between, would hardly ever be found
	// parked. So it ends by itself, too.
	if err := it.check(); err != nil {
		return err
	}
	if !it.state.CompareAndSwap(isParked, isReading) {
		return cmp.Or(it.check(), daybook.ErrClosed)
	}
	defer it.park()
	return fn()
}

// check returns ErrClosed if Close has begun, and ErrSnapshotEnded if the iteration has expired.
// The parts of a loop that do not read the snapshot call it.
func (it *iteration) check() error {
	switch {
	case it == nil:
		return nil
	case it.gate.isClosed():
		return daybook.ErrClosed
	case it.expired.Load():
		return errExpired
	}
	return nil
}

func (it *iteration) park() {
	it.state.Store(isParked)
	if it.expired.Load() {
		it.finish() // the body of the loop may run for long
	} else if it.gate.isClosed() { // close may wait for this
		it.gate.mu.Lock()
		defer it.gate.mu.Unlock()
		it.gate.parked.Broadcast()
	}
}

// finish ends the iteration, unless it has been ended.
func (it *iteration) finish() {
	it.gate.mu.Lock()
	defer it.gate.mu.Unlock()
	it.endIfParked()
	if it.gate.isClosed() {
		it.gate.parked.Broadcast()
	}
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
