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

// spec is a history: so many values of so many records.
type spec struct{ records, ticks int }

var (
	byTick = spec{1000, 1000}    // many values of some records
	wide   = spec{10_000, 100}   // some values of many records
	widest = spec{100_000, 10}   // a few values of very many
	deep   = spec{5, 200_000}    // very many values of a few
	large  = spec{10_000, 1_000} // 10^7 values
)

// scaled leaves a tenth of the records and of the ticks with -short, but never so few that the work has no sense.
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
	preparing time.Duration // what making and copying them took
)

// stored is a directory that holds the history of spec, closed. It is made once, and may be opened, but no value may be
// stored or deleted.
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

// fill stores the history in batches of 10,000 values, which is less than any peer's limit.
func fill(b *testing.B, p peers.Peer, store peers.Store, s spec) {
	b.Helper()
	const most = 10_000
	w, each := s.workload(), max(most/s.records, 1)
	for left := s.ticks; left > 0; left -= each {
		for batch := range slices.Chunk(w.Ticks(min(each, left)), most) {
			must(b, p, store.StoreBatch(ctx, batch))
		}
	}
}

// copied is a copy of stored that may be changed. It is on the disk: else the first sync of whoever uses it would pay for
// that, in proportion to its size.
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
