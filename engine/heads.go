// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"errors"
	"math"
	"sync"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/codec"
	"github.com/daybook-db/daybook/engine/internal/head"
	"github.com/daybook-db/daybook/engine/internal/tree"
)

// heads are the values that are in the log but not in the tree yet. Commits add to the active head.
// When it is full it becomes the frozen head, which a checkpoint posts to the tree, and an empty
// one takes its place. While the frozen head cannot be posted, a full active head has to wait.
type heads struct {
	maxSize int64 // bytes of memory at which a head is full

	mu           sync.RWMutex // guards the fields below
	positions    positions    // of the streams whose batches these are
	active       *head.Head
	frozen       *head.Head    // nil: none
	lastSequence uint64        // of the last acknowledged value
	commits      uint64        // number of groups that were added
	added        uint64        // number of values in them
	attempted    chan struct{} // is closed after the next attempt to post the frozen head
	released     chan struct{} // is closed after that, when the log has released segments
	releasing    bool          // attempted has been closed, and released has not
	postFailure  error         // of the last attempt, while the frozen head is still there
	freed        bool          // the tree may have got free pages since the last attempt
	roomWanted   bool          // a writer waits for makeLogRoom
	postedFrom   *tree.State   // of the tree before any of the frozen head was in it; nil: unknown
}

func newHeads(maxSize int64) *heads {
	return &heads{maxSize: maxSize, active: head.New(maxSize), attempted: make(chan struct{}),
		released: make(chan struct{})}
}

// add adds the values of a group of commits, the first of which has the given sequence number. If
// added is not nil, it is called for each of them.
func (h *heads) add(group []*commit, sequence uint64, added func(*head.Record, *daybook.StoredValue, uint64)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	first := sequence
	for _, c := range group {
		for i := range c.values {
			v := &c.values[i]
			record := h.active.Add(v.RecordName, v.StoredAt, sequence, v.Value)
			if added != nil {
				added(record, v, sequence)
			}
			sequence++
		}
		if c.received != nil {
			h.positions.add(*c.received)
		}
	}
	h.added += sequence - first
	h.commits++
	h.lastSequence = sequence - 1
}

// addReplayed adds the values of a frame of the log, except those that are in the tree, and reports
// whether the active head is full and may be posted. A head that was posted in part before a crash
// must be complete first, because a posting in parts ends with the posting of that same head.
func (h *heads) addReplayed(batch *codec.BatchReader, sequence uint64, inTree tree.State) (full bool, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if section := batch.Section(); section != nil {
		received, err := decodeReceived(section)
		if err != nil {
			return false, err
		}
		h.positions.add(received)
	}
	for ; batch.Remaining() > 0; sequence++ {
		record, timestamp, value, err := batch.Next()
		if err != nil {
			return false, err
		}
		if name := string(record); sequence > inTree.PostedThrough(name) {
			h.active.Add(name, timestamp, sequence, value)
		} else {
			h.active.AdvanceTo(sequence)
		}
	}
	return h.active.Size() >= h.maxSize && h.active.LastSequence() >= inTree.MaxPosted(), nil
}

// clear forgets all values.
func (h *heads) clear() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.active, h.frozen = head.New(h.maxSize), nil
	h.positions.active, h.positions.frozen = nil, nil
}

// commitCount returns the number of groups that were added.
func (h *heads) commitCount() uint64 {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.commits
}

// last returns the sequence number of the last acknowledged value.
func (h *heads) last() uint64 {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.lastSequence
}

// setLast sets the sequence number of the last acknowledged value, as the log's recovery found it.
func (h *heads) setLast(sequence uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lastSequence = sequence
}

// full reports whether the active head is full.
func (h *heads) full() bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.active.Size() >= h.maxSize
}

// overfull is how many times its size a head may have while snapshots hold up checkpoints.
const overfull = 4

// mayOverfill reports whether the active head takes values although it is full: open snapshots hold
// up the checkpoint. If commits waited for that, a program that stores in the loop of a Scan would
// wait for itself.
func (h *heads) mayOverfill() bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	heldUp := h.frozen != nil && errors.Is(h.postFailure, tree.ErrHeldUp)
	return heldUp && h.active.Size() < overfull*h.maxSize
}

// activeEmpty reports whether the active head holds no values.
func (h *heads) activeEmpty() bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.active.Values() == 0
}

// freezeIfFull freezes a full active head. If the frozen head is still there, it returns a channel
// that is closed after the next attempt to post it.
func (h *heads) freezeIfFull() (blocked <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.active.Size() < h.maxSize {
		return nil
	}
	if h.frozen != nil {
		return h.attempted
	}
	h.freezeLocked()
	return nil
}

// freezeToPost freezes the active head, unless there is a frozen one. It returns a channel that is
// closed when the frozen head was posted, or not, and the log has released segments. mayRelease
// says whether the log has any that a post may release.
//
// canMakeRoom says whether makeLogRoom may help if there are no values to post. Then it is wanted.
//
// The channel is nil if there is nothing to release or to post. It is also nil if the tree has not
// shrunk since the last attempt failed, because another one would fail too.
func (h *heads) freezeToPost(mayRelease, canMakeRoom bool) (released <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	isEmpty := h.frozen == nil && h.active.Values() == 0
	switch {
	case h.releasing:
	case !mayRelease && !canMakeRoom, isEmpty && !canMakeRoom:
		return nil
	case (h.frozen != nil || isEmpty) && h.postFailure != nil && !h.freed:
		return nil
	case isEmpty:
		h.roomWanted = true
	case h.frozen == nil:
		h.freezeLocked()
	}
	return h.released
}

