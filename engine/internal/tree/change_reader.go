// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/pages"
	"github.com/daybook-db/daybook/index"
)

// ChangeReader reads values in the order of their sequence numbers, from chunks that are in the
// order of records and times. It looks once at the header of each chunk, and remembers the place of
// each chunk with wanted values. A batch then has the values up to a number, which is chosen so
// that they fit in memory. Of a chunk that has values after that number, only a part is decoded.
//
// A ChangeReader lives longer than a snapshot. When the tree has changed between two calls, it
// looks at the headers again.
type ChangeReader struct {
	max     changeBounds
	pattern *index.Pattern
	after   uint64 // the values up to this number have been returned
	through uint64 // the last number that is wanted
	size    int    // number of values that the next batch should have

	// What follows is known of one state of one tree.
	tree       *Tree // of the snapshot
	generation uint64
	places     placeHeap // of the values after after
	horizon    uint64    // there may be chunks after this number that have no place
	windowed   bool      // too many chunks overlap: there are no places, and each batch reads all chunks
	eager      bool      // all values before those of the chunk that is visited are in the pool
	read       []place   // whose values up to some number are in the pool
	pool       changePool
	damage     *DamagedChanges // the first damage in the order of Through; nil: none

	record  string // that is being visited
	matches bool   // the pattern matches it
	visited int    // number of chunks
}

// Change is a value of a record.
type Change struct {
	Record string
	codec.Entry
}

// DamagedChanges says that values of a record from one sequence number through another cannot be
// read. Where the damage hides the record or the numbers, Record is empty, and the range is as
// large as it can be. From may be before the numbers that the reader was asked for: a consumer that
// was interrupted within the range learns all of it.
type DamagedChanges struct {
	Record        string
	From, Through uint64
	Err           error // a *Damage
}

func (d *DamagedChanges) Error() string {
	if d.Record == "" {
		return fmt.Sprintf("values with numbers from %d to %d: %v", d.From, d.Through, d.Err)
	}
	return fmt.Sprintf("values of record %q with numbers from %d to %d: %v", d.Record, d.From, d.Through, d.Err)
}

// Unwrap returns the damage.
func (d *DamagedChanges) Unwrap() error { return d.Err }

// minBatch is the number of values of the first batch, so that the first value comes soon. Each
// further batch is larger, up to the bound.
const (
	minBatch  = 4 << 10
	batchGrow = 8
)

// NewChangeReader returns a reader of the values after a sequence number of the records that the
// pattern matches.
func NewChangeReader(pattern *index.Pattern, after uint64) *ChangeReader {
	return &ChangeReader{max: defaultChangeBounds, pattern: pattern, after: after, size: minBatch}
}

// Skip makes the reader go on after a sequence number, if that is greater than After.
func (r *ChangeReader) Skip(after uint64) {
	if after > r.after {
		r.after, r.tree = after, nil
	}
}

// After returns the sequence number up to which all values have been returned.
func (r *ChangeReader) After() uint64 { return r.after }

// Read returns the next values up to the sequence number through, or some of them, in their order.
// It reads a snapshot. The values are valid until the next call; their bytes belong to the caller.
// When it meets damage it first returns all other values up to the end of the damaged range. The
// last of them come together with the *DamagedChanges; After is then that end.
func (r *ChangeReader) Read(ctx context.Context, s *Snapshot, through uint64) (batch []Change, err error) {
	r.pool.max = r.max
	if r.tree != s.tree || r.generation != s.State.Generation || r.through != through || r.after >= r.horizon {
		r.tree, r.generation, r.through = s.tree, s.State.Generation, through
		err = r.locate(ctx, s)
	}
	limit := uint64(0)
	if err == nil {
		err = s.mapped.protect(func() (err error) { limit, err = r.gather(ctx, s); return err })
	}
	if err != nil {
		r.tree = nil
		return nil, s.mapped.describe(err)
	}
	r.after, r.size = limit, min(r.size*batchGrow, r.max.values)
	if r.damage != nil && r.damage.Through <= r.after {
		r.tree = nil
		err = r.damage
	}
	return r.pool.take(), err
}

