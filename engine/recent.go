// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/head"
)

const (
	maxPartBytes   = 256 << 10 // of a part, unless one value has more
	maxParts       = 32
	maxRecentBytes = maxParts * maxPartBytes // of all parts, unless one value has more
)

// recentValues are copies of the values that have been stored and not yet passed to the watchers.
// When they are too many, the oldest are lost, and only counted by record.
type recentValues struct {
	wake   chan struct{} // holds one element
	filled atomic.Bool   // not all values have been passed on

	mu    sync.Mutex              // guards the fields below
	parts []*recentPart           // oldest first
	lost  map[*head.Record]uint64 // numbers of values, all older than those in parts
	last  uint64                  // sequence number of the last value that was added
	spare *recentPart             // memory for the next part
}

// recentPart is some values that were stored one after another.
type recentPart struct {
	epoch  [16]byte
	values []recentValue
	bytes  []byte // the values' JSON
}

type recentValue struct {
	record             *head.Record
	storedAt, sequence uint64
	end                int // of its JSON in the part's bytes; it begins where that of the value before ends
}

func (p *recentPart) size() int {
	return len(p.bytes) + len(p.values)*int(unsafe.Sizeof(recentValue{}))
}

// empty reports whether all values have been passed on.
func (r *recentValues) empty() bool { return !r.filled.Load() }

// lastAdded returns the sequence number of the last value that was added.
func (r *recentValues) lastAdded() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last
}

// size returns the size of all parts in bytes.
func (r *recentValues) size() (size int) {
	for _, p := range r.parts {
		size += p.size()
	}
	return size
}

// addGroup adds the values of a group, for which addAll calls its argument, except those of records
// with the mark. It reports whether there were any.
func (r *recentValues) addGroup(epoch [16]byte, mark uint64, addAll func(addedFunc)) (added bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	addAll(func(record *head.Record, v *daybook.StoredValue, sequence uint64) {
		if record.Mark() == mark {
			return
		}
		added = true
		p := r.partFor(len(v.Value), epoch)
		p.bytes = append(p.bytes, v.Value...)
		p.values = append(p.values, recentValue{record, v.StoredAt, sequence, len(p.bytes)})
		r.last = sequence
	})
	if added {
		r.filled.Store(true)
	}
	return added
}

// partFor returns the part to which a value of the epoch is added.
func (r *recentValues) partFor(size int, epoch [16]byte) *recentPart {
	if len(r.parts) > 0 {
		last := r.parts[len(r.parts)-1]
		if last.epoch == epoch && last.size()+size <= maxPartBytes {
			return last
		}
	}
	for len(r.parts) == maxParts || len(r.parts) > 0 && r.size()+size > maxRecentBytes {
		r.lose(r.parts[0])
		r.parts = append(r.parts[:0], r.parts[1:]...)
	}
	p := r.spare
	if r.spare = nil; p == nil {
		p = &recentPart{}
	}
	p.epoch = epoch
	r.parts = append(r.parts, p)
	return p
}

// lose counts the values of a part as lost.
func (r *recentValues) lose(p *recentPart) {
	if r.lost == nil {
		r.lost = make(map[*head.Record]uint64)
	}
	for i := range p.values {
		r.lost[p.values[i].record]++
	}
}

// take removes and returns the numbers of lost values, and the oldest part after them; nil if there
// is none.
func (r *recentValues) take() (lost map[*head.Record]uint64, oldest *recentPart) {
	r.mu.Lock()
	defer r.mu.Unlock()
	lost, r.lost = r.lost, nil
	if len(r.parts) > 0 {
		oldest = r.parts[0]
		r.parts = append(r.parts[:0], r.parts[1:]...)
	}
	if oldest == nil { // and the parts before it have been passed on
		r.filled.Store(false)
	}
	return lost, oldest
}

// release takes back the memory of a part.
func (r *recentValues) release(p *recentPart) {
	if cap(p.bytes) > maxPartBytes {
		return
	}
	clear(p.values)
	p.values, p.bytes = p.values[:0], p.bytes[:0]
	r.mu.Lock()
	defer r.mu.Unlock()
	r.spare = p
}
