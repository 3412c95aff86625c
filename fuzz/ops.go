// SPDX-License-Identifier: Apache-2.0

package fuzz

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/daybook-db/daybook"
)

// Op is an operation.
type Op interface {
	fields() []field
	run(r *runner) error
}

// storing is an operation that stores values with numbers.
type storing interface {
	number(next int) (after int)
}

// The operations. Their verbs, in text, are these names in lower case.
type (
	// Store stores one value.
	Store struct{ Element }
	// Batch stores several at once, or none, with one that is not JSON among them.
	Batch struct {
		Fault fault
		Elements
	}
	// Series stores, at once, Count values of one record at even intervals.
	Series struct {
		Name  string
		Count int
		First Value
		From  uint64
		Step  int
	}
	// Query queries.
	Query struct{ Request }
	// Scan scans, and breaks off after Take values.
	Scan struct {
		Request
		Take int
	}
	// Hold begins a scan, takes as many values, and lets it stand open.
	Hold Scan
	// Finish takes the rest of the scan that has been open the longest.
	Finish struct{}
	// Records lists records.
	Records struct {
		Pattern string
		Syntax  daybook.PatternSyntax
	}
	// Cleanup cleans up.
	Cleanup struct{ Before uint64 }
	// Prune prunes.
	Prune struct {
		Pattern    string
		Syntax     daybook.PatternSyntax
		Before     uint64
		Most, Keep int
		Bytes      int
	}
	// Checkpoint posts everything, while another goroutine queries or none does.
	Checkpoint struct{ Watched bool }
	// Compact compacts the store, while another goroutine queries or none does.
	Compact struct{ Watched bool }
	// Stall has checkpoints in the background wait until something waits for one, so that a full head
	// stands beside the next one for a while.
	Stall struct{}
	// Sync makes everything durable.
	Sync struct{}
	// Reopen closes the store and opens it again.
	Reopen struct{ Look look }
	// Crash does the same, but for closing it.
	Crash struct{ Look look }
	// Restore backs the store up, and opens what is restored from that in its place.
	Restore struct{ Look look }
	// Torn crashes while a batch is being written, of which Eighths of its bytes have arrived.
	Torn struct {
		Eighths int
		Elements
	}
)

// opcodes has each operation as often as a byte is to choose it.
var opcodes = weigh(
	weighted{14, func() Op { return &Store{} }},
	weighted{6, func() Op { return &Batch{} }},
	weighted{4, func() Op { return &Series{} }},
	weighted{6, func() Op { return &Query{} }},
	weighted{2, func() Op { return &Scan{} }},
	weighted{3, func() Op { return &Hold{} }},
	weighted{2, func() Op { return &Finish{} }},
	weighted{2, func() Op { return &Records{} }},
	weighted{3, func() Op { return &Cleanup{} }},
	weighted{4, func() Op { return &Prune{} }},
	weighted{6, func() Op { return &Checkpoint{} }},
	weighted{3, func() Op { return &Stall{} }},
	weighted{1, func() Op { return &Sync{} }},
	weighted{2, func() Op { return &Reopen{} }},
	weighted{3, func() Op { return &Crash{} }},
	weighted{1, func() Op { return &Torn{} }},
	weighted{2, func() Op { return &Compact{} }},
	weighted{1, func() Op { return &Restore{} }},
)

type weighted struct {
	weight int
	new    func() Op
}

func weigh(ops ...weighted) (opcodes []weighted) {
	for _, op := range ops {
		for range op.weight {
			opcodes = append(opcodes, op)
		}
	}
	return opcodes
}

func verbOf(op Op) string { return strings.ToLower(reflect.TypeOf(op).Elem().Name()) }

func opcodeOf(op Op) byte {
	for i := range opcodes {
		if verbOf(opcodes[i].new()) == verbOf(op) {
			return byte(i)
		}
	}
	panic("an operation without an opcode")
}

