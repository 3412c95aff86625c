// SPDX-License-Identifier: Apache-2.0

package peers_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/bench"
	"github.com/daybook-db/daybook/bench/peers"
)

// BenchmarkLatest measures a query for the newest values of each of 10,000 records, right after
// Open.
func BenchmarkLatest(b *testing.B) {
	s := wide.scaled()
	for _, n := range []int{1, 10} {
		b.Run(fmt.Sprintf("n=%d", n), func(b *testing.B) {
			race(b, each(func(b *testing.B, p peers.Peer) figures {
				var took time.Duration
				with(b, p, stored(b, p, s), func(store peers.Store) {
					took = timed(func() { query(b, p, store, "plant.*", daybook.Latest(n), s.records*n) })
				})
				return figures{"ns/op": float64(took)}
			}), 3)
		})
	}
}

// BenchmarkLatestMatching measures a query for the newest value of each of the 100 records, of
// 100,000, that a pattern matches.
func BenchmarkLatestMatching(b *testing.B) {
	s := widest.scaled()
	race(b, each(func(b *testing.B, p peers.Peer) figures {
		var found figures
		with(b, p, stored(b, p, s), func(store peers.Store) {
			found = latency(5, func(int) {
				query(b, p, store, "plant.line007.*", daybook.Latest(1), bench.RecordsPerLine)
			})
		})
		return found
	}), 3)
}

func query(b *testing.B, p peers.Peer, s peers.Store, pattern string, params daybook.QueryParams, want int) {
	b.Helper()
	values, err := s.Query(ctx, pattern, params)
	must(b, p, err)
	if len(values) != want {
		b.Fatalf("%s: Query(%q, %+v) returned %d values; want %d", p.Name, pattern, params, len(values), want)
	}
}

// BenchmarkScan measures a Scan of one million values, newest first. There are two limits: memcpy
// copies the values one by one, and zstd decompresses them.
func BenchmarkScan(b *testing.B) {
	s := byTick.scaled()
	heats := each(func(b *testing.B, p peers.Peer) figures {
		return scanning(b, p, s, "plant.*", daybook.QueryParams{}, s.values())
	})
	race(b, append(heats, memcpyLimit(s), zstdLimit(b, s)), 3)
}

// BenchmarkRange measures a Scan of the 100,000 values in the middle of one record's history,
// newest first.
func BenchmarkRange(b *testing.B) {
	s := deep.scaled()
	from, until := s.ticks/4, s.ticks*3/4
	params := daybook.Between(bench.Start+uint64(from)*bench.Interval, bench.Start+uint64(until)*bench.Interval-1)
	name := s.workload().Names()[2]
	race(b, each(func(b *testing.B, p peers.Peer) figures { return scanning(b, p, s, name, params, until-from) }), 3)
}

// scanning returns the number of values a second that Scan yields.
func scanning(
	b *testing.B, p peers.Peer, s spec, pattern string, params daybook.QueryParams, want int,
) figures {
	b.Helper()
	var took time.Duration
	with(b, p, stored(b, p, s), func(store peers.Store) {
		took = timed(func() {
			count := 0
			for _, err := range store.Scan(ctx, pattern, params) {
				must(b, p, err)
				count++
			}
			if count != want {
				b.Fatalf("%s: Scan(%q) yielded %d values; want %d", p.Name, pattern, count, want)
			}
		})
	})
	return figures{"values/s": float64(want) / took.Seconds()}
}

func memcpyLimit(s spec) heat {
	return heat{"memcpy", func(b *testing.B) figures {
		from := s.workload().Ticks(s.ticks)
		to := make([]byte, 64<<10)
		took := timed(func() {
			used := 0
			for _, v := range from {
				if used+len(v.Value) > len(to) {
					to, used = make([]byte, 64<<10), 0
				}
				used += copy(to[used:], v.Value)
			}
		})
		return figures{"values/s": float64(len(from)) / took.Seconds()}
	}}
}

// zstdLimit only decompresses the values, in blocks of the size of Daybook's chunks.
func zstdLimit(b *testing.B, s spec) heat {
	const chunk = 512
	encoder, err := zstd.NewWriter(nil)
	if err != nil {
		b.Fatal(err)
	}
	var blocks [][]byte
	w := bench.NewWorkload(1, 1, bench.Readings)
	for left := s.values(); left > 0; left -= chunk {
		var raw []byte
		for _, v := range w.Ticks(min(chunk, left)) {
			raw = append(raw, v.Value...)
		}
		blocks = append(blocks, encoder.EncodeAll(raw, nil))
	}
	decoder, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
	if err != nil {
		b.Fatal(err)
	}
	return heat{"zstd", func(b *testing.B) figures {
		size := 0
		took := timed(func() {
			for _, block := range blocks {
				raw, err := decoder.DecodeAll(block, nil)
				if err != nil {
					b.Fatal(err)
				}
				size += len(block)
				_ = raw
			}
		})
		return figures{
			"values/s":     float64(s.values()) / took.Seconds(),
			"disk-B/value": float64(size) / float64(s.values()),
		}
	}}
}
