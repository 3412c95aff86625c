// SPDX-License-Identifier: Apache-2.0

package daybook

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
)

// PersistOptions are the options of Persist. The zero value has the defaults.
type PersistOptions[T any] struct {
	// RecordName returns the record of a value. nil: all values are of the record that Persist is
	// given.
	RecordName func(value T) string
	// Timestamp returns the timestamp of a value (Unix ms). nil: Now, when Persist receives it.
	Timestamp func(value T) uint64
	// MaxBatch is the maximum number of values that are stored in one commit, if the backend itself
	// is a BatchStorer: those that wait in the channel. Persist does not wait for more. 0: 256;
	// negative: ErrInvalidParams.
	MaxBatch int
	// Failed is called with each value that was received and not stored, and why. nil: slog.Warn.
	Failed func(value T, err error)
}

const defaultMaxBatch = 256

// Persist stores every value that it receives from values, under recordName. It encodes the value
// with encoding/json, and takes the wall clock's time as the timestamp. opts changes that; nil: the
// defaults. It returns nil when the channel is closed, and ctx's error when ctx ends.
//
// When ctx ends, Persist stores what it has received and what waits in the channel, without ctx,
// before it returns. A value that is sent after that is not stored: it stays in the channel, or its
// sender blocks. To store all values, let the producer close the channel after the last one, and
// give Persist a ctx that does not end before.
//
// A value that cannot be encoded or stored is logged, or given to opts.Failed, and skipped, so that
// Persist outlasts a full disk. Persist ends only with an error that all later values would meet,
// too: ErrNotConfigured for a nil backend or a nil *engine.DB, ErrInvalidParams, ErrInvalidName for
// recordName, ErrReadOnly, ErrFailed, or ErrClosed.
func Persist[T any](
	ctx context.Context, backend Backend, recordName string, values <-chan T, opts *PersistOptions[T],
) error {
	p, err := newPersister(ctx, backend, recordName, opts)
	if err != nil {
		return err
	}
	for {
		select {
		case <-ctx.Done():
			return cmp.Or(p.storeWaiting(values, len(values)), ctx.Err())
		case value, open := <-values:
			if !open {
				return nil
			}
			p.receive(value)
			if err := p.storeWaiting(values, p.opts.MaxBatch-1); err != nil {
				return err
			}
		}
	}
}

// persister stores values in batches.
type persister[T any] struct {
	ctx     context.Context // without an end
	backend Backend
	batcher BatchStorer // nil: the backend stores one value at a time
	record  string
	opts    PersistOptions[T]

	received []received[T]
}

// received is a value that was received and not yet stored.
type received[T any] struct {
	value  T
	stored StoredValue // value, encoded
}

func newPersister[T any](
	ctx context.Context, backend Backend, recordName string, opts *PersistOptions[T],
) (*persister[T], error) {
	if backend == nil {
		return nil, ErrNotConfigured
	}
	p := &persister[T]{ctx: context.WithoutCancel(ctx), backend: backend, record: recordName}
	if opts != nil {
		p.opts = *opts
	}
	if p.opts.MaxBatch < 0 {
		return nil, fmt.Errorf("%w: got MaxBatch %d; want 0 (%d values) or more",
			ErrInvalidParams, p.opts.MaxBatch, defaultMaxBatch)
	}
	p.opts.MaxBatch = cmp.Or(p.opts.MaxBatch, defaultMaxBatch)
	p.batcher, _ = backend.(BatchStorer) // not As: a wrapper's own Store must see every value
	if p.opts.Failed == nil {
		p.opts.Failed = p.logFailed
	}
	if p.opts.RecordName != nil {
		return p, nil
	}
	return p, ValidateRecordName(recordName)
}

func (p *persister[T]) logFailed(value T, err error) {
	slog.WarnContext(p.ctx, "daybook: a value was not stored", "record", p.recordOf(value), "error", err)
}

func (p *persister[T]) recordOf(value T) string {
	if p.opts.RecordName != nil {
		return p.opts.RecordName(value)
	}
	return p.record
}

// receive encodes a value that was received, or reports that it cannot be encoded.
func (p *persister[T]) receive(value T) {
	timestamp := Now()
	if p.opts.Timestamp != nil {
		timestamp = p.opts.Timestamp(value)
	}
	stored, err := NewValue(p.recordOf(value), value, timestamp)
	if err != nil {
		p.opts.Failed(value, err)
		return
	}
	p.received = append(p.received, received[T]{value: value, stored: stored})
}

// storeWaiting receives up to max values that wait in the channel, and stores them and those that
// were received before. It returns only permanent errors.
func (p *persister[T]) storeWaiting(values <-chan T, max int) (permanent error) {
	for range max {
		select {
		case value, open := <-values:
			if open {
				p.receive(value)
				continue
			}
		default:
		}
		break
	}
	for batch := range slices.Chunk(p.received, p.opts.MaxBatch) {
		// After a permanent error the rest is not stored either: each value is reported.
		permanent = cmp.Or(p.store(batch), permanent)
	}
	clear(p.received)
	p.received = p.received[:0]
	return permanent
}

// store stores a batch, and reports the values that are not stored.
func (p *persister[T]) store(batch []received[T]) (permanent error) {
	if len(batch) > 1 && p.batcher != nil {
		values := make([]StoredValue, len(batch))
		for i := range batch {
			values[i] = batch[i].stored
		}
		err := p.batcher.StoreBatch(p.ctx, values)
		if err == nil {
			return nil
		}
		if !isAboutOneValue(err) {
			return p.fail(batch, err)
		}
	}
	for i := range batch {
		v := &batch[i].stored
		if err := p.backend.Store(p.ctx, v.RecordName, v.Value, v.StoredAt); err != nil {
			permanent = cmp.Or(p.fail(batch[i:i+1], err), permanent)
		}
	}
	return permanent
}

// fail reports values that were not stored. It returns the error if it is permanent: a Store of any
// later value would return it, too.
func (p *persister[T]) fail(batch []received[T], err error) (permanent error) {
	for i := range batch {
		p.opts.Failed(batch[i].value, err)
	}
	if matchesAny(err, ErrNotConfigured, ErrReadOnly, ErrFailed, ErrClosed) {
		return err
	}
	return nil
}

// isAboutOneValue reports whether an error of StoreBatch may be about one of the values, so that
// the others can be stored.
func isAboutOneValue(err error) bool {
	return matchesAny(err, ErrInvalidName, ErrInvalidValue, ErrValueTooLarge, ErrTimestampRange)
}

func matchesAny(err error, targets ...error) bool {
	return slices.ContainsFunc(targets, func(target error) bool { return errors.Is(err, target) })
}
