// SPDX-License-Identifier: Apache-2.0

package peers_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/bench"
	"github.com/daybook-db/daybook/bench/peers"
	"github.com/daybook-db/daybook/engine"
	"github.com/daybook-db/daybook/proof/journal"
)

// alone returns a heat for Daybook only.
func alone(run func(b *testing.B) figures) []heat { return []heat{{daybookPeer.Name, run}} }

// BenchmarkHeap measures the greatest live heap that a garbage collection found while 10^7 values
// of 10,000 records were stored in batches of one value of each record.
func BenchmarkHeap(b *testing.B) {
	s := large.scaled()
	race(b, alone(func(b *testing.B) figures {
		dir, remove := temporary(b)
		defer remove()
		for range 3 { // pools and finalizers keep memory until the second collection
			runtime.GC()
		}
		before, greatest := bench.LiveHeap(), uint64(0)
		with(b, daybookPeer, dir, func(store peers.Store) {
			w := s.workload()
			for range s.ticks {
				must(b, daybookPeer, store.StoreBatch(ctx, w.Tick()))
				greatest = max(greatest, bench.LiveHeap())
			}
		})
		return figures{"MiB-live": float64(greatest-min(before, greatest)) / (1 << 20)}
	}), 1)
}

// BenchmarkOpen measures Open: with 10^7 values after Close, and after a kill that left a full head
// of values in the log only.
func BenchmarkOpen(b *testing.B) {
	s := large.scaled()
	b.Run("state=closed", func(b *testing.B) {
		race(b, alone(func(b *testing.B) figures { return opening(b, stored(b, daybookPeer, s)) }), 3)
	})
	b.Run("state=killed", func(b *testing.B) {
		race(b, alone(func(b *testing.B) figures {
			dir, remove := killed(b)
			defer remove()
			return opening(b, dir)
		}), 1)
	})
}

func opening(b *testing.B, dir string) figures {
	b.Helper()
	var db peers.Store
	took := timed(func() { db = mustOpen(b, daybookPeer, dir) })
	must(b, daybookPeer, db.Close())
	return figures{"ns/op": float64(took)}
}

// killed makes a directory as a process leaves it that is killed when its head is almost full: a
// copy of the files of an open store.
func killed(b *testing.B) (dir string, remove func()) {
	b.Helper()
	live, removeLive := temporary(b)
	defer removeLive()
	db, err := engine.Open(live, nil)
	must(b, daybookPeer, err)
	w := bench.NewWorkload(1000, 1, bench.Readings)
	const full = engine.DefaultHeadSize * 15 / 16
	for stats, err := db.Stats(ctx); stats.HeadBytes < full; stats, err = db.Stats(ctx) {
		must(b, daybookPeer, err)
		must(b, daybookPeer, db.StoreBatch(ctx, w.Tick()))
	}
	dir, remove = temporary(b)
	must(b, daybookPeer, journal.CopyOpenDir(dir, live))
	must(b, daybookPeer, db.Close())
	return dir, remove
}

// BenchmarkBinary measures the size of a program that opens a store, stores and queries, built
// without symbols.
func BenchmarkBinary(b *testing.B) {
	race(b, alone(func(b *testing.B) figures {
		dir, remove := temporary(b)
		defer remove()
		hello := filepath.Join(dir, "hello")
		build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", hello,
			"github.com/daybook-db/daybook/bench/hello")
		if out, err := build.CombinedOutput(); err != nil {
			b.Fatalf("%v: %s", err, out)
		}
		info, err := os.Stat(hello)
		must(b, daybookPeer, err)
		return figures{"MiB": float64(info.Size()) / (1 << 20)}
	}), 1)
}

// BenchmarkAllocs counts the allocations for each value that is stored in a record that has values,
// and for each value that a query returns.
func BenchmarkAllocs(b *testing.B) {
	s := byTick.scaled()
	b.Run("of=store", func(b *testing.B) {
		race(b, each(func(b *testing.B, p peers.Peer) figures {
			dir, remove := temporary(b)
			defer remove()
			var count float64
			with(b, p, dir, func(store peers.Store) {
				tick, now := bench.NewWorkload(100, 1, bench.Readings).Tick(), bench.Start
				storeAll := func() {
					for _, v := range tick {
						now++
						must(b, p, store.Store(ctx, v.RecordName, v.Value, now))
					}
				}
				for range 9 { // so that every record has values
					storeAll()
				}
				count = allocations(storeAll) / float64(len(tick))
			})
			return figures{"allocs/value": count}
		}), 1)
	})
	b.Run("of=query", func(b *testing.B) {
		race(b, each(func(b *testing.B, p peers.Peer) figures {
			var count float64
			with(b, p, stored(b, p, s), func(store peers.Store) {
				want := s.records * 10
				count = allocations(func() { query(b, p, store, "plant.*", daybook.Latest(10), want) }) / float64(want)
			})
			return figures{"allocs/value": count}
		}), 1)
	})
}

// allocations counts the allocations of the whole process while work runs.
func allocations(work func()) float64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	work()
	runtime.ReadMemStats(&after)
	return float64(after.Mallocs - before.Mallocs)
}