// logRoomIsWanted reports whether a writer waits for makeLogRoom.
func (h *heads) logRoomIsWanted() bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.roomWanted
}

// endLogRoom records the outcome of makeLogRoom, and wakes the writers that wait for it.
func (h *heads) endLogRoom(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.roomWanted = false
	if h.frozen == nil {
		h.postFailure, h.freed = err, false
	}
	h.releasedLocked()
}

// freeze freezes the active head. There must be no frozen head.
func (h *heads) freeze() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.freezeLocked()
}

func (h *heads) freezeLocked() {
	h.frozen, h.active = h.active, head.New(h.maxSize)
	h.positions.freeze()
	h.postFailure, h.postedFrom = nil, nil
}

// unfreeze makes the frozen head the active one again. Nothing may have been added meanwhile.
func (h *heads) unfreeze() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.active, h.frozen = h.frozen, nil
	h.positions.unfreeze()
}

// freezeThrough prepares for posting all values up to a sequence number: it freezes the active head
// if that holds any of them and there is no frozen head. It reports whether both heads are free of
// them.
func (h *heads) freezeThrough(sequence uint64) (done bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.frozen != nil {
		return false
	}
	if h.active.Values() == 0 || h.active.FirstSequence() > sequence {
		return true
	}
	h.freezeLocked()
	return false
}

// frozenHead returns the frozen head; nil if there is none.
func (h *heads) frozenHead() *head.Head {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.frozen
}

// beginAttempt notes the state of the tree before an attempt to post the frozen head, unless a part
// of that head, or of another before a crash, is in the tree already.
func (h *heads) beginAttempt(inTree tree.State) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if inTree.Partial == (tree.PartialPost{}) {
		h.postedFrom = &inTree
	}
}

// isPostedFrom reports whether inTree is still the state from which the values in the tree are
// counted: no deletion has begun since, and no other head was frozen.
func (h *heads) isPostedFrom(inTree *tree.State) bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return inTree != nil && h.postedFrom == inTree
}

// treeShrinks is called before each transaction that deletes values in the tree.
func (h *heads) treeShrinks() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.postedFrom = nil
}

// treeShrank is called when the tree may have room for the frozen head: after values were deleted
// from it, or when a snapshot has ended that kept pages in use.
func (h *heads) treeShrank() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.freed = true
}

// endAttempt records the outcome of an attempt to post the frozen head, and wakes the writers that
// wait for it. After success there is no frozen head any more, and releasedLog must be called.
func (h *heads) endAttempt(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err == nil {
		h.frozen = nil
		h.positions.frozenPosted()
	}
	h.postFailure, h.freed = err, false
	close(h.attempted)
	h.attempted = make(chan struct{})
	if h.releasing = err == nil; !h.releasing {
		h.releasedLocked()
	}
}

// releasedLog is called after a head was posted, when the log has released segments.
func (h *heads) releasedLog() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.releasedLocked()
}

func (h *heads) releasedLocked() {
	h.releasing = false
	close(h.released)
	h.released = make(chan struct{})
}

// failureToPost returns why the last attempt to post the frozen head failed; nil if there is no
// such head.
func (h *heads) failureToPost() error {
	h.mu.RLock()
	defer h.mu.RUnlock()
	if h.frozen == nil {
		return nil
	}
	return h.postFailure
}

// demand returns what the values of both heads need in the tree.
func (h *heads) demand() demand {
	h.mu.RLock()
	defer h.mu.RUnlock()
	var d demand
	for _, each := range []*head.Head{h.frozen, h.active} {
		if each != nil {
			d = d.plus(demandOfHead(each))
		}
	}
	return d
}

func demandOfHead(h *head.Head) demand {
	return demand{values: int64(h.Values()), valueBytes: int64(h.Bytes()), nameBytes: int64(h.NameBytes())}
}

// oldest returns the least timestamp of all values; 2^64-1 if there are none.
func (h *heads) oldest() uint64 {
	h.mu.RLock()
	defer h.mu.RUnlock()
	oldest := h.active.Oldest()
	if h.frozen != nil {
		oldest = min(oldest, h.frozen.Oldest())
	}
	return oldest
}

// first returns the least sequence number of all values; 2^64-1 if there are none.
func (h *heads) first() uint64 {
	h.mu.RLock()
	defer h.mu.RUnlock()
	for _, each := range []*head.Head{h.frozen, h.active} {
		if each != nil && each.Values() > 0 {
			return each.FirstSequence()
		}
	}
	return math.MaxUint64
}

// sampleStep is the number of names that sample takes while it holds the lock, as a head.Reader
// does.
const sampleStep = 64

// sample returns the names of at most limit of a head's records, at equal distances among the first
// ones in the order of the names.
func (h *heads) sample(of *head.Head, records, limit int) []string {
	names := make([]string, 0, min(records, limit))
	for len(names) < cap(names) {
		h.mu.RLock()
		for range min(sampleStep, cap(names)-len(names)) {
			names = append(names, of.NameAt(len(names)*records/cap(names)))
		}
		h.mu.RUnlock()
	}
	return names
}

// capture captures both heads at one moment: of each, the views of the reader that readerOf
// returns.
func (h *heads) capture(readerOf func(*head.Head, sync.Locker) *head.Reader) (c capturedHeads) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	if h.frozen != nil {
		c.frozen = captureHead(h.frozen, readerOf(h.frozen, h.mu.RLocker()))
		c.postedFrom = h.postedFrom
	}
	c.active = captureHead(h.active, readerOf(h.active, h.mu.RLocker()))
	c.last, c.commits, c.added = h.lastSequence, h.commits, h.added
	c.size = h.active.Size()
	if h.frozen != nil {
		c.size += h.frozen.Size()
	}
	return c
}
