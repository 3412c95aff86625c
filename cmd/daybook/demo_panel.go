// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"time"

	"github.com/daybook-db/daybook"
)

// panel reads a set of sensors at a steady pace that no slow one breaks: each reads in a goroutine of
// its own, and who does not answer in time is heard at the next tick, under the time of its own.
type panel struct {
	gauges  []*gauge
	answers chan answer // room for one answer of each sensor, so that a late one never blocks
}

// gauge is what the panel knows about a sensor. It belongs to the goroutine that calls sample.
type gauge struct {
	sensor
	reading bool      // asked, and not heard of yet
	due     time.Time // not to be asked before
	heard   bool      // it has had readings
}

// answer is what one sensor read.
type answer struct {
	gauge    *gauge
	at       time.Time // when it was asked
	took     time.Duration
	readings []reading
	err      error
}

// A sensor that failed is left alone for a while, and one that took long for many times as long:
// recording must not become what keeps the machine busy.
const (
	restAfterFailure = time.Second
	restPerReading   = 20
)

func newPanel(sensors []sensor) *panel {
	p := &panel{answers: make(chan answer, len(sensors))}
	for _, s := range sensors {
		p.gauges = append(p.gauges, &gauge{sensor: s})
	}
	return p
}

// sample asks the sensors that are due and returns what has been read, after patience at the latest.
func (p *panel) sample(ctx context.Context, now time.Time, patience time.Duration) []daybook.StoredValue {
	missing := p.ask(ctx, now)
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	var values []daybook.StoredValue
	for missing > 0 {
		select {
		case a := <-p.answers:
			values = append(values, p.hear(a)...)
			if a.at.Equal(now) {
				missing--
			}
		case <-timeout.C:
			missing = 0
		}
	}
	return append(values, p.hearLate()...)
}

// ask starts the sensors that are due, and returns how many those are.
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

// hearLate takes the answers that are there, of sensors that were asked at an earlier tick.
func (p *panel) hearLate() (values []daybook.StoredValue) {
	for {
		select {
		case a := <-p.answers:
			values = append(values, p.hear(a)...)
		default:
			return values
		}
	}
}

// hear turns an answer into values, and decides when the sensor is asked again.
func (p *panel) hear(a answer) (values []daybook.StoredValue) {
	g := a.gauge
	g.reading = false
	rest := max(g.rest, restPerReading*a.took-restPerReading*time.Millisecond)
	if a.err != nil || len(a.readings) == 0 {
		rest = max(rest, restAfterFailure)
	}
	g.due = a.at.Add(rest)
	for _, r := range a.readings {
		encoded, err := json.Marshal(r.value)
		if err != nil || daybook.ValidateRecordName(r.record) != nil {
			continue // a host with an odd name for a device goes without that one
		}
		g.heard = true
		values = append(values, daybook.StoredValue{RecordName: r.record, Value: encoded, StoredAt: millisOf(a.at)})
	}
	return values
}

// silent names the sensors that never had readings.
func (p *panel) silent() (names []string) {
	for _, g := range p.gauges {
		if !g.heard {
			names = append(names, g.name)
		}
	}
	return names
}
