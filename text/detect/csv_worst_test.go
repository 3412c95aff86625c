// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"strings"
	"testing"
	"time"

	"github.com/daybook-db/daybook/text"
)

// TestWorstSamples wants that no sample takes long: its time must not grow with the square of its
// columns or rows.
func TestWorstSamples(t *testing.T) {
	const maxTime = 20 * time.Second // on a machine that does other work; usually some milliseconds
	row := func(cell string, n int) string { return strings.Repeat(cell+",", n) + cell + "\n" }
	tests := []struct{ name, file string }{
		{"delimiters alone", strings.Repeat(",", SampleLen)},
		{"columns without a name", row("", 30_000) + row("1", 10_000)},
		{"a name many times", row("a", 10_000) + row("1", 10_000) + row("x", 10_000)},
		{"times in all columns", row("time", 5000) + row("1700000000", 3000)},
		{"times in all columns of two rows", row("time", 3000) + row("1700000000", 3000) + row("1700000000", 3000)},
		{"texts in all columns", row("x", 10_000) + row("y", 10_000) + row("2024-01-01", 1)},
		{"columns of texts and a time", "time" + row(",a", 8000) + "2024-01-01" + row(",x", 8000)},
		{"rows of one cell", strings.Repeat("a\n", SampleLen/2)},
		{"rows of two cells", strings.Repeat("a,\n", SampleLen/3)},
		{"comments", strings.Repeat("#\n", SampleLen/2) + "time,a\n"},
		{"comments with many cells", "# " + row("a", 30_000) + row("1", 30_000)},
		{"quotes", strings.Repeat("\"", SampleLen)},
		{"quotes and lines", strings.Repeat("\"\n", SampleLen/2)},
		{"NUL bytes", strings.Repeat("\x00\n", SampleLen/2)},
		{"titles", strings.Repeat("time,x\n", SampleLen/8) + row("1", 5)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			started := time.Now()
			hints := Hints{Kind: CSV, Reader: text.ReadOptions{Name: "x", StampNow: true}}
			sample := Sample{[]byte(test.file), true}
			found, err := detectCSV(sample, hints)
			if err == nil {
				mustReadToEnd(t, sample.Text, found)
			}
			if took := time.Since(started); took > maxTime {
				t.Errorf("it took %v; want at most %v", took, maxTime)
			}
		})
	}
}
