// SPDX-License-Identifier: Apache-2.0

// Package bench holds the workloads that Daybook is measured with: record names, values as real devices
// send them, and timestamps, all from a seed. The benchmarks themselves are its tests:
//
//	go test -bench . ./bench
//
// Each reports its figure beside a physical limit that is measured in the same run, as a ratio, because
// the machines that run it differ and are shared. How other stores do on the same work is measured in
// bench/peers, which is a module of its own, so that nobody who imports Daybook gets them too.
package bench

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"

	"github.com/daybook-db/daybook"
)

// Workload makes ticks: one value of every record, Interval apart.
type Workload struct {
	names  []string
	device []device
	random *rand.Rand
	now    uint64
	values []daybook.StoredValue
}

// Start is the timestamp of the first tick, Unix ms.
const Start uint64 = 1_750_000_000_000

// Interval is the time between ticks, in ms.
const Interval uint64 = 1000

// RecordsPerLine is how many records have a name that begins with plant.line000., and so on for each line.
const RecordsPerLine = 100

// NewWorkload returns the workload of so many records that a seed gives, with values of one shape.
func NewWorkload(records int, seed uint64, shape Shape) *Workload {
	w := &Workload{random: rand.New(rand.NewPCG(seed, 0)), now: Start}
	lines := max(records/RecordsPerLine, 1)
	for i := range records {
		w.names = append(w.names, fmt.Sprintf("plant.line%03d.sensor%05d", i%lines, i))
		w.device = append(w.device, newDevice(shape, i, w.random))
	}
	return w
}

// Names returns the names of the records.
func (w *Workload) Names() []string { return w.names }

// Tick returns the next value of every record. The slice and the values in it are valid until the next
// call of Tick or Ticks.
func (w *Workload) Tick() []daybook.StoredValue { return w.Ticks(1) }

// Ticks returns the next n values of every record, tick after tick, with Tick's validity.
func (w *Workload) Ticks(n int) []daybook.StoredValue {
	w.values = w.values[:0]
	buffer := make([]byte, 0, 64*len(w.names)*n)
	for range n {
		for i, name := range w.names {
			start := len(buffer)
			buffer = w.device[i].append(buffer, w.now)
			value := json.RawMessage(buffer[start:len(buffer):len(buffer)])
			w.values = append(w.values, daybook.StoredValue{RecordName: name, Value: value, StoredAt: w.now})
		}
		w.now += Interval
	}
	return w.values
}
