// SPDX-License-Identifier: Apache-2.0

package peers_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/daybook-db/daybook/bench"
	"github.com/daybook-db/daybook/bench/peers"
)

// BenchmarkStore measures the median latency of one durable Store after another. The limit writes
// the same number of bytes to a file that exists already. Turns are short, because the latency of a
// disk changes from second to second.
func BenchmarkStore(b *testing.B) {
	const turns, stores = 20, 25
	tick := bench.NewWorkload(1000, 1, bench.Readings).Tick()
	limit, done := newLimit(b)
	defer done()
	frame := make([]byte, len(tick[0].Value)+bench.LogOverhead)
	heats := []heat{{"limit", func(b *testing.B) figures {
		return latency(stores, func(int) {
			if err := limit.Write(frame); err != nil {
				b.Fatal(err)
			}
		})
	}}}
	for _, p := range entrants() {
		dir, remove := temporary(b)
		defer remove()
		s := mustOpen(b, p, dir)
		defer func() { must(b, p, s.Close()) }()
		now := bench.Start
		heats = append(heats, heat{p.Name, func(b *testing.B) figures {
			return latency(stores, func(i int) {
				now++
				must(b, p, s.Store(ctx, tick[i].RecordName, tick[i].Value, now))
			})
		}})
	}
	race(b, heats, turns)
}

// latency returns the median time of n calls, one after another.
func latency(n int, call func(i int)) figures {
	took := make([]float64, n)
	for i := range n {
		took[i] = float64(timed(func() { call(i) }))
	}
	return figures{"ns/op": median(took)}
}

// BenchmarkStoreParallel measures 64 goroutines, each of which makes one durable Store after
// another.
func BenchmarkStoreParallel(b *testing.B) {
	race(b, each(func(b *testing.B, p peers.Peer) figures {
		dir, remove := temporary(b)
		defer remove()
		var rate float64
		during := time.Duration(scaled(int(3 * time.Second)))
		with(b, p, dir, func(s peers.Store) { rate = storeInParallel(b, p, s, 64, during) })
		return figures{"values/s": rate}
	}), 1)
}

// storeInParallel has several goroutines store for some time, and returns the number of values a
// second.
func storeInParallel(b *testing.B, p peers.Peer, s peers.Store, goroutines int, during time.Duration) float64 {
	b.Helper()
	tick := bench.NewWorkload(1000, 1, bench.Readings).Tick()
	var begun, stored atomic.Int64
	var all sync.WaitGroup
	start := time.Now()
	for range goroutines {
		all.Go(func() {
			for time.Since(start) < during {
				i := begun.Add(1)
				v := tick[i%int64(len(tick))]
				if err := s.Store(ctx, v.RecordName, v.Value, bench.Start+uint64(i)); err != nil {
					b.Errorf("%s: %v", p.Name, err)
					return
				}
				stored.Add(1)
			}
		})
	}
	all.Wait()
	return float64(stored.Load()) / time.Since(start).Seconds()
}
