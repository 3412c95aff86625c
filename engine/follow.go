// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"path/filepath"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/disk"
	"github.com/daybook-db/daybook/engine/internal/identity"
	"github.com/daybook-db/daybook/engine/internal/wal"
	"github.com/daybook-db/daybook/index"
)

// Follower reads the values that another process stores in a directory. Within one process,
// DB.Watch does that. A Follower takes no lock and changes nothing in the directory. One goroutine
// at a time may use it.
type Follower struct {
	dir     string
	pattern *index.Pattern
	log     *wal.Follower
	known   identity.Identity // as far as the segments that were read show it
	entered int               // number of the log's Origins that known has
	read    daybook.Cursor    // of the last value that counts as read
	missed  uint64            // number of missed values of all records, for the next event

	replaced bool // another daybook has come into the directory since the last call of Replaced
}

// Follow returns a Follower of the records in dir that a pattern matches; the zero Pattern: of all
// records. A directory that does not exist has no values until somebody makes it: see Exists. The
// Follower begins after a cursor; the zero Cursor: with the values that are in the log, which
// were stored since about the last checkpoint.
// Errors: daybook.ErrInvalidPattern, ErrInvalidParams.
func Follow(dir string, pattern daybook.Pattern, after daybook.Cursor) (*Follower, error) {
	compiled, err := compileOrAll(pattern)
	if err != nil {
		return nil, err
	}
	absolute, err := disk.Absolute(dir) // because the program may change its working directory
	if err != nil {
		return nil, err
	}
	f := &Follower{dir: absolute, pattern: compiled}
	f.goTo(after)
	return f, nil
}

// goTo makes the Follower read the log from the value after a cursor on.
func (f *Follower) goTo(after daybook.Cursor) {
	f.log, f.read, f.missed = wal.NewFollower(disk.OS{}, f.dir, logName, after.Sequence), after, 0
	f.known, f.entered = identity.Identity{}, 0
}

// Skip makes the Follower continue after a cursor, for example that of a value that was read in
// another way.
func (f *Follower) Skip(after daybook.Cursor) {
	if after.Sequence > f.read.Sequence {
		f.log.Skip(after.Sequence)
		f.read = after
	}
}

// Replaced reports whether another daybook has come into the directory since the last call. The
// Follower reads that from its beginning.
func (f *Follower) Replaced() bool {
	replaced := f.replaced
	f.replaced = false
	return replaced
}

// Read yields each value that was stored since the last call, in the order of the sequence numbers,
// until there are no more at present. An error comes last, with the zero Event. A loop that ends
// early leaves out the rest of the batch of its last value.
//
// A value is read as soon as it is in the log, which may be before the Store that wrote it has
// returned. If its write fails, or a crash loses it, it was never stored. When the log goes on with
// other values, the error is a *daybook.ForkedError, and the next Read goes on after the last value
// that is still there. That is also so for a cursor that the log does not know any more: then the
// next Read begins with the values that are in the log. Values that have left the log before the
// Follower read them are missed. Event.Missed of the next value is their number, of all records.
// Errors: *daybook.ForkedError, ErrVersion, ErrCorrupt, the operating system's, or ctx's.
func (f *Follower) Read(ctx context.Context) iter.Seq2[daybook.Event, error] {
	return func(yield func(daybook.Event, error) bool) {
		more := true
		err := f.readNew(ctx, func(event daybook.Event) bool {
			more = yield(event, nil)
			return more
		})
		if err != nil && more {
			yield(daybook.Event{}, err)
		}
	}
}

func (f *Follower) readNew(ctx context.Context, yield func(daybook.Event) bool) (err error) {
	failed := f.log.Read(func(sequence, missed uint64, payload []byte, values int) (more bool) {
		if err = ctx.Err(); err != nil {
			return false
		}
		err = f.enterSegments()
		f.missed += missed
		if err == nil {
			more, err = f.readBatch(sequence, payload, values, yield)
			f.read = f.known.CursorAt(sequence + uint64(values) - 1)
		}
		return more && err == nil
	})
	if err = cmp.Or(err, failed); err == nil {
		err = f.enterSegments()
	}
	var fork *daybook.ForkedError
	switch {
	case errors.As(err, &fork):
		f.goTo(fork.Common)
	case err != nil && ctx.Err() != nil: // the log is past a frame that was not read
		missed := f.missed
		f.goTo(f.read)
		f.missed = missed
	}
	return err
}

// enterSegments takes note of the segments that have been begun. Each may belong to an epoch that
// does not have the last values that were read.
// Errors: *daybook.ForkedError.
func (f *Follower) enterSegments() error {
	if f.log.Replaced {
		f.read, f.known, f.missed = daybook.Cursor{}, identity.Identity{}, 0
		f.log.Replaced, f.replaced, f.entered = false, true, 0
	}
	if len(f.log.Origins) == f.entered {
		return nil
	}
	for _, origin := range f.log.Origins[f.entered:] {
		extended, follows := f.known.Extend(origin, 0, true)
		if !follows { // it is the first one, or those between have left the log
			extended = identity.FromOrigin(origin)
		}
		f.known = extended
	}
	f.entered = len(f.log.Origins)
	_, err := f.known.Resolve(f.read, math.MaxUint64)
	return err
}

func (f *Follower) readBatch(
	sequence uint64, payload []byte, values int, yield func(daybook.Event) bool,
) (more bool, err error) {
	batch, err := codec.ReadBatch(payload)
	for ; err == nil && batch.Remaining() > 0; sequence++ {
		var record, value []byte
		var timestamp uint64
		if record, timestamp, value, err = batch.Next(); err != nil || sequence <= f.read.Sequence ||
			!f.pattern.Match(string(record)) {
			continue
		}
		event := daybook.Event{Missed: f.missed, Change: daybook.Change{
			StoredValue: daybook.StoredValue{RecordName: string(record), Value: bytes.Clone(value),
				StoredAt: timestamp},
			Cursor: f.known.CursorAt(sequence),
		}}
		f.missed = 0
		if !yield(event) {
			return false, nil
		}
	}
	if err != nil {
		return false, fmt.Errorf("%w: %s: a frame of %d values: %w",
			daybook.ErrCorrupt, filepath.Join(f.dir, logName), values,
			err)
	}
	return true, nil
}
