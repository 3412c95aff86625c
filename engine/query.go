// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"math"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/arena"
	"github.com/daybook-db/daybook/engine/internal/tree"
	"github.com/daybook-db/daybook/index"
)

// Query returns the values of all records that recordPattern matches, as params says, from one
// consistent snapshot: ordered by record name, then by time in params.Order. Several returned
// values may share one allocation of up to 64 KiB, so copy a value that you keep much longer than
// the others.
// Errors: daybook.ErrInvalidPattern, ErrInvalidParams, ErrCorrupt, ErrClosed, or ctx's.
func (db *DB) Query(
	ctx context.Context, recordPattern string, params daybook.QueryParams,
) ([]daybook.StoredValue, error) {
	var values []daybook.StoredValue
	collect := func(value daybook.StoredValue, _ error) bool { values = append(values, value); return true }
	if err := db.scan(ctx, recordPattern, params, collect, false); err != nil {
		return nil, err
	}
	return values, nil
}

// Scan yields the values that Query returns, one after another, without holding the whole result.
// It takes its snapshot when the iteration starts, and holds it until the iteration ends: the
// package documentation says what that costs. An error is yielded once, as the last element: also
// daybook.ErrSnapshotEnded, with WhenFullDropOldest, if new values need the space that the snapshot
// holds.
func (db *DB) Scan(
	ctx context.Context, recordPattern string, params daybook.QueryParams,
) iter.Seq2[daybook.StoredValue, error] {
	return func(yield func(daybook.StoredValue, error) bool) {
		if err := db.scan(ctx, recordPattern, params, yield, true); err != nil {
			yield(daybook.StoredValue{}, err)
		}
	}
}

// scan yields values until there are no more, or yield returns false. It does not yield the error
// that it returns. inLoop says that yield is the body of a loop, which may call Close.
func (db *DB) scan(
	ctx context.Context, recordPattern string, params daybook.QueryParams,
	yield func(daybook.StoredValue, error) bool, inLoop bool,
) error {
	if err := db.enter(ctx); err != nil {
		return err
	}
	leave := db.gate.leave
	defer func() { leave() }()
	ctx = db.reading(ctx)
	wanted, err := rangeOf(params)
	if err != nil {
		return err
	}
	pattern, err := index.Compile(daybook.Pattern{Text: recordPattern, Syntax: params.Syntax})
	if err != nil {
		return err
	}
	if wanted.Empty() {
		return nil
	}
	place := daybook.Place{}
	if !params.After.IsBeginning() {
		place = *params.After
	}
	snapshot, err := db.snapshotFrom(pattern, place.RecordName)
	if err != nil {
		return err
	}
	defer snapshot.close()
	if inLoop {
		leave = snapshot.iterate()
	}
	s := scanner{ctx: ctx, all: wanted, after: place, tree: snapshot.tree, iteration: snapshot.iteration, yield: yield}
	if pattern.Exact() {
		s.only = pattern.Prefix()
	}
	return snapshot.records(ctx, func(r recordContent) (bool, error) { return s.record(r) })
}

// scanner yields the values of one record after another. It merges what the tree and the heads
// have.
type scanner struct {
	ctx   context.Context
	only  string        // the only record that can match; empty: there may be several
	all   codec.Range   // of each record
	after daybook.Place // the values before it are left out
	tree  *tree.Snapshot
	yield func(daybook.StoredValue, error) bool

	iteration *iteration // nil: a call

	values arena.Values
	names  arena.Names

	name      string      // of the current record
	wanted    codec.Range // of its values
	ties      int         // number of its values that may still be left out because of their time
	remaining int         // number of its values that may still be yielded
	stopped   bool        // yield has returned false

	inHeads headCursor // the current record's values in the heads
}

