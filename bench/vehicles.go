// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"fmt"
	"math/rand/v2"
	"strconv"
)

// truck is a device of shape Telematics.
type truck struct {
	random       *rand.Rand
	fixed        string // the members that never change
	driver       int
	activity     int // index of activities; 0: the truck moves
	lat, lon     walk
	altitude     walk
	speed        walk
	heading      walk
	revolutions  walk
	coolant      walk
	fuel         float64
	kilometres   float64
	satellites   int
	positionText []byte // of the last value, which a standing truck repeats
}

var activities = [...]string{"driving", "loading", "resting", "waiting"}

// chooseActivity has the truck drive three quarters of the time.
func (d *truck) chooseActivity() {
	d.activity = 0
	if d.random.IntN(4) == 0 {
		d.activity = 1 + d.random.IntN(len(activities)-1)
	}
}

func newTruck(i int, random *rand.Rand) device {
	return &truck{
		random:      random,
		fixed:       fmt.Sprintf(`{"vehicle":"truck-%05d","model":"Actros 1845 LS"`, i),
		driver:      random.IntN(900),
		lat:         walk{47 + 7*random.Float64(), 0.0001, 47, 54},
		lon:         walk{6 + 8*random.Float64(), 0.0001, 6, 14},
		altitude:    walk{300 * random.Float64(), 0.5, 0, 900},
		speed:       walk{60, 1, 5, 90},
		heading:     walk{360 * random.Float64(), 3, 0, 359},
		revolutions: walk{1300, 30, 600, 2200},
		coolant:     walk{86, 0.1, 75, 98},
		fuel:        600 * random.Float64(),
		kilometres:  100_000 * random.Float64(),
		satellites:  9,
	}
}

func (d *truck) append(dst []byte, _ uint64) []byte {
	if d.random.IntN(60) == 0 {
		d.chooseActivity()
	}
	if d.random.IntN(2000) == 0 {
		d.driver = d.random.IntN(900)
	}
	if d.activity == 0 || d.positionText == nil {
		d.move()
	}
	dst = append(dst, d.fixed...)
	dst = strconv.AppendInt(append(dst, `,"driver":"d-`...), int64(d.driver), 10)
	dst = append(append(dst, `","status":"`...), activities[d.activity]...)
	dst = append(append(dst, `",`...), d.positionText...)
	dst = appendDecimal(append(dst, `,"coolant":`...), d.coolant.next(d.random), 0)
	return append(dst, '}')
}

// move makes the members that change while the truck drives.
func (d *truck) move() {
	speed := d.speed.next(d.random)
	d.kilometres += speed / 3600
	if d.fuel -= speed / 10_000; d.fuel < 20 {
		d.fuel = 600
	}
	if d.random.IntN(8) == 0 {
		d.satellites = 6 + d.random.IntN(6)
	}
	text := appendDecimal(append(d.positionText[:0], `"lat":`...), d.lat.next(d.random), 5)
	text = appendDecimal(append(text, `,"lon":`...), d.lon.next(d.random), 5)
	text = appendDecimal(append(text, `,"alt":`...), d.altitude.next(d.random), 0)
	text = appendDecimal(append(text, `,"speed":`...), speed, 1)
	text = appendDecimal(append(text, `,"heading":`...), d.heading.next(d.random), 0)
	text = appendDecimal(append(text, `,"rpm":`...), d.revolutions.next(d.random), 0)
	text = appendDecimal(append(text, `,"fuel":`...), d.fuel, 1)
	text = appendDecimal(append(text, `,"odometer":`...), d.kilometres, 1)
	text = strconv.AppendInt(append(text, `,"satellites":`...), int64(d.satellites), 10)
	d.positionText = text
}

// track is a device of shape Tracks.
type track struct {
	random                               *rand.Rand
	lat, lon, altitude, speed, direction walk
}

func newTrack(_ int, random *rand.Rand) device {
	return &track{
		random:    random,
		lat:       walk{-35 + 90*random.Float64(), 0.0001, -36, 56},
		lon:       walk{-179 + 358*random.Float64(), 0.0001, -180, 180},
		altitude:  walk{500 * random.Float64(), 0.3, -10, 2500},
		speed:     walk{10, 0.8, 0, 40},
		direction: walk{360 * random.Float64(), 3, 0, 359.9},
	}
}

func (d *track) append(dst []byte, _ uint64) []byte {
	dst = appendDecimal(append(dst, `{"lat":`...), d.lat.next(d.random), 7)
	dst = appendDecimal(append(dst, `,"lon":`...), d.lon.next(d.random), 7)
	dst = appendDecimal(append(dst, `,"alt":`...), d.altitude.next(d.random), 1)
	dst = appendDecimal(append(dst, `,"speed":`...), d.speed.next(d.random), 1)
	dst = appendDecimal(append(dst, `,"course":`...), d.direction.next(d.random), 1)
	return append(dst, '}')
}
