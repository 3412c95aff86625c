// SPDX-License-Identifier: Apache-2.0

package fuzz

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"runtime/debug"
	"slices"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/backendtest"
)

// Directory is where a program's store is kept.
type Directory interface {
	// Open opens the directory, and creates what is not there. A directory that is opened readOnly has
	// been opened before.
	Open(opts Options, readOnly bool) (Subject, error)
}

// Subject is the store that a program is run on.
type Subject interface {
	daybook.Backend
	daybook.BatchStorer
	daybook.Scanner
	daybook.RecordLister
	daybook.Pruner

	Checkpoint(ctx context.Context) error
	// Compact gives free space back.
	Compact(ctx context.Context) error
	Sync(ctx context.Context) error
	// Check verifies all that is stored.
	Check(ctx context.Context) error
	// Totals returns what the store says that it holds.
	Totals(ctx context.Context) (Totals, error)
	// Stall keeps checkpoints from happening in the background until another method needs one.
	Stall()
	Close() error
	// Crash gives the directory up as a killed process does.
	Crash() error
	// Restore backs the store up, closes it, and puts what is restored from that in its place.
	Restore() error
	// CrashWithin begins to store a batch, and crashes when so many eighths of its bytes have arrived. It reports
	// whether all have, so that the batch must be there.
	CrashWithin(ctx context.Context, values []daybook.StoredValue, eighths int) (arrived bool, err error)
	// ScansBlockWrites reports whether an open scan can hold up whoever writes.
	ScansBlockWrites() bool
}

// Totals is what a store holds.
type Totals struct{ Records, Values, ValueBytes uint64 }

const (
	mostHeld = 3           // scans that stand open at once
	mostTime = time.Minute // that an operation takes, before it is taken to wait for ever
)

// runner is a program being run.
type runner struct {
	directory Directory
	opts      Options
	subject   Subject // nil while there is none
	model     *backendtest.Memory
	held      []*heldScan // oldest first
}

var ctx = context.Background()

// Run runs the program on a store and on the model, and compares all that both hold, and say, after each
// operation. The error has the operation that failed, the whole program, and how the two differ. An operation
// that does not end panics, with the program.
func (p Program) Run(directory Directory) error {
	r := &runner{directory: directory, opts: p.Options, model: backendtest.NewMemory()}
	defer r.abandon()
	if err := r.open(false); err != nil {
		return fmt.Errorf("opening: %w\nthe program:\n%s", err, p)
	}
	for i, op := range p.Ops {
		watch := time.AfterFunc(mostTime, func() {
			panic(fmt.Sprintf("operation %d, %s, has taken %v\nthe program:\n%s", i+1, describe(op), mostTime, p))
		})
		err := r.step(op)
		watch.Stop()
		if err != nil {
			return fmt.Errorf("operation %d, %s: %w\nthe program:\n%s", i+1, describe(op), err, p)
		}
	}
	if err := r.finish(); err != nil {
		return fmt.Errorf("in the end: %w\nthe program:\n%s", err, p)
	}
	return nil
}

// Shrink returns a program that fails as p does, without the operations that are not needed for it.
func (p Program) Shrink(fails func(Program) bool) Program {
	for i := len(p.Ops) - 1; i >= 0; i-- {
		shorter := Program{p.Options, slices.Delete(slices.Clone(p.Ops), i, i+1)}
		if fails(shorter) {
			p = shorter
		}
	}
	return p
}

// step does one operation. A panic is an error too, so that it is reported with the program.
func (r *runner) step(op Op) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("panic: %v\n%s", cause, debug.Stack())
		}
	}()
	if err := op.run(r); err != nil || !changes(op) {
		return err
	}
	return r.compare()
}

// changes reports whether an operation changes what is stored, or where it is.
func changes(op Op) bool {
	switch op.(type) {
	case *Query, *Scan, *Hold, *Finish, *Records, *Stall, *Sync:
		return false
	}
	return true
}

func (r *runner) finish() error {
	return errors.Join(
		r.finishAll(),
		r.compare(),
		r.compareQuery("*", daybook.QueryParams{}),
		r.subject.Check(ctx))
}

// abandon leaves nothing open.
func (r *runner) abandon() {
	for _, held := range r.held {
		held.stop()
	}
	if r.subject != nil {
		_ = r.subject.Crash()
	}
}

func (r *runner) open(readOnly bool) (err error) {
	subject, err := r.directory.Open(r.opts, readOnly)
	if err == nil {
		r.subject = subject
	}
	return err
}

// again ends the store, in one way or another, and opens it.
func (r *runner) again(end func() error, look look) error {
	if err := r.finishAll(); err != nil {
		return err
	}
	if err := r.end(end); err != nil {
		return err
	}
	if look {
		if err := r.open(true); err != nil {
			return fmt.Errorf("opening read-only: %w", err)
		}
		if err := errors.Join(r.compare(), r.subject.Check(ctx)); err != nil {
			return fmt.Errorf("opened read-only: %w", err)
		}
		if err := r.end(r.subject.Close); err != nil {
			return err
		}
	}
	if err := r.open(false); err != nil {
		return fmt.Errorf("opening again: %w", err)
	}
	return nil
}

