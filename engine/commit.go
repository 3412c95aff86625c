// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/wal"
)

// commit is one Store or StoreBatch on its way into the log.
type commit struct {
	values  []daybook.StoredValue
	single  [1]daybook.StoredValue // the memory of values in a Store
	batch   []byte                 // values, encoded
	payload []byte                 // batch, compressed for the log
	err     error                  // the outcome
	wake    chan wakeUp            // holds one element

	received *received // the position that the values move; nil in a Store or StoreBatch

	refused bool // the log had no room for it; only the leader uses it
	retries int  // how often it was put back since one before it was written; only the leader uses it

	// The queue's mu guards these fields.
	toLead     bool // lead has been sent to wake
	toWithdraw bool // its context ended while it was in a group
}

// wakeUp tells a waiting commit what happens next.
type wakeUp int

const (
	committed wakeUp = iota // it has been written, or has failed: see its err
	lead                    // it has to write the next group, to which it belongs
	withdrawn               // it has left the queue, because its context has ended
)

// maxPooled is the maximum size in bytes of a buffer that is kept for a later commit.
const maxPooled = 2 << 20

func (q *commitQueue) newCommit() *commit {
	if c, ok := q.spent.Get().(*commit); ok {
		return c
	}
	return &commit{wake: make(chan wakeUp, 1)}
}

// free makes c available to newCommit. No goroutine may use it any more.
func (q *commitQueue) free(c *commit) {
	batch, payload := c.batch[:0], c.payload[:0]
	if cap(batch) > maxPooled || cap(payload) > maxPooled {
		batch, payload = nil, nil
	}
	*c = commit{wake: c.wake, batch: batch, payload: payload}
	q.spent.Put(c)
}

func (c *commit) encode() {
	w := codec.NewBatchWriter(c.batch[:0], len(c.values))
	for i := range c.values {
		w.Add(c.values[i].RecordName, c.values[i].StoredAt, c.values[i].Value)
	}
	c.batch = w.Bytes()
	c.payload = c.payload[:0]
	if c.received != nil {
		c.payload = codec.AppendSection(c.payload, c.received.encode())
	}
	c.payload = codec.AppendCompressed(c.payload, c.batch)
}

// commitQueue gathers commits into groups. The first commit to arrive leads: it writes its group at
// once. The commits that arrive during that write wait, and the first of them leads the next group.
// There is no timer: a group has as many commits as arrived during the write before it.
type commitQueue struct {
	mu        sync.Mutex // guards the fields up to lastGroup
	waiting   []*commit
	leading   bool // a commit leads, or has been told to
	lastGroup int  // number of commits in the last group

	group  []*commit   // that is being written; only the leader uses it
	frames []wal.Frame // of the group; only the leader uses them

	spent sync.Pool // of *commit
}

// maxGroupBytes is the maximum size in bytes of a group's batches together, unless its first commit
// is larger. It bounds what a group adds to the head, however well its batches compress.
const maxGroupBytes = wal.MaxGrouped

// commit stores c's values and returns when they are as durable as the options say.
func (db *DB) commit(ctx context.Context, c *commit) error {
	c.encode()
	if leading := db.commits.join(c); !leading {
		leading, err := db.commits.wait(ctx, c)
		if !leading {
			return err
		}
	}
	for {
		// Only the leader waits for room in the head, so the head exceeds its bound by one group at
		// most.
		blocked := db.waitForHead(ctx)
		if failure := db.log.Failure(); failure != nil { // room in the head would not help
			blocked = failure
		}
		if blocked != nil && ctx.Err() != nil {
			db.commits.resign(c)
			return blocked
		}
		posted := db.writeNextGroup(ctx, c, blocked)
		if posted == nil {
			db.commits.passOn()
			return c.err
		}
		select {
		case <-posted:
		case <-ctx.Done():
			db.commits.resign(c)
			return ctx.Err()
		}
	}
}

// writeNextGroup writes the next group, and wakes its commits but c, the leader's. blocked is why
// the active head takes no commits; nil if it does.
//
// Commits that the log had no room for go back into the queue if segments can be released. If c is
// one of them, writeNextGroup returns a channel that is closed when that has been tried.
func (db *DB) writeNextGroup(ctx context.Context, c *commit, blocked error) (posted <-chan struct{}) {
	group := db.commits.take()
	if blocked == nil || db.opts.MaxSize > 0 && errors.Is(blocked, daybook.ErrNoSpace) {
		db.writeWhatFits(ctx, group, blocked)
	} else {
		failAll(group, blocked)
	}
	done, leaderRetries := group, mayRetry(c)
	if posted = db.postToReleaseLog(group); posted != nil {
		done = db.commits.putBack(group)
	}
	for _, other := range done {
		if other != c {
			other.wake <- committed
		}
	}
	clear(group)
	if !leaderRetries {
		return nil
	}
	return posted
}

// maxRetries is how often a commit goes back into the queue because the log has no room for it:
// once for each head that can be posted, and for one whose post was ending.
const maxRetries = 3

// mayRetry reports whether a commit may go back into the queue.
func mayRetry(c *commit) bool { return c.refused && c.retries < maxRetries }

func failAll(group []*commit, err error) {
	for _, c := range group {
		c.err = err
	}
}

// join adds c to the queue, and reports whether c leads.
func (q *commitQueue) join(c *commit) (leading bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = append(q.waiting, c)
	leading = !q.leading
	q.leading = true
	return leading
}

