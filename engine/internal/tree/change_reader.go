// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/pages"
	"github.com/daybook-db/daybook/index"
)

// ChangeReader reads values in the order of their sequence numbers, from chunks that are in the
// order of records and times. It looks once at the header of each chunk, and remembers the place of
// each chunk with wanted values. It then collects the values up to a number, which is chosen so
// that they fit in memory, and returns them in batches. Of a chunk that has values after that
// number, only a part is decoded.
//
// A ChangeReader lives longer than a snapshot. When the tree has changed between two calls, it
// looks at the headers again.
type ChangeReader struct {
	max       changeBounds
	pattern   *index.Pattern
	after     uint64 // the values up to this number have been returned
	collected uint64 // the values up to this number have been returned, or are in the pool
	through   uint64 // the last number that is wanted
	size      int    // number of values to collect next
	pool      changePool
	damage    *DamagedChanges // the first damage in the order of Through; nil: none

	// What follows is known of one tree after one of its transactions.
	tree        *Tree // nil: nothing is known
	transaction uint64
	places      placeList // of the values after collected
	horizon     uint64    // there may be chunks after this number that have no place
	windowed    bool      // too many chunks overlap: there are no places, and all chunks are read each time
	window      uint64    // how many numbers are then collected next
	overlapping int       // number of chunks with values up to horizon

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

// minBatch is the number of values that are collected first, so that the first value comes soon.
// Each further time they are more, up to the bound.
const (
	minBatch  = 1 << 10
	batchGrow = 16
)

// NewChangeReader returns a reader of the values after a sequence number of the records that the
// pattern matches.
func NewChangeReader(pattern *index.Pattern, after uint64) *ChangeReader {
	return &ChangeReader{max: defaultChangeBounds, pattern: pattern, after: after, collected: after, size: minBatch}
}

// Skip makes the reader go on after a sequence number, if that is greater than After.
func (r *ChangeReader) Skip(after uint64) {
	if after > r.after {
		r.restart(after)
	}
}

// restart makes the reader go on after a number, and forget everything else.
func (r *ChangeReader) restart(after uint64) {
	r.after, r.collected, r.tree, r.damage = after, after, nil, nil
	r.pool.clear()
}

// After returns the sequence number up to which all values have been returned.
func (r *ChangeReader) After() uint64 { return r.after }

// Read returns the next values up to the sequence number through, or some of them, in their order.
// It reads a snapshot. The values are valid until the next call; their bytes belong to the caller.
//
// When it meets damage it first returns all other values up to the end of the damaged range. The
// last of them come together with the *DamagedChanges; After is then that end.
func (r *ChangeReader) Read(ctx context.Context, s *Snapshot, through uint64) (batch []Change, err error) {
	if r.tree != s.tree {
		r.restart(r.after)
	}
	met := r.damage != nil && r.damage.Through <= r.collected // and not returned yet
	if r.pool.isEmpty() && r.collected < through && !met {
		if err := r.collect(ctx, s, through); err != nil {
			r.restart(r.after)
			return nil, s.mapped.describe(err)
		}
	}
	batch = r.pool.take(through)
	r.after = max(r.after, min(r.collected, through, r.pool.next()-1))
	if damage := r.damage; damage != nil && damage.Through <= r.after {
		r.tree, r.damage = nil, nil
		return batch, damage
	}
	return batch, nil
}

// collect puts the next values into the pool, and moves collected.
func (r *ChangeReader) collect(ctx context.Context, s *Snapshot, through uint64) error {
	r.pool.max = r.max
	r.pool.clear()
	isKnown := r.tree == s.tree && r.transaction == s.image.Tx() && r.through == through
	if !isKnown || r.collected >= r.horizon {
		r.windowed = r.windowed && r.overlapping > r.max.places
		r.tree, r.transaction, r.through = s.tree, s.image.Tx(), through
		if err := r.locate(ctx, s); err != nil {
			return err
		}
	}
	if r.windowed {
		r.endWindow()
	} else if err := s.mapped.protect(func() error { return r.gather(ctx, s) }); err != nil {
		return err
	}
	if r.damage != nil && r.damage.Through < r.collected {
		r.collected = r.damage.Through
		r.pool.endAt(r.collected)
	}
	r.pool.sort()
	return nil
}

// gather collects the values of the places up to a number.
func (r *ChangeReader) gather(ctx context.Context, s *Snapshot) error {
	fit := amount{values: float64(min(r.size, r.max.values/16*15)), memory: float64(r.max.memory / 8 * 7)}
	limit, values := r.places.limitFor(fit, r.collected, r.horizon)
	r.pool.reserve(values)
	limit, err := r.gatherUpTo(ctx, s, limit)
	if err != nil {
		return err
	}
	r.collected = min(max(limit, r.places.compact()-1), r.horizon)
	r.size = min(r.size*batchGrow, r.max.values)
	return nil
}

// gatherUpTo decodes the values of all places up to limit. It returns a smaller limit if they are
// too many.
func (r *ChangeReader) gatherUpTo(ctx context.Context, s *Snapshot, limit uint64) (uint64, error) {
	values, err := s.image.Bucket(valuesBucket)
	if err != nil {
		return 0, err
	}
	chunks := values.Cursor()
	for i := range r.places {
		if r.places[i].from > limit {
			continue
		}
		if err := r.checkContext(ctx); err != nil {
			return 0, err
		}
		if err := r.decodePlace(s, chunks, i, limit); err != nil {
			return 0, err
		}
		if r.pool.isFull() {
			limit = min(limit, r.pool.shrink(r.places))
		}
	}
	return limit, nil
}

// decodePlace moves the values of a place up to limit to the pool. Damage is remembered.
func (r *ChangeReader) decodePlace(s *Snapshot, chunks *pages.Cursor, index int, limit uint64) error {
	p := &r.places[index]
	from, through := p.from, min(p.through, limit)
	p.from = noValue
	wanted := p.key.in(s.image)
	key, chunk, err := chunks.Advance(wanted)
	if err == nil && !bytes.Equal(key, wanted) {
		err = fmt.Errorf("%w: the chunk under key %x is missing", daybook.ErrCorrupt, wanted)
	}
	if err != nil {
		return r.remember(s.mapped.describe(err), "", 1, p.through)
	}
	later, err := s.coder.DecodeSequences(s.buffer, key, chunk, from, through)
	if err != nil {
		return r.rememberChunk(s, err, key, chunk)
	}
	if !codec.HasRecord(key, r.record) {
		r.record = string(recordOf(key))
	}
	taken := r.pool.add(s.buffer, changeSource{r.record, index}, from, through)
	p.keep(later.Next, later.Count, taken)
	return nil
}

// recordOf returns the record of a valid key.
func recordOf(key []byte) []byte {
	record, _, _ := bytes.Cut(key, []byte{0})
	return record
}

// rememberChunk remembers the damage of a chunk.
func (r *ChangeReader) rememberChunk(s *Snapshot, err error, key, chunk []byte) error {
	err = s.mapped.describeChunkOf(s.image, err, key, chunk)
	record, _, _, _ := codec.SplitKey(key) // none if the key names none
	if h, headerErr := codec.ReadHeader(key, chunk); headerErr == nil {
		return r.remember(err, string(record), h.MinSequence, h.MaxSequence)
	}
	return r.remember(err, string(record), 1, s.State.MaxPosted())
}

// remember remembers the damage with the least end; of damages with the same end, one range that
// covers both. It returns other errors.
func (r *ChangeReader) remember(err error, record string, from, through uint64) error {
	if !errors.Is(err, daybook.ErrCorrupt) {
		return err
	}
	through = min(through, r.through)
	switch {
	case r.damage == nil || through < r.damage.Through:
		r.damage = &DamagedChanges{Record: record, From: from, Through: through, Err: err}
	case through == r.damage.Through:
		r.damage.From = min(from, r.damage.From)
		if record != r.damage.Record {
			r.damage.Record = ""
		}
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