func opNamed(verb string) (Op, error) {
	for i := range opcodes {
		if op := opcodes[i].new(); verbOf(op) == verb {
			return op, nil
		}
	}
	return nil, fmt.Errorf("there is no operation %q", verb)
}

// fault is which element of a batch is not JSON.
type fault int

const (
	noFault fault = iota
	firstBad
	lastBad
)

// look is whether a directory is opened read-only before it is opened.
type look bool

func looks(to *look) field { return oneOf(to, []look{false, true}, "unseen", "seen") }

// Request is what a query asks for.
type Request struct {
	Pattern  string
	Syntax   daybook.PatternSyntax
	From, To Bound
	Limit    int
	Order    daybook.Order
}

func (q *Request) params() daybook.QueryParams {
	return daybook.QueryParams{LimitPerRecord: q.Limit, StartTime: q.From.pointer(), EndTime: q.To.pointer(), Syntax: q.Syntax, Order: q.Order}
}

func (q *Request) fields() []field {
	return []field{
		pattern(&q.Pattern), syntax(&q.Syntax), word("from"), bound(&q.From), word("to"), bound(&q.To),
		word("limit"), number(&q.Limit, 0, 1, 2, 7, 0), order(&q.Order),
	}
}

func (o *Batch) fields() []field {
	faults := oneOf(&o.Fault, []fault{noFault, noFault, noFault, noFault, noFault, firstBad, lastBad}, "good", "good", "good", "good", "good", "firstbad", "lastbad")
	return []field{faults, elementsField{&o.Elements}}
}

func (o *Series) fields() []field {
	return []field{
		name(&o.Name), number(&o.Count, 10, 5, 20, 10, 40, 5, 20, 10, 130, 10, 20, 5, 40, 10, 20, 600), word("of"), valueField{&o.First},
		word("from"), timestamp(&o.From), word("step"), number(&o.Step, 1, 0, 2, 7),
	}
}

func takes(to *int) field { return number(to, 1, 0, 2, 5, 30) }

func (o *Scan) fields() []field { return append(o.Request.fields(), word("take"), takes(&o.Take)) }
func (o *Hold) fields() []field { return (*Scan)(o).fields() }

func (o *Records) fields() []field { return []field{pattern(&o.Pattern), syntax(&o.Syntax)} }
func (o *Cleanup) fields() []field { return []field{word("before"), timestamp(&o.Before)} }

func (o *Prune) fields() []field {
	return []field{
		pattern(&o.Pattern), syntax(&o.Syntax), word("before"), timestamp(&o.Before),
		word("most"), number(&o.Most, 0, 1, 3, 10), word("keep"), number(&o.Keep, 0, 0, 2),
		word("size"), number(&o.Bytes, 0, 0, 0, 1, 40, 700),
	}
}

func (*Finish) fields() []field { return nil }
func (*Stall) fields() []field  { return nil }
func (*Sync) fields() []field   { return nil }

func (o *Checkpoint) fields() []field { return []field{watched(&o.Watched)} }
func (o *Compact) fields() []field    { return []field{watched(&o.Watched)} }

func watched(o *bool) field { return oneOf(o, []bool{false, true}, "alone", "watched") }

func (o *Reopen) fields() []field { return []field{looks(&o.Look)} }
func (o *Crash) fields() []field  { return []field{looks(&o.Look)} }

func (o *Restore) fields() []field { return []field{looks(&o.Look)} }

func (o *Torn) fields() []field {
	return []field{number(&o.Eighths, 0, 1, 4, 7, 8), word("of"), elementsField{&o.Elements}}
}

func (o *Store) number(next int) int {
	o.Value.Number = next
	return next + 1
}

func (o *Series) number(next int) int {
	o.First.Number = next
	return next + o.Count
}

// values returns what the series stores. Times do not go beyond the greatest.
func (o *Series) values() (values []daybook.StoredValue) {
	e := Element{o.Name, o.First, o.From}
	for range o.Count {
		values = append(values, e.stored())
		e.Value.Number++
		e.At = max(e.At, e.At+uint64(o.Step))
	}
	return values
}
