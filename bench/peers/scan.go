// SPDX-License-Identifier: Apache-2.0

package peers

import (
	"bytes"
	"context"
	"math"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/index"
)

// snapshot is a store's keys, in bytewise order, as they were when it was taken.
type snapshot interface {
	// ascend visits the keys that are not less than from, until visit returns false. What visit gets is
	// valid until it returns, and not to be changed.
	ascend(from []byte, visit func(key, value []byte) bool) error
	// descend visits the keys that are less than before, the greatest first.
	descend(before []byte, visit func(key, value []byte) bool) error
}

// selection is what a scan looks for.
type selection struct {
	pattern  *index.Pattern
	from, to uint64 // timestamps, both inclusive
	limit    int    // per record
	order    daybook.Order
}

func newSelection(recordPattern string, params daybook.QueryParams) (selection, error) {
	if err := params.Validate(); err != nil {
		return selection{}, err
	}
	pattern, err := index.Compile(recordPattern, params.Syntax)
	s := selection{pattern: pattern, to: math.MaxUint64, limit: math.MaxInt, order: params.Order}
	if params.StartTime != nil {
		s.from = *params.StartTime
	}
	if params.EndTime != nil {
		s.to = *params.EndTime
	}
	if params.LimitPerRecord > 0 {
		s.limit = params.LimitPerRecord
	}
	return s, err
}

// span returns what the keys of all matching records start with.
func (s selection) span() []byte {
	if s.pattern.Exact() {
		return appendRecord(nil, s.pattern.Prefix())
	}
	return []byte(s.pattern.Prefix())
}

// scan walks a snapshot. Its records' keys follow one another in the order asked for, or against it. Along the
// order a scan is one walk that seeks only where it has something to skip: a record that does not match, or
// the rest of one that has given enough. Against it, each record is a walk back from its end.
type scan struct {
	selection
	ctx    context.Context
	keys   snapshot
	layout layout
	// emit takes a value and returns whether to go on. The slices are valid until it returns.
	emit func(record string, key, value []byte) bool

	record       string // the one the scan is in; its keys start with start
	start        []byte
	lower, upper []byte // of what is wanted of it
	left         int    // how many of its values are still wanted

	next    []byte // where to seek for what follows; empty: nowhere
	visited int
	err     error
}

// contextInterval is how many values a scan visits between two looks at its context.
const contextInterval = 1024

func (s *scan) run() error {
	against := s.backward()
	if s.pattern.Exact() {
		s.enter(s.pattern.Prefix())
		if against {
			return s.finish(s.keys.descend(s.upper, s.visitBack))
		}
		s.next = append(s.next, s.lower...)
	} else if s.next = append(s.next, s.pattern.Prefix()...); len(s.next) == 0 {
		s.next = append(s.next, firstKey...)
	}
	var from []byte
	for len(s.next) > 0 {
		from, s.next = append(from[:0], s.next...), s.next[:0]
		err := s.keys.ascend(from, s.visit)
		if err == nil && against && s.left > 0 {
			err = s.walkBack()
		}
		if err != nil || s.err != nil {
			return s.finish(err)
		}
	}
	return nil
}

func (s *scan) backward() bool { return (s.layout == newestFirst) != (s.order == daybook.NewestFirst) }

func (s *scan) finish(err error) error {
	if err == nil {
		err = s.err
	}
	return err
}

// enter begins a record.
func (s *scan) enter(record string) {
	s.record, s.left = record, s.limit
	s.start = appendRecord(s.start[:0], record)
	s.lower, s.upper = s.layout.bounds(record, s.from, s.to)
}

// leave ends a record before the walk has come to its end.
func (s *scan) leave() {
	s.left = 0
	if !s.pattern.Exact() {
		s.next = appendRecordEnd(s.next[:0], s.record)
	}
}

// visit is one step along the order of keys.
func (s *scan) visit(key, value []byte) bool {
	if !hasRecord(key, s.start) && !s.arrive(key) {
		return false
	}
	switch timestamp := s.layout.timestamp(key); {
	case s.backward():
		return false
	case timestamp >= s.from && timestamp <= s.to:
		return s.take(key, value)
	case bytes.Compare(key, s.lower) < 0:
		s.next = append(s.next[:0], s.lower...)
	default:
		s.leave()
	}
	return false
}

// arrive enters the record of a key, if that matches.
func (s *scan) arrive(key []byte) bool {
	s.left = 0
	if s.pattern.Exact() || !bytes.HasPrefix(key, []byte(s.pattern.Prefix())) {
		return false
	}
	name := string(recordOf(key))
	if !s.pattern.Match(name) {
		s.next = appendRecordEnd(s.next[:0], name)
		return false
	}
	s.enter(name)
	return true
}

// walkBack takes what is wanted of the record that was arrived at.
func (s *scan) walkBack() error {
	s.next = appendRecordEnd(s.next[:0], s.record)
	err := s.keys.descend(s.upper, s.visitBack)
	s.left = 0
	return err
}

// visitBack is one step against the order of keys.
func (s *scan) visitBack(key, value []byte) bool {
	if !hasRecord(key, s.start) || bytes.Compare(key, s.lower) < 0 {
		return false
	}
	return s.take(key, value)
}

func (s *scan) take(key, value []byte) bool {
	if !s.emit(s.record, key, value) {
		s.left, s.next = 0, s.next[:0]
		return false
	}
	if s.visited++; s.visited%contextInterval == 0 {
		if s.err = s.ctx.Err(); s.err != nil {
			return false
		}
	}
	if s.left--; s.left == 0 {
		s.leave()
	}
	return s.left > 0
}
