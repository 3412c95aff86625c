// SPDX-License-Identifier: Apache-2.0

package head

import (
	"context"
	"slices"
	"strings"
	"sync"
)

// stepRecords is the number of records that a Reader looks at under the lock before it lets the
// writer go on: some ten microseconds.
const stepRecords = 64

// Reader yields views of a head's records, by name, as they were when it was made, however long the
// reading takes and whatever is added meanwhile. It belongs to one goroutine.
//
// It finds some records under the lock, asks without the lock which of them are wanted, and copies
// the runs of those when it finds the next ones. So neither a slow pattern nor a large head makes
// the writer wait, and records that nobody wants cost no memory.
type Reader struct {
	head *Head
	lock sync.Locker // guards the head
	last uint64      // sequence number of the last value of the views

	prefix string
	exact  bool   // only the record whose name is prefix
	since  uint64 // only records with a value of a greater sequence number

	start string    // the name from which the first step looks for records
	from  string    // the name from which the next step looks for records
	ended bool      // there are no further records to look at
	found []*series // by the last step; the next one takes views of them
	full  int       // number of the full blocks that small ones of them had
	views []View    // that the last step took; the first taken of them have been returned
	taken int
	room  viewRoom // of those views
}

// Filter says which records a Reader's views are wanted of.
type Filter interface{ Match(record string) bool }

// ReadPrefix returns a Reader of the records whose names start with prefix. The lock is that of
// readers, and the caller holds it.
func (h *Head) ReadPrefix(lock sync.Locker, prefix string) *Reader {
	return h.ReadPrefixFrom(lock, prefix, prefix)
}

// ReadPrefixFrom is ReadPrefix without the records whose names are less than from.
func (h *Head) ReadPrefixFrom(lock sync.Locker, prefix, from string) *Reader {
	from = max(prefix, from)
	r := &Reader{head: h, lock: lock, last: h.lastSequence, prefix: prefix, start: from, from: from}
	r.find()
	return r
}

// ReadRecord returns a Reader of one record. The lock is that of readers, and the caller holds it.
func (h *Head) ReadRecord(lock sync.Locker, record string) *Reader {
	r := &Reader{head: h, lock: lock, last: h.lastSequence, prefix: record, exact: true}
	r.find()
	return r
}

// ReadSince returns a Reader of the records that have a value with a sequence number greater than
// sequence. The lock is that of readers, and the caller holds it.
func (h *Head) ReadSince(lock sync.Locker, sequence uint64) *Reader {
	r := &Reader{head: h, lock: lock, last: h.lastSequence, since: sequence, ended: h.lastSequence <= sequence}
	r.find()
	return r
}

// Again returns a Reader of the same views, from the first on. The caller does not hold the lock.
func (r *Reader) Again() *Reader {
	return &Reader{head: r.head, lock: r.lock, last: r.last, prefix: r.prefix, exact: r.exact, since: r.since,
		start: r.start, from: r.start}
}

// Last returns the sequence number of the last value that the head held when the Reader was made.
func (r *Reader) Last() uint64 { return r.last }

// Next returns the view of the next wanted record that has values; an empty view at the end. The
// view is valid until the next call; the bytes of its values stay valid. The caller does not hold
// the lock. A nil filter wants all records.
// Errors: those of ctx.
func (r *Reader) Next(ctx context.Context, wanted Filter) (View, error) {
	for {
		for r.taken < len(r.views) {
			view := r.views[r.taken]
			r.taken++
			view.cutAfter(r.last)
			if !view.Empty() {
				return view, nil
			}
		}
		if err := r.filter(ctx, wanted); err != nil {
			return View{}, err
		}
		if len(r.found) == 0 && r.ended {
			return View{}, nil
		}
		r.makeRoom()
		r.lock.Lock()
		r.takeViews()
		r.find()
		r.lock.Unlock()
	}
}

// filter drops the found records that are not wanted.
func (r *Reader) filter(ctx context.Context, wanted Filter) error {
	kept := r.found[:0]
	for i, s := range r.found {
		if err := ctx.Err(); err != nil {
			r.found = append(kept, r.found[i:]...)
			return err
		}
		if wanted == nil || wanted.Match(s.record) {
			kept = append(kept, s)
		}
	}
	r.found = kept
	return nil
}

// find finds some further records. The lock is held.
func (r *Reader) find() {
	r.found, r.full = r.found[:0], 0
	if r.ended {
		return
	}
	if r.exact {
		r.ended = true
		if s := r.head.records.get(r.prefix); s != nil {
			r.foundOne(s)
		}
		return
	}
	seen, from := 0, r.from
	r.ended = true
	records := &r.head.records
	records.sorted.ascend(records, from, func(s *series) bool {
		if !strings.HasPrefix(s.record, r.prefix) {
			return false
		}
		if seen++; seen > stepRecords {
			r.from, r.ended = s.record, false
			return false
		}
		if r.since == 0 || r.head.firstSequence+uint64(s.latest) > r.since {
			r.foundOne(s)
		}
		return true
	})
}

func (r *Reader) foundOne(s *series) {
	r.found = append(r.found, s)
	if s.large == nil {
		r.full += s.small.fullBlocks()
	}
}

// makeRoom makes room for the views of the found records, nearly all of which have one run. To
// allocate memory with the lock held could take long, because the garbage collector may make it
// help. The memory of the views before is used again: with new memory for each view, the garbage
// collector would work for a good part of a scan, and keep the processors from writers.
func (r *Reader) makeRoom() {
	r.views, r.taken = slices.Grow(r.views[:0], len(r.found)), 0
	r.room.reset()
	r.room.grow(len(r.found), min(r.full, len(r.found)*(smallBlocks-1)))
}

// takeViews takes views of the found records. They may have values that were added after the Reader
// was made: Next leaves those out, without the lock. The lock is held.
func (r *Reader) takeViews() {
	b := r.head.arena.view()
	for _, s := range r.found {
		r.views = append(r.views, r.head.view(s, b, &r.room))
	}
}
