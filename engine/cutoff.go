// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync/atomic"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/tree"
	"github.com/daybook-db/daybook/index"
)

// cutoffSearch looks for the values that PruneParams.MaxBytes deletes. It reads the headers of all
// chunks, which can take longer than a caller waits. So the search goes on when the deadline of its
// Prune has passed, and the next Prune of the same records uses what it has found. Otherwise a
// Prune with a short deadline would begin anew each time, and never delete anything.
type cutoffSearch struct {
	context.Context
	db        *DB
	selection string
	maxBytes  uint64
	tree      *tree.Tree
	last      uint64 // sequence number of the last value that counts
	void      atomic.Bool
	abandoned atomic.Bool // no caller waits

	done       chan struct{} // closed when the fields below are set
	rule       tree.Rule
	unreadable error
	err        error
}

// Err ends the search when its result is void, or nobody waits for it but Close.
func (s *cutoffSearch) Err() error {
	if s.void.Load() || s.abandoned.Load() && s.db.gate.isClosed() {
		return context.Canceled
	}
	return nil
}

// findCutoff returns the rule that deletes the oldest values of the selection beyond maxBytes, and
// why some values could not be read. The rule is exact if it counts all values that were stored
// before the call. Otherwise it deletes only values that must be deleted, but maybe not all.
func (t *turn) findCutoff(
	ctx context.Context, pattern *index.Pattern, maxBytes uint64,
) (rule tree.Rule, exact bool, unreadable, err error) {
	last := t.db.heads.last()
	s := t.searching
	if s == nil || s.selection != t.selection || s.maxBytes != maxBytes || s.tree != t.tree() {
		t.dropSearch()
		if s, err = t.beginSearch(pattern, maxBytes); err != nil {
			return tree.Rule{}, false, nil, err
		}
		last = s.last
	}
	t.searching = s
	s.abandoned.Store(false)
	select {
	case <-s.done:
		t.searching = nil
		return s.rule, s.last >= last, s.unreadable, s.err
	case <-ctx.Done():
		s.abandoned.Store(true)
		return tree.Rule{}, false, nil, ctx.Err()
	}
}

// beginSearch begins a search of the values that are there now.
func (t *turn) beginSearch(pattern *index.Pattern, maxBytes uint64) (*cutoffSearch, error) {
	if err := t.db.gate.enter(); err != nil {
		return nil, err
	}
	s := &cutoffSearch{
		Context: context.Background(), db: t.db, selection: t.selection, maxBytes: maxBytes, tree: t.tree(),
		last: t.db.heads.last(), done: make(chan struct{}),
	}
	cutting, err := t.beginCutting(s, pattern)
	if err != nil {
		t.db.gate.leave()
		return nil, err
	}
	t.db.trees.snapshots.Add(1) // with the turn, so that measure counts it
	go func() {
		defer t.db.gate.leave()
		defer t.db.trees.snapshotClosed()
		defer cutting.Close()
		defer close(s.done)
		s.rule, s.unreadable, s.err = cutting.Find(func(uint64) uint64 { return maxBytes })
	}()
	return s, nil
}

// beginCutting begins a search of the tree's values and of those that are only in the heads.
func (t *turn) beginCutting(ctx context.Context, pattern *index.Pattern) (*tree.Cutting, error) {
	heads, err := t.captureUnposted(pattern)
	if err != nil {
		return nil, err
	}
	return t.tree().BeginCutoff(ctx, pattern, tree.ByTime, nil, heads.entries(ctx))
}

// dropSearch ends a search whose result is void: values that it counts are being deleted.
func (t *turn) dropSearch() {
	if t.searching != nil {
		t.searching.void.Store(true)
		t.searching = nil
	}
}

// prunePlace is where the last Prune stopped whose context ended. A Prune of the same selection
// begins there. If nothing but that has changed, it goes on with the rest; otherwise it looks at
// all records once.
type prunePlace struct {
	selection string
	rule      tree.Rule
	held      tree.Holds
	last      uint64 // sequence number of the last value when the Prune began
	rest      tree.Progress
	done      []tree.Rule // were finished before rule. A call with NewerThan has two rules
	damage    error       // that the rules in done have passed over
}

// resumed returns the place at which a Prune of the tree begins. isDone says that the rule was
// finished in a call that was interrupted later: the Prune has nothing to do. Otherwise a call of
// two rules whose context ends soon would look at all records by the first of them each time, and
// never finish the second.
func (t *turn) resumed(rule tree.Rule, held tree.Holds) (place prunePlace, isDone bool) {
	place, last := t.place, t.db.heads.last()
	if t.selection == "" || place.selection != t.selection {
		return prunePlace{selection: t.selection, rule: rule, held: held, last: last}, false
	}
	if place.last != last || !slices.Equal(place.held, held) {
		place.rest, place.done, place.damage = place.rest.AllFrom(), nil, nil
	} else if isDone = slices.Contains(place.done, rule); !isDone && place.rule != rule {
		place.rest = place.rest.AllFrom()
	}
	if !isDone {
		place.rule = rule
	}
	place.held, place.last = held, last
	return place, isDone
}

// remember keeps the place of a Prune that has ended, with its error.
func (t *turn) remember(ctx context.Context, place prunePlace, err error) {
	switch {
	case t.selection == "":
	case ctx.Err() != nil && errors.Is(err, ctx.Err()):
		t.place = place
	case err == nil || errors.Is(err, daybook.ErrCorrupt):
		place.done, place.rest = append(slices.Clip(place.done), place.rule), tree.Progress{}
		place.damage = cmp.Or(place.damage, err)
		t.place = place
	case t.place.selection == t.selection:
		t.place = prunePlace{}
	}
}

// forgetPlace forgets the place of a Prune that was not interrupted: it has no rest.
func (t *turn) forgetPlace(ctx context.Context, err error) {
	if ctx.Err() == nil || !errors.Is(err, ctx.Err()) {
		if t.place.selection == t.selection {
			t.place = prunePlace{}
		}
	}
}
