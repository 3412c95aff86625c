// SPDX-License-Identifier: Apache-2.0

package head

import (
	"iter"
	"math"
	"math/bits"
	"strings"

	"github.com/tidwall/btree"
)

// Head holds the values of consecutive commits.
type Head struct {
	series map[string]*series
	names  btree.Map[string, *series] // the same series, sorted by record name
	last   *series                    // the series that the last value was added to
	arena  arena
	slab   slab

	overhead      int64  // bytes of memory outside the arena and the slab
	values        int    // number of values
	bytes         uint64 // total length of the values' JSON
	nameBytes     uint64 // total length of the record names
	oldest        uint64 // the smallest timestamp
	firstSequence uint64
	lastSequence  uint64
}

// seriesOverhead is roughly the memory of a series in the map, the btree and the heap, in bytes,
// without its name.
const seriesOverhead = 232

// Sizes of the arena's blocks, as powers of 2.
const (
	minBlockShift = 12 // 4 KiB
	maxBlockShift = 20 // 1 MiB
	blocksShift   = 5  // a full head has about 32 blocks
)

// New returns an empty head that will hold about size bytes.
func New(size int64) *Head {
	shift := uint(min(max(bits.Len64(uint64(size))-blocksShift, minBlockShift), maxBlockShift))
	return &Head{
		series: make(map[string]*series),
		arena:  arena{shift: shift},
		slab:   slab{size: 1 << (shift - 2) / int(itemSize)}, // a value takes more memory than its item
		oldest: math.MaxUint64,
	}
}

// Add adds a copy of a value, and returns the record that has it. Sequence numbers must ascend, and
// those of one head must be less than 2^32 apart.
func (h *Head) Add(record string, timestamp, sequence uint64, value []byte) *Record {
	if h.values == 0 {
		h.firstSequence = sequence
	}
	s := h.find(record)
	it := item{timestamp: timestamp, number: uint32(sequence - h.firstSequence), value: h.arena.add(value)}
	h.overhead += s.add(it, len(value), &h.slab)
	h.values++
	h.oldest = min(h.oldest, timestamp)
	h.bytes += uint64(len(value))
	h.lastSequence = sequence
	return s
}

// find returns the series of a record, and creates it if it does not exist. Devices report their
// records in the same order again and again. So find first tries the record that followed the last
// record the time before.
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
		h.nameBytes += uint64(len(record))
	}
	if h.last != nil {
		h.last.follower = s
	}
	h.last = s
	return s
}

// Size returns the memory that the head uses, in bytes.
func (h *Head) Size() int64 { return h.arena.allocated + h.slab.allocated + h.overhead }

// Values returns the number of values in the head.
func (h *Head) Values() int { return h.values }

// Bytes returns the total length of the values' JSON.
func (h *Head) Bytes() uint64 { return h.bytes }

// NameBytes returns the total length of the record names.
func (h *Head) NameBytes() uint64 { return h.nameBytes }

// Records returns the number of records in the head.
func (h *Head) Records() int { return len(h.series) }

// Has reports whether the head has values of a record.
func (h *Head) Has(record string) bool { return h.series[record] != nil }

// NameAt returns the name of a record by its place in the order of the names, from 0. The place is
// less than Records.
func (h *Head) NameAt(place int) string {
	name, _, _ := h.names.GetAt(place)
	return name
}

// Oldest returns the smallest timestamp, or 2^64-1 for an empty head.
func (h *Head) Oldest() uint64 { return h.oldest }

// FirstSequence returns the smallest sequence number, or 0 for an empty head.
func (h *Head) FirstSequence() uint64 { return h.firstSequence }

// LastSequence returns the greatest sequence number, or 0 for an empty head.
func (h *Head) LastSequence() uint64 { return h.lastSequence }

// ViewsFrom yields views of the records from name on, sorted by name. Nothing may be added while
// they are used.
func (h *Head) ViewsFrom(name string) iter.Seq[View] {
	return func(yield func(View) bool) {
		b := h.arena.view()
		h.names.Ascend(name, func(_ string, s *series) bool { return yield(h.view(s, b)) })
	}
}

// view returns a view that shares its list of runs with the series.
func (h *Head) view(s *series, b blocks) View {
	return View{
		Record: s.record, runs: s.runs, bytes: s.bytes, latest: s.latest, merged: s.merged,
		firstSequence: h.firstSequence, blocks: b,
	}
}

// AdvanceTo counts the value with a sequence number as added. The head does not have to hold the
// value, because it is in the tree.
func (h *Head) AdvanceTo(sequence uint64) { h.lastSequence = sequence }
