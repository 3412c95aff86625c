// SPDX-License-Identifier: Apache-2.0

package peers_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/daybook-db/daybook/bench"
	"github.com/daybook-db/daybook/bench/peers"
)

// BenchmarkIngest stores a history in durable batches of one value of each record. The time counts
// until Close has returned, so that everything is where it stays. It also reports the bytes that
// the device wrote in that time, which wear it out, and the size of the directory afterwards.
func BenchmarkIngest(b *testing.B) {
	for _, s := range []spec{{1000, 1000}, {10_000, 200}} {
		b.Run(fmt.Sprintf("records=%d", s.records), func(b *testing.B) { ingest(b, s.scaled(), bench.Readings) })
	}
}

// BenchmarkMixed is BenchmarkIngest with values of all shapes.
func BenchmarkMixed(b *testing.B) { ingest(b, spec{1000, 1000}.scaled(), bench.Mixed) }

func ingest(b *testing.B, s spec, shape bench.Shape) {
	heats := each(func(b *testing.B, p peers.Peer) figures {
		dir, remove := temporary(b)
		defer remove()
		writeBack()
		before, known := deviceWrites(b)
		took, raw := ingestInto(b, p, dir, s, shape)
		writeBack()
		after, _ := deviceWrites(b)
		measured := figures{
			"values/s":     float64(s.values()) / took.Seconds(),
			"disk-B/value": float64(diskUse(b, dir)) / float64(s.values()),
			"raw-B/value":  float64(raw) / float64(s.values()),
		}
		if known && after > before {
			measured["device-B/raw-B"] = float64(after-before) / float64(raw)
		}
		return measured
	})
	heats = append(heats, ingestLimit(s, shape))
	if shape == bench.Readings && *only == "" {
		heats = append(heats, ingestFloats(s))
	}
	race(b, heats, 3) // fast heats take a second or two, of which a busy moment of the machine is a large part
}

// ingestFloats stores the same number of numbers in tstorage, which keeps nothing else and syncs
// nothing.
func ingestFloats(s spec) heat {
	return heat{"tstorage", func(b *testing.B) figures {
		dir, remove := temporary(b)
		defer remove()
		floats, err := peers.OpenFloats(dir)
		if err != nil {
			b.Fatal(err)
		}
		names, batch, took := s.workload().Names(), make([]peers.Float, s.records), time.Duration(0)
		for tick := range s.ticks {
			for i, name := range names {
				at := int64(bench.Start) + int64(tick)*int64(bench.Interval)
				batch[i] = peers.Float{Name: name, Value: float64(100+(tick*31+i*17)%900) / 10, StoredAt: at}
			}
			took += timed(func() { err = floats.StoreBatch(batch) })
			if err != nil {
				b.Fatal(err)
			}
		}
		took += timed(func() { err = floats.Close() })
		if err != nil {
			b.Fatal(err)
		}
		return figures{
			"values/s":     float64(s.values()) / took.Seconds(),
			"disk-B/value": float64(diskUse(b, dir)) / float64(s.values()),
		}
	}}
}

// ingestInto stores the history in dir. It returns the time without that for making the values, and
// the length of all values.
func ingestInto(b *testing.B, p peers.Peer, dir string, s spec, shape bench.Shape) (took time.Duration, raw int) {
	b.Helper()
	store := mustOpen(b, p, dir)
	w := bench.NewWorkload(s.records, 1, shape)
	for range s.ticks {
		tick := w.Tick()
		for _, v := range tick {
			raw += len(v.Value)
		}
		took += timed(func() { must(b, p, store.StoreBatch(ctx, tick)) })
	}
	took += timed(func() { must(b, p, store.Close()) })
	return took, raw
}

// ingestLimit makes the same number of bytes durable, tick by tick, and does nothing else.
func ingestLimit(s spec, shape bench.Shape) heat {
	return heat{"limit", func(b *testing.B) figures {
		limit, done := newLimit(b)
		defer done()
		w, took := bench.NewWorkload(s.records, 1, shape), time.Duration(0)
		var frame []byte
		for range s.ticks {
			frame = frame[:0]
			for _, v := range w.Tick() {
				frame = append(append(frame, v.RecordName...), v.Value...)
			}
			var err error
			took += timed(func() { err = limit.Write(frame) })
			if err != nil {
				b.Fatal(err)
			}
		}
		return figures{"values/s": float64(s.values()) / took.Seconds()}
	}}
}
