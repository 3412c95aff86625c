// SPDX-License-Identifier: Apache-2.0

package text

import (
	"fmt"
	"io"
	"strings"
	"testing"
)

// fiveColumns is CSV with a time, three numbers and a text in each row.
func fiveColumns(rows int) string {
	var file strings.Builder
	file.WriteString("time,temperature,humidity,pressure,state\n")
	for i := range rows {
		fmt.Fprintf(&file, "%d,%d.%02d,%d.5,%d,on\n", 1_764_000_000+i, i%30, i%100, i%100, 99_000+i%3000)
	}
	return file.String()
}

func BenchmarkCSV(b *testing.B) {
	const rows = 1000
	file := fiveColumns(rows)
	b.ReportAllocs()
	for b.Loop() {
		r, err := NewCSVReader(strings.NewReader(file), ReadOptions{Record: "r", Time: []string{"time"}})
		for err == nil {
			_, err = r.Read()
		}
		if err != io.EOF {
			b.Fatal(err)
		}
	}
	b.ReportMetric(rows*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

// TestCSVAllocations wants that a row costs the memory of its value and of the text of its time.
func TestCSVAllocations(t *testing.T) {
	const maxAllocations = 2
	opts := ReadOptions{Record: "r", Time: []string{"time"}}
	r, err := NewCSVReader(strings.NewReader(fiveColumns(1000)), opts)
	if err != nil {
		t.Fatal(err)
	}
	got := testing.AllocsPerRun(500, func() {
		if _, err := r.Read(); err != nil {
			t.Error(err)
		}
	})
	if got > maxAllocations {
		t.Errorf("%.1f allocations a row; want at most %d", got, maxAllocations)
	}
}