// gather puts the values of the next batch into the pool. It returns the number up to which they
// are complete.
func (r *ChangeReader) gather(ctx context.Context, s *Snapshot) (limit uint64, err error) {
	limit = r.horizon
	if !r.windowed && !r.eager {
		r.pool.clear()
		limit = r.places.limitFor(min(r.size, r.max.values*3/4), r.max.bytes*3/4, r.after, r.horizon)
		if limit, err = r.gatherUpTo(ctx, s, limit); err != nil {
			return 0, err
		}
	}
	r.eager = false
	for i := range r.read {
		if rest, more := r.read[i].after(limit); more && !r.windowed {
			r.places.push(rest)
		}
	}
	r.read = r.read[:0]
	if len(r.places) > 0 {
		limit = max(limit, r.places[0].from-1)
	} else {
		limit = r.horizon
	}
	limit = min(limit, r.horizon)
	if r.damage != nil && r.damage.Through < limit {
		limit = r.damage.Through
		r.pool.endAt(limit)
	}
	return limit, nil
}

// gatherUpTo decodes the values of all places up to limit. It returns a smaller limit if they are
// too many. It decodes chunks in the order of their keys, so that neighbours are found at once.
func (r *ChangeReader) gatherUpTo(ctx context.Context, s *Snapshot, limit uint64) (uint64, error) {
	for len(r.places) > 0 && r.places[0].from <= limit {
		r.read = append(r.read, r.places.pop())
	}
	slices.SortFunc(r.read, func(a, b place) int { return strings.Compare(a.key, b.key) })
	values, err := s.image.Bucket(valuesBucket)
	if err != nil {
		return 0, err
	}
	chunks := values.Cursor()
	for i := range r.read {
		if err := r.checkContext(ctx); err != nil {
			return 0, err
		}
		if p := &r.read[i]; p.from <= limit {
			if err := r.decodePlace(s, chunks, p, limit); err != nil {
				return 0, err
			}
		}
		if r.pool.isFull() {
			limit = min(limit, r.pool.shrink())
		}
	}
	return limit, nil
}

// decodePlace adds the values of a place up to limit to the pool. Damage is remembered.
func (r *ChangeReader) decodePlace(s *Snapshot, chunks *pages.Cursor, p *place, limit uint64) error {
	key, chunk, err := chunks.Seek([]byte(p.key))
	if err == nil && string(key) != p.key {
		err = fmt.Errorf("%w: the chunk under key %x is missing", daybook.ErrCorrupt, p.key)
	}
	if err == nil {
		return r.decode(s, key, chunk, p, limit)
	}
	return r.remember(s.mapped.describe(err), p.record(), p.first, p.through)
}

// decode adds the values of a place up to limit to the pool, from its chunk.
func (r *ChangeReader) decode(s *Snapshot, key, chunk []byte, p *place, limit uint64) error {
	through := min(p.through, limit)
	if err := s.coder.DecodeSequences(s.buffer, key, chunk, p.from, through); err != nil {
		return r.remember(s.mapped.describeChunkOf(s.image, err, key, chunk), p.record(), p.first, p.through)
	}
	r.pool.add(s.buffer, p.record(), p.from, through)
	return nil
}

// remember remembers the damage with the least end. It returns other errors.
func (r *ChangeReader) remember(err error, record string, from, through uint64) error {
	if !errors.Is(err, daybook.ErrCorrupt) {
		return err
	}
	through = min(through, r.through)
	if r.damage == nil || through < r.damage.Through {
		r.damage = &DamagedChanges{Record: record, From: from, Through: through, Err: err}
	}
	return nil
}

// chunksPerCheck is the number of chunks that are read between two checks of the context.
const chunksPerCheck = 256

func (r *ChangeReader) checkContext(ctx context.Context) error {
	if r.visited++; r.visited%chunksPerCheck == 0 {
		return ctx.Err()
	}
	return nil
}

// locate looks at the headers of all chunks, and finds the places of the values after r.after.
// While the values are few, they go to the pool at once.
func (r *ChangeReader) locate(ctx context.Context, s *Snapshot) error {
	r.windowed = false
	if err := r.locateAll(ctx, s); err != nil {
		return err
	}
	if r.horizon > r.after || r.through <= r.after {
		return nil
	}
	r.windowed = true
	return r.locateAll(ctx, s)
}

