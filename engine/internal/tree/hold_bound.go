// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"context"
	"iter"
	"math"

	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/index"
)

// LastStored returns the sequence number after which the values of the matching records take at
// most maxBytes of JSON: the smallest one that is not before after. others are values outside the
// tree that count too. Values that cannot be read do not count.
func (s *Snapshot) LastStored(
	ctx context.Context, pattern *index.Pattern, after, maxBytes uint64, others iter.Seq[codec.Entry],
) (from uint64, err error) {
	search := s.search(ctx, pattern, others)
	search.order, search.after = ByStored, after
	err = s.mapped.protect(func() error {
		return search.searchAll(func() error {
			stretches, all, err := search.readHeaders()
			if from = after; err != nil || all <= maxBytes {
				return err
			}
			// Values up to after have the place 0. If only they must be left out, the rest fits.
			search.remove = all - maxBytes
			place, err := search.search(stretches, 0, math.MaxUint64)
			from = max(place, after)
			return err
		})
	})
	return from, s.mapped.describe(err)
}

func (s *Snapshot) search(ctx context.Context, pattern *index.Pattern, others iter.Seq[codec.Entry]) cutoffSearch {
	return cutoffSearch{
		ctx: ctx, mapped: s.mapped, image: s.image, coder: s.coder, pattern: pattern, others: others,
	}
}

// StoredAfter returns the number of the matching records' values with sequence numbers after a
// number, and the length of their JSON. others are values outside the tree that count too.
func (s *Snapshot) StoredAfter(
	ctx context.Context, pattern *index.Pattern, after uint64, others iter.Seq[codec.Entry],
) (values, bytes uint64, err error) {
	search := s.search(ctx, pattern, others)
	err = s.mapped.protect(func() error {
		return search.each(func(h codec.Header, key, chunk []byte) {
			switch {
			case h.MaxSequence <= after:
			case h.MinSequence > after:
				values, bytes = values+uint64(h.Count), bytes+h.ValueBytes
			default:
				if err := search.coder.Decode(&search.buffer, key, chunk); err != nil {
					search.skipChunk(err, key, chunk)
					return
				}
				for _, e := range search.buffer.Entries {
					if e.Sequence > after {
						values, bytes = values+1, bytes+uint64(len(e.Value))
					}
				}
			}
		})
	})
	if err == nil {
		err = search.skipped
	}
	return values, bytes, s.mapped.describe(err)
}

// Notes returns the notes at the moment of the snapshot.
func (s *Snapshot) Notes() (notes Notes, err error) {
	err = s.mapped.protect(func() error {
		notes, err = readNotes(s.image)
		return err
	})
	return notes, s.mapped.describe(err)
}
