// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine"
	"github.com/daybook-db/daybook/proof/testenv"
)

// TestDecodePart decodes ranges of a chunk of each shape, and compares them with the same part of
// all values.
func TestDecodePart(t *testing.T) {
	coder, random := codec.NewCoder(), rand.New(rand.NewPCG(1, 2))
	for shape := range shapeCount {
		entries := fullChunkOf(shape)
		key := codec.Key{Record: "r", Timestamp: entries[0].Timestamp}.Append(nil)
		chunk := coder.AppendChunk(nil, key, entries)
		var buffer codec.Buffer
		for range 40 {
			from := random.IntN(len(entries))
			to := min(from+1+random.IntN(100), len(entries))
			part := codec.Range{Start: entries[from].Timestamp, End: entries[to-1].Timestamp}
			if err := coder.DecodeRange(&buffer, key, chunk, part); err != nil {
				t.Fatalf("%v, values %d to %d: %v", shape, from, to-1, err)
			}
			if !slices.EqualFunc(entries[from:to], buffer.Entries, equalEntries) {
				t.Fatalf("%v, values %d to %d: got %v, want %v", shape, from, to-1, buffer.Entries, entries[from:to])
			}
		}
	}
}

func equalEntries(a, b codec.Entry) bool { return a.Compare(b) == 0 && bytes.Equal(a.Value, b.Value) }

// BenchmarkDecodePart decodes some consecutive values of a chunk of each shape, from one place in
// the chunk after another.
func BenchmarkDecodePart(b *testing.B) {
	coder := codec.NewCoder()
	for shape := range shapeCount {
		entries := fullChunkOf(shape)
		key := codec.Key{Record: "r", Timestamp: entries[0].Timestamp}.Append(nil)
		chunk := coder.AppendChunk(nil, key, entries)
		for _, wanted := range []int{1, 10, 50} {
			b.Run(fmt.Sprintf("%v/%d", shape, wanted), func(b *testing.B) {
				var buffer codec.Buffer
				at, start := 0, testenv.CPUTime()
				for b.Loop() {
					at = (at + 137) % (len(entries) - wanted)
					part := codec.Range{Start: entries[at].Timestamp, End: entries[at+wanted-1].Timestamp}
					if err := coder.DecodeRows(&buffer, key, chunk, part); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64((testenv.CPUTime()-start).Nanoseconds())/float64(b.N), "cpu-ns/record")
				b.ReportMetric(float64(len(chunk))/float64(len(entries)), "B/value")
			})
		}
	}
}

// fullChunkOf returns as many values of a record of a shape as the engine puts into a chunk at
// most.
func fullChunkOf(shape Shape) (entries []codec.Entry) {
	w := NewWorkload(1, 1, shape)
	for i := range uint64(engine.DefaultChunkValues) {
		v := w.Tick()[0]
		entries = append(entries, codec.Entry{Timestamp: v.StoredAt, Sequence: i + 1, Value: v.Value})
	}
	return entries
}
