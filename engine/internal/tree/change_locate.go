// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"context"
	"errors"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/codec"
)

// locate looks at the headers of all chunks, and finds the places of the values after collected. If
// too many chunks overlap, it collects the values of a window instead.
func (r *ChangeReader) locate(ctx context.Context, s *Snapshot) error {
	if !r.windowed {
		err := r.locateAll(ctx, s)
		if err != nil || r.horizon > r.collected || r.through <= r.collected {
			return err
		}
		r.windowed, r.window = true, uint64(r.max.values)
	}
	return r.locateAll(ctx, s)
}

func (r *ChangeReader) locateAll(ctx context.Context, s *Snapshot) error {
	r.forget()
	err := s.mapped.protect(func() error { return r.followCursor(ctx, s) })
	if err = s.mapped.describe(err); errors.Is(err, daybook.ErrCorrupt) {
		r.forget()
		err = s.mapped.describe(s.mapped.protect(func() error { return r.walk(ctx, s) }))
	}
	return err
}

func (r *ChangeReader) forget() {
	r.places, r.damage, r.horizon, r.overlapping = r.places[:0], nil, r.through, 0
	if r.windowed && r.window < r.through-r.collected {
		r.horizon = r.collected + r.window
	}
	r.pool.clear()
	r.record, r.matches = "", false
}

// endWindow ends a window with all of its values in the pool. The next one is so large that it
// about fills the pool.
func (r *ChangeReader) endWindow() {
	filled := max(float64(len(r.pool.values))/float64(r.max.values), float64(r.pool.memory)/float64(r.max.memory))
	r.window = 1 + uint64(float64(r.horizon-r.collected)*min(0.75/filled, 4))
	r.collected = r.horizon
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

// visit remembers the place of a chunk's values, or collects them. It reports whether the pattern
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
		return true, r.rememberChunk(s, err, key, chunk)
	}
	switch {
	case h.MaxSequence <= r.collected || h.MinSequence > r.horizon:
	case r.windowed:
		err = r.collectChunk(s, key, chunk)
	default:
		r.addPlace(s, key, &h)
	}
	return true, err
}

// addPlace adds the place of a chunk's values after collected. If there are too many places, it
// moves the horizon.
func (r *ChangeReader) addPlace(s *Snapshot, key []byte, h *codec.Header) {
	p := place{key: newKeyPlace(s.image, key), from: h.MinSequence, through: h.MaxSequence,
		values: uint32(h.Count), bytes: uint32(h.ValueBytes)}
	p.cut(r.collected, r.through)
	r.places = append(r.places, p)
	if r.places.isFull(r.max) {
		r.horizon = min(r.horizon, r.places.shorten())
	}
}

// collectChunk collects a chunk's values up to the horizon. If they are too many, it moves the
// horizon.
func (r *ChangeReader) collectChunk(s *Snapshot, key, chunk []byte) error {
	r.overlapping++
	if _, err := s.coder.DecodeSequences(s.buffer, key, chunk, r.collected+1, r.horizon); err != nil {
		return r.rememberChunk(s, err, key, chunk)
	}
	r.pool.add(s.buffer, changeSource{r.record, noPlace}, r.collected+1, r.horizon)
	if r.pool.isFull() {
		r.horizon = min(r.horizon, r.pool.shrink(nil))
	}
	return nil
}
