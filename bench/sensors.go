// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"math/rand/v2"
	"strconv"
)

// walk is a number that moves by small random steps, and turns back at its bounds. With a step of s
// units of its last decimal, the next number carries about log2(4.13 s) bits.
type walk struct{ at, step, low, high float64 }

func (w *walk) next(random *rand.Rand) float64 {
	w.at += random.NormFloat64() * w.step
	switch {
	case w.at < w.low:
		w.at = 2*w.low - w.at
	case w.at > w.high:
		w.at = 2*w.high - w.at
	}
	return w.at
}

// walks returns walks that begin at random places between low and high.
func walks(count int, random *rand.Rand, step, low, high float64) []walk {
	all := make([]walk, count)
	for i := range all {
		all[i] = walk{at: low + random.Float64()*(high-low), step: step, low: low, high: high}
	}
	return all
}

// numbers is a device whose value is an object of numbers that drift, each printed with all digits
// that it takes to read it back.
type numbers struct {
	random *rand.Rand
	names  []string // of the members, quoted
	walks  []walk
	// measured returns the number that is sent for the place of a walk.
	measured func(at float64) float64
}

func (d *numbers) append(dst []byte, _ uint64) []byte {
	for i := range d.walks {
		start := byte(',')
		if i == 0 {
			start = '{'
		}
		dst = append(dst, start)
		dst = append(append(dst, d.names[i]...), ':')
		dst = strconv.AppendFloat(dst, d.measured(d.walks[i].next(d.random)), 'f', -1, 64)
	}
	return append(dst, '}')
}

var (
	motionNames      = []string{`"accx"`, `"accy"`, `"accz"`, `"gyrx"`, `"gyry"`, `"gyrz"`, `"temp"`}
	transformerNames = []string{`"HUFL"`, `"HULL"`, `"MUFL"`, `"MULL"`, `"LUFL"`, `"LULL"`, `"OILT"`}
	statisticsNames  = []string{`"mean"`, `"variance"`, `"rms"`}
)

// newFloat32s returns a device of shape Float32s: steps of about 10^5 units of 2^-21.
func newFloat32s(_ int, random *rand.Rand) device {
	return &numbers{random, motionNames, walks(7, random, 0.05, 4, 8), func(at float64) float64 {
		return float64(float32(at))
	}}
}

// newTransformer returns a device of shape Transformers: steps of about 800 units of 0.001.
func newTransformer(_ int, random *rand.Rand) device {
	return &numbers{random, transformerNames, walks(7, random, 0.8, 1, 60), func(at float64) float64 {
		return float64(float32(float64(int(at*1000)) / 1000))
	}}
}

// newDoubles returns a device of shape Doubles: steps of about 2^46 units of 2^-48.
func newDoubles(_ int, random *rand.Rand) device {
	return &numbers{random, statisticsNames, walks(3, random, 0.2, 10, 30), func(at float64) float64 { return at }}
}

// metric is a device of shape Metrics.
type metric struct {
	random *rand.Rand
	load   walk
}

func newMetric(_ int, random *rand.Rand) device {
	return &metric{random, walks(1, random, 0.005, 0.1, 0.9)[0]}
}

func (d *metric) append(dst []byte, _ uint64) []byte {
	dst = appendDecimal(append(dst, `{"load":`...), d.load.next(d.random), 3)
	return append(dst, '}')
}

// lightSwitch is a device of shape Switches.
type lightSwitch struct {
	random *rand.Rand
	on     bool
}

func newSwitch(i int, random *rand.Rand) device { return &lightSwitch{random, i%2 == 0} }

func (d *lightSwitch) append(dst []byte, _ uint64) []byte {
	if d.random.IntN(50) == 0 {
		d.on = !d.on
	}
	if d.on {
		return append(dst, `{"state":"ON"}`...)
	}
	return append(dst, `{"state":"OFF"}`...)
}

// interfaceCounters is a device of shape Counters64.
type interfaceCounters struct {
	random                *rand.Rand
	received, sent, count uint64
}

// newCounters64 begins near 2^63, so that some counters pass it.
func newCounters64(_ int, random *rand.Rand) device {
	return &interfaceCounters{
		random:   random,
		received: 1<<63 - random.Uint64N(1e9),
		sent:     1<<60 + random.Uint64N(1<<50),
		count:    random.Uint64N(1e12),
	}
}

func (d *interfaceCounters) append(dst []byte, _ uint64) []byte {
	d.received += uint64(d.random.ExpFloat64() * 1e6)
	d.sent += uint64(d.random.ExpFloat64() * 2e5)
	d.count += uint64(d.random.ExpFloat64() * 800)
	dst = strconv.AppendUint(append(dst, `{"rx_bytes":`...), d.received, 10)
	dst = strconv.AppendUint(append(dst, `,"tx_bytes":`...), d.sent, 10)
	dst = strconv.AppendUint(append(dst, `,"packets":`...), d.count, 10)
	return append(dst, '}')
}