// wait waits until c is committed, or has to lead. A commit whose context ends leaves the queue,
// unless it is being written already.
func (q *commitQueue) wait(ctx context.Context, c *commit) (leading bool, err error) {
	select {
	case told := <-c.wake:
		return told == lead, c.err
	case <-ctx.Done():
	}
	if q.withdraw(c) || <-c.wake == withdrawn { // otherwise it can only be committed now
		return false, ctx.Err()
	}
	return false, c.err
}

// withdraw removes c from the queue, and reports whether c was still there. If c had been told to
// lead, the next commit leads. A c that is in a group does not go back into the queue.
func (q *commitQueue) withdraw(c *commit) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	at := slices.Index(q.waiting, c)
	if at < 0 {
		c.toWithdraw = true
		return false
	}
	q.waiting = slices.Delete(q.waiting, at, at+1)
	if c.toLead {
		<-c.wake
		q.passOnLocked()
	}
	return true
}

// resign removes the leader from the queue, and makes the next commit lead.
func (q *commitQueue) resign(leader *commit) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = slices.DeleteFunc(q.waiting, func(c *commit) bool { return c == leader })
	q.passOnLocked()
}

// take removes the next group from the queue: the leader and the commits after it.
//
// After a group of several, take first lets the writers run that this group woke, because they are
// about to come back. Otherwise groups would alternate between nearly all writers and nearly none.
// A single writer does not let others run first: beside goroutines that keep the processors busy,
// its wait would be many times as long as a sync.
func (q *commitQueue) take() (group []*commit) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.lastGroup > 1 {
		q.mu.Unlock()
		runtime.Gosched()
		q.mu.Lock()
	}
	size, n := 0, 0
	for n < len(q.waiting) {
		size += len(q.waiting[n].batch)
		if n > 0 && size > maxGroupBytes {
			break
		}
		n++
	}
	q.group = append(q.group[:0], q.waiting[:n]...)
	q.waiting = slices.Delete(q.waiting, 0, n)
	q.lastGroup = n
	return q.group
}

// putBack puts the commits of a group that may be retried before the waiting ones, and returns the
// others. Of those it withdraws the ones whose context has ended. After a commit that was written,
// the retries of those after it start at 0 again: fewer are before them now.
func (q *commitQueue) putBack(group []*commit) (done []*commit) {
	q.mu.Lock()
	defer q.mu.Unlock()
	var again []*commit
	written := false
	for _, c := range group {
		switch {
		case !mayRetry(c):
			done = append(done, c)
			written = written || c.err == nil
		case c.toWithdraw:
			c.wake <- withdrawn
		default:
			c.refused, c.err = false, nil
			if c.retries++; written {
				c.retries = 0
			}
			again = append(again, c)
		}
	}
	q.waiting = slices.Concat(again, q.waiting)
	return done
}

// passOn makes the first waiting commit lead.
func (q *commitQueue) passOn() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.passOnLocked()
}

func (q *commitQueue) passOnLocked() {
	q.leading = len(q.waiting) > 0
	if q.leading {
		q.waiting[0].toLead = true
		q.waiting[0].wake <- lead
	}
}

// writeWhatFits writes a group as far as Options.MaxSize allows. When the whole group does not fit,
// it tries each half. stuck is why the heads could not be posted; nil if they could. ctx is the
// leader's; its end does not stop the write, because the group has others' values too.
func (db *DB) writeWhatFits(ctx context.Context, group []*commit, stuck error) {
	var d demand
	if db.opts.MaxSize > 0 {
		d = demandOf(group)
	}
	err := db.makeSpaceFor(ctx, d, stuck)
	switch {
	case err == nil:
		db.write(group)
	case len(group) > 1 && errors.Is(err, daybook.ErrNoSpace):
		db.writeWhatFits(ctx, group[:len(group)/2], stuck)
		db.writeWhatFits(ctx, group[len(group)/2:], stuck)
	default:
		failAll(group, err)
	}
}

// writeHalves writes each half of a group that the log had no room for: the log may have segments
// that are too small for the whole group. Without these, or with one commit, the group is refused.
func (db *DB) writeHalves(group []*commit, err error) {
	if half := len(group) / 2; half > 0 && db.log.Spare() > 0 {
		db.write(group[:half])
		db.write(group[half:])
		return
	}
	for _, c := range group {
		c.refused, c.err = errors.Is(err, wal.ErrNoRoom), err
	}
}

// write writes a group into the log, as durably as the options say, and then into the active head,
// where queries see it. Only the leader calls it.
func (db *DB) write(group []*commit) {
	frames := db.commits.frames[:0]
	for _, c := range group {
		frames = append(frames, wal.Frame{Payload: c.payload, Values: len(c.values)})
	}
	sequence, err := db.log.Append(frames)
	clear(frames)
	db.commits.frames = frames
	if errors.Is(err, daybook.ErrNoSpace) {
		db.writeHalves(group, err)
		return
	}
	if err == nil && db.opts.Durability == DurabilityAlways {
		err = db.log.Sync()
	}
	if err != nil {
		failAll(group, err)
		return
	}
	if db.watchers.exist.Load() {
		db.watchers.tell(db.cursorAt(sequence).Epoch, func(added addedFunc) { db.heads.add(group, sequence, added) })
	} else {
		db.heads.add(group, sequence, nil)
	}
	if db.arrivals.areNoted() {
		db.arrivals.note(&db.holdClock, db.heads.last())
	}
}
