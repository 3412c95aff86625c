// SPDX-License-Identifier: Apache-2.0

package head

import (
	"iter"
	"math"
	"math/bits"
)

// Head holds the values of consecutive commits.
type Head struct {
	records table
	last    *series // the series that the last value was added to
	arena   arena
	slab    slab

	runBytes      int64  // memory of runs outside the slab, in bytes
	values        int    // number of values
	bytes         uint64 // total length of the values' JSON
	nameBytes     uint64 // total length of the record names
	oldest        uint64 // the smallest timestamp
	firstSequence uint64
	lastSequence  uint64
}

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
		records: newTable(shift - 3 - uint(bits.Len64(uint64(seriesSize-1)))),
		arena:   arena{shift: shift},
		slab:    slab{shift: shift - 2 - uint(bits.Len64(uint64(itemSize-1)))}, // a value takes more than its item
		oldest:  math.MaxUint64,
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
	h.runBytes += s.add(it, len(value), &h.slab)
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
	if h.last != nil && h.last.follower > 0 {
		if next := h.records.at(h.last.follower - 1); next.record == record {
			h.last = next
			return next
		}
	}
	number, found := h.records.find(record)
	if !found {
		number = h.records.add(record)
		h.nameBytes += uint64(len(record))
	}
	if h.last != nil {
		h.last.follower = number + 1
	}
	h.last = h.records.at(number)
	return h.last
}

// Size returns the memory that the head uses, in bytes.
func (h *Head) Size() int64 {
	return h.arena.allocated + h.slab.allocated + h.records.size() + h.runBytes
}

// Values returns the number of values in the head.
func (h *Head) Values() int { return h.values }

// Bytes returns the total length of the values' JSON.
func (h *Head) Bytes() uint64 { return h.bytes }

// NameBytes returns the total length of the record names.
func (h *Head) NameBytes() uint64 { return h.nameBytes }

// Records returns the number of records in the head.
func (h *Head) Records() int { return h.records.count }

// Has reports whether the head has values of a record.
func (h *Head) Has(record string) bool { return h.records.get(record) != nil }

// NameAt returns the name of a record by its place in the order of the names, from 0. The place is
// less than Records.
func (h *Head) NameAt(place int) string {
	return h.records.at(h.records.sorted.at(place)).record
}

// Oldest returns the smallest timestamp, or 2^64-1 for an empty head.
func (h *Head) Oldest() uint64 { return h.oldest }

// FirstSequence returns the smallest sequence number, or 0 for an empty head.
func (h *Head) FirstSequence() uint64 { return h.firstSequence }

// LastSequence returns the greatest sequence number, or 0 for an empty head.
func (h *Head) LastSequence() uint64 { return h.lastSequence }

// ViewsFrom yields views of the records from name on, sorted by name. Nothing may be added while
// they are used, and a view is valid until the next one is yielded.
func (h *Head) ViewsFrom(name string) iter.Seq[View] {
	return func(yield func(View) bool) {
		b, room := h.arena.view(), new(viewRoom)
		h.records.sorted.ascend(&h.records, name, func(s *series) bool {
			room.reset()
			return yield(h.view(s, b, room))
		})
	}
}

// view returns a view that has its list of runs in room.
func (h *Head) view(s *series, b blocks, room *viewRoom) View {
	v := View{
		Record: s.record, runs: room.runsOf(s, &h.slab), bytes: s.bytes(), latest: s.latest,
		firstSequence: h.firstSequence, blocks: b,
	}
	if s.large != nil {
		v.merged = s.large.merged
	}
	return v
}

// AdvanceTo counts the value with a sequence number as added. The head does not have to hold the
// value, because it is in the tree.
func (h *Head) AdvanceTo(sequence uint64) { h.lastSequence = sequence }
