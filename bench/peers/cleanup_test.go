// SPDX-License-Identifier: Apache-2.0

package peers_test

import (
	"slices"
	"testing"
	"time"

	"github.com/daybook-db/daybook/bench"
	"github.com/daybook-db/daybook/bench/peers"
)

// BenchmarkCleanup deletes the older half of one million values. How much longer a Store takes beside it is
// the ratio of the 99th percentiles, of Stores during a Cleanup and before it.
func BenchmarkCleanup(b *testing.B) {
	s := byTick.scaled()
	race(b, each(func(b *testing.B, p peers.Peer) figures {
		took := cleanup(b, p, s, func(_ peers.Store, clean func()) time.Duration { return timed(clean) })
		return figures{"ns/op": float64(took), "x-p99": disturbance(b, p, s)}
	}), 1)
}

// disturbance is the p99 of Stores during Cleanups over their p99 before them. One that is soon over leaves time for
// a few Stores only, so there are more of those.
func disturbance(b *testing.B, p peers.Peer, s spec) float64 {
	b.Helper()
	const enough, most = 1000, 8
	var atRest, meanwhile []time.Duration
	for range most {
		before := len(meanwhile)
		cleanup(b, p, s, func(store peers.Store, clean func()) time.Duration {
			rest, busy := storing(b, p, store, clean)
			atRest, meanwhile = append(atRest, rest...), append(meanwhile, busy...)
			return 0
		})
		if len(meanwhile) >= scaled(enough) || len(meanwhile)-before < scaled(enough)/most/2 { // or there never will be
			break
		}
	}
	if len(meanwhile) == 0 {
		b.Fatalf("%s: no Store came to its end beside a Cleanup", p.Name)
	}
	return float64(p99(meanwhile)) / float64(p99(atRest))
}

// cleanup opens a copy of the history, and hands over the deletion of its older half.
func cleanup(b *testing.B, p peers.Peer, s spec, around func(store peers.Store, clean func()) time.Duration) (took time.Duration) {
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

// storing is how long Stores take before clean and while it runs.
func storing(b *testing.B, p peers.Peer, store peers.Store, clean func()) (atRest, meanwhile []time.Duration) {
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
			meanwhile = append(meanwhile, storeOne())
		}
	}
	return atRest, meanwhile
}

func p99(d []time.Duration) time.Duration {
	if len(d) == 0 {
		return 0
	}
	slices.Sort(d)
	return d[len(d)*99/100]
}
