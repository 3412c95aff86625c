// SPDX-License-Identifier: Apache-2.0

package peers_test

import (
	"errors"
	"os"
	"testing"
	"time"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/bench/peers"
)

// ingest stores the history in dir. The time counts until Close has returned, so that everything is
// where it stays.
func (r row) ingest(b *testing.B, p peers.Peer, dir string, want expectation) figures {
	b.Helper()
	writeBack()
	before, known := deviceWrites(b)
	store := mustOpen(b, p, dir)
	var took time.Duration
	for batch := range r.Batches() {
		took += timed(func() { must(b, p, storeInParts(store, batch)) })
	}
	took += timed(func() { must(b, p, store.Close()) })
	writeBack()
	after, _ := deviceWrites(b)
	values := float64(want.values)
	measured := figures{
		"ingest values/s":     values / took.Seconds(),
		"ingest disk-B/value": float64(diskUse(b, dir)) / values,
		"ingest raw-B/value":  float64(want.raw) / values,
		"ingest values":       values,
	}
	if known && after > before {
		measured["ingest device-B/raw-B"] = float64(after-before) / float64(want.raw)
	}
	return measured
}

// storeInParts stores a batch in halves if it is too large for the store, as Badger needs it.
func storeInParts(store peers.Store, batch []daybook.StoredValue) error {
	err := store.StoreBatch(ctx, batch)
	if !errors.Is(err, daybook.ErrValueTooLarge) || len(batch) == 1 {
		return err
	}
	half := len(batch) / 2
	if err := storeInParts(store, batch[:half]); err != nil {
		return err
	}
	return storeInParts(store, batch[half:])
}

// read measures the queries. Each is the first of its store after Open.
func (r row) read(b *testing.B, p peers.Peer, dir string, want expectation, measured figures) {
	b.Helper()
	scanned := func(pattern string, params daybook.QueryParams, count int) float64 {
		var took time.Duration
		with(b, p, dir, func(store peers.Store) {
			took = timed(func() { countScan(b, p, store, pattern, params, count) })
		})
		return float64(count) / took.Seconds()
	}
	measured["scan values/s"] = scanned("plant.*", daybook.QueryParams{}, want.values)
	if want.inRange > 0 {
		measured["range values/s"] = scanned(rangeOf+"*", daybook.Between(want.from, want.to), want.inRange)
	}
	const newest = 10
	with(b, p, dir, func(store peers.Store) {
		count := r.Records * min(newest, r.Ticks)
		measured["newest10 ns/op"] = float64(timed(func() {
			query(b, p, store, "plant.*", daybook.Latest(newest), count)
		}))
	})
	with(b, p, dir, func(store peers.Store) { measured["one ns/op"] = r.readOne(b, p, store, want) })
}

func countScan(
	b *testing.B, p peers.Peer, store peers.Store, pattern string, params daybook.QueryParams, want int,
) {
	b.Helper()
	count := 0
	for _, err := range store.Scan(ctx, pattern, params) {
		must(b, p, err)
		count++
	}
	if count != want {
		b.Fatalf("%s: Scan(%q, %+v) yields %d values; want %d", p.Name, pattern, params, count, want)
	}
}

// readOne returns the median time of queries for the value that a record had in the middle of the
// history. The records are spread over all.
func (r row) readOne(b *testing.B, p peers.Peer, store peers.Store, want expectation) float64 {
	b.Helper()
	const queries = 201
	params, found := daybook.Latest(1), 0
	params.EndTime = &want.middle
	one := latency(queries, func(i int) {
		values, err := store.Query(ctx, want.names[i*7919%len(want.names)], params)
		must(b, p, err)
		found += len(values)
	})
	if found != queries {
		b.Fatalf("%s: %d queries for one value found %d", p.Name, queries, found)
	}
	return one["ns/op"]
}

// clean measures the Cleanup of the older half, at last, because it changes the history.
func (r row) clean(b *testing.B, p peers.Peer, dir string, want expectation, measured figures) {
	b.Helper()
	if r.beside {
		copied, remove := temporary(b)
		defer remove()
		must(b, p, os.CopyFS(copied, os.DirFS(dir)))
		writeBack()
		with(b, p, copied, func(store peers.Store) {
			var took time.Duration
			rest, beside := storing(b, p, store, func() { took = timed(func() { mustClean(b, p, store, want) }) })
			measured["cleanupBeside ns/op"] = float64(took)
			if len(beside) > 0 {
				measured["cleanupBeside x-p99"] = float64(p99(beside)) / float64(p99(rest))
			}
		})
	}
	with(b, p, dir, func(store peers.Store) {
		measured["cleanup ns/op"] = float64(timed(func() { mustClean(b, p, store, want) }))
		countScan(b, p, store, "*", daybook.QueryParams{}, want.values-want.older)
	})
}

// mustClean deletes the older half. It may run beside the benchmark's goroutine, so it does not end
// the benchmark.
func mustClean(b *testing.B, p peers.Peer, store peers.Store, want expectation) {
	deleted, err := store.Cleanup(ctx, want.middle)
	if err != nil || deleted != uint64(want.older) {
		b.Errorf("%s: Cleanup deleted %d values, %v; want %d", p.Name, deleted, err, want.older)
	}
}
