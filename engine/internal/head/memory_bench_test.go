// SPDX-License-Identifier: Apache-2.0

package head

import (
	"fmt"
	"runtime"
	"testing"
)

// heapInUse returns the bytes of all live objects on the heap.
func heapInUse() int64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

// BenchmarkMemory adds values of 7 bytes to a head, in the order of the names or in any other. It
// reports the memory that the head takes, and Size, both per record and without the names and the
// values themselves.
func BenchmarkMemory(b *testing.B) {
	for _, shape := range []struct{ records, values, name int }{
		{100_000, 1, 8}, {100_000, 1, 20}, {100_000, 1, 40}, {100_000, 2, 20}, {100_000, 4, 20}, {100_000, 10, 20},
		{1000, 300, 20},
	} {
		for order, step := range map[string]int{"sorted": 1, "shuffled": 7919} {
			b.Run(fmt.Sprintf("%d x %d, names of %d, %s", shape.records, shape.values, shape.name, order),
				func(b *testing.B) { addAndMeasure(b, shape.records, shape.values, shape.name, step) })
		}
	}
}

func addAndMeasure(b *testing.B, records, values, nameLength, step int) {
	names := make([]string, records)
	for i := range names {
		names[i] = fmt.Sprintf("%0*d", nameLength, i*step%records)
	}
	value := []byte("12.3456")
	before, after, size := heapInUse(), int64(0), int64(0)
	for b.Loop() {
		h := New(32 << 20)
		for sequence := range uint64(records * values) {
			h.Add(names[sequence%uint64(records)], sequence, sequence+1, value)
		}
		b.StopTimer()
		after, size = heapInUse(), h.Size()
		runtime.KeepAlive(h)
		b.StartTimer()
	}
	content := int64(records) * int64(nameLength+values*len(value))
	b.ReportMetric(float64(after-before-content)/float64(records), "heap-B/record")
	b.ReportMetric(float64(size-content)/float64(records), "size-B/record")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*records*values), "ns/value")
}
