// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"time"

	"github.com/daybook-db/daybook"
)

// recording stores what a panel reads, one batch per tick.
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
	storing        time.Duration // in StoreBatch, all in all
	slowest        time.Duration // of one StoreBatch
}

func newRecording(db daybook.BatchStorer, sensors []sensor, length, every time.Duration, live *liveLine) *recording {
	return &recording{db: db, panel: newPanel(sensors), length: length, every: every, live: live, records: make(map[string]bool)}
}

// run records until the time is over or ctx ends, which is no error. A tick that comes while the one
// before is still being stored is left out.
func (r *recording) run(ctx context.Context) error {
	defer r.live.clear()
	reading, endReading := context.WithCancel(ctx) // a sensor that still reads then is not waited for
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

// tick stores one batch. It waits for sensors half the time there is, and for the store as long as
// that takes: a batch that is being stored is not called off.
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
