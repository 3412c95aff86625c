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

// rangeOf validates the parameters of a query, and returns which values of each record they ask
// for.
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

// snapshot is the whole store at one moment: the tree, and views of the values in the heads that
// are not in the tree.
type snapshot struct {
	db      *DB
	tree    *tree.Snapshot
	pattern *index.Pattern
	capturedHeads
}

// capturedHeads are views of both heads at one moment.
type capturedHeads struct {
	frozen, active         []head.View // by record name
	frozenLast, activeLast uint64      // the greatest sequence number of each head
	last                   uint64      // sequence number of the last acknowledged value
}

// snapshot takes a snapshot of the records that pattern matches. The caller must close it.
//
// The heads are captured before the tree's transaction begins. Values that a checkpoint posts in
// between are not above the watermark that the transaction reads, so their views are left out. In
// the other order such values would be in neither.
func (db *DB) snapshot(pattern *index.Pattern) (*snapshot, error) {
	return db.snapshotWith(pattern, viewsOf(pattern))
}

// snapshotWith is snapshot with those views of the heads that captureFrom returns.
func (db *DB) snapshotWith(pattern *index.Pattern, captureFrom func(*head.Head) []head.View) (*snapshot, error) {
	for {
		heads := db.heads.capture(captureFrom)
		inTree, err := db.trees.snapshot()
		if err != nil {
			return nil, err
		}
		s := &snapshot{db: db, tree: inTree, pattern: pattern, capturedHeads: heads}
		if s.leaveOutPosted(&s.tree.State, pattern) {
			return s, nil
		}
		s.close()
	}
}

// viewsOf returns views of the records whose names begin with the pattern's prefix. It does not
// match the names, because that may take long with a hostile pattern, and it is called under the
// heads' lock.
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

// allRecords matches every record.
var allRecords = func() *index.Pattern {
	pattern, err := index.CompileGlob("*")
	if err != nil {
		panic(err)
	}
	return pattern
}()

// compileOrAll compiles a pattern. One without a text matches every record.
func compileOrAll(pattern daybook.Pattern) (*index.Pattern, error) {
	if pattern.Text == "" {
		return allRecords, nil
	}
	return index.Compile(pattern.Text, pattern.Syntax)
}

// leaveOutPosted removes the views of values that are in the tree, whose state was read after the
// capture, and the views that the pattern does not match. A head is posted after it was frozen, and
// all of its values of a record at once, so the tree has all captured values of a record or none.
//
// It reports whether the remaining views and the tree show one moment. They do not if the active
// head grew after the capture, was frozen, and was posted in part: the tree then has the latest
// values of some records, and neither side has those of the others.
func (c *capturedHeads) leaveOutPosted(inTree *tree.State, pattern *index.Pattern) (consistent bool) {
	if inTree.Partial.Watermark > c.last {
		return false
	}
	unposted := func(views []head.View, last uint64) []head.View {
		if last <= inTree.Watermark {
			return nil
		}
		return slices.DeleteFunc(views, func(view head.View) bool {
			return last <= inTree.PostedThrough(view.Record) || !pattern.Match(view.Record)
		})
	}
	c.frozen, c.active = unposted(c.frozen, c.frozenLast), unposted(c.active, c.activeLast)
	return true
}

func (s *snapshot) close() {
	s.tree.Close()
	s.db.trees.snapshotClosed()
}

// recordContent is what a snapshot holds of one record.
type recordContent struct {
	name   []byte // valid until the next record
	inTree bool
	entry  codec.CatalogueEntry // of the catalogue, if the record is in the tree
	views  [2]head.View         // of the frozen and the active head; empty if the head has no values of it
}

// records calls fn for each record, by name, until fn returns false.
func (s *snapshot) records(ctx context.Context, fn func(recordContent) (more bool, err error)) error {
	names := s.tree.Records(s.pattern)
	name, entry, found, err := names.Next(ctx)
	for err == nil {
		r := recordContent{name: name, inTree: found, entry: entry}
		first, inHeads := s.firstInHeads()
		switch {
		case !found && !inHeads:
			return nil
		case inHeads && (!found || first < string(name)):
			r = recordContent{name: []byte(first)}
		}
		s.takeViews(&r)
		if more, err := fn(r); !more || err != nil {
			return err
		}
		if r.inTree {
			name, entry, found, err = names.Next(ctx)
		}
	}
	return err
}

// firstInHeads returns the first name of the remaining views.
func (s *snapshot) firstInHeads() (name string, found bool) {
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

// nextInHeads takes the first record of the remaining views, whether or not it is in the tree.
func (s *snapshot) nextInHeads() (r recordContent, found bool) {
	name, found := s.firstInHeads()
	if found {
		r.name = []byte(name)
		s.takeViews(&r)
	}
	return r, found
}

// takeViews moves the record's views from the front of the remaining ones into r.
func (s *snapshot) takeViews(r *recordContent) {
	r.views[0] = takeView(&s.frozen, r.name)
	r.views[1] = takeView(&s.active, r.name)
}

// takeView removes and returns the first of views if it is the named record's; otherwise an empty
// view.
func takeView(views *[]head.View, name []byte) (view head.View) {
	if len(*views) > 0 && (*views)[0].Record == string(name) {
		view, *views = (*views)[0], (*views)[1:]
	}
	return view
}

// headEntries appends the record's wanted entries in the heads, in order, and at most as many as
// wanted asks for from each head.
func (r *recordContent) headEntries(dst []codec.Entry, wanted codec.Range) []codec.Entry {
	dst = r.views[0].Entries(dst, wanted)
	cut := len(dst)
	dst = r.views[1].Entries(dst, wanted)
	if cut > 0 && cut < len(dst) && dst[cut-1].Compare(dst[cut]) > 0 {
		return codec.Merge(dst[:cut], dst[cut:], codec.Entry.Compare)
	}
	return dst
}
