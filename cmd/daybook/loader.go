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
	batchBytes int                   // of the values in batch
	spare      []daybook.StoredValue // empty; its memory is for the next batch
	storing    chan storedBatch      // gets the batch that is being stored; nil: none is
	storeError error                 // of a store before a wait

	stored       int // values
	skippedLines int
	skippedRows  int // a row of CSV may span several lines
}

// Limits of a batch. A value that is longer has a batch of its own. Each batch takes a sync of the
// log, which costs about as much as reading a thousand rows.
const (
	maxBatchValues = 4000
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
		if err := l.beginStore(ctx); err != nil {
			return err
		}
	}
	l.batch = append(l.batch, value)
	l.batchBytes += len(value.Value)
	return nil
}

// store stores all values that were added, also after ctx has ended: they were accepted.
func (l *loader) store(ctx context.Context) error {
	if err := l.beginStore(ctx); err != nil {
		return err
	}
	return l.finishStore()
}

// storedBatch is a batch after it has been stored, or after that has failed.
type storedBatch struct {
	memory []daybook.StoredValue
	stored int // values
	err    error
}

// beginStore waits for the batch before this one, and stores this one while the next is read.
func (l *loader) beginStore(ctx context.Context) error {
	if err := l.finishStore(); err != nil || len(l.batch) == 0 {
		return err
	}
	batch, storing := l.batch, make(chan storedBatch, 1)
	l.batch, l.batchBytes, l.spare, l.storing = l.spare, 0, nil, storing
	go func() {
		stored, err := l.storeBatch(context.WithoutCancel(ctx), batch)
		storing <- storedBatch{batch, stored, err}
	}()
	return nil
}

// finishStore waits for the batch that is being stored. If that has failed, the values after it are
// dropped, so that those that are stored come before all others.
func (l *loader) finishStore() error {
	if l.storing == nil {
		return nil
	}
	done := <-l.storing
	clear(done.memory)
	l.storing, l.spare = nil, done.memory[:0]
	l.stored += done.stored
	if done.err != nil {
		clear(l.batch)
		l.batch, l.batchBytes = l.batch[:0], 0
	}
	return done.err
}

// storeBatch stores what the daybook has not, and returns the number of those values.
func (l *loader) storeBatch(ctx context.Context, batch []daybook.StoredValue) (stored int, err error) {
	if l.existing != nil {
		batch, err = l.existing.drop(ctx, batch)
	}
	if err == nil && len(batch) > 0 {
		err = l.db.StoreBatch(ctx, batch)
	}
	if err != nil {
		return 0, err
	}
	return len(batch), nil
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
