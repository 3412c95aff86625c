// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"iter"
	"math/rand/v2"

	"github.com/daybook-db/daybook"
)

// Times says when the values of a history are taken, and in what order they arrive.
type Times int

const (
	// InOrder times are those of a Workload: all values of a tick have the same, and the ticks are
	// an Interval apart.
	InOrder Times = iota
	// Jittered values are taken at a random time of their tick's Interval. Each record is in order.
	Jittered
	// Late values are Jittered, but one of 20 arrives up to five minutes after it was taken.
	Late
	// Backfilled values are Jittered, and arrive in three parts. A quarter of a record's values
	// was taken six weeks before Start. The next half is from Start on. The last quarter was taken
	// three weeks before Start, and so lies between the others.
	Backfilled
)

func (t Times) String() string {
	return [...]string{"in order", "with jitter", "late by minutes", "backfilled by weeks"}[t]
}

const (
	lateShare = 20 // one of this number of values is late
	maxLate   = 5 * 60 * 1000
	week      = 7 * 24 * 60 * 60 * 1000
)

// tick returns the time at which a tick begins that is the given one of a history of several.
func (t Times) tick(number, of int) uint64 {
	start := Start
	if t == Backfilled {
		quarter := of / 4
		switch {
		case number < quarter:
			start -= 6 * week
		case number < of-quarter:
			number -= quarter
		default:
			start, number = start-3*week, number-(of-quarter)
		}
	}
	return start + uint64(number)*Interval
}

// move gives the values of a tick their own times.
func (t Times) move(values []daybook.StoredValue, random *rand.Rand) {
	if t == InOrder {
		return
	}
	for i := range values {
		values[i].StoredAt += random.Uint64N(Interval)
		if t == Late && random.IntN(lateShare) == 0 {
			values[i].StoredAt -= random.Uint64N(maxLate)
		}
	}
}

// History is a whole history: what its values are, when they are taken, how many there are, and how
// they are stored. Times do not change the values, except those of Events, which have their time in
// them.
type History struct {
	Shape   Shape
	Times   Times
	Records int
	Ticks   int // the number of values of each record
	Batch   int // the number of values that are stored together; 0: those of a tick
	Seed    uint64
}

// Values returns the number of values of all records.
func (h History) Values() int { return h.Records * h.Ticks }

// Workload returns the workload that makes the values.
func (h History) Workload() *Workload { return NewWorkload(h.Records, h.Seed, h.Shape) }

// Batches yields the values in the order in which they arrive, in batches of the same size; only
// the last may be smaller. A batch is valid until the next one.
func (h History) Batches() iter.Seq[[]daybook.StoredValue] {
	size := h.Batch
	if size == 0 {
		size = h.Records
	}
	return func(yield func([]daybook.StoredValue) bool) {
		batch := make([]daybook.StoredValue, 0, size)
		for tick := range h.ticks() {
			for len(tick) > 0 {
				count := min(size-len(batch), len(tick))
				batch, tick = append(batch, tick[:count]...), tick[count:]
				if len(batch) < size {
					continue
				}
				if !yield(batch) {
					return
				}
				batch = batch[:0]
			}
		}
		if len(batch) > 0 {
			yield(batch)
		}
	}
}

// ticks yields the history tick by tick.
func (h History) ticks() iter.Seq[[]daybook.StoredValue] {
	w, random := h.Workload(), rand.New(rand.NewPCG(h.Seed, 1))
	return func(yield func([]daybook.StoredValue) bool) {
		for number := range h.Ticks {
			w.now = h.Times.tick(number, h.Ticks)
			tick := w.Tick()
			h.Times.move(tick, random)
			if !yield(tick) {
				return
			}
		}
	}
}
