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

// TestLeadOfACommitThatLeaves ends the context of a commit that has just been told to lead. The
// next one must lead in its place, or no value would ever be stored again.
func TestLeadOfACommitThatLeaves(t *testing.T) {
	var q commitQueue
	leaving, next := q.newCommit(), q.newCommit()
	if !q.join(leaving) || q.join(next) {
		t.Fatal("the first commit leads, and no other")
	}
	q.passOn()
	if !q.withdraw(leaving) {
		t.Fatal("the commit is no longer in the queue")
	}
	select {
	case told := <-next.wake:
		if told != lead {
			t.Errorf("the next commit was told %v; want that it leads", told)
		}
	default:
		t.Error("the next commit was not told to lead")
	}
}
