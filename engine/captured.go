// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"iter"

	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/head"
	"github.com/daybook-db/daybook/engine/internal/tree"
	"github.com/daybook-db/daybook/index"
)

// capturedHeads are both heads at one moment.
type capturedHeads struct {
	frozen, active capturedHead
	last           uint64 // sequence number of the last acknowledged value
	commits, added uint64 // as in heads
	size           int64  // memory of both heads in bytes

	postedFrom *tree.State // of the tree before the frozen head began to be posted; nil: unknown

	received []received // positions that the values moved; only captureUnposted sets it

	name []byte // that copyName returned last
}

// capturedHead is a head at one moment, without the values that are in the tree. Its views are read
// one after another, in steps that hold the heads' lock only briefly: a Store never waits until all
// records are read, nor while their names are matched.
type capturedHead struct {
	reader  *head.Reader   // nil: there is no such head, or no further view
	first   head.View      // the first remaining view; empty until peek reads it
	pattern *index.Pattern // that the names match
	inTree  *tree.State    // says which values are in the tree

	of      *head.Head // nil: there is no such head
	values  uint64     // number of its values at the moment of the capture
	bytes   uint64     // total length of their JSON
	records int        // number of their records
}

// captureHead captures a head. The caller holds its lock.
func captureHead(h *head.Head, reader *head.Reader) capturedHead {
	return capturedHead{reader: reader, of: h, values: uint64(h.Values()), bytes: h.Bytes(), records: h.Records()}
}

// isUnposted reports whether the head has values that are not in the tree.
func (c *capturedHead) isUnposted() bool { return c.reader != nil && c.values > 0 }

// leaveOutPosted leaves out the views of values that are in the tree, whose state was read after
// the capture, and the views that the pattern does not match. A head is posted after it was frozen,
// and all of its values of a record at once, so the tree has all captured values of a record or
// none.
//
// It reports whether the remaining views and the tree show one moment. They do not if the active
// head grew after the capture, was frozen, and was posted in part: the tree then has the latest
// values of some records, and neither side has those of the others.
func (c *capturedHeads) leaveOutPosted(inTree *tree.State, pattern *index.Pattern) (consistent bool) {
	if inTree.Partial.Watermark > c.last {
		return false
	}
	for _, h := range []*capturedHead{&c.frozen, &c.active} {
		h.pattern, h.inTree = pattern, inTree
		if h.reader != nil && h.reader.Last() <= inTree.Watermark {
			h.reader = nil
		}
	}
	return true
}

// peek returns the first remaining view, by record name; an empty one at the end. A view that was
// taken before is not valid any more.
func (c *capturedHead) peek(ctx context.Context) (_ *head.View, err error) {
	if c.first.Empty() && c.reader != nil {
		if c.first, err = c.reader.Next(ctx, c); err != nil {
			return nil, err
		}
		if c.first.Empty() {
			c.reader = nil
		}
	}
	return &c.first, nil
}

// Match reports whether a record's view remains: its values are not in the tree, and its name
// matches.
func (c *capturedHead) Match(record string) bool {
	return c.reader.Last() > c.inTree.PostedThrough(record) && c.pattern.Match(record)
}

// take removes and returns the first view if it is the named record's; otherwise an empty view.
// peek must have been called.
func (c *capturedHead) take(name []byte) (view head.View) {
	if c.first.Record == string(name) {
		view, c.first = c.first, head.View{}
	}
	return view
}

// firstName returns the first name of the remaining views.
func (c *capturedHeads) firstName(ctx context.Context) (name string, found bool, err error) {
	frozen, err := c.frozen.peek(ctx)
	if err != nil {
		return "", false, err
	}
	active, err := c.active.peek(ctx)
	switch {
	case err != nil:
		return "", false, err
	case frozen.Empty():
		return active.Record, !active.Empty(), nil
	case active.Empty():
		return frozen.Record, true, nil
	}
	return min(frozen.Record, active.Record), true, nil
}

// next takes the first record of the remaining views, whether or not it is in the tree. It is valid
// until the next call.
func (c *capturedHeads) next(ctx context.Context) (r recordContent, found bool, err error) {
	name, found, err := c.firstName(ctx)
	if found {
		r.name = c.copyName(name)
		c.takeViews(&r)
	}
	return r, found, err
}

// copyName returns a copy of a record's name, which is valid until the next call.
func (c *capturedHeads) copyName(record string) []byte {
	c.name = append(c.name[:0], record...)
	return c.name
}

// takeViews moves the record's views from the front of the remaining ones into r.
func (c *capturedHeads) takeViews(r *recordContent) {
	r.views[0] = c.frozen.take(r.name)
	r.views[1] = c.active.take(r.name)
}

// eachView calls fn for the remaining views of both heads, until it returns false.
func (c *capturedHeads) eachView(ctx context.Context, fn func(*head.View) bool) error {
	for _, h := range []*capturedHead{&c.frozen, &c.active} {
		for {
			view, err := h.peek(ctx)
			if err != nil {
				return err
			}
			if view.Empty() {
				break
			}
			if !fn(view) {
				return nil
			}
			h.first = head.View{}
		}
	}
	return nil
}

// entries yields the captured values, in no particular order, until ctx ends. Each iteration yields
// all of them.
func (c *capturedHeads) entries(ctx context.Context) iter.Seq[codec.Entry] {
	return c.entriesWhere(ctx, func(string) bool { return true }, func(string, uint64) bool { return true })
}

// entriesOf is entries for the records that a pattern matches.
func (c *capturedHeads) entriesOf(ctx context.Context, pattern *index.Pattern) iter.Seq[codec.Entry] {
	return c.entriesWhere(ctx, pattern.Match, func(string, uint64) bool { return true })
}

// entriesWhere is entries for the records and sequence numbers that two functions accept.
func (c *capturedHeads) entriesWhere(
	ctx context.Context, ofRecord func(string) bool, accepts func(record string, sequence uint64) bool,
) iter.Seq[codec.Entry] {
	return func(yield func(codec.Entry) bool) {
		all := *c
		all.frozen.rewind()
		all.active.rewind()
		_ = all.eachView(ctx, func(view *head.View) bool { // the caller looks at ctx
			if !ofRecord(view.Record) {
				return true
			}
			for entry := range view.Since(0) {
				if accepts(view.Record, entry.Sequence) && !yield(entry) {
					return false
				}
			}
			return true
		})
	}
}

// rewind makes all views remain again, if the last one has not been read.
func (c *capturedHead) rewind() {
	c.first = head.View{}
	if c.reader != nil {
		c.reader = c.reader.Again()
	}
}
