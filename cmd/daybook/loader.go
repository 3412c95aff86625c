// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/text"
)

// loader stores the values of readers in batches, for ingest and import.
type loader struct {
	db      daybook.BatchStorer
	notes   io.Writer // for reports of bad lines
	skipBad bool      // skip bad lines, instead of ending with the first
	bar     *byteBar

	existing *existingValues // which are skipped; nil: none

	batch      []daybook.StoredValue
	batchBytes int   // of the values in batch
	storeError error // of a store before a wait

	stored       int // values
	skippedLines int
	skippedRows  int // a row of CSV may span several lines
}

// Limits of a batch. A value that is longer has a batch of its own.
const (
	maxBatchValues = 1000
	maxBatchBytes  = 1 << 20
)

// load adds values to the batch until their reader ends, and stores each batch that is full.
func (l *loader) load(ctx context.Context, values text.ValueReader) error {
	for ctx.Err() == nil {
		value, err := values.Read()
		switch {
		case err == io.EOF:
			return nil
		case err == nil:
			err = l.add(ctx, value)
		default:
			err = l.skip(l.cause(err))
		}
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (l *loader) add(ctx context.Context, value daybook.StoredValue) error {
	if len(l.batch) == maxBatchValues || l.batchBytes+len(value.Value) > maxBatchBytes {
		if err := l.store(ctx); err != nil {
			return err
		}
	}
	l.batch = append(l.batch, value)
	l.batchBytes += len(value.Value)
	return nil
}

// store stores the batch, also after ctx has ended: the values in it were accepted.
func (l *loader) store(ctx context.Context) error {
	if len(l.batch) == 0 {
		return nil
	}
	ctx = context.WithoutCancel(ctx)
	batch, err := l.batch, error(nil)
	if l.existing != nil {
		batch, err = l.existing.drop(ctx, batch)
	}
	if err == nil && len(batch) > 0 {
		err = l.db.StoreBatch(ctx, batch)
	}
	if err == nil {
		l.stored += len(batch)
	}
	clear(l.batch)
	l.batch, l.batchBytes = l.batch[:0], 0
	return err
}

// skip returns nil for a bad line that is to be skipped, after reporting it, and any other error as
// it is.
func (l *loader) skip(err error) error {
	const maxReported = 20 // more would hide what they say
	var bad *text.LineError
	if !l.skipBad || !errors.As(err, &bad) {
		return err
	}
	l.skippedLines += bad.Lines()
	l.skippedRows++
	l.bar.clear()
	switch {
	case l.skippedRows <= maxReported:
		fmt.Fprintln(l.notes, "skipped", errorLine(err)+remedy("ingest", err))
	case l.skippedRows == maxReported+1:
		fmt.Fprintln(l.notes, "more bad lines are skipped and counted, and not reported")
	}
	return nil
}

// beforeWait returns a function that stores the batch. A live input calls it before it waits, so
// that the values of a slow sender wait neither for a full batch nor for the rest of a line.
func (l *loader) beforeWait(ctx context.Context) func() error {
	return func() error {
		l.storeError = l.store(ctx)
		return l.storeError
	}
}

// cause returns err, which a reader returned, or the error of a store before a wait that led to it.
func (l *loader) cause(err error) error {
	if l.storeError != nil {
		return l.storeError
	}
	return err
}

// stoppedBy says how many values were stored before err.
func (l *loader) stoppedBy(err error) error {
	if isUsage(err) && l.stored == 0 {
		return err
	}
	return &stoppedError{err, wereCounted(l.stored, "value") + " stored before it"}
}
