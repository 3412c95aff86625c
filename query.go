// SPDX-License-Identifier: Apache-2.0

package daybook

import "fmt"

// PatternSyntax is how a record pattern is read. Matching is case-sensitive in both syntaxes. A pattern that
// is empty, not valid UTF-8, or a Glob ending in a lone `\`, is ErrInvalidPattern, and so may be one that is
// longer than any name could need: the embedded engine takes 4096 bytes.
type PatternSyntax int

const (
	// Glob patterns are those of github.com/tidwall/match: `*` matches any run of characters,
	// separators included, `?` one character, and `\` takes the next character literally. A name
	// without any of them matches itself alone.
	Glob PatternSyntax = iota
	// Topic patterns are split at each `.`: a segment `*` matches exactly one segment, a segment
	// `#` zero or more. Anywhere else both are ordinary characters, so that `sensors*` is a
	// literal name. There is no escape.
	Topic
)

func (s PatternSyntax) String() string {
	switch s {
	case Glob:
		return "glob"
	case Topic:
		return "topic"
	}
	return fmt.Sprintf("PatternSyntax(%d)", int(s))
}

// Order is the order of one record's values in a result.
type Order int

const (
	// NewestFirst orders by timestamp descending, then last inserted first.
	NewestFirst Order = iota
	// OldestFirst orders by timestamp ascending, then first inserted first.
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

// QueryParams narrows a query. The zero value asks for everything, newest first.
type QueryParams struct {
	// LimitPerRecord bounds the result to this many values of each matching record, counted from
	// the front in Order. 0: no limit; negative: ErrInvalidParams.
	LimitPerRecord int
	// StartTime and EndTime bound StoredAt (Unix ms), both inclusive. nil: unbounded. A start after
	// the end gives an empty result.
	StartTime, EndTime *uint64
	// Syntax is how the record pattern is read. Default: Glob.
	Syntax PatternSyntax
	// Order is the order of each record's values. Default: NewestFirst.
	Order Order
}

// Latest asks for the newest n values of each record.
func Latest(n int) QueryParams { return QueryParams{LimitPerRecord: n} }

// Between asks for the values stored from start to end (Unix ms), both inclusive.
func Between(start, end uint64) QueryParams { return QueryParams{StartTime: &start, EndTime: &end} }

// Since asks for the values stored at start (Unix ms) or later.
func Since(start uint64) QueryParams { return QueryParams{StartTime: &start} }

// Validate returns an error that matches ErrInvalidParams when p asks for something impossible.
func (p QueryParams) Validate() error {
	if p.LimitPerRecord < 0 {
		return fmt.Errorf("%w: LimitPerRecord is %d; want 0 (no limit) or more", ErrInvalidParams, p.LimitPerRecord)
	}
	if p.Order != NewestFirst && p.Order != OldestFirst {
		return fmt.Errorf("%w: unknown %v; want NewestFirst or OldestFirst", ErrInvalidParams, p.Order)
	}
	return p.Syntax.Validate()
}

// Validate returns an error that matches ErrInvalidParams when s is not one of the constants.
func (s PatternSyntax) Validate() error {
	if s != Glob && s != Topic {
		return fmt.Errorf("%w: unknown %v; want Glob or Topic", ErrInvalidParams, s)
	}
	return nil
}

// Validate returns an error that matches ErrInvalidParams when p asks for something impossible.
func (p PruneParams) Validate() error {
	if p.MaxPerRecord < 0 {
		return fmt.Errorf("%w: MaxPerRecord is %d; want 0 (no limit) or more", ErrInvalidParams, p.MaxPerRecord)
	}
	if p.KeepNewest < 0 {
		return fmt.Errorf("%w: KeepNewest is %d; want 0 or more", ErrInvalidParams, p.KeepNewest)
	}
	if p.MaxPerRecord > 0 && p.KeepNewest > p.MaxPerRecord {
		return fmt.Errorf("%w: KeepNewest is %d, more than MaxPerRecord (%d)", ErrInvalidParams, p.KeepNewest, p.MaxPerRecord)
	}
	for i, except := range p.Except {
		if err := except.Syntax.Validate(); err != nil {
			return fmt.Errorf("in Except[%d]: %w", i, err)
		}
	}
	return p.Syntax.Validate()
}

// Validate returns an error that matches ErrInvalidParams when p asks for something impossible.
func (p WatchParams) Validate() error {
	if p.Buffer < 0 {
		return fmt.Errorf("%w: Buffer is %d; want 0 (1024 values) or more", ErrInvalidParams, p.Buffer)
	}
	return p.Syntax.Validate()
}
