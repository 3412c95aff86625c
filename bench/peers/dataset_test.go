// SPDX-License-Identifier: Apache-2.0

package peers_test

import (
	"os"
	"slices"
	"testing"
	"time"

	"github.com/daybook-db/daybook/bench"
	"github.com/daybook-db/daybook/bench/peers"
)

// spec is the size of a history. Each tick has a value of every record.
type spec struct{ records, ticks int }

var (
	byTick = spec{1000, 1000}    // many values of some records
	wide   = spec{10_000, 100}   // some values of many records
	widest = spec{100_000, 10}   // a few values of very many records
	deep   = spec{5, 200_000}    // very many values of a few records
	large  = spec{10_000, 1_000} // 10^7 values
)

// scaled returns a tenth of the records and of the ticks with -short, but at least as many as the
// work needs.
func (s spec) scaled() spec {
	if testing.Short() {
		return spec{max(s.records/10, 5), max(s.ticks/10, 10)}
	}
	return s
}

func (s spec) values() int { return s.records * s.ticks }

func (s spec) workload() *bench.Workload { return bench.NewWorkload(s.records, 1, bench.Readings) }

type dataset struct {
	peer string
	spec spec
}

var (
	datasets  = map[dataset]string{}
	preparing time.Duration // for making and copying datasets, in sum
)

// stored returns a directory with the history of spec, closed. It is made once. It may be opened,
// but no value may be stored or deleted in it.
func stored(b *testing.B, p peers.Peer, s spec) string {
	b.Helper()
	key := dataset{p.Name, s}
	if dir, ok := datasets[key]; ok {
		return dir
	}
	dir, _ := temporary(b)
	datasets[key] = dir
	preparing += timed(func() {
		with(b, p, dir, func(store peers.Store) { fill(b, p, store, s) })
		writeBack()
	})
	return dir
}

// fill stores the history in batches of 10,000 values, which every peer accepts.
func fill(b *testing.B, p peers.Peer, store peers.Store, s spec) {
	b.Helper()
	const maxBatch = 10_000
	w, ticksPerBatch := s.workload(), max(maxBatch/s.records, 1)
	for remaining := s.ticks; remaining > 0; remaining -= ticksPerBatch {
		for batch := range slices.Chunk(w.Ticks(min(ticksPerBatch, remaining)), maxBatch) {
			must(b, p, store.StoreBatch(ctx, batch))
		}
	}
}

// copied returns a copy of stored that may be changed. The copy is written back to the disk,
// because otherwise the first sync of the entrant would have to write it.
func copied(b *testing.B, p peers.Peer, s spec) (dir string, remove func()) {
	b.Helper()
	from := stored(b, p, s)
	dir, remove = temporary(b)
	preparing += timed(func() {
		must(b, p, os.CopyFS(dir, os.DirFS(from)))
		writeBack()
	})
	return dir, remove
}

func removeDatasets() {
	for _, dir := range datasets {
		os.RemoveAll(dir)
	}
}
