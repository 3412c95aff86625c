// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"bytes"

	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/pages"
)

// copySource reads the records of a tree that are to be copied.
type copySource struct {
	chunkReader
	names    *pages.Cursor
	chunks   *pages.Cursor
	position copyPosition

	name, data []byte   // the current record and its catalogue entry; nil at the end
	scratch    []*chunk // for recordCopy.pending; kept between records, to save an allocation
}

// source returns the source of the records after the copy's position.
func (c *Copy) source(image *pages.Image) (s copySource, err error) {
	values, records, err := dataBuckets(image)
	if err != nil {
		return copySource{}, err
	}
	s = copySource{
		chunkReader: chunkReader{mapped: c.from.mapped, coder: c.from.coder, image: image},
		names:       records.Cursor(),
		chunks:      values.Cursor(),
		position:    c.position,
	}
	s.name, s.data, err = s.names.Seek([]byte(s.position.record))
	return s, err
}

// copyRecords copies records until the transaction is full.
func (s *copySource) copyRecords(w *writeTx) error {
	for s.name != nil && !w.full() {
		complete, err := s.copyRecord(w)
		if err != nil || !complete {
			return err
		}
		if s.name, s.data, err = s.names.Next(); err != nil {
			return s.mapped.describe(err)
		}
	}
	s.position = copyPosition{record: afterAllNames}
	if s.name != nil {
		s.position.record = string(s.name)
	}
	return nil
}

// copyRecord copies the rest of the current record until the transaction is full, and reports
// whether the record is complete.
func (s *copySource) copyRecord(w *writeTx) (complete bool, err error) {
	want, err := s.mapped.decodeEntry(s.image, s.name, s.data)
	if err != nil {
		return false, err
	}
	r := recordCopy{source: s, tx: w, record: string(s.name)}
	var before Rule
	if r.record == s.position.record {
		before = s.position.before
	}
	if err := r.resume(before); err != nil {
		return false, err
	}
	stopped, err := r.copyChunks(before)
	switch {
	case err != nil:
		return false, err
	case stopped != Rule{}:
		s.position = copyPosition{r.record, stopped}
		return false, w.catalogue.put(r.record, &r.entry)
	case r.entry.Count != want.Count || r.entry.Bytes != want.Bytes:
		return false, miscounted(r.record)
	}
	return true, w.catalogue.put(r.record, &want)
}

// firstAfter returns the record's first chunk of values that a rule does not delete; nil if there
// is none. If the rule deletes a part of that chunk, firstAfter returns the rest of it. The cursor
// moves to the next chunk.
func (s *copySource) firstAfter(record string, before Rule) (*chunk, error) {
	c, err := s.readAt(record, func() ([]byte, []byte, error) {
		return s.chunks.Seek(codec.AppendLowerBound(nil, record, before.OlderThan))
	})
	if err != nil || before == (Rule{}) {
		return c, err
	}
	// The previous chunk may have such values too, because a post after the last step may have
	// merged values that are copied with values that are not.
	if c, err = s.readAt(record, s.chunks.Prev); c == nil && err == nil {
		c, err = s.readAt(record, s.chunks.Next)
	}
	for ; err == nil && c != nil; c, err = s.readAt(record, s.chunks.Next) {
		copied, err := s.countDeleted(record, c, before)
		switch {
		case err != nil || copied == 0:
			return c, err
		case copied < uint64(c.Count):
			return s.tail(record, c, copied)
		}
	}
	return nil, err
}

// recordCopy copies the rest of a record. It joins neighbouring chunks that fit into one.
type recordCopy struct {
	source *copySource
	tx     *writeTx
	record string
	entry  codec.CatalogueEntry // of the values in the copy; its newest value is never set
	last   *chunk               // the last one in the copy; nil: there is none

	pending []*chunk // chunks to join and write
	count   int      // of their values
	size    uint64   // of their values
}

