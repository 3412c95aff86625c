// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"cmp"
	"context"
	"sync"

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
	start, end := params.Bounds()
	return codec.Range{
		Start:  start,
		End:    end,
		Limit:  params.LimitPerRecord,
		Newest: params.Order == daybook.NewestFirst,
	}, nil
}

// snapshot is the whole store at one moment: the tree, and views of the values in the heads that
// are not in the tree.
type snapshot struct {
	db        *DB
	tree      *tree.Snapshot
	pattern   *index.Pattern
	from      string     // the least name of a record
	iteration *iteration // that the snapshot belongs to; nil: it belongs to a call
	capturedHeads
}

// snapshot takes a snapshot of the records that pattern matches. The caller must close it.
//
// The heads are captured before the tree's transaction begins. Values that a checkpoint posts in
// between are not above the watermark that the transaction reads, so their views are left out. In
// the other order such values would be in neither.
func (db *DB) snapshot(pattern *index.Pattern) (*snapshot, error) {
	return db.snapshotWith(pattern, viewsOf(pattern, ""))
}

// snapshotFrom is snapshot without the records whose names are less than from.
func (db *DB) snapshotFrom(pattern *index.Pattern, from string) (*snapshot, error) {
	s, err := db.snapshotWith(pattern, viewsOf(pattern, from))
	if err == nil {
		s.from = from
	}
	return s, err
}

// snapshotWith is snapshot with the views of the heads' readers that readerOf returns.
func (db *DB) snapshotWith(
	pattern *index.Pattern, readerOf func(*head.Head, sync.Locker) *head.Reader,
) (*snapshot, error) {
	for {
		heads := db.heads.capture(readerOf)
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

// viewsOf returns readers of the records whose names begin with the pattern's prefix and are not
// less than from. They do not match the names, because that may take long with a hostile pattern,
// and they read under the heads' lock. The reader of a single record takes no notice of from, and a
// head that does not have the record needs no reader.
func viewsOf(pattern *index.Pattern, from string) func(*head.Head, sync.Locker) *head.Reader {
	return func(h *head.Head, lock sync.Locker) *head.Reader {
		if pattern.Exact() {
			if !h.Has(pattern.Prefix()) {
				return nil
			}
			return h.ReadRecord(lock, pattern.Prefix())
		}
		return h.ReadPrefixFrom(lock, pattern.Prefix(), from)
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
// Errors: those of index.Compile.
func compileOrAll(pattern daybook.Pattern) (*index.Pattern, error) {
	if pattern.Text == "" {
		return allRecords, pattern.Syntax.Validate()
	}
	return index.Compile(pattern)
}

func (s *snapshot) close() {
	if s.iteration != nil {
		s.iteration.finish()
	} else {
		s.end()
	}
	s.tree.Release()
}

func (s *snapshot) end() {
	s.tree.End()
	s.db.trees.snapshotClosed()
}

// iterate makes the running call an iteration, as long as the snapshot is open. It returns the
// function that ends the call.
func (s *snapshot) iterate() (leave func()) {
	if s.iteration = s.db.gate.iterate(s.end); s.iteration == nil {
		return s.db.gate.leave
	}
	return func() {}
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
	if s.pattern.Exact() {
		return s.oneRecord(ctx, fn)
	}
	names := s.tree.RecordsFrom(s.pattern, s.from)
	var name []byte
	var entry codec.CatalogueEntry
	var found bool
	next := func() (err error) { name, entry, found, err = names.Next(ctx); return err }
	err := s.iteration.read(next)
	for {
		if err != nil {
			return err
		}
		r := recordContent{name: name, inTree: found, entry: entry}
		first, inHeads, failed := s.firstName(ctx)
		if failed = cmp.Or(failed, s.iteration.check()); failed != nil {
			return failed
		}
		switch {
		case !found && !inHeads:
			return nil
		case inHeads && (!found || first < string(name)):
			r = recordContent{name: s.copyName(first)}
		}
		s.takeViews(&r)
		if more, err := fn(r); !more || err != nil {
			return err
		}
		if r.inTree {
			err = s.iteration.read(next)
		}
	}
}

// oneRecord is records for a pattern that matches one name. It needs no cursor over the names.
func (s *snapshot) oneRecord(ctx context.Context, fn func(recordContent) (more bool, err error)) error {
	name := s.pattern.Prefix()
	if name < s.from {
		return nil
	}
	r := recordContent{name: []byte(name)}
	err := s.iteration.read(func() (err error) { r.entry, r.inTree, err = s.tree.Record(name); return err })
	if err != nil {
		return err
	}
	_, inHeads, err := s.firstName(ctx)
	if err = cmp.Or(err, s.iteration.check()); err != nil || !r.inTree && !inHeads {
		return err
	}
	s.takeViews(&r)
	_, err = fn(r)
	return err
}
