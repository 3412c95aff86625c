// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/daybook-db/daybook"
)

const (
	sensorPrefix = "sensor."
	readTimeout  = 2 * time.Second // of one sensor
)

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
// and lost. Polling goes on, because there may be room for the next one. A round that does not end,
// because the driver of a sensor ignores its context, fails the health.
func (p *poller) run(ctx context.Context) error {
	storer, ok := daybook.As[daybook.BatchStorer](p.backend)
	if !ok {
		return fmt.Errorf("batches: %w", errors.ErrUnsupported)
	}
	p.status.expect("poll", 3*(p.interval+time.Duration(len(p.sensors))*readTimeout))
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
	for _, s := range p.sensors {
		value, err := readSensor(ctx, s)
		p.status.report(sensorPrefix+s.Name(), err)
		if err == nil {
			values = append(values, value)
		}
	}
	return values
}

// readSensor reads one sensor. A NaN is an error, because it is no JSON.
func readSensor(ctx context.Context, s sensor) (daybook.StoredValue, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	measured, err := s.Read(ctx)
	if err != nil {
		return daybook.StoredValue{}, err
	}
	return daybook.NewValue(sensorPrefix+s.Name(), reading{measured}, daybook.Now())
}
