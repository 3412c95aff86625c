// SPDX-License-Identifier: Apache-2.0

package head

import (
	"slices"

	"github.com/daybook-db/daybook/codec"
)

// Walk yields the values of a record's views in order, some at a time. It copies nothing that it
// has not yielded, so that a reader which stops early has read little. It belongs to one goroutine.
type Walk struct {
	sources []source // none is empty
	newest  bool     // the newest values come first
}

// source is a sorted part of a view's values.
type source struct {
	section
	firstSequence uint64
	blocks        blocks
}

// Begin makes Next yield the values within a range that views of one record have: the newest first
// if wanted.Newest, otherwise the oldest. It takes no notice of the limit.
func (w *Walk) Begin(wanted codec.Range, views ...*View) {
	w.sources, w.newest = w.sources[:0], wanted.Newest
	for _, v := range views {
		for i := range v.runs {
			if s := v.runs[i].within(wanted.Start, wanted.End); !s.empty() {
				w.sources = append(w.sources, source{s, v.firstSequence, v.blocks})
			}
		}
	}
}

// maxTurn is the number of values that a source yields before the sources are compared again.
const maxTurn = 8

// Next appends the next n values to dst, or the rest if there are fewer. The bytes of the values
// belong to the head.
func (w *Walk) Next(dst []codec.Entry, n int) []codec.Entry {
	for end := len(dst) + n; len(w.sources) > 0 && len(dst) < end; {
		at := 0
		if len(w.sources) == 1 {
			dst = w.sources[0].take(dst, end-len(dst), w.newest, nil)
		} else {
			var bound codec.Entry
			at, bound = w.first()
			dst = w.sources[at].take(dst, min(maxTurn, end-len(dst)), w.newest, &bound)
		}
		if w.sources[at].empty() {
			w.sources = slices.Delete(w.sources, at, at+1)
		}
	}
	return dst
}

// first returns the index of the source that has the next value, and the next value of all others:
// the values of the source come next until that one. There must be several sources.
func (w *Walk) first() (at int, bound codec.Entry) {
	first := w.sources[0].next(w.newest)
	for i := 1; i < len(w.sources); i++ {
		next := w.sources[i].next(w.newest)
		if comesBefore(&next, &first, w.newest) {
			at, first, next = i, next, first
		}
		if i == 1 || comesBefore(&next, &bound, w.newest) {
			bound = next
		}
	}
	return at, bound
}

// comesBefore reports whether an entry comes before another.
func comesBefore(e, other *codec.Entry, newest bool) bool {
	if newest {
		return e.Compare(*other) > 0
	}
	return e.Compare(*other) < 0
}

// next returns the next value, without its bytes.
func (s *source) next(newest bool) codec.Entry {
	var it item
	if newest {
		block := s.back()
		it = block[len(block)-1]
	} else {
		it = s.front()[0]
	}
	return codec.Entry{Timestamp: it.timestamp, Sequence: s.firstSequence + uint64(it.number)}
}

func (s *source) entry(it item) codec.Entry {
	return codec.Entry{
		Timestamp: it.timestamp, Sequence: s.firstSequence + uint64(it.number), Value: s.blocks.at(it.value),
	}
}

// take appends the next values, at most n. If there is a bound, they come before that.
func (s *source) take(dst []codec.Entry, n int, newest bool, bound *codec.Entry) []codec.Entry {
	for n > 0 && !s.empty() {
		before := len(dst)
		if newest {
			dst = s.takeBack(dst, n, bound)
		} else {
			dst = s.takeFront(dst, n, bound)
		}
		if n -= len(dst) - before; len(dst) == before {
			break
		}
	}
	return dst
}

// takeFront is take for the oldest values, as far as they lie in one block.
func (s *source) takeFront(dst []codec.Entry, n int, bound *codec.Entry) []codec.Entry {
	start, block := len(dst), s.front()
	block = block[:min(len(block), n)]
	s.blocks.prefetch(block)
	for _, it := range block {
		e := s.entry(it)
		if bound != nil && !comesBefore(&e, bound, false) {
			break
		}
		dst = append(dst, e)
	}
	s.dropFront(len(dst) - start)
	return dst
}

// takeBack is take for the newest values, as far as they lie in one block.
func (s *source) takeBack(dst []codec.Entry, n int, bound *codec.Entry) []codec.Entry {
	start, block := len(dst), s.back()
	block = block[max(0, len(block)-n):]
	s.blocks.prefetch(block)
	for i := len(block) - 1; i >= 0; i-- {
		e := s.entry(block[i])
		if bound != nil && !comesBefore(&e, bound, true) {
			break
		}
		dst = append(dst, e)
	}
	s.dropBack(len(dst) - start)
	return dst
}
