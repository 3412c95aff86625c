// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"bytes"
	"context"
	"fmt"
	"iter"

	"go.etcd.io/bbolt"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/pages"
)

// Copy is a tree in the making: the records of another one, by name, with their chunks filled up and without the free
// pages between them. It takes a step at a time; in between the other one may be written to, if the copy is told.
// Nothing of it is durable before Finish. Whoever writes to the other tree writes to the copy too.
type Copy struct {
	from, to *Tree
	reached  reached
}

// reached is how far a copy has come. It has the records below record, and of record itself the values that before takes,
// with a catalogue entry of their count and their bytes.
type reached struct {
	record string
	before Rule
}

// behindAll is greater than every name, which are UTF-8.
const behindAll = "\xff"

// Copy begins a copy in a new file at path.
func (t *Tree) Copy(path string) (*Copy, error) {
	opts := t.opts
	opts.Existing, opts.copying = false, true
	to, err := Open(path, opts)
	if err != nil {
		return nil, err
	}
	to.bolt.NoSync = true
	return &Copy{from: t, to: to}, nil
}

// Step copies as much as one transaction takes, and reports whether that was the last.
func (c *Copy) Step(ctx context.Context) (done bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	err = c.from.view(func(_ *bbolt.Tx, v *pages.Image) error {
		s, err := c.source(v)
		if err == nil {
			err = c.to.update(func(w *writer) error { return c.from.guard.run(func() error { return s.copy(w) }) })
		}
		if err == nil {
			c.reached, done = s.reached, s.name == nil
		}
		return err
	})
	return done, err
}

// source is a walk of what is left to copy.
type source struct {
	reader  // of the tree that it is in
	names   *pages.Cursor
	chunks  *pages.Cursor
	reached reached

	name, data []byte // the record at which it stands; nil at the end
	together   []*chunk
}

func (c *Copy) source(v *pages.Image) (s source, err error) {
	values, records, err := buckets(v)
	if err != nil {
		return source{}, err
	}
	s = source{reader: reader{c.from.guard, c.from.coder, v}, names: records.Cursor(), chunks: values.Cursor(), reached: c.reached}
	s.name, s.data, err = s.names.Seek([]byte(s.reached.record))
	return s, err
}

// copy copies records until the transaction is full.
func (s *source) copy(w *writer) error {
	for s.name != nil && !w.full() {
		whole, err := s.copyRecord(w)
		if err != nil || !whole {
			return err
		}
		if s.name, s.data, err = s.names.Next(); err != nil {
			return s.guard.fault(err)
		}
	}
	s.reached = reached{record: behindAll}
	if s.name != nil {
		s.reached.record = string(s.name)
	}
	return nil
}

// copyRecord copies what is left of the record, until the transaction is full, and reports whether that was all.
func (s *source) copyRecord(w *writer) (whole bool, err error) {
	want, err := s.guard.decodeEntry(s.view, s.name, s.data)
	if err != nil {
		return false, err
	}
	r := recordCopy{source: s, writer: w, record: string(s.name)}
	var before Rule
	if r.record == s.reached.record {
		before = s.reached.before
	}
	if err := r.goOn(before); err != nil {
		return false, err
	}
	stopped, err := r.copy(before)
	switch {
	case err != nil:
		return false, err
	case stopped != Rule{}:
		s.reached = reached{r.record, stopped}
		return false, w.catalogue.put(r.record, &r.entry)
	case r.entry.Count != want.Count || r.entry.Bytes != want.Bytes:
		return false, w.miscounted(r.record)
	}
	return true, w.catalogue.put(r.record, &want)
}

