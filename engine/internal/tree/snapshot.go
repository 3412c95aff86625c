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
	"github.com/daybook-db/daybook/engine/internal/pages"
	"github.com/daybook-db/daybook/index"
)

// Snapshot is a read transaction: the tree as it was when it began. It belongs to one goroutine. While
// one is open, pages that were freed since cannot be reused, so it should not be open for long.
type Snapshot struct {
	State State

	guard   guard
	tx      *bbolt.Tx
	view    *pages.Image
	coder   *codec.Coder
	records *pages.Bucket
	chunks  *pages.Cursor
	buffer  *codec.Buffer
	bound   []byte          // scratch for a key
	open    *sync.WaitGroup // the tree's snapshots

	record string      // whose values Next returns
	wanted codec.Range // of the record's values
	begun  bool        // Next has moved the cursor to the first chunk
}

// buffers holds what chunks are decoded into.
var buffers = sync.Pool{New: func() any { return new(codec.Buffer) }}

// mostKept is how large a pooled buffer may be, in bytes.
const mostKept = 1 << 20

// Snapshot begins one. It must be closed.
func (t *Tree) Snapshot() (s *Snapshot, err error) {
	err = t.guard.run(func() error {
		tx, v, err := t.begin()
		if err != nil {
			return err
		}
		defer func() {
			if s == nil { // an error, or a panic over memory that is not there
				_ = tx.Rollback()
			}
		}()
		state, err := readState(v)
		if err != nil {
			return err
		}
		values, records, err := buckets(v)
		if err != nil {
			return err
		}
		s = &Snapshot{
			State:   state,
			guard:   t.guard,
			tx:      tx,
			view:    v,
			coder:   t.coder,
			records: records,
			chunks:  values.Cursor(),
			buffer:  buffers.Get().(*codec.Buffer),
			open:    &t.snapshots,
		}
		t.snapshots.Add(1)
		return nil
	})
	return s, t.guard.fault(err)
}

func buckets(v *pages.Image) (values, records *pages.Bucket, err error) {
	if values, err = v.Bucket(valuesBucket); err != nil {
		return nil, nil, err
	}
	records, err = v.Bucket(recordsBucket)
	return values, records, err
}

// Close ends the snapshot.
func (s *Snapshot) Close() {
	if s.buffer.Size() <= mostKept {
		buffers.Put(s.buffer)
	}
	_ = s.tx.Rollback()
	s.open.Done()
}

// HasRecord reports whether the tree holds a value of the record.
func (s *Snapshot) HasRecord(record string) (found bool, err error) {
	err = s.guard.run(func() error {
		entry, err := s.records.Cursor().Get([]byte(record))
		found = entry != nil
		return err
	})
	return found, s.guard.fault(err)
}

// Records visits the records that the pattern matches.
func (s *Snapshot) Records(pattern *index.Pattern) *CatalogueReader {
	return &CatalogueReader{guard: s.guard, view: s.view, cursor: index.NewNameCursor(s.records.Cursor(), pattern, "")}
}

// CatalogueReader is a walk of the catalogue.
type CatalogueReader struct {
	guard  guard
	view   *pages.Image
	cursor *index.NameCursor
	buffer []byte
}

