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
	return r.change("Store", func(backend subjectOrModel) (uint64, error) {
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
	return r.change("StoreBatch", func(backend subjectOrModel) (uint64, error) {
		return 0, backend.StoreBatch(ctx, batch)
	})
}

func (o *Cleanup) run(r *runner) error {
	return r.change("Cleanup", func(backend subjectOrModel) (uint64, error) {
		return backend.Cleanup(ctx, o.Before)
	})
}

func (o *Prune) run(r *runner) error {
	params := daybook.PruneParams{
		Syntax:       o.Pattern.Syntax,
		OlderThan:    o.OlderThan,
		MaxPerRecord: o.MaxPerRecord,
		KeepNewest:   o.KeepNewest,
		MaxBytes:     uint64(o.MaxBytes),
	}
	return r.prune(o.Pattern.Text, params)
}

func (o *PruneNewer) run(r *runner) error {
	return r.prune(o.Pattern.Text, daybook.PruneParams{
		Syntax:       o.Pattern.Syntax,
		NewerThan:    o.NewerThan,
		OlderThan:    o.OlderThan,
		MaxPerRecord: o.MaxPerRecord,
		KeepNewest:   o.KeepNewest,
		MaxBytes:     uint64(o.MaxBytes),
	})
}

func (r *runner) prune(pattern string, params daybook.PruneParams) error {
	return r.change("Prune", func(backend subjectOrModel) (uint64, error) {
		return backend.Prune(ctx, pattern, params)
	})
}

// subjectOrModel has the methods that the store and the model have in common.
type subjectOrModel interface {
	daybook.Backend
	daybook.BatchStorer
	daybook.Pruner
}

// change makes the same change to the store and to the model, and compares the results.
func (r *runner) change(what string, do func(subjectOrModel) (count uint64, err error)) error {
	if err := r.beforeWriting(); err != nil {
		return err
	}
	want, wantErr := do(r.model)
	got, gotErr := do(r.subject)
	if err := compareErrors(what, wantErr, gotErr); err != nil {
		return err
	}
	if got != want {
		return fmt.Errorf("%s = %d; the model's is %d", what, got, want)
	}
	return nil
}

// beforeWriting ends the open scans if they could block a write.
func (r *runner) beforeWriting() error {
	if r.subject.ScansBlockWrites() {
		return r.finishScans()
	}
	return nil
}

func (o *Query) run(r *runner) error { return r.compareQuery(o.Pattern.Text, o.params()) }

func (o *Records) run(r *runner) error { return r.compareRecords(o.Pattern.Text, o.Pattern.Syntax) }

// openScan is a scan of the store, with the result of the model when the scan started.
type openScan struct {
	what    string
	want    []daybook.StoredValue
	wantErr error
	got     []daybook.StoredValue
	gotErr  error
	next    func() (daybook.StoredValue, error, bool)
	stop    func()
}

// openScan starts a scan.
func (r *runner) openScan(request *Request) *openScan {
	s := &openScan{what: fmt.Sprintf("Scan(%q)", request.Pattern.Text)}
	s.want, s.wantErr = r.model.Query(ctx, request.Pattern.Text, request.params())
	s.next, s.stop = iter.Pull2(r.subject.Scan(ctx, request.Pattern.Text, request.params()))
	return s
}

// take takes up to n values, and reports whether the scan had n.
func (s *openScan) take(n int) bool {
	for range n {
		v, err, ok := s.next()
		if !ok {
			return false
		}
		if err != nil {
			s.gotErr = err
			return false
		}
		s.got = append(s.got, v)
	}
	return true
}

// finish takes the remaining values, and compares all values with the model's.
func (s *openScan) finish() error {
	defer s.stop()
	const all = 1 << 30
	s.take(all)
	return compareValues(s.what, s.want, s.wantErr, s.got, s.gotErr)
}

func (o *Scan) run(r *runner) error {
	scan := r.openScan(&o.Request)
	defer scan.stop()
	all := scan.want
	if scan.take(o.Take) && len(scan.want) >= len(scan.got) {
		scan.want = scan.want[:len(scan.got)]
		scan.wantErr = nil
	}
	if o.Take == 0 {
		return nil // the scan has not started
	}
	err := compareValues(scan.what, scan.want, scan.wantErr, scan.got, scan.gotErr)
	if err != nil || scan.wantErr != nil || o.Limit != 0 {
		return err
	}
	return r.compareRest(o, scan.got, all)
}

// compareRest compares what comes after the first values of a scan with the rest of the model's
// result.
func (r *runner) compareRest(o *Scan, first, all []daybook.StoredValue) error {
	params := o.params()
	params.After = &daybook.Place{}
	for _, v := range first {
		params.After.Advance(v.RecordName, v.StoredAt)
	}
	got, err := r.subject.Query(ctx, o.Pattern.Text, params)
	what := fmt.Sprintf("Query(%q) after %+v", o.Pattern.Text, *params.After)
	return compareValues(what, all[len(first):], nil, got, err)
}

func (o *Hold) run(r *runner) error {
	if len(r.openScans) == maxOpenScans {
		if err := r.finishOldestScan(); err != nil {
			return err
		}
	}
	scan := r.openScan(&o.Request)
	if scan.take(max(o.Take, 1)) { // a scan takes its snapshot with the first value
		r.openScans = append(r.openScans, scan)
		return nil
	}
	return scan.finish()
}

func (o *Finish) run(r *runner) error { return r.finishOldestScan() }

func (r *runner) finishOldestScan() error {
	if len(r.openScans) == 0 {
		return nil
	}
	oldest := r.openScans[0]
	r.openScans = r.openScans[1:]
	return oldest.finish()
}

func (r *runner) finishScans() (err error) {
	for len(r.openScans) > 0 {
		err = errors.Join(err, r.finishOldestScan())
	}
	return err
}

func (o *Checkpoint) run(r *runner) error { return r.maintain(o.Watched, r.subject.Checkpoint) }

func (o *Compact) run(r *runner) error { return r.maintain(o.Watched, r.subject.Compact) }

// maintain calls do, which must change no result. If watched, it does so in another goroutine, and
// queries meanwhile.
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
				return errors.Join(fmt.Errorf("during the maintenance: %w", err), <-done)
			}
		}
	}
}