// record yields a record's values, and reports whether to go on with the next record.
func (s *scanner) record(r recordContent) (more bool, err error) {
	if err := s.ctx.Err(); err != nil {
		return false, err
	}
	if !s.begin(r.name) {
		return true, nil
	}
	s.inHeads.begin(&r, s.wanted)
	if r.inTree && s.wanted.Overlaps(r.entry.Oldest, r.entry.Newest) {
		s.setName(r.name)
		if err := s.merge(&r); err != nil || s.stopped {
			return false, err
		}
	} else if !s.inHeads.done() {
		s.setName(r.name)
	}
	s.emitHeads()
	return !s.stopped, nil
}

// setName sets the name of the current record, in memory that belongs to the caller.
func (s *scanner) setName(name []byte) {
	if s.name = s.only; s.name == "" {
		s.name = s.names.Copy(name)
	}
}

// begin sets what is wanted of a record, and reports whether that may be anything. The record of
// the place has values that are left out. A limit does not count these, so more are read.
func (s *scanner) begin(record []byte) (wanted bool) {
	s.wanted, s.remaining, s.ties = s.all, s.all.MaxValues(), 0
	if string(record) > s.after.RecordName {
		return true
	}
	if string(record) < s.after.RecordName {
		return false
	}
	if s.wanted.Newest {
		s.wanted.End = min(s.wanted.End, s.after.StoredAt)
	} else {
		s.wanted.Start = max(s.wanted.Start, s.after.StoredAt)
	}
	s.ties = s.after.Ties
	if s.wanted.Limit > 0 {
		s.wanted.Limit += min(s.ties, math.MaxInt-s.wanted.Limit)
	}
	return !s.wanted.Empty()
}

// merge yields the tree's values, and the heads' values that come before or between them. The
// number of values of a record that is read to its end must be that of its catalogue entry.
func (s *scanner) merge(r *recordContent) error {
	if s.wantsNewest(&r.entry) {
		s.mergeNewest(&r.entry)
		return nil
	}
	s.tree.Seek(s.name, s.wanted)
	read := uint64(0)
	for s.remaining > 0 && !s.stopped {
		rows, err := s.next()
		if err != nil {
			return err
		}
		if rows == nil {
			if s.wanted.Unbounded() && read != r.entry.Count {
				return fmt.Errorf("%w: record %q has %d values; its catalogue entry says %d", daybook.ErrCorrupt,
					s.name, read, r.entry.Count)
			}
			return nil
		}
		read += uint64(rows.Len())
		if err := s.ctx.Err(); err != nil {
			return err
		}
		s.mergeRows(rows)
	}
	return nil
}

// wantsNewest reports whether a record's newest value is all that is wanted from the tree, and the
// catalogue has it. Then no chunk is read.
func (s *scanner) wantsNewest(e *codec.CatalogueEntry) bool {
	return s.wanted.Limit == 1 && s.wanted.Newest && e.NewestValue != nil && s.wanted.Contains(e.Newest)
}

// mergeNewest yields the newest value, which the catalogue or the heads have.
func (s *scanner) mergeNewest(e *codec.CatalogueEntry) {
	switch {
	case !s.inHeads.done() && s.inHeads.precedes(e.Newest, e.NewestSequence):
		s.emitHead()
	case s.only != "":
		s.yieldValue(e.Newest, e.NewestValue) // which Record has copied
	default:
		s.yieldValue(e.Newest, s.values.Copy(e.NewestValue))
	}
}

// mergeRows yields values of the tree, and the heads' values that come before or between them.
func (s *scanner) mergeRows(rows *codec.Rows) {
	inTree := rowCursor{rows: rows, remaining: rows.Len(), backward: s.wanted.Newest, together: s.copiesTogether(rows)}
	for inTree.remaining > 0 && !s.stopped && s.remaining > 0 {
		if !s.inHeads.done() && s.inHeads.precedes(inTree.place()) {
			s.emitHead()
		} else {
			s.emitRow(&inTree)
		}
	}
}

// next returns the record's next values in the tree; nil at the end.
func (s *scanner) next() (rows *codec.Rows, err error) {
	err = s.iteration.read(func() error { rows, err = s.tree.Next(); return err })
	return rows, err
}

