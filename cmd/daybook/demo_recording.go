// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"time"

	"github.com/daybook-db/daybook"
)

// recording stores the readings of a panel, one batch per tick.
type recording struct {
	db            daybook.BatchStorer
	panel         *panel
	length, every time.Duration
	live          *liveLine

	started, ended time.Time
	ticks          int
	batches        int
	stored         int
	records        map[string]bool
	storing        time.Duration // of all calls of StoreBatch together
	slowest        time.Duration // of the slowest call of StoreBatch
}

func newRecording(db daybook.BatchStorer, sensors []sensor, length, every time.Duration, live *liveLine) *recording {
	return &recording{db: db, panel: newPanel(sensors), length: length, every: every, live: live,
		records: make(map[string]bool)}
}

// run records until the time is over or ctx ends, which is no error. It leaves out a tick that
// comes while the batch of the previous tick is being stored.
func (r *recording) run(ctx context.Context) error {
	defer r.live.clear()
	reading, endReading := context.WithCancel(ctx) // so that no sensor is waited for at the end
	defer endReading()
	r.started = time.Now()
	r.ended = r.started
	ticker := time.NewTicker(r.every)
	defer ticker.Stop()
	for r.ended.Sub(r.started) < r.length {
		select {
		case <-ctx.Done():
			return nil
		case now := <-ticker.C:
			if err := r.tick(reading, now); err != nil {
				return fmt.Errorf("recording stopped after %s: %w", counted(r.stored, "value"), err)
			}
		}
	}
	return nil
}

// tick stores one batch. It waits for the sensors for half a tick, and then until the batch is
// stored. The end of ctx does not cancel a batch that is being stored.
func (r *recording) tick(ctx context.Context, now time.Time) error {
	r.ticks++
	r.ended = now
	batch := r.panel.sample(ctx, now, r.every/2)
	if len(batch) == 0 {
		return nil
	}
	began := time.Now()
	if err := r.db.StoreBatch(context.WithoutCancel(ctx), batch); err != nil {
		return err
	}
	took := time.Since(began)
	r.storing += took
	r.slowest = max(r.slowest, took)
	r.batches++
	r.stored += len(batch)
	for _, value := range batch {
		r.records[value.RecordName] = true
	}
	r.live.show(now.Sub(r.started), r.stored)
	return nil
}
