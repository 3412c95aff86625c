// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"math/rand/v2"
	"strconv"
)

// readings is a device of shape Readings.
type readings struct{ random *rand.Rand }

func newReadings(_ int, random *rand.Rand) device { return readings{random} }

func (d readings) append(dst []byte, _ uint64) []byte {
	return appendReading(dst, float64(100+d.random.IntN(900))/10, float64(100+d.random.IntN(900)))
}

// drift is a device of shape Drift.
type drift struct {
	random  *rand.Rand
	celsius float64
}

func newDrift(_ int, random *rand.Rand) device { return &drift{random, 20} }

func (d *drift) append(dst []byte, _ uint64) []byte {
	d.celsius += d.random.NormFloat64() / 20
	return appendReading(dst, d.celsius, 650-10*d.celsius)
}

func appendReading(dst []byte, celsius, humidity float64) []byte {
	dst = appendDecimal(append(dst, `{"celsius":`...), celsius, 1)
	dst = appendDecimal(append(dst, `,"humidity":`...), humidity, 0)
	return append(dst, `,"unit":"C","ok":true}`...)
}

// appendDecimal appends a number with a fixed number of decimals.
func appendDecimal(dst []byte, number float64, decimals int) []byte {
	return strconv.AppendFloat(dst, number, 'f', decimals, 64)
}

// counter is a device of shape Counters.
type counter struct {
	random *rand.Rand
	count  uint64
}

func newCounter(i int, random *rand.Rand) device { return &counter{random, uint64(i)} }

func (d *counter) append(dst []byte, _ uint64) []byte {
	d.count += uint64(d.random.ExpFloat64() * 30)
	return strconv.AppendUint(dst, d.count, 10)
}

// events is a device of shape Events.
type events struct{ random *rand.Rand }

func newEvents(_ int, random *rand.Rand) device { return events{random} }

var (
	kinds = [...]string{
		"door.opened", "door.closed", "motor.started", "motor.stopped", "alarm.raised", "alarm.cleared",
	}
	workers = [...]string{"amira", "bruno", "chen", "dagny", "emeka"}
)

func (d events) append(dst []byte, now uint64) []byte {
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
	dst = appendDecimal(dst, 3+d.random.Float64()/2, 3)
	dst = append(dst, `},"samples":[`...)
	for i := range 1 + d.random.IntN(12) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = strconv.AppendInt(dst, int64(d.random.IntN(4096)), 10)
	}
	return append(dst, `],"acknowledged":false}`...)
}

// texts is a device of shape Texts.
type texts struct{ random *rand.Rand }

func newTexts(_ int, random *rand.Rand) device { return texts{random} }

var lines = [...]string{
	"connection to ", "request served from ", "certificate renewed for ", "retrying after a timeout of ",
	"configuration reloaded from ",
}

func (d texts) append(dst []byte, _ uint64) []byte {
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
