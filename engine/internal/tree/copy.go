// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"context"
	"fmt"
	"iter"

	"go.etcd.io/bbolt"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/pages"
	"github.com/daybook-db/daybook/index"
)

// Copy is a tree in the making: the records of another one, by name, with their chunks filled up and without the free
// pages between them. It takes a step at a time; in between the other one may be written to, if the copy is told.
// Nothing of it is durable before Finish. Whoever writes to the other tree writes to the copy too.
type Copy struct {
	from, to *Tree
	through  string // the records up to this one are there
}

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

// Step copies records, as many as one transaction takes, and reports whether those were the last. A record that needs
// more than one is copied whole.
func (c *Copy) Step(ctx context.Context) (done bool, err error) {
	err = c.from.view(func(_ *bbolt.Tx, v *pages.View) error {
		s, err := c.source(v)
		for more := s.more(); err == nil && more; more = s.within {
			if err = ctx.Err(); err == nil {
				err = c.to.update(func(w *writer) error { // what is damaged is in the other tree, or its file is cut off
					return c.from.guard.fault(c.from.guard.run(func() error { return s.copy(w) }))
				})
			}
		}
		if err == nil {
			c.through, done = s.through, !s.more()
		}
		return err
	})
	return done, err
}

// source is a walk of what is left to copy.
type source struct {
	guard   guard       // of the tree that it is in
	view    *pages.View // of the same
	names   *pages.Cursor
	chunks  *pages.Cursor
	through string // the last record that has been copied

	name, data []byte // the record at which it stands; nil at the end
	within     bool   // it is being copied, and this is how far that has come:
	record     string
	entry      index.Entry
	key, chunk []byte   // the next chunk
	together   []*chunk // those before it that become one
	count      int      // of their values
	size       uint64   // of their values
	total      uint64   // values of the record before key
}

func (c *Copy) source(v *pages.View) (s source, err error) {
	values, records, err := buckets(v)
	if err != nil {
		return source{}, err
	}
	s = source{guard: c.from.guard, view: v, names: records.Cursor(), chunks: values.Cursor(), through: c.through}
	s.name, s.data, err = s.names.Seek([]byte(c.through + "\x00")) // the least name behind it
	return s, err
}

func (s *source) more() bool { return s.name != nil }

// copy copies records until the transaction is full, or until the end of one that the transaction before began.
func (s *source) copy(w *writer) error {
	w.guard = s.guard // the chunks that it reads are there
	for begun := s.within; s.more() && !w.full(); {
		if !s.within {
			if err := s.enter(); err != nil {
				return err
			}
		}
		if err := s.copyRecord(w); err != nil || begun && !s.within {
			return err
		}
	}
	return nil
}

// enter begins the record at which the source stands.
func (s *source) enter() (err error) {
	if s.entry, err = s.guard.decodeEntry(s.view, s.name, s.data); err != nil {
		return err
	}
	s.record, s.within, s.total = string(s.name), true, 0
	s.key, s.chunk, err = s.chunks.Seek(codec.AppendLowerBound(nil, s.record, 0))
	return err
}

// copyRecord writes the record's chunks, and at its end its catalogue entry, until the transaction is full. Neighbours
// that fit into one chunk become one.
func (s *source) copyRecord(w *writer) error {
	for codec.HasRecord(s.key, s.record) {
		if w.full() {
			return nil
		}
		c, err := w.read(s.record, s.key, s.chunk)
		if err != nil {
			return err
		}
		if len(s.together) > 0 && w.chunksFor(s.count+c.Count, s.size+c.ValueBytes) > 1 {
			if err := s.putTogether(w); err != nil {
				return err
			}
		}
		s.together = append(s.together, c)
		s.count, s.size, s.total = s.count+c.Count, s.size+c.ValueBytes, s.total+uint64(c.Count)
		if s.key, s.chunk, err = s.chunks.Next(); err != nil {
			return err
		}
	}
	if s.total == 0 || s.total != s.entry.Count {
		return w.miscounted(s.record)
	}
	if err := s.putTogether(w); err != nil {
		return err
	}
	w.state.Records++
	w.state.Values += s.entry.Count
	w.state.Bytes += s.entry.Bytes
	if err := w.aroundNames.Around([]byte(s.record)); err != nil {
		return err
	}
	if err := w.catalogue.Put(s.record, &s.entry); err != nil {
		return err
	}
	return s.leave()
}

// leave goes on to the next record.
func (s *source) leave() (err error) {
	s.through, s.within = s.record, false
	s.name, s.data, err = s.names.Next()
	return err
}

// putTogether puts the chunks that are to become one. What is copied is held against its checksum, or the copy would take
// the place of a file that may be read better another time.
func (s *source) putTogether(w *writer) error {
	first := s.together[0]
	encoded := first.encoded
	if len(s.together) == 1 {
		if err := codec.Verify(first.key, encoded); err != nil {
			return s.guard.chunkFault(err, s.record, first.key, s.view.Offset(encoded))
		}
	} else {
		var all []codec.Entry
		for _, c := range s.together {
			var b codec.Buffer // not reused: the entries live on until they are written
			if err := w.coder.Decode(&b, c.key, c.encoded); err != nil {
				return s.guard.chunkFault(err, s.record, c.key, s.view.Offset(c.encoded))
			}
			all = append(all, b.Entries...)
		}
		encoded = w.coder.AppendChunk(nil, first.key, all)
	}
	s.together, s.count, s.size = s.together[:0], 0, 0
	return w.put(first.key, encoded)
}

// Post posts to the copy what was posted to the other tree, of the records that it has.
func (c *Copy) Post(p Posting) error {
	runs := p.Runs
	p.Runs = func(after string) iter.Seq[Run] {
		return func(yield func(Run) bool) {
			for run := range runs(after) {
				if run.Record > c.through || !yield(run) {
					return
				}
			}
		}
	}
	p.InParts = true // if not all of them are there in the end, none of the copy is
	_, err := c.to.Post(p)
	return err
}

// Prune deletes from the copy what was deleted from the other tree, of the records that it has.
func (c *Copy) Prune(gone []Gone) error {
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
func (c *Copy) prune(w *writer, gone Gone) (left uint64, err error) {
	if gone.Record > c.through {
		return 0, nil
	}
	entry, _, err := w.entry(gone.Record)
	if err != nil {
		return 0, err
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
	c.to.bolt.NoSync = false
	err = c.to.update(func(w *writer) error {
		got := w.state
		if got.Records != want.Records || got.Values != want.Values || got.Bytes != want.Bytes {
			return fmt.Errorf("%w: %s has %d records with %d values of %d bytes; its copy has %d, %d and %d", daybook.ErrCorrupt,
				c.from.path, want.Records, want.Values, want.Bytes, got.Records, got.Values, got.Bytes)
		}
		w.state.Watermark, w.state.LastSegment = want.Watermark, want.LastSegment
		return nil
	})
	if err == nil {
		err = c.to.seal() // a commit, which syncs everything before it
	}
	if err != nil {
		return nil, err
	}
	c.to.opts.copying = false
	return c.to, nil
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

// Moved says where the file is now. Nobody may use the tree meanwhile.
func (t *Tree) Moved(path string) { t.path, t.guard = path, guard(path) }
