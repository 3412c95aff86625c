// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"

	"go.etcd.io/bbolt"

	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/index"
)

// Snapshot is a read transaction: the tree as it was when it began. It belongs to one goroutine. While
// one is open, pages that were freed since cannot be reused, so it should not be open for long.
type Snapshot struct {
	State State

	guard     guard
	tx        *bbolt.Tx
	coder     *codec.Coder
	catalogue *index.Catalogue
	chunks    *bbolt.Cursor
	buffer    *codec.Buffer
	span      span
}

// span is which values of which record are being read.
type span struct {
	record     string
	start, end uint64
	backward   bool
	begun      bool
}

// buffers holds what chunks are decoded into.
var buffers = sync.Pool{New: func() any { return new(codec.Buffer) }}

// mostKept is how large a pooled buffer may be, in bytes.
const mostKept = 1 << 20

// Snapshot begins one. It must be closed.
func (t *Tree) Snapshot() (s *Snapshot, err error) {
	err = t.guard.run(func() error {
		tx, err := t.bolt.Begin(false)
		if err != nil {
			return err
		}
		defer func() {
			if s == nil { // an error, or a panic over a damaged page
				_ = tx.Rollback()
			}
		}()
		state, err := getState(tx)
		if err != nil {
			return err
		}
		s = &Snapshot{
			State:     state,
			guard:     t.guard,
			tx:        tx,
			coder:     t.coder,
			catalogue: index.NewCatalogue(tx.Bucket(recordsBucket)),
			chunks:    tx.Bucket(valuesBucket).Cursor(),
			buffer:    buffers.Get().(*codec.Buffer),
		}
		return nil
	})
	return s, err
}

// Close ends the snapshot.
func (s *Snapshot) Close() {
	if s.buffer.Size() <= mostKept {
		buffers.Put(s.buffer)
	}
	_ = s.tx.Rollback()
}

// Has reports whether the tree holds a value of the record.
func (s *Snapshot) Has(record string) (found bool, err error) {
	err = s.guard.run(func() error {
		found = s.catalogue.Has(record)
		return nil
	})
	return found, err
}

// Records visits the records that the pattern matches.
func (s *Snapshot) Records(pattern *index.Pattern) *Records {
	return &Records{guard: s.guard, cursor: s.catalogue.Cursor(pattern, "")}
}

// Records is a walk of the catalogue.
type Records struct {
	guard  guard
	cursor *index.Cursor
	buffer []byte
}

// Next returns the next record, and whether there was one. name and the entry's value are valid until the
// next call; they are copies, since only what is guarded may read mapped memory. It returns ctx's error
// when that ends while nothing matches.
func (r *Records) Next(ctx context.Context) (name []byte, entry index.Entry, found bool, err error) {
	err = r.guard.run(func() error {
		mapped, data, err := nextMatch(ctx, r.cursor)
		if mapped == nil {
			return err
		}
		if entry, err = decodeEntry(mapped, data); err != nil {
			return err
		}
		found = true
		r.buffer = append(append(r.buffer[:0], mapped...), entry.NewestValue...)
		name = r.buffer[:len(mapped):len(mapped)]
		if entry.NewestValue != nil {
			entry.NewestValue = r.buffer[len(mapped):]
		}
		return nil
	})
	return name, entry, found, err
}

// namesPerLook is how many names are matched between two looks at the context.
const namesPerLook = 256

// nextMatch returns the cursor's next matching name and its entry; nil at the end.
func nextMatch(ctx context.Context, cursor *index.Cursor) (name, data []byte, err error) {
	for looked := 1; ; looked++ {
		name, data, matches := cursor.Next()
		if name == nil || matches {
			return name, data, nil
		}
		if looked%namesPerLook == 0 {
			if err := ctx.Err(); err != nil {
				return nil, nil, err
			}
		}
	}
}

// Seek makes Next return the values of record with start <= timestamp <= end, chunk by chunk from the
// oldest on, or backward from the newest.
func (s *Snapshot) Seek(record string, start, end uint64, backward bool) {
	s.span = span{record: record, start: start, end: end, backward: backward}
}

// Next returns the next chunk's values that are in the span, oldest first whatever the direction; nil
// at the end. They are valid until the next call.
func (s *Snapshot) Next() (entries []codec.Entry, err error) {
	err = s.guard.run(func() error {
		for {
			var more bool
			if entries, more, err = s.next(); len(entries) > 0 || !more || err != nil {
				return err
			}
		}
	})
	return entries, err
}

// next decodes one chunk and reports whether there may be more. A chunk can have nothing in the span
// when the span lies in a gap within it.
func (s *Snapshot) next() (entries []codec.Entry, more bool, err error) {
	key, chunk := s.step()
	if !codec.HasRecord(key, s.span.record) {
		return nil, false, nil
	}
	header, err := codec.ReadHeader(key, chunk)
	if err != nil {
		return nil, false, chunkFault(err, s.span.record, key)
	}
	if s.span.backward && header.Last < s.span.start || !s.span.backward && header.First > s.span.end {
		return nil, false, nil
	}
	if err := s.coder.Decode(s.buffer, key, chunk); err != nil {
		return nil, false, chunkFault(err, s.span.record, key)
	}
	return between(s.buffer.Entries, s.span.start, s.span.end), true, nil
}

// step moves the cursor to the next chunk in the span's direction.
func (s *Snapshot) step() (key, chunk []byte) {
	if s.span.begun {
		if s.span.backward {
			return s.chunks.Prev()
		}
		return s.chunks.Next()
	}
	s.span.begun = true
	if s.span.backward {
		return seekAtMost(s.chunks, codec.AppendUpperBound(nil, s.span.record, s.span.end))
	}
	return seekHolding(s.chunks, s.span.record, s.span.start)
}

// seekAtMost moves to the last key that is not greater than bound.
func seekAtMost(c *bbolt.Cursor, bound []byte) (key, chunk []byte) {
	key, chunk = c.Seek(bound)
	switch {
	case key == nil:
		return c.Last()
	case string(key) == string(bound):
		return key, chunk
	}
	return c.Prev()
}

// seekHolding moves to the first of record's chunks that may hold values from start on. That is the
// first that starts there or later, or the one before it, which may reach that far.
func seekHolding(c *bbolt.Cursor, record string, start uint64) (key, chunk []byte) {
	bound := codec.AppendLowerBound(nil, record, start)
	if start > 0 {
		key, chunk = seekAtMost(c, codec.AppendUpperBound(nil, record, start-1))
		if codec.HasRecord(key, record) {
			// A damaged header is reported by whoever reads the chunk.
			if header, err := codec.ReadHeader(key, chunk); err != nil || header.Last >= start {
				return key, chunk
			}
		}
	}
	return c.Seek(bound)
}

// between returns the part of ordered entries with start <= timestamp <= end.
func between(entries []codec.Entry, start, end uint64) []codec.Entry {
	if start > 0 {
		from, _ := slices.BinarySearchFunc(entries, start, func(e codec.Entry, start uint64) int {
			return cmp.Compare(e.Timestamp, start)
		})
		entries = entries[from:]
	}
	if len(entries) > 0 && entries[len(entries)-1].Timestamp > end {
		to, _ := slices.BinarySearchFunc(entries, end+1, func(e codec.Entry, after uint64) int {
			return cmp.Compare(e.Timestamp, after)
		})
		entries = entries[:to]
	}
	return entries
}

func chunkFault(err error, record string, key []byte) error {
	return fault(err, fmt.Sprintf("chunk of record %q under key %x", record, key))
}
