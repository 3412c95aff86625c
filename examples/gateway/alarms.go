// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/daybook-db/daybook"
)

const (
	alarmPrefix  = "alarm."
	limitsRecord = "config.alarms"
)

// limits is a value of the record config.alarms, by the names of sensors. The newest value counts.
// So the history also has what the limits were when an alarm was raised.
type limits map[string]limit

// limit says when a sensor raises an alarm: above a reading, until it falls by the hysteresis below
// that. A reading that swings around the limit so raises one alarm, not one a second.
type limit struct {
	Above      float64 `json:"above"`
	Hysteresis float64 `json:"hysteresis"`
}

// alarm is a value of the records alarm.*: an alarm began or ended.
type alarm struct {
	Active  bool    `json:"active"`
	Reading float64 `json:"reading"`
	Limit   float64 `json:"limit"`
}

// alarms watches the readings, and stores when an alarm begins and ends.
type alarms struct {
	backend daybook.Backend
	status  *status

	limits   limits
	active   map[string]bool                   // by sensor
	readings map[string]daybook.Typed[reading] // the last of each sensor
}

// run works until ctx ends. It watches the limits before it reads them, so that it misses none.
func (a *alarms) run(ctx context.Context) error {
	readings, err := daybook.WatchAs[reading](ctx, a.backend, sensorPrefix+"*", daybook.WatchParams{})
	if err != nil {
		return err
	}
	changes, err := daybook.WatchAs[limits](ctx, a.backend, limitsRecord, daybook.WatchParams{Buffer: 1})
	if err != nil {
		return err
	}
	if err := a.load(ctx); err != nil {
		return err
	}
	for {
		select {
		case event, ok := <-changes:
			if !ok {
				return nil // ctx has ended
			}
			a.limits = event.Value
			a.status.report("alarms", a.checkAll(ctx))
		case event, ok := <-readings:
			if !ok {
				return nil
			}
			a.status.report("alarms", a.take(ctx, event))
		}
	}
}

// load reads where the gateway was when it ended: the limits, and which alarms are active.
func (a *alarms) load(ctx context.Context) error {
	a.limits, a.active, a.readings = limits{}, map[string]bool{}, map[string]daybook.Typed[reading]{}
	configured, err := daybook.QueryLatest[limits](ctx, a.backend, limitsRecord, 1)
	if err != nil {
		return err
	}
	for _, v := range configured {
		a.limits = v.Value
	}
	known, err := daybook.QueryLatest[alarm](ctx, a.backend, alarmPrefix+"*", 1)
	for _, v := range known {
		a.active[strings.TrimPrefix(v.RecordName, alarmPrefix)] = v.Value.Active
	}
	return err
}

// take checks a reading. A watcher that is too slow is told what it has missed.
func (a *alarms) take(ctx context.Context, event daybook.TypedEvent[reading]) error {
	sensor := strings.TrimPrefix(event.RecordName, sensorPrefix)
	a.readings[sensor] = event.Typed
	err := a.check(ctx, sensor)
	if event.Missed > 0 {
		err = errors.Join(err, fmt.Errorf("%d readings were not checked", event.Missed))
	}
	return err
}

// checkAll applies new limits to the last readings.
func (a *alarms) checkAll(ctx context.Context) (err error) {
	for sensor := range a.readings {
		err = errors.Join(err, a.check(ctx, sensor))
	}
	return err
}

// check stores an alarm if the last reading of a sensor begins or ends one. If it cannot be stored,
// the next reading tries again.
func (a *alarms) check(ctx context.Context, sensor string) error {
	limit, isLimited := a.limits[sensor]
	last, threshold := a.readings[sensor], limit.Above
	if a.active[sensor] {
		threshold -= limit.Hysteresis
	}
	active := isLimited && last.Value.Value > threshold
	if active == a.active[sensor] {
		return nil
	}
	value := alarm{Active: active, Reading: last.Value.Value, Limit: limit.Above}
	err := storeNewest(ctx, a.backend, alarmPrefix+sensor, value, last.StoredAt)
	if err == nil {
		a.active[sensor] = active
	}
	return err
}

// readLimits reads limits that somebody has written. A mistake is an error, such as a field with a
// wrong name: a limit that is not in force would be noticed too late.
func readLimits(r io.Reader) (limits, error) {
	var written map[string]*struct{ Above, Hysteresis *float64 }
	decoder := json.NewDecoder(r)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&written); err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, errors.New("something follows the limits; send one JSON object")
	}
	if written == nil {
		return nil, errors.New("null is no limits; send {} for none")
	}
	read := limits{}
	for sensor, w := range written {
		if w == nil || w.Above == nil {
			return nil, fmt.Errorf(`the limit of %q has no number "above"`, sensor)
		}
		l := limit{Above: *w.Above}
		if w.Hysteresis != nil {
			l.Hysteresis = *w.Hysteresis
		}
		if l.Hysteresis < 0 {
			return nil, fmt.Errorf("the hysteresis of %q is %v; it must be 0 or more", sensor, l.Hysteresis)
		}
		read[sensor] = l
	}
	return read, nil
}

// storeLimits stores new limits. They are in force a moment later, and after each start.
func storeLimits(ctx context.Context, backend daybook.Backend, l limits) error {
	return storeNewest(ctx, backend, limitsRecord, l, daybook.Now())
}

// storeNewest stores a value that becomes the newest of its record. The newest is the one with the
// latest time, so it gets one, also if the clock has been set back.
func storeNewest[T any](ctx context.Context, backend daybook.Backend, record string, value T, at uint64) error {
	before, err := backend.Query(ctx, record, daybook.Latest(1))
	if err != nil {
		return err
	}
	for _, v := range before {
		at = max(at, v.StoredAt+1)
	}
	return daybook.StoreAs(ctx, backend, record, value, at)
}