// resume reads what the copy has of the record.
func (r *recordCopy) resume(before Rule) (err error) {
	if before == (Rule{}) {
		return r.tx.nameGuard.VerifyAround([]byte(r.record))
	}
	if r.entry, _, err = r.tx.entry(r.record); err == nil {
		r.last, err = r.tx.lastStartingBy(r.record, before.OlderThan)
	}
	return err
}

// copyChunks copies the values that a rule does not delete until the transaction is full. It
// returns the rule that deletes the values that are in the copy then; the zero Rule if the record
// is complete.
func (r *recordCopy) copyChunks(before Rule) (stopped Rule, err error) {
	c, err := r.source.firstAfter(r.record, before)
	r.pending = r.source.scratch[:0]
	for ; err == nil && c != nil; c, err = r.source.readAt(r.record, r.source.chunks.Next) {
		if n := len(r.pending); n > 0 {
			if r.tx.full() {
				if stopped, err = r.ruleBetween(r.pending[n-1], c); err != nil {
					return Rule{}, err
				}
				break
			}
			last, opts := r.pending[n-1], &r.tx.opts
			maxBytes := opts.maxBytesBeside(&last.Header, len(last.encoded))
			if opts.chunksFor(r.count+c.Count, r.size+c.ValueBytes, maxBytes) > 1 {
				if err := r.flush(); err != nil {
					return Rule{}, err
				}
			}
		}
		r.add(c)
	}
	if err == nil && len(r.pending) > 0 {
		err = r.flush()
	}
	r.source.scratch = r.pending[:0]
	return stopped, err
}

// ruleBetween returns the rule that deletes the values up to chunk last, and no value of chunk
// next.
func (r *recordCopy) ruleBetween(last, next *chunk) (Rule, error) {
	if last.Last < next.First {
		return Rule{OlderThan: next.First}, nil
	}
	entries, err := r.source.decode(r.record, last)
	if err != nil {
		return Rule{}, err
	}
	return Rule{OlderThan: last.Last, StoredBefore: entries[len(entries)-1].Sequence + 1}, nil
}

// add adds a chunk to the pending ones, and its values to the sums.
func (r *recordCopy) add(c *chunk) {
	r.pending = append(r.pending, c)
	r.count, r.size = r.count+c.Count, r.size+c.ValueBytes
	if r.entry.Count == 0 {
		r.tx.state.Records++
		r.entry.Oldest = c.First
	}
	r.entry.SetNewest(c.Last, c.MaxSequence, nil)
	r.entry.Count += uint64(c.Count)
	r.entry.Bytes += c.ValueBytes
	r.tx.state.Values += uint64(c.Count)
	r.tx.state.Bytes += c.ValueBytes
}

// flush writes the pending chunks as one.
func (r *recordCopy) flush() error {
	first := r.pending[0]
	key := keyAfter(r.record, r.last, first.First)
	encodedKey := key.Append(nil)
	encoded, err := r.join(encodedKey)
	if err != nil {
		return err
	}
	first.ordinal = key.Ordinal
	r.last, r.pending, r.count, r.size = first, r.pending[:0], 0, 0
	return r.tx.put(encodedKey, encoded)
}

// join returns the pending chunks as one chunk under a key. It encodes a chunk of an older version
// anew. It verifies the checksums. Otherwise a damaged copy could replace a file that may be
// readable another time.
func (r *recordCopy) join(key []byte) (encoded []byte, err error) {
	if first := r.pending[0]; len(r.pending) == 1 && !first.IsOutdated() {
		if err = codec.Verify(first.key, first.encoded); err != nil || bytes.Equal(key, first.key) {
			return first.encoded, r.source.describeChunk(err, r.record, first)
		}
		encoded, err = codec.Rekey(first.key, first.encoded, key)
		return encoded, r.source.describeChunk(err, r.record, first)
	}
	var all []codec.Entry
	for _, c := range r.pending {
		entries, err := r.source.decode(r.record, c)
		if err != nil {
			return nil, err
		}
		all = append(all, entries...)
	}
	return r.tx.coder.AppendChunk(nil, key, all), nil
}
