// SPDX-License-Identifier: Apache-2.0

// Package bench makes the histories that Daybook is measured with: record names, values as real
// devices send them, and timestamps. A seed determines all of them. A [Shape] says what the values
// are, [Times] when they are taken and in what order they arrive, and a [History] how many there
// are. The three do not depend on each other. The benchmarks of the engine are the package's tests:
//
//	go test -run '^$' -bench . ./bench
//
// Machines differ and are shared. So a benchmark that waits for the disk measures a [Limit] in the
// same run, and reports the ratio of the two. Some benchmarks have a bar: a bound that their figure
// has to meet.
//
// Package bench/peers measures other stores on the same work. It is a module of its own, so that a
// program that imports Daybook does not depend on those stores.
package bench

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"

	"github.com/daybook-db/daybook"
)

// Workload makes values tick by tick, without an end. A tick is one value of every record, all with
// the same timestamp.
type Workload struct {
	names   []string
	devices []device // the one at index i makes the values of names[i]
	random  *rand.Rand
	now     uint64 // timestamp of the next tick, Unix ms
	values  []daybook.StoredValue
}

// Start is the timestamp of the first tick, in Unix ms.
const Start uint64 = 1_750_000_000_000

// Interval is the time between two ticks, in ms.
const Interval uint64 = 1000

// RecordsPerLine is the number of records whose names begin with the same line: plant.line000.,
// plant.line001. and so on.
const RecordsPerLine = 100

// NewWorkload returns a workload with the given number of records, whose values have one shape. The
// same seed gives the same values.
func NewWorkload(records int, seed uint64, shape Shape) *Workload {
	w := &Workload{random: rand.New(rand.NewPCG(seed, 0)), now: Start}
	lines := max(records/RecordsPerLine, 1)
	for i := range records {
		w.names = append(w.names, fmt.Sprintf("plant.line%03d.sensor%05d", i%lines, i))
		w.devices = append(w.devices, newDevice(shape, i, w.random))
	}
	return w
}

// Names returns the names of the records.
func (w *Workload) Names() []string { return w.names }

// Tick returns the next tick. The slice and the values in it are valid until the next call of Tick
// or Ticks.
func (w *Workload) Tick() []daybook.StoredValue { return w.Ticks(1) }

// Ticks returns the next n ticks, one after another. They are valid as long as those of Tick.
func (w *Workload) Ticks(n int) []daybook.StoredValue {
	w.values = w.values[:0]
	buffer := make([]byte, 0, 64*len(w.names)*n)
	for range n {
		for i, name := range w.names {
			start := len(buffer)
			buffer = w.devices[i].append(buffer, w.now)
			value := json.RawMessage(buffer[start:len(buffer):len(buffer)])
			w.values = append(w.values, daybook.StoredValue{RecordName: name, Value: value, StoredAt: w.now})
		}
		w.now += Interval
	}
	return w.values
}
