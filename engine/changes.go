// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"cmp"
	"context"
	"iter"
	"math"
	"slices"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/head"
)

const (
	// Changes come out of the tree by so many sequence numbers, of which more are missing the more was deleted, and about so
	// many bytes of JSON at a time. Each time takes a look at every chunk's header, and decodes those that reach into it.
	mostChanges     = 128 << 10
	mostChangeBytes = 8 << 20
)

// Changes yields every value behind params.After, in the order of their sequence numbers, and ends with the last one
// that was acknowledged when the iteration began. What was deleted meanwhile is left out. Sequence
// numbers stay the same across restarts, compactions and restored backups, so whoever forwards values to another store
// remembers the last one that arrived there, and goes on behind it; Watch says when there is something new.
//
// No snapshot is held while the loop runs, which may take as long as it likes, and may call other methods. A value that is
// stored under Interval or OS may be lost in a power cut after it was yielded, and its number given to another; call Sync
// before Changes where that matters. An error is yielded once, as the last element.
// Errors: daybook.ErrCorrupt, ErrClosed, or ctx's.
func (db *DB) Changes(ctx context.Context, params daybook.ChangesParams) iter.Seq2[daybook.Change, error] {
	return func(yield func(daybook.Change, error) bool) {
		if err := db.yieldChanges(ctx, params.After, yield); err != nil {
			yield(daybook.Change{}, err)
		}
	}
}

// yieldChanges yields changes until there are no more or yield returns false. An error it returns has not been yielded.
func (db *DB) yieldChanges(ctx context.Context, after uint64, yield func(daybook.Change, error) bool) error {
	if err := db.enter(ctx); err != nil {
		return err
	}
	defer db.gate.leave()
	db.mu.RLock()
	through := db.lastSequence
	db.mu.RUnlock()
	for window := uint64(mostChanges); after < through; {
		c := changes{after: after, through: after + min(window, through-after), next: through + 1}
		if err := db.collect(ctx, &c); err != nil {
			return err
		}
		for _, change := range c.list {
			if err := ctx.Err(); err != nil {
				return err
			}
			if !yield(change, nil) {
				return nil
			}
		}
		after = c.through
		if len(c.list) == 0 {
			after = max(after, c.next-1)
		}
		if len(c.list) < mostChanges/4 && c.bytes < mostChangeBytes/4 {
			window = min(2*window, math.MaxUint64/2) // much was deleted
		} else {
			window = mostChanges
		}
	}
	return nil
}

// collect collects the first changes, from one consistent snapshot.
func (db *DB) collect(ctx context.Context, c *changes) error {
	s, err := db.snapshotWith(everything, func(h *head.Head) []head.View { return h.CaptureSince(c.after) })
	if err != nil {
		return err
	}
	defer s.close()
	for _, views := range [][]head.View{s.frozen, s.active} {
		for i := range views {
			for entry := range views[i].Since(c.after) {
				c.add(views[i].Record, entry)
			}
		}
	}
	if s.tree.State.Highest() > c.after {
		if err := c.addTree(ctx, s); err != nil {
			return err
		}
	}
	c.sort()
	return nil
}

func (c *changes) addTree(ctx context.Context, s *snapshot) error {
	walk, err := s.tree.Changes(c.after, c.through)
	if err != nil {
		return err
	}
	for {
		record, entries, err := walk.Read(ctx)
		if len(entries) == 0 || err != nil {
			c.next = min(c.next, walk.Next)
			return err
		}
		for _, entry := range entries {
			c.add(record, entry)
		}
		walk.Through = c.through
	}
}

// changes are those between two sequence numbers, as far as they are collected at once.
type changes struct {
	after, through uint64
	next           uint64 // where there may be a value behind them
	list           []daybook.Change
	bytes          int
	arena          arena
}

// add adds a value if it is one of those. Whenever there are twice as many bytes as wanted, only the first half is left.
func (c *changes) add(record string, e codec.Entry) {
	if e.Sequence <= c.after || e.Sequence > c.through {
		if e.Sequence > c.through {
			c.next = min(c.next, e.Sequence)
		}
		return
	}
	c.list = append(c.list, daybook.Change{
		StoredValue: daybook.StoredValue{RecordName: record, Value: c.arena.copy(e.Value), StoredAt: e.Timestamp},
		Sequence:    e.Sequence,
	})
	if c.bytes += len(e.Value); c.bytes >= 2*mostChangeBytes {
		c.cut()
	}
}

func (c *changes) sort() {
	slices.SortFunc(c.list, func(a, b daybook.Change) int { return cmp.Compare(a.Sequence, b.Sequence) })
}

// cut leaves the first ones, in fresh memory.
func (c *changes) cut() {
	c.sort()
	all := c.list
	c.list, c.bytes, c.arena = nil, 0, arena{}
	for _, change := range all {
		if len(c.list) > 0 && c.bytes+len(change.Value) > mostChangeBytes {
			break
		}
		change.Value = c.arena.copy(change.Value)
		c.list, c.bytes = append(c.list, change), c.bytes+len(change.Value)
	}
	c.through = c.list[len(c.list)-1].Sequence
}
