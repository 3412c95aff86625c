// SPDX-License-Identifier: Apache-2.0

package peers

import (
	"fmt"
	"testing"
	"time"
)

// TestFloats shows that Range returns the values that were stored. They fill more than two
// partitions of an hour, so that some are read from disk and some from memory.
func TestFloats(t *testing.T) {
	const names, ticks = 3, 400
	const start, interval = int64(1_750_000_000_000), int64(time.Second / time.Millisecond)
	dir := t.TempDir()
	floats := mustOpenFloats(t, dir)
	for tick := range int64(ticks) {
		var batch []Float
		for name := range names {
			at := start + tick*interval
			batch = append(batch, Float{Name: fmt.Sprintf("record.%d", name), Value: float64(tick), StoredAt: at})
		}
		if err := floats.StoreBatch(batch); err != nil {
			t.Fatal(err)
		}
	}
	wantFloats(t, floats, "record.1", start, start+ticks*interval, ticks)
	wantFloats(t, floats, "record.1", start+10*interval, start+350*interval, 340)
	if err := floats.Close(); err != nil {
		t.Fatal(err)
	}
	floats = mustOpenFloats(t, dir)
	defer floats.Close()
	wantFloats(t, floats, "record.2", start, start+ticks*interval, ticks)
	wantFloats(t, floats, "record.2", start, start+5*interval, 5)
	wantFloats(t, floats, "nothing", start, start+ticks*interval, 0)
}

func mustOpenFloats(t *testing.T, dir string) *Floats {
	t.Helper()
	floats, err := OpenFloats(dir)
	if err != nil {
		t.Fatal(err)
	}
	return floats
}

func wantFloats(t *testing.T, floats *Floats, name string, start, end int64, want int) {
	t.Helper()
	got, err := floats.Range(name, start, end)
	if err != nil || got != want {
		t.Errorf("Range(%q, %d, %d) = %d, %v; want %d", name, start, end, got, err, want)
	}
}