// firstBehind returns the record's first chunk of values that a rule does not take. It may be a part of one that stands
// there. The next one is where the cursor moves to.
func (s *source) firstBehind(record string, before Rule) (*chunk, error) {
	c, err := s.readAt(record, func() ([]byte, []byte, error) {
		return s.chunks.Seek(codec.AppendLowerBound(nil, record, before.OlderThan))
	})
	if err != nil || before == (Rule{}) {
		return c, err
	}
	// Values that were posted since may have made one chunk of what was copied and what was not.
	if c, err = s.readAt(record, s.chunks.Prev); c == nil && err == nil {
		c, err = s.readAt(record, s.chunks.Next)
	}
	for ; err == nil && c != nil; c, err = s.readAt(record, s.chunks.Next) {
		copied, err := s.countOlder(record, c, before)
		switch {
		case err != nil || copied == 0:
			return c, err
		case copied < uint64(c.Count):
			return s.tail(record, c, copied)
		}
	}
	return nil, err
}

// recordCopy copies what is left of a record. Neighbours that fit into one chunk become one.
type recordCopy struct {
	source *source
	writer *writer
	record string
	entry  codec.CatalogueEntry // of what the copy has; its newest value is that of nothing
	left   *chunk               // the last one in the copy

	together []*chunk // those that become one
	count    int      // of their values
	size     uint64   // of their values
}

// goOn finds what the copy has of the record.
func (r *recordCopy) goOn(before Rule) (err error) {
	if before == (Rule{}) {
		return r.writer.aroundNames.VerifyAround([]byte(r.record))
	}
	if r.entry, _, err = r.writer.entry(r.record); err == nil {
		r.left, err = r.writer.startingBy(r.record, before.OlderThan)
	}
	return err
}

// copy copies the values that a rule does not take, until the transaction is full, and returns the rule that takes those that
// are in the copy then; the zero Rule if they all are.
func (r *recordCopy) copy(before Rule) (stopped Rule, err error) {
	c, err := r.source.firstBehind(r.record, before)
	r.together = r.source.together[:0]
	for ; err == nil && c != nil; c, err = r.source.readAt(r.record, r.source.chunks.Next) {
		if n := len(r.together); n > 0 {
			if r.writer.full() {
				if stopped, err = r.between(r.together[n-1], c); err != nil {
					return Rule{}, err
				}
				break
			}
			if r.writer.chunksFor(r.count+c.Count, r.size+c.ValueBytes) > 1 {
				if err := r.putTogether(); err != nil {
					return Rule{}, err
				}
			}
		}
		r.take(c)
	}
	if err == nil && len(r.together) > 0 {
		err = r.putTogether()
	}
	r.source.together = r.together[:0]
	return stopped, err
}

// between is the rule that takes the values up to a chunk, and not those of the next.
func (r *recordCopy) between(last, next *chunk) (Rule, error) {
	if last.Last < next.First {
		return Rule{OlderThan: next.First}, nil
	}
	entries, err := r.source.decode(r.record, last)
	if err != nil {
		return Rule{}, err
	}
	return Rule{OlderThan: last.Last, StoredBefore: entries[len(entries)-1].Sequence + 1}, nil
}

// take adds a chunk to those that become one.
func (r *recordCopy) take(c *chunk) {
	r.together = append(r.together, c)
	r.count, r.size = r.count+c.Count, r.size+c.ValueBytes
	if r.entry.Count == 0 {
		r.writer.state.Records++
		r.entry.Oldest = c.First
	}
	r.entry.SetNewest(c.Last, c.MaxSequence, nil)
	r.entry.Count += uint64(c.Count)
	r.entry.Bytes += c.ValueBytes
	r.writer.state.Values += uint64(c.Count)
	r.writer.state.Bytes += c.ValueBytes
}

// putTogether puts the chunks that are to become one. What is copied is held against its checksum, or the copy would take
// the place of a file that may be read better another time.
func (r *recordCopy) putTogether() error {
	first := r.together[0]
	next := behind(r.record, r.left, first.First)
	key := next.Append(nil)
	encoded, err := r.join(key)
	if err != nil {
		return err
	}
	first.ordinal = next.Ordinal
	r.left, r.together, r.count, r.size = first, r.together[:0], 0, 0
	return r.writer.put(key, encoded)
}

