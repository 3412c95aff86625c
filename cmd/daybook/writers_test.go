// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/daybook-db/daybook"
)

// BenchmarkWriters writes the same values in each format of query, in turn. It reports the duration
// of each format for one value, and how many times that of CSV it is. Of a format it takes the
// fastest round, because other programs slow the others down.
func BenchmarkWriters(b *testing.B) {
	values := benchmarkValues()
	formats := []string{"csv", "ndjson", "table"}
	fastest := make(map[string]time.Duration)
	for b.Loop() {
		for _, format := range formats {
			started := time.Now()
			writeAll(b, format, values)
			if took := time.Since(started); fastest[format] == 0 || took < fastest[format] {
				fastest[format] = took
			}
		}
	}
	for _, format := range formats {
		b.ReportMetric(float64(fastest[format].Nanoseconds())/float64(len(values)), format+"-ns/value")
		b.ReportMetric(fastest[format].Seconds()/fastest["csv"].Seconds(), format+"-times-csv")
	}
}

func writeAll(b *testing.B, format string, values []daybook.StoredValue) {
	out := bufio.NewWriterSize(io.Discard, 64<<10)
	w := newValueWriter(format, out, pipedWidth)
	for _, v := range values {
		if err := w.Write(v); err != nil {
			b.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), out.Flush()); err != nil {
		b.Fatal(err)
	}
}

// benchmarkValues returns readings as devices send them: of some records, at different times.
func benchmarkValues() []daybook.StoredValue {
	values := make([]daybook.StoredValue, 0, 10_000)
	for i := range cap(values) {
		text := fmt.Sprintf(`{"celsius":%d.%d,"humidity":%d,"battery":%d,"unit":"°C"}`, i%40, i%10, i%100, i%101)
		at := 1764000000000 + uint64(i)*uint64(time.Second/time.Millisecond)
		values = append(values, value(fmt.Sprintf("sensor.room%d", i/1000), text, at))
	}
	return values
}
