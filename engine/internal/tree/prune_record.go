// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"fmt"
	"math"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/codec"
)

// recordPrune is the pruning of one record in one transaction. It goes through the record's chunks
// from the oldest on. It finds them in the image before the transaction, which has not changed this
// record yet.
type recordPrune struct {
	tx     *writeTx
	record string
	rule   Rule
	spare  spared
	entry  codec.CatalogueEntry

	byAge, byCount uint64 // number of oldest values that the rule deletes at most by age, and at least
	passed         uint64 // number of values that were deleted or spared
	deleted        uint64
	oldest, newest *chunk // the first and the last chunk of spared values; nil: none
	movedNext      bool   // the next chunk got another key, so the image before does not show it
}

// prune deletes values of one record until the transaction is full, and reports whether there are
// more to delete.
func (w *writeTx) prune(
	record string, entry codec.CatalogueEntry, rule Rule, spare spared, pause func(),
) (d Deletion, more bool, err error) {
	if err := w.nameGuard.VerifyAround([]byte(record)); err != nil {
		return d, false, err
	}
	if rule.NewerThan > 0 {
		return w.pruneSpan(record, entry, rule, spare, pause)
	}
	if rule.StoredThrough > 0 {
		spare.after = min(spare.after, rule.StoredThrough)
	}
	p := recordPrune{tx: w, record: record, rule: rule, spare: spare, entry: entry}
	p.byAge, p.byCount = rule.limits(entry.Count)
	next, more, err := p.pruneChunks(pause)
	if err != nil || p.deleted == 0 {
		return d, more, err
	}
	d = Deletion{Record: record, Values: p.deleted, Among: p.passed, After: spare.after}
	return d, more, p.updateEntry(next)
}

// pruneChunks prunes chunks until the transaction is full. It returns the first chunk that it did
// not pass as a whole; nil at the record's end.
func (p *recordPrune) pruneChunks(pause func()) (next *chunk, more bool, err error) {
	w := p.tx
	c, err := w.readAt(p.record, func() ([]byte, []byte, error) {
		// The records before this one, by name, were the ones before it in the transaction.
		w.bound = codec.AppendLowerBound(w.bound[:0], p.record, 0)
		return w.chunksBefore.Advance(w.bound)
	})
	if err != nil {
		return nil, false, err
	}
	for changed := 0; c != nil; {
		if more = p.movedNext || changed >= minPruneChunks && w.full(); more {
			return c, true, nil
		}
		n, err := p.countAffected(c)
		if n == 0 || err != nil {
			return c, false, err
		}
		before := p.deleted
		rest, err := p.pruneChunk(c, n)
		if err != nil {
			return nil, false, err
		}
		if p.deleted > before {
			changed++
			pause()
		}
		p.passed += n
		if n < uint64(c.Count) {
			return rest, false, nil
		}
		p.keep(rest)
		if c, err = w.readAt(p.record, w.chunksBefore.Next); err != nil {
			return nil, false, err
		}
	}
	return nil, false, nil
}

// countAffected returns how many of the oldest values of a chunk the rule deletes, unless they are
// spared: up to byAge values by age, or byCount values whatever their age, if that is more.
// The values that StoredThrough does not delete are spared ones.
func (p *recordPrune) countAffected(c *chunk) (uint64, error) {
	old, err := uint64(c.Count), error(nil)
	if p.rule.StoredThrough == 0 || p.rule.OlderThan > 0 {
		old, err = p.tx.countDeleted(p.record, c, p.rule)
	}
	byAge, byCount := p.byAge-min(p.byAge, p.passed), p.byCount-min(p.byCount, p.passed)
	return max(min(old, byAge), min(uint64(c.Count), byCount)), err
}

// keep remembers a chunk of spared values; nil: all values of a chunk were deleted.
func (p *recordPrune) keep(c *chunk) {
	if c == nil {
		return
	}
	if p.oldest == nil {
		p.oldest = c
	}
	p.newest = c
}

