// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"math/rand/v2"
	"strconv"
)

// Shape is the kind of values that a workload has.
type Shape int

const (
	// Readings are objects of 52 bytes with two random numbers of three digits, such as
	// {"celsius":21.5,"humidity":441,"unit":"C","ok":true}. A value does not depend on the value
	// before it, and carries 20 bits of information.
	Readings Shape = iota
	// Drift values are objects like Readings, as a real sensor sends them: each is near the one
	// before it.
	Drift
	// Events are nested objects of 150 to 300 bytes with an identifier, one of a few kinds, and a
	// payload.
	Events
	// Counters are integers that mostly grow by a little, and sometimes stay the same.
	Counters
	// Texts are JSON strings: lines of a log with numbers and addresses in them.
	Texts
	// Mixed gives each record one of the other shapes. More than half of the records drift.
	Mixed
)

func (s Shape) String() string {
	return [...]string{"readings", "drift", "events", "counters", "texts", "mixed"}[s]
}

// device makes the values of one record.
type device struct {
	shape   Shape
	random  *rand.Rand
	celsius float64
	counter uint64
}

// mixture has the shapes of a Mixed workload's records, in order and then again from the start.
var mixture = [...]Shape{Drift, Counters, Drift, Events, Drift, Drift, Texts, Drift, Readings, Drift}

// newDevice returns the device of record number i.
func newDevice(shape Shape, i int, random *rand.Rand) device {
	if shape == Mixed {
		shape = mixture[i%len(mixture)]
	}
	return device{shape: shape, random: random, celsius: 20, counter: uint64(i)}
}

// append appends the device's next value to dst. now is its timestamp.
func (d *device) append(dst []byte, now uint64) []byte {
	switch d.shape {
	case Drift:
		d.celsius += d.random.NormFloat64() / 20
		return appendReading(dst, d.celsius, 650-10*d.celsius)
	case Events:
		return d.appendEvent(dst, now)
	case Counters:
		d.counter += uint64(d.random.ExpFloat64() * 30)
		return strconv.AppendUint(dst, d.counter, 10)
	case Texts:
		return d.appendText(dst)
	}
	return appendReading(dst, float64(100+d.random.IntN(900))/10, float64(100+d.random.IntN(900)))
}

func appendReading(dst []byte, celsius, humidity float64) []byte {
	dst = append(dst, `{"celsius":`...)
	dst = strconv.AppendFloat(dst, celsius, 'f', 1, 64)
	dst = append(dst, `,"humidity":`...)
	dst = strconv.AppendFloat(dst, humidity, 'f', 0, 64)
	return append(dst, `,"unit":"C","ok":true}`...)
}

var (
	kinds = [...]string{
		"door.opened", "door.closed", "motor.started", "motor.stopped", "alarm.raised", "alarm.cleared",
	}
	workers = [...]string{"amira", "bruno", "chen", "dagny", "emeka"}
	lines   = [...]string{
		"connection to ", "request served from ", "certificate renewed for ", "retrying after a timeout of ",
		"configuration reloaded from ",
	}
)

func (d *device) appendEvent(dst []byte, now uint64) []byte {
	dst = append(dst, `{"id":"`...)
	dst = strconv.AppendUint(dst, d.random.Uint64(), 16)
	dst = append(dst, `","kind":"`...)
	dst = append(dst, kinds[d.random.IntN(len(kinds))]...)
	dst = append(dst, `","at":`...)
	dst = strconv.AppendUint(dst, now+d.random.Uint64N(Interval), 10)
	dst = append(dst, `,"source":{"zone":`...)
	dst = strconv.AppendInt(dst, int64(d.random.IntN(12)), 10)
	dst = append(dst, `,"operator":"`...)
	dst = append(dst, workers[d.random.IntN(len(workers))]...)
	dst = append(dst, `","battery":`...)
	dst = strconv.AppendFloat(dst, 3+d.random.Float64()/2, 'f', 3, 64)
	dst = append(dst, `},"samples":[`...)
	for i := range 1 + d.random.IntN(12) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = strconv.AppendInt(dst, int64(d.random.IntN(4096)), 10)
	}
	return append(dst, `],"acknowledged":false}`...)
}

func (d *device) appendText(dst []byte) []byte {
	dst = append(dst, '"')
	dst = append(dst, lines[d.random.IntN(len(lines))]...)
	for i := range 4 {
		if i > 0 {
			dst = append(dst, '.')
		}
		dst = strconv.AppendInt(dst, int64(d.random.IntN(256)), 10)
	}
	dst = append(dst, " took "...)
	dst = strconv.AppendInt(dst, int64(d.random.ExpFloat64()*40), 10)
	return append(dst, ` ms"`...)
}