func (*Stall) run(r *runner) error {
	r.subject.Stall()
	return nil
}

func (*Sync) run(r *runner) error { return r.subject.Sync(ctx) }

func (o *Reopen) run(r *runner) error { return r.reopen(r.subject.Close, o.ReadOnlyFirst) }

func (o *Crash) run(r *runner) error { return r.reopen(r.subject.Crash, o.ReadOnlyFirst) }

func (o *Restore) run(r *runner) error { return r.reopen(r.subject.Restore, o.ReadOnlyFirst) }

// run accepts that a batch whose bytes have not all arrived is stored or not, but only as a whole.
func (o *Torn) run(r *runner) error {
	batch := o.stored()
	arrived := false
	err := r.reopen(func() (err error) {
		arrived, err = r.subject.CrashWithin(ctx, batch, o.Eighths)
		return err
	}, false)
	if err != nil || len(batch) == 0 {
		return err
	}
	withBatch := backendtest.NewMemory()
	params := daybook.QueryParams{Order: daybook.OldestFirst}
	before, err := r.model.Query(ctx, "*", params)
	if err != nil {
		return err
	}
	if err := errors.Join(withBatch.StoreBatch(ctx, before), withBatch.StoreBatch(ctx, batch)); err != nil {
		return err
	}
	want, err := withBatch.Query(ctx, "*", params)
	if err != nil {
		return err
	}
	got, err := r.subject.Query(ctx, "*", params)
	if err == nil && (arrived || slices.EqualFunc(want, got, equal)) {
		err = r.model.StoreBatch(ctx, batch)
	}
	return err
}
