// SPDX-License-Identifier: Apache-2.0

package fuzz

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/daybook-db/daybook"
)

// Operation is an operation of a program.
type Operation interface {
	fields() []field
	run(r *runner) error
}

// storingOperation is an operation that stores values.
type storingOperation interface {
	// number numbers the values from next on, and returns the number that follows the last.
	number(next int) (after int)
}

// The operations. In text, each name is written in lower case.
type (
	// Store stores one value.
	Store struct{ Element }
	// Batch stores values in one batch, which may be empty. If Fault says that an element is not
	// JSON, the store must store none of them.
	Batch struct {
		Fault batchFault
		Elements
	}
	// Series stores Count values of one record in one batch, at even intervals.
	Series struct {
		Name  string
		Count int
		First Value
		From  uint64 // timestamp of the first value
		Step  int    // ms
	}
	// Query queries the store.
	Query struct{ Request }
	// Scan scans the store, and stops after Take values.
	Scan struct {
		Request
		Take int
	}
	// Hold starts a scan, takes Take values, and leaves the scan open.
	Hold Scan
	// Finish takes the remaining values of the oldest open scan.
	Finish struct{}
	// Records lists the records that a pattern matches.
	Records struct {
		Pattern daybook.Pattern
	}
	// Cleanup deletes all values with a timestamp below Before.
	Cleanup struct{ Before uint64 }
	// Prune deletes values of the records that a pattern matches.
	Prune struct {
		Pattern      daybook.Pattern
		OlderThan    uint64
		MaxPerRecord int
		KeepNewest   int
		MaxBytes     int
	}
	// PruneNewer deletes values of the records that a pattern matches: those that are newer than
	// NewerThan, and older than OlderThan unless that is 0.
	PruneNewer struct {
		Pattern      daybook.Pattern
		NewerThan    uint64
		OlderThan    uint64
		MaxPerRecord int
		KeepNewest   int
		MaxBytes     int
	}
	// SetHold sets a hold at the place before the last Back values.
	SetHold struct {
		Name     string
		Pattern  daybook.Pattern
		Back     int
		MaxBytes int
	}
	// AdvanceHold advances a hold to the place before the last Back values.
	AdvanceHold struct {
		Name string
		Back int
	}
	// ReleaseHold releases a hold.
	ReleaseHold struct{ Name string }
	// Receive receives the next batch of a stream, which may be empty. If Again, it receives the
	// same batch once more.
	Receive struct {
		Stream string
		Again  bool
		Elements
	}
	// Checkpoint posts all values. If Watched, the program queries meanwhile.
	Checkpoint struct{ Watched bool }
	// Compact compacts the store. If Watched, the program queries meanwhile.
	Compact struct{ Watched bool }
	// Stall makes checkpoints in the background wait until an operation needs one. Until then, a
	// frozen head stays beside the active one.
	Stall struct{}
	// Sync makes all values durable.
	Sync struct{}
	// Reopen closes the store and opens it again. If ReadOnlyFirst, it opens the store read-only
	// before.
	Reopen struct{ ReadOnlyFirst bool }
	// Crash is Reopen without closing the store.
	Crash struct{ ReadOnlyFirst bool }
	// Restore backs the store up, replaces the store by one restored from the backup, and opens
	// that as Reopen does.
	Restore struct{ ReadOnlyFirst bool }
	// Torn crashes while a batch is being written, after Eighths/8 of its bytes have arrived.
	Torn struct {
		Eighths int
		Elements
	}
)

// opcodes are the operations that a byte chooses from. A weight says how many bytes choose an
// operation.
var opcodes = weigh(
	weightedOperation{14, func() Operation { return &Store{} }},
	weightedOperation{6, func() Operation { return &Batch{} }},
	weightedOperation{4, func() Operation { return &Series{} }},
	weightedOperation{6, func() Operation { return &Query{} }},
	weightedOperation{2, func() Operation { return &Scan{} }},
	weightedOperation{3, func() Operation { return &Hold{} }},
	weightedOperation{2, func() Operation { return &Finish{} }},
	weightedOperation{2, func() Operation { return &Records{} }},
	weightedOperation{3, func() Operation { return &Cleanup{} }},
	weightedOperation{4, func() Operation { return &Prune{} }},
	weightedOperation{6, func() Operation { return &Checkpoint{} }},
	weightedOperation{3, func() Operation { return &Stall{} }},
	weightedOperation{1, func() Operation { return &Sync{} }},
	weightedOperation{2, func() Operation { return &Reopen{} }},
	weightedOperation{3, func() Operation { return &Crash{} }},
	weightedOperation{1, func() Operation { return &Torn{} }},
	weightedOperation{2, func() Operation { return &Compact{} }},
	weightedOperation{1, func() Operation { return &Restore{} }},
	weightedOperation{4, func() Operation { return &SetHold{} }},
	weightedOperation{3, func() Operation { return &AdvanceHold{} }},
	weightedOperation{1, func() Operation { return &ReleaseHold{} }},
	weightedOperation{4, func() Operation { return &Receive{} }},
	weightedOperation{3, func() Operation { return &PruneNewer{} }},
)

type weightedOperation struct {
	weight int
	new    func() Operation
}

func weigh(ops ...weightedOperation) (opcodes []weightedOperation) {
	for _, op := range ops {
		for range op.weight {
			opcodes = append(opcodes, op)
		}
	}
	return opcodes
}

// verbOf returns the name of an operation in text.
func verbOf(op Operation) string { return strings.ToLower(reflect.TypeOf(op).Elem().Name()) }

