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
	history identity.Identity
	after   uint64 // sequence number up to which values have been read
	missed  uint64 // number of missed values of all records, for the next event
}

// Follow returns a Follower of the records that recordPattern matches in dir. It begins after a
// cursor; the zero Cursor: with the values that are in the log, which were stored since about the
// last checkpoint. There is no Follower on Windows, where an open file would stop the process that
// stores.
// Errors: daybook.ErrInvalidPattern, ErrInvalidParams, errors.ErrUnsupported.
func Follow(dir, recordPattern string, syntax daybook.PatternSyntax, after daybook.Cursor) (*Follower, error) {
	if !canReplaceOpenFiles {
		return nil, fmt.Errorf("following %s: %w on Windows, where an open file cannot be renamed",
			dir, errors.ErrUnsupported)
	}
	pattern, err := index.Compile(recordPattern, syntax)
	if err != nil {
		return nil, err
	}
	absolute, err := disk.Absolute(dir) // because the program may change its working directory
	if err != nil {
		return nil, err
	}
	return &Follower{dir: dir, pattern: pattern, history: provisional, after: after.Sequence,
		log: wal.NewFollower(disk.OS{}, absolute, logName, after.Sequence)}, nil
}

// Skip makes the Follower continue after a cursor, for example that of a value that was read in
// another way.
func (f *Follower) Skip(after daybook.Cursor) {
	f.log.Skip(after.Sequence)
	f.after = max(f.after, after.Sequence)
}

// Replaced reports whether another daybook has come into the directory since the last call. The
// Follower reads that from its beginning.
func (f *Follower) Replaced() bool {
	replaced := f.log.Replaced
	f.log.Replaced = false
	return replaced
}

// Read calls yield for each value that was stored since the last call, in the order of the sequence
// numbers, until there are no more at present, or yield returns false. After false it leaves out
// the rest of that value's batch.
//
// A value is read as soon as it is in the log, which may be before the Store that wrote it has
// returned. If its write fails, it was never stored: Event.Cursor may go back then, and the value
// that is stored in its place has its cursor again. Values that have left the log before the
// Follower read them are missed. Event.Missed of the next value is their number, of all records.
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

func (f *Follower) readBatch(
	sequence uint64, payload []byte, values int, yield func(daybook.Event) bool,
) (more bool, err error) {
	batch, err := codec.ReadBatch(payload)
	for ; err == nil && batch.Remaining() > 0; sequence++ {
		var record, value []byte
		var timestamp uint64
		if record, timestamp, value, err = batch.Next(); err != nil || sequence <= f.after ||
			!f.pattern.Match(string(record)) {
			continue
		}
		event := daybook.Event{Missed: f.missed, Change: daybook.Change{
			StoredValue: daybook.StoredValue{RecordName: string(record), Value: bytes.Clone(value),
				StoredAt: timestamp},
			Cursor: f.history.CursorAt(sequence),
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
