// SPDX-License-Identifier: Apache-2.0

package head

import (
	"iter"
	"math"
	"math/bits"
	"slices"
	"strings"

	"github.com/tidwall/btree"
)

// Head holds the values of consecutive commits.
type Head struct {
	series map[string]*series
	names  btree.Map[string, *series] // the same, by name
	last   *series                    // that was added to
	arena  arena
	slab   slab

	overhead int64 // bytes that are in neither of these
	values   int
	bytes    uint64 // of JSON
	named    uint64 // bytes of names
	oldest   uint64 // timestamp
	lowest   uint64 // sequence number
	highest  uint64 // sequence number
}

// seriesOverhead is about what a series costs in the map, the tree and the heap, beside its name.
const seriesOverhead = 208

const (
	leastBlock = 12 // 4 KiB
	mostBlock  = 20 // 1 MiB
	perHead    = 5  // a full head has about 32 blocks
)

// New returns an empty head that is meant to hold about size bytes.
func New(size int64) *Head {
	shift := min(max(uint(bits.Len64(uint64(size)))-perHead, leastBlock), mostBlock)
	return &Head{
		series: make(map[string]*series),
		arena:  arena{shift: shift},
		slab:   slab{size: 1 << (shift - 2) / int(itemSize)}, // a value takes up more than an item
		oldest: math.MaxUint64,
	}
}

// Add adds a value, of which it keeps a copy. Sequence numbers must ascend, and those of a head be less than 2^32 apart.
func (h *Head) Add(record string, timestamp, sequence uint64, value []byte) {
	if h.values == 0 {
		h.lowest = sequence
	}
	s := h.find(record)
	it := item{timestamp: timestamp, number: uint32(sequence - h.lowest), value: h.arena.add(value)}
	h.overhead += s.add(it, len(value), &h.slab)
	h.values++
	h.oldest = min(h.oldest, timestamp)
	h.bytes += uint64(len(value))
	h.highest = sequence
}

// find returns a record's series. Devices report their records in the same order over and over, so the one that
// followed the last one the time before is tried first.
func (h *Head) find(record string) *series {
	if h.last != nil && h.last.follower != nil && h.last.follower.record == record {
		h.last = h.last.follower
		return h.last
	}
	s := h.series[record]
	if s == nil {
		s = newSeries(strings.Clone(record))
		h.series[s.record] = s
		h.names.Set(s.record, s)
		h.overhead += seriesOverhead + int64(len(record))
		h.named += uint64(len(record))
	}
	if h.last != nil {
		h.last.follower = s
	}
	h.last = s
	return s
}

// Size is the memory that the head takes up, in bytes.
func (h *Head) Size() int64 { return h.arena.allocated + h.slab.allocated + h.overhead }

// Values is how many values the head holds.
func (h *Head) Values() int { return h.values }

// Bytes is the total length of their JSON.
func (h *Head) Bytes() uint64 { return h.bytes }

// NameBytes is the total length of its records' names.
func (h *Head) NameBytes() uint64 { return h.named }

// Oldest is the least timestamp; 2^64-1 for an empty head.
func (h *Head) Oldest() uint64 { return h.oldest }

// FirstSequence is the least sequence number; 0 for an empty head.
func (h *Head) FirstSequence() uint64 { return h.lowest }

// LastSequence is the greatest sequence number; 0 for an empty head.
func (h *Head) LastSequence() uint64 { return h.highest }

// Capture returns a view of one record; an empty one if there is none.
func (h *Head) Capture(record string) View {
	if s := h.series[record]; s != nil {
		return h.view(s, h.arena.view())
	}
	return View{Record: record}
}

// CapturePrefix returns views of the records whose names start with prefix, by name.
func (h *Head) CapturePrefix(prefix string) []View {
	var views []View
	b := h.arena.view()
	h.names.Ascend(prefix, func(record string, s *series) bool {
		if !strings.HasPrefix(record, prefix) {
			return false
		}
		views = append(views, h.view(s, b))
		return true
	})
	return views
}

// CaptureSince returns views of the records that have values behind a sequence number, by name.
func (h *Head) CaptureSince(sequence uint64) []View {
	if h.highest <= sequence {
		return nil
	}
	var views []View
	b := h.arena.view()
	h.names.Scan(func(_ string, s *series) bool {
		if h.lowest+uint64(s.latest) > sequence {
			views = append(views, h.view(s, b))
		}
		return true
	})
	return views
}

// ViewsFrom yields views of the records from a name on, by name, without holding them all.
func (h *Head) ViewsFrom(name string) iter.Seq[View] {
	return func(yield func(View) bool) {
		b := h.arena.view()
		h.names.Ascend(name, func(_ string, s *series) bool { return yield(h.view(s, b)) })
	}
}

func (h *Head) view(s *series, b blocks) View {
	return View{Record: s.record, runs: slices.Clone(s.runs), bytes: s.bytes, lowest: h.lowest, blocks: b}
}

// AdvanceTo takes a value for added that the head need not hold, since it is in the tree.
func (h *Head) AdvanceTo(sequence uint64) { h.highest = sequence }
