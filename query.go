// SPDX-License-Identifier: Apache-2.0

package daybook

import (
	"fmt"
	"math"
)

// Order is the order of one record's values in a result. Records come one after the other, by name,
// whatever the Order: it does not mix their values.
type Order int

const (
	// NewestFirst orders values by timestamp, descending. Values with equal timestamps come last
	// inserted first.
	NewestFirst Order = iota
	// OldestFirst orders values by timestamp, ascending. Values with equal timestamps come first
	// inserted first.
	OldestFirst
)

func (o Order) String() string {
	switch o {
	case NewestFirst:
		return "newest first"
	case OldestFirst:
		return "oldest first"
	}
	return fmt.Sprintf("Order(%d)", int(o))
}

// QueryParams says which values of the matching records a query returns. The zero value returns all
// of them, newest first.
type QueryParams struct {
	// LimitPerRecord is the maximum number of values of each record, counted from the first one in
	// Order. 0: no limit; negative: ErrInvalidParams.
	LimitPerRecord int
	// StartTime and EndTime bound StoredAt (Unix ms). Both bounds are inclusive. nil: no bound. If
	// the start is after the end, the result is empty. The methods Since and Until set them.
	StartTime, EndTime *uint64
	// Syntax is the syntax of the record pattern. Default: Glob.
	Syntax PatternSyntax
	// Order is the order of each record's values. Default: NewestFirst.
	Order Order
	// After leaves out all values up to a place in the result, so that the result can be read in
	// pieces. LimitPerRecord counts the values after it. nil or the zero Place: the beginning. A
	// malformed Place, as one without a RecordName, is ErrInvalidParams. The place of a value that
	// was deleted is none.
	After *Place
}

// Latest returns the parameters for the newest n values of each record. n = 0 means all values.
func Latest(n int) QueryParams { return QueryParams{LimitPerRecord: n} }

// Since returns the parameters for the values with the timestamp start (Unix ms) or a later one.
// Since(Ago(time.Hour)) asks for the values of the last hour.
func Since(start uint64) QueryParams { return QueryParams{}.Since(start) }

// Until returns the parameters for the values with the timestamp end (Unix ms) or an earlier one.
func Until(end uint64) QueryParams { return QueryParams{}.Until(end) }

// Between returns the parameters for the values with timestamps from start to end (Unix ms), both
// inclusive.
func Between(start, end uint64) QueryParams { return Since(start).Until(end) }

// Since returns p with the lower bound start (Unix ms, inclusive).
func (p QueryParams) Since(start uint64) QueryParams {
	p.StartTime = &start
	return p
}

// Until returns p with the upper bound end (Unix ms, inclusive).
func (p QueryParams) Until(end uint64) QueryParams {
	p.EndTime = &end
	return p
}

// OldestFirst returns p with the order OldestFirst of each record's values; records are ordered by
// name as before. LimitPerRecord then counts from the oldest value.
func (p QueryParams) OldestFirst() QueryParams {
	p.Order = OldestFirst
	return p
}

// Topic returns p for a record pattern in the syntax Topic.
func (p QueryParams) Topic() QueryParams {
	p.Syntax = Topic
	return p
}

// Bounds returns the least and the greatest timestamp that the parameters select (Unix ms, both
// inclusive): 0 and 2^64-1 if there is no bound.
func (p QueryParams) Bounds() (start, end uint64) {
	end = math.MaxUint64
	if p.StartTime != nil {
		start = *p.StartTime
	}
	if p.EndTime != nil {
		end = *p.EndTime
	}
	return start, end
}

// Validate returns an error that matches ErrInvalidParams if a field has a value that its comment
// excludes.
func (p QueryParams) Validate() error {
	if p.LimitPerRecord < 0 {
		return fmt.Errorf("%w: got LimitPerRecord %d; want 0 (no limit) or more", ErrInvalidParams, p.LimitPerRecord)
	}
	if p.Order != NewestFirst && p.Order != OldestFirst {
		return fmt.Errorf("%w: got order %v; want NewestFirst or OldestFirst", ErrInvalidParams, p.Order)
	}
	if err := p.After.validate(); err != nil {
		return err
	}
	return p.Syntax.Validate()
}