// Next returns the next record, and whether there was one. name and the entry's value are valid until the
// next call; they are copies, since only what is guarded may read mapped memory. It returns ctx's error
// when that ends while nothing matches.
func (r *CatalogueReader) Next(ctx context.Context) (name []byte, entry codec.CatalogueEntry, found bool, err error) {
	err = r.guard.run(func() error {
		mapped, data, err := nextMatch(ctx, r.cursor)
		if mapped == nil {
			return err
		}
		if entry, err = r.guard.decodeEntry(r.view, mapped, data); err != nil {
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
	return name, entry, found, r.guard.fault(err)
}

// decodeEntry decodes a catalogue entry, so that its faults name the record and the place.
func (path guard) decodeEntry(v *pages.Image, name, data []byte) (codec.CatalogueEntry, error) {
	entry, err := codec.DecodeCatalogueEntry(name, data)
	if err != nil {
		return codec.CatalogueEntry{}, path.fault(err, fmt.Sprintf("catalogue entry of record %q at offset %d", name, v.Offset(data)))
	}
	return entry, nil
}

// namesPerLook is how many names are matched between two looks at the context.
const namesPerLook = 256

// nextMatch returns the cursor's next matching name and its entry; nil at the end.
func nextMatch(ctx context.Context, cursor *index.NameCursor) (name, data []byte, err error) {
	for looked := 1; ; looked++ {
		name, data, matches, err := cursor.Next()
		if name == nil || matches {
			return name, data, err
		}
		if looked%namesPerLook == 0 {
			if err := ctx.Err(); err != nil {
				return nil, nil, err
			}
		}
	}
}

// Seek has Next return the record's values that are wanted, chunk by chunk: from the newest chunk if wanted.Newest,
// otherwise from the oldest. The limit applies to each chunk on its own; the caller stops when it has enough.
func (s *Snapshot) Seek(record string, wanted codec.Range) {
	s.record, s.wanted, s.begun = record, wanted, false
}

// Next returns the values of the next chunk that are wanted, always oldest first; nil at the end. They are valid until the next call.
func (s *Snapshot) Next() (entries []codec.Entry, err error) {
	err = s.guard.run(func() error {
		for {
			var more bool
			if entries, more, err = s.next(); len(entries) > 0 || !more || err != nil {
				return err
			}
		}
	})
	return entries, s.guard.fault(err)
}

// Values is the values that Next returned last, one behind the other, in the memory that they share; nil if that has
// others too.
func (s *Snapshot) Values() []byte { return s.buffer.Values }

// next decodes one chunk and reports whether there may be more. A chunk can have no value that is wanted, if the
// range lies in a gap between two of its values.
func (s *Snapshot) next() (entries []codec.Entry, more bool, err error) {
	key, chunk, err := s.step()
	if err != nil || !codec.HasRecord(key, s.record) {
		return nil, false, err
	}
	header, err := codec.ReadHeader(key, chunk)
	if err != nil {
		return nil, false, s.chunkFault(err, key, chunk)
	}
	if s.wanted.Newest && header.Last < s.wanted.Start || !s.wanted.Newest && header.First > s.wanted.End {
		return nil, false, nil
	}
	if err := s.coder.DecodeRange(s.buffer, key, chunk, s.wanted); err != nil {
		return nil, false, s.chunkFault(err, key, chunk)
	}
	return s.buffer.Entries, true, nil
}

func (s *Snapshot) chunkFault(err error, key, chunk []byte) error {
	return s.guard.chunkFault(err, s.record, key, s.view.Offset(chunk))
}

func (path guard) chunkFault(err error, record string, key []byte, offset int64) error {
	return path.fault(err, fmt.Sprintf("chunk of record %q under key %x at offset %d", record, key, offset))
}

// step moves the cursor to the next chunk in the direction of reading.
func (s *Snapshot) step() (key, chunk []byte, err error) {
	if s.begun {
		if s.wanted.Newest {
			return s.chunks.Prev()
		}
		return s.chunks.Next()
	}
	s.begun = true
	if s.wanted.Newest {
		s.bound = codec.AppendUpperBound(s.bound[:0], s.record, s.wanted.End)
		return seekAtMost(s.chunks, s.bound)
	}
	return s.seekHolding(s.record, s.wanted.Start)
}

// seekAtMost moves to the last key that is not greater than bound.
func seekAtMost(c *pages.Cursor, bound []byte) (key, chunk []byte, err error) {
	key, chunk, err = c.Seek(bound)
	if err != nil || string(key) == string(bound) {
		return key, chunk, err
	}
	return c.Prev()
}

// seekHolding moves to the first of record's chunks that may hold values from start on. That is the
// first that starts there or later, or the one before it, which may reach that far.
func (s *Snapshot) seekHolding(record string, start uint64) (key, chunk []byte, err error) {
	if start > 0 {
		s.bound = codec.AppendUpperBound(s.bound[:0], record, start-1)
		key, chunk, err = seekAtMost(s.chunks, s.bound)
		if err != nil {
			return nil, nil, err
		}
		if codec.HasRecord(key, record) {
			// A damaged header is reported by whoever reads the chunk.
			if header, err := codec.ReadHeader(key, chunk); err != nil || header.Last >= start {
				return key, chunk, nil
			}
		}
	}
	s.bound = codec.AppendLowerBound(s.bound[:0], record, start)
	return s.chunks.Seek(s.bound)
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
