// SPDX-License-Identifier: Apache-2.0

package bench

import "math/rand/v2"

// Shape is the kind of values that a workload has. The comment on each shape says how many bits of
// information a value carries beyond those before it, about: no codec can make the values of a
// long history smaller than that.
type Shape int

// The first six are the shapes of the first race. The others are as devices and services send
// them.
const (
	// Readings are objects of 52 bytes with two random numbers of three digits, such as
	// {"celsius":21.5,"humidity":441,"unit":"C","ok":true}. A value does not depend on the value
	// before it, and carries 20 bits.
	Readings Shape = iota
	// Drift values are objects like Readings, as a real sensor sends them: each is near the one
	// before it. A value carries 2 bits.
	Drift
	// Events are nested objects of 150 to 300 bytes with an identifier, one of a few kinds, and a
	// payload. A value carries 173 bits, of which the identifier has 64.
	Events
	// Counters are integers that mostly grow by a little, and sometimes stay the same. A value
	// carries 6 bits.
	Counters
	// Texts are JSON strings: lines of a log with numbers and addresses in them. A value carries 40
	// bits.
	Texts
	// Mixed gives each record one of the shapes above. More than half of the records drift. A value
	// carries 25 bits.
	Mixed

	// Telematics are objects of 222 bytes with 14 members, as a truck sends them: fixed texts,
	// texts that rarely change, coordinates with five decimals, and numbers that drift. A truck
	// that stands repeats most of them. A value carries 23 bits.
	Telematics
	// Float32s are objects of 176 bytes with seven numbers that were computed in 32 bits and are
	// printed with 64, such as 5.827000141143799. All 24 bits of their mantissas are used. A value
	// carries 130 bits.
	Float32s
	// Transformers are objects of 178 bytes like Float32s, but the sensors have three decimals,
	// which the 32 bits hide. A value carries 80 bits.
	Transformers
	// Doubles are objects of 81 bytes with three numbers that were computed in 64 bits, such as a
	// mean. All 53 bits of their mantissas are used. A value carries 145 bits.
	Doubles
	// Metrics are objects of 14 bytes with one number of three decimals. A value carries 4 bits.
	Metrics
	// Web values are objects of 96 bytes with the counts and latencies of a minute of a service. A
	// value carries 42 bits.
	Web
	// States are objects of 82 bytes with texts out of sets of 8, 50 and 500, a counter, and a
	// number that drifts. A value carries 23 bits.
	States
	// Sessions are nested objects of 110 to 310 bytes, what one user does in a shop: members and
	// arrays that not every value has, and texts that are the record's own. A value carries 35
	// bits.
	Sessions
	// Logs are lines of a log as objects of 115 bytes. A value carries 91 bits, of which a
	// random identifier has 64.
	Logs
	// Counters64 are objects of 86 bytes with the three counters of a network interface, of which
	// two are above 2^53, where a float64 cannot hold them. A value carries 51 bits.
	Counters64
	// Tracks are objects of 76 bytes with the position of a GPS receiver, with seven decimals. A
	// value carries 40 bits.
	Tracks
	// Switches are objects of 14 bytes that say ON or OFF. Of 50 values 49 repeat the one before. A
	// value carries 0.14 bits.
	Switches

	shapeCount
)

// shapes describes each shape. Its tests compare the widths and the bits with the values.
var shapes = [shapeCount]struct {
	name  string
	width int     // mean length of a value, about
	bits  float64 // of information in a value, about
	// device returns the device of record number i. Mixed has none of its own.
	device func(i int, random *rand.Rand) device
}{
	Readings:     {"readings", 52, 20, newReadings},
	Drift:        {"drift", 52, 2, newDrift},
	Events:       {"events", 185, 173, newEvents},
	Counters:     {"counters", 4, 6, newCounter},
	Texts:        {"texts", 50, 40, newTexts},
	Mixed:        {"mixed", 60, 25, nil},
	Telematics:   {"telematics", 222, 23, newTruck},
	Float32s:     {"float32s", 176, 130, newFloat32s},
	Transformers: {"transformers", 178, 80, newTransformer},
	Doubles:      {"doubles", 81, 145, newDoubles},
	Metrics:      {"metrics", 14, 4, newMetric},
	Web:          {"web", 96, 42, newWeb},
	States:       {"states", 82, 23, newStates},
	Sessions:     {"sessions", 147, 35, newSession},
	Logs:         {"logs", 115, 91, newLogs},
	Counters64:   {"counters64", 86, 51, newCounters64},
	Tracks:       {"tracks", 76, 40, newTrack},
	Switches:     {"switches", 14, 0.14, newSwitch},
}

func (s Shape) String() string { return shapes[s].name }

// mixture has the shapes of a Mixed workload's records, in order and then again from the start.
var mixture = [...]Shape{Drift, Counters, Drift, Events, Drift, Drift, Texts, Drift, Readings, Drift}

// device makes the values of one record.
type device interface {
	// append appends the device's next value to dst. now is the time at which it is taken.
	append(dst []byte, now uint64) []byte
}

// newDevice returns the device of record number i.
func newDevice(shape Shape, i int, random *rand.Rand) device {
	if shape == Mixed {
		shape = mixture[i%len(mixture)]
	}
	return shapes[shape].device(i, random)
}
