// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"time"

	"github.com/daybook-db/daybook"
)

// panel reads a set of sensors at a steady pace, which no slow sensor breaks. Each sensor reads in
// a goroutine of its own. An answer that is late is taken at the next tick, with the time of its
// own tick.
type panel struct {
	gauges  []*gauge
	answers chan answer // with room for one answer of each sensor, so that a late one never blocks
}

// gauge is the state of a sensor in a panel. Only the goroutine that calls sample uses it.
type gauge struct {
	sensor
	reading bool      // it was asked and has not answered yet
	due     time.Time // it is not asked before this time
	heard   bool      // it has had readings
}

// answer is the result of one reading of a sensor.
type answer struct {
	gauge    *gauge
	at       time.Time // when it was asked
	took     time.Duration
	readings []reading
	err      error
}

// Rests of a sensor after a reading, so that the recording itself does not keep the machine busy.
const (
	restAfterFailure = time.Second
	restFactor       = 20 // a slow sensor rests for this many times the time that it took
)

func newPanel(sensors []sensor) *panel {
	p := &panel{answers: make(chan answer, len(sensors))}
	for _, s := range sensors {
		p.gauges = append(p.gauges, &gauge{sensor: s})
	}
	return p
}

// sample asks the sensors that are due and returns the values that arrive within patience.
func (p *panel) sample(ctx context.Context, now time.Time, patience time.Duration) []daybook.StoredValue {
	missing := p.ask(ctx, now)
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	var values []daybook.StoredValue
	for missing > 0 {
		select {
		case a := <-p.answers:
			values = append(values, p.take(a)...)
			if a.at.Equal(now) {
				missing--
			}
		case <-timeout.C:
			missing = 0
		}
	}
	return append(values, p.takeLate()...)
}

// ask starts the sensors that are due and returns their number.
func (p *panel) ask(ctx context.Context, now time.Time) (asked int) {
	for _, g := range p.gauges {
		if g.reading || now.Before(g.due) {
			continue
		}
		g.reading = true
		asked++
		go func() {
			started := time.Now()
			readings, err := g.read(ctx)
			p.answers <- answer{g, now, time.Since(started), readings, err}
		}()
	}
	return asked
}

// takeLate takes the answers that have arrived from sensors of earlier ticks.
func (p *panel) takeLate() (values []daybook.StoredValue) {
	for {
		select {
		case a := <-p.answers:
			values = append(values, p.take(a)...)
		default:
			return values
		}
	}
}

// take turns an answer into values and decides when the sensor is asked again.
func (p *panel) take(a answer) (values []daybook.StoredValue) {
	g := a.gauge
	g.reading = false
	rest := max(g.rest, restFactor*(a.took-time.Millisecond)) // a reading of up to 1 ms needs no rest
	if a.err != nil || len(a.readings) == 0 {
		rest = max(rest, restAfterFailure)
	}
	g.due = a.at.Add(rest)
	for _, r := range a.readings {
		encoded, err := json.Marshal(r.value)
		if err != nil || daybook.ValidateRecordName(r.record) != nil {
			continue // the name of this device cannot be the name of a record
		}
		g.heard = true
		values = append(values, daybook.StoredValue{RecordName: r.record, Value: encoded, StoredAt: millisOf(a.at)})
	}
	return values
}

// silent returns the names of the sensors that never had readings.
func (p *panel) silent() (names []string) {
	for _, g := range p.gauges {
		if !g.heard {
			names = append(names, g.name)
		}
	}
	return names
}
