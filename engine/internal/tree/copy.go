// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/pages"
)

// Copy is an incomplete copy of a tree. It gets the tree's records in the order of their names, in
// chunks that are filled up, and has no free pages between them. A copy takes one step after
// another. Between two steps the tree may be written to, if each write is repeated on the copy with
// Post or Prune. Nothing of the copy is durable before Finish.
type Copy struct {
	from, to *Tree
	position copyPosition
}

// copyPosition says what a copy has: all records before record, and of that record the values that
// the rule before deletes.
type copyPosition struct {
	record string
	before Rule
}

// afterAllNames is greater than every name, because names are UTF-8.
const afterAllNames = "\xff"

// Copy begins a copy in a new file at path.
func (t *Tree) Copy(path string) (*Copy, error) {
	opts := t.opts
	opts.Existing, opts.copying = false, true
	to, err := Open(t.mapped.fs, path, opts)
	if err != nil {
		return nil, err
	}
	to.bolt.NoSync = true
	return &Copy{from: t, to: to}, nil
}

// Step copies as much as one transaction takes, and reports whether the copy is complete.
func (c *Copy) Step(ctx context.Context) (done bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	err = c.from.view(func(_ *bbolt.Tx, image *pages.Image) error {
		s, err := c.source(image)
		if err == nil {
			err = c.to.update(func(w *writeTx) error {
				return c.from.mapped.protect(func() error { return s.copyRecords(w) })
			})
		}
		if err == nil {
			c.position, done = s.position, s.name == nil
		}
		return err
	})
	return done, err
}

// Post repeats on the copy what was posted to the tree.
func (c *Copy) Post(p Posting) error {
	runs := p.Runs
	p.Runs = func(after string) iter.Seq[Run] {
		return func(yield func(Run) bool) {
			for run := range runs(after) {
				if run.Record > c.position.record {
					return
				}
				if run.Record == c.position.record {
					run.Values = c.position.before.deleted(run.Values)
				}
				if !yield(run) {
					return
				}
			}
		}
	}
	p.Notes = nil       // Finish copies all notes
	p.AllowParts = true // a copy in which only a part of the runs was posted is never finished
	_, err := c.to.Post(p)
	return err
}

// Prune repeats on the copy what was deleted from the tree.
func (c *Copy) Prune(deletions []Deletion) error {
	deletions = slices.Clone(deletions) // the transactions below count them down
	for len(deletions) > 0 {
		err := c.to.update(func(w *writeTx) error {
			for len(deletions) > 0 && !w.full() {
				more, err := c.prune(w, &deletions[0])
				if more || err != nil { // a record is pruned once in a transaction
					return err
				}
				deletions = deletions[1:]
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// prune repeats a deletion until the transaction is full, counts it down, and reports whether there
// is more to delete.
func (c *Copy) prune(w *writeTx, d *Deletion) (more bool, err error) {
	if d.Record > c.position.record {
		return false, nil
	}
	entry, found, err := w.entry(d.Record)
	if err != nil {
		return false, err
	}
	rule := Rule{NewerThan: d.NewerThan, oldest: min(d.Among, entry.Count)}
	var repeated Deletion
	if found {
		if repeated, more, err = w.prune(d.Record, entry, rule, spared{after: d.After}, func() {}); err != nil {
			return false, err
		}
	}
	w.state.Values -= repeated.Values
	d.Among -= repeated.Values
	d.Values -= min(repeated.Values, d.Values)
	if !more && d.Values > 0 && d.Record < c.position.record { // otherwise they were deleted before they were copied
		return false, miscounted(d.Record)
	}
	return more, nil
}

// Finish makes the copy durable, and returns it. The copy must be complete.
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
		return nil, fmt.Errorf("%w: %s has %d records with %d values of %d bytes; its copy has %d, %d and %d",
			daybook.ErrCorrupt, c.from.mapped, want.Records, want.Values, want.Bytes,
			got.Records, got.Values, got.Bytes)
	}
	notes, err := c.from.Notes()
	if err != nil {
		return nil, err
	}
	return c.to, c.seal(want, notes)
}

// seal makes the copy durable, with the watermark, the notes and the identity of the tree that it
// was copied from, and with its own place.
func (c *Copy) seal(from State, notes Notes) error {
	c.to.bolt.NoSync = false
	c.to.SetIdentity(c.from.NextIdentity())
	err := c.to.update(func(w *writeTx) error {
		w.state.Watermark, w.state.Partial, w.state.LastSegment = from.Watermark, from.Partial, from.LastSegment
		return w.putNotes(notes)
	})
	if err == nil {
		err = c.to.seal() // this commit syncs everything before it
	}
	if err == nil {
		c.to.opts.copying = false
	}
	return err
}

// Size returns the size of the copy's file, in bytes.
func (c *Copy) Size() int64 {
	info, err := c.to.file.Stat()
	if err != nil {
		return 0
	}
	return info.Size()
}

// IsAt reports whether a path leads to the copy's file.
func (c *Copy) IsAt(path string) (bool, error) { return c.to.IsAt(path) }

// Close closes the copy's file. The copy must not be used any more.
func (c *Copy) Close() error { return c.to.closeBolt() }