func (r *runner) end(end func() error) error {
	err := end()
	r.subject = nil
	return err
}

// compare compares all that the store and the model hold, in the ways that lead past different parts of the
// engine: every value, the newest of each record, what the records are said to hold, and the totals.
func (r *runner) compare() error {
	all := daybook.QueryParams{Order: daybook.OldestFirst}
	want, wantErr := r.model.Query(ctx, "*", all)
	got, gotErr := r.subject.Query(ctx, "*", all)
	if err := differ("what is stored", want, wantErr, got, gotErr); err != nil {
		return err
	}
	latest, latestErr := r.subject.Query(ctx, "*", daybook.Latest(1))
	if err := differ("the latest of each record", lastOfEach(want), nil, latest, latestErr); err != nil {
		return err
	}
	return r.compareRecords("*", daybook.Glob)
}

// lastOfEach returns the last value of each record.
func lastOfEach(ordered []daybook.StoredValue) (last []daybook.StoredValue) {
	for i, v := range ordered {
		if i+1 == len(ordered) || ordered[i+1].RecordName != v.RecordName {
			last = append(last, v)
		}
	}
	return last
}

func (r *runner) compareQuery(pattern string, params daybook.QueryParams) error {
	want, wantErr := r.model.Query(ctx, pattern, params)
	got, gotErr := r.subject.Query(ctx, pattern, params)
	return differ(fmt.Sprintf("Query(%q)", pattern), want, wantErr, got, gotErr)
}

// differ reports how values differ from the model's.
func differ(what string, want []daybook.StoredValue, wantErr error, got []daybook.StoredValue, gotErr error) error {
	if err := differError(what, wantErr, gotErr); err != nil {
		return err
	}
	if slices.EqualFunc(want, got, equal) {
		return nil
	}
	return fmt.Errorf("%s differs from the model's (-model +store):\n%s", what, cmp.Diff(rows(want), rows(got)))
}

func equal(a, b daybook.StoredValue) bool {
	return a.RecordName == b.RecordName && a.StoredAt == b.StoredAt && string(a.Value) == string(b.Value)
}

// rows returns values as a person reads them.
func rows(values []daybook.StoredValue) (rows []string) {
	const most = 60
	for _, v := range values {
		text := string(v.Value)
		if len(text) > most {
			text = fmt.Sprintf("%s... (%d bytes, CRC-32 %08x)", text[:most], len(text), crc32.ChecksumIEEE(v.Value))
		}
		rows = append(rows, fmt.Sprintf("%s %s at %d", quote(v.RecordName), text, v.StoredAt))
	}
	return rows
}

// refusals are the errors of bad input.
var refusals = []error{daybook.ErrInvalidName, daybook.ErrInvalidValue, daybook.ErrInvalidPattern, daybook.ErrInvalidParams}

// differError reports whether the store refuses what the model accepts, or the other way round.
func differError(what string, want, got error) error {
	same := (want == nil) == (got == nil)
	for _, refusal := range refusals {
		same = same && errors.Is(want, refusal) == errors.Is(got, refusal)
	}
	if same {
		return nil
	}
	return fmt.Errorf("%s: got error %w; the model's is %v", what, got, want)
}

func (r *runner) compareRecords(pattern string, syntax daybook.PatternSyntax) error {
	want, wantErr := list(r.model, pattern, syntax)
	got, gotErr := list(r.subject, pattern, syntax)
	what := fmt.Sprintf("Records(%q, %s)", pattern, syntax)
	if err := differError(what, wantErr, gotErr); err != nil {
		return err
	}
	if !slices.Equal(want, got) {
		return fmt.Errorf("%s differs from the model's (-model +store):\n%s", what, cmp.Diff(want, got))
	}
	if pattern != "*" || syntax != daybook.Glob {
		return nil
	}
	return r.compareTotals(want)
}

// compareTotals holds the totals against those of the model's records, which are all of them.
func (r *runner) compareTotals(records []daybook.RecordInfo) error {
	var want Totals
	for _, info := range records {
		want.Records++
		want.Values += info.Count
		want.ValueBytes += info.Bytes
	}
	got, err := r.subject.Totals(ctx)
	if err != nil || got != want {
		return fmt.Errorf("the totals are %+v, %v; the model's are %+v", got, err, want)
	}
	return nil
}

func list(backend daybook.RecordLister, pattern string, syntax daybook.PatternSyntax) (infos []daybook.RecordInfo, err error) {
	for info, err := range backend.Records(ctx, pattern, syntax) {
		if err != nil {
			return nil, err
		}
		infos = append(infos, info)
	}
	return infos, nil
}
