// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/daybook-db/daybook"
	"github.com/daybook-db/daybook/engine/internal/head"
)

// bound is what is known of the tree's file, and of the copy that is being compacted, as of the last time that somebody
// wrote to them. What was stored since is in the heads, and counts as the most that it can become.
type bound struct {
	// db.mu guards them.
	file int64 // bytes
	free int64 // bytes of it that are free for what comes
	copy int64 // bytes
}

// Of MaxSize a part is the log's, one is the reserve's, and the rest is the tree's.
const (
	logPart = 4 // one in four

	// A value in a head takes up to perValue bytes in the tree, and perByte for each byte of JSON, since pages are half full
	// after they are split, and a record perNameByte for each byte of its name, which stands in both buckets and in
	// their branches.
	perValue    = 256
	perByte     = 2
	perNameByte = 4

	// transactionsAhead is for how many transactions there must be room: what one changes is there twice until the next, and
	// what that leaves free is not always where the next needs it.
	transactionsAhead = 8

	// largestPart is the part of MaxSize that one value may be. Two or three large ones share a leaf, which is written again
	// as a whole.
	largestPart = 128

	// largestBatch is the part of MaxSize that the names and JSON of a batch may be: what the log has room for beside the
	// segments that it keeps.
	largestBatch = 16

	// leastLeft is the part of MaxSize that DropOldest leaves free at the least, and droppedAtOnce the part of the values
	// that goes for it.
	leastLeft     = 32
	droppedAtOnce = 16
)

// maxTree is how long the tree's file may become; 0: as long as it takes.
func (o *Options) maxTree() int64 {
	if o.MaxSize == 0 {
		return 0
	}
	return o.MaxSize - o.MaxSize/logPart - reserveSize
}

// sizeOfSegments is how large the log's first and further segments are.
func sizeOfSegments(maxSize int64) (first, further int64) {
	further = segmentSize
	if maxSize > 0 {
		further = min(further, maxSize/32)
	}
	return min(firstSegmentSize, further), further
}

