// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"cmp"
	"math"

	"github.com/daybook-db/daybook/codec"
)

// spanPrune is the pruning of one record in one transaction by a rule that deletes a span of time.
// It finds the chunks in the image before the transaction, as recordPrune does.
type spanPrune struct {
	*writeTx
	record string
	span   codec.Range
	limit  uint64 // number of values in the span that may still be deleted or spared
	spare  spared
	entry  codec.CatalogueEntry // changes with each deletion

	movedNext bool // the next chunk may have got another key, so the image before does not show it
}

// pruneSpan deletes values of one record whose timestamps are in the rule's span, the oldest first,
// until the transaction is full. It reports whether there are more to delete.
func (w *writeTx) pruneSpan(
	record string, entry codec.CatalogueEntry, rule Rule, spare spared, pause func(),
) (d Deletion, more bool, err error) {
	limit := cmp.Or(rule.oldest, math.MaxUint64)
	s := spanPrune{writeTx: w, record: record, span: rule.span(), limit: limit, spare: spare, entry: entry}
	if more, err = s.pruneChunks(pause); err != nil || s.entry.Count == entry.Count {
		return d, false, err
	}
	d = Deletion{
		Record: record, NewerThan: rule.NewerThan,
		Values: entry.Count - s.entry.Count, Among: limit - s.limit, After: spare.after,
	}
	return d, more, s.updateEntry()
}

// pruneChunks prunes chunks until the transaction is full, and reports whether it is.
func (s *spanPrune) pruneChunks(pause func()) (more bool, err error) {
	c, err := s.first()
	for changed := 0; err == nil && c != nil && c.First <= s.span.End && s.limit > 0; {
		if s.movedNext || changed >= minPruneChunks && s.full() {
			return true, nil
		}
		before := s.entry.Count
		if err := s.pruneChunk(c); err != nil {
			return false, err
		}
		if s.entry.Count < before {
			changed++
			pause()
		}
		c, err = s.readAt(s.record, s.chunksBefore.Next)
	}
	return false, err
}

// first returns the record's first chunk that has values after the span's start; nil if there is
// none. The cursor moves to that chunk.
func (s *spanPrune) first() (*chunk, error) {
	start := codec.AppendLowerBound(nil, s.record, s.span.Start)
	if _, _, err := s.chunksBefore.Seek(start); err != nil {
		return nil, s.mapped.describe(err)
	}
	c, err := s.readAt(s.record, s.chunksBefore.Prev)
	if err == nil && (c == nil || c.Last < s.span.Start) {
		c, err = s.readAt(s.record, s.chunksBefore.Next)
	}
	return c, err
}

// pruneChunk deletes the values of a chunk that are in the span, unless they are spared. It decodes
// nothing if the header tells.
func (s *spanPrune) pruneChunk(c *chunk) error {
	count := uint64(c.Count)
	isInside := s.span.Contains(c.First) && s.span.Contains(c.Last) && count <= s.limit
	_, sameLoss := s.spare.counts(c.MinSequence, c.MaxSequence)
	switch {
	case isInside && s.spare.spares(c.MinSequence):
		s.limit -= count
		return nil
	case isInside && sameLoss && !s.spare.spares(c.MaxSequence):
		s.spare.addAll(c.MinSequence, count)
		s.limit -= count
		s.subtract(count, c.ValueBytes)
		return s.delete(c.key)
	}
	entries, err := s.decode(s.record, c)
	if err != nil {
		return err
	}
	if kept := s.deleteUnspared(entries); len(kept) < len(entries) {
		return s.rewrite(c, kept)
	}
	return nil
}

// deleteUnspared returns the entries without those that are in the span and not spared.
func (s *spanPrune) deleteUnspared(entries []codec.Entry) (kept []codec.Entry) {
	for i := range entries {
		e := &entries[i]
		isInside := s.limit > 0 && s.span.Contains(e.Timestamp)
		if isInside {
			s.limit--
		}
		if !isInside || s.spare.spares(e.Sequence) {
			kept = append(kept, *e)
			continue
		}
		s.spare.add(e)
		s.subtract(1, uint64(len(e.Value)))
	}
	return kept
}

// rewrite writes the remaining values of a chunk in its place.
func (s *spanPrune) rewrite(c *chunk, kept []codec.Entry) (err error) {
	if len(kept) == 0 {
		return s.delete(c.key)
	}
	g := gap{record: s.record}
	if g.left, err = s.previous(s.record, c); err != nil {
		return err
	}
	if g.right, err = s.next(s.record, c); err != nil {
		return err
	}
	s.movedNext = g.right != nil && g.right.First == kept[len(kept)-1].Timestamp
	return s.write(g, kept, [][]byte{c.key})
}

// subtract subtracts deleted values from the sums.
func (s *spanPrune) subtract(values, bytes uint64) {
	s.entry.Count -= values
	s.entry.Bytes -= bytes
	s.state.Bytes -= bytes
}

// updateEntry updates the catalogue entry of the record.
func (s *spanPrune) updateEntry() error {
	first, err := s.next(s.record, nil)
	switch {
	case err != nil:
		return err
	case (first == nil) != (s.entry.Count == 0):
		return miscounted(s.record)
	case first == nil:
		s.state.Records--
		return s.catalogue.delete(s.record)
	}
	s.entry.Oldest = first.First
	if s.span.Contains(s.entry.Newest) {
		if err := s.findNewest(); err != nil {
			return err
		}
	}
	return s.catalogue.put(s.record, &s.entry)
}

// findNewest sets the newest value in the catalogue entry to the last value that remains.
func (s *spanPrune) findNewest() error {
	last, err := s.lastStartingBy(s.record, math.MaxUint64)
	if err != nil {
		return err
	}
	if last == nil {
		return miscounted(s.record)
	}
	entries, err := s.decode(s.record, last)
	if err != nil {
		return err
	}
	newest := entries[len(entries)-1]
	s.entry.SetNewest(newest.Timestamp, newest.Sequence, newest.Value)
	return nil
}
