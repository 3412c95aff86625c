// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/wal"
	"github.com/daybook-db/daybook/index"
)

// Follower reads what is stored in a directory that another process has open, which DB.Watch does within one. It takes no
// lock and changes nothing there. It is for one goroutine.
type Follower struct {
	dir     string
	pattern *index.Pattern
	log     *wal.Follower
	after   uint64 // values up to it have been told of
	missed  uint64 // matching or not
}

// Follow returns a Follower of the records that recordPattern matches in dir, which begins behind a sequence number; 0: with
// what the log holds, which is what was stored since about the last checkpoint. On Windows, where it would be in the way of
// whoever stores, there is none.
// Errors: daybook.ErrInvalidPattern, ErrInvalidParams, errors.ErrUnsupported.
func Follow(dir, recordPattern string, syntax daybook.PatternSyntax, after uint64) (*Follower, error) {
	if !canReplace {
		return nil, fmt.Errorf("following %s: %w on Windows, where a file that is open cannot be renamed", dir, errors.ErrUnsupported)
	}
	pattern, err := index.Compile(recordPattern, syntax)
	if err != nil {
		return nil, err
	}
	return &Follower{dir: dir, pattern: pattern, log: wal.NewFollower(filepath.Join(dir, logName), after), after: after}, nil
}

// Skip has it go on behind a sequence number, as of a value that was read in another way.
func (f *Follower) Skip(after uint64) {
	f.log.Skip(after)
	f.after = max(f.after, after)
}

// Replaced reports whether another daybook than before has come into the directory, which is read from its beginning, since
// it was asked last.
func (f *Follower) Replaced() bool {
	replaced := f.log.Replaced
	f.log.Replaced = false
	return replaced
}

// Read calls yield for each value that was stored since it was last called, in the order of their sequence numbers, until
// there is no more for now, or yield returns false, after which the rest of that value's batch is left out. A value is read
// as soon as it is in the log, which may be before the Store that wrote it has returned; should its write fail, it was never
// stored, and Event.Sequence may go back: what is stored in its place has its number again. Whoever reads so seldom that the
// log has gone on, or was emptied when the daybook was closed, is told with the next value, by Event.Missed, how many there
// were, whatever their records.
// Errors: daybook.ErrVersion, ErrCorrupt, the operating system's, or ctx's.
func (f *Follower) Read(ctx context.Context, yield func(daybook.Event) bool) (err error) {
	failed := f.log.Read(func(sequence, missed uint64, payload []byte, values int) bool {
		if f.log.Replaced {
			f.after, f.missed = 0, 0
		}
		f.missed += missed
		var more bool
		if err = ctx.Err(); err == nil {
			more, err = f.readBatch(sequence, payload, values, yield)
		}
		return more && err == nil
	})
	if err == nil {
		err = failed
	}
	return err
}

func (f *Follower) readBatch(sequence uint64, payload []byte, values int, yield func(daybook.Event) bool) (more bool, err error) {
	batch, err := codec.ReadBatch(payload)
	for ; err == nil && batch.Remaining() > 0; sequence++ {
		var record, value []byte
		var timestamp uint64
		if record, timestamp, value, err = batch.Next(); err != nil || sequence <= f.after || !f.pattern.Match(string(record)) {
			continue
		}
		event := daybook.Event{Missed: f.missed, Change: daybook.Change{
			StoredValue: daybook.StoredValue{RecordName: string(record), Value: bytes.Clone(value), StoredAt: timestamp},
			Sequence:    sequence,
		}}
		f.missed = 0
		if !yield(event) {
			return false, nil
		}
	}
	if err != nil {
		return false, fmt.Errorf("%w: %s: a frame of %d values: %w", daybook.ErrCorrupt, filepath.Join(f.dir, logName), values, err)
	}
	return true, nil
}
