// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/daybook-db/daybook"
)

const (
	holdName      = "forward"
	maxBatchBytes = 256 << 10
	minRetry      = time.Second
	maxRetry      = time.Minute
	saveInterval  = time.Minute
)

// history is what a forwarder needs of a backend.
type history interface {
	daybook.ChangeSource // what was stored, in order, from any place on
	daybook.Holder       // keeps that place, and spares from deletion what follows it
	daybook.Watcher      // says when there is more
}

// forwarder sends all values to a server, in the order in which they were stored. A batch is
// NDJSON: a line has a value and its cursor. The server answers 2xx when it has made that durable.
//
// A batch whose answer got lost is sent again. The server knows its values by their cursors, which
// never mean two values, and ignores those that it has.
//
// Its hold stays when it is switched off: daybook holds --release forward removes it.
type forwarder struct {
	backend  daybook.Backend
	url      string
	client   *http.Client
	maxBytes uint64 // of JSON that the hold spares
	status   *status

	history history
	place   daybook.Cursor // the server has all values up to it
	saved   time.Time      // when the place was last saved
	batch   bytes.Buffer   // the lines of the values after it
}

// newClient returns the client for a forwarder. It follows no redirect, because it would follow
// most of them without the batch: what answers then has not got the values.
func newClient() *http.Client {
	return &http.Client{
		Timeout:       time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// run forwards until ctx ends. While the server does not answer, it tries again, up to once a
// minute.
func (f *forwarder) run(ctx context.Context) error {
	var ok bool
	if f.history, ok = daybook.As[history](f.backend); !ok {
		return fmt.Errorf("changes, holds and watchers: %w", errors.ErrUnsupported)
	}
	news, err := f.history.Watch(ctx, "*", daybook.WatchParams{Buffer: 1})
	if err != nil {
		return err
	}
	if err := f.resume(ctx); err != nil {
		return err
	}
	retry := minRetry
	for ctx.Err() == nil {
		err := f.sendBacklog(ctx)
		f.status.report("forward", err)
		switch {
		case isFinal(err):
			return err
		case err != nil:
			sleep(ctx, retry)
			retry = min(2*retry, maxRetry)
		default:
			retry = minRetry
			<-news // or ctx has ended, which closes it
		}
	}
	return f.save(context.WithoutCancel(ctx))
}

// resume makes the hold at the first start, and finds its place at the others. The hold is bounded:
// if the server is away for too long, values are deleted that it has not got, and Stats says how
// many.
func (f *forwarder) resume(ctx context.Context) error {
	if err := f.history.SetHold(ctx, daybook.Hold{Name: holdName, MaxBytes: f.maxBytes}); err != nil {
		return err
	}
	holds, err := f.history.Holds(ctx)
	for _, hold := range holds {
		if hold.Name == holdName {
			f.place = hold.At
		}
	}
	return err
}

// sendBacklog sends the values after the place. After an error it may be called again: it goes on
// where it was.
func (f *forwarder) sendBacklog(ctx context.Context) error {
	f.batch.Reset()
	through := f.place
	for change, err := range f.history.Changes(ctx, daybook.ChangesParams{After: f.place}) {
		if err != nil {
			return f.stepOver(ctx, through, err)
		}
		through = change.Cursor
		if !change.IsPlace() {
			if err := json.NewEncoder(&f.batch).Encode(change); err != nil {
				return err
			}
		}
		if change.IsPlace() || f.batch.Len() >= maxBatchBytes {
			if err := f.send(ctx, through); err != nil {
				return err
			}
		}
	}
	return nil
}

// stepOver sends what came before an error of Changes, and moves the place past one that every
// later try would meet, too. It returns the error, so that a log has what the server misses, or has
// too much.
func (f *forwarder) stepOver(ctx context.Context, through daybook.Cursor, err error) error {
	if failed := f.send(ctx, through); failed != nil {
		return failed
	}
	if damaged, ok := errors.AsType[*daybook.DamagedChangesError](err); ok {
		f.place = damaged.Through // the values up to it cannot be read, and never will
	}
	if forked, ok := errors.AsType[*daybook.ForkedError](err); ok {
		f.place = forked.Common // the server has values after it that this history has lost
	}
	return err
}

// send sends the batch, and then moves the place. Now and then it saves it.
func (f *forwarder) send(ctx context.Context, through daybook.Cursor) error {
	if f.batch.Len() > 0 {
		if err := f.post(ctx); err != nil {
			return err
		}
		f.batch.Reset()
	}
	f.place = through
	if time.Since(f.saved) < saveInterval {
		return nil
	}
	return f.save(ctx)
}

// save moves the hold to the place, durably: the next start goes on there. That writes more than a
// reading does, so it is not done for each batch. After a crash the last minute is sent again.
func (f *forwarder) save(ctx context.Context) error {
	f.saved = time.Now()
	return f.history.AdvanceHold(ctx, holdName, f.place)
}

// post sends the batch to the server. It reads the answer to its end, so that the next batch can
// use the connection again. An error has the URL without its password: the health shows it.
func (f *forwarder) post(ctx context.Context) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, f.url, bytes.NewReader(f.batch.Bytes()))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/x-ndjson")
	answer, err := f.client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, 64<<10))
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("%s answered %s", request.URL.Redacted(), answer.Status)
	}
	return nil
}

// sleep waits for a time, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