// emitHeads yields the remaining values of the heads.
func (s *scanner) emitHeads() {
	for s.remaining > 0 && !s.stopped && !s.inHeads.done() {
		s.emitHead()
	}
}

// emitHead yields the next value of the heads.
func (s *scanner) emitHead() {
	e := s.inHeads.pop()
	s.yieldValue(e.Timestamp, s.copyValue(e.Value))
}

// copyValue copies a value into memory that belongs to the caller. A result of one value has no use
// for a block.
func (s *scanner) copyValue(value []byte) []byte {
	if s.only != "" && s.all.Limit == 1 {
		return bytes.Clone(value)
	}
	return s.values.Copy(value)
}

// emitRow yields the next value of the tree.
func (s *scanner) emitRow(c *rowCursor) {
	at := c.pop()
	value := c.rows.Value(at)
	if c.together == 0 {
		value = s.copyValue(value)
	} else {
		value = c.popCopy(at, len(value))
	}
	s.yieldValue(c.rows.Timestamps[at], value)
}

// yieldValue yields a value, in memory that belongs to the caller.
func (s *scanner) yieldValue(timestamp uint64, value []byte) {
	if s.ties > 0 && timestamp == s.after.StoredAt {
		s.ties--
		return
	}
	s.remaining--
	s.stopped = !s.yield(daybook.StoredValue{RecordName: s.name, Value: value, StoredAt: timestamp}, nil)
}

// copiesTogether returns the number of rows whose values are copied at once: as many as take up to
// arena.MaxOwn bytes, if they are equally long. It returns 0 if not all rows will be yielded, or if
// they are too small for an allocation of their own.
func (s *scanner) copiesTogether(rows *codec.Rows) int {
	length := len(rows.Text())
	if rows.Len() > s.remaining || length < arena.MinOwn {
		return 0
	}
	parts := (length + arena.MaxOwn - 1) / arena.MaxOwn
	return (rows.Len() + parts - 1) / parts
}

// rowCursor moves through rows, from the first or from the last. It changes numbers and no
// pointers, because the write of a pointer takes long while the garbage collector works.
type rowCursor struct {
	rows      *codec.Rows
	remaining int // number of rows
	backward  bool
	together  int // number of rows whose values are copied at once; 0: each is copied on its own
	// copies are the values of some rows, one after another, in memory that belongs to the caller.
	copies []byte
	copied int // length of the values in copies that popCopy has returned
}

// next returns the index of the next row.
func (c *rowCursor) next() int {
	if c.backward {
		return c.remaining - 1
	}
	return c.rows.Len() - c.remaining
}

// place returns the timestamp and the sequence number of the next row.
func (c *rowCursor) place() (timestamp, sequence uint64) {
	at := c.next()
	return c.rows.Timestamps[at], c.rows.Sequences[at]
}

func (c *rowCursor) pop() int {
	at := c.next()
	c.remaining--
	return at
}

// popCopy returns a copy of the value, of n bytes, of the row that pop returned last, whose index
// is at.
func (c *rowCursor) popCopy(at, n int) (value []byte) {
	if c.copied == len(c.copies) {
		c.copies, c.copied = append([]byte(nil), c.textFrom(at)...), 0
	}
	start := c.copied
	c.copied += n
	if c.backward {
		start = len(c.copies) - c.copied
	}
	return c.copies[start : start+n : start+n]
}

// textFrom returns the values of the row that pop returned last, whose index is at, and of those
// that follow: of as many rows as are copied at once, or of fewer if these take more than
// arena.MaxOwn bytes.
func (c *rowCursor) textFrom(at int) (text []byte) {
	for count := min(c.together, c.remaining+1); ; count = (count + 1) / 2 {
		if c.backward {
			text = c.rows.TextOf(at+1-count, at+1)
		} else {
			text = c.rows.TextOf(at, at+count)
		}
		if len(text) <= arena.MaxOwn || count == 1 {
			return text
		}
	}
}
