// SPDX-License-Identifier: Apache-2.0

package daybook

import "fmt"

// Order is the order of one record's values in a result.
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
	// the start is after the end, the result is empty.
	StartTime, EndTime *uint64
	// Syntax is the syntax of the record pattern. Default: Glob.
	Syntax PatternSyntax
	// Order is the order of each record's values. Default: NewestFirst.
	Order Order
}

// Latest returns the parameters for the newest n values of each record. n = 0 means all values.
func Latest(n int) QueryParams { return QueryParams{LimitPerRecord: n} }

// Between returns the parameters for the values with timestamps from start to end (Unix ms), both
// inclusive.
func Between(start, end uint64) QueryParams { return QueryParams{StartTime: &start, EndTime: &end} }

// Since returns the parameters for the values with the timestamp start (Unix ms) or a later one.
func Since(start uint64) QueryParams { return QueryParams{StartTime: &start} }

// Validate returns an error that matches ErrInvalidParams if a field has a value that its comment
// excludes.
func (p QueryParams) Validate() error {
	if p.LimitPerRecord < 0 {
		return fmt.Errorf("%w: got LimitPerRecord %d; want 0 (no limit) or more", ErrInvalidParams, p.LimitPerRecord)
	}
	if p.Order != NewestFirst && p.Order != OldestFirst {
		return fmt.Errorf("%w: got order %v; want NewestFirst or OldestFirst", ErrInvalidParams, p.Order)
	}
	return p.Syntax.Validate()
}