// join returns the chunk, under a key, that together become.
func (r *recordCopy) join(key []byte) (encoded []byte, err error) {
	if first := r.together[0]; len(r.together) == 1 {
		if err = codec.Verify(first.key, first.encoded); err != nil || bytes.Equal(key, first.key) {
			return first.encoded, r.source.chunkFault(err, r.record, first)
		}
		encoded, err = codec.Rekey(first.key, first.encoded, key)
		return encoded, r.source.chunkFault(err, r.record, first)
	}
	var all []codec.Entry
	for _, c := range r.together {
		entries, err := r.source.decode(r.record, c)
		if err != nil {
			return nil, err
		}
		all = append(all, entries...)
	}
	return r.writer.coder.AppendChunk(nil, key, all), nil
}

// Post posts to the copy what was posted to the other tree, of what it has.
func (c *Copy) Post(p Posting) error {
	runs := p.Runs
	p.Runs = func(after string) iter.Seq[Run] {
		return func(yield func(Run) bool) {
			for run := range runs(after) {
				if run.Record > c.reached.record {
					return
				}
				if run.Record == c.reached.record {
					run.Values = c.reached.before.taken(run.Values)
				}
				if !yield(run) {
					return
				}
			}
		}
	}
	p.AllowParts = true // if not all of them are there in the end, none of the copy is
	_, err := c.to.Post(p)
	return err
}

// Prune deletes from the copy what was deleted from the other tree, of what it has.
func (c *Copy) Prune(gone []Deletion) error {
	for len(gone) > 0 {
		err := c.to.update(func(w *writer) error {
			w.yield = func() {}
			for len(gone) > 0 && !w.full() {
				left, err := c.prune(w, gone[0])
				if err != nil {
					return err
				}
				if gone[0].Values = left; left == 0 {
					gone = gone[1:]
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// prune deletes a record's oldest values until the transaction is full, and returns how many are left to delete.
func (c *Copy) prune(w *writer, gone Deletion) (left uint64, err error) {
	if gone.Record > c.reached.record {
		return 0, nil
	}
	entry, _, err := w.entry(gone.Record)
	if err != nil {
		return 0, err
	}
	if gone.Record == c.reached.record { // the others went before they were copied
		gone.Values = min(gone.Values, entry.Count)
	}
	if gone.Values == 0 {
		return 0, nil
	}
	deleted, _, err := w.prune(gone.Record, entry, Rule{oldest: gone.Values})
	if err == nil && deleted == 0 {
		err = w.miscounted(gone.Record)
	}
	w.state.Values -= deleted
	return gone.Values - deleted, err
}

// Finish makes the whole copy durable, and returns it. The last step must have been taken.
func (c *Copy) Finish() (*Tree, error) {
	want, err := c.from.State()
	if err != nil {
		return nil, err
	}
	got, err := c.to.State()
	if err != nil {
		return nil, err
	}
	if got.Records != want.Records || got.Values != want.Values || got.Bytes != want.Bytes {
		return nil, fmt.Errorf("%w: %s has %d records with %d values of %d bytes; its copy has %d, %d and %d", daybook.ErrCorrupt,
			c.from.path, want.Records, want.Values, want.Bytes, got.Records, got.Values, got.Bytes)
	}
	return c.to, c.seal(want)
}

// seal makes the copy durable, as a tree that has what the log had up to where the other one has it.
func (c *Copy) seal(other State) error {
	c.to.bolt.NoSync = false
	err := c.to.update(func(w *writer) error {
		w.state.Watermark, w.state.Partial, w.state.LastSegment = other.Watermark, other.Partial, other.LastSegment
		return nil
	})
	if err == nil {
		err = c.to.seal() // a commit, which syncs everything before it
	}
	if err == nil {
		c.to.opts.copying = false
	}
	return err
}

// Size is how large the copy's file is, in bytes.
func (c *Copy) Size() int64 {
	info, err := c.to.file.Stat()
	if err != nil {
		return 0
	}
	return info.Size()
}

// Close gives up the copy.
func (c *Copy) Close() error { return c.to.closeBolt() }

// SetPath says where the file is now. Nobody may use the tree meanwhile.
func (t *Tree) SetPath(path string) { t.path, t.guard = path, guard(path) }