func (r *ChangeReader) locateAll(ctx context.Context, s *Snapshot) error {
	r.forget()
	err := s.mapped.protect(func() error { return r.followCursor(ctx, s) })
	if err = s.mapped.describe(err); errors.Is(err, daybook.ErrCorrupt) {
		r.forget()
		err = s.mapped.protect(func() error { return r.walk(ctx, s) })
	}
	if err != nil {
		return s.mapped.describe(err)
	}
	r.places.init()
	return nil
}

func (r *ChangeReader) forget() {
	r.places, r.read, r.damage, r.horizon, r.eager = nil, nil, nil, r.through, true
	r.pool.clear()
	r.record, r.matches = "", false
}

// followCursor visits the chunks of the records that may match. It ends at the first damaged page.
func (r *ChangeReader) followCursor(ctx context.Context, s *Snapshot) error {
	values, err := s.image.Bucket(valuesBucket)
	if err != nil {
		return err
	}
	c := values.Cursor()
	prefix := r.pattern.Prefix()
	if r.pattern.Exact() {
		prefix += "\x00"
	}
	key, chunk, err := c.Seek([]byte(prefix))
	for err == nil && key != nil && len(key) > len(prefix) && string(key[:len(prefix)]) == prefix {
		var wanted bool
		if wanted, err = r.visit(ctx, s, key, chunk); err != nil {
			return err
		}
		if wanted {
			key, chunk, err = c.Next()
		} else {
			key, chunk, err = c.Seek(append([]byte(r.record), 1)) // after the keys of the record
		}
	}
	return err
}

// walk visits all chunks on undamaged pages.
func (r *ChangeReader) walk(ctx context.Context, s *Snapshot) error {
	values, err := s.image.Bucket(valuesBucket)
	if err != nil {
		return r.remember(s.mapped.describe(err), "", 1, s.State.MaxPosted())
	}
	return values.Walk(
		func(key, chunk []byte) error { _, err := r.visit(ctx, s, key, chunk); return err },
		func(err error) error { return r.remember(s.mapped.describe(err), "", 1, s.State.MaxPosted()) },
	)
}

// visit adds a chunk's values to the pool, or remembers their place. It reports whether the pattern
// matches the chunk's record.
func (r *ChangeReader) visit(ctx context.Context, s *Snapshot, key, chunk []byte) (wanted bool, err error) {
	if err := r.checkContext(ctx); err != nil {
		return false, err
	}
	if r.record == "" || !codec.HasRecord(key, r.record) {
		record, _, _, err := codec.SplitKey(key)
		if err != nil {
			return true, r.remember(s.mapped.describeChunkOf(s.image, err, key, chunk), "", 1, s.State.MaxPosted())
		}
		r.record = string(record)
		r.matches = r.pattern.Match(r.record)
	}
	if !r.matches {
		return false, nil
	}
	h, err := codec.ReadHeader(key, chunk)
	if err != nil {
		err = s.mapped.describeChunkOf(s.image, err, key, chunk)
		return true, r.remember(err, r.record, 1, s.State.MaxPosted())
	}
	if h.MaxSequence <= r.after || h.MinSequence > r.horizon {
		return true, nil
	}
	return true, r.take(s, key, chunk, &h)
}

// take adds the values of a chunk to the pool while all of them may fit. Otherwise it adds their
// place.
func (r *ChangeReader) take(s *Snapshot, key, chunk []byte, h *codec.Header) error {
	p := place{from: max(h.MinSequence, r.after+1), through: min(h.MaxSequence, r.through), first: h.MinSequence,
		values: h.Count, bytes: int(h.ValueBytes), key: string(key)}
	if !r.eager && !r.windowed {
		r.places = append(r.places, p)
		if r.places.isFull(r.max) {
			r.horizon = min(r.horizon, r.places.shorten())
		}
		return nil
	}
	r.read = append(r.read, p)
	if err := r.decode(s, key, chunk, &p, r.horizon); err != nil {
		return err
	}
	switch {
	case r.windowed && r.pool.isFull():
		r.horizon = min(r.horizon, r.pool.shrink())
	case !r.windowed && (len(r.pool.changes) > r.max.values/4 || r.pool.bytes > r.max.bytes/4):
		r.eager = false
		r.places, r.read = append(r.places, r.read...), nil
		r.pool.clear()
	}
	return nil
}
