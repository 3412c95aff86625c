// SPDX-License-Identifier: Apache-2.0

package head

import (
	"strings"
	"sync"
)

// stepRecords is the number of records that a Reader looks at under the lock before it lets the
// writer go on: some ten microseconds.
const stepRecords = 64

// Reader yields views of a head's records, by name, as they were when it was made, however long the
// reading takes and whatever is added meanwhile. It belongs to one goroutine.
type Reader struct {
	head *Head
	lock sync.Locker // guards the head
	last uint64      // sequence number of the last value of the views

	prefix string
	exact  bool   // only the record whose name is prefix
	since  uint64 // only records with a value of a greater sequence number

	start string // the name from which the first step looks for records
	from  string // the name from which the next step looks for records
	ended bool   // there are no further records to look at
	views []View // found by the last step; the first taken of them have been returned
	taken int
	runs  []run // of those views
}

// ReadPrefix returns a Reader of the records whose names start with prefix. The lock is that of
// readers, and the caller holds it.
func (h *Head) ReadPrefix(lock sync.Locker, prefix string) *Reader {
	return h.ReadPrefixFrom(lock, prefix, prefix)
}

// ReadPrefixFrom is ReadPrefix without the records whose names are less than from.
func (h *Head) ReadPrefixFrom(lock sync.Locker, prefix, from string) *Reader {
	from = max(prefix, from)
	r := &Reader{head: h, lock: lock, last: h.lastSequence, prefix: prefix, start: from, from: from}
	r.step()
	return r
}

// ReadRecord returns a Reader of one record. The lock is that of readers, and the caller holds it.
func (h *Head) ReadRecord(lock sync.Locker, record string) *Reader {
	r := &Reader{head: h, lock: lock, last: h.lastSequence, prefix: record, exact: true}
	r.step()
	return r
}

// ReadSince returns a Reader of the records that have a value with a sequence number greater than
// sequence. The lock is that of readers, and the caller holds it.
func (h *Head) ReadSince(lock sync.Locker, sequence uint64) *Reader {
	r := &Reader{head: h, lock: lock, last: h.lastSequence, since: sequence, ended: h.lastSequence <= sequence}
	r.step()
	return r
}

// Again returns a Reader of the same views, from the first on. The caller does not hold the lock.
func (r *Reader) Again() *Reader {
	return &Reader{head: r.head, lock: r.lock, last: r.last, prefix: r.prefix, exact: r.exact, since: r.since,
		start: r.start, from: r.start}
}

// Last returns the sequence number of the last value that the head held when the Reader was made.
func (r *Reader) Last() uint64 { return r.last }

// Next returns the view of the next record that has values; an empty view at the end. The caller
// does not hold the lock.
func (r *Reader) Next() View {
	for {
		for r.taken < len(r.views) {
			view := r.views[r.taken]
			r.taken++
			view.cutAfter(r.last)
			if !view.Empty() {
				return view
			}
		}
		if r.ended {
			return View{}
		}
		r.lock.Lock()
		r.step()
		r.lock.Unlock()
	}
}

// step takes views of some further records. They may have values that were added after the Reader
// was made: Next leaves those out, without the lock.
func (r *Reader) step() {
	r.views, r.taken, r.runs = r.views[:0], 0, nil // views that the caller keeps have the old runs
	if r.ended {
		return
	}
	b := r.head.arena.view()
	if r.exact {
		r.ended = true
		if s := r.head.series[r.prefix]; s != nil {
			r.take(s, b)
		}
		return
	}
	seen, from := 0, r.from
	r.ended = true
	r.head.names.Ascend(from, func(record string, s *series) bool {
		if !strings.HasPrefix(record, r.prefix) {
			return false
		}
		if seen++; seen > stepRecords {
			r.from, r.ended = record, false
			return false
		}
		r.take(s, b)
		return true
	})
}

// take takes the view of a record.
func (r *Reader) take(s *series, b blocks) {
	if r.head.firstSequence+uint64(s.latest) <= r.since {
		return
	}
	if cap(r.runs)-len(r.runs) < len(s.runs) {
		r.runs = make([]run, 0, max(r.runsPerStep(), len(s.runs)))
	}
	start := len(r.runs)
	r.runs = append(r.runs, s.runs...)
	view := r.head.view(s, b)
	view.runs = r.runs[start:len(r.runs):len(r.runs)]
	r.views = append(r.views, view)
}

// runsPerStep returns for how many runs memory is allocated at once: nearly all records have one.
func (r *Reader) runsPerStep() int {
	if r.exact {
		return 1
	}
	return min(stepRecords, len(r.head.series))
}