// measure looks at the tree again. It needs posting held.
func (db *DB) measure() error {
	if db.opts.MaxSize == 0 {
		return nil
	}
	file, free, pending, err := db.tree.Room()
	if err != nil {
		return err
	}
	if db.scans.Load() == 0 { // the next transaction may use them
		free += pending
	}
	size := int64(0)
	if db.compaction.copy != nil {
		size = db.compaction.copy.Size()
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	db.bound = bound{file: file, free: free, copy: size}
	return nil
}

// left is how many bytes are left below MaxSize, if a group is stored too; less than 0: it does not fit.
func (db *DB) left(group []*commit) int64 { return db.leftWithout(0, group) }

// leftWithout is left if so many bytes of the tree were free besides. The file does not shrink by that.
func (db *DB) leftWithout(dropped int64, group []*commit) int64 {
	if db.opts.MaxSize == 0 {
		return math.MaxInt64
	}
	_, segment := sizeOfSegments(db.opts.MaxSize)
	log := db.log.Size() + 2*segment // it may begin one, and make the next one ready
	db.mu.RLock()
	defer db.mu.RUnlock()
	tree := db.bound.file - db.bound.free + transactionsAhead*db.opts.Tuning.TransactionSize - dropped
	before := tree
	for _, h := range []*head.Head{db.frozen, db.active} {
		if h != nil {
			tree += perByte*int64(h.Bytes()) + perValue*int64(h.Values()) + perNameByte*int64(h.NameBytes())
		}
	}
	for _, c := range group {
		for i := range c.values {
			tree += perByte*int64(len(c.values[i].Value)) + perValue + perNameByte*int64(len(c.values[i].RecordName))
		}
		log += int64(len(c.payload))
	}
	all := max(tree, db.bound.file) + log + reserveSize
	if db.bound.copy > 0 { // it takes what is in the heads, too, and a transaction's copies of pages
		all += db.bound.copy + tree - before + 2*db.opts.Tuning.TransactionSize
	}
	return min(db.opts.maxTree()-tree, db.opts.MaxSize-all)
}

// makeFit returns nil if a group may be stored. For that it posts what is in the heads, gives up a copy that is being
// compacted, and drops the oldest values, as far as it must and may. Its last resort is the bound of the tree's file itself.
// stuck is why the heads could not be posted, if they could not.
func (db *DB) makeFit(ctx context.Context, group []*commit, stuck error) error {
	if stuck == nil && db.left(group) >= 0 {
		return nil
	}
	ctx = context.WithoutCancel(ctx)
	return db.whilePosting(ctx, func() error {
		if err := db.postAsMuchAsFits(ctx); err != nil {
			return err
		}
		if db.left(group) < 0 && db.giveUpCopy(daybook.ErrNoSpace) {
			if err := db.measure(); err != nil {
				return err
			}
		}
		if db.opts.WhenFull == DropOldest {
			if err := db.dropOldest(ctx, group); err != nil {
				return err
			}
		}
		if db.failureToPost() == nil && db.left(group) >= 0 {
			return nil
		}
		return db.full()
	})
}

// postAsMuchAsFits posts what is in the heads, unless there is no room for that, which failureToPost says then.
func (db *DB) postAsMuchAsFits(ctx context.Context) error {
	if _, err := db.postAll(ctx, nil); err != nil && !errors.Is(err, daybook.ErrNoSpace) {
		return err
	}
	db.log.RemoveReleased()
	return db.measure()
}

// dropOldest deletes the oldest values until a group fits, and something is left for the next, and until the heads can be
// posted. It deletes nothing for a group that would not fit into an empty store, or for pages that a query still needs,
// which are not free afterwards.
func (db *DB) dropOldest(ctx context.Context, group []*commit) error {
	for wanted := db.opts.MaxSize / leastLeft; ; wanted = 0 {
		stuck := db.failureToPost() != nil
		if !stuck && db.left(group) >= wanted {
			return nil
		}
		file, free, pending, err := db.tree.Room()
		hopeless := !stuck && db.leftWithout(file-free, group) < 0 || db.scans.Load() > 0 && pending > free
		if err != nil || hopeless {
			return err
		}
		state, err := db.tree.State()
		if err != nil || state.Values == 0 {
			return err
		}
		deleted, err := db.pruneTo(ctx, everything, func(all uint64) uint64 { return all - min(all, all/droppedAtOnce+1) }, 0)
		if deleted == 0 || err != nil && !errors.Is(err, daybook.ErrNoSpace) && !errors.Is(err, daybook.ErrCorrupt) {
			return err
		}
		if errors.Is(err, daybook.ErrCorrupt) {
			db.opts.Logger.ErrorContext(ctx, "daybook: damaged values are not dropped, but those beside them", "dir", db.dir, "error", err)
		}
		if err := db.postAsMuchAsFits(ctx); err != nil {
			return err
		}
		db.opts.Logger.InfoContext(ctx, "daybook: dropped the oldest values, since MaxSize was reached",
			"dir", db.dir, "deleted", deleted, "max_size", db.opts.MaxSize)
	}
}

func (db *DB) full() error {
	why := "delete something with Cleanup or Prune, compact it if it was larger before, or open it with a greater MaxSize"
	if db.scans.Load() > 0 {
		why = "queries that are running keep pages from being used again; end them, or " + why
	}
	return fmt.Errorf("%w: %s has reached MaxSize, %d bytes: %s", daybook.ErrNoSpace, db.dir, db.opts.MaxSize, why)
}

// releaseReserve gives the reserve's space to the tree, and reports whether there was any.
func (db *DB) releaseReserve() bool {
	if !db.reserve.release() {
		return false
	}
	if most := db.opts.maxTree(); most > 0 {
		db.tree.Bound(most + reserveSize)
	}
	return true
}

// takeReserve takes it back, unless the tree has grown into it.
func (db *DB) takeReserve() {
	most := db.opts.maxTree()
	if most > 0 {
		if file, _, err := db.tree.Size(); err != nil || file > most {
			return
		}
		db.tree.Bound(most)
	}
	db.reserve.take()
}
