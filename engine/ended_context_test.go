// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/head"
	"github.com/daybook-db/daybook/proof/testenv"
)

// TestWatchWaitsNoLongerThanItsContext begins to watch while earlier values are still
// passed to others.
func TestWatchWaitsNoLongerThanItsContext(t *testing.T) {
	db := mustOpen(t, testenv.TempDir(t), nil)
	db.watchers.recent.filled.Store(true)
	db.watchers.passing <- struct{}{}
	short, cancel := context.WithTimeout(ctx, 5*time.Millisecond)
	defer cancel()
	if events, err := db.Watch(short, "*", daybook.WatchParams{}); !errors.Is(err, context.DeadlineExceeded) ||
		events != nil {
		t.Errorf("got %v, %v; want the deadline", events, err)
	}
	<-db.watchers.passing
	db.watchers.recent.filled.Store(false)
}

// TestReceiveWaitsNoLongerThanItsContext sends a batch while another of its stream is being stored.
func TestReceiveWaitsNoLongerThanItsContext(t *testing.T) {
	db := mustOpen(t, testenv.TempDir(t), nil)
	b := newSender("s", 1).batches[0]
	unlock, err := db.streams.lock(ctx, newStream(b.Store, b.Epoch, b.Stream))
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	short, cancel := context.WithTimeout(ctx, 5*time.Millisecond)
	defer cancel()
	if at, err := db.StoreBatchFrom(short, b); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got position %d, %v; want the deadline", at.Through, err)
	}
}

// TestEndedContextInHeads reads heads with a context that has ended, which must not look like the
// end of the values.
func TestEndedContextInHeads(t *testing.T) {
	db := mustOpen(t, testenv.TempDir(t), nil)
	mustStore(t, db, "r", "1", 1)
	ended, cancel := context.WithCancel(ctx)
	cancel()
	s, err := db.snapshot(allRecords)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	if err := s.eachView(ended, func(*head.View) bool { return true }); !errors.Is(err, context.Canceled) {
		t.Errorf("eachView: got %v; want context.Canceled", err)
	}
	if _, found, err := s.next(ended); found || !errors.Is(err, context.Canceled) {
		t.Errorf("next: got %v, %v; want context.Canceled", found, err)
	}
	r := &changesReader{db: db, pattern: allRecords, last: 1}
	if batch, err := r.nextInHeads(ended); !errors.Is(err, context.Canceled) || r.after != 0 {
		t.Errorf("nextInHeads: got %d values, %v, after %d; want context.Canceled after 0", len(batch), err, r.after)
	}
}
