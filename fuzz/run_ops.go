// SPDX-License-Identifier: Apache-2.0

package fuzz

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/backendtest"
)

func (o *Store) run(r *runner) error {
	v := o.stored()
	return r.change("Store", func(backend changed) (uint64, error) {
		return 0, backend.Store(ctx, v.RecordName, v.Value, v.StoredAt)
	})
}

func (o *Batch) run(r *runner) error {
	batch := o.stored()
	switch notJSON := json.RawMessage("{"); {
	case len(batch) == 0:
	case o.Fault == firstBad:
		batch[0].Value = notJSON
	case o.Fault == lastBad:
		batch[len(batch)-1].Value = notJSON
	}
	return r.storeBatch(batch)
}

func (o *Series) run(r *runner) error { return r.storeBatch(o.values()) }

func (r *runner) storeBatch(batch []daybook.StoredValue) error {
	return r.change("StoreBatch", func(backend changed) (uint64, error) { return 0, backend.StoreBatch(ctx, batch) })
}

func (o *Cleanup) run(r *runner) error {
	return r.change("Cleanup", func(backend changed) (uint64, error) { return backend.Cleanup(ctx, o.Before) })
}

func (o *Prune) run(r *runner) error {
	params := daybook.PruneParams{Syntax: o.Syntax, OlderThan: o.Before, MaxPerRecord: o.Most, KeepNewest: o.Keep, MaxBytes: uint64(o.Bytes)}
	return r.change("Prune", func(backend changed) (uint64, error) { return backend.Prune(ctx, o.Pattern, params) })
}

// changed is what both the store and the model can do.
type changed interface {
	daybook.Backend
	daybook.BatchStorer
	daybook.Pruner
}

// change does the same to the store and to the model, and compares what they return.
func (r *runner) change(what string, do func(changed) (count uint64, err error)) error {
	if err := r.beforeWriting(); err != nil {
		return err
	}
	want, wantErr := do(r.model)
	got, gotErr := do(r.subject)
	if err := differError(what, wantErr, gotErr); err != nil {
		return err
	}
	if got != want {
		return fmt.Errorf("%s = %d; the model's is %d", what, got, want)
	}
	return nil
}

func (r *runner) beforeWriting() error {
	if r.subject.ScansBlockWrites() {
		return r.finishAll()
	}
	return nil
}

func (o *Query) run(r *runner) error { return r.compareQuery(o.Pattern, o.params()) }

func (o *Records) run(r *runner) error { return r.compareRecords(o.Pattern, o.Syntax) }

// heldScan is one that stands open, with what the model said when it began.
type heldScan struct {
	what    string
	want    []daybook.StoredValue
	wantErr error
	got     []daybook.StoredValue
	gotErr  error
	next    func() (daybook.StoredValue, error, bool)
	stop    func()
}

// hold begins a scan.
func (r *runner) hold(request *Request) *heldScan {
	held := &heldScan{what: fmt.Sprintf("Scan(%q)", request.Pattern)}
	held.want, held.wantErr = r.model.Query(ctx, request.Pattern, request.params())
	held.next, held.stop = iter.Pull2(r.subject.Scan(ctx, request.Pattern, request.params()))
	return held
}

// take takes up to so many values, and reports whether there were as many.
func (h *heldScan) take(most int) (more bool) {
	for range most {
		v, err, more := h.next()
		if !more {
			return false
		}
		if err != nil {
			h.gotErr = err
			return false
		}
		h.got = append(h.got, v)
	}
	return true
}

// finish takes the rest, and compares it with what the model said when the scan began.
func (h *heldScan) finish() error {
	defer h.stop()
	const everything = 1 << 30
	h.take(everything)
	return differ(h.what, h.want, h.wantErr, h.got, h.gotErr)
}

func (o *Scan) run(r *runner) error {
	scan := r.hold(&o.Request)
	defer scan.stop()
	if more := scan.take(o.Take); more && len(scan.want) >= len(scan.got) {
		scan.want = scan.want[:len(scan.got)]
		scan.wantErr = nil
	}
	if o.Take == 0 {
		return nil // it has not begun
	}
	return differ(scan.what, scan.want, scan.wantErr, scan.got, scan.gotErr)
}

func (o *Hold) run(r *runner) error {
	if len(r.held) == mostHeld {
		if err := r.finishOldest(); err != nil {
			return err
		}
	}
	scan := r.hold(&o.Request)
	if scan.take(max(o.Take, 1)) { // an iteration that has not begun has no snapshot
		r.held = append(r.held, scan)
		return nil
	}
	return scan.finish()
}

func (o *Finish) run(r *runner) error { return r.finishOldest() }

func (r *runner) finishOldest() error {
	if len(r.held) == 0 {
		return nil
	}
	oldest := r.held[0]
	r.held = r.held[1:]
	return oldest.finish()
}

func (r *runner) finishAll() (err error) {
	for len(r.held) > 0 {
		err = errors.Join(err, r.finishOldest())
	}
	return err
}

func (o *Checkpoint) run(r *runner) error { return r.maintain(o.Watched, r.subject.Checkpoint) }

func (o *Compact) run(r *runner) error { return r.maintain(o.Watched, r.subject.Compact) }

// maintain does something that must change no result, while another goroutine queries or none does.
func (r *runner) maintain(watched bool, do func(context.Context) error) error {
	if err := r.beforeWriting(); err != nil || !watched {
		return errors.Join(err, do(ctx))
	}
	done := make(chan error)
	go func() { done <- do(ctx) }()
	for {
		select {
		case err := <-done:
			return err
		default:
			if err := r.compareQuery("*", daybook.QueryParams{}); err != nil {
				return errors.Join(fmt.Errorf("beside the maintenance: %w", err), <-done)
			}
		}
	}
}

func (*Stall) run(r *runner) error {
	r.subject.Stall()
	return nil
}

func (*Sync) run(r *runner) error { return r.subject.Sync(ctx) }

func (o *Reopen) run(r *runner) error { return r.again(r.subject.Close, o.Look) }

func (o *Crash) run(r *runner) error { return r.again(r.subject.Crash, o.Look) }

func (o *Restore) run(r *runner) error { return r.again(r.subject.Restore, o.Look) }

// run leaves it to the store whether a batch that did not arrive in full is there, but whole or not at all.
func (o *Torn) run(r *runner) error {
	batch := o.stored()
	arrived := false
	err := r.again(func() (err error) {
		arrived, err = r.subject.CrashWithin(ctx, batch, o.Eighths)
		return err
	}, false)
	if err != nil || len(batch) == 0 {
		return err
	}
	with := backendtest.NewMemory()
	params := daybook.QueryParams{Order: daybook.OldestFirst}
	before, err := r.model.Query(ctx, "*", params)
	if err != nil {
		return err
	}
	if err := errors.Join(with.StoreBatch(ctx, before), with.StoreBatch(ctx, batch)); err != nil {
		return err
	}
	whole, err := with.Query(ctx, "*", params)
	if err != nil {
		return err
	}
	got, err := r.subject.Query(ctx, "*", params)
	if arrived || slices.EqualFunc(whole, got, equal) {
		r.model = with
	}
	return err
}