// pruneChunk deletes those of the n oldest values of a chunk that are not spared, and returns the
// chunk of its remaining values; nil if there are none. It decodes nothing if the header tells.
func (p *recordPrune) pruneChunk(c *chunk, n uint64) (rest *chunk, err error) {
	someLost, sameLoss := p.spare.counts(c.MinSequence, c.MaxSequence)
	switch {
	case p.spare.spares(c.MinSequence):
		return c, nil
	case p.spare.spares(c.MaxSequence):
	case n == uint64(c.Count) && sameLoss:
		p.spare.addAll(c.MinSequence, n)
		p.subtract(n, c.ValueBytes)
		return nil, p.tx.delete(c.key)
	case !someLost && p.newest == nil:
		return p.cutOldest(c, n)
	}
	return p.deleteUnspared(c, n)
}

// subtract subtracts deleted values from the sums.
func (p *recordPrune) subtract(values, bytes uint64) {
	p.deleted += values
	p.entry.Bytes -= bytes
	p.tx.state.Bytes -= bytes
}

// cutOldest deletes the n oldest values of a chunk, which has more, without decoding the others.
// The record must have no chunk before it.
func (p *recordPrune) cutOldest(c *chunk, n uint64) (rest *chunk, err error) {
	if rest, err = p.tx.tail(p.record, c, n); err != nil {
		return nil, err
	}
	p.subtract(n, c.ValueBytes-rest.ValueBytes)
	key := codec.Key{Record: p.record, Timestamp: rest.First}
	return rest, p.replace(c, rest, key)
}

// deleteUnspared is pruneChunk with a chunk that must be decoded.
func (p *recordPrune) deleteUnspared(c *chunk, n uint64) (rest *chunk, err error) {
	entries, err := p.tx.decode(p.record, c)
	if err != nil {
		return nil, err
	}
	kept, size := entries[:0:0], uint64(0)
	for i := range entries {
		if e := &entries[i]; uint64(i) >= n || p.spare.spares(e.Sequence) {
			kept = append(kept, *e)
		} else {
			size += uint64(len(e.Value))
			p.spare.add(e)
		}
	}
	if len(kept) == len(entries) {
		return c, nil
	}
	p.subtract(uint64(len(entries)-len(kept)), size)
	if len(kept) == 0 {
		return nil, p.tx.delete(c.key)
	}
	key := keyAfter(p.record, p.newest, kept[0].Timestamp)
	if key.Ordinal == math.MaxUint32 {
		return nil, tooManyChunks(key)
	}
	encodedKey := key.Append(nil)
	rest, err = p.tx.read(p.record, encodedKey, p.tx.coder.AppendChunk(nil, encodedKey, kept))
	if err != nil {
		return nil, err
	}
	return rest, p.replace(c, rest, key)
}

// replace writes the chunk of a chunk's remaining values in its place.
func (p *recordPrune) replace(c, rest *chunk, key codec.Key) (err error) {
	g := gap{record: p.record, left: p.newest}
	if rest.First == c.Last { // otherwise the next chunk starts at a later timestamp
		if g.right, err = p.tx.next(p.record, c); err != nil {
			return err
		}
		p.movedNext = g.right != nil && g.right.First == key.Timestamp && g.right.ordinal <= key.Ordinal
	}
	return p.tx.replace(g, []codec.EncodedChunk{{Key: rest.key, Chunk: rest.encoded}}, key, [][]byte{c.key})
}

// updateEntry updates the catalogue entry after a deletion. next is the first chunk that was not
// passed; nil if all were.
func (p *recordPrune) updateEntry(next *chunk) error {
	all := p.entry.Count
	p.entry.Count -= p.deleted
	if (next == nil) != (p.passed == all) {
		return miscounted(p.record)
	}
	oldest := p.oldest
	if oldest == nil {
		oldest = next
	}
	if oldest == nil {
		p.tx.state.Records--
		return p.tx.catalogue.delete(p.record)
	}
	p.entry.Oldest = oldest.First
	if next == nil {
		entries, err := p.tx.decode(p.record, p.newest)
		if err != nil {
			return err
		}
		last := entries[len(entries)-1]
		p.entry.SetNewest(last.Timestamp, last.Sequence, last.Value)
	}
	return p.tx.catalogue.put(p.record, &p.entry)
}

func miscounted(record string) error {
	return fmt.Errorf("%w: the catalogue entry of record %q does not agree with its chunks", daybook.ErrCorrupt, record)
}
