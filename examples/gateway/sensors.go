// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"math"
	"time"
)

// sensor is what the gateway polls: a register on a bus, for example.
type sensor interface {
	// Name becomes the last part of the record's name: sensor.boiler.
	Name() string
	// Read returns when ctx ends, at the latest.
	Read(ctx context.Context) (float64, error)
}

// wave is a simulated sensor.
type wave struct {
	name        string
	mean, swing float64
	period      time.Duration
}

func simulatedSensors() []sensor {
	return []sensor{
		wave{name: "boiler", mean: 75, swing: 20, period: 2 * time.Minute},
		wave{name: "outside", mean: 8, swing: 6, period: 24 * time.Hour},
		wave{name: "pump", mean: 1480, swing: 15, period: 10 * time.Second},
	}
}

func (w wave) Name() string { return w.name }

func (w wave) Read(context.Context) (float64, error) {
	turns := float64(time.Now().UnixMilli()) / float64(w.period.Milliseconds())
	return math.Round(100*(w.mean+w.swing*math.Sin(2*math.Pi*turns))) / 100, nil
}
