// SPDX-License-Identifier: Apache-2.0

package head

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// heldLock measures how long it is held.
type heldLock struct {
	since time.Time
	held  []time.Duration
}

func (l *heldLock) Lock() { l.since = time.Now() }

func (l *heldLock) Unlock() { l.held = append(l.held, time.Since(l.since)) }

// BenchmarkReader reads the views of a head with 80,000 records, and reports how long it holds the
// lock at once: so long a Store may wait.
func BenchmarkReader(b *testing.B) {
	const records = 80_000
	h := New(64 << 20)
	for n := range uint64(2 * records) {
		h.Add(fmt.Sprintf("sensor.%06d.celsius", n*7919%records), n, n+1, []byte("21.5"))
	}
	for _, read := range []struct {
		name   string
		wanted Filter
		views  int
	}{{"all records", nil, records}, {"no record", filterFunc(func(string) bool { return false }), 0}} {
		b.Run(read.name, func(b *testing.B) {
			b.ReportAllocs()
			lock := new(heldLock)
			for b.Loop() {
				lock.Lock()
				r := h.ReadPrefix(lock, "")
				lock.Unlock()
				count := 0
				for view := nextOf(r, read.wanted); !view.Empty(); view = nextOf(r, read.wanted) {
					count++
				}
				if count != read.views {
					b.Fatalf("%d views; want %d", count, read.views)
				}
			}
			slices.Sort(lock.held)
			n := len(lock.held)
			b.ReportMetric(float64(lock.held[n/2].Nanoseconds())/1e3, "µs-held-median")
			b.ReportMetric(float64(lock.held[n*99/100].Nanoseconds())/1e3, "µs-held-p99")
		})
	}
}
