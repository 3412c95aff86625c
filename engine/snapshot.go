// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"math"
	"slices"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/head"
	"github.com/daybook-db/daybook/engine/internal/tree"
	"github.com/daybook-db/daybook/index"
)

// rangeOf validates the parameters of a query, and returns which values of each record they ask for.
func rangeOf(params daybook.QueryParams) (codec.Range, error) {
	if err := params.Validate(); err != nil {
		return codec.Range{}, err
	}
	wanted := codec.Range{
		End:    math.MaxUint64,
		Limit:  params.LimitPerRecord,
		Newest: params.Order == daybook.NewestFirst,
	}
	if params.StartTime != nil {
		wanted.Start = *params.StartTime
	}
	if params.EndTime != nil {
		wanted.End = *params.EndTime
	}
	return wanted, nil
}

// snapshot is the whole store as it was at one moment: the tree, and views of the heads that are not in it.
type snapshot struct {
	db      *DB
	tree    *tree.Snapshot
	pattern *index.Pattern
	captured
}

// captured are views of the heads at one moment.
type captured struct {
	frozen, active         []head.View // by record name
	frozenLast, activeLast uint64      // the greatest sequence number of each head
	last                   uint64      // of all that was acknowledged
}

// snapshot takes one of the records that pattern matches. It must be closed.
//
// The heads are captured before the tree's transaction begins. What was posted in between is then at or below
// the watermark that the transaction reads, and is left out; in the other order it would be in neither.
func (db *DB) snapshot(pattern *index.Pattern) (*snapshot, error) {
	return db.snapshotWith(pattern, viewsOf(pattern))
}

// snapshotWith is snapshot for those of the heads' views that captureFrom returns.
func (db *DB) snapshotWith(pattern *index.Pattern, captureFrom func(*head.Head) []head.View) (*snapshot, error) {
	for {
		s := &snapshot{db: db, pattern: pattern, captured: db.capture(captureFrom)}
		var err error
		if s.tree, err = db.treeSnapshot(); err != nil {
			return nil, err
		}
		db.scans.Add(1)
		if s.leaveOutPosted(&s.tree.State, pattern) {
			return s, nil
		}
		s.close()
	}
}

func (db *DB) treeSnapshot() (*tree.Snapshot, error) {
	db.treeMu.RLock()
	defer db.treeMu.RUnlock()
	return db.tree.Snapshot()
}

// capture captures the heads, of each what captureFrom returns.
func (db *DB) capture(captureFrom func(*head.Head) []head.View) (c captured) {
	db.mu.RLock()
	defer db.mu.RUnlock()
	if db.frozen != nil {
		c.frozen, c.frozenLast = captureFrom(db.frozen), db.frozen.LastSequence()
	}
	c.active, c.activeLast = captureFrom(db.active), db.active.LastSequence()
	c.last = db.lastSequence
	return c
}

// viewsOf returns views of the records that start as the pattern does. The matching, which a hostile pattern makes slow,
// is for later, when mu is not held.
func viewsOf(pattern *index.Pattern) func(*head.Head) []head.View {
	return func(h *head.Head) []head.View {
		if !pattern.Exact() {
			return h.CapturePrefix(pattern.Prefix())
		}
		if view := h.Capture(pattern.Prefix()); !view.Empty() {
			return []head.View{view}
		}
		return nil
	}
}

// everything matches every record.
var everything = func() *index.Pattern {
	pattern, err := index.CompileGlob("*")
	if err != nil {
		panic(err)
	}
	return pattern
}()

// leaveOutPosted leaves out the views that do not match, or are in the tree, which was looked at later. A head is
// posted after it was frozen, and all of a record at once, so of a record everything that was captured is there or
// nothing. It reports whether what is left and the tree make one moment: not when the active head grew, was frozen, and was
// posted in part, since the tree then has the end of some records and nobody has that of the others.
func (c *captured) leaveOutPosted(inTree *tree.State, pattern *index.Pattern) (consistent bool) {
	if inTree.Part.Watermark > c.last {
		return false
	}
	left := func(views []head.View, last uint64) []head.View {
		if last <= inTree.Watermark {
			return nil
		}
		return slices.DeleteFunc(views, func(view head.View) bool {
			return last <= inTree.Posted(view.Record) || !pattern.Match(view.Record)
		})
	}
	c.frozen, c.active = left(c.frozen, c.frozenLast), left(c.active, c.activeLast)
	return true
}

func (s *snapshot) close() {
	s.tree.Close()
	s.db.scans.Add(-1)
}

// record is what a snapshot holds of one record.
type record struct {
	name   []byte // valid until the next record
	inTree bool
	entry  codec.CatalogueEntry // if in the tree
	views  [2]head.View         // of the frozen and the active head; empty where they have nothing
}

// records calls fn for every record, by name, until it returns false.
func (s *snapshot) records(ctx context.Context, fn func(record) (more bool, err error)) error {
	walk := s.tree.Records(s.pattern)
	name, entry, found, err := walk.Next(ctx)
	for err == nil && (found || len(s.frozen)+len(s.active) > 0) {
		r := record{name: name, inTree: found, entry: entry}
		if first, ok := s.firstInHeads(); ok && (!found || first < string(name)) {
			r = record{name: []byte(first)}
		}
		s.takeViews(&r)
		if more, err := fn(r); !more || err != nil {
			return err
		}
		if r.inTree {
			name, entry, found, err = walk.Next(ctx)
		}
	}
	return err
}

// firstInHeads returns the least name in the heads.
func (s *snapshot) firstInHeads() (name string, ok bool) {
	switch {
	case len(s.frozen) == 0 && len(s.active) == 0:
		return "", false
	case len(s.frozen) == 0:
		return s.active[0].Record, true
	case len(s.active) == 0:
		return s.frozen[0].Record, true
	}
	return min(s.frozen[0].Record, s.active[0].Record), true
}

// nextInHeads takes the first record off the heads, whether or not it is in the tree.
func (s *snapshot) nextInHeads() record {
	name, _ := s.firstInHeads()
	r := record{name: []byte(name)}
	s.takeViews(&r)
	return r
}

// takeViews moves the record's views from the front of the heads' into it.
func (s *snapshot) takeViews(r *record) {
	takeView(&s.frozen, &r.views[0], r.name)
	takeView(&s.active, &r.views[1], r.name)
}

// takeView moves the first of views into place if it is the named record's.
func takeView(views *[]head.View, place *head.View, name []byte) {
	if len(*views) > 0 && (*views)[0].Record == string(name) {
		*place, *views = (*views)[0], (*views)[1:]
	}
}

// headEntries appends the record's values that are wanted and in the heads, in order. The limit applies to each
// head on its own.
func (r *record) headEntries(dst []codec.Entry, wanted codec.Range) []codec.Entry {
	dst = r.views[0].Entries(dst, wanted)
	cut := len(dst)
	dst = r.views[1].Entries(dst, wanted)
	if cut > 0 && cut < len(dst) && dst[cut-1].Compare(dst[cut]) > 0 {
		return codec.Merge(dst[:cut], dst[cut:], codec.Entry.Compare)
	}
	return dst
}
