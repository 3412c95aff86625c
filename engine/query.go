// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"fmt"
	"iter"
	"strings"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/tree"
	"github.com/daybook-db/daybook/index"
)

// Query returns the values of all records that recordPattern matches, as params says: ordered by record
// name, then by time in params.Order, from one consistent snapshot. Several of the returned values may
// share one allocation of up to 64 KiB, so copy one that is kept long after the rest.
// Errors: daybook.ErrInvalidPattern, ErrInvalidParams, ErrCorrupt, ErrClosed, or ctx's.
func (db *DB) Query(ctx context.Context, recordPattern string, params daybook.QueryParams) ([]daybook.StoredValue, error) {
	var values []daybook.StoredValue
	for value, err := range db.Scan(ctx, recordPattern, params) {
		if err != nil {
			return nil, err
		}
		values = append(values, value)
	}
	return values, nil
}

// Scan yields what Query would return, without ever holding the whole result. The snapshot is taken when
// the iteration starts, and held until it ends: see the package documentation for what that costs. An
// error is yielded once, as the last element.
func (db *DB) Scan(ctx context.Context, recordPattern string, params daybook.QueryParams) iter.Seq2[daybook.StoredValue, error] {
	return func(yield func(daybook.StoredValue, error) bool) {
		if err := db.scan(ctx, recordPattern, params, yield); err != nil {
			yield(daybook.StoredValue{}, err)
		}
	}
}

// scan yields values until there are no more or yield returns false. An error it returns has not been
// yielded.
func (db *DB) scan(ctx context.Context, recordPattern string, params daybook.QueryParams, yield func(daybook.StoredValue, error) bool) error {
	if err := db.enter(ctx); err != nil {
		return err
	}
	defer db.gate.leave()
	wanted, err := rangeOf(params)
	if err != nil {
		return err
	}
	pattern, err := index.Compile(recordPattern, params.Syntax)
	if err != nil {
		return err
	}
	if wanted.Empty() {
		return nil
	}
	snapshot, err := db.snapshot(pattern)
	if err != nil {
		return err
	}
	defer snapshot.close()
	s := scanner{ctx: ctx, wanted: wanted, tree: snapshot.tree, yield: yield}
	return snapshot.records(ctx, func(r record) (bool, error) { return s.record(r) })
}

// scanner yields one record after another.
type scanner struct {
	ctx    context.Context
	wanted codec.Range // of each record
	tree   *tree.Snapshot
	yield  func(daybook.StoredValue, error) bool

	arena arena
	names names
	name  string // of the record being yielded
	left  int    // how many of its values may still be yielded

	head       []codec.Entry  // scratch for what the heads hold of it
	newest     [1]codec.Entry // what the catalogue holds of it, if that is all that is wanted
	catalogued bool           // the tree's next entries are newest
	stopped    bool
}

// record yields a record's values, and reports whether to go on with the next.
func (s *scanner) record(r record) (more bool, err error) {
	if err := s.ctx.Err(); err != nil {
		return false, err
	}
	s.head = r.headEntries(s.head[:0], s.wanted)
	s.left = s.wanted.MaxValues()
	head := cursor{entries: s.head, backward: s.wanted.Newest}
	if r.inTree && s.wanted.Overlaps(r.entry.Oldest, r.entry.Newest) {
		s.name = s.names.keep(r.name)
		if err := s.merge(&head, r); err != nil || s.stopped {
			return false, err
		}
	} else if len(s.head) > 0 {
		s.name = s.names.keep(r.name)
	}
	s.emitAll(&head)
	return !s.stopped, nil
}

// merge yields the tree's values, and those of the heads that come before or between them. A record that is
// read to its end must have as many as the catalogue says.
func (s *scanner) merge(head *cursor, r record) error {
	s.seek(r)
	read := uint64(0)
	for s.left > 0 && !s.stopped {
		entries, err := s.next()
		if err != nil {
			return err
		}
		if entries == nil {
			if s.wanted.Unbounded() && read != r.entry.Count {
				return fmt.Errorf("%w: record %q has %d values; its catalogue entry says %d", daybook.ErrCorrupt, s.name, read, r.entry.Count)
			}
			return nil
		}
		read += uint64(len(entries))
		if err := s.ctx.Err(); err != nil {
			return err
		}
		chunk := cursor{entries: entries, backward: s.wanted.Newest, kept: s.keep(len(entries))}
		for !chunk.done() && !s.stopped && s.left > 0 {
			if !head.done() && head.peek().before(chunk.peek(), s.wanted.Newest) {
				s.emit(head)
			} else {
				s.emit(&chunk)
			}
		}
	}
	return nil
}

