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
	missed  uint64 // matching or not
}

// Follow returns a Follower of the records that recordPattern matches in dir. On Windows, where it would be in the way of
// whoever stores, there is none.
// Errors: daybook.ErrInvalidPattern, ErrInvalidParams, errors.ErrUnsupported.
func Follow(dir, recordPattern string, syntax daybook.PatternSyntax) (*Follower, error) {
	if !canReplace {
		return nil, fmt.Errorf("following %s: %w on Windows, where a file that is open cannot be renamed", dir, errors.ErrUnsupported)
	}
	pattern, err := compile(recordPattern, syntax)
	if err != nil {
		return nil, err
	}
	return &Follower{dir: dir, pattern: pattern, log: wal.NewFollower(filepath.Join(dir, logName))}, nil
}

// Read calls yield for each value that was stored since it was last called, in the order of their sequence numbers, until
// there is no more for now, or yield returns false, after which the rest of that value's batch is left out. The first call
// begins with what the log holds: what was stored since about the last checkpoint. A value is read as soon as it is in the
// log, which may be before the Store that wrote it has returned; should its write fail, it was never stored. Whoever reads
// so seldom that the log has gone on is told with Event.Missed how many values there were, whatever their records.
// Errors: daybook.ErrVersion, ErrCorrupt, the operating system's, or ctx's.
func (f *Follower) Read(ctx context.Context, yield func(daybook.Event) bool) (err error) {
	failed := f.log.Read(func(sequence, missed uint64, payload []byte, values int) bool {
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
		if record, timestamp, value, err = batch.Next(); err != nil || !f.pattern.Match(string(record)) {
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
