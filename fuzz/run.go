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

// Directory holds a program's store.
type Directory interface {
	// Open opens the store, and creates it if it does not exist. If readOnly, it exists.
	Open(opts StoreOptions, readOnly bool) (Subject, error)
}

// Subject is the store that a program is run on.
type Subject interface {
	daybook.Backend
	daybook.BatchStorer
	daybook.Scanner
	daybook.RecordLister
	daybook.Pruner
	daybook.Holder
	daybook.Receiver

	// CursorAt returns the place of the value with a sequence number.
	CursorAt(sequence uint64) daybook.Cursor
	Checkpoint(ctx context.Context) error
	// Compact returns unused space to the file system.
	Compact(ctx context.Context) error
	Sync(ctx context.Context) error
	// Check verifies all checksums and counts.
	Check(ctx context.Context) error
	// Totals returns the totals that the store keeps.
	Totals(ctx context.Context) (Totals, error)
	// Stall makes checkpoints in the background wait until another method needs one.
	Stall()
	Close() error
	// Crash leaves the directory as a killed process does.
	Crash() error
	// Restore backs the store up, closes it, and replaces it by one restored from the backup.
	Restore() error
	// CrashWithin starts to store a batch, and crashes when the given number of eighths of its
	// bytes have arrived. It reports whether all bytes have arrived, so that the batch must be
	// stored.
	CrashWithin(ctx context.Context, values []daybook.StoredValue, eighths int) (arrived bool, err error)
	// ScansBlockWrites reports whether an open scan can make a writer wait for it.
	ScansBlockWrites() bool
}

// Totals are the numbers of records and of values in a store, and the total length of the values.
type Totals struct{ Records, Values, ValueBytes uint64 }

const (
	maxOpenScans = 3
	// maxDuration is the time after which an operation is assumed to wait for ever.
	maxDuration = time.Minute
)

// runner runs a program.
type runner struct {
	directory Directory
	opts      StoreOptions
	subject   Subject // nil while no store is open
	model     *backendtest.Memory
	openScans []*openScan              // oldest first
	streams   map[string]daybook.Batch // the last batch of each
}

var ctx = context.Background()

// Run runs the program on a store and on the model. After each operation it compares their contents
// and their results. Its error says which operation failed, how the two differ, and the whole
// program. Run panics, with the program, if an operation does not end.
func (p Program) Run(directory Directory) error {
	r := &runner{
		directory: directory, opts: p.Options, model: backendtest.NewMemory(), streams: map[string]daybook.Batch{},
	}
	defer r.abandon()
	if err := r.open(false); err != nil {
		return fmt.Errorf("opening: %w\nthe program:\n%s", err, p)
	}
	for i, op := range p.Ops {
		watch := time.AfterFunc(maxDuration, func() {
			panic(fmt.Sprintf("operation %d, %s, has not ended after %v\nthe program:\n%s",
				i+1, describe(op), maxDuration, p))
		})
		err := r.step(op)
		watch.Stop()
		if err != nil {
			return fmt.Errorf("operation %d, %s: %w\nthe program:\n%s", i+1, describe(op), err, p)
		}
	}
	if err := r.finish(); err != nil {
		return fmt.Errorf("after the last operation: %w\nthe program:\n%s", err, p)
	}
	return nil
}

// Shrink returns a shorter program that still fails: p without the operations that the failure does
// not need.
func (p Program) Shrink(fails func(Program) bool) Program {
	for i := len(p.Ops) - 1; i >= 0; i-- {
		shorter := Program{p.Options, slices.Delete(slices.Clone(p.Ops), i, i+1)}
		if fails(shorter) {
			p = shorter
		}
	}
	return p
}

// step runs one operation. It returns a panic as an error, so that it is reported with the program.
func (r *runner) step(op Operation) (err error) {
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

// changes reports whether an operation changes the stored values, or where they are stored.
func changes(op Operation) bool {
	switch op.(type) {
	case *Query, *Scan, *Hold, *Finish, *Records, *Stall, *Sync:
		return false
	}
	return true
}

// finish ends the open scans and compares everything once more.
func (r *runner) finish() error {
	return errors.Join(
		r.finishScans(),
		r.compare(),
		r.compareQuery("*", daybook.QueryParams{}),
		r.subject.Check(ctx))
}

// abandon closes the open scans and the store.
func (r *runner) abandon() {
	for _, scan := range r.openScans {
		scan.stop()
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

// reopen ends the store by calling end, and opens it again.
func (r *runner) reopen(end func() error, readOnlyFirst bool) error {
	if err := r.finishScans(); err != nil {
		return err
	}
	if err := r.end(end); err != nil {
		return err
	}
	if readOnlyFirst {
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

// compare compares the contents of the store and of the model. It reads them in ways that use
// different parts of the engine: all values, the newest of each record, the list of records, and
// the totals.
func (r *runner) compare() error {
	all := daybook.QueryParams{Order: daybook.OldestFirst}
	want, wantErr := r.model.Query(ctx, "*", all)
	got, gotErr := r.subject.Query(ctx, "*", all)
	if err := compareValues("the list of all values", want, wantErr, got, gotErr); err != nil {
		return err
	}
	latest, latestErr := r.subject.Query(ctx, "*", daybook.Latest(1))
	if err := compareValues("the list of the newest values", lastOfEach(want), nil, latest, latestErr); err != nil {
		return err
	}
	return errors.Join(r.compareRecords("*", daybook.Glob), r.compareHolds(), r.comparePositions())
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
	return compareValues(fmt.Sprintf("Query(%q)", pattern), want, wantErr, got, gotErr)
}

// compareValues returns an error that says how values and an error differ from the model's. what
// names them.
func compareValues(
	what string, want []daybook.StoredValue, wantErr error, got []daybook.StoredValue, gotErr error,
) error {
	if err := compareErrors(what, wantErr, gotErr); err != nil {
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

// rows returns values in a form for people.
func rows(values []daybook.StoredValue) (rows []string) {
	const maxLen = 60
	for _, v := range values {
		text := string(v.Value)
		if len(text) > maxLen {
			text = fmt.Sprintf("%s... (%d bytes, CRC-32 %08x)", text[:maxLen], len(text), crc32.ChecksumIEEE(v.Value))
		}
		rows = append(rows, fmt.Sprintf("%s %s at %d", quote(v.RecordName), text, v.StoredAt))
	}
	return rows
}

// refusals are the errors about invalid arguments.
var refusals = []error{
	daybook.ErrInvalidName, daybook.ErrInvalidValue, daybook.ErrInvalidPattern, daybook.ErrInvalidParams,
	daybook.ErrNoHold, daybook.ErrForked, daybook.ErrOutOfStep,
}

// compareErrors returns an error if only one of the store and the model refuses an operation, or if
// they refuse it for different reasons.
func compareErrors(what string, want, got error) error {
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
	if err := compareErrors(what, wantErr, gotErr); err != nil {
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

// compareTotals compares the store's totals with the sums over all records of the model.
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

// list returns the records that a pattern matches.
func list(
	backend daybook.RecordLister, pattern string, syntax daybook.PatternSyntax,
) (infos []daybook.RecordInfo, err error) {
	for info, err := range backend.Records(ctx, pattern, syntax) {
		if err != nil {
			return nil, err
		}
		infos = append(infos, info)
	}
	return infos, nil
}
