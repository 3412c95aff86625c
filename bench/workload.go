// SPDX-License-Identifier: Apache-2.0

// Package bench holds the workloads that Daybook is measured with: record names, values as real devices
// send them, and timestamps, all from a seed. The benchmarks themselves are its tests:
//
//	go test -bench . ./bench
//
// Each reports its figure beside a physical limit that is measured in the same run, as a ratio, because
// the machines that run it differ and are shared.
package bench

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"

	"github.com/daybook-db/daybook"
)

// Workload makes ticks: one value of every record, a second apart.
type Workload struct {
	names  []string
	random *rand.Rand
	now    uint64
	values []daybook.StoredValue
}

// Start is the timestamp of the first tick, Unix ms.
const Start uint64 = 1_750_000_000_000

// Interval is the time between ticks, in ms.
const Interval uint64 = 1000

// NewWorkload returns the workload of so many records that a seed gives.
func NewWorkload(records int, seed uint64) *Workload {
	w := &Workload{random: rand.New(rand.NewPCG(seed, 0)), now: Start}
	for i := range records {
		w.names = append(w.names, fmt.Sprintf("plant.line%02d.sensor%05d", i%20, i))
	}
	return w
}

// Names returns the names of the records.
func (w *Workload) Names() []string { return w.names }

// Tick returns the next value of every record. The slice and the values in it are valid until the next
// call.
func (w *Workload) Tick() []daybook.StoredValue {
	w.values = w.values[:0]
	buffer := make([]byte, 0, 64*len(w.names))
	for _, name := range w.names {
		start := len(buffer)
		buffer = w.appendReading(buffer)
		w.values = append(w.values, daybook.StoredValue{RecordName: name, Value: json.RawMessage(buffer[start:len(buffer):len(buffer)]), StoredAt: w.now})
	}
	w.now += Interval
	return w.values
}

// Reading returns one value such as {"celsius":21.53,"humidity":44.1,"unit":"C","ok":true}: about 54
// bytes, of which two random numbers of three and a half and three digits are news.
func (w *Workload) Reading() json.RawMessage { return w.appendReading(nil) }

func (w *Workload) appendReading(dst []byte) []byte {
	dst = append(dst, `{"celsius":`...)
	dst = strconv.AppendFloat(dst, 15+float64(w.random.IntN(1000))/100, 'f', 2, 64)
	dst = append(dst, `,"humidity":`...)
	dst = strconv.AppendFloat(dst, 30+float64(w.random.IntN(300))/10, 'f', 1, 64)
	return append(dst, `,"unit":"C","ok":true}`...)
}
