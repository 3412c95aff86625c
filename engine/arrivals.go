// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"sync"
	"sync/atomic"
	"time"
)

// arrivals are the times at which values were stored that the holds with a MaxAge do not know yet.
// The leader notes them. The turn passes them to the holds, which only it may change.
type arrivals struct {
	every atomic.Int64 // ms between two samples that are kept; 0: no hold has a MaxAge

	mu      sync.Mutex   // guards samples
	samples []holdSample // the last one moves: see withSample
}

// maxArrivals is the number of samples that wait for the turn at most.
const maxArrivals = 128

// areNoted reports whether a hold has a MaxAge.
func (a *arrivals) areNoted() bool { return a.every.Load() > 0 }

// note notes that the values up to a sequence number have been stored now.
func (a *arrivals) note(clock *holdClock, last uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.samples = withSample(a.samples, holdSample{clock.now().UnixMilli(), last}, a.every.Load())
	if n := len(a.samples); n >= maxArrivals { // without every second one, values count as later at most
		kept := a.samples[:0]
		for i := 1 - n%2; i < n; i += 2 {
			kept = append(kept, a.samples[i])
		}
		a.samples = kept
	}
}

// take returns the samples, and forgets them.
func (a *arrivals) take() []holdSample {
	a.mu.Lock()
	defer a.mu.Unlock()
	samples := a.samples
	a.samples = nil
	return samples
}

// withSample adds a sample. It takes the place of the last one while that is less than every
// milliseconds after the one before it. So each value has a sample that is at most that much later
// than the value.
func withSample(samples []holdSample, s holdSample, every int64) []holdSample {
	n := len(samples)
	switch {
	case n > 0 && samples[n-1].Sequence >= s.Sequence:
		return samples
	case n > 1 && s.Time-samples[n-2].Time < every:
		samples[n-1] = s
		return samples
	}
	return append(samples, s)
}

// noteArrivals makes the leader note arrivals as often as the holds need it.
func (t *turn) noteArrivals() {
	every := int64(0)
	for _, h := range t.holds {
		if h.MaxAge > 0 && (every == 0 || h.every() < every) {
			every = h.every()
		}
	}
	t.db.arrivals.every.Store(every)
}

// every returns the time between two samples in ms.
func (h *hold) every() int64 { return max((h.MaxAge / samplesPerAge).Milliseconds(), 1) }

// arrive adds the samples of values that have been stored.
func (h *hold) arrive(samples []holdSample, now time.Time) {
	if h.MaxAge == 0 || len(samples) == 0 {
		return
	}
	h.samples = append([]holdSample(nil), h.samples...) // a changed copy of the hold may share them
	for _, s := range samples {
		h.samples = withSample(h.samples, s, h.every())
	}
	for len(h.samples) > 1 && h.isPast(h.samples[1], now.UnixMilli()) {
		h.samples = h.samples[1:]
	}
	h.unsaved = true
}
