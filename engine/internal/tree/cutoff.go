// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"cmp"
	"context"
	"iter"
	"math"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/pages"
	"github.com/daybook-db/daybook/index"
)

// Sizes yields the timestamps of values and how many bytes each takes.
type Sizes = iter.Seq2[uint64, uint64]

// Cutoff returns the least timestamp from which on the values of the records that the pattern matches, and those that are
// beside the tree, take at most keep bytes of JSON; 0 if all of them do. Most of it is told by the chunks' headers: only
// those chunks are decoded that reach over what is left of the doubt.
func (t *Tree) Cutoff(ctx context.Context, pattern *index.Pattern, keep uint64, beside Sizes) (cutoff uint64, err error) {
	err = t.view(func(_ *bbolt.Tx, v *pages.View) error {
		s := &search{ctx: ctx, guard: t.guard, view: v, coder: t.coder, pattern: pattern, beside: beside}
		cutoff, err = s.cutoff(keep)
		return err
	})
	return cutoff, err
}

// search looks for a timestamp below which values take some bytes together, and more than that with those at it.
type search struct {
	ctx     context.Context
	guard   guard
	view    *pages.View
	coder   *codec.Coder
	buffer  codec.Buffer
	pattern *index.Pattern
	beside  Sizes
}

// stretch is what a chunk's header tells.
type stretch struct{ first, last, bytes uint64 }

func (s *search) cutoff(keep uint64) (uint64, error) {
	var stretches []stretch
	total := uint64(0)
	err := s.chunks(func(_, _ []byte, header *codec.Header) error {
		stretches = append(stretches, stretch{header.First, header.Last, header.ValueBytes})
		total += header.ValueBytes
		return nil
	})
	for at, bytes := range s.beside {
		stretches = append(stretches, stretch{at, at, bytes})
		total += bytes
	}
	if err != nil || total <= keep {
		return 0, err
	}
	// Less than remove lies before low, and at least so much before high.
	remove := total - keep
	low := reach(stretches, remove, func(c stretch) uint64 { return c.first })
	high := reach(stretches, remove, func(c stretch) uint64 { return c.last })
	for high = min(high, math.MaxUint64-1) + 1; high-low > 1; {
		if low, high, err = s.narrow(low, high, remove); err != nil {
			return 0, err
		}
	}
	return high, nil
}

// reach returns where the chunks up to it have so many bytes together, if each stood where at says.
func reach(stretches []stretch, bytes uint64, at func(stretch) uint64) uint64 {
	slices.SortFunc(stretches, func(a, b stretch) int { return cmp.Compare(at(a), at(b)) })
	sum := uint64(0)
	for _, c := range stretches {
		if sum += c.bytes; sum >= bytes {
			return at(c)
		}
	}
	return math.MaxUint64
}

// mostSlots is into how many slots narrow divides time.
const mostSlots = 4096

// narrow brings low and high nearer to one another.
func (s *search) narrow(low, high, remove uint64) (uint64, uint64, error) {
	width := (high-low-1)/mostSlots + 1
	slots, before := make([]uint64, mostSlots), uint64(0)
	add := func(at, bytes uint64) {
		if at < low {
			before += bytes
		} else if at < high {
			slots[(at-low)/width] += bytes
		}
	}
	err := s.chunks(func(key, chunk []byte, header *codec.Header) error {
		switch {
		case header.Last < low:
			before += header.ValueBytes
			return nil
		case header.First >= high:
			return nil
		case header.First >= low && header.Last < high && (header.First-low)/width == (header.Last-low)/width:
			slots[(header.First-low)/width] += header.ValueBytes
			return nil
		}
		if err := s.coder.Decode(&s.buffer, key, chunk); err != nil {
			return err
		}
		for _, e := range s.buffer.Entries {
			add(e.Timestamp, uint64(len(e.Value)))
		}
		return nil
	})
	for at, bytes := range s.beside {
		add(at, bytes)
	}
	for i, bytes := range slots {
		if before += bytes; before >= remove {
			from := low + uint64(i)*width
			return from, from + min(width, high-from), err
		}
	}
	return high - 1, high, err
}

// chunks visits the chunks of the matching records.
func (s *search) chunks(visit func(key, chunk []byte, header *codec.Header) error) error {
	values, records, err := buckets(s.view)
	if err != nil {
		return err
	}
	names, chunks := index.NewCursor(records.Cursor(), s.pattern, ""), values.Cursor()
	for {
		name, _, err := nextMatch(s.ctx, names)
		if name == nil || err != nil {
			return err
		}
		if err := s.ctx.Err(); err != nil {
			return err
		}
		record := string(name)
		key, chunk, err := chunks.Seek(codec.AppendLowerBound(nil, record, 0))
		for ; err == nil && codec.HasRecord(key, record); key, chunk, err = chunks.Next() {
			header, err := codec.ReadHeader(key, chunk)
			if err == nil {
				err = visit(key, chunk, &header)
			}
			if err != nil {
				return s.guard.chunkFault(err, record, key, s.view.Offset(chunk))
			}
		}
		if err != nil {
			return err
		}
	}
}
