// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"context"
	"math"

	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/pages"
)

// ChangeReader is a walk of the chunks that hold values within a range of sequence numbers, by record and time.
type ChangeReader struct {
	// Through is the greatest sequence number that is of interest. It may be lowered on the way.
	Through uint64
	// Next is a sequence number beyond Through before which there is no value in the chunks that were passed.
	Next uint64

	snapshot *Snapshot
	after    uint64
	cursor   *pages.Cursor
	begun    bool
}

// Changes begins a walk of the values behind a sequence number.
func (s *Snapshot) Changes(after, through uint64) (*ChangeReader, error) {
	c := &ChangeReader{Through: through, Next: math.MaxUint64, snapshot: s, after: after}
	err := s.guard.run(func() error {
		values, err := s.view.Bucket(valuesBucket)
		if err == nil {
			c.cursor = values.Cursor()
		}
		return err
	})
	return c, s.guard.fault(err)
}

// chunksPerLook is how many chunks are looked at between two looks at the context.
const chunksPerLook = 256

// Read returns the values of the next chunk that holds some of those in the range, and their record; no values at the end.
// They are valid until the next call.
func (c *ChangeReader) Read(ctx context.Context) (record string, entries []codec.Entry, err error) {
	s := c.snapshot
	err = s.guard.run(func() error {
		for looked := 1; ; looked++ {
			key, chunk, err := c.step()
			if key == nil || err != nil {
				return err
			}
			if looked%chunksPerLook == 0 {
				if err := ctx.Err(); err != nil {
					return err
				}
			}
			wanted, err := c.wants(key, chunk)
			if err == nil && wanted {
				err = s.coder.Decode(s.buffer, key, chunk)
			}
			if err != nil {
				name, _, _, _ := codec.SplitKey(key)
				return s.guard.chunkFault(err, string(name), key, s.view.Offset(chunk))
			}
			if wanted {
				name, _, _, _ := codec.SplitKey(key)
				record, entries = string(name), s.buffer.Entries
				return nil
			}
		}
	})
	return record, entries, s.guard.fault(err)
}

func (c *ChangeReader) step() (key, chunk []byte, err error) {
	if c.begun {
		return c.cursor.Next()
	}
	c.begun = true
	return c.cursor.Seek(nil)
}

// wants reports whether a chunk holds values in the range.
func (c *ChangeReader) wants(key, chunk []byte) (bool, error) {
	header, err := codec.ReadHeader(key, chunk)
	if err == nil && header.MaxSequence > c.Through {
		c.Next = min(c.Next, max(header.MinSequence, c.Through+1))
	}
	return err == nil && header.MaxSequence > c.after && header.MinSequence <= c.Through, err
}
