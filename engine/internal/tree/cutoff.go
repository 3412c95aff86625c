// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"bytes"
	"cmp"
	"context"
	"iter"
	"math"
	"slices"

	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/pages"
	"github.com/daybook-db/daybook/index"
)

// Order says which values are the oldest.
type Order int

const (
	ByTime   Order = iota // by timestamp, then by sequence number
	ByStored              // by sequence number: those that were stored first
)

// Cutoff returns the Rule that deletes the oldest values of the records that the pattern matches,
// until the rest takes at most keep(all) bytes of JSON, where all is what they take together. It
// returns the zero Rule if nothing must be deleted. others are values outside the tree that count
// too.
//
// Only chunks that may have values on both sides of the cut are decoded. A chunk that cannot be
// decoded is deleted as a whole if its newest value must be. A chunk whose header or page cannot be
// read does not count: skipped is the first error of that kind. Nor do values count that holds
// spare; others must have none of those. Nor do the keepNewest newest values of each record in the
// tree: how many bytes the others of a chunk take is an estimate then.
func (t *Tree) Cutoff(
	ctx context.Context, pattern *index.Pattern, order Order, keep func(all uint64) uint64,
	holds Holds, keepNewest uint64, others iter.Seq[codec.Entry],
) (rule Rule, skipped, err error) {
	c, err := t.BeginCutoff(ctx, pattern, order, holds, others)
	if err != nil {
		return Rule{}, nil, err
	}
	defer c.Close()
	c.search.keepNewest = keepNewest
	return c.Find(keep)
}

// Cutting is a Cutoff of the values that were there when it began. While it is open, the pages of
// that moment are not overwritten, as with a Snapshot.
type Cutting struct {
	readTx
	search cutoffSearch
}

// BeginCutoff begins a Cutoff. The caller must close it.
func (t *Tree) BeginCutoff(
	ctx context.Context, pattern *index.Pattern, order Order, holds Holds, others iter.Seq[codec.Entry],
) (c *Cutting, err error) {
	err = t.beginRead(func(r readTx) error {
		c = &Cutting{readTx: r, search: cutoffSearch{
			ctx: ctx, mapped: t.mapped, image: r.image, coder: t.coder, pattern: pattern, order: order,
			holds: holds, others: others,
		}}
		return nil
	})
	return c, err
}

// Find returns what Cutoff returns.
func (c *Cutting) Find(keep func(all uint64) uint64) (rule Rule, skipped, err error) {
	mapped := c.tree.mapped
	err = mapped.describe(mapped.protect(func() error {
		return c.search.searchAll(func() (err error) {
			rule, err = c.search.find(keep)
			return err
		})
	}))
	return rule, c.search.skipped, err
}

// Close ends the Cutoff.
func (c *Cutting) Close() { c.end() }

// searchAll calls search. If that meets a damaged page, it calls search once more, for all chunks
// that can be read.
func (s *cutoffSearch) searchAll(search func() error) error {
	err := search()
	if err == nil && s.skipped != nil { // seeking by name ends at a damaged page
		s.allChunks = true
		err = search()
	}
	return err
}

// cutoffSearch looks for the newest value to delete: first for its timestamp, and then, among the
// values with that timestamp, for its sequence number. ByStored it looks for the sequence number at
// once. Either number is called a place here. The
// chunks' headers give bounds of the place. Between them the search adds up the bytes of values per
// slot of places, and goes on with the slot that has the place, until the bounds are equal.
type cutoffSearch struct {
	ctx     context.Context
	mapped  mappedFile
	image   *pages.Image
	coder   *codec.Coder
	buffer  codec.Buffer
	pattern *index.Pattern
	order   Order
	others  iter.Seq[codec.Entry]

	holds        Holds  // the values that they spare do not count
	sparedRecord string // the record that spared is of
	spared       spared

	keepNewest uint64 // this number of the newest values of each record do not count
	older      uint64 // number of the record's next values that are not among them

	after uint64 // ByStored: sequence numbers up to this are the place 0

	allChunks bool  // read the chunks of all records, and skip damaged pages
	skipped   error // why the first page or chunk was skipped

	remove                   uint64 // bytes
	tied                     bool   // the timestamp is known, and places are sequence numbers
	timestamp                uint64
	minSequence, maxSequence uint64 // of the values that may have the timestamp; of all until it is known
}

// stretch is some values, all of which lie between two places, and their size in bytes.
type stretch struct{ first, last, size uint64 }

