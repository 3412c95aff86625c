// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/daybook-db/daybook"
)

// The maximum size of a batch. It bounds the memory that StoreBatch takes, and Open after a crash:
// about 200 bytes for each value beside its name and its JSON.
const (
	MaxBatchBytes  = 128 << 20 // bytes of names and JSON, and batchBytesPerValue for each value
	MaxBatchValues = 1 << 20   // number of values
)

// Store adds one value to the history of recordName at timestamp (Unix ms). When it returns nil the
// value is as durable as Options.Durability says, and every later query sees it.
//
// Errors: daybook.ErrInvalidName, ErrInvalidValue, ErrValueTooLarge, ErrTimestampRange,
// ErrReadOnly, ErrClosed, ErrNoSpace, or ctx's if it ended before the value's turn to be written:
// nothing was stored. Once the write has begun, Store waits for its outcome and reports that,
// whatever happens to ctx. After daybook.ErrFailed nothing can be written until the directory is
// opened again. Only then it shows whether the value was stored.
func (db *DB) Store(ctx context.Context, recordName string, value json.RawMessage, timestamp uint64) error {
	return db.countStore(db.store(ctx, recordName, value, timestamp))
}

func (db *DB) store(ctx context.Context, recordName string, value json.RawMessage, timestamp uint64) error {
	if err := db.enterWriting(ctx); err != nil {
		return err
	}
	defer db.gate.leave()
	c := db.commits.newCommit()
	defer db.commits.free(c)
	c.single[0] = daybook.StoredValue{RecordName: recordName, Value: value, StoredAt: timestamp}
	c.values = c.single[:]
	if err := validate(&c.single[0], new(daybook.ValueValidator), db.limits()); err != nil {
		return err
	}
	return db.commit(ctx, c)
}

// StoreBatch stores all of values or none of them, in one durable commit, in the order given. An
// empty batch stores nothing.
//
// While it runs, a batch takes several times its size in memory, and so it does at the next Open
// after a crash. So a large import goes in batches of some thousand values.
// Errors: those of Store, with the index of an invalid element; daybook.ErrValueTooLarge for more
// than MaxBatchBytes or MaxBatchValues, or a sixteenth of Options.MaxSize: split the batch.
func (db *DB) StoreBatch(ctx context.Context, values []daybook.StoredValue) error {
	return db.countStore(db.storeBatch(ctx, values))
}

func (db *DB) storeBatch(ctx context.Context, values []daybook.StoredValue) error {
	if err := db.enterWriting(ctx); err != nil {
		return err
	}
	defer db.gate.leave()
	if len(values) == 0 {
		return nil
	}
	if err := validateBatch(values, db.limits()); err != nil {
		return err
	}
	c := db.commits.newCommit()
	defer db.commits.free(c)
	c.values = values
	return db.commit(ctx, c)
}

// valueLimits are what the options allow.
type valueLimits struct {
	timestamp  uint64 // maximum, Unix ms
	valueBytes int    // maximum, of JSON
	batchBytes int    // maximum, of a batch's names and JSON, and batchBytesPerValue for each value
}

func (db *DB) limits() valueLimits {
	l := valueLimits{timestamp: math.MaxUint64, valueBytes: daybook.MaxValueLen, batchBytes: MaxBatchBytes}
	if db.opts.MaxFuture > 0 {
		l.timestamp = uint64(max(time.Now().Add(db.opts.MaxFuture).UnixMilli(), 0))
	}
	if db.opts.MaxSize > 0 {
		l.valueBytes = int(min(int64(l.valueBytes), db.opts.MaxSize/maxValuePart))
		l.batchBytes = int(min(int64(l.batchBytes), db.opts.budget().maxBatch()))
	}
	return l
}

func validate(v *daybook.StoredValue, validator *daybook.ValueValidator, limits valueLimits) error {
	if err := daybook.ValidateRecordName(v.RecordName); err != nil {
		return err
	}
	if v.StoredAt > limits.timestamp {
		return fmt.Errorf("%w: record %q: %d is beyond %d, as far ahead of this clock as Options.MaxFuture allows: "+
			"set the clock, or the timestamp",
			daybook.ErrTimestampRange, v.RecordName, v.StoredAt, limits.timestamp)
	}
	if err := validator.Validate(v.Value); err != nil {
		return fmt.Errorf("record %q: %w", v.RecordName, err)
	}
	if len(v.Value) > limits.valueBytes {
		return fmt.Errorf("%w: record %q: %d bytes; with this Options.MaxSize at most %d",
			daybook.ErrValueTooLarge, v.RecordName, len(v.Value), limits.valueBytes)
	}
	return nil
}

func validateBatch(values []daybook.StoredValue, limits valueLimits) error {
	if len(values) > MaxBatchValues {
		return fmt.Errorf("%w: the batch has %d values; at most %d, so split it", daybook.ErrValueTooLarge,
			len(values), MaxBatchValues)
	}
	var validator daybook.ValueValidator
	size := 0
	for i := range values {
		if err := validate(&values[i], &validator, limits); err != nil {
			return fmt.Errorf("values[%d] of %d in the batch: %w", i, len(values), err)
		}
		size += len(values[i].RecordName) + len(values[i].Value) + batchBytesPerValue
		if size > limits.batchBytes {
			return fmt.Errorf("%w: the batch has more than %d bytes, with %d for each value beside its name and JSON, "+
				"so split it",
				daybook.ErrValueTooLarge, limits.batchBytes, batchBytesPerValue)
		}
	}
	return nil
}
