// SPDX-License-Identifier: Apache-2.0

package peers_test

import (
	"slices"
	"testing"
	"time"

	"github.com/daybook-db/daybook/bench"
	"github.com/daybook-db/daybook/bench/peers"
)

// BenchmarkCleanup measures a Cleanup that deletes the older half of one million values. It also
// reports how much a Cleanup slows Stores down: the ratio of their 99th percentiles during a
// Cleanup and before it.
func BenchmarkCleanup(b *testing.B) {
	s := byTick.scaled()
	race(b, each(func(b *testing.B, p peers.Peer) figures {
		took := cleanup(b, p, s, func(_ peers.Store, clean func()) time.Duration { return timed(clean) })
		return figures{"ns/op": float64(took), "x-p99": disturbance(b, p, s)}
	}), 1)
}

// disturbance returns the ratio of the Stores' 99th percentiles during and before Cleanups. A fast
// Cleanup leaves time for a few Stores only, so it is repeated, on a fresh copy each time.
func disturbance(b *testing.B, p peers.Peer, s spec) float64 {
	b.Helper()
	const enough, maxCleanups = 1000, 8
	var atRest, during []time.Duration
	for range maxCleanups {
		before := len(during)
		cleanup(b, p, s, func(store peers.Store, clean func()) time.Duration {
			rest, busy := storing(b, p, store, clean)
			atRest, during = append(atRest, rest...), append(during, busy...)
			return 0
		})
		hopeless := len(during)-before < scaled(enough)/maxCleanups/2
		if len(during) >= scaled(enough) || hopeless {
			break
		}
	}
	if len(during) == 0 {
		b.Fatalf("%s: no Store returned during a Cleanup", p.Name)
	}
	return float64(p99(during)) / float64(p99(atRest))
}

// cleanup opens a copy of the history, and calls around with a function that deletes the older
// half. It returns the time that around returns.
func cleanup(
	b *testing.B, p peers.Peer, s spec, around func(store peers.Store, clean func()) time.Duration,
) (took time.Duration) {
	b.Helper()
	dir, remove := copied(b, p, s)
	defer remove()
	with(b, p, dir, func(store peers.Store) {
		took = around(store, func() {
			deleted, err := store.Cleanup(ctx, bench.Start+uint64(s.ticks/2)*bench.Interval)
			must(b, p, err)
			if want := s.records * (s.ticks / 2); deleted != uint64(want) {
				b.Errorf("%s: Cleanup deleted %d values; want %d", p.Name, deleted, want)
			}
		})
	})
	return took
}

// storing returns the times of Stores before clean and while it runs.
func storing(b *testing.B, p peers.Peer, store peers.Store, clean func()) (atRest, during []time.Duration) {
	b.Helper()
	tick := bench.NewWorkload(1000, 2, bench.Readings).Tick()
	now := uint64(1) << 42
	storeOne := func() time.Duration {
		now++
		v := tick[now%uint64(len(tick))]
		return timed(func() { must(b, p, store.Store(ctx, v.RecordName, v.Value, now)) })
	}
	for range scaled(1000) {
		atRest = append(atRest, storeOne())
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		clean()
	}()
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
			during = append(during, storeOne())
		}
	}
	return atRest, during
}

func p99(d []time.Duration) time.Duration {
	if len(d) == 0 {
		return 0
	}
	slices.Sort(d)
	return d[len(d)*99/100]
}
