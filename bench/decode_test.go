// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"testing"

	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine"
	"github.com/daybook-db/daybook/proof/testenv"
)

// BenchmarkDecodeShapes decodes a chunk of each shape again and again.
func BenchmarkDecodeShapes(b *testing.B) {
	coder := codec.NewCoder()
	for shape := range shapeCount {
		b.Run(shape.String(), func(b *testing.B) {
			entries := chunkOf(shape)
			key := codec.Key{Record: "r", Timestamp: entries[0].Timestamp}.Append(nil)
			chunk := coder.AppendChunk(nil, key, entries)
			var buffer codec.Buffer
			start := testenv.CPUTime()
			for b.Loop() {
				if err := coder.DecodeRows(&buffer, key, chunk, codec.All); err != nil {
					b.Fatal(err)
				}
			}
			values := float64(b.N) * float64(len(entries))
			b.ReportMetric(float64((testenv.CPUTime()-start).Nanoseconds())/values, "cpu-ns/value")
			b.ReportMetric(float64(len(chunk))/float64(len(entries)), "B/value")
		})
	}
}

// chunkOf returns the first values of one record of a shape, as many as the engine puts into a
// chunk.
func chunkOf(shape Shape) (entries []codec.Entry) {
	size, w := 0, NewWorkload(1, 1, shape)
	for len(entries) < engine.DefaultChunkValues {
		v := w.Tick()[0]
		if size += len(v.Value); size > engine.DefaultChunkBytes {
			break
		}
		e := codec.Entry{Timestamp: v.StoredAt, Sequence: uint64(len(entries) + 1), Value: v.Value}
		entries = append(entries, e)
	}
	return entries
}
