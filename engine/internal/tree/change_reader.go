// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"context"
	"math"

	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/pages"
)

// ChangeReader reads the chunks that have values with sequence numbers in a range, by record and
// time.
type ChangeReader struct {
	// Through is the greatest sequence number of the range. The caller may lower it while it reads.
	Through uint64
	// Next is a sequence number after Through. The chunks that were read have no value after
	// Through and before Next.
	Next uint64

	snapshot *Snapshot
	after    uint64
	cursor   *pages.Cursor
	begun    bool
}

// Changes returns a reader of the values with sequence numbers after one number and through
// another.
func (s *Snapshot) Changes(after, through uint64) (*ChangeReader, error) {
	r := &ChangeReader{Through: through, Next: math.MaxUint64, snapshot: s, after: after}
	err := s.mapped.protect(func() error {
		values, err := s.image.Bucket(valuesBucket)
		if err == nil {
			r.cursor = values.Cursor()
		}
		return err
	})
	return r, s.mapped.describe(err)
}

// chunksPerCheck is the number of chunks that are read between two checks of the context.
const chunksPerCheck = 256

// Read returns the record and all values of the next chunk that has values in the range; no values
// at the end. They are valid until the next call.
func (r *ChangeReader) Read(ctx context.Context) (record string, entries []codec.Entry, err error) {
	s := r.snapshot
	err = s.mapped.protect(func() error {
		for read := 1; ; read++ {
			key, chunk, err := r.step()
			if key == nil || err != nil {
				return err
			}
			if read%chunksPerCheck == 0 {
				if err := ctx.Err(); err != nil {
					return err
				}
			}
			wanted, err := r.wants(key, chunk)
			if err == nil && wanted {
				err = s.coder.Decode(s.buffer, key, chunk)
			}
			if err == nil && !wanted {
				continue
			}
			if err != nil {
				return s.mapped.describeChunkOf(s.image, err, key, chunk)
			}
			name, _, _, _ := codec.SplitKey(key)
			record, entries = string(name), s.buffer.Entries
			return nil
		}
	})
	return record, entries, s.mapped.describe(err)
}

func (r *ChangeReader) step() (key, chunk []byte, err error) {
	if r.begun {
		return r.cursor.Next()
	}
	r.begun = true
	return r.cursor.First()
}

// wants reports whether a chunk has values in the range.
func (r *ChangeReader) wants(key, chunk []byte) (bool, error) {
	header, err := codec.ReadHeader(key, chunk)
	if err == nil && header.MaxSequence > r.Through {
		r.Next = min(r.Next, max(header.MinSequence, r.Through+1))
	}
	return err == nil && header.MaxSequence > r.after && header.MinSequence <= r.Through, err
}
