// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"bytes"
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

// Cutoff returns the rule by which the oldest values go of the records that the pattern matches, until those that are left,
// and those that are beside the tree, take at most keep bytes of JSON of all that they take; the zero Rule if they do. Most of
// it is told by the chunks' headers: only those chunks are decoded that reach over what is left of the doubt. A chunk that
// cannot be goes as a whole, and what cannot be reached does not count: unread is why.
func (t *Tree) Cutoff(ctx context.Context, pattern *index.Pattern, keep func(all uint64) uint64, beside iter.Seq[codec.Entry]) (rule Rule, unread, err error) {
	err = t.view(func(_ *bbolt.Tx, v *pages.Image) error {
		s := &search{ctx: ctx, view: v, coder: t.coder, pattern: pattern, keep: keep, beside: beside}
		if rule, err = s.cutoff(); err == nil && s.unread != nil { // the way by the names does not lead past a damaged page
			s.walking, s.tied = true, false
			rule, err = s.cutoff()
		}
		unread = t.guard.fault(s.unread)
		return err
	})
	return rule, unread, err
}

// search looks for the last value that goes: first for its timestamp, and then, among those that have it, for its sequence
// number.
type search struct {
	ctx     context.Context
	view    *pages.Image
	coder   *codec.Coder
	buffer  codec.Buffer
	pattern *index.Pattern
	keep    func(all uint64) uint64
	beside  iter.Seq[codec.Entry]
	walking bool  // through all chunks, and past damaged pages
	unread  error // the first of those

	tied      bool // the timestamp is known:
	timestamp uint64
}

func (s *search) cutoff() (rule Rule, err error) {
	var found bool
	if s.timestamp, found, err = s.last(); err != nil || !found {
		return Rule{}, err
	}
	s.tied = true
	sequence, _, err := s.last()
	return Rule{OlderThan: s.timestamp, StoredBefore: sequence + 1}, err
}

// place is where a value stands among the others.
func (s *search) place(timestamp, sequence uint64) uint64 {
	switch {
	case !s.tied:
		return timestamp
	case timestamp < s.timestamp:
		return 0
	case timestamp > s.timestamp:
		return math.MaxUint64
	}
	return sequence
}

// stretch is what a chunk's header tells.
type stretch struct{ first, last, bytes uint64 }

// stretch returns where values stand of which some are known.
func (s *search) stretch(h *codec.Header) stretch {
	return stretch{s.place(h.First, h.MinSequence), s.place(h.Last, h.MaxSequence), h.ValueBytes}
}

// last returns the place of the last value that goes; none need go if it is not found.
func (s *search) last() (place uint64, found bool, err error) {
	var stretches []stretch
	total, before, least, greatest := uint64(0), uint64(0), uint64(math.MaxUint64), uint64(0)
	add := func(h *codec.Header) {
		total += h.ValueBytes
		switch {
		case s.tied && h.Last < s.timestamp:
			before += h.ValueBytes
		case !s.tied || h.First <= s.timestamp:
			stretches = append(stretches, s.stretch(h))
			least, greatest = min(least, h.MinSequence), max(greatest, h.MaxSequence)
		}
	}
	err = s.chunks(func(_, _ []byte, header *codec.Header) { add(header) })
	for e := range s.beside {
		add(&codec.Header{First: e.Timestamp, Last: e.Timestamp, MinSequence: e.Sequence, MaxSequence: e.Sequence, ValueBytes: uint64(len(e.Value))})
	}
	if err != nil || total <= s.keep(total) {
		return 0, false, err
	}
	// Less than remove lies before low, and at least so much up to high.
	remove := total - s.keep(total)
	low := reach(stretches, remove-before, func(c stretch) uint64 { return c.first })
	high := reach(stretches, remove-before, func(c stretch) uint64 { return c.last })
	if s.tied {
		low, high = max(low, least), min(high, greatest)
	}
	for low < high {
		if low, high, err = s.narrow(low, high, remove); err != nil {
			return 0, false, err
		}
	}
	return low, true, nil
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

// mostSlots is into how many slots narrow divides what lies between two places.
const mostSlots = 4096

// narrow brings low and high nearer to one another.
func (s *search) narrow(low, high, remove uint64) (uint64, uint64, error) {
	width := (high-low)/mostSlots + 1
	slots, before := make([]uint64, mostSlots), uint64(0)
	add := func(c stretch) (certain bool) {
		switch {
		case c.last < low:
			before += c.bytes
		case c.first > high:
		case c.first < low || c.last > high || (c.first-low)/width != (c.last-low)/width:
			return false
		default:
			slots[(c.first-low)/width] += c.bytes
		}
		return true
	}
	addEntry := func(e codec.Entry) {
		at := s.place(e.Timestamp, e.Sequence)
		add(stretch{at, at, uint64(len(e.Value))})
	}
	err := s.chunks(func(key, chunk []byte, header *codec.Header) {
		if add(s.stretch(header)) {
			return
		}
		if err := s.coder.Decode(&s.buffer, key, chunk); err != nil {
			c := s.stretch(header)
			add(stretch{c.last, c.last, c.bytes})
			return
		}
		for _, e := range s.buffer.Entries {
			addEntry(e)
		}
	})
	for e := range s.beside {
		addEntry(e)
	}
	for i, bytes := range slots {
		if before += bytes; before >= remove {
			low += uint64(i) * width
			return low, low + min(width-1, high-low), err
		}
	}
	return high, high, err
}

// chunks visits the chunks of the matching records, as far as they can be read.
func (s *search) chunks(visit func(key, chunk []byte, header *codec.Header)) error {
	values, records, err := buckets(s.view)
	if err != nil {
		return err
	}
	if s.walking {
		return s.walk(values, visit)
	}
	names, chunks := index.NewNameCursor(records.Cursor(), s.pattern, ""), values.Cursor()
	for {
		name, _, err := nextMatch(s.ctx, names)
		if err != nil && s.ctx.Err() == nil {
			s.leaveOut(err)
			return nil
		}
		if name == nil || err != nil {
			return err
		}
		record := string(name)
		key, chunk, err := chunks.Seek(codec.AppendLowerBound(nil, record, 0))
		for ; err == nil && codec.HasRecord(key, record); key, chunk, err = chunks.Next() {
			s.visit(key, chunk, visit)
		}
		s.leaveOut(err)
		if err := s.ctx.Err(); err != nil {
			return err
		}
	}
}

// walk visits them wherever they are.
func (s *search) walk(values *pages.Bucket, visit func(key, chunk []byte, header *codec.Header)) error {
	var last []byte
	matches := false
	element := func(key, chunk []byte) error {
		record, _, _, err := codec.SplitKey(key)
		s.leaveOut(err)
		if err == nil && !bytes.Equal(record, last) {
			last, matches = record, s.pattern.Match(string(record))
		}
		if err == nil && matches {
			s.visit(key, chunk, visit)
		}
		return s.ctx.Err()
	}
	return values.Walk(element, func(err error) error { s.leaveOut(err); return nil })
}

func (s *search) visit(key, chunk []byte, visit func(key, chunk []byte, header *codec.Header)) {
	header, err := codec.ReadHeader(key, chunk)
	s.leaveOut(err)
	if err == nil {
		visit(key, chunk, &header)
	}
}

func (s *search) leaveOut(err error) { s.unread = cmp.Or(s.unread, err) }