func (s *cutoffSearch) find(keep func(all uint64) uint64) (Rule, error) {
	s.tied = false
	stretches, all, err := s.readHeaders()
	if err != nil || all <= keep(all) {
		return Rule{}, err
	}
	s.remove = all - keep(all)
	if s.order == ByStored {
		sequence, err := s.search(stretches, s.minSequence, s.maxSequence)
		return Rule{StoredThrough: sequence}, err
	}
	timestamp, err := s.search(stretches, 0, math.MaxUint64)
	if err != nil {
		return Rule{}, err
	}
	s.tied, s.timestamp = true, timestamp
	if stretches, _, err = s.readHeaders(); err != nil {
		return Rule{}, err
	}
	sequence, err := s.search(stretches, s.minSequence, s.maxSequence)
	return Rule{OlderThan: timestamp, StoredBefore: sequence + 1}, err
}

// readHeaders returns a stretch for each chunk and for each of the other values, and the sum of
// their bytes. When the timestamp is known, there is one stretch for everything older, and none for
// anything newer. Few values have the timestamp, so few stretches must be sorted.
func (s *cutoffSearch) readHeaders() (stretches []stretch, all uint64, err error) {
	s.minSequence, s.maxSequence = math.MaxUint64, 0
	var older stretch
	err = s.each(func(h codec.Header, _, _ []byte) {
		all += h.ValueBytes
		switch {
		case s.tied && h.First > s.timestamp:
		case s.tied && h.Last < s.timestamp:
			older.size += h.ValueBytes
		default:
			stretches = append(stretches, s.stretch(&h))
			s.minSequence, s.maxSequence = min(s.minSequence, h.MinSequence), max(s.maxSequence, h.MaxSequence)
		}
	})
	return append(stretches, older), all, err
}

func (s *cutoffSearch) stretch(h *codec.Header) stretch {
	return stretch{s.place(h.First, h.MinSequence), s.place(h.Last, h.MaxSequence), h.ValueBytes}
}

func (s *cutoffSearch) place(timestamp, sequence uint64) uint64 {
	switch {
	case s.order == ByStored && sequence <= s.after:
		return 0
	case s.order == ByStored:
		return sequence
	case !s.tied:
		return timestamp
	case timestamp < s.timestamp:
		return 0
	case timestamp > s.timestamp:
		return math.MaxUint64
	}
	return sequence
}

// search returns the place of the newest value to delete, which lies between low and high.
func (s *cutoffSearch) search(stretches []stretch, low, high uint64) (place uint64, err error) {
	low = max(low, s.reach(stretches, func(st stretch) uint64 { return st.first }))
	high = min(high, s.reach(stretches, func(st stretch) uint64 { return st.last }))
	for low < high && err == nil {
		low, high, err = s.narrow(low, high)
	}
	return low, err
}

// reach returns the place at which the bytes to remove are reached, if all bytes of a stretch were
// at the same place.
func (s *cutoffSearch) reach(stretches []stretch, at func(stretch) uint64) uint64 {
	slices.SortFunc(stretches, func(a, b stretch) int { return cmp.Compare(at(a), at(b)) })
	sum := uint64(0)
	for _, st := range stretches {
		if sum += st.size; sum >= s.remove {
			return at(st)
		}
	}
	return math.MaxUint64
}

// maxSlots is the maximum number of slots between two bounds.
const maxSlots = 4096

// narrow returns bounds that are closer together than low and high. It decodes the chunks that have
// values in several slots, or on both sides of a bound.
func (s *cutoffSearch) narrow(low, high uint64) (uint64, uint64, error) {
	width := (high-low)/maxSlots + 1
	slots, sum := make([]uint64, maxSlots), uint64(0)
	add := func(st stretch) (added bool) {
		switch {
		case st.last < low:
			sum += st.size
		case st.first > high:
		case st.first < low || st.last > high || (st.first-low)/width != (st.last-low)/width:
			return false
		default:
			slots[(st.first-low)/width] += st.size
		}
		return true
	}
	err := s.each(func(h codec.Header, key, chunk []byte) {
		st := s.stretch(&h)
		if add(st) {
			return
		}
		if s.coder.Decode(&s.buffer, key, chunk) != nil {
			add(stretch{st.last, st.last, st.size})
			return
		}
		for _, e := range s.buffer.Entries[:h.Count] {
			place := s.place(e.Timestamp, e.Sequence)
			add(stretch{place, place, uint64(len(e.Value))})
		}
	})
	for i, size := range slots {
		if sum += size; sum >= s.remove {
			low += uint64(i) * width
			return low, low + min(width-1, high-low), err
		}
	}
	return high, high, err
}

