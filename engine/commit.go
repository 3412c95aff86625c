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
	single  [1]daybook.StoredValue // what values is for Store
	batch   []byte
	payload []byte // batch as it is written
	err     error
	wake    chan wakeUp // holds one
	leader  bool        // has been told to lead; the queue's mu guards it
}

// wakeUp is what a waiting commit is told.
type wakeUp int

const (
	committed wakeUp = iota // its err says how it went
	lead                    // it is to write the next group, itself included
)

// mostPooled is the largest buffer that is kept for the next commit.
const mostPooled = 2 << 20

func (q *commitQueue) newCommit() *commit {
	if c, ok := q.spent.Get().(*commit); ok {
		return c
	}
	return &commit{wake: make(chan wakeUp, 1)}
}

// free gives c back for reuse. Nobody may hold it any more.
func (q *commitQueue) free(c *commit) {
	batch, payload := c.batch[:0], c.payload[:0]
	if cap(batch) > mostPooled || cap(payload) > mostPooled {
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
	c.payload = codec.AppendCompressed(c.payload[:0], c.batch)
}

// commitQueue gathers commits into groups. The first to come leads: it writes its group at once. Those that
// come while it writes wait, and the first of them leads the next group. There is no timer: a group is
// as large as the number of those who came during the write before it.
type commitQueue struct {
	mu        sync.Mutex // guards what follows
	waiting   []*commit
	leading   bool // somebody leads, or has been told to
	lastGroup int  // commits in the last group

	group  []*commit   // being written; the leader's
	frames []wal.Frame // the same

	spent sync.Pool // of *commit
}

// mostGrouped is how many bytes of batches a group has, unless its first commit has more. They are what it adds to
// the head.
const mostGrouped = wal.MaxGrouped

// commit stores c's values and returns when they are as durable as the options say.
func (db *DB) commit(ctx context.Context, c *commit) error {
	c.encode()
	if leading := db.commits.join(c); !leading {
		leading, err := db.commits.wait(ctx, c)
		if !leading {
			return err
		}
	}
	// The leader alone waits for room, so that a head never grows by more than a group beyond its bound.
	noRoom := db.makeRoom(ctx)
	if failure := db.log.Failure(); failure != nil { // no room would help
		noRoom = failure
	}
	if noRoom != nil && ctx.Err() != nil {
		db.commits.resign(c)
		return noRoom
	}
	group := db.commits.take()
	if noRoom == nil || db.opts.MaxSize > 0 && errors.Is(noRoom, daybook.ErrNoSpace) {
		db.writeFitting(ctx, group, noRoom)
	} else {
		failAll(group, noRoom)
	}
	for _, other := range group {
		if other != c {
			other.wake <- committed
		}
	}
	clear(group)
	db.commits.passOn()
	return c.err
}

func failAll(group []*commit, err error) {
	for _, c := range group {
		c.err = err
	}
}

// join adds c to the queue, and reports whether it is to lead.
func (q *commitQueue) join(c *commit) (leading bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = append(q.waiting, c)
	leading = !q.leading
	q.leading = true
	return leading
}

// wait waits until c is committed, or is to lead. A commit whose context ends leaves the queue, unless it
// is being written already.
func (q *commitQueue) wait(ctx context.Context, c *commit) (leading bool, err error) {
	select {
	case told := <-c.wake:
		return told == lead, c.err
	case <-ctx.Done():
	}
	if q.withdraw(c) {
		return false, ctx.Err()
	}
	<-c.wake // it can only be committed now
	return false, c.err
}

// withdraw takes c out of the queue, and reports whether it was still there. If it had been told to lead,
// the next one is.
func (q *commitQueue) withdraw(c *commit) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	at := slices.Index(q.waiting, c)
	if at < 0 {
		return false
	}
	q.waiting = slices.Delete(q.waiting, at, at+1)
	if c.leader {
		<-c.wake
		q.passOnLocked()
	}
	return true
}

// resign takes the leader out of the queue, and has the next one lead.
func (q *commitQueue) resign(leader *commit) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = slices.DeleteFunc(q.waiting, func(c *commit) bool { return c == leader })
	q.passOnLocked()
}

// take removes the next group from the queue: the leader, and those behind it. If the last group was one
// of several, it first lets those run that it woke, who are about to come back; otherwise groups would
// alternate between nearly all and nearly none of them. A lone writer never yields: beside goroutines
// that keep the processors busy, that costs many times a sync.
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
		if n > 0 && size > mostGrouped {
			break
		}
		n++
	}
	q.group = append(q.group[:0], q.waiting[:n]...)
	q.waiting = slices.Delete(q.waiting, 0, n)
	q.lastGroup = n
	return q.group
}

// passOn tells the first that waits to lead.
func (q *commitQueue) passOn() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.passOnLocked()
}

func (q *commitQueue) passOnLocked() {
	q.leading = len(q.waiting) > 0
	if q.leading {
		q.waiting[0].leader = true
		q.waiting[0].wake <- lead
	}
}

// writeFitting writes a group as far as Options.MaxSize allows. One that does not fit as a whole may do so in halves. stuck is why
// there was no room in the heads. The context is the leader's, and does not end it: the others' values are in the group, too.
func (db *DB) writeFitting(ctx context.Context, group []*commit, stuck error) {
	err := db.makeFit(ctx, group, stuck)
	switch {
	case err == nil:
		db.write(group)
	case len(group) > 1 && errors.Is(err, daybook.ErrNoSpace):
		db.writeFitting(ctx, group[:len(group)/2], stuck)
		db.writeFitting(ctx, group[len(group)/2:], stuck)
	default:
		failAll(group, err)
	}
}

// write commits a group: into the log, durable as the options say, and then into the head, where queries
// see it. Only the leader calls it.
func (db *DB) write(group []*commit) {
	frames, values := db.commits.frames[:0], 0
	for _, c := range group {
		frames = append(frames, wal.Frame{Payload: c.payload, Values: len(c.values)})
		values += len(c.values)
	}
	sequence, err := db.log.Append(frames)
	clear(frames)
	db.commits.frames = frames
	if err == nil && db.opts.Durability == Always {
		err = db.log.Sync()
	}
	if err != nil {
		failAll(group, err)
		return
	}
	db.addToHead(group, sequence)
	db.watchers.tell(group, sequence)
	db.statsMu.Lock()
	db.stats.Commits++
	db.stats.CommitValues += uint64(values)
	db.statsMu.Unlock()
}

func (db *DB) addToHead(group []*commit, sequence uint64) {
	db.mu.Lock()
	defer db.mu.Unlock()
	for _, c := range group {
		for i := range c.values {
			db.active.Add(c.values[i].RecordName, c.values[i].StoredAt, sequence, c.values[i].Value)
			sequence++
		}
	}
	db.lastSequence = sequence - 1
}
