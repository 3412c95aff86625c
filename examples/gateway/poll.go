// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/daybook-db/daybook"
)

const sensorPrefix = "sensor."

// reading is a value of the records sensor.*.
type reading struct {
	Value float64 `json:"value"`
}

// poller reads all sensors at an interval, and stores the readings.
type poller struct {
	backend  daybook.Backend
	sensors  []sensor
	interval time.Duration
	status   *status
}

// run polls until ctx ends. A batch that cannot be stored, because the disk is full, is reported
// and lost. Polling goes on, because there may be room for the next one.
func (p *poller) run(ctx context.Context) error {
	storer, ok := daybook.As[daybook.BatchStorer](p.backend)
	if !ok {
		return fmt.Errorf("batches: %w", errors.ErrUnsupported)
	}
	ticker := time.NewTicker(p.interval)
	defer ticker.Stop()
	for {
		err := storer.StoreBatch(ctx, p.read(ctx)) // all readings in one durable commit
		p.status.report("poll", err)
		if isFinal(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// read reads all sensors. One that does not answer is reported, and the others are read.
func (p *poller) read(ctx context.Context) (values []daybook.StoredValue) {
	now := daybook.Now()
	for _, s := range p.sensors {
		measured, err := s.Read(ctx)
		p.status.report(sensorPrefix+s.Name(), err)
		if err != nil {
			continue
		}
		value, err := daybook.NewValue(sensorPrefix+s.Name(), reading{measured}, now)
		if err != nil { // a NaN is no JSON
			p.status.report(sensorPrefix+s.Name(), err)
			continue
		}
		values = append(values, value)
	}
	return values
}