// each visits the headers of the matching records' chunks, as far as they can be read, and headers
// for the other values, which have no key and no chunk. The other values come last, because they
// are the newer ones: their stretches are then nearly sorted.
func (s *cutoffSearch) each(visit func(h codec.Header, key, chunk []byte)) error {
	err := s.eachChunk(func(key, chunk []byte) {
		h, err := codec.ReadHeader(key, chunk)
		s.skipChunk(err, key, chunk)
		switch {
		case err != nil || !s.leaveOutNewest(&h):
		case s.holds == nil:
			visit(h, key, chunk)
		default:
			s.visitUnspared(h, key, chunk, visit)
		}
	})
	if err != nil {
		return err
	}
	for e := range s.others {
		visit(headerOf(e), nil, nil)
	}
	return s.ctx.Err() // it may have ended the other values too early
}

// leaveOutNewest takes the values that are among the record's newest, and do not count, out of the
// header of the record's next chunk. It reports whether others remain: those are the chunk's first.
func (s *cutoffSearch) leaveOutNewest(h *codec.Header) (remain bool) {
	all := uint64(h.Count)
	count := min(all, s.older)
	s.older -= count
	if count < all {
		h.Count, h.ValueBytes = int(count), uint64(float64(h.ValueBytes)/float64(all)*float64(count))
	}
	return count > 0
}

// beginRecord says that the chunks of a record follow. data is its encoded catalogue entry.
func (s *cutoffSearch) beginRecord(record, data []byte) {
	s.older = math.MaxUint64
	if s.keepNewest == 0 {
		return
	}
	if entry, err := s.mapped.decodeEntry(s.image, record, data); err == nil {
		s.older = entry.Count - min(entry.Count, s.keepNewest)
	} else {
		s.skip(err)
	}
}

// visitUnspared visits a chunk, or those of its values that no hold spares, with a header for each.
func (s *cutoffSearch) visitUnspared(h codec.Header, key, chunk []byte, visit func(h codec.Header, key, chunk []byte)) {
	record, _, _, _ := codec.SplitKey(key)
	if name := string(record); name != s.sparedRecord {
		s.sparedRecord, s.spared = name, s.holds.of(name, make([]uint64, len(s.holds)))
	}
	switch {
	case s.spared.spares(h.MinSequence):
		return
	case !s.spared.spares(h.MaxSequence):
		visit(h, key, chunk)
		return
	}
	if err := s.coder.Decode(&s.buffer, key, chunk); err != nil {
		s.skipChunk(err, key, chunk)
		return
	}
	for _, e := range s.buffer.Entries[:h.Count] {
		if !s.spared.spares(e.Sequence) {
			visit(headerOf(e), nil, nil)
		}
	}
}

// headerOf returns the header of a chunk of one value.
func headerOf(e codec.Entry) codec.Header {
	return codec.Header{
		Count: 1, First: e.Timestamp, Last: e.Timestamp, MinSequence: e.Sequence, MaxSequence: e.Sequence,
		ValueBytes: uint64(len(e.Value)),
	}
}

func (s *cutoffSearch) eachChunk(visit func(key, chunk []byte)) error {
	values, records, err := dataBuckets(s.image)
	if err != nil {
		return err
	}
	if s.allChunks {
		return s.eachOfAllChunks(values, records, visit)
	}
	names, chunks := index.NewNameCursor(records.Cursor(), s.pattern, ""), values.Cursor()
	for {
		name, data, err := nextMatch(s.ctx, names)
		if err != nil && s.ctx.Err() == nil {
			s.skip(err)
			return nil
		}
		if name == nil || err != nil {
			return err
		}
		record := string(name)
		s.beginRecord(name, data)
		key, chunk, err := chunks.Seek(codec.AppendLowerBound(nil, record, 0))
		for ; err == nil && codec.HasRecord(key, record); key, chunk, err = chunks.Next() {
			if err := s.ctx.Err(); err != nil {
				return err
			}
			visit(key, chunk)
		}
		s.skip(err)
		if err := s.ctx.Err(); err != nil {
			return err
		}
	}
}

func (s *cutoffSearch) eachOfAllChunks(values, records *pages.Bucket, visit func(key, chunk []byte)) error {
	var last []byte
	matches, names := false, records.Cursor()
	element := func(key, chunk []byte) error {
		record, _, _, err := codec.SplitKey(key)
		s.skipChunk(err, key, chunk)
		if err == nil && !bytes.Equal(record, last) {
			last, matches = record, s.pattern.Match(string(record))
			s.older = math.MaxUint64
			if data, err := names.Get(record); err == nil && data != nil {
				s.beginRecord(record, data)
			}
		}
		if err == nil && matches {
			visit(key, chunk)
		}
		return s.ctx.Err()
	}
	return values.Walk(element, func(err error) error { s.skip(err); return nil })
}

func (s *cutoffSearch) skip(err error) { s.skipped = cmp.Or(s.skipped, s.mapped.describe(err)) }

func (s *cutoffSearch) skipChunk(err error, key, chunk []byte) {
	s.skip(s.mapped.describeChunkOf(s.image, err, key, chunk))
}