// seek has next return the record's values from the tree. When only the newest is wanted and the catalogue
// has it, no chunk is read.
func (s *scanner) seek(r record) {
	e := &r.entry
	s.catalogued = s.wanted.Limit == 1 && s.wanted.Newest && e.NewestValue != nil && s.wanted.Contains(e.Newest)
	if s.catalogued {
		s.newest[0] = codec.Entry{Timestamp: e.Newest, Sequence: e.NewestSequence, Value: e.NewestValue}
		return
	}
	s.tree.Seek(s.name, s.wanted)
}

// next returns the record's next values from the tree, nil at the end.
func (s *scanner) next() ([]codec.Entry, error) {
	if s.catalogued {
		return s.newest[:], nil // which is as many as are wanted
	}
	return s.tree.Next()
}

// emitAll yields the rest of a cursor.
func (s *scanner) emitAll(c *cursor) {
	for s.left > 0 && !c.done() && !s.stopped {
		s.emit(c)
	}
}

// emit yields a cursor's next value, in memory that is the caller's to keep.
func (s *scanner) emit(c *cursor) {
	e := c.pop()
	value := e.Value
	if c.kept == nil {
		value = s.arena.copy(value)
	} else {
		value = c.popKept(len(value))
	}
	s.left--
	s.stopped = !s.yield(daybook.StoredValue{RecordName: s.name, Value: value, StoredAt: e.Timestamp}, nil)
}

// keep copies the values that next has returned, count of them, at once, if they will all be yielded and are worth an
// allocation of their own.
func (s *scanner) keep(count int) []byte {
	if s.catalogued || count > s.left {
		return nil
	}
	values := s.tree.Values()
	if len(values) < leastKept || len(values) > mostArena {
		return nil
	}
	return append([]byte(nil), values...)
}

// cursor walks ordered entries, from the front or from the back.
type cursor struct {
	entries  []codec.Entry
	backward bool
	kept     []byte // their values, one behind the other, in memory that is the caller's; nil: nobody has copied them yet
}

func (c *cursor) done() bool { return len(c.entries) == 0 }

func (c *cursor) peek() entry {
	if c.backward {
		return entry{&c.entries[len(c.entries)-1]}
	}
	return entry{&c.entries[0]}
}

func (c *cursor) pop() *codec.Entry {
	e := c.peek().Entry
	if c.backward {
		c.entries = c.entries[:len(c.entries)-1]
	} else {
		c.entries = c.entries[1:]
	}
	return e
}

// popKept takes the value of the entry that was popped last, of n bytes.
func (c *cursor) popKept(n int) (value []byte) {
	if c.backward {
		cut := len(c.kept) - n
		value, c.kept = c.kept[cut:len(c.kept):len(c.kept)], c.kept[:cut]
		return value
	}
	value, c.kept = c.kept[:n:n], c.kept[n:]
	return value
}

type entry struct{ *codec.Entry }

// before reports whether e comes before other in the direction.
func (e entry) before(other entry, backward bool) bool {
	order := e.Compare(*other.Entry)
	if backward {
		return order > 0
	}
	return order < 0
}

// names hands out strings from blocks, as arena does bytes.
type names struct {
	block strings.Builder
	size  int
}

func (n *names) keep(name []byte) string {
	if len(name) > n.block.Cap()-n.block.Len() {
		n.size = min(max(2*n.size, leastArena), mostArena)
		n.block = strings.Builder{}
		n.block.Grow(max(n.size, len(name)))
	}
	start := n.block.Len()
	n.block.Write(name)
	return n.block.String()[start:]
}

const (
	leastArena = 512
	mostArena  = 64 << 10
	leastKept  = 4 << 10
)

// arena hands out memory for values from blocks, so that a large result takes few allocations, and a small
// one little memory.
type arena struct {
	block []byte
	size  int // of the next block
}

func (a *arena) copy(value []byte) []byte {
	if len(value) > cap(a.block)-len(a.block) {
		a.size = min(max(2*a.size, leastArena), mostArena)
		a.block = make([]byte, 0, max(a.size, len(value)))
	}
	start := len(a.block)
	a.block = append(a.block, value...)
	return a.block[start:len(a.block):len(a.block)]
}
