// SPDX-License-Identifier: Apache-2.0

package codec

import "slices"

// Rows are values of a record, in order, as columns. A column has no pointers. So a decoded chunk
// costs the garbage collector nothing, however many values it has.
type Rows struct {
	Timestamps []uint64 // Unix ms
	Sequences  []uint64

	starts []int  // of each value in text, and the end of the last value
	text   []byte // the values lie in it one after another
}

// Len returns the number of values.
func (r *Rows) Len() int { return len(r.Timestamps) }

// Value returns the JSON of the value with an index.
func (r *Rows) Value(i int) []byte {
	end := r.starts[i+1]
	return r.text[r.starts[i]:end:end]
}

// Text returns all values, one after another.
func (r *Rows) Text() []byte { return r.TextOf(0, len(r.starts)-1) }

// TextOf returns the values with an index from `from` to before `to`, one after another.
func (r *Rows) TextOf(from, to int) []byte { return r.text[r.starts[from]:r.starts[to]] }

// Entry returns the value with an index as an entry.
func (r *Rows) Entry(i int) Entry {
	return Entry{Timestamp: r.Timestamps[i], Sequence: r.Sequences[i], Value: r.Value(i)}
}

// resize makes room for n values. All columns have arbitrary contents then, but the first value
// starts at 0.
func (r *Rows) resize(n int) {
	r.Timestamps = slices.Grow(r.Timestamps[:0], n)[:n]
	r.Sequences = slices.Grow(r.Sequences[:0], n)[:n]
	r.starts = slices.Grow(r.starts[:0], n+1)[:n+1]
	r.starts[0] = 0
}

// cut returns the values with an index from `from` to before `to`.
func (r *Rows) cut(from, to int) Rows {
	return Rows{r.Timestamps[from:to], r.Sequences[from:to], r.starts[from : to+1], r.text}
}
