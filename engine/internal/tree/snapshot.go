// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"sync"

	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/pages"
)

// Snapshot is a read transaction: it shows the tree as it was when the snapshot began. It belongs
// to one goroutine. While a snapshot is open, pages that are freed after its beginning cannot be
// reused. So it should be closed soon.
type Snapshot struct {
	State State

	readTx
	mapped  mappedFile
	coder   *codec.Coder
	records *pages.Bucket
	chunks  *pages.Cursor
	buffer  *codec.Buffer
	bound   []byte // scratch for a key

	record string       // whose values Next returns
	wanted codec.Range  // of the record's values
	begun  bool         // Next has moved the cursor to the first chunk
	first  codec.Header // of that chunk, if seekFrom has read it; Count is 0 otherwise
}

// buffers holds buffers for decoded chunks.
var buffers = sync.Pool{New: func() any { return new(codec.Buffer) }}

// maxPooled is the maximum size of a buffer that is kept for reuse, in bytes.
const maxPooled = 1 << 20

// Snapshot begins a snapshot. The caller must close it.
func (t *Tree) Snapshot() (s *Snapshot, err error) {
	err = t.beginRead(func(r readTx) error {
		c, err := r.content()
		if err != nil {
			return err
		}
		s = &Snapshot{
			State:   c.state,
			readTx:  r,
			mapped:  t.mapped,
			coder:   t.coder,
			records: c.records,
			chunks:  c.values.Cursor(),
			buffer:  buffers.Get().(*codec.Buffer),
		}
		return nil
	})
	return s, err
}

// Close ends the snapshot.
func (s *Snapshot) Close() {
	s.End()
	s.Release()
}

// End is the part of Close that ends the read transaction. Another goroutine may call it, while the
// owner uses what it has read. Then the owner calls Release alone.
func (s *Snapshot) End() { s.end() }

// Release is the part of Close that releases the memory for decoded values.
func (s *Snapshot) Release() {
	if s.buffer.Size() <= maxPooled {
		buffers.Put(s.buffer)
	}
}

// HasRecord reports whether the tree has a value of the record.
func (s *Snapshot) HasRecord(record string) (found bool, err error) {
	err = s.mapped.protect(func() error {
		entry, err := s.records.Cursor().Get([]byte(record))
		found = entry != nil
		return err
	})
	return found, s.mapped.describe(err)
}

// Seek makes Next return the wanted values of a record, chunk by chunk: from the newest chunk if
// wanted.Newest, otherwise from the oldest. The limit applies to each chunk on its own, and the
// caller stops when it has enough values.
func (s *Snapshot) Seek(record string, wanted codec.Range) {
	s.record, s.wanted, s.begun, s.first = record, wanted, false, codec.Header{}
}

// Next returns the wanted values of the next chunk, always the oldest first; nil at the end. They
// are valid until the next call.
func (s *Snapshot) Next() (rows *codec.Rows, err error) {
	err = s.mapped.protect(func() error {
		for {
			var more bool
			if rows, more, err = s.next(); rows != nil && rows.Len() > 0 || !more || err != nil {
				return err
			}
		}
	})
	return rows, s.mapped.describe(err)
}

// next decodes the next chunk, and reports whether there may be more. A chunk has no wanted values
// if the range lies between two of its values.
func (s *Snapshot) next() (rows *codec.Rows, more bool, err error) {
	key, chunk, err := s.step()
	if err != nil || !codec.HasRecord(key, s.record) {
		return nil, false, err
	}
	header, err := s.readHeader(key, chunk)
	if err != nil {
		return nil, false, s.describeChunk(err, key, chunk)
	}
	if s.wanted.Newest && header.Last < s.wanted.Start || !s.wanted.Newest && header.First > s.wanted.End {
		return nil, false, nil
	}
	if err := s.coder.DecodeRowsAfter(s.buffer, header, chunk, s.wanted); err != nil {
		return nil, false, s.describeChunk(err, key, chunk)
	}
	return &s.buffer.Rows, true, nil
}

// readHeader returns the header of the chunk that step has moved to.
func (s *Snapshot) readHeader(key, chunk []byte) (header codec.Header, err error) {
	if s.first.Count == 0 {
		return codec.ReadHeader(key, chunk)
	}
	header, s.first = s.first, codec.Header{}
	return header, nil
}

func (s *Snapshot) describeChunk(err error, key, chunk []byte) error {
	return s.mapped.describeChunk(err, s.record, key, s.image.Offset(chunk))
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
		return s.chunks.SeekUpTo(s.bound)
	}
	return s.seekFrom(s.record, s.wanted.Start)
}

// seekFrom moves to the first of a record's chunks that may have values from start on. That is the
// first chunk that starts at start or later, or the chunk before it, which may end later than
// start.
func (s *Snapshot) seekFrom(record string, start uint64) (key, chunk []byte, err error) {
	if start > 0 {
		s.bound = codec.AppendUpperBound(s.bound[:0], record, start-1)
		key, chunk, err = s.chunks.SeekUpTo(s.bound)
		if err != nil {
			return nil, nil, err
		}
		if codec.HasRecord(key, record) {
			// If the header is damaged, the caller finds and describes that.
			header, err := codec.ReadHeader(key, chunk)
			if err != nil {
				return key, chunk, nil
			}
			if header.Last >= start {
				s.first = header
				return key, chunk, nil
			}
		}
	}
	s.bound = codec.AppendLowerBound(s.bound[:0], record, start)
	return s.chunks.Seek(s.bound)
}