// opcodeOf returns a byte that chooses an operation.
func opcodeOf(op Operation) byte {
	for i := range opcodes {
		if verbOf(opcodes[i].new()) == verbOf(op) {
			return byte(i)
		}
	}
	panic("an operation without an opcode")
}

// operationNamed returns an operation without fields.
func operationNamed(verb string) (Operation, error) {
	for i := range opcodes {
		if op := opcodes[i].new(); verbOf(op) == verb {
			return op, nil
		}
	}
	return nil, fmt.Errorf("there is no operation %q", verb)
}

// batchFault says which element of a batch is not JSON.
type batchFault int

const (
	noFault batchFault = iota
	firstBad
	lastBad
)

func readOnlyFirst(to *bool) field { return oneOf(to, []bool{false, true}, "unseen", "seen") }

// Request is the parameters of a query.
type Request struct {
	Pattern  daybook.Pattern
	From, To Bound
	Limit    int
	Order    daybook.Order
}

func (q *Request) params() daybook.QueryParams {
	return daybook.QueryParams{
		LimitPerRecord: q.Limit,
		StartTime:      q.From.pointer(),
		EndTime:        q.To.pointer(),
		Syntax:         q.Pattern.Syntax,
		Order:          q.Order,
	}
}

func (q *Request) fields() []field {
	return []field{
		pattern(&q.Pattern.Text), syntax(&q.Pattern.Syntax), word("from"), bound(&q.From), word("to"), bound(&q.To),
		word("limit"), number(&q.Limit, 0, 1, 2, 7, 0), order(&q.Order),
	}
}

func (o *Batch) fields() []field {
	// Most batches are stored.
	faults := []batchFault{noFault, noFault, noFault, noFault, noFault, firstBad, lastBad}
	texts := []string{"good", "good", "good", "good", "good", "firstbad", "lastbad"}
	return []field{oneOf(&o.Fault, faults, texts...), elementsField{&o.Elements}}
}

func (o *Series) fields() []field {
	return []field{
		name(&o.Name), number(&o.Count, 10, 5, 20, 10, 40, 5, 20, 10, 130, 10, 20, 5, 40, 10, 20, 600),
		word("of"), valueField{&o.First}, word("from"), timestamp(&o.From),
		word("step"), number(&o.Step, 1, 0, 2, 7),
	}
}

func take(to *int) field { return number(to, 1, 0, 2, 5, 30) }

func (o *Scan) fields() []field { return append(o.Request.fields(), word("take"), take(&o.Take)) }
func (o *Hold) fields() []field { return (*Scan)(o).fields() }

func (o *Records) fields() []field {
	return []field{pattern(&o.Pattern.Text), syntax(&o.Pattern.Syntax)}
}
func (o *Cleanup) fields() []field { return []field{word("before"), timestamp(&o.Before)} }

func (o *Prune) fields() []field {
	return []field{
		pattern(&o.Pattern.Text), syntax(&o.Pattern.Syntax), word("before"), timestamp(&o.OlderThan),
		word("most"), number(&o.MaxPerRecord, 0, 1, 3, 10), word("keep"), number(&o.KeepNewest, 0, 0, 2),
		word("size"), number(&o.MaxBytes, 0, 0, 0, 1, 40, 700),
	}
}

func (o *PruneNewer) fields() []field {
	return []field{
		pattern(&o.Pattern.Text), syntax(&o.Pattern.Syntax), word("after"), timestamp(&o.NewerThan),
		word("before"), timestampOrZero(&o.OlderThan), word("most"), number(&o.MaxPerRecord, 0, 0, 3),
		word("keep"), number(&o.KeepNewest, 0, 0, 2), word("size"), number(&o.MaxBytes, 0, 0, 0, 40),
	}
}

func (o *SetHold) fields() []field {
	return []field{
		holdName(&o.Name), pattern(&o.Pattern.Text), syntax(&o.Pattern.Syntax), word("back"), back(&o.Back),
		word("bytes"), number(&o.MaxBytes, 40, 1, 200, 1<<20, 12, 1<<20),
	}
}

func (o *AdvanceHold) fields() []field {
	return []field{holdName(&o.Name), word("back"), back(&o.Back)}
}

func (o *ReleaseHold) fields() []field { return []field{holdName(&o.Name)} }

func holdName(to *string) field { return oneOf(to, []string{"first", "second"}, "first", "second") }
func back(to *int) field        { return number(to, 0, 1, 3, 10, 50, 1000) }

func (o *Receive) fields() []field {
	return []field{
		oneOf(&o.Stream, []string{"north", "south"}, "north", "south"),
		oneOf(&o.Again, []bool{false, false, true}, "once", "once", "again"), elementsField{&o.Elements},
	}
}

func (*Finish) fields() []field { return nil }
func (*Stall) fields() []field  { return nil }
func (*Sync) fields() []field   { return nil }

func (o *Checkpoint) fields() []field { return []field{watched(&o.Watched)} }
func (o *Compact) fields() []field    { return []field{watched(&o.Watched)} }

func watched(o *bool) field { return oneOf(o, []bool{false, true}, "alone", "watched") }

func (o *Reopen) fields() []field { return []field{readOnlyFirst(&o.ReadOnlyFirst)} }
func (o *Crash) fields() []field  { return []field{readOnlyFirst(&o.ReadOnlyFirst)} }

func (o *Restore) fields() []field { return []field{readOnlyFirst(&o.ReadOnlyFirst)} }

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

// values returns the values of the series. Timestamps stop at the largest.
func (o *Series) values() (values []daybook.StoredValue) {
	e := Element{o.Name, o.First, o.From}
	for range o.Count {
		values = append(values, e.stored())
		e.Value.Number++
		e.At = max(e.At, e.At+uint64(o.Step))
	}
	return values
}
