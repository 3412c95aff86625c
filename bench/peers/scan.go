// SPDX-License-Identifier: Apache-2.0

package peers

import (
	"bytes"
	"context"
	"math"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/index"
)

// snapshot has the keys of a store, in bytewise order, as they were when it was taken.
type snapshot interface {
	// ascend visits the keys that are not less than from, until visit returns false. The slices
	// that visit gets are valid until it returns, and must not be changed.
	ascend(from []byte, visit func(key, value []byte) bool) error
	// descend visits the keys that are less than before, the greatest first, under the same rules.
	descend(before []byte, visit func(key, value []byte) bool) error
}

// selection says which values a scan yields, and in what order.
type selection struct {
	pattern  *index.Pattern
	from, to uint64 // timestamps, both inclusive
	limit    int    // of values of each record
	order    daybook.Order
}

func newSelection(recordPattern string, params daybook.QueryParams) (selection, error) {
	if err := params.Validate(); err != nil {
		return selection{}, err
	}
	pattern, err := index.Compile(daybook.Pattern{Text: recordPattern, Syntax: params.Syntax})
	s := selection{pattern: pattern, limit: math.MaxInt, order: params.Order}
	s.from, s.to = params.Bounds()
	if params.LimitPerRecord > 0 {
		s.limit = params.LimitPerRecord
	}
	return s, err
}

// keyPrefix returns the prefix of the keys of all matching records.
func (s selection) keyPrefix() []byte {
	if s.pattern.Exact() {
		return appendRecord(nil, s.pattern.Prefix())
	}
	return []byte(s.pattern.Prefix())
}

// scan reads a selection of a snapshot. If the selection's order is the order of the keys, the scan
// is one walk forward. It seeks only to skip keys: a record that does not match, or the rest of a
// record that has reached the limit. If the order is the opposite, the scan finds each record by a
// seek, and then walks back from the record's end.
type scan struct {
	selection
	ctx    context.Context
	keys   snapshot
	layout layout
	// emit takes a value and returns whether to continue. The slices are valid until it returns.
	emit func(record string, key, value []byte) bool

	record       string // the current record
	prefix       []byte // of the current record's keys
	lower, upper []byte // bounds of the selected keys of the current record
	remaining    int    // number of values of the current record that the scan may still emit

	next    []byte // key to seek next; empty: the scan ends
	visited int    // number of emitted values
	err     error
}

// contextInterval is the number of values that a scan emits between two looks at its context.
const contextInterval = 1024

func (s *scan) run() error {
	backward := s.backward()
	if s.pattern.Exact() {
		s.enter(s.pattern.Prefix())
		if backward {
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
		if err == nil && backward && s.remaining > 0 {
			err = s.walkBack()
		}
		if err != nil || s.err != nil {
			return s.finish(err)
		}
	}
	return nil
}

// backward reports whether the selection's order is the opposite of the order of the keys.
func (s *scan) backward() bool { return (s.layout == newestFirst) != (s.order == daybook.NewestFirst) }

func (s *scan) finish(err error) error {
	if err == nil {
		err = s.err
	}
	return err
}

// enter begins a record.
func (s *scan) enter(record string) {
	s.record, s.remaining = record, s.limit
	s.prefix = appendRecord(s.prefix[:0], record)
	s.lower, s.upper = s.layout.bounds(record, s.from, s.to)
}

// leave ends the current record, and has the walk skip the rest of its keys.
func (s *scan) leave() {
	s.remaining = 0
	if !s.pattern.Exact() {
		s.next = appendRecordEnd(s.next[:0], s.record)
	}
}

// visit is one step of a walk forward. It returns false to end the walk; the scan then seeks next.
func (s *scan) visit(key, value []byte) bool {
	if !hasRecord(key, s.prefix) && !s.arrive(key) {
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

// arrive enters the record of a key if it matches, and reports whether it does.
func (s *scan) arrive(key []byte) bool {
	s.remaining = 0
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

// walkBack takes the selected values of the current record from the last to the first.
func (s *scan) walkBack() error {
	s.next = appendRecordEnd(s.next[:0], s.record)
	err := s.keys.descend(s.upper, s.visitBack)
	s.remaining = 0
	return err
}

// visitBack is one step of a walk back.
func (s *scan) visitBack(key, value []byte) bool {
	if !hasRecord(key, s.prefix) || bytes.Compare(key, s.lower) < 0 {
		return false
	}
	return s.take(key, value)
}

// take emits a value, and reports whether the record has more to emit.
func (s *scan) take(key, value []byte) bool {
	if !s.emit(s.record, key, value) {
		s.remaining, s.next = 0, s.next[:0]
		return false
	}
	if s.visited++; s.visited%contextInterval == 0 {
		if s.err = s.ctx.Err(); s.err != nil {
			return false
		}
	}
	if s.remaining--; s.remaining == 0 {
		s.leave()
	}
	return s.remaining > 0
}
